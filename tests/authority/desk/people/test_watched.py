"""What is remembered of what people do: every read of a case, in a log that only grows; and officers' keys, which are never here."""

from __future__ import annotations

import ast
import contextlib
from pathlib import Path

import pytest
from sqlalchemy import delete, select, update

from authority.desk import audit, referrals
from authority.desk.tables import Audit, Base
from tests.authority.desk.people.house import FIRST, House
from tests.authority.desk.tampering import unlock

DESK = Path(audit.__file__).parent


class Undone(Exception):
    """So that a transaction leaves nothing."""


def refer(house: House) -> str:
    """One case; its number."""
    actor = house.actor("dan")
    with house.desk.store.writing() as session:
        return referrals.take(session, house.desk, actor, referrals.Given(("bad.site.test",), words="Look."), house.now, source="officer").number


def reads(house: House) -> list[tuple[str, str]]:
    with house.desk.store.reading() as session:
        found = session.execute(select(Audit.who, Audit.object).where(Audit.action == "case.read").order_by(Audit.number))
        return [(who, of) for who, of in found]


def test_every_read_of_a_case_is_logged_with_who_read_it(house: House) -> None:
    number = refer(house)
    for login, roles in FIRST.items():
        before = len(reads(house))
        status = house.browser(login).http.get(f"/cases/{number}").status_code
        if {"clerk", "officer", "reviewer", "auditor"} & set(roles):
            assert status == 200, login
            assert reads(house)[before:] == [(login, f"case:{number}")]
        else:
            assert status == 403, login
            assert reads(house)[before:] == []


def test_administrators_and_operators_open_no_case_by_any_page(house: House) -> None:
    number = refer(house)
    for login in ("ada", "hal"):
        browser = house.browser(login)
        for path in ("/cases", f"/cases/{number}", "/review", "/audit", f"/cases/{number}/evidence", "/search?q=bad.site.test"):
            answer = browser.http.get(path)
            assert answer.status_code in (403, 404), (login, path)
            assert "bad.site.test" not in answer.text.replace("q=bad.site.test", "")


def test_a_line_that_was_changed_or_taken_out_is_found(house: House) -> None:
    refer(house)
    with house.desk.store.reading() as session:
        count, broken = audit.verify(session)
        assert broken is None
    for number in (1, count // 2, count - 1):
        changes = (update(Audit).where(Audit.number == number).values(who="nobody"), delete(Audit).where(Audit.number == number),
                   update(Audit).where(Audit.number == number).values(details="{}", at=1))  # fmt: skip
        for change in changes:
            with contextlib.suppress(Undone), house.desk.store.writing() as session:
                unlock(session)
                session.execute(change)
                _, broken = audit.verify(session)
                raise Undone
            assert broken is not None
            assert broken.number == number
    auditor = house.browser("cora")
    assert "are what was written" in auditor.post("/audit", "/audit").text
    with house.desk.store.writing() as session:
        unlock(session)
        session.execute(update(Audit).where(Audit.number == 2).values(who="nobody"))
    assert "is not what was written" in auditor.post("/audit", "/audit").text


def test_no_code_of_the_desk_changes_or_removes_a_line() -> None:
    """Nothing but `audit.record` writes one; nothing updates or deletes one."""
    for file in DESK.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                name = getattr(node.func, "id", getattr(node.func, "attr", ""))
                about = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
                if name in ("update", "delete"):
                    assert not {"Audit", "Event"} & about, file
                if name == "Audit":
                    assert file.name == "audit.py", file


def test_no_code_of_the_desk_signs_as_an_officer() -> None:
    """It makes packets, checks signatures and publishes: nothing that holds or uses a person's private key is ever imported."""
    forbidden = {"sign_packet", "KeyInMemory", "load_key", "generate", "private_key", "Ed25519PrivateKey", "EllipticCurvePrivateKey"}
    for file in DESK.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                names = {alias.name for alias in node.names}
                assert node.module != "authority.keys", file
                assert not (node.module == "authority" and "keys" in names), file
                assert not names & forbidden, file
            if isinstance(node, ast.Attribute):
                assert node.attr != "sign_packet", file


@pytest.mark.parametrize("table", sorted(Base.metadata.tables))
def test_no_table_has_a_place_for_a_key_of_a_person(table: str) -> None:
    """`key` of a referral is the sender's own name for it."""
    columns = {column.name for column in Base.metadata.tables[table].columns}
    assert not {name for name in columns if "private" in name or "secret" in name or (name == "key" and table != "referral")}
