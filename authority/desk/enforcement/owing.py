"""What one operator would owe for what fell due in one month, by the procedure's penalty, order by order. Only reads; it decides nothing."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import NamedTuple

from sqlalchemy.orm import Session

from authority.desk.desk import Desk
from authority.desk.enforcement import export, fleet, penalty
from authority.desk.enforcement.fleet import Shown, Standing
from authority.desk.enforcement.penalty import Working
from authority.desk.errors import BadField
from authority.desk.procedure import Penalty
from authority.desk.roles import Actor

MOST_WORKED = 200
"""Orders whose working one page shows; the export has all."""


class Owed(NamedTuple):
    """Of one operator and one month."""

    standing: Standing
    worked: list[tuple[Shown, Working]]
    more: int
    """Late orders whose working is not here."""
    total: int
    """Of all of them, in the currency's smallest unit."""
    rule: Penalty
    currency: str


def month_of(text: str, now: int) -> tuple[str, int, int]:
    """A month such as 2026-11, by default this one, with its first second and that of the next one. Raises BadField."""
    text = text or f"{datetime.fromtimestamp(now, UTC):%Y-%m}"
    if not re.fullmatch(r"[0-9]{4}-(0[1-9]|1[0-2])", text) or not 1971 <= int(text[:4]) <= 2200:
        raise BadField("month", f"{text[:20]!r} is none; take one from 1971-01 to 2200-12")
    year, number = int(text[:4]), int(text[5:])
    end = datetime(year + number // 12, number % 12 + 1, 1, tzinfo=UTC)
    return text, int(datetime(year, number, 1, tzinfo=UTC).timestamp()), int(end.timestamp())


def owed(session: Session, desk: Desk, actor: Actor, operator: str, begin: int, end: int, now: int) -> Owed:
    """For what was due from `begin` to before `end` (unix seconds). Raises Forbidden, NotFound for an operator that is not the actor's own."""
    standing = fleet.operator(session, actor, operator, now, 1)
    facts = fleet.late_facts(session, actor, operator, begin, end, now, standing.left_at)
    found = fleet.late_rows(session, actor, operator, begin, end, now, MOST_WORKED)
    procedure = desk.procedure(session)
    worked = [(each, penalty.working(export.facts(each, standing.left_at), procedure.penalty, now)) for each in found]
    total = sum(penalty.amount(each, procedure.penalty, now) for each in facts)
    return Owed(standing, worked, len(facts) - len(worked), total, procedure.penalty, procedure.currency)
