"""Pages for everybody: refer something to the authority, see what came of it, object to an order, read the answer. Nobody signs in, no script runs.

No address is kept, and no cookie is needed. What is accepted is committed before the page says so; what is not is shown again as it was written.
"""

from __future__ import annotations

from collections import defaultdict
from hashlib import sha256
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import RedirectResponse, Response

from authority.desk import appeals, outbox, referrals
from authority.desk.desk import Desk
from authority.desk.errors import BadField, Conflict, DeskError, NotFound, TooMany
from authority.desk.roles import Actor
from authority.desk.web.case import Filled
from authority.desk.web.gate import Form, Gate
from authority.desk.web.page import page
from authority.desk.web.who import Maybe, TheDesk, Who, address, language_of, require_own
from authority.desk.words import clean

router = APIRouter()
PUBLIC = Actor("public")
TRAP = "website"
"""A field that people do not see; programs fill it in."""
AGAIN = "this form was sent already, with something else in it; if this is to be sent too, look at what you wrote, and send it again"
STATES = {
    "received": "It was received. Nobody has looked at it yet.",
    "looked_at": "It is being looked at.",
    "asked": "Whoever could remove the content has been asked to.",
    "ordered": "Blocking was ordered.",
    "ended": "Blocking was ordered, and has ended.",
    "closed": "It is closed; no order was made, or it is over.",
}
STANDINGS = {
    "owner": "The owner or publisher of the site",
    "host": "Who hosts it",
    "visitor": "Somebody who wanted to visit it",
    "other": "Somebody else",
}
DECISIONS = {
    "upheld": "The order stands.",
    "lifted": "The order is lifted.",
    "amended": "The order is changed.",
}
Reference = Annotated[str, Query(max_length=100)]


def gate_of(request: Request) -> Gate:
    """The application's one gate."""
    gate: Gate = request.app.state.gate
    return gate


TheGate = Annotated[Gate, Depends(gate_of)]


@router.get("/report")
def report(request: Request, who: Maybe, desk: TheDesk, gate: TheGate) -> Response:
    """The form of a referral."""
    return _report(request, who, desk, gate)


@router.post("/report")
def take(request: Request, who: Maybe, desk: TheDesk, gate: TheGate, given: Filled) -> Response:
    """Takes a referral; leads to where it stands."""
    try:
        number = _number(request, desk, gate, "report", given)
        sent = _sent(given)
        gate.reports.count(address(request), desk.now())
        with desk.store.writing() as session:
            taken = referrals.take(session, desk, PUBLIC, sent, desk.now(), source="public", key=number)
    except (BadField, TooMany) as error:
        if isinstance(error, BadField) and error.field == "key":
            error = BadField("stamp", AGAIN)
        return _report(request, who, desk, gate, error, given)
    return RedirectResponse(f"/report/status?reference={taken.reference}&done=1", 303)


@router.get("/report/status")
def status(request: Request, who: Maybe, desk: TheDesk, gate: TheGate, reference: Reference = "", done: str = "") -> Response:
    """What came of a referral, for who has its reference."""
    found, fault = None, ""
    if reference.strip():
        gate.looks.count(address(request), desk.now())
        try:
            with desk.store.reading() as session:
                found = referrals.status(session, reference)
        except NotFound as error:
            fault = str(error)
    values: dict[str, Any] = {"found": found, "fault": fault, "reference": reference, "done": bool(done and found), "states": STATES}
    return _page(request, who, desk, gate, "report_status.html", 404 if fault else 200, **values)


@router.get("/appeal")
def object_to(request: Request, who: Maybe, desk: TheDesk, gate: TheGate, order: Annotated[str, Query(max_length=64)] = "") -> Response:
    """The form of an appeal; the page that a visitor of a blocked site sees may name the order."""
    return _appeal(request, who, desk, gate, given={"order": order})


@router.post("/appeal")
def file(request: Request, who: Maybe, desk: TheDesk, gate: TheGate, given: Filled) -> Response:
    """Takes an appeal; leads to where its answer will be."""
    language = who.language if who else language_of(request)
    try:
        number = _number(request, desk, gate, "appeal", given)
        said = sha256("\0".join(given.get(each, "") for each in ("order", "standing", "words", "contact")).encode(errors="replace")).hexdigest()
        with gate.filing:
            reference = gate.filed.get(number)
            if reference is None:
                gate.appeals.count(address(request), desk.now())
                reference = _filed(desk, given, language)
                gate.remember(number, reference)
                gate.remember(f"{number} said", said)
            elif gate.filed.get(f"{number} said") != said:
                raise BadField("stamp", AGAIN)
    except (BadField, TooMany) as error:
        return _appeal(request, who, desk, gate, error, given)
    return RedirectResponse(f"/appeal/status?reference={quote(reference)}&done=1", 303)


@router.get("/appeal/status")
def answered(request: Request, who: Maybe, desk: TheDesk, gate: TheGate, reference: Reference = "", done: str = "") -> Response:
    """The answer to an appeal, for who has its reference."""
    found, fault = None, ""
    if reference.strip():
        gate.looks.count(address(request), desk.now())
        try:
            with desk.store.reading() as session:
                found = appeals.status(session, reference)
        except NotFound as error:
            fault = str(error)
    values: dict[str, Any] = {"found": found, "fault": fault, "reference": reference, "done": bool(done and found), "decisions": DECISIONS}
    return _page(request, who, desk, gate, "appeal_status.html", 404 if fault else 200, **values)


def _number(request: Request, desk: Desk, gate: Gate, form: Form, given: dict[str, str]) -> str:
    require_own(request.headers, desk)
    if given.get(TRAP):
        raise BadField(TRAP, "a program filled in the field that is to stay empty; empty it, and send the form again")
    return gate.number(form, given.get("stamp", ""), desk.now())


def _sent(given: dict[str, str]) -> referrals.Given:
    """What is wrong with it is found here, before anything is counted or any lock is taken."""
    location = clean(given.get("location", ""), "location", 8000)
    if not referrals.names_in(location):
        raise BadField("location", "no name of a site is in it; write one such as www.site.example, or the address of the page")
    if contact := given.get("contact", ""):
        contact = outbox.address(contact, "contact")
    words = clean(given.get("words", ""), "words", 20_000)
    return referrals.Given(location=location, category=given.get("category", ""), words=words, contact=contact, threat=given.get("threat") == "yes")


def _filed(desk: Desk, given: dict[str, str], language: str) -> str:
    standing, words, contact = given.get("standing", ""), given.get("words", ""), given.get("contact", "")
    with desk.store.writing() as session:
        try:
            case = appeals.find_by_order(session, given.get("order", ""))
            filed = appeals.file(
                session, desk, PUBLIC, case.number, standing, words, "it came by the public form", desk.now(), contact=contact, language=language
            )
        except NotFound:
            raise BadField("order", "there is no order with this number; it stands on the page that is shown in place of the site") from None
        except Conflict:
            raise BadField("order", "no order with this number is in force, or was, to which one could object") from None
        return filed.reference


def _report(
    request: Request, who: Who | None, desk: Desk, gate: Gate, error: DeskError | None = None, given: dict[str, str] | None = None
) -> Response:
    epoch = gate.epoch(desk.now())
    language = who.language if who else language_of(request)
    texts = {name: each.texts.get(language) or next(iter(each.texts.values())) for name, each in epoch.categories.items()} if epoch else {}
    return _form(request, who, desk, gate, "report", "report.html", error, given, categories=texts)


def _appeal(
    request: Request, who: Who | None, desk: Desk, gate: Gate, error: DeskError | None = None, given: dict[str, str] | None = None
) -> Response:
    return _form(request, who, desk, gate, "appeal", "appeal_file.html", error, given, standings=STANDINGS)


def _form(
    request: Request, who: Who | None, desk: Desk, gate: Gate, form: Form, template: str, error: DeskError | None, given: dict[str, str] | None,
    **values: Any,
) -> Response:  # fmt: skip
    """The form, as it was filled in. It keeps its stamp, and so its number, unless that was what was wrong."""
    given = given or {}
    field, text = (error.field, error.text) if isinstance(error, BadField) else ("", str(error or ""))
    stamp = given.get("stamp", "") if error and field != "stamp" else gate.stamp(form, desk.now())
    headers = {"Retry-After": str(error.seconds)} if isinstance(error, TooMany) else {}
    values |= {"given": defaultdict(str, given), "field": field, "fault": text, "stamp": stamp, "trap": TRAP}
    return _page(request, who, desk, gate, template, error.status if error else 200, headers, **values)


def _page(
    request: Request, who: Who | None, desk: Desk, gate: Gate, template: str, status: int = 200, headers: dict[str, str] | None = None, **values: Any
) -> Response:  # fmt: skip
    epoch = gate.epoch(desk.now())
    names = [each.name for each in epoch.authorities.values()] if epoch else []
    return page(request, who, template, status, headers, authority=" · ".join(names), **values)
