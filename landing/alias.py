"""Asks our resolver which listed name an unlisted one led to.

A visitor may arrive under a name that is not listed itself but whose CNAME chain reaches one that is. Only the resolver follows chains; its block
answer says what it found in an Extended DNS Error (RFC 8914): INFO-CODE 15 or 16, EXTRA-TEXT `REFERENCE listed.name`. That text is a hint: the
caller judges the listed name in its own store.

A visitor waits at most `TIMEOUT` for it; few questions are in flight at once and few answers are kept, for seconds, so that a flood of invented
names costs the resolver little. Whatever goes wrong, the answer is None. Nothing is logged.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict

import dns.asyncquery
import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rdatatype

from blocklists.endpoints import split_endpoint
from blocklists.errors import BadName
from blocklists.names import parse

TIMEOUT = 1.0
"""Seconds for one question, everything included."""

IN_FLIGHT = 32
KEPT = 2048
KEPT_SECONDS = 5.0

_BLOCKED = frozenset({dns.edns.EDECode.BLOCKED, dns.edns.EDECode.CENSORED})


def listed_name(response: dns.message.Message) -> bytes | None:
    """The wire form of the listed name in a block answer's Extended DNS Error; None when the answer is not one, or does not name it."""
    for option in response.options:
        if isinstance(option, dns.edns.EDEOption) and option.code in _BLOCKED and option.text:
            _, space, name = option.text.rpartition(" ")
            if space:
                try:
                    return parse(name)
                except BadName:
                    continue
    return None


class Aliases:
    """The resolver at one endpoint (`127.0.0.1:5300`), asked from one event loop. An empty endpoint knows no alias."""

    def __init__(self, endpoint: str) -> None:
        self._server = split_endpoint(endpoint) if endpoint else None
        self._kept: OrderedDict[bytes, tuple[float, bytes | None]] = OrderedDict()
        self._asking: dict[bytes, asyncio.Task[bytes | None]] = {}

    def recall(self, wire: bytes) -> tuple[bool, bytes | None]:
        """Whether the answer is known without asking, and the answer; None for a question that cannot be asked now, as too many are."""
        if self._server is None:
            return True, None
        kept = self._kept.get(wire)
        if kept is not None and time.monotonic() < kept[0]:
            return True, kept[1]
        return wire not in self._asking and len(self._asking) >= IN_FLIGHT, None

    async def listed_behind(self, wire: bytes) -> bytes | None:
        """The listed name (wire form) that a name leads to, as the resolver sees it; None if none, or if that is not known in time."""
        if self._server is None:
            return None
        kept = self._kept.get(wire)
        if kept is not None and time.monotonic() < kept[0]:
            return kept[1]
        task = self._asking.get(wire)
        if task is None:
            if len(self._asking) >= IN_FLIGHT:
                return None
            task = asyncio.create_task(self._ask(wire, *self._server))
            self._asking[wire] = task
            task.add_done_callback(lambda _: self._asking.pop(wire, None))
        # Several visitors share one question: one who leaves does not take it from the others.
        return await asyncio.shield(task)

    async def _ask(self, wire: bytes, address: str, port: int) -> bytes | None:
        try:
            name, _ = dns.name.from_wire(wire, 0)
            query = dns.message.make_query(name, dns.rdatatype.A, use_edns=0, payload=1232)
            async with asyncio.timeout(TIMEOUT):
                response = await dns.asyncquery.udp(query, address, port=port, ignore_unexpected=True)
            listed = listed_name(response)
        except (dns.exception.DNSException, OSError, TimeoutError):
            return None
        self._kept[wire] = (time.monotonic() + KEPT_SECONDS, listed)
        self._kept.move_to_end(wire)
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return listed
