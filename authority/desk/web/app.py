"""The desk's application: every part's router, the headers of every answer, and what an error becomes. It decides nothing itself.

Nobody is watched: no line is logged for a request; a fault of ours is logged with its place and without the request.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
import sqlite3
from functools import partial
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from sqlalchemy.exc import DataError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException

from authority.desk.desk import Desk
from authority.desk.errors import BadField, DeskError, SignInNeeded, TooMany
from authority.desk.web import page as pages
from authority.desk.web.bounds import Bounds
from authority.desk.web.door import Door
from authority.desk.web.gate import Gate
from authority.desk.web.who import API, maybe
from authority.errors import AuthorityError

ROUTERS = (
    "sign_in", "account", "people", "proposals", "documents", "audit",
    "queues", "case", "imports", "orders", "review", "evidence", "appeals", "reports", "compliance", "public", "api",
)  # fmt: skip
"""Modules here, each with `router: APIRouter`. Those of the API are in its description; pages are not."""

_log = logging.getLogger("redhand.desk")


def create_app(desk: Desk) -> FastAPI:
    """The application on one desk."""
    # No redirect for a stroke too many at a path's end: it would lead to whatever host the client named.
    app = FastAPI(
        title="Red Hand: the authority's desk", version="1", docs_url=None, redoc_url=None, openapi_url="/api/v1/openapi.json", redirect_slashes=False
    )  # fmt: skip
    app.state.desk = desk
    app.state.door = Door(desk)
    app.state.gate = Gate(desk)
    for name in ROUTERS:
        module = f"authority.desk.web.{name}"
        if importlib.util.find_spec(module) is not None:
            app.include_router(importlib.import_module(module).router, include_in_schema=name == "api")
    for path, octets, media_type in ((*pages.style(), "text/css"), (*pages.icon(), "image/svg+xml")):
        app.add_api_route(path, partial(_fixed, octets, media_type, 31_536_000), include_in_schema=False)
    # Browsers ask for it by this name where no page said another, as beside a file or a problem of the API.
    app.add_api_route("/favicon.ico", partial(_fixed, pages.icon()[1], "image/svg+xml", 86_400), include_in_schema=False)

    @app.get("/robots.txt", include_in_schema=False)
    def robots() -> PlainTextResponse:
        return PlainTextResponse("User-agent: *\nDisallow: /\n")

    app.add_exception_handler(AuthorityError, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(OperationalError, _busy)
    app.add_exception_handler(PoolTimeout, _busy)
    app.add_exception_handler(DataError, _odd)
    app.add_exception_handler(OverflowError, _odd)
    app.add_exception_handler(Exception, _fault)
    app.add_middleware(Bounds, desk=desk)
    return app


def _fixed(octets: bytes, media_type: str, seconds: int) -> Response:
    lasting = ", immutable" if seconds > 86_400 else ""
    return Response(octets, media_type=media_type, headers={"Cache-Control": f"public, max-age={seconds}{lasting}"})


def answer(request: Request, status: int, detail: str, field: str = "", headers: dict[str, str] | None = None) -> Response:
    """An error as a page, or under /api/ as problem details (RFC 9457)."""
    if request.url.path.startswith(API):
        problem: dict[str, Any] = {"type": "about:blank", "title": TITLES.get(status, "Error"), "status": status, "detail": detail}
        if field:
            problem["field"] = field
        return JSONResponse(problem, status, headers, "application/problem+json")
    try:
        who = maybe(request)
    except Exception:  # whoever cannot be found out now still gets the page
        who = None
    return pages.page(request, who, "error.html", status, headers, title=TITLES.get(status, "Error"), detail=detail, field=field)


TITLES = {
    400: "This cannot be done",
    401: "Sign in first",
    403: "You may not do this",
    404: "There is nothing here",
    405: "This cannot be done",
    409: "This cannot be done now",
    413: "That is too large",
    422: "Something in the form is missing or wrong",
    429: "Too many tries",
    500: "A fault of ours",
    503: "The desk is busy",
}


def _refused(request: Request, error: Exception) -> Response:
    if isinstance(error, SignInNeeded) and not request.url.path.startswith(API):
        wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(f"/sign-in?next={quote(wanted)}" if request.method == "GET" and wanted != "/" else "/sign-in", 303)
    headers = {"Retry-After": str(error.seconds)} if isinstance(error, TooMany) else {}
    if isinstance(error, SignInNeeded):
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, BadField):
        return answer(request, error.status, error.text, error.field, headers)
    return answer(request, error.status if isinstance(error, DeskError) else 400, str(error), "", headers)


def _invalid(request: Request, error: Exception) -> Response:
    faults = error.errors() if isinstance(error, RequestValidationError) else []
    field = ".".join(str(part) for part in faults[0]["loc"][1:]) if faults else ""
    return answer(request, 422, str(faults[0]["msg"])[:400] if faults else "the request cannot be read", field)


def _http(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
    details = {404: "there is no such page", 405: "the page does not take this", 413: "less is taken here"}
    if request.url.path.startswith(API):
        details |= {404: "there is no such call; /api/v1/openapi.json describes all", 405: "the call does not take this method"}
    return answer(request, status, details.get(status, "the request cannot be read"), "", headers)


def _busy(request: Request, error: Exception) -> Response:
    # SQLite says by the same class that a table is missing or the disk is full: no waiting helps there.
    said = getattr(error, "orig", None)
    if isinstance(said, sqlite3.Error) and not {"locked", "busy"} & set(str(said).split()):
        return _fault(request, error)
    _log.warning("the database did not answer in time: %s", type(error).__name__)
    return answer(request, 503, "the database did not answer in time; nothing was changed; try again", "", {"Retry-After": "5"})


def _odd(request: Request, _: Exception) -> Response:
    return answer(request, 422, "it has a number that is too large, or a character that no text has; nothing was changed")


def _fault(request: Request, error: Exception) -> Response:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else "nowhere"
    _log.error("a request could not be answered: %s at %s", type(error).__name__, where)
    return answer(request, 500, "something went wrong here; nothing was changed; tell whoever runs the desk")
