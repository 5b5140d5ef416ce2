"""Pages of who carried out what: the fleet, one operator, one order, what would be owed, and exports. An operator's account sees its own alone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import RedirectResponse, Response, StreamingResponse

from authority.desk.enforcement import chart, export, fleet, owing, penalty
from authority.desk.enforcement.fleet import Standing, Week
from authority.desk.enforcement.rows import DAY, begins
from authority.desk.errors import BadField
from authority.desk.web import compliance_labels as labels
from authority.desk.web import language as languages
from authority.desk.web.page import page
from authority.desk.web.who import SignedIn, TheDesk

router = APIRouter()
CHOICES = (1, 4, 13, 52)
"""Weeks, this one too."""
WEEKS = 13
MONTH = r"^\d{4}-(0[1-9]|1[0-2])$"
LATEST = 1 << 33
"""Unix seconds."""
WORDS: dict[str, Any] = {"states": labels.STATES, "whats": labels.WHATS, "actions": labels.ACTIONS, "show_labels": labels.SHOWS}

Name = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
Code = Annotated[str, Query(max_length=40)]
Index = Annotated[int, Path(ge=0, le=1 << 48)]


@router.get("/compliance")
def fleet_page(request: Request, who: SignedIn, desk: TheDesk, weeks: int = 4) -> Response:
    """The fleet; an operator's account is led to its own page."""
    own = fleet.scope(who.actor)
    if own is not None:
        return RedirectResponse(f"/compliance/operators/{own}", 303)
    now = desk.now()
    last = _last(weeks)
    with desk.store.reading() as session:
        standings = fleet.fleet(session, who.actor, now, last)
        each_week = fleet.weeks(session, who.actor, now, WEEKS)
        session.expunge_all()
    board = fleet.scoreboard(standings)
    drawn = _times(board, "block"), _times(board, "lift")
    values = {**WORDS, **_shapes(who.language, each_week, last), "board": [(each, fleet.both(each)) for each in board]}
    return page(request, who, "compliance.html", **values, standings=standings, drawn=drawn)


@router.get("/compliance/operators/{operator}")
def operator_page(
    request: Request, who: SignedIn, desk: TheDesk, operator: Name, weeks: int = 4, show: Code = "", after: Code = ""
) -> Response:  # fmt: skip
    """One operator."""
    now = desk.now()
    last = _last(weeks)
    with desk.store.reading() as session:
        standing = fleet.operator(session, who.actor, operator, now, last)
        show = show or ("overdue" if standing.silent or standing.withheld else "all")
        listed, following = fleet.listed(session, who.actor, operator, show, now, after)
        each_week = fleet.weeks(session, who.actor, now, WEEKS, operator)
        session.expunge_all()
    values = {**WORDS, **_shapes(who.language, each_week, last), "shows": fleet.SHOWS, "month": f"{datetime.fromtimestamp(now, UTC):%Y-%m}"}
    officer = who.actor.may("compliance.read")
    values |= {"standing": standing, "listed": listed, "following": following, "show": show}
    return page(request, who, "compliance_operator.html", **values, officer=officer)


@router.get("/compliance/operators/{operator}/penalty")
def penalty_page(
    request: Request, who: SignedIn, desk: TheDesk, operator: Name, month: Annotated[str, Query(pattern=MONTH)] = "",
) -> Response:  # fmt: skip
    """What the operator would owe for what was due in one month, with its working."""
    now = desk.now()
    month, begin, end = owing.month_of(month, now)
    with desk.store.reading() as session:
        found = owing.owed(session, desk, who.actor, operator, begin, end, now)
        session.expunge_all()
    return page(
        request, who, "compliance_penalty.html", **WORDS, standing=found.standing, worked=found.worked, more=found.more,
        month=month, before=_shifted(begin, -1), later=_shifted(begin, 1) if end <= now else "", rule=found.rule,
        total=found.total, money=lambda amount: penalty.money(amount, found.currency),
        said=lambda line: said(line, who.language, found.currency),
    )  # fmt: skip


@router.get("/compliance/orders/{index}")
def order_page(request: Request, who: SignedIn, desk: TheDesk, index: Index) -> Response:
    """Who carried out the order at a log position."""
    now = desk.now()
    with desk.store.reading() as session:
        found = fleet.order(session, who.actor, index, now)
        session.expunge_all()
    officer = who.actor.may("compliance.read")
    return page(request, who, "compliance_order.html", **WORDS, **_shapes(who.language, [], 0), found=found, first=found[0][0], officer=officer)


@router.get("/compliance/export.{form}")
def export_file(
    who: SignedIn, desk: TheDesk, form: str, operator: Annotated[str | None, Query(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")] = None,
    begin: Annotated[int, Query(ge=0, le=LATEST)] = 0, end: Annotated[int, Query(ge=0, le=LATEST)] = LATEST,
) -> StreamingResponse:  # fmt: skip
    """All of it, or what was due from `begin` to before `end` (unix seconds)."""
    if form not in ("csv", "json"):
        raise BadField("form", "take csv or json")
    rows = export.documents(desk, who.actor, begin, end, desk.now(), operator)
    body: Iterator[str] = export.as_csv(rows) if form == "csv" else export.as_json(rows)
    kind = "text/csv; charset=utf-8; header=present" if form == "csv" else "application/json"
    name = f"compliance{'-' + operator if operator else ''}.{form}"
    return StreamingResponse(body, media_type=kind, headers={"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"})


def said(line: penalty.Line, language: str, currency: str) -> str:
    """A line of a working, in words."""
    values: dict[str, Any] = {}
    for name, value in line.values.items():
        if isinstance(value, str):
            values[name] = value
        elif name.endswith("_at"):
            values[name] = languages.moment(value, language)
        elif name.endswith("_seconds"):
            values[name] = _exactly(value, language)
        else:
            values[name] = penalty.money(value, currency) if name.endswith("_money") else value
    return languages.translate(language, line.text, **values)


def _exactly(seconds: int, language: str) -> str:
    """A length of time to the second: 2 d 3 h 4 min 5 s."""
    units = (("j" if language == "fr" else "d", DAY), ("h", 3600), ("min", 60), ("s", 1))
    parts = []
    for unit, length in units:
        count, seconds = divmod(seconds, length)
        parts += [f"{count}\u00a0{unit}"] if count else []
    return " ".join(parts) or "0\u00a0s"


def _last(weeks: int) -> int:
    if weeks not in CHOICES:
        raise BadField("weeks", f"take one of {', '.join(map(str, CHOICES))}")
    return weeks


def _shifted(begin: int, by: int) -> str:
    at = datetime.fromtimestamp(begin, UTC)
    months = at.year * 12 + at.month - 1 + by
    return f"{months // 12:04}-{months % 12 + 1:02}"


def _shapes(language: str, weeks: list[Week], last: int) -> dict[str, Any]:
    """What the shared parts of the templates need."""
    found = {"weeks": weeks, "columns": _columns(weeks), "last": last, "choices": CHOICES}
    return {**found, "percent": _percent(language), "date": _date(language), "chart": chart}


def _percent(language: str) -> Any:
    def shown(share: float | None) -> str:
        if share is None:
            return "\N{EN DASH}"
        tenths = int(share * 1000)  # never up: 99.97 % is not all
        text = f"{tenths // 10}.{tenths % 10}" if tenths % 10 else str(tenths // 10)
        return f"{text.replace('.', ',') if language == 'fr' else text}\u00a0%"

    return shown


def _date(language: str) -> Any:
    return lambda week: languages.moment(begins(week), language).rpartition("à" if language == "fr" else ",")[0].strip()


def _times(board: list[Standing], kind: str) -> chart.Times:
    summed = [(each.record.operator, getattr(each, kind)) for each in board]
    return chart.times([(name, one.median, one.most, one.worst) for name, one in summed if one.median is not None][:40])


def _columns(weeks: list[Week]) -> tuple[chart.Column, ...]:
    return chart.columns(
        [
            (each.number, each.block.applied + each.lift.applied, each.block.owed + each.lift.owed - each.block.applied - each.lift.applied)
            for each in weeks
        ]
    )
