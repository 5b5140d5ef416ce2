"""The page of a case: what it is, where it stands, what is due when, what can be done now, what happened. Also a new case, and what its order says.

Everything that changes a case is a form that is posted, and leads back to the case.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from authority.desk import facts, ordering, reading, referrals, steps
from authority.desk.desk import Desk
from authority.desk.errors import BadField, Conflict, Forbidden
from authority.desk.states import CLOSED, ENDING
from authority.desk.tables import Case
from authority.desk.web import acts, labels, shown, view, writing
from authority.desk.web.page import page
from authority.desk.web.who import Posted, SignedIn, TheDesk, Who

router = APIRouter()


async def filled(request: Request) -> dict[str, str]:
    """The fields of a posted form, trimmed; files are left out. A dependency."""
    return {name: value.strip() for name, value in (await request.form()).items() if isinstance(value, str)}


Filled = Annotated[dict[str, str], Depends(filled)]


@dataclass
class Failed:
    """A form that was refused: shown again as it was filled in, with why."""

    step: str = ""
    field: str = ""
    text: str = ""
    given: dict[str, str] = dataclasses.field(default_factory=dict)


@router.get("/cases/new")
def new(request: Request, who: SignedIn, desk: TheDesk) -> HTMLResponse:
    """The form of a referral that an officer or clerk makes."""
    who.actor.require("case.open")
    return page(request, who, "case_new.html", failed=Failed())


@router.post("/cases/new")
def make(request: Request, who: Posted, desk: TheDesk, given: Filled) -> Response:
    """Takes the referral; leads to the case that it opened or joined."""
    lines = tuple(line.strip() for line in given.get("names", "").splitlines() if line.strip())
    sent = referrals.Given(
        names=lines,
        location=given.get("location", ""),
        words=given.get("words", ""),
        contact=given.get("contact", ""),
        threat=given.get("threat") == "yes",
    )
    try:
        with desk.store.writing() as session:
            taken = referrals.take(session, desk, who.actor, sent, desk.now(), source="officer", why=given.get("why", ""))
    except BadField as error:
        return page(request, who, "case_new.html", 422, failed=Failed("new", error.field, error.text, given))
    return RedirectResponse(f"/cases/{taken.number}?done={'joined' if taken.joined else 'opened'}", 303)


@router.get("/cases/{number}")
def case(request: Request, who: SignedIn, desk: TheDesk, number: str, done: str = "", whole: bool = False) -> HTMLResponse:
    """The page. That it was read is logged before it is shown."""
    return _shown(request, who, desk, reading.opened(desk, who.actor, number), done=done, whole=whole)


@router.post("/cases/{number}/steps/{step}")
def take(request: Request, who: Posted, desk: TheDesk, number: str, step: str, given: Filled) -> Response:
    """Takes a step by its form."""
    try:
        acts.act(desk, who.actor, number, step, given)
    except (BadField, Conflict) as error:
        return _again(request, who, desk, number, step, error, given)
    return RedirectResponse(f"/cases/{quote(number)}?done={step}", 303)


@router.post("/cases/{number}/orders")
def draft(request: Request, who: Posted, desk: TheDesk, number: str, given: Filled) -> Response:
    """Drafts an order of the case; leads to its page."""
    what = given.get("what", "")
    known = next((each for each in ordering.WHATS if each == what), None)
    if known is None:
        raise BadField("what", "choose which order to draft")
    try:
        made = ordering.draft(desk, who.actor, number, known, given.get("why", ""), desk.now(), version=acts.version_of(given))
    except (BadField, Conflict) as error:
        return _again(request, who, desk, number, f"draft-{known}", error, given)
    return RedirectResponse(f"/orders/{made.digest}", 303)


@router.get("/cases/{number}/order")
def written(request: Request, who: SignedIn, desk: TheDesk, number: str) -> HTMLResponse:
    """What the next order of the case will say."""
    found = reading.opened(desk, who.actor, number)
    return _writing(request, who, desk, found, writing.shown(found), Failed())


@router.post("/cases/{number}/order")
def write(request: Request, who: Posted, desk: TheDesk, number: str, given: Filled) -> Response:
    """Keeps it."""
    try:
        with desk.store.writing() as session:
            said, version = writing.read(given, steps.find(session, number).facts), acts.version_of(given)
            facts.set_facts(session, desk, who.actor, number, said, given.get("why", ""), desk.now(), version)
    except (BadField, Conflict) as error:
        found = reading.opened(desk, who.actor, number)
        failed = Failed("order", "", str(error), given)
        if isinstance(error, BadField):
            failed = Failed("order", writing.name_of(error.field, given), error.text, given)
        return _writing(request, who, desk, found, given, failed, error.status)
    return RedirectResponse(f"/cases/{quote(number)}?done=written", 303)


def _writing(request: Request, who: Who, desk: Desk, found: Case, given: dict[str, str], failed: Failed, status: int = 200) -> HTMLResponse:
    who.actor.require("case.work")
    if found.state in CLOSED | ENDING:
        raise Conflict(f"case {found.number} is {found.state}, and no order follows; open it again first")
    with desk.store.reading() as session:
        rule = desk.procedure(session).category(found.category)
    return page(request, who, "case_order.html", status, case=found, fields=writing.parts(given, who.language), given=given, failed=failed, rule=rule)


def _again(request: Request, who: Who, desk: Desk, number: str, step: str, error: BadField | Conflict, given: dict[str, str]) -> HTMLResponse:
    if not who.actor.may("case.read"):
        raise Forbidden(f"{who.actor.name} may not read cases")
    found = reading.opened(desk, who.actor, number)
    failed = Failed(step, "", str(error), given)
    if isinstance(error, BadField):
        failed = Failed(step, error.field, error.text, given)
    return _shown(request, who, desk, found, error.status, failed)


def _shown(
    request: Request, who: Who, desk: Desk, found: Case, status: int = 200, failed: Failed | None = None, done: str = "", whole: bool = False
) -> HTMLResponse:
    now = desk.now()
    with desk.store.reading() as session:
        seen = view.look(session, desk, who.actor, found, now, whole)
    return page(
        request, who, "case.html", status, view=seen, case=found, failed=failed or Failed(), labels=labels,
        state_of=ordering.state_of, done=DONE.get(done) or labels.STEPS.get(done, ""), **shown.helpers(who.language, found),
    )  # fmt: skip


DONE = {
    "opened": "A case was opened",
    "joined": "The referral joined this case",
    "written": "What the order will say was kept",
    "evidence": "Evidence was kept",
}
"""What is said of it after something that is no step."""
