"""Negotiation and dates, as tables."""

from __future__ import annotations

import string
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landing.language import choose, prefers_json, shown_date, shown_number
from landing.texts import LANGUAGES


@pytest.mark.parametrize(
    ("asked", "accept_language", "chosen"),
    [
        ("", "", "en"),
        ("", "fr", "fr"),
        ("", "fr-CA", "fr"),
        ("", "FR", "fr"),
        ("", "pt, fr;q=0.8, en;q=0.9", "en"),
        ("", "pt, en;q=0.8, fr;q=0.9", "fr"),
        ("", "ar-EG, fr;q=0.9", "ar"),
        ("", "es-419, es;q=0.9", "es"),
        ("", "gsw, de-CH;q=0.9, it-CH;q=0.8", "de"),
        ("", "it", "it"),
        ("", "fr, en", "fr"),
        ("", "en;q=0, fr;q=0.1", "fr"),
        ("", "fr;q=0", "en"),
        ("", "pt", "en"),
        ("", "*", "en"),
        ("", "fr;q=0.5, *;q=0.9", "en"),
        ("", "fr ; q=0.9, en;q=0.1", "fr"),
        ("", "fr;q=2, en;q=0.1", "en"),
        ("", "fr;q=x", "en"),
        ("", "français", "en"),
        ("", "fr," * 1000, "en"),
        ("fr", "en", "fr"),
        ("en", "fr", "en"),
        ("ar", "fr", "ar"),
        ("pt", "fr", "fr"),
        ("<script>", "fr", "fr"),
    ],
)
def test_language(asked: str, accept_language: str, chosen: str) -> None:
    assert choose(asked, accept_language, "en") == chosen


def test_the_operators_language_is_for_those_who_ask_for_none_of_ours() -> None:
    assert [choose("", field, "fr") for field in ("", "pt", "*", "en")] == ["fr", "fr", "fr", "en"]


@pytest.mark.parametrize(
    ("accept", "json"),
    [
        ("", False),
        ("*/*", False),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8", False),
        ("application/json", True),
        ("application/problem+json", True),
        ("application/json, text/plain, */*", True),
        ("application/json;q=0.9, text/html", False),
        ("application/json, text/html;q=0.9", True),
        ("application/json, text/html", False),
        ("application/json;q=0.5, */*", False),
        ("application/json;q=0", False),
        ("APPLICATION/JSON", True),
        ("application/json; charset=utf-8", True),
        ("image/avif,image/webp,*/*;q=0.8", False),
        ("application/json," * 1000, False),
        (";;;,,,q=", False),
    ],
)
def test_form(accept: str, json: bool) -> None:
    assert prefers_json(accept) is json


@given(st.text(alphabet=string.printable, max_size=200), st.text(max_size=200))
def test_no_field_breaks_negotiation(accept: str, accept_language: str) -> None:
    assert choose(accept_language, accept, "fr") in LANGUAGES
    assert prefers_json(accept) in {True, False}


@pytest.mark.parametrize(
    ("moment", "shown"),
    [
        (
            datetime(2026, 3, 1, 9, tzinfo=UTC),
            {
                "en": "1 March 2026 at 09:00 UTC",
                "fr": "1er mars 2026 à 9 h 00 UTC",
                "de": "1. März 2026 um 09:00 Uhr (UTC)",
                "es": "1 de marzo de 2026 (09:00 h UTC)",
                "it": "1º marzo 2026 (ore 09:00 UTC)",
                "ar": "1 مارس 2026 الساعة 09:00 (UTC)",
            },
        ),
        (datetime(2026, 8, 31, 23, 59, tzinfo=UTC), {"en": "31 August 2026 at 23:59 UTC", "fr": "31 août 2026 à 23 h 59 UTC"}),
        (
            datetime(2028, 1, 11, tzinfo=UTC),
            {
                "en": "11 January 2028",
                "fr": "11 janvier 2028",
                "de": "11. Januar 2028",
                "es": "11 de enero de 2028",
                "it": "11 gennaio 2028",
                "ar": "11 يناير 2028",
            },
        ),
        (datetime(2027, 1, 1, 0, 30, tzinfo=timezone(timedelta(hours=1))), {"en": "31 December 2026 at 23:30 UTC"}),
    ],
)
def test_dates_are_in_utc_and_in_words(moment: datetime, shown: dict[str, str]) -> None:
    assert {language: shown_date(moment, language).replace("\u00a0", " ") for language in shown} == shown


def test_numbers_are_grouped_as_the_language_groups_them() -> None:
    shown = {"en": "10,960", "fr": "10\u202f960", "de": "10.960", "es": "10.960", "it": "10.960", "ar": "10,960"}
    assert {language: shown_number(10960, language) for language in LANGUAGES} == shown
