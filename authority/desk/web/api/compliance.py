"""Who carried out what: officers see all operators, an operator's token its own alone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from fastapi import APIRouter, Path, Query
from fastapi.responses import StreamingResponse

from authority.desk.enforcement import export, fleet
from authority.desk.enforcement.fleet import Shown, Standing
from authority.desk.web.api.shapes import compliance as shapes
from authority.desk.web.api.shapes.common import After
from authority.desk.web.who import SignedIn, TheDesk

router = APIRouter(prefix="/compliance", tags=["compliance"])
Operator = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
Weeks = Annotated[int, Query(ge=1, le=105, description="How many weeks back what fell due is counted.")]
LATEST = 1 << 33
_ROWS = {"application/json": {"schema": {"type": "array", "items": {"type": "object"}}}}
Time = Annotated[int, Query(ge=0, le=LATEST)]


@router.get("")
def fleet_(who: SignedIn, desk: TheDesk, weeks: Weeks = 5) -> list[shapes.Operator]:
    """Every operator, those to look at first."""
    with desk.store.reading() as session:
        return [_operator(each) for each in fleet.fleet(session, who.actor, desk.now(), weeks)]


@router.get("/operators/{operator}")
def one(who: SignedIn, desk: TheDesk, operator: Operator, weeks: Weeks = 5) -> shapes.Operator:
    """One operator."""
    with desk.store.reading() as session:
        return _operator(fleet.operator(session, who.actor, operator, desk.now(), weeks))


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
        return shapes.Obligations(rows=_rows(found), after=following)


@router.get("/orders/{index}")
def order(who: SignedIn, desk: TheDesk, index: Annotated[int, Path(ge=0, le=1 << 48)]) -> list[shapes.Obliged]:
    """Who carried out the order at a log position, and those before and after it under its id."""
    with desk.store.reading() as session:
        return [each for _, found in fleet.order(session, who.actor, index, desk.now()) for each in _rows(found)]


@router.get("/export", response_class=StreamingResponse, responses={200: {"content": _ROWS}})
def exported(who: SignedIn, desk: TheDesk, operator: str | None = None, begin: Time = 0, end: Time = LATEST) -> StreamingResponse:
    """All rows with what would be owed, of one operator or all: what was due from `begin` to before `end`."""
    rows = export.documents(desk, who.actor, begin, end, desk.now(), operator)
    return StreamingResponse(export.as_json(rows), media_type="application/json")


def _operator(each: Standing) -> shapes.Operator:
    own = {name: getattr(each.record, name) for name in ("operator", "name", "at", "taken_at")}
    said = {name: getattr(each, name) for name in ("behind", "silent", "withheld", "left_at", "block", "lift")}
    return shapes.Operator.model_validate({**own, **said}, from_attributes=True)


def _rows(found: Iterable[Shown]) -> list[shapes.Obliged]:
    made = []
    for each in found:
        names = ("operator", "log_index", "kind", "action", "due_at", "received_at", "taken_at", "applied_at")
        row = {name: getattr(each.row, name) for name in names}
        made.append(shapes.Obliged(**row, order_id=each.obligation.order_id, state=each.state, exceptions=list(each.row.exception or ())))
    return made
