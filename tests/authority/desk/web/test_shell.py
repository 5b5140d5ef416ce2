"""The shell's pages for every role in both languages. They are seen in a real browser in test_browser."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.authority.desk.people.house import FIRST, House, furnished, plain

PAGES = (
    "/account", "/people", "/people/new", "/people/dan", "/proposals", "/proposals/1", "/documents", "/documents/protected", "/documents/procedure",
    "/audit",
)  # fmt: skip
OPEN: dict[str, set[str]] = {
    "administrator": set(PAGES) - {"/audit"},
    "auditor": set(PAGES) - {"/people/new"},
    "reviewer": set(PAGES) - {"/people/new"},
    "officer": {"/account", "/proposals", "/proposals/1", "/documents", "/documents/protected", "/documents/procedure"},
    "clerk": {"/account", "/documents", "/documents/protected", "/documents/procedure"},
    "operator": {"/account"},
}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """With something to look at; nobody changes it."""
    found = furnished(tmp_path_factory.mktemp("desk"))
    yield found
    found.close()


@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize("login", list(FIRST))
def test_each_role_has_its_pages_and_no_other(house: House, login: str, language: str) -> None:
    browser = house.browser(login, Accept_Language=language)
    mine = set().union(*(OPEN[role] for role in FIRST[login]))
    for path in PAGES:
        answer = browser.http.get(path)
        assert answer.status_code == (200 if path in mine else 403), (path, plain(answer.text))
        assert f'<html lang="{language}">' in answer.text
        assert answer.headers["content-language"] == language
    first = browser.http.get("/")
    assert browser.http.get(first.headers["location"]).status_code in (200, 303)


def test_a_document_is_read_compared_and_fetched(house: House) -> None:
    eve = house.browser("eve")
    assert "bank.example" in eve.get("/documents/protected")
    changes = eve.get("/proposals/3")
    assert "-bank.example" in changes
    assert "+hospital.example" in changes
    file = eve.http.get("/documents/protected/text")
    assert file.text == "portal.example\nbank.example\n"
    assert file.headers["content-disposition"].startswith("attachment")
    assert "What a new desk begins with" in eve.get("/documents/texts")
    assert "removal_request:" in eve.get("/documents/texts")
    for path in ("/documents/nothing", "/documents/protected?version=9", "/documents/..%2f..%2fetc", "/proposals/999", "/people/nobody"):
        assert house.browser("gus").http.get(path).status_code == 404, path


def test_the_language_stays(house: House) -> None:
    browser = house.browser()
    assert "Sign in" in browser.get("/sign-in")
    browser.post("/sign-in", "/language", language="fr")
    assert "Se connecter" in browser.get("/sign-in")
