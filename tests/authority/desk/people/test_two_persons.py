"""Two persons for grants, lists, rules and accounts; nobody in two roles that check each other; administrators never at the reviewer's key."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import pytest
from sqlalchemy import select

from authority.desk import audit
from authority.desk.errors import BadField, Conflict, DeskError, Forbidden
from authority.desk.people import accounts, offices, sessions
from authority.desk.people.accounts import NewPerson
from authority.desk.people.founding import setup
from authority.desk.people.kinds import KINDS
from authority.desk.people.proposals import GOOD_SECONDS
from authority.desk.roles import CONFIRMS, ROLES, TOGETHER, Role
from authority.desk.tables import Audit, Document, SignedIn
from tests.authority.cast import Cast, found
from tests.authority.desk.people.house import FIRST, NOW, House

CONFIRMER: dict[Role, str] = {"administrator": "bea", "auditor": "cora", "reviewer": "gus"}


def test_a_new_account_takes_an_administrator_and_who_confirms_its_role(house: House) -> None:
    for number, role in enumerate(ROLES):
        login, operator = f"new-{number}", "op-2" if role == "operator" else ""
        asked = house.propose("ada", "person", login=login, name=f"New {number}", roles=[role], operator=operator).proposal
        with pytest.raises(DeskError):
            house.person(login)
        for other in FIRST:
            if other != CONFIRMER[CONFIRMS[role]] and not (other == "ada" and CONFIRMS[role] == "administrator"):
                with pytest.raises(Forbidden):
                    house.decide(other, asked.id)
        with pytest.raises(Forbidden):
            house.decide("ada", asked.id)
        house.decide(CONFIRMER[CONFIRMS[role]], asked.id)
        assert house.actor(login).roles == {role}


def test_only_administrators_ask_for_what_concerns_accounts(house: House) -> None:
    for login in FIRST:
        if login not in ("ada", "bea"):
            with pytest.raises(Forbidden):
                house.propose(login, "grant", login="dan", role="officer")


def test_no_two_roles_that_check_one_another_in_any_order(house: House) -> None:
    for number, (one, other) in enumerate(combinations(ROLES, 2)):
        body = {"login": f"both-{number}", "name": f"Both {number}", "roles": [one, other]}
        operator = "op-2" if "operator" in (one, other) else ""
        if frozenset({one, other}) in TOGETHER:
            house.agreed("ada", "bea", "person", **body, operator=operator)
            continue
        with pytest.raises(Conflict, match="check one another"):
            house.propose("ada", "person", **body, operator=operator)
        holder = next(login for login, roles in FIRST.items() if roles == (one,)) if one != "administrator" else "bea"
        with pytest.raises(Conflict, match="check one another"):
            house.propose("ada", "grant", login=holder, role=other, operator=operator)


def test_what_became_a_clash_meanwhile_is_not_done(house: House) -> None:
    house.agreed("ada", "bea", "person", login="ivo", name="Ivo", roles=["clerk"])
    house.agreed("ada", "bea", "end_grant", login="ivo", role="clerk")
    first = house.propose("ada", "grant", login="ivo", role="officer").proposal
    second = house.propose("ada", "grant", login="ivo", role="reviewer").proposal
    house.decide("cora", second.id)
    with pytest.raises(Conflict, match="check one another"):
        house.decide("bea", first.id)
    assert house.actor("ivo").roles == {"reviewer"}


def test_one_person_has_one_account(house: House) -> None:
    with pytest.raises(Conflict, match="one person has one"):
        house.propose("ada", "person", login="eve-2", name="EVE  test", roles=["reviewer"])


def test_nobody_asks_for_a_role_of_their_own_or_agrees_to_it(house: House) -> None:
    with pytest.raises(Forbidden, match="for themselves"):
        house.propose("ada", "reset", login="ada")
    asked = house.propose("ada", "end_person", login="fay").proposal
    house.agreed("ada", "cora", "person", login="jan", name="Jan", roles=["administrator"])
    about = house.propose("ada", "end_grant", login="bea", role="administrator").proposal
    with pytest.raises(Forbidden, match="about themselves"):
        house.decide("bea", about.id)
    house.decide("bea", asked.id)


def test_a_proposal_is_decided_once_and_not_for_ever(house: House) -> None:
    asked = house.propose("ada", "grant", login="dan", role="officer").proposal
    house.decide("bea", asked.id, confirm=False)
    with pytest.raises(Conflict, match="refused already"):
        house.decide("bea", asked.id)
    again = house.propose("ada", "grant", login="dan", role="officer").proposal
    house.now += GOOD_SECONDS + 1
    with pytest.raises(Conflict, match="too old"):
        house.decide("bea", again.id)
    assert house.actor("dan").roles == {"clerk"}


def test_sessions_end_with_any_change_of_a_role(house: House) -> None:
    for kind, body in (
        ("grant", {"role": "officer"}),
        ("end_grant", {"role": "officer"}),
        ("office", {"office": ""}),
        ("reset", {}),
        ("end_person", {}),
    ):
        with house.desk.store.writing() as session:
            token = sessions.start(session, accounts.find(session, "dan"), house.now).token
        house.agreed("ada", "bea", kind, login="dan", **body)
        with house.desk.store.reading() as session:
            assert sessions.find(session, token, house.now) is None, kind
            assert session.scalar(select(SignedIn).where(SignedIn.person_id == house.person("dan").id)) is None


def test_two_administrators_and_an_auditor_always_stay(house: House) -> None:
    for login, role in (("bea", "administrator"), ("cora", "auditor")):
        with pytest.raises(Conflict, match="would be left"):
            house.propose("ada", "end_grant", login=login, role=role)
        with pytest.raises(Conflict, match="would be left"):
            house.propose("ada", "end_person", login=login)


# --- the reviewer


def test_two_administrators_cannot_touch_the_reviewer(house: House) -> None:
    """Not end the role, the account, the password, the office, the way to sign in."""
    bodies = (("end_grant", {"role": "reviewer"}), ("end_person", {}), ("reset", {}), ("office", {"office": "x"}), ("subject", {"subject": "sub-1"}))
    for kind, body in bodies:
        asked = house.propose("ada", kind, login="gus", **body).proposal
        for login in ("bea", "eve", "gus"):
            with pytest.raises(Forbidden):
                house.decide(login, asked.id)
    assert house.actor("gus").roles == {"reviewer"}
    assert house.person("gus").ended_at is None


def test_nor_make_one(house: House) -> None:
    for kind, body in (
        ("person", {"login": "kim", "name": "Kim", "roles": ["reviewer"]}),
        ("person", {"login": "lea", "name": "Lea", "roles": ["auditor"]}),
    ):
        asked = house.propose("ada", kind, **body).proposal
        with pytest.raises(Forbidden):
            house.decide("bea", asked.id)


def test_no_administrator_holds_an_offices_key(tmp_path: Path) -> None:
    """By the signed policy, which says who holds which; a name written otherwise is the same name."""
    found(Cast(), tmp_path / "authority", NOW - 100)
    house = House(tmp_path)
    try:
        assert offices.known(house.desk)["reviewer-1"].role == "reviewer"
        for roles, name in (
            (["administrator"], "Reviewer-1"),
            (["administrator"], "NORTH-1"),
            (["officer"], "reviewer-1"),
            (["reviewer"], "north-1"),
        ):
            with pytest.raises(Conflict):
                house.propose("ada", "person", login="holder", name=name, roles=roles)
        with pytest.raises(Conflict):
            house.propose("ada", "office", login="bea", office="reviewer-1")
        with pytest.raises(Conflict, match="not Gus Test"):
            house.propose("ada", "office", login="gus", office="reviewer-1")
        with pytest.raises(BadField):
            house.propose("ada", "office", login="gus", office="nobody")
        house.agreed("ada", "cora", "person", login="holder", name="Reviewer-1", roles=["reviewer"], office="reviewer-1")
        assert house.person("holder").office == "reviewer-1"
        with pytest.raises(Conflict):
            house.propose("ada", "grant", login="holder", role="administrator")
    finally:
        house.close()


# --- rules and lists


def test_a_rule_or_a_list_takes_two_and_never_administrators_alone(house: House) -> None:
    for kind, body in (
        ("protected", "portal.example\n"),
        ("popular", "1,site.example\n"),
        ("shared_hosting", "pages.example\n"),
        ("procedure", PROCEDURE),
    ):
        asked = house.propose("ada", "document", kind=kind, body=body).proposal
        for login in ("ada", "bea", "cora", "dan"):
            with pytest.raises(Forbidden):
                house.decide(login, asked.id)
        with house.desk.store.reading() as session:
            assert house.desk.document(session, kind) == ""  # type: ignore[arg-type]
        house.decide("eve", asked.id)
        with house.desk.store.reading() as session:
            assert house.desk.document(session, kind) == body  # type: ignore[arg-type]
    asked = house.propose("eve", "document", kind="protected", body="other.example\n").proposal
    with pytest.raises(Forbidden, match="who proposed it"):
        house.decide("eve", asked.id)
    house.decide("fay", asked.id)
    with house.desk.store.reading() as session:
        assert session.scalars(select(Document.version).where(Document.kind == "protected")).all() == [1, 2]


PROCEDURE = "clocks: {assess: {begins: [refer], ends: [assess], hours: 12}}\n"


def test_a_document_that_cannot_be_in_force_is_not_even_proposed(house: House) -> None:
    for kind, body in (
        ("procedure", "clocks: {a: {begins: [nothing], hours: 1}}"),
        ("protected", "not a name\n"),
        ("policy", "x"),
        ("texts", "x: ["),
    ):
        with pytest.raises(BadField):
            house.propose("ada", "document", kind=kind, body=body)


def test_a_document_that_another_overtook_is_proposed_anew(house: House) -> None:
    asked = house.propose("ada", "document", kind="protected", body="one.example\n").proposal
    with pytest.raises(Conflict, match="proposed already"):
        house.propose("ada", "document", kind="protected", body="two.example\n")
    house.decide("eve", asked.id)
    with pytest.raises(Conflict, match="meanwhile"):
        house.propose("ada", "document", kind="protected", body="two.example\n", follows=0)


# --- the beginning, and what is written down


def test_the_first_people_are_made_once(tmp_path: Path) -> None:
    house = House(tmp_path, {})
    try:
        with pytest.raises(BadField, match="administrator"):
            setup(house.desk, [NewPerson("ada", "Ada", ("administrator",)), NewPerson("cora", "Cora", ("auditor",))], NOW)
        with pytest.raises(BadField, match="auditor"):
            setup(house.desk, [NewPerson("ada", "Ada", ("administrator",)), NewPerson("bea", "Bea", ("administrator",))], NOW)
        both = [NewPerson("ada", "Ada", ("administrator",)), NewPerson("bea", "Bea", ("administrator",)), NewPerson("cora", "Cora", ("auditor",))]
        assert set(setup(house.desk, both, NOW)) == {"ada", "bea", "cora"}
        with pytest.raises(Conflict, match="people already"):
            setup(house.desk, [NewPerson("eve", "Eve", ("officer",)), *both], NOW)
    finally:
        house.close()


def test_who_asked_and_who_agreed_stand_in_the_audit_log(house: House) -> None:
    house.agreed("ada", "bea", "grant", login="dan", role="officer")
    with house.desk.store.reading() as session:
        said = [(line.who, line.action, line.object) for line in session.scalars(select(Audit).order_by(Audit.number))]
        assert audit.verify(session)[1] is None
    assert said[-3:] == [("ada", "proposal.make", "proposal:1"), ("bea", "proposal.confirmed", "proposal:1"), ("bea", "role.grant", "person:dan")]


def test_every_kind_has_two_persons() -> None:
    """Of the confirming roles none may be empty; that the maker never counts is held above."""
    assert {
        "person",
        "grant",
        "end_grant",
        "end_person",
        "reset",
        "office",
        "subject",
        "document",
        "flagger",
        "shred_evidence",
        "release_hold",
    } == set(KINDS)
