"""Referrals: somebody points at something. Each is kept as it came, and opens a case, or joins the one that is open for the same name.

A sender's own key makes sending again harmless. Who referred is kept only as far as they said who they are.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, NamedTuple
from urllib.parse import urlsplit

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session

from authority.desk import cases, outbox, steps
from authority.desk.desk import Desk
from authority.desk.errors import BadField, Forbidden, NotFound
from authority.desk.roles import Actor
from authority.desk.states import OPEN, ORDERED
from authority.desk.tables import Case, CaseName, Referral
from authority.desk.words import clean
from blocklists.errors import BadName
from blocklists.names import listed, to_text

Source = Literal["officer", "public", "flagger", "import"]
MOST_NAMES = 100
"""Of one referral."""
_BETWEEN = re.compile(r"[\s,;|]+")
_LETTERS = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
"""Of a reference: none that is taken for another when it is read out."""
_SAID = ("names", "location", "category", "words", "contact", "threat")
_WORDS: dict[str, Literal["received", "looked_at", "asked", "ordered", "ended", "closed"]] = {
    "received": "received", "assessed": "looked_at", "emergency": "looked_at", "requested": "asked", "unanswered": "asked",
    "unidentifiable": "looked_at", "drafted": "looked_at", "signing": "looked_at", "in_force": "ordered", "suspended": "ordered",
    "withdrawn": "ended", "expired": "ended", "lapsed": "ended", "restored": "ended", "removed": "closed", "dismissed": "closed",
}  # fmt: skip


@dataclass(frozen=True)
class Given:
    """What somebody sends. Without names, those in the addresses of `location` are meant."""

    names: tuple[str, ...] = ()
    location: str = ""
    """Where exactly: addresses of pages, or words."""
    category: str = ""
    words: str = ""
    contact: str = ""
    threat: bool = False
    """Whether a life is in danger now."""


class Taken(NamedTuple):
    """What became of it."""

    reference: str
    number: str
    """Of the case."""
    joined: bool
    """Whether the case was there before."""
    again: bool = False
    """Whether the same had been sent before."""


class Status(NamedTuple):
    """What who has the reference may know."""

    reference: str
    taken_at: int
    state: Literal["received", "looked_at", "asked", "ordered", "ended", "closed"]
    changed_at: int


def take(session: Session, desk: Desk, actor: Actor, given: Given, now: int, *, source: Source, key: str | None = None, why: str = "") -> Taken:
    """Takes one in. `key`: the sender's own name of it. Raises BadField or Forbidden, and nothing is kept then."""
    referral = prepared(actor, given, now, source, key)
    if referral.key is not None and (before := session.scalar(select(Referral).where(Referral.key == referral.key))) is not None:
        if any(getattr(before, each) != getattr(referral, each) for each in _SAID):
            raise BadField("key", "another referral was sent with this key; to refer this too, send it with a key of its own")
        number = session.scalar(select(Case.number).where(Case.id == before.case_id)) or ""
        return Taken(before.reference, number, joined=True, again=True)
    found = list(referral.names)
    case = _open_case(session, found)
    joined = case is not None
    if case is None:
        case = new_case(found, now, steps.count(session, series(now)))
        session.add(case)
        session.flush()
    referral.case_id = case.id
    session.add(referral)
    session.flush()
    why = why or f"a referral came ({source})"
    steps.take(session, case, "refer", actor, why, now, desk.procedure(session), referral=referral.id, source=source, names=found)
    if given.threat:
        said = referral.words or "It was referred as an imminent threat to life."
        cases.escalate(session, desk, actor, case.number, said, now, location=referral.location)
    return Taken(referral.reference, case.number, joined)


def prepared(actor: Actor, given: Given, now: int, source: Source, key: str | None) -> Referral:
    """What is kept of it, of no case yet. Raises BadField or Forbidden."""
    if not (actor.may("case.open") or (actor.person is None and (actor.name == "public" or actor.name.startswith("flagger:")))):
        raise Forbidden(f"{actor.name} may not refer anything; it is open to clerks, officers, trusted flaggers and the public")
    whole = f"{actor.name}:{clean(key, 'key', 60, line=True)}" if key else None
    return Referral(
        reference=reference(),
        source=source,
        sender="" if source == "public" else actor.name.removeprefix("flagger:"),
        contact=outbox.address(given.contact, "contact") if given.contact.strip() else "",
        names=_names(given),
        location=clean(given.location, "location", 8000),
        category=clean(given.category, "category", cases.CATEGORY, line=True),
        words=clean(given.words, "words", 20_000),
        threat=given.threat,
        taken_at=now,
        key=whole,
    )


def status(session: Session, reference: str) -> Status:
    """What came of a referral, for who has its reference. Raises NotFound."""
    found = session.execute(
        select(Referral.reference, Referral.taken_at, Case.state, Case.state_since)
        .join(Case, Case.id == Referral.case_id)
        .where(Referral.reference == reference.strip().upper()[:32])
    ).first()
    if found is None:
        raise NotFound("there is no referral with this reference")
    return Status(found[0], found[1], _WORDS[found[2]], max(found[1], found[3]))


def of_case(session: Session, case: Case, limit: int = 100, before: int | None = None) -> list[Referral]:
    """A case's, the newest first; `before`: the row of the last one seen."""
    wanted = select(Referral).where(Referral.case_id == case.id)
    if before is not None:
        wanted = wanted.where(Referral.id < before)
    return list(session.scalars(wanted.order_by(Referral.id.desc()).limit(limit)))


def names_in(text: str) -> list[str]:
    """The names in a text: bare ones, and those of addresses of pages; each once. What is neither is left out."""
    found: dict[str, None] = {}
    for word in _BETWEEN.split(text):
        if len(word) < 4 or "." not in word:
            continue
        try:
            host = urlsplit(word).hostname if "://" in word else word.partition("/")[0]
            name = to_text(listed(host or ""))
        except (BadName, ValueError):
            continue
        if len(name.rpartition(".")[2]) > 1:  # no abbreviation, such as e.g.
            found[name] = None
    return list(found)


def reference() -> str:
    """A new one: 16 letters, which nobody guesses, in groups that can be read out."""
    made = "".join(secrets.choice(_LETTERS) for _ in range(16))
    return "-".join(made[start : start + 4] for start in range(0, 16, 4))


def _names(given: Given) -> list[str]:
    if any(each.strip() for each in given.names):
        found = list(dict.fromkeys(_one(each) for each in given.names if each.strip()))
    else:
        found = names_in(given.location[:8000])
    if not found:
        raise BadField("names", "no name of a site is in it; write one such as www.site.example, or the address of the page")
    if len(found) > MOST_NAMES:
        raise BadField("names", f"there are {len(found)}; refer at most {MOST_NAMES} at a time")
    return found


def _one(text: str) -> str:
    text = text.strip()
    if "://" in text:
        try:
            text = urlsplit(text).hostname or text
        except ValueError:
            raise BadField("names", f"{text[:80]!r} is no address of a page; write the bare name") from None
    return cases.name_of(text)


def _open_case(session: Session, found: list[str]) -> Case | None:
    """The oldest case that is not over and has one of the names, or everything under a name above."""
    above = names_above(found)
    same = or_(CaseName.name.in_(found), and_(CaseName.name.in_(sorted(above)), CaseName.match == "subtree"))
    number = session.scalar(select(func.min(CaseName.case_id)).where(same, of_open_case()))
    return session.get(Case, number) if number is not None else None


def of_open_case() -> ColumnElement[bool]:
    """Of a name, that its case is not over. No join: for many names SQLite would then look through all open cases, of which there are ever more."""
    return select(Case.id).where(Case.id == CaseName.case_id, Case.state.in_(tuple(OPEN | ORDERED))).exists()


def names_above(found: Sequence[str]) -> set[str]:
    """All names above these."""
    return {".".join(labels[start:]) for name in found for labels in [name.split(".")] for start in range(1, len(labels))}


def series(now: int) -> str:
    """The series of numbers that a case of now has its own from."""
    return f"case-{datetime.fromtimestamp(now, UTC).year}"


def new_case(found: Sequence[str], now: int, number: int) -> Case:
    """A case as it begins, yet to be added."""
    case = Case(
        number=f"{series(now).removeprefix('case-')}-{number:06d}", title=found[0], category="", state="received", state_since=now, opened_at=now,
        version=0, facts={}, urgent=False, emergency=False, appeals=0,
    )  # fmt: skip
    case.names = [CaseName(name=name, match="exact") for name in found]
    return case
