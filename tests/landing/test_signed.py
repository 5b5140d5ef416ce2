"""The page over orders that came by a real feed: the authority's own words, its public page, and the proof that the page's own server gives."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from blocklists import verification
from landing.export import export
from landing.nginx import LISTED, PEOPLE, TITLE
from landing.proofs import MAKE_SECONDS, REFUSED_SECONDS
from landing.prover import may_be_shown
from landing.settings import LandingSettings
from tests.blocklists.feed.authority import Authority, order, withdrawal
from tests.blocklists.feed.mirror import Mirror
from tests.blocklists.feed.operator import Operator
from tests.blocklists.trust import office
from tests.landing.server import Answer, Landing
from tests.landing.test_app import Outline
from tests.tools import wait_for

PROOF = "/.well-known/redhand/proof/"
CLOCKS = {"owner_hours": 24, "operator_hours": 24, "review_hours": 2208, "grace_hours": 336, "restore_hours": 12}
HIDDEN = {"until": "2105-01-01T00:00:00Z", "basis": "Secrets Act, section 2", "judge": "Court of Appeal"}


def epoch(begins: int, **texts: str) -> dict[str, Any]:
    found = office.epoch(begins, limits={"names_per_hour": 1_000_000, "names_per_day": 1_000_000})
    found["categories"]["terrorism"] |= {"texts": texts, "clocks": CLOCKS, "authorities": ["north"]}
    found["authorities"]["north"]["register_url"] = "https://north.authority.example/orders?id="
    return found


OLD = epoch(0, fr="Ce site appelle à la terreur.", de="Diese Seite ruft zum Terror auf.")


@pytest.fixture(scope="module")
def authority() -> Authority:
    found = Authority(epochs=(OLD, epoch(6, en="New words.", fr="Des mots nouveaux.")))
    found.log(order("XX-1", ".terror.example", category="terrorism"))
    found.log(order("XX-2", "www.terror.example", category="terrorism", removal_request={
        "sent_at": "2026-03-01T09:00:00Z", "recipient": "abuse@host.example", "deadline": "2026-03-02T09:00:00Z", "outcome": "no answer",
    }, owner_unidentifiable=None, owner_unidentifiable_why=None))  # fmt: skip
    found.log(order("XX-3", ".one.example", ".two.example", category="terrorism"))
    found.log(order("XX-4", ".hidden.example", category="terrorism", nondisclosure=HIDDEN))
    gone = order("XX-5", ".gone.example", category="terrorism")
    found.log(gone)
    found.log(withdrawal(gone), ("n1",))
    found.log(order("XX-6", ".later.example", "www.later.example", category="terrorism"))
    found.publish()
    return found


@pytest.fixture(scope="module")
def operator(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    mirror = Mirror(lambda: authority.files)
    found = Operator(tmp_path_factory.mktemp("operator"), authority.root_json(), mirror.url)
    assert found.fault() == ""
    yield found
    found.close()
    mirror.stop()


@pytest.fixture(scope="module")
def page(operator: Operator) -> Iterator[Landing]:
    with Landing(operator.state_dir, confined=True, own_name="report.operator.example", language="fr") as found:
        found.wait_for("terror.example", 451)
        yield found


def asked_for(page: Landing, name: str, host: str = "terror.example") -> Answer:
    """What a visitor is told who asks for a proof, and comes back as the page bids him while it is busy: proofs are made when nothing else runs."""

    def answer() -> Answer | None:
        found = page.ask(host, PROOF + name)
        return None if found.status == 503 and "retry-after" in found else found

    return wait_for(answer, f"a proof about {name}, or why there is none", MAKE_SECONDS + REFUSED_SECONDS)


def text(answer: Answer) -> str:
    return Outline(answer.text).text.replace("\u00a0", " ")


def orders(page: Landing, host: str, language: str = "fr") -> list[dict[str, Any]]:
    answer = page.ask(host, fields=f"Accept: application/json\r\nAccept-Language: {language}\r\n")
    return list(json.loads(answer.body)["orders"])


@pytest.mark.parametrize(
    ("host", "language", "words", "given"),
    [
        ("terror.example", "fr", "Ce site appelle à la terreur.", "fr"),
        ("terror.example", "de", "Diese Seite ruft zum Terror auf.", "de"),
        ("terror.example", "en", "Ce site appelle à la terreur.", "fr"),  # not in English: as the operator's visitors mostly read
        ("later.example", "en", "New words.", "en"),
    ],
)
def test_the_category_is_told_in_the_words_of_the_policy_that_judged_the_order(
    page: Landing, host: str, language: str, words: str, given: str
) -> None:
    answer = page.ask(host, fields=f"Accept-Language: {language}\r\n")
    assert words in text(answer)
    outline = Outline(answer.text)
    foreign = given != answer["content-language"]
    assert ({"lang": given, "dir": "auto"} in outline["p"]) == foreign, "marked as what it is"
    assert ({"lang": given} in outline["dd"]) == foreign
    (found,) = orders(page, host, language)
    assert found["ground"] == {"language": given, "text": words}


def test_a_signed_order_says_what_the_owner_can_do_who_reviews_and_where_its_page_is(page: Landing) -> None:
    answer = page.ask("terror.example", fields="Accept-Language: en\r\n")
    for told in (
        "Once the order is withdrawn, Example Telecom must restore access within 12 hours.",
        "An independent reviewer may suspend this order",
        "Nobody could be identified who might have been asked",
    ):
        assert told in text(answer), told
    links = [link["href"] for link in Outline(answer.text)["a"]]
    assert "https://north.authority.example/orders?id=XX-1" in links
    assert "http://report.operator.example/report?order=XX-1&name=terror.example" in links
    assert f"{PROOF}terror.example" in links
    assert "wrote it down" not in text(answer)
    problem = json.loads(page.ask("www.terror.example", fields="Accept: application/json\r\n").body)
    assert problem["report"] == "http://report.operator.example/report?order=XX-2&name=www.terror.example"
    assert [found["public_page"] for found in problem["orders"]] == [f"https://north.authority.example/orders?id={each}" for each in ("XX-2", "XX-1")]


def test_every_order_on_a_name_has_its_own_links(page: Landing) -> None:
    links = [link["href"] for link in Outline(page.ask("www.terror.example", fields="Accept-Language: en\r\n").text)["a"]]
    for order_id, listed in (("XX-2", "www.terror.example"), ("XX-1", "terror.example")):
        assert f"http://report.operator.example/report?order={order_id}&name=www.terror.example" in links
        assert f"{PROOF}{listed}" in links
    both = text(page.ask("www.terror.example", fields="Accept-Language: en\r\n"))
    assert "On 1 March 2026 at 09:00 UTC, the host or publisher was asked to remove the content by 2 March 2026 at 09:00 UTC." in both


def test_the_proof_is_served_under_the_blocked_name_and_holds(page: Landing, authority: Authority) -> None:
    answer = asked_for(page, "www.terror.example", "www.terror.example")
    assert (answer.status, answer["content-type"], answer["cache-control"]) == (200, "application/json", "no-store")
    assert answer["content-disposition"] == 'attachment; filename="www.terror.example.proof.json"'
    found = verification.verify(answer.body, authority.root_json())
    assert [(each.id, each.action, each.rule) for each in found.entries] == [("XX-1", "block", ""), ("XX-2", "block", "")]
    assert b"two.example" not in answer.body, "other names of the log are not this visitor's"
    head = page.ask("www.terror.example", f"{PROOF}www.terror.example", "HEAD")
    assert int(head["content-length"]) == len(answer.body)
    assert asked_for(page, "later.example?lang=en", "nothing.example").status == 200, "the listed name counts, not the Host"
    assert page.ask("www.terror.example", f"{PROOF}www.terror.example", "POST").status == 451


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("hidden.example", "Cette preuve n'est pas publique"),
        ("gone.example", "Aucune preuve ici"),
        ("never.example", "Aucune preuve ici"),
        ("sub.terror.example", "Aucune preuve ici"),
        ("TERROR.example", "Aucune preuve ici"),
        ("terror.example.", "Aucune preuve ici"),
        ("", "Aucune preuve ici"),
        ("..", "Aucune preuve ici"),
        ("%ff/../../x", "Aucune preuve ici"),
    ],
)
def test_no_proof_is_given_of_what_is_hidden_names_others_or_is_not_ordered(page: Landing, name: str, said: str) -> None:
    answer = asked_for(page, name)
    assert answer.status == 404
    assert said in text(answer)
    problem = page.ask("terror.example", PROOF + name, fields="Accept: application/json\r\n")
    assert (problem.status, problem["content-type"]) == (404, "application/problem+json")


def entry(**fields: Any) -> bytes:
    return office.logged(office.block("XX-1", **fields))


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        ({"targets": [{"fqdn": "site.example", "match": "subtree"}, {"fqdn": "www.site.example", "match": "exact"}]}, True),
        ({"targets": [{"fqdn": "site.example", "match": "subtree"}, {"fqdn": "mirror.example", "match": "subtree"}]}, False),
        ({"targets": [{"fqdn": "m.site.example", "match": "exact"}, {"fqdn": "www.site.example", "match": "exact"}]}, True),
        ({"nondisclosure": {"until": office.when(10), "basis": "Law 2"}}, False),
        ({"nondisclosure": {"until": office.when(-10), "basis": "Law 2"}}, True),
        ({"nondisclosure": {"until": "soon", "basis": "Law 2"}}, False),
        ({"nondisclosure": "all"}, False),
        ({"targets": "all"}, False),
    ],
)
def test_what_may_be_shown_is_decided_by_what_stands_in_the_log(fields: dict[str, Any], shown: bool) -> None:
    assert may_be_shown([entry(), entry(**fields)], "site.example", office.START) == shown


def test_the_page_says_beforehand_why_there_is_no_proof(page: Landing) -> None:
    hidden, shared = (text(page.ask(host, fields="Accept-Language: en\r\n")) for host in ("hidden.example", "two.example"))
    assert "Proofnot public before 1 January 2105" in hidden
    assert "By decision of a court (Court of Appeal), some particulars of this order are not public" in hidden
    assert "Proofnot given here, because the order also names sites of others" in shared
    assert [found["proof"] for host in ("hidden.example", "two.example", "later.example") for found in orders(page, host)] == [
        None, None, f"{PROOF}later.example",
    ]  # fmt: skip


def test_a_proof_that_was_made_outlives_a_copy_of_the_log_that_cannot_be_read(page: Landing, operator: Operator) -> None:
    size = operator.state_dir / "log" / "size"
    assert asked_for(page, "later.example").status == 200
    content = size.read_bytes()
    size.write_bytes(b"")
    try:
        assert page.ask("later.example", f"{PROOF}later.example").status == 200
        late = page.ask("later.example", f"{PROOF}www.later.example")
        assert (late.status, "retry-after" in late) == (503, True)
    finally:
        size.write_bytes(content)


def test_an_exported_set_has_the_same_page_and_its_proofs(page: Landing, operator: Operator, authority: Authority, tmp_path: Path) -> None:
    settings = LandingSettings(operator="Example Telecom", own_name="report.operator.example", language="fr")
    done = export(settings, operator.state_dir, tmp_path, int(time.time()))
    assert {path.name for path in (tmp_path / "proofs").iterdir()} == {
        f"{name}.json" for name in ("terror.example", "www.terror.example", "later.example", "www.later.example")
    }
    assert done.proofs == 4
    assert verification.verify((tmp_path / "proofs" / "www.terror.example.json").read_bytes(), authority.root_json()).name == "www.terror.example"
    shown = {path.read_bytes() for path in (tmp_path / "pages" / "451" / "html").iterdir()}
    for host in ("terror.example", "two.example", "hidden.example"):
        body = page.ask(host, fields="Accept-Language: ar\r\n").body
        assert body in {each.replace(LISTED, host.encode()).replace(TITLE, host.encode()).replace(PEOPLE, host.encode()) for each in shown}, host


def test_a_policy_that_was_changed_on_the_disk_gives_the_page_no_words(operator: Operator) -> None:
    path: Path = operator.state_dir / "trust" / "policy.json"
    before = path.read_bytes()
    path.write_bytes(before.replace(b"appelle", b"invite "))
    try:
        with Landing(operator.state_dir, language="fr") as found:
            shown = text(found.wait_for("terror.example", 451))
            assert "à la terreur" not in shown
            assert "Le site provoque à des actes de terrorisme" in shown, "the page's own words stand in"
            assert "XX-1" in shown
            path.write_bytes(before)
            wait_for(lambda: "Ce site appelle à la terreur." in text(found.ask("terror.example")), "the page to have the policy's words")
    finally:
        path.write_bytes(before)
