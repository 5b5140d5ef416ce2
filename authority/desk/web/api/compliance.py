"""Who carried out what: officers see all operators, an operator's token its own alone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from fastapi.responses import StreamingResponse
from sqlalchemy.orm import Session

from authority.desk.desk import Desk
from authority.desk.enforcement import export, fleet, owing
from authority.desk.enforcement.fleet import Shown, Standing
from authority.desk.enforcement.rows import begins
from authority.desk.roles import Actor
from authority.desk.web.api.shapes import compliance as shapes
from authority.desk.web.api.shapes.common import After
from authority.desk.web.compliance import said
from authority.desk.web.who import SignedIn, TheDesk

router = APIRouter(prefix="/compliance", tags=["compliance"])
Operator = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
Weeks = Annotated[int, Query(ge=1, le=105, description="How many weeks back what fell due is counted.")]
LATEST = 1 << 33
_ROWS = {
    "application/json": {"schema": {"type": "array", "items": {"type": "object"}}},
    "text/csv": {"schema": {"type": "string"}},
}
Time = Annotated[int, Query(ge=0, le=LATEST)]


@router.get("")
def fleet_(who: SignedIn, desk: TheDesk, weeks: Weeks = 5) -> list[shapes.Operator]:
    """Every operator, those to look at first."""
    with desk.store.reading() as session:
        return [standing(each) for each in fleet.fleet(session, who.actor, desk.now(), weeks)]


@router.get("/scoreboard")
def board(who: SignedIn, desk: TheDesk, weeks: Weeks = 5) -> list[shapes.Place]:
    """Operators by what share of all that was owed they did in time, then by how fast."""
    with desk.store.reading() as session:
        return [place(each) for each in fleet.scoreboard(fleet.fleet(session, who.actor, desk.now(), weeks))]


@router.get("/weeks")
def by_week(
    who: SignedIn, desk: TheDesk, weeks: Weeks = 13, operator: Annotated[str | None, Query(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")] = None
) -> list[shapes.Week]:
    """What fell due week by week, the oldest first; of one operator, or of all that whose token it is may see. The last week is not over."""
    with desk.store.reading() as session:
        return [week(each) for each in fleet.weeks(session, who.actor, desk.now(), weeks, operator)]


@router.get("/operators/{operator}")
def one(who: SignedIn, desk: TheDesk, operator: Operator, weeks: Weeks = 5) -> shapes.Operator:
    """One operator."""
    with desk.store.reading() as session:
        return standing(fleet.operator(session, who.actor, operator, desk.now(), weeks))


@router.get("/operators/{operator}/orders")
def listed(
    who: SignedIn,
    desk: TheDesk,
    operator: Operator,
    show: Annotated[str, Query(description=f"One of {', '.join(fleet.SHOWS)}.")] = "all",
    after: After = "",
    limit: Annotated[int, Query(ge=1, le=fleet.MOST)] = 50,
) -> shapes.Obligations:
    """What one operator had to do, the latest due first."""
    with desk.store.reading() as session:
        found, following = fleet.listed(session, who.actor, operator, show, desk.now(), after, limit)
        return shapes.Obligations(rows=obliged(found), after=following)


@router.get("/operators/{operator}/penalty")
def penalty_of(
    who: SignedIn, desk: TheDesk, operator: Operator, month: Annotated[str, Query(max_length=20, description="Such as 2026-11; empty: now.")] = ""
) -> shapes.Owed:
    """What it would owe for what was due in one month, with its working. It decides nothing."""
    with desk.store.reading() as session:
        return owed(session, desk, who.actor, operator, month)


@router.get("/orders/{index}")
def order(who: SignedIn, desk: TheDesk, index: Annotated[int, Path(ge=0, le=1 << 48)]) -> list[shapes.Obliged]:
    """Who carried out the order at a log position, and those before and after it under its id."""
    with desk.store.reading() as session:
        return [each for _, found in fleet.order(session, who.actor, index, desk.now()) for each in obliged(found)]


@router.get("/export", response_class=StreamingResponse, responses={200: {"content": _ROWS}})
def exported(
    who: SignedIn, desk: TheDesk, operator: str | None = None, begin: Time = 0, end: Time = LATEST, form: Literal["json", "csv"] = "json"
) -> StreamingResponse:
    """All rows with what would be owed, of one operator or all: what was due from `begin` to before `end`."""
    rows = export.documents(desk, who.actor, begin, end, desk.now(), operator)
    if form == "csv":
        return StreamingResponse(export.as_csv(rows), media_type="text/csv; charset=utf-8; header=present")
    return StreamingResponse(export.as_json(rows), media_type="application/json")


def owed(session: Session, desk: Desk, actor: Actor, operator: str, month: str) -> shapes.Owed:
    """What the schedule computes. Raises Forbidden, NotFound, BadField."""
    now = desk.now()
    month, begin, end = owing.month_of(month, now)
    found = owing.owed(session, desk, actor, operator, begin, end, now)
    worked = []
    for each, working in found.worked:
        (row,) = obliged([each])
        worked.append(shapes.Worked(row=row, amount=working.amount, working=[said(line, "en", found.currency) for line in working.lines]))
    return shapes.Owed(operator=operator, month=month, currency=found.currency, total=found.total, worked=worked, more=found.more)


def place(each: Standing) -> shapes.Place:
    """One on the scoreboard."""
    sums = fleet.both(each)
    return shapes.Place(
        operator=each.record.operator, name=each.record.name, owed=sums.owed, share=sums.share, sums=shapes.Sums.model_validate(sums)
    )  # fmt: skip


def week(each: fleet.Week) -> shapes.Week:
    """One week."""
    block, lift = shapes.Sums.model_validate(each.block), shapes.Sums.model_validate(each.lift)
    return shapes.Week(number=each.number, begins_at=begins(each.number), block=block, lift=lift)


def standing(each: Standing) -> shapes.Operator:
    """One operator."""
    own = {name: getattr(each.record, name) for name in ("operator", "name", "at", "taken_at")}
    said = {name: getattr(each, name) for name in ("behind", "silent", "withheld", "left_at", "block", "lift")}
    return shapes.Operator.model_validate({**own, **said}, from_attributes=True)


def obliged(found: Iterable[Shown]) -> list[shapes.Obliged]:
    """Rows of who had to do what."""
    made = []
    for each in found:
        names = ("operator", "log_index", "kind", "action", "due_at", "received_at", "taken_at", "applied_at")
        row = {name: getattr(each.row, name) for name in names}
        made.append(shapes.Obliged(**row, order_id=each.obligation.order_id, state=each.state, exceptions=list(each.row.exception or ())))
    return made
