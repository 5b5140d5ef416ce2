"""What the page makes of rules and their bases, without a server."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from blocklists.directive import load
from blocklists.index import Rule
from landing import verdict
from landing.page import Pages
from landing.verdict import Order, in_language, link, order_of, speaking
from tests.landing.samples import NOW, ORDER, key, order, put_in_force

PAGES = Pages("Example Telecom", "https://operator.example/")
RULE = Rule("directive", "redirect", "XX-2026-000123", "subtree", key("blocked.example"), 1, 0, 0)


def told(rule: Rule = RULE, **fields: Any) -> Order:
    document = {**load(order("blocked.example")).document(), "source": "orders", "layer": "orders", "verified": True, **fields}
    return order_of(rule, document, NOW)


def page(*orders: Order, language: str = "en", alias: bool = False) -> str:
    return PAGES.blocked(orders, alias, language, False).body("www.blocked.example").decode()


def test_a_verified_order_is_not_called_a_transcription() -> None:
    assert "wrote it down" not in page(told())
    assert "wrote it down" in page(told(verified=False))


@pytest.mark.parametrize(
    ("language", "words"), [("en", "provokes acts of terrorism or publicly apologises for them"), ("fr", "publiquement l\u2019apologie")]
)
def test_without_a_policy_people_and_programs_are_told_the_same_ground(language: str, words: str) -> None:
    (found,) = json.loads(PAGES.blocked([told()], False, language, True).body("www.blocked.example"))["orders"]
    assert words in found["ground"]["text"]
    assert found["ground"]["language"] == language
    assert found["ground"]["text"] in page(told(), language=language)
    (found,) = json.loads(PAGES.blocked([told(category="of-its-own")], False, language, True).body("www.blocked.example"))["orders"]
    assert found["ground"] is None


def test_an_order_of_a_demonstration_is_called_one_before_anything_else_in_both_languages() -> None:
    shown = told(demonstration=True)
    english, french = page(shown), page(shown, language="fr")
    assert english.index("This order is not real.") < english.index("Access to this site is blocked</h1>")
    assert french.index("Cette décision n\u2019est pas réelle.") < french.index("est bloqué</h1>")
    assert "not real" not in page(told())
    assert '"demonstration":true' in PAGES.blocked([shown], False, "en", True).body("www.blocked.example").decode()


def test_what_an_order_lacks_is_left_out() -> None:
    bare = order_of(RULE, {"reasons": {}}, NOW)
    text = page(bare)
    assert "No statement of reasons comes with this order." in text
    assert "names no court and no address" in text
    for absent in ("None", "Ordered by", "Law", "Time limit", "Independent review", "<dd></dd>"):
        assert absent not in text
    assert "no end date is set" in text


def test_a_category_has_words_of_its_own_or_is_shown_as_it_is() -> None:
    assert "offers illegal drugs" in page(told(category="drugs"))
    assert "propose des stupéfiants" in page(told(category="drugs"), language="fr")
    assert "<dd>witchcraft &amp; sorcery</dd>" in page(told(category="witchcraft & sorcery"))


def test_disclosure_is_limited_until_its_day_and_no_longer() -> None:
    def limited(until: str) -> Order:
        return told(nondisclosure={"until": until, "basis": "Secrets Act"})

    assert not limited("2098-01-01T00:00:00Z").reasons
    assert limited("2026-01-01T00:00:00Z").reasons == ORDER["reasons"]
    assert "Secrets Act" not in page(limited("2026-01-01T00:00:00Z"))


def test_two_orders_are_numbered_and_an_own_list_is_not() -> None:
    own = dataclasses.replace(told(), own=True, reference="own-list")
    text = page(told(), told(RULE._replace(reference="XX-2026-000124")), own, language="fr")
    assert "Décision 1 sur 2" in text
    assert "Décision 2 sur 2" in text
    assert text.count("Décision propre de l") == 1
    assert "XX-2026-000123, XX-2026-000124, own-list" in text


@pytest.mark.parametrize("language", ["en", "fr"])
def test_the_switch_and_the_drawing_are_named(language: str) -> None:
    text = page(told(), language=language)
    assert '<svg class="hand" viewBox="0 0 704 992" role="img" aria-labelledby="hand-title"' in text
    assert {"en": "A raised red hand", "fr": "Une main rouge levée"}[language] in text


def test_a_name_cannot_break_out_of_its_place() -> None:
    rendered = PAGES.blocked([told()], False, "en", False)
    text = rendered.body('"><script>').decode()
    assert "<script>" not in text
    assert text.count("&quot;&gt;&lt;script&gt;") == len(rendered.slots) == 2
    problem = PAGES.blocked([told()], False, "en", True)
    assert '"name":"\\"\\n"' in problem.body('"\n').decode()


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("https://authority.example/appeal?x=1", "https://authority.example/appeal?x=1"),
        ("mailto:orders@authority.example", "mailto:orders@authority.example"),
        ("orders@authority.example", "mailto:orders@authority.example"),
        ("javascript:alert(1)", ""),
        ("JavaScript:alert(1)//@authority.example", ""),
        ("data:text/html,x", ""),
        ("//authority.example", ""),
        ("https:/authority", ""),
        ("https://[", ""),
        ("PO Box 12, Exampleville", ""),
        ("orders@authority.example?bcc=all", ""),
        ("https://authority.example/\u202e", ""),
        ("", ""),
    ],
)
def test_only_plain_addresses_become_links(text: str, target: str) -> None:
    assert link(text) == target


@pytest.mark.parametrize(
    ("texts", "language", "found"),
    [
        ({"fr": "oui", "en": "yes"}, "en", ("en", "yes")),
        ({"fr": "oui", "en-GB": "yes"}, "en", ("en-GB", "yes")),
        ({"fr-CA": "ben oui", "fr": "oui"}, "fr", ("fr", "oui")),
        ({"de": "ja", "it": "si"}, "en", ("de", "ja")),
        ({}, "en", ("", "")),
        (None, "en", ("", "")),
    ],
)
def test_the_visitors_language_is_preferred(texts: dict[str, str] | None, language: str, found: tuple[str, str]) -> None:
    assert in_language(texts, language) == found


def test_what_speaks_changes_with_time(tmp_path: Path) -> None:
    version = put_in_force(
        tmp_path,
        order("blocked.example", effective_at="2090-01-01T00:00:00Z", expires_at="2091-01-01T00:00:00Z"),
        order("a.blocked.example", id="XX-2", effective_at="2090-06-01T00:00:00Z", expires_at="2092-01-01T00:00:00Z"),
        own=("passed.example",),
        passed=("www.passed.example",),
    )

    def references(name: str, year: int, month: int = 7) -> list[str]:
        now = int(verdict.datetime(year, month, 1, tzinfo=verdict.UTC).timestamp())
        return [rule.reference for rule in speaking(version.index, key(name), now)]

    assert references("a.blocked.example", 2089) == []
    assert references("a.blocked.example", 2090, 1) == ["XX-2026-000123"]
    assert references("x.a.blocked.example", 2090) == ["XX-2", "XX-2026-000123"]
    assert references("a.blocked.example", 2091) == ["XX-2"]
    assert references("a.blocked.example", 2092) == []
    assert references("passed.example", 2090) == ["own-list"]
    assert references("www.passed.example", 2090) == []
