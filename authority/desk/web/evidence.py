"""The page of a case's evidence: what there is, added, taken out to be looked at, held, kept longer, proposed for shredding.

Nothing of it is ever shown in a page: it goes out as a file. Who takes it out says why, and stands in the audit log before its first octet.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse

from authority.desk import reading
from authority.desk.desk import Desk
from authority.desk.errors import BadField, Conflict, NotFound
from authority.desk.evidence import keeping, shredding
from authority.desk.evidence.keeping import Observation
from authority.desk.web import acts, labels, upload
from authority.desk.web.case import Failed, Filled
from authority.desk.web.page import page
from authority.desk.web.who import Posted, SignedIn, TheDesk, Who

router = APIRouter()
DONE = {
    "added": "The evidence is kept",
    "observed": "The observation is kept",
    "held": "It may not be deleted until two persons release it",
    "extended": "It is kept longer",
    "proposed": "A second person must now confirm it, under Proposals",
}


@router.get("/cases/{number}/evidence")
def evidence(request: Request, who: SignedIn, desk: TheDesk, number: str, done: str = "") -> HTMLResponse:
    """The page."""
    return _shown(request, who, desk, number, done=done)


@router.post("/cases/{number}/evidence")
def add(request: Request, who: SignedIn, desk: TheDesk, number: str) -> Response:
    """Keeps a file: it is encrypted as it arrives, so the route takes no form of FastAPI's, which would write it to a temporary file first."""
    who.actor.require("evidence.add")
    file = upload.form(request, who)
    given = {name: value.strip() for name, value in file.fields.items()}
    label = given.get("label") or file.name

    def keep() -> object:
        if not file.name:
            raise BadField("content", "choose a file")
        return keeping.add(desk, who.actor, number, file.chunks, label, file.media_type, given.get("why", ""), desk.now())

    return _done(request, who, desk, number, "add", given, keep, "added")


@router.post("/cases/{number}/evidence/observed")
def observe(request: Request, who: Posted, desk: TheDesk, number: str, given: Filled) -> Response:
    """Keeps a record of what was seen, without content."""

    def keep() -> object:
        digest, status = given.get("sha256", "").lower(), given.get("status", "") or "0"
        if digest and (len(digest) != 64 or set(digest) - set("0123456789abcdef")):
            raise BadField("sha256", "it is no SHA-256: 64 hex digits")
        if not (status.isascii() and status.isdigit() and len(status) < 4):
            raise BadField("status", "it is no status of an HTTP answer, such as 200")
        for field, most in (("location", 2000), ("words", 2000)):
            if len(given.get(field, "")) > most:
                raise BadField(field, f"write at most {most} characters")
        if not given.get("location"):
            raise BadField("location", "write where it was seen")
        seen = Observation(
            location=given["location"], seen_at=acts.moment_of(given, "seen_at", desk.now()), sha256=digest, status=int(status),
            words=given.get("words", ""),
        )  # fmt: skip
        return keeping.observe(desk, who.actor, number, seen, given.get("label", ""), given.get("why", ""), desk.now())

    return _done(request, who, desk, number, "observe", given, keep, "observed")


@router.post("/cases/{number}/evidence/{item}/file", response_model=None)
def take_out(request: Request, who: Posted, desk: TheDesk, number: str, item: int, given: Filled) -> Response:
    """The file, for who says why."""
    _require_of(desk, number, item)
    why = given.get("why", "")
    if not why:
        return _shown(request, who, desk, number, 422, Failed(f"file-{item}", "why", "say why you look at it; it is logged", given))
    opened = keeping.read(desk, who.actor, item, desk.now(), why)
    return StreamingResponse(opened.chunks, headers=keeping.headers(opened.evidence))


@router.post("/cases/{number}/evidence/{item}/{act}")
def change(request: Request, who: Posted, desk: TheDesk, number: str, item: int, act: str, given: Filled) -> Response:
    """Holds it, keeps it longer, or proposes its release or its shredding."""
    _require_of(desk, number, item)
    now, why = desk.now(), given.get("why", "")
    acted: dict[str, tuple[Callable[[], object], str]] = {
        "hold": (lambda: keeping.hold(desk, who.actor, item, why, now), "held"),
        "extend": (lambda: keeping.extend(desk, who.actor, item, acts.date_of(given, "until"), why, now), "extended"),
        "release": (lambda: shredding.propose_release(desk, who.actor, item, why, now), "proposed"),
        "shred": (lambda: shredding.propose(desk, who.actor, [item], why, now, early=given.get("early") == "yes"), "proposed"),
    }
    if act not in acted:
        raise BadField("act", "it is none of hold, extend, release, shred")
    does, done = acted[act]
    return _done(request, who, desk, number, f"{act}-{item}", given, does, done)


def _require_of(desk: Desk, number: str, item: int) -> None:
    """Raises NotFound unless the object is the case's: an address names both, and both must be meant."""
    with desk.store.reading() as session:
        _, case = keeping.find(session, item)
    if case.number != number:
        raise NotFound(f"case {number[:40]} has no evidence {item}")


def _done(request: Request, who: Who, desk: Desk, number: str, form: str, given: dict[str, str], does: Callable[[], object], done: str) -> Response:
    try:
        does()
    except (BadField, Conflict) as error:
        failed = Failed(form, "", str(error), given)
        if isinstance(error, BadField):
            failed = Failed(form, error.field, error.text, given)
        return _shown(request, who, desk, number, error.status, failed)
    return RedirectResponse(f"/cases/{quote(number)}/evidence?done={done}", 303)


def _shown(request: Request, who: Who, desk: Desk, number: str, status: int = 200, failed: Failed | None = None, done: str = "") -> HTMLResponse:
    case = reading.opened(desk, who.actor, number)
    with desk.store.reading() as session:
        procedure = desk.procedure(session)
        items = keeping.of_case(session, who.actor, number)
        forbidden = keeping.forbidden(case, procedure)
    return page(
        request, who, "evidence.html", status, case=case, items=items, forbidden=forbidden, failed=failed or Failed(), done=DONE.get(done, ""),
        labels=labels, observation=keeping.OBSERVATION,
    )  # fmt: skip
