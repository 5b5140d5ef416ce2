"""The reviewer's view: every order there is, what waits for the reviewer, and what was recommended and not answered. Pages only, nothing written.

A recommendation is made on the page of the case; so are its answer, and going to court.
"""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from authority.desk import reviewing
from authority.desk.errors import BadField
from authority.desk.web import labels
from authority.desk.web.page import page
from authority.desk.web.who import SignedIn, TheDesk

router = APIRouter()


@router.get("/review")
def review(request: Request, who: SignedIn, desk: TheDesk, before: str = "", only: str = "") -> HTMLResponse:
    """Orders, the newest first; `only` waiting: those that are neither published nor dropped."""
    who.actor.require("review.read")
    with desk.store.reading() as session:
        lines, place = reviewing.orders(session, who.actor, _place(before), only == "waiting")
        emergencies = reviewing.emergencies(session, who.actor) if not before else []
        open_ones = reviewing.recommendations(session, who.actor) if not before else []
    return page(
        request, who, "review.html", lines=lines, place=place, emergencies=emergencies, recommendations=open_ones, labels=labels, only=only,
        first=not before,
    )  # fmt: skip


def _place(text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise BadField("before", f"{text[:40]!r} is no place in this list; begin at its first page")
    return int(text)
