"""Every page in every language over real sockets: declared as what it is, in that language alone, and plain about what is not."""

from __future__ import annotations

import pytest

from landing.texts import LANGUAGES, RIGHT_TO_LEFT, TEXTS
from tests.landing.server import Landing
from tests.landing.test_app import Outline

HOSTS = ["www.blocked.example", "deep.blocked.example", "limited.example", "own.example", "nothing.example", "a..b"]
NAMES = {"en": "English", "fr": "Français", "de": "Deutsch", "es": "Español", "it": "Italiano", "ar": "العربية"}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("host", HOSTS)
def test_a_page_is_in_one_language_and_says_which(landing: Landing, host: str, language: str) -> None:
    answer = landing.ask(host, fields=f"Accept-Language: {language}\r\n")
    page = Outline(answer.text)
    assert answer["content-language"] == language
    assert page["html"] == [{"lang": language, "dir": "rtl" if language in RIGHT_TO_LEFT else "ltr"}]
    for other in set(LANGUAGES) - {language}:
        # A sentence of some length is one language's alone.
        strange = [text for text in TEXTS[other].values() if len(text) > 20 and "{" not in text and text.replace("\u2019", "'") in page.text]
        assert strange == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_switch_leads_to_every_other_language_by_its_own_name(landing: Landing, language: str) -> None:
    page = Outline(landing.ask("blocked.example", f"/any/path?lang={language}", fields="Accept-Language: en\r\n").text)
    links = {link["hreflang"]: link for link in page["a"] if "hreflang" in link}
    assert set(links) == set(LANGUAGES) - {language}
    assert all(link["lang"] == other and link["href"] == f"?lang={other}" for other, link in links.items())
    assert [span for span in page["span"] if span.get("aria-current")] == [{"aria-current": "true"}]
    assert all(name in page.text for name in NAMES.values())


@pytest.mark.parametrize("language", LANGUAGES)
def test_reasons_that_are_not_in_the_visitors_language_are_marked_and_said_to_be(landing: Landing, language: str) -> None:
    page = Outline(landing.ask("deep.blocked.example", fields=f"Accept-Language: {language}\r\n").text)
    given = [{"de"}, {"en", "fr"}]  # by its two orders
    told = page.text.replace("\u00a0", " ").count(TEXTS[language]["reasons_other"].replace("\u2019", "'").replace("\u00a0", " "))
    assert told == sum(language not in languages for languages in given)
    marked = [quote.get("lang", language) for quote in page["blockquote"]]
    assert marked == [language if language in languages else min(languages) for languages in given]


def test_a_name_and_an_address_keep_their_direction_among_arabic_words(landing: Landing) -> None:
    text = landing.ask("www.blocked.example", fields="Accept-Language: ar\r\n").text
    for isolated in (
        "<bdi>www.blocked.example</bdi>",
        "<bdi>Example Telecom</bdi>",
        "<bdi>Public Safety Act 2015, section 6-1</bdi>",
        'dir="ltr">https://authority',
    ):
        assert isolated in text
    assert "<title>محجوب: \u2068www.blocked.example\u2069</title>" in text


def test_a_problem_is_told_in_the_language_too(landing: Landing) -> None:
    details = [landing.ask("blocked.example", fields=f"Accept: application/json\r\nAccept-Language: {language}\r\n") for language in LANGUAGES]
    assert [answer["content-language"] for answer in details] == list(LANGUAGES)
    assert len({answer.body for answer in details}) == len(LANGUAGES)
