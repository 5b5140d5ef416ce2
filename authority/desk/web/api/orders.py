"""Orders: drafted, guarded, signed elsewhere, published. Packets go out to be signed and come back; no key comes here."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from authority import packets
from authority.desk import ordering, publishing, reading, signing
from authority.desk.desk import Desk
from authority.desk.errors import BadField
from authority.desk.tables import Case, Order
from authority.desk.web import upload
from authority.desk.web.api.shapes import orders as shapes
from authority.desk.web.api.shapes.common import Act, Because, Digest, Number
from authority.desk.web.who import SignedIn, TheDesk

router = APIRouter(tags=["orders"])
_OCTETS = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}


@router.get("/cases/{number}/orders")
def of_case(who: SignedIn, desk: TheDesk, number: Number) -> list[shapes.Order]:
    """All orders of a case, the newest first."""
    case = reading.opened(desk, who.actor, number)
    with desk.store.reading() as session:
        return [shape(each, case.number) for each in ordering.orders_of(session, case)]


@router.post("/cases/{number}/orders", status_code=201)
def draft(who: SignedIn, desk: TheDesk, number: Number, given: shapes.Draft) -> shapes.Order:
    """Draft an order. The guards look at it, and their results stand in it."""
    made = ordering.draft(desk, who.actor, number, given.what, given.why, desk.now(), reasons=given.reasons, version=given.version)
    return shape(made, number)


@router.get("/orders/{digest}")
def order(who: SignedIn, desk: TheDesk, digest: Digest) -> shapes.Signed:
    """An order, with who signed it and who is missing. That its case was read is logged."""
    who.actor.require("case.read")
    found, number = _found(desk, digest)
    reading.opened(desk, who.actor, number)
    return signed(desk, found, number)


@router.post("/orders/{digest}/override", status_code=201)
def override(who: SignedIn, desk: TheDesk, digest: Digest, given: shapes.Override) -> shapes.Order:
    """Override what one guard says of one name: another draft, which one officer more must sign, takes this one's place."""
    _, number = _found(desk, digest)
    made = ordering.override(desk, who.actor, digest, given.guard, given.name, given.why, desk.now(), given.version)
    return shape(made, number)


@router.post("/orders/{digest}/signing")
def open_signing(who: SignedIn, desk: TheDesk, digest: Digest, given: Act) -> shapes.Order:
    """Ask officers to sign a block."""
    made = ordering.open_signing(desk, who.actor, digest, given.why, desk.now(), given.version)
    return shape(made, _found(desk, digest)[1])


@router.post("/orders/{digest}/abandon")
def abandon(who: SignedIn, desk: TheDesk, digest: Digest, given: Act) -> shapes.Order:
    """Drop a draft."""
    ordering.abandon(desk, who.actor, digest, given.why, desk.now(), given.version)
    return shape(*_found(desk, digest))


@router.get("/orders/{digest}/packet", response_class=Response, responses={200: {"content": _OCTETS}})
def packet(who: SignedIn, desk: TheDesk, digest: Digest) -> Response:
    """The packet, to be signed elsewhere: redhand authority sign."""
    name, octets = signing.packet(desk, who.actor, digest, desk.now())
    return Response(octets, media_type="application/octet-stream", headers={"Content-Disposition": f'attachment; filename="{name}"'})


@router.post("/packets", openapi_extra={"requestBody": {"required": True, "content": _OCTETS}})
def bring(request: Request, who: SignedIn, desk: TheDesk) -> shapes.Signed:
    """Bring back a packet that was signed, whichever order it is of."""
    who.actor.require("case.sign")
    data = bytearray()
    for piece in upload.body(request):
        data += piece
        if len(data) > packets.MAX_OCTETS:
            raise BadField("packet", f"a packet has at most {packets.MAX_OCTETS} octets")
    made = signing.take(desk, who.actor, bytes(data), desk.now())
    return signed(desk, *_found(desk, made.digest))


@router.post("/orders/{digest}/publish")
def publish(who: SignedIn, desk: TheDesk, digest: Digest, given: Because) -> shapes.Signed:
    """Publish an order that is fully signed. Doing it again changes nothing."""
    publishing.publish(desk, who.actor, digest, given.why, desk.now())
    return signed(desk, *_found(desk, digest))


def _found(desk: Desk, digest: str) -> tuple[Order, str]:
    with desk.store.reading() as session:
        found = ordering.find_order(session, digest)
        return found, session.get_one(Case, found.case_id).number


def _fields(found: Order, number: str) -> dict[str, object]:
    fields: dict[str, object] = {name: getattr(found, name) for name in shapes.Order.model_fields if name not in ("case", "guards")}
    return {**fields, "case": number, "guards": [shapes.Finding.model_validate(each) for each in ordering.findings(found)]}


def shape(found: Order, number: str) -> shapes.Order:
    """An order of the case with a number."""
    return shapes.Order.model_validate(_fields(found, number))


def signed(desk: Desk, found: Order, number: str) -> shapes.Signed:
    """Likewise, with who signed it and who is missing."""
    standing = signing.standing(desk, found)
    needs = [shapes.Need.model_validate(each) for each in standing.needs]
    return shapes.Signed.model_validate({**_fields(found, number), "needs": needs, "complete": standing.complete, "text": standing.text})
