"""What the page answers: one request's head in, one answer's octets out.

It keeps nothing about a visitor: what it remembers is answers, for the second they were made in, so that a flood of visitors to one name costs no
templating, no look-up and no disk. A fault in one request is a plain page, and a line in the log without the request; the process goes on.
"""

from __future__ import annotations

import json
import re
from collections import OrderedDict
from collections.abc import Awaitable
from urllib.parse import parse_qs

from blocklists import names, store
from blocklists.agreed import Timekeeper
from blocklists.index import Rule
from landing import faults, host, language, reply, verdict
from landing.alias import Aliases
from landing.counts import Counts, day_of
from landing.ground import Ground
from landing.head import Head
from landing.headers import fields
from landing.host import BadHost
from landing.kinds import Kind, kind_of, language_of, small
from landing.look import Look
from landing.page import Page, Pages
from landing.proofs import CONTENT_TYPE, PREFIX, NoProof, Proofs
from landing.reply import OWN, Reply
from landing.settings import LandingSettings
from landing.told import told

HEALTH = b"/.well-known/redhand/health"
"""Answered on the landing's own addresses and on localhost only: under any other Host the path belongs to the blocked site."""

RENDERED_PAGES = 512
"""Pages kept as rendered, without the visitor's name in them."""

KEPT_OCTETS = 16 * 1024 * 1024
"""Of whole answers kept, what they answer included."""

_PLAIN = re.compile(rb"[a-z0-9.-]{1,253}")

_Asked = tuple[bytes, str, str, Kind]
"""What decides an answer within one second: the host meant, the language switched to, Accept-Language, and the kind of answer that suits."""


class Site:
    """What the page answers from: the version in force, the resolver's word on aliases, and bounded caches of pages and answers."""

    def __init__(
        self, settings: LandingSettings, time: Timekeeper, proofs: Proofs | None = None, counts: Counts | None = None, carried: bool = True
    ) -> None:
        """`carried`: whether a feed client here takes reports of errors to an authority; without one the page names the operator's address."""
        self._settings = settings
        self._proofs = proofs
        self._counts = counts
        self._version: store.Version | None = None
        self._ground: Ground | None = None
        self._time = time
        own = settings.own_url if carried else ""
        self._pages = Pages(settings.operator, settings.operator_url, Look.of(settings), own, settings.language)
        self._aliases = Aliases(settings.resolver)
        self._rendered: OrderedDict[tuple[object, ...], Page] = OrderedDict()
        self._kept: dict[_Asked, Reply] = {}
        self._kept_octets = 0
        self._second = 0

    def put_in_force(self, version: store.Version, ground: Ground | None = None) -> None:
        """Answers from this version from now on; `ground`: the policy by which its orders were judged."""
        self._version = version
        self._ground = ground
        if self._proofs is not None:
            self._proofs.put_in_force(version)
        self._rendered.clear()
        self._forget()

    def answer(self, head: Head) -> Reply | Awaitable[Reply]:
        """The answer to one request; one that has to be waited for when only the resolver knows whether its Host is an alias."""
        try:
            return self._answer(head)
        except Exception as error:  # the page must outlive any fault of ours
            return self._fault(error)

    def _answer(self, head: Head) -> Reply | Awaitable[Reply]:
        now = self._time.now()
        if now != self._second:  # an order may begin or end with each second
            self._second = now
            self._forget()
        target, _, query = head.target.partition(b"?")
        if target == HEALTH and _is_ours(head.host):
            return self._health()
        if target.startswith(PREFIX) and self._proofs is not None and head.method in {b"GET", b"HEAD"}:
            return self._proof(self._proofs, head, target.removeprefix(PREFIX))
        meant = head.host or b"" if target.startswith(b"/") else host.field_of(target, head.host)
        kind = kind_of(head.method, target, head.dest, head.accept, head.preflight, head.origin)
        asked = (meant, _switched_to(query) if b"lang=" in query else "", head.accept_language, kind)
        found = self._kept.get(asked)
        if found is None:
            made = self._make(asked, now)
            if not isinstance(made, Reply):
                return self._counted(made, head)
            found = made
        self._count(found, head)
        return found

    async def _counted(self, made: Awaitable[Reply], head: Head) -> Reply:
        found = await made
        self._count(found, head)
        return found

    def _count(self, found: Reply, head: Head) -> None:
        if found.references and self._counts is not None and head.method != b"HEAD":
            self._counts.note(found.references, day_of(self._second))

    def _make(self, asked: _Asked, now: int, heard: tuple[bool, bytes | None] | None = None) -> Reply | Awaitable[Reply]:
        """The answer, looked up and rendered; `heard`: what the resolver said of the name, once it was asked."""
        field, switched_to, accept_language, kind = asked
        chosen = language.choose(switched_to, accept_language, self._settings.language)
        as_json = kind == "problem"
        try:
            meant = host.read(field)
        except BadHost:
            return self._keep(asked, self._plain("bad", 400, chosen, as_json))
        if meant.text and meant.text == self._settings.own_name:
            return self._keep(asked, OWN)
        version = self._version
        if version is None:
            return self._plain("unready", 503, chosen, as_json)
        if meant.kind != "name":
            return self._keep(asked, self._plain("unknown", 404, chosen, as_json))
        rules = verdict.speaking(version.index, names.key(meant.wire), now)
        if rules:
            return self._keep(asked, self._blocked(version, rules, False, meant.text, chosen, kind, now))
        known, listed = heard or self._aliases.recall(meant.wire)
        if not known:
            return self._ask(asked, meant.wire)
        if listed is not None and listed != meant.wire:
            rules = verdict.speaking(version.index, names.key(listed), now)
            if rules:
                return self._keep(asked, self._blocked(version, rules, True, meant.text, chosen, kind, now))
        return self._keep(asked, self._plain("unknown", 404, chosen, as_json))

    async def _ask(self, asked: _Asked, wire: bytes) -> Reply:
        try:
            listed = await self._aliases.listed_behind(wire)
            made = self._make(asked, self._time.now(), (True, listed))  # by the version in force now
            return made if isinstance(made, Reply) else await made
        except Exception as error:
            return self._fault(error)

    def _blocked(self, version: store.Version, rules: list[Rule], alias: bool, name: str, chosen: str, kind: Kind, now: int) -> Reply:
        """The answer for a name that these rules block; `alias`: by way of a listed name that it leads to."""
        references = tuple(rule.reference for rule in rules if rule.kind == "directive")
        status = 451 if references else 403  # without a law that demands it, RFC 7725 is not ours to invoke
        if kind not in {"page", "problem"}:
            content_type, body = small(kind, status)
            return reply.make(status, fields(status, content_type, language_of(kind), self._settings.operator_url), body)
        page = self._page(version, rules, alias, chosen, kind == "problem", now)
        return self._of_page(status, page, page.body(name), references)

    def _of_page(self, status: int, page: Page, body: bytes, references: tuple[str, ...] = ()) -> Reply:
        found = fields(status, page.content_type, page.language, self._settings.operator_url, self._pages.security_policy)
        return reply.make(status, found, body, references)

    def _page(self, version: store.Version, rules: list[Rule], alias: bool, chosen: str, as_json: bool, now: int) -> Page:
        # An order's limits on disclosure end with time, so no page is kept for longer than an hour.
        key = (version.identity, now // 3600, tuple(rule.number for rule in rules), tuple(rule.key for rule in rules), alias, chosen, as_json)
        page = self._rendered.get(key)
        if page is None:
            page = self._pages.blocked(told(version, rules, self._ground, now), alias, chosen, as_json)
            self._rendered[key] = page
            if len(self._rendered) > RENDERED_PAGES:
                self._rendered.popitem(last=False)
        else:
            self._rendered.move_to_end(key)
        return page

    def _plain(self, kind: str, status: int, chosen: str, as_json: bool) -> Reply:
        key = (kind, chosen, as_json)
        page = self._rendered.get(key)
        if page is None:
            page = self._rendered[key] = self._pages.plain(kind, status, chosen, as_json)
        return self._of_page(status, page, page.body(""))

    def _health(self) -> Reply:
        version = self._version
        state = {"status": "ok" if version else "starting", "serial": version.serial if version else None}
        status = 200 if version else 503
        return reply.make(status, fields(status, "application/json", "", self._settings.operator_url), json.dumps(state).encode())

    async def _proof(self, proofs: Proofs, head: Head, name: bytes) -> Reply:
        """The proof about a listed name, or why there is none."""
        try:
            try:
                data = await proofs.of(name, self._time.now())
            except NoProof as refused:
                chosen = language.choose("", head.accept_language, self._settings.language)
                return self._plain(refused.kind, refused.status, chosen, language.prefers_json(head.accept))
            # The name is one that a list has, and in letters, digits, dots and hyphens alone it can stand between quotes.
            field = b'attachment; filename="%s.proof.json"' % name if _PLAIN.fullmatch(name) else b"attachment"
            found = fields(200, CONTENT_TYPE.decode(), "", self._settings.operator_url)
            return reply.make(200, [*found, (b"content-disposition", field)], data)
        except Exception as error:
            return self._fault(error)

    def _fault(self, error: Exception) -> Reply:
        """A page that says nothing of the fault."""
        faults.told("a request could not be answered", error)
        return self._plain("fault", 500, self._settings.language, False)

    def _keep(self, asked: _Asked, made: Reply) -> Reply:
        """Remembers an answer until the second ends; the octets of all that are kept are bounded."""
        octets = len(made.head) + len(made.body) + sum(map(len, asked))
        if self._kept_octets + octets > KEPT_OCTETS:
            self._forget()
        self._kept[asked] = made
        self._kept_octets += octets
        return made

    def _forget(self) -> None:
        self._kept = {}
        self._kept_octets = 0


def _is_ours(field: bytes | None) -> bool:
    """Whether a Host says one of the landing's own addresses, or localhost."""
    try:
        meant = host.read(field or b"")
    except BadHost:
        return False
    return meant.kind == "address" or meant.text == "localhost"


def _switched_to(query: bytes) -> str:
    """The language asked for by the page's own switch, `?lang=fr`; the rest of the query was meant for the blocked site."""
    if len(query) > 4096:
        return ""
    try:
        return parse_qs(query.decode("latin-1"), max_num_fields=64).get("lang", [""])[-1]
    except ValueError:
        return ""
