"""A desk that is served and has two operators: one that says what it does, and one that is silent; one order overdue, one withdrawn."""

from __future__ import annotations

from pathlib import Path

from authority import operators as registry
from authority.desk import compliance, procedure
from authority.desk.tables import Person
from authority.keys import generate
from authority.publisher import publish
from tests.authority.desk.compliance.test_cases import confirm
from tests.authority.desk.web.pages import HOUR, Pages
from tests.authority.feeding import Operator, registered

NASTY = "<script>alert(1)</script> =Telecom"
"""What the silent operator is called."""


def watched(directory: Path) -> Pages:
    """The desk; who takes it closes it."""
    made = Pages(directory, limits={"names_per_hour": 1000, "names_per_day": 5000})
    speaking = registered(made.cast, made.directory, "op-1", made.now)
    token, packet = registry.add(made.directory, "op-2", NASTY, generate().key, made.now)
    assert packet is not None
    assert token
    publish(made.directory, [made.cast.sign(packet, "targets-1", "targets-2")], made.now)
    for name in ("op-1", "op-2"):
        made.add(f"{name}-account", "operator")
        with made.desk.store.writing() as session:
            session.get_one(Person, made.people[f"{name}-account"].person).operator = name
    made.document("procedure", procedure.DEFAULT + "\npenalty: {per_hour: 10000, most: 500000}\n")
    number, _ = made.ordered("late.example")
    _told(made, speaking, 3)
    made.ordered("silent.example")
    _told(made, speaking, 30 * HOUR)
    made.follow(number, "withdraw", "north-1")
    _told(made, speaking, 60)
    for login in made.people:  # sessions have ended meanwhile
        made.sign_in(login)
    return made


def _told(made: Pages, operator: Operator, seconds: int) -> None:
    made.now += seconds
    confirm(made, operator)
    compliance.refresh(made.desk, made.now)
