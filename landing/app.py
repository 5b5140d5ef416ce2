"""The landing application: every method, path and Host in, one page out.

It keeps nothing about a visitor and never reads a request's body, cookies or credentials, which were meant for another site. A fault in one
request is a plain page and a line in the log without the request; the process goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from fastapi import FastAPI
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

from blocklists import names, readers, store
from blocklists.agreed import Timekeeper
from blocklists.alarms import Alarms
from blocklists.errors import REBUILD, DiskError, RedHandError
from blocklists.follower import Follower
from blocklists.index import Rule
from blocklists.inotify import Arrivals
from blocklists.news import News
from landing import host, language, verdict
from landing.alias import Aliases
from landing.host import BadHost, Host
from landing.page import Page, Pages
from landing.settings import LandingSettings

HEALTH = b"/.well-known/redhand/health"
"""Answered on the landing's own addresses and on localhost only: under any other Host the path belongs to the blocked site."""

LOOK_SECONDS = 0.25
"""How often the store is asked, by one stat, whether another version is current, though nothing was heard of one: not every file system tells."""

RETRY_SECONDS = 1.0
"""Pause after a version that could not be opened: reading a large one whole costs too much to try it as often as one looks."""

RENDERED_PAGES = 512
READER = "landing"

_log = logging.getLogger("redhand.landing")


class Site:
    """What the page answers from: the version in force, the resolver's word on aliases, and a bounded cache of rendered pages."""

    def __init__(self, settings: LandingSettings, state_dir: Path, alarms: Alarms) -> None:
        self._settings = settings
        self._state_dir = state_dir
        self._follower = Follower(state_dir)
        self._version: store.Version | None = None
        self._time = Timekeeper(state_dir)
        self._alarms = alarms
        self._published: int | None = None
        self._pages = Pages(settings.operator, settings.operator_url)
        self._aliases = Aliases(settings.resolver)
        self._rendered: OrderedDict[tuple[object, ...], Page] = OrderedDict()
        link = f'<{settings.operator_url}>; rel="blocked-by"'.encode()
        self._headers = [
            (b"cache-control", b"no-store"),
            (b"vary", b"Accept, Accept-Language"),
            (b"content-security-policy", self._pages.security_policy.encode()),
            (b"referrer-policy", b"no-referrer"),
            (b"x-content-type-options", b"nosniff"),
        ]
        self._blocked_headers = [(b"link", link), *self._headers]

    async def follow(self) -> None:
        """Puts each new current version in force, for ever. A version that cannot be opened leaves the last one in force."""
        failed = ""
        with contextlib.closing(News(await asyncio.to_thread(Arrivals, self._state_dir))) as news:
            while True:
                news.forget()
                pause = LOOK_SECONDS
                try:
                    if await asyncio.to_thread(self._follower.changed):
                        version = await asyncio.to_thread(self._load)
                        await self._publish(version)  # before a visitor can see it, so that who waits for the list everywhere need not look twice
                        self.put_in_force(version)
                    failed = ""
                    self._alarms.clear("list unreadable")
                except (RedHandError, OSError) as error:
                    if str(error) != failed:
                        _log.warning("the landing page keeps the version it has: %s", error)
                        failed = str(error)
                        self._alarms.sound("list unreadable", f"the landing page keeps the version it has: {error}", REBUILD)
                    pause = RETRY_SECONDS
                if not await self._publish(self._version):
                    pause = RETRY_SECONDS
                self._time.watch(self._alarms)
                self._alarms.retell()
                await news.wait(pause)

    def _load(self) -> store.Version:
        version = self._follower.load()
        # The texts of orders are otherwise verified when they are first read, which would be while a visitor waits.
        version.verify()
        return version

    async def _publish(self, version: store.Version | None) -> bool:
        """Says on disk that this version is in force here, if that is not said yet; False when the disk refuses, which stops nothing else."""
        if version is None or version.serial == self._published:
            return True
        try:
            await asyncio.to_thread(readers.publish, self._state_dir, READER, version.serial)
        except DiskError as error:
            self._alarms.sound("disk readers", error.what, error.remedy)
            return False
        self._published = version.serial
        self._alarms.clear("disk readers")
        return True

    def put_in_force(self, version: store.Version) -> None:
        """Answers from this version from now on."""
        self._version = version
        self._rendered.clear()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request (ASGI); `receive` is never called, so that the body is discarded unread."""
        try:
            status, headers, body = await self._answer(scope)
        except Exception as error:  # the page must outlive any fault of ours; the message may hold the visitor's words, so only its kind is logged
            trace = error.__traceback__
            while trace is not None and trace.tb_next is not None:
                trace = trace.tb_next
            where = f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else "nowhere"
            _log.error("a request could not be answered: %s at %s", type(error).__name__, where)
            status, headers, body = self._plain("fault", 500, self._settings.language, False)
        fields = scope["headers"]
        if any(field == b"expect" for field, _ in fields):
            # Whether a body follows is now the client's guess: the connection cannot be read further (RFC 9110 section 10.1.1).
            headers = [*headers, (b"connection", b"close")]
        await send({"type": "http.response.start", "status": status, "headers": [*headers, (b"content-length", b"%d" % len(body))]})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, scope: Scope) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        accept = accept_language = ""
        field: bytes | None = None
        for name, value in scope["headers"]:
            if name == b"host":
                field = value
            elif name == b"accept":
                accept = f"{accept},{value.decode('latin-1')}" if accept else value.decode("latin-1")
            elif name == b"accept-language":
                accept_language = f"{accept_language},{value.decode('latin-1')}" if accept_language else value.decode("latin-1")
        chosen = language.choose(_asked(scope["query_string"]), accept_language, self._settings.language)
        as_json = language.prefers_json(accept)
        target = scope["raw_path"]
        try:
            asked = host.of_request(target, field)
        except BadHost:
            return self._plain("bad", 400, chosen, as_json)
        if target == HEALTH and (asked.kind == "address" or asked.text == "localhost"):
            return self._health()
        version = self._version
        if version is None:
            return self._plain("unready", 503, chosen, as_json)
        now = self._time.now()
        rules, alias = await self._rules(version, asked, now)
        if not rules:
            return self._plain("unknown", 404, chosen, as_json)
        page = self._blocked(version, rules, alias, chosen, as_json, now)
        if not any(rule.kind == "directive" for rule in rules):
            return 403, [*self._headers, *_content(page)], page.body(asked.text)  # no law demands it: RFC 7725 is not ours to invoke
        return 451, [*self._blocked_headers, *_content(page)], page.body(asked.text)

    async def _rules(self, version: store.Version, asked: Host, now: int) -> tuple[list[Rule], bool]:
        """The rules that speak for a Host, and whether they do by way of an alias."""
        if asked.kind != "name":
            return [], False
        rules = verdict.speaking(version.index, names.key(asked.wire), now)
        if rules:
            return rules, False
        listed = await self._aliases.listed_behind(asked.wire)
        if listed is None or listed == asked.wire:
            return [], False
        return verdict.speaking(version.index, names.key(listed), now), True

    def _blocked(self, version: store.Version, rules: list[Rule], alias: bool, chosen: str, as_json: bool, now: int) -> Page:
        # An order's limits on disclosure end with time, so no page is kept for longer than an hour.
        key = (version.identity, now // 3600, tuple(rule.number for rule in rules), tuple(rule.key for rule in rules), alias, chosen, as_json)
        page = self._rendered.get(key)
        if page is None:
            orders = [verdict.order_of(rule, version.basis(rule), now) for rule in rules]
            page = self._pages.blocked(orders, alias, chosen, as_json)
            self._rendered[key] = page
            if len(self._rendered) > RENDERED_PAGES:
                self._rendered.popitem(last=False)
        else:
            self._rendered.move_to_end(key)
        return page

    def _plain(self, kind: str, status: int, chosen: str, as_json: bool) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        key = (kind, chosen, as_json)
        page = self._rendered.get(key)
        if page is None:
            page = self._rendered[key] = self._pages.plain(kind, status, chosen, as_json)
        headers = [*self._headers, *_content(page)]
        if status == 503:
            headers.append((b"retry-after", b"5"))
        return status, headers, page.body("")

    def _health(self) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        version = self._version
        state = {"status": "ok" if version else "starting", "serial": version.serial if version else None}
        return 200 if version else 503, [*self._headers, (b"content-type", b"application/json")], json.dumps(state).encode()


def _content(page: Page) -> list[tuple[bytes, bytes]]:
    return [(b"content-type", page.content_type.encode()), (b"content-language", page.language.encode())]


def _asked(query: bytes) -> str:
    """The language asked for by the page's own switch, `?lang=fr`; the rest of the query was meant for the blocked site."""
    if b"lang=" not in query or len(query) > 4096:
        return ""
    try:
        return parse_qs(query.decode("latin-1"), max_num_fields=64).get("lang", [""])[-1]
    except ValueError:
        return ""


class _Everything(BaseRoute):
    """A route that takes every HTTP request: also `*`, absolute-form and authority-form targets, which no path pattern matches."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        return (Match.FULL, {}) if scope["type"] == "http" else (Match.NONE, {})

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._site(scope, receive, send)


def create_app(settings: LandingSettings, state_dir: Path, tell: Callable[[dict[str, Any]], bool] = lambda _: True) -> FastAPI:
    """The landing application over the versions in `state_dir`; `settings.resolver` empty: aliases are not looked up.

    `tell` takes what the supervisor should know (`blocklists.tell`).
    """
    site = Site(settings, state_dir, Alarms(tell))

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        task = asyncio.create_task(site.follow())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            with contextlib.suppress(OSError):
                readers.withdraw(state_dir, READER)

    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, lifespan=lifespan)
    app.router.routes.append(_Everything(site))
    return app
