"""The operator's own pages, on a name of its own: where an error is reported, and where it is seen what became of the report.

No page has a script or a cookie. A report is on the disk before the visitor is told that it was received; of the visitor nothing is kept but what was
written. Addresses are held in memory alone, to say who sends too much. No request is logged; of a fault of ours, its place is.
"""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote

from fastapi import FastAPI, Request
from fastapi.responses import RedirectResponse, Response
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import Scope

from blocklists import report
from blocklists.errors import BadDocument, RedHandError
from blocklists.reports import Differs, Full, Reports, Waiting
from landing import faults, language
from landing.gate import WAIT_SECONDS, Gate
from landing.limits import Limit, TooMany
from landing.look import Look
from landing.page import HTML, Pages
from landing.report import MOST_OCTETS, TRAP, Fault, fields_of, prefilled, read
from landing.settings import LandingSettings
from landing.stamps import Stamps, TooOld, TooSoon

EACH_HOUR, ALL_MINUTE = 10, 120
"""Reports that are taken: in an hour from one visitor, or from all behind one address; and in a minute from everybody."""
LOOKS_MINUTE, ALL_LOOKS_MINUTE = 60, 6_000
"""Times that what became of a report may be asked."""
FORM = "application/x-www-form-urlencoded"

_log = logging.getLogger("redhand.landing")


def create_own(settings: LandingSettings, state_dir: Path, carried: bool = True) -> FastAPI:
    """The application. `carried`: whether a feed client here takes reports to an authority; without one the form says that it goes nowhere."""
    own = Own(settings, state_dir, carried)
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    for path, answer in (("/", own.index), ("/report", own.form), ("/report/follow", own.follow), ("/report/{reference}", own.status)):
        app.add_api_route(path, answer, methods=["GET", "HEAD"])
    app.add_api_route("/report", own.take, methods=["POST"])
    app.add_exception_handler(HTTPException, own.missing)
    app.add_exception_handler(TooMany, own.many)
    app.add_exception_handler(Exception, own.fault)
    app.add_middleware(Gate, busy=own.busy)
    return app


class Own:
    """What the pages answer from."""

    def __init__(self, settings: LandingSettings, state_dir: Path, carried: bool) -> None:
        self._settings = settings
        self._carried = carried
        self._pages = Pages(settings.operator, settings.operator_url, Look.of(settings, forms=True), settings.own_url, settings.language)
        self._reports = Reports(state_dir)
        self._stamps = Stamps(self._reports.prepare())
        self._sent = Limit(EACH_HOUR, 3600, ALL_MINUTE)
        self._busy: dict[str, tuple[list[tuple[bytes, bytes]], bytes]] = {}
        self._looks = Limit(LOOKS_MINUTE, 60, ALL_LOOKS_MINUTE)
        self._headers = {
            "Cache-Control": "no-store",
            "Vary": "Accept-Language",
            "Content-Security-Policy": self._pages.security_policy.replace("form-action 'none'", "form-action 'self'"),
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
        }

    def index(self, request: Request) -> Response:
        """What this name is for."""
        return self._page(request, "own.html")

    def form(self, request: Request) -> Response:
        """The form, with the order and the name that a blocked site's page gave."""
        return self._form(request, prefilled(request.url.query))

    async def take(self, request: Request) -> Response:
        """Takes a report, and leads to where it stands."""
        body = bytearray()
        try:
            async for piece in request.stream():
                body += piece
                if len(body) > MOST_OCTETS:
                    # What is left of the body is not read: the connection cannot go on.
                    return self._form(request, {}, Fault("report_bad_words", "words", count=report.MOST_WORDS), 413, headers={"Connection": "close"})
        except ClientDisconnect:  # no fault of ours, and nobody is there to hear of it
            return Response(status_code=400)
        return await run_in_threadpool(self._take, request, bytes(body))

    def follow(self, request: Request) -> Response:
        """Leads from a reference that somebody typed to its page."""
        typed = _asked(request, "reference")
        found = report.reference_in(typed)
        chosen = self._language(request)
        if found is not None:
            return self._redirect(f"/report/{found}?lang={chosen}")
        return self._page(request, "report_follow.html", 404 if typed else 200, typed=typed[:100], fault="report_unknown" if typed else "")

    def status(self, request: Request, reference: str) -> Response:
        """What became of a report, for who has its reference."""
        self._looks.count(_address(request), time.monotonic())
        name = report.reference_in(reference)
        found = self._reports.status(name) if name is not None else None
        if name is None or found is None:
            return self._page(request, "report_follow.html", 404, typed=reference[:100], fault="report_unknown")
        new = bool(_asked(request, "new"))
        if isinstance(found, Waiting):
            return self._page(request, "report_status.html", reference=name, new=new, taken=None, outcome=None, answered=None)
        answered = _moment(found.outcome.at) if found.outcome else None
        return self._page(request, "report_status.html", reference=name, new=new, taken=_moment(found.at), outcome=found.outcome, answered=answered)

    def missing(self, request: Request, error: Exception) -> Response:
        """A page for what is not here, or is not taken."""
        status = error.status_code if isinstance(error, HTTPException) else 404
        headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
        return self._page(request, "own_missing.html", status, headers=headers)

    def many(self, request: Request, error: Exception) -> Response:
        """Who asks too much is told when to come back."""
        seconds = error.seconds if isinstance(error, TooMany) else WAIT_SECONDS
        return self._page(request, "own_busy.html", 429, headers={"Retry-After": str(seconds)}, seconds=seconds)

    def busy(self, scope: Scope) -> tuple[list[tuple[bytes, bytes]], bytes]:
        """The same from what is kept, once it was made in a language."""
        chosen = self._language(Request(scope))
        kept = self._busy.get(chosen)
        if kept is None:
            fields = {**self._headers, "Content-Language": chosen, "Content-Type": HTML}
            body = self._pages.html("own_busy.html", chosen, seconds=WAIT_SECONDS).encode()
            kept = self._busy[chosen] = [(name.lower().encode(), value.encode()) for name, value in fields.items()], body
        return kept

    def fault(self, request: Request, error: Exception) -> Response:
        """A fault of ours; its message may hold the visitor's words, so that only its kind and place are logged."""
        faults.told("a request for the operator's own pages could not be answered", error)
        return self._page(request, "plain.html", 500, kind="fault")

    def _take(self, request: Request, body: bytes) -> Response:
        given: Mapping[str, str] = {}
        try:
            if not self._carried:
                raise Fault("report_full")
            self._require_own(request)
            given = fields_of(body)
            if given.get(TRAP):
                raise Fault("report_trapped")
            now = int(time.time())
            found = read(given, self._stamps.reference(given.get("stamp", ""), now), self._language(request), now)
            self._sent.count(_address(request), time.monotonic())
            self._reports.keep(found)
        except Fault as fault:
            return self._form(request, given, fault, 503 if fault.key == "report_full" else 422)
        except TooOld:
            return self._form(request, given, Fault("report_stamp"), 422, anew=True)
        except Differs:
            return self._form(request, given, Fault("report_again"), 422, anew=True)
        except TooSoon:
            return self._form(request, given, Fault("report_soon"), 422)
        except TooMany as error:
            return self._form(request, given, Fault("report_many", seconds=error.seconds), 429, headers={"Retry-After": str(error.seconds)})
        except BadDocument:
            return self._form(request, given, Fault("report_bad_words", "words", count=report.MOST_WORDS), 422)
        except (Full, RedHandError, OSError) as error:
            _log.error("a report of an error could not be kept: %s", error)
            return self._form(request, given, Fault("report_full"), 503, headers={"Retry-After": "600"})
        return self._redirect(f"/report/{found.reference}?new=1&lang={self._language(request)}")

    def _require_own(self, request: Request) -> None:
        """Raises Fault when the form was sent from another site's page, or is none."""
        headers = request.headers
        origin = headers.get("origin", "null")
        # Our own pages send no referrer, and a browser then calls their origin null (Fetch, section 3.2).
        if headers.get("sec-fetch-site", "none") not in ("same-origin", "none") or (
            origin != "null" and origin.partition("://")[2] != headers.get("host", "")
        ):
            raise Fault("report_foreign")
        if headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
            raise Fault("report_stamp")

    def _form(
        self, request: Request, given: Mapping[str, str], fault: Fault | None = None, status: int = 200, *, anew: bool = False,
        headers: Mapping[str, str] | None = None,
    ) -> Response:  # fmt: skip
        """The form as it was filled in. It keeps its stamp, and so its reference, unless that was what was wrong."""
        if not self._carried:
            return self._page(request, "report_nowhere.html", status)
        stamp = given.get("stamp", "")
        if not stamp or anew:
            try:
                stamp = self._stamps.make(int(time.time()))
            except OSError as error:
                _log.error("the form for errors cannot be given out: %s; mend %s", error, self._reports.waiting)
                stamp, status, fault = "", 503, Fault("report_full")
        kept = "".join(f"{field}={quote(given[field][:1024])}&" for field in ("order", "name") if given.get(field))
        values: dict[str, Any] = {"given": defaultdict(str, given), "fault": fault, "stamp": stamp, "trap": TRAP, "most": report.MOST_WORDS}
        return self._page(request, "report.html", status, headers=headers, query=kept, **values)

    def _page(self, request: Request, template: str, status: int = 200, headers: Mapping[str, str] | None = None, **values: Any) -> Response:
        chosen = self._language(request)
        text = self._pages.html(template, chosen, **values)
        return Response(text, status, {**self._headers, "Content-Language": chosen, **(headers or {})}, HTML)

    def _redirect(self, target: str) -> Response:
        return RedirectResponse(target, 303, self._headers)

    def _language(self, request: Request) -> str:
        return language.choose(_asked(request, "lang"), request.headers.get("accept-language", ""), self._settings.language)


def _asked(request: Request, name: str) -> str:
    """A field of the request's query; empty when it is not there, or the query is absurd."""
    query = request.url.query
    if len(query) > 4096:
        return ""
    try:
        return parse_qs(query, max_num_fields=32).get(name, [""])[0]
    except ValueError:
        return ""


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
