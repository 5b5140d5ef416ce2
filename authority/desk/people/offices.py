"""Whose key is whose, as the signed policy says: the desk makes nobody more than the policy does, and who runs the server holds no office's key.

An office is information here. What decides over a signature is the policy, at every operator's; no key comes to the desk.
"""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from authority import repository
from authority.desk.desk import Desk
from authority.desk.errors import BadField, Conflict
from authority.desk.tables import Person
from blocklists.trust.policy import Officer, same_person


def known(desk: Desk) -> dict[str, Officer]:
    """The offices of the policy's last epoch by id; none before anything is published. A policy that cannot be read is a fault, not none."""
    if not (desk.places.metadata / "timestamp.json").exists():
        return {}
    return dict(repository.published(desk.places).policy.epochs[-1].officers)


def require(session: Session, desk: Desk, name: str, roles: tuple[str, ...], office: str) -> None:
    """Raises BadField or Conflict unless somebody of this name and these roles may be known to hold the office.

    An administrator holds none, and is nobody whom the policy names as a holder: not under another account, and not under this one.
    """
    offices = known(desk)
    held = [number for number, each in offices.items() if same_person(each.person) == same_person(name)]
    if "administrator" in roles and (office or held):
        raise Conflict(f"{name} holds the office {office or held[0]}; who holds an office's key is no administrator")
    for number in held:
        other = "reviewer" if offices[number].role == "officer" else "officer"
        if other in roles or (offices[number].role == "reviewer" and "clerk" in roles):
            raise Conflict(f"by the policy {name} is {offices[number].role} ({number}); that and the desk's roles check one another")
    if not office:
        return
    if len(office) > 64:
        raise BadField("office", "take at most 64 characters")
    if not {"officer", "reviewer"} & set(roles):
        raise Conflict("only an officer or a reviewer holds an office; give the role first")
    if offices:
        if office not in offices:
            raise BadField("office", f"the policy has no office {office}; it has: {', '.join(sorted(offices))}"[:400])
        if offices[office].role not in roles:
            raise Conflict(f"the office {office} is of an {offices[office].role}, and {name} has not that role here")
        if same_person(offices[office].person) != same_person(name):
            raise Conflict(f"by the policy {offices[office].person} holds the office {office}, not {name}")
    taken = session.scalar(select(Person.name).where(Person.office == office, Person.ended_at.is_(None)))
    if taken is not None and same_person(taken) != same_person(name):
        raise Conflict(f"{taken} holds the office {office}")
