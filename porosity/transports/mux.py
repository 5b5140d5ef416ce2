"""Which answer belongs to which question, when hundreds are under way on one socket.

An answer is taken only for a question that went out on the socket it came in on, to the address it came from, with its ID, and only when it repeats
that question (RFC 5452, section 9.1). Octets that claim a question's ID and are something else end nothing: whoever waits goes on waiting, and is
told at the end what came. Nothing here decodes an answer further than its question section, and nothing here opens a socket.
"""

from __future__ import annotations

import errno
import os
import ssl
from asyncio import AbstractEventLoop, Future, TimerHandle, get_running_loop
from collections.abc import Callable, Iterator
from time import monotonic_ns, time_ns
from typing import NamedTuple, Protocol

import dns.exception
import dns.name
import dns.wire

from porosity.words import Failure

HEADER = 12
MOST_PENDING = 1024
"""Questions under way on one socket or connection, at most: few of the 65,536 IDs, so that a guess rarely meets one (RFC 5452, section 9.2)."""

_RESPONSE, _OPCODE = 0x80, 0x78
_POINTER = 0xC0


class Try(NamedTuple):
    """What came of sending one message once."""

    sent_at: int
    """Microseconds since 1970, UTC; when nothing went out, the moment of trying."""
    took: int
    """Microseconds from the sending (when nothing went out, from the trying) to the answer or to giving up."""
    failure: Failure
    query: bytes
    """As it went out; empty when nothing did."""
    answer: bytes
    """As it came in. With `malformed` and `mismatch`: the last octets that came instead of one; else empty when none did."""


class Transport(Protocol):
    """One way to one endpoint."""

    async def ask(self, wire: bytes, seconds: float) -> Try:
        """Send a message (its ID is put in here) and wait at most so long for its answer. Never raises for what the other side does."""
        ...

    async def close(self) -> None:
        """End every socket; questions still under way end as `closed`."""
        ...


class Pending:
    """A question under way."""

    __slots__ = ("answered", "begun", "id", "instead", "query", "question_end", "sent_at", "stray", "timer")

    def __init__(self, id: int, query: bytes, loop: AbstractEventLoop) -> None:
        self.id = id
        self.query = query
        self.question_end = question_end(query)
        self.answered: Future[Try] = loop.create_future()
        self.timer: TimerHandle | None = None
        self.going()
        self.stray: Failure = ""
        self.instead = b""

    def going(self) -> None:
        """It goes out now: time runs from here."""
        self.sent_at = time_ns()
        self.begun = monotonic_ns()

    def settle(self, failure: Failure, answer: bytes = b"", stamp: int = 0, sent: bool = True) -> None:
        """End it. `stamp`: the kernel's, of the answer's arrival, in nanoseconds since 1970; 0: now is when it came."""
        if self.timer is not None:
            self.timer.cancel()
        if self.answered.done():
            return
        took = monotonic_ns() - self.begun
        # The kernel's stamp is of the other clock, which may be set meanwhile: it is believed only within what passed by the one that never is.
        if stamp and 0 <= (stamped := stamp - self.sent_at) <= took:
            took = stamped
        self.answered.set_result(Try(self.sent_at // 1000, took // 1000, failure, self.query if sent else b"", answer))


class Table:
    """The questions under way on one socket or connection. `ended` is called with each that has ended, whatever came of it."""

    def __init__(self, ended: Callable[[Pending], None]) -> None:
        self._loop = get_running_loop()
        self._pending: dict[int, Pending] = {}
        self._ended = ended
        self.asked = 0
        """Questions ever put in."""
        self.silent = 0
        """Questions in a row whose time was over."""

    def __len__(self) -> int:
        return len(self._pending)

    def __iter__(self) -> Iterator[Pending]:
        return iter(list(self._pending.values()))

    def put(self, wire: bytes, seconds: float) -> Pending:
        """A question under way from now on, with an ID that no other one here has. After so long it ends without an answer."""
        id = random_id()
        while id in self._pending:
            id = random_id()
        return self._put(Pending(id, id.to_bytes(2, "big") + wire[2:], self._loop), seconds)

    def put_on_stream(self, stream: int, wire: bytes, seconds: float) -> Pending:
        """A question with a stream of its own, which tells answers apart in place of the ID: that is 0 (RFC 8484, 4.1; RFC 9250, 4.2.1)."""
        return self._put(Pending(stream, b"\0\0" + wire[2:], self._loop), seconds)

    def _put(self, pending: Pending, seconds: float) -> Pending:
        self._pending[pending.id] = pending
        pending.timer = self._loop.call_later(seconds, self._over, pending)
        self.asked += 1
        return pending

    def take(self, octets: bytes, stamp: int = 0) -> None:
        """What came in: ends the question that it answers, if it answers one."""
        pending = self._pending.get(int.from_bytes(octets[:2], "big")) if len(octets) >= 2 else None
        if pending is None:
            return
        self.silent = 0
        if not (wrong := judge(pending.query, pending.question_end, octets)):
            pending.settle("", octets, stamp)
            self._forget(pending)
        else:
            pending.stray, pending.instead = wrong, octets

    def take_from_stream(self, stream: int, octets: bytes) -> None:
        """All that came on a question's stream: no other answer can follow on it."""
        self.silent = 0
        if pending := self._pending.get(stream):
            pending.settle(judge(pending.query, pending.question_end, octets), octets)
            self._forget(pending)

    def end(self, pending: Pending, failure: Failure, sent: bool = True, answer: bytes = b"") -> None:
        """Ends a question without an answer; `answer` is what came instead."""
        pending.settle(failure, answer, sent=sent)
        self._forget(pending)

    def end_all(self, failure: Failure) -> None:
        """Ends every question under way, as when the connection is gone."""
        for pending in self:
            self.end(pending, failure)

    def under_way(self, id: int) -> Pending | None:
        """The question with this ID."""
        return self._pending.get(id)

    def _over(self, pending: Pending) -> None:
        self.silent += 1
        pending.settle(pending.stray or "timeout", pending.instead)
        self._forget(pending)

    def _forget(self, pending: Pending) -> None:
        if self._pending.pop(pending.id, None) is not None:
            self._ended(pending)


def judge(query: bytes, question_end: int, answer: bytes) -> Failure:
    """Empty when these octets answer the query (whose question section ends there); else why not.

    An answer repeats the query's question, in whatever letter case. To a query of several questions it may repeat some; and it may leave the question
    out when it holds no record either, as servers do that could not read it.
    """
    if len(answer) < HEADER:
        return "malformed"
    if answer[:2] != query[:2] or not answer[2] & _RESPONSE or (answer[2] ^ query[2]) & _OPCODE:
        return "mismatch"
    if answer[4:6] == query[4:6] and question_end and answer[HEADER:question_end] == query[HEADER:question_end]:
        return ""
    if answer[4:10] == b"\0\0\0\0\0\0" or answer[4:] == query[4:]:
        return ""
    if answer[4:6] > query[4:6]:
        return "mismatch"  # unread: 64 KiB of names that point to a long one take seconds to follow
    try:
        given = questions(answer)
    except dns.exception.DNSException:
        return "malformed"
    try:
        asked = questions(query)
    except dns.exception.DNSException:
        return "mismatch"
    return "" if given and given <= asked else "mismatch"


def questions(wire: bytes) -> set[tuple[dns.name.Name, int, int]]:
    """Name, type and class of each question. Raises DNSException when the section cannot be read. Names compare without regard to letter case."""
    parser = dns.wire.Parser(wire, HEADER)
    found = set()
    for _ in range(int.from_bytes(wire[4:6], "big")):
        name = dns.name.from_wire_parser(parser)
        type, klass = parser.get_struct("!HH")
        found.add((name, type, klass))
    return found


def question_end(wire: bytes) -> int:
    """Where the question section ends; 0 when it has no plain form (one question, no pointer, no label that is not one) and must be read in full."""
    if len(wire) < HEADER or wire[4:6] != b"\0\x01":
        return 0
    at = HEADER
    try:
        while length := wire[at]:
            if length & _POINTER:
                return 0
            at += length + 1
    except IndexError:
        return 0
    return at + 5 if at + 5 <= len(wire) else 0


def nothing_sent(failure: Failure, sent_at: int = 0, took: int = 0) -> Try:
    """What came of a message that never went out."""
    return Try(sent_at or time_ns() // 1000, took, failure, b"", b"")


def failure_of(error: BaseException) -> Failure:
    """What the kernel's or TLS's word is called here."""
    if isinstance(error, ssl.SSLError):
        return "tls"
    if isinstance(error, TimeoutError):
        return "timeout"
    if isinstance(error, ConnectionError) and not error.errno:
        return "reset"
    return _FAILURES.get(error.errno or 0, "not sent") if isinstance(error, OSError) else "closed"


_FAILURES: dict[int, Failure] = {
    errno.ECONNREFUSED: "refused",
    errno.ECONNRESET: "reset",
    errno.EPIPE: "reset",
    errno.ECONNABORTED: "reset",
    errno.ETIMEDOUT: "timeout",
    errno.EHOSTUNREACH: "unreachable",
    errno.ENETUNREACH: "unreachable",
    errno.EHOSTDOWN: "unreachable",
    errno.ENETDOWN: "unreachable",
    errno.EADDRNOTAVAIL: "unreachable",
    errno.EACCES: "unreachable",
    errno.EPERM: "unreachable",
    errno.EPROTO: "unreachable",
}
"""EACCES, EPERM and EPROTO: a firewall's word, ours or another's (ip(7), ICMP administratively prohibited; ICMPv6 parameter problem)."""


class _Randomness:
    def __init__(self) -> None:
        self._octets = iter(b"")

    def __call__(self) -> int:
        try:
            return next(self._octets) << 8 | next(self._octets)
        except StopIteration:
            self._octets = iter(os.urandom(4096))
            return self()


random_id = _Randomness()
"""A number from 0 to 65,535 that nobody can guess."""
