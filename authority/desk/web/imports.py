"""Files of referrals: sent here, read by the worker piece by piece, with how far it got and what is wrong on which line. Pages only."""

from __future__ import annotations

import re

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from authority.desk import imports
from authority.desk.errors import BadField
from authority.desk.tables import ImportFault
from authority.desk.web import upload
from authority.desk.web.case import Failed
from authority.desk.web.page import page
from authority.desk.web.who import SignedIn, TheDesk

router = APIRouter()
MOST = 32 << 20
"""Octets that a page takes, and holds in memory for a moment: some 200,000 lines. The command line takes imports.MOST."""
LIMIT = 50
FAULTS = 200


@router.get("/imports")
def everything(request: Request, who: SignedIn, desk: TheDesk) -> HTMLResponse:
    """The newest ones, and the form for another."""
    return _list(request, who, desk)


@router.post("/imports")
def begin(request: Request, who: SignedIn, desk: TheDesk) -> Response:
    """Keeps a file for the worker to read; leads to its page."""
    who.actor.require("case.open")
    given: dict[str, str] = {}
    try:
        file = upload.form(request, who)
        given = {name: value.strip() for name, value in file.fields.items()}
        made = imports.begin(desk, who.actor, upload.whole(file, MOST), given.get("label") or file.name, desk.now())
    except BadField as error:
        return _list(request, who, desk, error.status, Failed("import", error.field, error.text, given))
    return RedirectResponse(f"/imports/{made.id}{'?done=before' if made.at_octet else ''}", 303)


@router.get("/imports/{id}")
def one(request: Request, who: SignedIn, desk: TheDesk, id: int, after: int = 0, done: str = "") -> HTMLResponse:
    """How far it got, and the lines that were not taken. It is looked at again by loading it again."""
    who.actor.require("case.open")
    with desk.store.reading() as session:
        row = imports.find(session, id)
        faults = imports.faults(session, id, after, FAULTS + 1)
    last = faults[FAULTS - 1].id if len(faults) > FAULTS else None
    said = [(each, *_field_of(each)) for each in faults[:FAULTS]]
    return page(
        request, who, "import.html", row=row, faults=said, last=last, first=not after, before=done == "before", kept=imports.MOST_FAULTS,
        percent=100 if row.ended_at is not None else min(99, 100 * row.at_octet // max(1, row.octets)),
    )  # fmt: skip


def _list(request: Request, who: SignedIn, desk: TheDesk, status: int = 200, failed: Failed | None = None) -> HTMLResponse:
    who.actor.require("case.open")
    with desk.store.reading() as session:
        rows = imports.recent(session, who.actor, limit=LIMIT)
    return page(request, who, "imports.html", status, rows=rows, failed=failed or Failed(), columns=imports.COLUMNS, most=MOST >> 20)


def _field_of(fault: ImportFault) -> tuple[str, str]:
    """The column that a fault is about, if it names one, and what it says."""
    found = re.match(r"([a-z]+): (.*)", fault.reason, re.DOTALL)
    return (found[1], found[2]) if found else ("", fault.reason)
