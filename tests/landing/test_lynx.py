"""The page in lynx, which knows neither styles nor pictures: what it says is all there, in a sensible order, and a form can be reached."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from landing.texts import LANGUAGES, TEXTS
from tests.landing.server import Landing
from tests.tools import require


def dump(landing: Landing, home: Path, url: str, *flags: str) -> str:
    """What lynx shows of a page; all names lead to the landing, as to a proxy (absolute-form, RFC 9112 section 3.2.2)."""
    command = [require("lynx"), "-dump", "-width=80", "-display_charset=utf-8", *flags, url]
    # No settings of whoever runs the test; a proxy leaves names to the landing, so that nothing is looked up.
    environ = {"PATH": os.environ["PATH"], "HOME": str(home), "TERM": "dumb", "LANG": "C.UTF-8", "http_proxy": f"http://127.0.0.1:{landing.port}"}
    shown = subprocess.run(command, env=environ, capture_output=True, timeout=30, check=False)  # it ends with 1 for any status of 400 and above
    assert shown.stderr == b""
    return shown.stdout.decode()


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_is_all_there_and_in_order(landing: Landing, tmp_path: Path, language: str) -> None:
    shown = " ".join(dump(landing, tmp_path, f"http://www.blocked.example/?lang={language}", "-nolist").split())
    text = TEXTS[language]
    place = 0
    for said in (
        "Example Telecom", text["heading"], "www.blocked.example", text["category_terrorism"],
        text["ordered_by"], "Office for the Protection of the Public", text["law"], "Public Safety Act 2015, section 6-1",
        text["reference"], "XX-2026-000123", text["until"], text["reasons"], text["remedies"], "Administrative Court of Exampleville",
        "https://authority.example/appeal", text["error"], text["privacy"], "451",
    ):  # fmt: skip
        found = shown.find(" ".join(said.split()), place)
        assert found >= 0, f"{said!r} is missing, or comes too early"
        place = found
    assert "{" not in shown
    assert "<" not in shown


def test_its_links_lead_to_the_other_languages_and_to_the_remedies(landing: Landing, tmp_path: Path) -> None:
    links = dump(landing, tmp_path, "http://www.blocked.example/", "-listonly", "-nonumbers").split()
    assert [f"http://www.blocked.example/?lang={language}" for language in LANGUAGES[1:]] == [link for link in links if "?lang=" in link]
    assert "https://authority.example/appeal" in links
    assert "mailto:orders@authority.example" in links
