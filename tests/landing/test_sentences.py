"""Sentences as they go into a page: plurals, numbers, directions, and what is said above a text in another language."""

from __future__ import annotations

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from landing.sentences import Sentences
from landing.texts import LANGUAGES, TEXTS


@pytest.mark.parametrize(
    ("language", "days", "said"),
    [
        ("en", 1, "Time limit given in the order: 1 day."),
        ("en", 1096, "Time limit given in the order: 1,096 days."),
        ("fr", 0, "Délai indiqué dans la décision\u00a0: 0 jour."),
        ("fr", 60, "Délai indiqué dans la décision\u00a0: 60 jours."),
        ("de", 1, "In der Anordnung angegebene Frist: 1 Tag."),
        ("ar", 2, "المهلة المذكورة في الأمر: يومان."),
        ("ar", 5, "المهلة المذكورة في الأمر: 5 أيام."),
        ("ar", 60, "المهلة المذكورة في الأمر: 60 يومًا."),
        ("ar", 100, "المهلة المذكورة في الأمر: 100 يوم."),
    ],
)
def test_what_is_counted_is_said_in_the_form_that_goes_with_the_number(language: str, days: int, said: str) -> None:
    assert Sentences(language).say("deadline", days=days) == said


def test_what_is_written_the_other_way_is_isolated_and_only_that() -> None:
    english, arabic = Sentences("en"), Sentences("ar")
    assert english.isolated("Example Telecom <&>") == "Example Telecom &lt;&amp;&gt;"
    assert english.isolated("شركة الاتصالات") == "<bdi>شركة الاتصالات</bdi>"
    for turning in "\u202a\u202b\u202d\u202e\u2066\u2067\u2068":
        assert english.say("contest_court", court=f"Court{turning}x").endswith(f"<bdi>Court{turning}x</bdi>."), "it ends with what it came in"
    assert arabic.isolated("Example Telecom") == "<bdi>Example Telecom</bdi>"
    assert arabic.isolated(Markup("<b>as it is</b>")) == "<b>as it is</b>"
    assert (english.direction, arabic.direction) == ("ltr", "rtl")


def test_a_title_holds_no_element() -> None:
    assert Sentences("ar").label("title", name="blocked.example") == "محجوب: \u2068blocked.example\u2069"
    assert Sentences("en").label("title", name="blocked.example") == "Blocked: blocked.example"


@given(st.sampled_from(LANGUAGES), st.text(max_size=50))
def test_a_value_is_shown_as_it_is_and_is_never_markup(language: str, value: str) -> None:
    sentences = Sentences(language)
    plain = TEXTS[language]["alias"].format(name=value, listed=value)
    assert html.unescape(re.sub("</?bdi>", "", sentences.say("alias", name=value, listed=value))) == plain
    assert not set(sentences.label("title", name=value)) & set("<>\"'")


@pytest.mark.parametrize(
    ("language", "tag", "said"),
    [
        ("en", "fr", "The authority gives this text in French, not in English."),
        ("fr", "en-GB", "L\u2019autorité donne ce texte en anglais et non en français."),
        ("de", "fr", "Die Behörde stellt diesen Text auf Französisch und nicht auf Deutsch bereit."),
        ("es", "ar", "La autoridad da este texto en árabe y no en español."),
        ("it", "pt-BR", "L\u2019autorità fornisce questo testo in portoghese e non in italiano."),
        ("ar", "FR", "تقدّم السلطة هذا النص باللغة <bdi>الفرنسية</bdi> لا باللغة العربية."),
        ("en", "qqq", TEXTS["en"]["as_written"]),
    ],
)
def test_a_text_in_another_language_is_called_that(language: str, tag: str, said: str) -> None:
    sentences = Sentences(language)
    assert sentences.foreign(tag)
    assert sentences.instead(tag) == said


@pytest.mark.parametrize("tag", ["", "en", "en-GB", "EN"])
def test_a_text_in_the_pages_own_language_is_not(tag: str) -> None:
    assert not Sentences("en").foreign(tag)


def test_a_country_is_called_by_its_name_and_anything_else_by_what_the_order_calls_it() -> None:
    assert [Sentences(language).territory("FR") for language in LANGUAGES] == ["France", "France", "Frankreich", "Francia", "Francia", "فرنسا"]
    assert [Sentences("en").territory(text) for text in ("EU", "XX", "Île-de-France")] == ["European Union", "XX", "Île-de-France"]
