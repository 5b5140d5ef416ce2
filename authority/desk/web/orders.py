"""The page of an order: what is signed, what the guards say, who signed and who is missing; packets out and in; publication.

No key comes here: officers take the packet away, sign it on their own machine, and bring it back.
"""

from __future__ import annotations

from typing import cast
from urllib.parse import quote

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from authority import packets
from authority.desk import ordering, publishing, reading, signing, states
from authority.desk.desk import Desk
from authority.desk.errors import BadField, Conflict, NotFound
from authority.desk.states import State
from authority.desk.tables import Case, Order
from authority.desk.web import acts, labels, upload
from authority.desk.web.case import Failed, Filled
from authority.desk.web.page import page
from authority.desk.web.who import Posted, SignedIn, TheDesk, Who
from authority.errors import AuthorityError

router = APIRouter()
DONE = {
    "drafted": "The order was drafted",
    "overridden": "The guard was overridden: the order was drafted anew, with one signature more",
    "signing": "Officers may now sign",
    "signed": "The signature was taken",
    "published": "The order is published",
    "abandoned": "The draft was dropped",
}


@router.get("/orders/{digest}")
def order(request: Request, who: SignedIn, desk: TheDesk, digest: str, done: str = "") -> HTMLResponse:
    """The page. That its case was read is logged before it is shown."""
    return _shown(request, who, desk, digest, done=done)


@router.get("/orders/{digest}/packet")
def packet(who: SignedIn, desk: TheDesk, digest: str) -> Response:
    """The packet, to be signed elsewhere."""
    name, octets = signing.packet(desk, who.actor, digest, desk.now())
    return Response(octets, media_type="application/octet-stream", headers={"Content-Disposition": f'attachment; filename="{name}"'})


@router.get("/packets")
def bring(request: Request, who: SignedIn) -> HTMLResponse:
    """Where a signed packet comes back, whichever order it is of."""
    who.actor.require("case.sign")
    return page(request, who, "packets.html", failed=Failed())


@router.post("/packets")
def brought(request: Request, who: SignedIn, desk: TheDesk) -> Response:
    """Takes the signatures in a packet; leads to its order."""
    who.actor.require("case.sign")
    try:
        octets = upload.whole(upload.form(request, who), packets.MAX_OCTETS)
        made = signing.take(desk, who.actor, octets, desk.now())
    except (BadField, Conflict, NotFound) as error:
        said = error.text if isinstance(error, BadField) else str(error)
        return page(request, who, "packets.html", error.status, failed=Failed("packet", "packet", said))
    return RedirectResponse(f"/orders/{made.digest}?done=signed", 303)


@router.post("/orders/{digest}/override")
def override(request: Request, who: Posted, desk: TheDesk, digest: str, given: Filled) -> Response:
    """Overrides what one guard says of one name; leads to the order that takes this one's place."""
    guard, name = given.get("guard", ""), given.get("name", "")
    try:
        made = ordering.override(desk, who.actor, digest, guard, name, given.get("why", ""), desk.now(), acts.version_of(given))
    except (BadField, Conflict) as error:
        return _again(request, who, desk, digest, f"override-{guard}-{name}", error, given)
    return RedirectResponse(f"/orders/{made.digest}?done=overridden", 303)


@router.post("/orders/{digest}/signing")
def sign(request: Request, who: Posted, desk: TheDesk, digest: str, given: Filled) -> Response:
    """Asks officers to sign."""
    try:
        ordering.open_signing(desk, who.actor, digest, given.get("why", ""), desk.now(), acts.version_of(given))
    except (BadField, Conflict) as error:
        return _again(request, who, desk, digest, "signing", error, given)
    return RedirectResponse(f"/orders/{quote(digest)}?done=signing", 303)


@router.post("/orders/{digest}/publish")
def publish(request: Request, who: Posted, desk: TheDesk, digest: str, given: Filled) -> Response:
    """Publishes it."""
    try:
        publishing.publish(desk, who.actor, digest, given.get("why", ""), desk.now())
    except (BadField, Conflict) as error:
        return _again(request, who, desk, digest, "publish", error, given)
    return RedirectResponse(f"/orders/{quote(digest)}?done=published", 303)


@router.post("/orders/{digest}/abandon")
def abandon(request: Request, who: Posted, desk: TheDesk, digest: str, given: Filled) -> Response:
    """Drops the draft."""
    try:
        ordering.abandon(desk, who.actor, digest, given.get("why", ""), desk.now(), acts.version_of(given))
    except (BadField, Conflict) as error:
        return _again(request, who, desk, digest, "abandon", error, given)
    return RedirectResponse(f"/orders/{quote(digest)}?done=abandoned", 303)


def _again(request: Request, who: Who, desk: Desk, digest: str, form: str, error: BadField | Conflict, given: dict[str, str]) -> HTMLResponse:
    failed = Failed(form, "", str(error), given)
    if isinstance(error, BadField):
        failed = Failed(form, error.field, error.text, given)
    return _shown(request, who, desk, digest, error.status, failed)


def _shown(request: Request, who: Who, desk: Desk, digest: str, status: int = 200, failed: Failed | None = None, done: str = "") -> HTMLResponse:
    who.actor.require("case.read")
    with desk.store.reading() as session:
        found = ordering.find_order(session, digest)
        case_number = session.get_one(Case, found.case_id).number
    case = reading.opened(desk, who.actor, case_number)
    try:
        standing, trouble = signing.standing(desk, found), ""
    except AuthorityError as error:
        standing, trouble = None, str(error)
    at = ordering.state_of(found, case)
    if at == "waiting" and standing is not None and standing.complete:
        at = "complete"
    findings = ordering.findings(found)
    return page(
        request, who, "order.html", status, order=found, case=case, at=at, standing=standing, trouble=trouble, findings=findings,
        open_findings=[each for each in findings if each.stands], can=_can(who, case, found, at), failed=failed or Failed(),
        done=DONE.get(done, ""), labels=labels, packet_name=signing.name_of(found),
    )  # fmt: skip


def _can(who: Who, case: Case, found: Order, at: str) -> frozenset[str]:
    """What this person may do with it now."""
    actor = who.actor
    able: set[str] = set()
    if at in ("published", "dropped"):
        return frozenset()
    steps = states.open_to(cast(State, case.state), actor)
    if "override_guard" in steps and (found.what != "block" or case.state == "drafted"):
        able.add("override")
    if at == "draft" and "open_signing" in steps:
        able.add("signing")
    if at != "draft":
        able |= {"packet"} | ({"bring"} if actor.may("case.sign") else set())
    if at == "complete" and actor.may("case.publish"):
        able.add("publish")
    if ("abandon_draft" if found.what == "block" else "abandon_follower") in steps:
        able.add("abandon")
    return frozenset(able)
