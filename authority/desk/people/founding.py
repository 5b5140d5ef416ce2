"""The first people of a desk, at the server's command line, and only while there is nobody: everybody after them takes two persons."""

from __future__ import annotations

from collections.abc import Sequence

from authority.desk.desk import Desk
from authority.desk.errors import BadField, Conflict
from authority.desk.people import accounts, invitations
from authority.desk.people.accounts import NewPerson
from authority.desk.people.sessions import digest_of
from authority.desk.roles import SETUP

ADMINISTRATORS = 2
AUDITORS = 1


def setup(desk: Desk, people: Sequence[NewPerson], now: int) -> dict[str, tuple[str, str]]:
    """Makes them, and gives for each login the two halves of the code by which that person chooses a password (at /invitation).

    Raises Conflict once anybody exists; BadField without two administrators and an auditor, who confirm whatever comes after.
    """
    for role, least in (("administrator", ADMINISTRATORS), ("auditor", AUDITORS)):
        if sum(role in person.roles for person in people) < least:
            raise BadField("roles", f"a desk begins with at least {least} of the role {role}: they confirm everything after")
    codes: dict[str, tuple[str, str]] = {}
    with desk.store.writing() as session:
        if accounts.count(session):
            raise Conflict("there are people already; whoever comes now is proposed by an administrator and confirmed by another (/people)")
        for new in people:
            person = accounts.add(session, desk, SETUP, new, now)
            if not new.subject:
                first, second = codes[new.login] = invitations.half(), invitations.half()
                invitations.invite(session, person, digest_of(first), digest_of(second), now)
    return codes
