"""Every text of every page is there in French, and what is refused is told in it too."""

from __future__ import annotations

import ast
import re
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authority.desk.errors import DeskError
from authority.desk.people.kinds import KINDS
from authority.desk.roles import ROLES
from authority.desk.web import app, documents, language, page
from authority.desk.web.account import DONE
from blocklists import names

DESK = Path(page.__file__).parent.parent
IN_ENGLISH = (
    "backup.py", "serve.py", "server.py", "store.py", "desk.py", "mail.py", "asking.py", "commands/", "migrations/", "evidence/cli.py",
    "evidence/keys.py", "evidence/store.py", "people/founding.py", "web/door.py", "web/api/",
)  # fmt: skip
"""What these refuse is read by who runs the server, or by a program: English on purpose."""
AT_THE_SERVER = ("desk.sign_in.",)
"""Faults of the configuration, by how they begin: likewise."""


def marked() -> list[tuple[str, str]]:
    """Every text in `_("…")` of a template or of Python, with the file."""
    found = []
    for file in sorted((*(DESK / "web" / "templates").glob("*.html"), *(DESK / "web").glob("*.py"))):
        text = file.read_text(encoding="utf-8")
        for pattern in (r'\b_\(\s*"((?:[^"\\]|\\.)+)"', r"\b_\(\s*'((?:[^'\\]|\\.)+)'"):
            found += [(file.name, each.replace('\\"', '"').replace("\\'", "'")) for each in re.findall(pattern, text)]
    assert len(found) > 100
    return found


def test_every_text_of_a_page_is_there_in_french() -> None:
    french = language.catalogue("fr")
    missing = sorted({f"{file}: {text}" for file, text in marked() if text not in french})
    assert missing == []


def test_and_every_text_that_is_chosen_elsewhere() -> None:
    texts = {*ROLES, *DONE.values(), *app.TITLES.values(), *(kind.title for kind in KINDS.values()), *(place.label for place in page.NAVIGATION)}
    texts |= {text for both in documents.TITLES.values() for text in both}
    assert sorted(texts - set(language.catalogue("fr"))) == []


def test_places_are_the_same_in_both_languages() -> None:
    for english, french in language.catalogue("fr").items():
        assert set(re.findall(r"\{(\w+)\}", english)) >= set(re.findall(r"\{(\w+)\}", french)), english
        assert french.strip(), english


def sentences(said: ast.expr) -> list[str]:
    """What an expression says, its places filled with x1, x2 …; of a choice both; nothing for what is made elsewhere."""
    match said:
        case ast.Subscript():
            return sentences(said.value)
        case ast.IfExp():
            return [*sentences(said.body), *sentences(said.orelse)]
        case ast.Constant(value=str(text)):
            return [text]
        case ast.JoinedStr():
            return ["".join(str(part.value) if isinstance(part, ast.Constant) else f"x{number}" for number, part in enumerate(said.values))]
    return []


def refusals() -> list[str]:
    """Every sentence that the desk refuses with."""
    kinds = every_kind()
    found = set()
    for file in (*sorted(DESK.rglob("*.py")), Path(names.__file__)):
        if file != Path(names.__file__) and file.relative_to(DESK).as_posix().startswith(IN_ENGLISH):
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and node.exc.args):
                continue
            name = getattr(node.exc.func, "id", getattr(node.exc.func, "attr", ""))
            if name in kinds | {"BadName"}:
                found.update(sentences(node.exc.args[1 if name == "BadField" else 0]))
    assert len(found) > 200
    return sorted(each for each in found if not each.startswith(AT_THE_SERVER))


def every_kind() -> set[str]:
    """Names of DeskError and all classes below it, as the files define them, so that it does not matter which were imported."""
    trees = [ast.parse(file.read_text(encoding="utf-8")) for file in sorted(DESK.rglob("*.py"))]
    defined = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    found: set[str] = set()
    more = {DeskError.__name__}
    while more - found:
        found |= more
        more = {node.name for node in defined if any(getattr(base, "id", "") in found for base in node.bases)}
    return found


def test_what_is_refused_is_told_in_french() -> None:
    found = {text: language.told("fr", text) for text in refusals()}
    assert [text for text, told in found.items() if told == text] == []
    assert [text for text, told in found.items() if set(re.findall(r"x\d+", text)) != set(re.findall(r"x\d+", told))] == []


def test_a_reason_inside_a_refusal_is_told_too() -> None:
    said = language.told("fr", "www.shop.example is a popular name (popularity), since the order was drafted; draft it again")
    assert said == "www.shop.example est un nom très fréquenté (popularity), depuis que l'ordre a été rédigé ; rédigez-le à nouveau"


def test_a_long_message_takes_no_time() -> None:
    began = time.process_time()
    for text in ("a (" * 650, ": " * 999, "x; " * 660, " " * 2000, "line 1: " * 240, "a" * 1_000_000):
        assert language.told("fr", text)
    assert time.process_time() - began < 2


def test_words_of_ours_in_a_refusal_are_translated() -> None:
    said = language.told("fr", "eve may not agree to this; it takes one of: auditor, reviewer")
    assert said == "eve ne peut pas accepter cela ; il faut l'un de : auditeur, personnalité qualifiée"


@pytest.mark.parametrize("role", ["officer", "reviewer", "clerk"])
def test_a_role_has_one_word_in_french(role: str) -> None:
    """Officers who are called as clerks are would be told to do what they may not."""
    french = language.catalogue("fr")
    ours = {english: said for english, said in french.items() if re.search(rf"\b{role}s?\b", english, re.IGNORECASE)}
    # Where who signs goes without saying.
    ours.pop("Ask officers to sign", None)
    stem = french[role].split()[0]
    assert [said for said in ours.values() if stem not in said.lower()] == []


def test_what_no_catalogue_has_is_told_in_english() -> None:
    assert language.told("fr", "nothing that anybody wrote") == "nothing that anybody wrote"
    assert language.translate("en", "Line {number}", number=3) == "Line 3"


@pytest.mark.parametrize(
    ("kept", "accept", "chosen"),
    [("", "", "en"), ("fr", "en", "fr"), ("", "fr-CA,fr;q=0.9,en;q=0.8", "fr"), ("", "de,en;q=0.5,fr;q=0.7", "fr"), ("", "fr;q=0", "en"),
     ("xx", "*", "en"),     ("", "fr;q=banana", "en"), ("", ";;;,,,", "en")],
)  # fmt: skip
def test_the_language_is_the_one_asked_for(kept: str, accept: str, chosen: str) -> None:
    assert language.choose(kept, accept) == chosen


@given(st.text(max_size=300), st.text(max_size=300))
def test_any_header_gives_a_language(kept: str, accept: str) -> None:
    assert language.choose(kept, accept) in language.LANGUAGES


@given(st.integers(0, 4_000_000_000), st.sampled_from(["en", "fr"]))
def test_times_say_that_they_are_utc(seconds: int, chosen: str) -> None:
    assert language.moment(seconds, chosen).endswith("UTC")
    assert language.span(seconds, chosen)[0].isdigit()
