"""The catalogues: complete, with the same places in every language, plural as the language is, and in that language."""

from __future__ import annotations

import re
import string
from pathlib import Path
from typing import get_args

import pytest
from babel import Locale
from babel.messages.pofile import read_po

from landing import texts
from landing.settings import LandingSettings
from landing.texts import LANGUAGES, TEXTS

LOCALE = Path(texts.__file__).parent / "locale"
TEMPLATES = Path(texts.__file__).parent / "templates"
ENGLISH = texts.read("en")
OTHERS = [language for language in LANGUAGES if language != "en"]
SAME = {"demonstration": {"de"}}
"""Words that are the same in English and in another language."""


def places(text: str) -> set[str]:
    return {field for _, field, _, _ in string.Formatter().parse(text) if field}


def test_the_settings_the_switch_and_the_catalogues_know_the_same_languages() -> None:
    assert {path.name for path in LOCALE.iterdir()} == set(LANGUAGES)
    assert set(get_args(LandingSettings.model_fields["language"].annotation)) == set(LANGUAGES)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_catalogue_is_whole_and_has_nothing_of_its_own(language: str) -> None:
    found = texts.read(language)
    assert sorted(set(ENGLISH) - set(found)) == []
    assert sorted(set(found) - set(ENGLISH)) == []
    assert set(TEXTS[language]) == set(ENGLISH)


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_message_is_doubtful_or_obsolete(language: str) -> None:
    path = LOCALE / language / "LC_MESSAGES" / "landing.po"
    with path.open("rb") as file:
        catalogue = read_po(file, abort_invalid=True)
    assert not catalogue.obsolete
    assert [message.id for message in catalogue if message.fuzzy and message.id] == []
    keys = re.findall(r'^msgid "(.+)"$', path.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(keys) == len(set(keys)) == len(ENGLISH), "a key stands twice, or a msgid is broken over lines"


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_message_has_the_places_of_the_english(language: str) -> None:
    for key, message in texts.read(language).items():
        english = ENGLISH[key]
        assert message.counted == english.counted, key
        assert places(message.forms[-1]) == places(english.forms[-1]), key
        for form in message.forms[:-1]:  # "one day" need not say its number again
            assert places(english.forms[-1]) - {message.counted} <= places(form) <= places(english.forms[-1]), key


@pytest.mark.parametrize("language", LANGUAGES)
def test_plural_forms_are_those_of_cldr(language: str) -> None:
    plural = Locale.parse(language).plural_form
    for key, message in texts.read(language).items():
        if message.counted:
            forms = {plural(number): message.form({message.counted: number}) for number in range(1000)}
            assert len(message.forms) == len(forms), key
            for number in range(1000):
                assert message.form({message.counted: number}) == forms[plural(number)], (key, number)


@pytest.mark.parametrize("language", OTHERS)
def test_no_english_is_left(language: str) -> None:
    for key, message in texts.read(language).items():
        assert message.forms[-1] != ENGLISH[key].forms[-1] or language in SAME.get(key, ()), key
        assert not re.search(r"\b(the|of|and|this|site is|order|blocked)\b", message.forms[-1]), key
    if language in texts.RIGHT_TO_LEFT:
        for key, message in texts.read(language).items():
            words = set(re.findall(r"[A-Za-z]{2,}", re.sub(r"\{\w+\}|\u2066[^\u2069]*\u2069", "", " ".join(message.forms))))
            assert words <= {"HTTP", "RFC", "UTC"}, key


@pytest.mark.parametrize("language", LANGUAGES)
def test_marks_are_set_as_the_language_sets_them(language: str) -> None:
    for key, message in texts.read(language).items():
        for form in message.forms:
            assert not set(form) & set("'\"\t\n"), key
            assert form == form.strip(), key
            assert "  " not in form, key
            if language == "fr":
                assert not re.search(r"[^\u00a0][:;?!»]|«[^\u00a0]", form), key
            else:
                assert not re.search(r"\s[:;?!]", form), key


def test_every_text_that_a_template_names_is_there() -> None:
    named = {key for path in TEMPLATES.iterdir() for key in re.findall(r"""\bt\(\s*["'](\w+)["']\s*[,)]""", path.read_text(encoding="utf-8"))}
    assert "heading" in named
    assert sorted(named - set(ENGLISH)) == []
