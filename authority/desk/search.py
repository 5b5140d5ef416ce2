"""Search: a case by its number, its order, somebody's reference, or a name: the name itself, those above it, those under it, those that begin so.

Every way is a look into an index, and none is a pattern over all rows. Only reads; who calls it writes the audit line.
"""

from __future__ import annotations

import re
from typing import Any, Literal, NamedTuple
from urllib.parse import urlsplit

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import InstrumentedAttribute

from authority.desk.queues import COLUMNS, Row
from authority.desk.roles import Actor
from authority.desk.tables import Appeal, Case, CaseName, ErrorReport, Order, Referral, backwards
from blocklists import names
from blocklists.errors import BadName

By = Literal["number", "order", "reference", "name", "parent", "under", "beginning"]
LIMIT = 50
LONGEST = 1024
"""Characters that are looked at."""
_BOTH = re.compile(r"\S+ \(([a-z0-9._-]*xn--[a-z0-9._-]*)\)")
"""A name as pages show it: in Unicode, and its A-labels in brackets."""
NAMES_OF_ONE = 20
"""So many times as many rows are read as cases are wanted, because one case may have many names."""


class Hit(NamedTuple):
    """One case, and how it was found."""

    case: Row
    by: By
    found: str
    """The number, order, reference or name that it was found by."""


def search(session: Session, actor: Actor, text: str, limit: int = LIMIT) -> list[Hit]:
    """Cases that a text points to, the surest first, each once. Raises Forbidden."""
    actor.require("case.list")
    text = text.strip()[:LONGEST]
    hits: dict[int, Hit] = {}
    # Neither controls nor half characters stand in what is kept, and a database may refuse to be asked for them.
    for way in _ways(text) if text and text.isprintable() else ():
        if len(hits) >= limit:
            break
        columns: tuple[Any, ...] = (way.shows, *COLUMNS)
        query = select(*columns).where(*way.where).order_by(*way.order).limit(limit * NAMES_OF_ONE)
        for found, *row in session.execute(query):
            case = Row(*row)
            hits.setdefault(case.id, Hit(case, way.by, found))
    return list(hits.values())[:limit]


def name_in(text: str) -> str:
    """The name that somebody means who types it in any letters or case, gives the address of a page under it, or copies both forms from our pages.

    Empty for what is none.
    """
    both = _BOTH.fullmatch(text)
    host = text = both[1] if both else text
    if "/" in text:
        try:
            host = urlsplit(text if "://" in text else f"//{text}").hostname or ""
        except ValueError:
            return ""
    try:
        return names.to_text(names.listed(host.removesuffix("."))) if host else ""
    except BadName:
        return ""


class _Way(NamedTuple):
    """One look into an index."""

    by: By
    shows: InstrumentedAttribute[str]
    where: tuple[ColumnElement[bool], ...]
    order: tuple[InstrumentedAttribute[Any], ...] = ()


def _ways(text: str) -> list[_Way]:
    ways = [
        _Way("number", Case.number, (Case.number == text,)),
        _Way("order", Order.order_id, (Order.order_id == text, Order.case_id == Case.id)),
        _Way("reference", Referral.reference, (Referral.reference == text, Referral.case_id == Case.id)),
        _Way("reference", Appeal.reference, (Appeal.reference == text, Appeal.case_id == Case.id)),
        _Way("reference", ErrorReport.reference, (ErrorReport.reference == text, ErrorReport.case_id == Case.id)),
    ]
    name = name_in(text)
    if name:
        of = CaseName.case_id == Case.id
        labels = name.split(".")
        above = [".".join(labels[at:]) for at in range(1, len(labels))]
        turned = backwards(name)
        by_name, by_turned = (CaseName.name, CaseName.id), (CaseName.backwards, CaseName.id)
        ways += [
            _Way("name", CaseName.name, (CaseName.name == name, of), by_name),
            _Way("parent", CaseName.name, (CaseName.name.in_(above), of), by_name),
            # In ASCII the sign after the dot is the slash, which no name has.
            _Way("under", CaseName.name, (CaseName.backwards > turned, CaseName.backwards < turned[:-1] + "/", of), by_turned),
            _Way("beginning", CaseName.name, (CaseName.name > name, CaseName.name < name + "\x7f", of), by_name),
        ]
    return ways
