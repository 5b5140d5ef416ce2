"""Referrals by programs: trusted flaggers', and the house's own; files of them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, Response

from authority.desk import imports, referrals
from authority.desk.errors import BadField
from authority.desk.web import upload
from authority.desk.web.api.shapes import referrals as shapes
from authority.desk.web.api.shapes.common import Id
from authority.desk.web.who import SignedIn, TheDesk

router = APIRouter(tags=["referrals"])
MOST_FILE = 32 << 20
"""Octets of a file of referrals that comes here; larger ones are imported by command."""
Key = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        max_length=60,
        description="Your own name of this referral. Sent again with it, the same is taken once, and the first answer comes again.",
    ),
]


@router.post("/referrals", status_code=201, responses={200: {"model": shapes.Taken, "description": "It had been sent before."}})
def refer(request: Request, who: SignedIn, desk: TheDesk, given: shapes.Refer, response: Response, key: Key = "") -> shapes.Taken:
    """Refer something. It opens a case, or joins the one that is open for the same name. So many in an hour are taken with a flagger's token."""
    if who.person is None:
        request.app.state.gate.flagged.count_token(who.token, desk.now())
    sent = referrals.Given(tuple(given.names), given.location, given.category, given.words, given.contact, given.threat)
    with desk.store.writing() as session:
        source: referrals.Source = "officer" if who.person else "flagger"
        taken = referrals.take(session, desk, who.actor, sent, desk.now(), source=source, key=key or None, why=given.why)
    response.status_code = 200 if taken.again else 201
    number = taken.number if who.actor.may("case.list") else None
    return shapes.Taken(reference=taken.reference, case=number, joined=taken.joined, again=taken.again)


@router.get("/referrals/{reference}")
def status(who: SignedIn, desk: TheDesk, reference: str) -> shapes.Status:
    """What came of a referral, for who has its reference."""
    with desk.store.reading() as session:
        return shapes.Status.model_validate(referrals.status(session, reference))


_CSV = {"requestBody": {"required": True, "content": {"text/csv": {"schema": {"type": "string", "format": "binary"}}}}}


@router.post("/imports", status_code=202, openapi_extra=_CSV)
def import_file(
    request: Request, who: SignedIn, desk: TheDesk, label: Annotated[str, Query(min_length=1, max_length=255)] = "import"
) -> shapes.Import:
    """Import a file of referrals: CSV whose first line names its columns, of `names`, `location`, `category`, `words`, `contact`, `threat`, `key`.

    It is kept when this answers, and read line by line afterwards. The same file again is the same import.
    """
    who.actor.require("case.open")
    data = bytearray()
    for piece in upload.body(request):
        data += piece
        if len(data) > MOST_FILE:
            raise BadField("body", f"at most {MOST_FILE} octets are taken here; use redhand desk import")
    return shapes.Import.model_validate(imports.begin(desk, who.actor, bytes(data), label, desk.now()))


@router.get("/imports")
def imported_all(
    who: SignedIn, desk: TheDesk, before: Annotated[int | None, Query(ge=1, lt=1 << 31, description="The id that the page before ended with.")] = None
) -> list[shapes.Import]:
    """Files of referrals, the newest first, at most 50 at a time."""
    with desk.store.reading() as session:
        return [shapes.Import.model_validate(each) for each in imports.recent(session, who.actor, before)]


@router.get("/imports/{id}")
def imported(who: SignedIn, desk: TheDesk, id: Id) -> shapes.Import:
    """How far an import is."""
    who.actor.require("case.list")
    with desk.store.reading() as session:
        return shapes.Import.model_validate(imports.find(session, id))


@router.get("/imports/{id}/faults")
def faults(who: SignedIn, desk: TheDesk, id: Id, after: Annotated[int, Query(ge=0, lt=1 << 31)] = 0) -> list[shapes.Fault]:
    """Lines that were not taken, and why; `after`: the id of the last one seen."""
    who.actor.require("case.list")
    with desk.store.reading() as session:
        imports.find(session, id)
        return [shapes.Fault.model_validate(each) for each in imports.faults(session, id, after)]
