"""Carries lookups to the upstreams and back: which server is asked, when it is given up, what failed and why.

A lookup is tried up to four times within 2.8 s, on the upstreams in order of preference, earlier tries staying open: the first well-formed
answer wins. Who asks over which socket is `ports` and `streams`; what an answer means is `records` and `engine`.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from struct import Struct
from time import monotonic

from resolver.engine import EDE_NETWORK_ERROR, EDE_NO_REACHABLE_AUTHORITY, Engine, Lookup
from resolver.ports import Dice, Ports
from resolver.records import BadAnswer, Limits, is_truncated, read_answer
from resolver.streams import Stream
from resolver.wire import AD, CD, NOERROR, NXDOMAIN, PLAIN_OPT, QR, RD, Query

log = logging.getLogger("resolver.upstreams")

_HEAD = Struct(">HHHHH")

TRY_SECONDS = (0.4, 0.6, 0.8, 1.0)
"""How long each try is waited for before the next begins; after the last the lookup has failed."""
STALE_BEFORE_TRY = 3
"""Waiters get a stale answer, if there is one, when this try begins: 1.8 s after they asked (RFC 8767 section 5)."""
TICK_SECONDS, IDLE_TICK_SECONDS = 0.02, 1.0
BACK_OFF_AFTER = 3
BACK_OFF_SECONDS = (1.0, 30.0)
"""An upstream that missed BACK_OFF_AFTER tries in a row goes last for the first of these, doubling to the second."""
SMOOTHING = 0.125
"""Weight of the newest round trip in the smoothed one (as in RFC 6298)."""


class Server:
    """One upstream as it is doing. Times in seconds; `round_trip` is smoothed."""

    __slots__ = ("address", "answers", "away_until", "back_off", "misses", "port", "ports", "round_trip", "sent", "stream", "trusted_ad")

    def __init__(self, address: str, port: int, trusted_ad: bool) -> None:
        self.address = address
        self.port = port
        self.trusted_ad = trusted_ad
        self.round_trip = 0.0
        self.misses = 0
        self.back_off = BACK_OFF_SECONDS[0]
        self.away_until = 0.0
        self.sent = self.answers = 0
        self.ports: Ports
        self.stream: Stream

    def succeeded(self, seconds: float) -> None:
        """An answer came `seconds` after the question left."""
        self.answers += 1
        self.misses = 0
        self.back_off = BACK_OFF_SECONDS[0]
        self.away_until = 0.0
        self.round_trip = seconds if not self.round_trip else self.round_trip + SMOOTHING * (seconds - self.round_trip)

    def missed(self, now: float) -> None:
        """A try got no usable answer."""
        self.misses += 1
        if self.misses >= BACK_OFF_AFTER and now >= self.away_until:
            self.away_until = now + self.back_off
            self.back_off = min(2 * self.back_off, BACK_OFF_SECONDS[1])
            log.warning("upstream %s port %d does not answer; others are asked first for %.0f s", self.address, self.port, self.away_until - now)


class Try:
    """One question sent to one server."""

    __slots__ = ("deadline", "lookup", "number", "sent_at", "server")

    def __init__(self, lookup: Lookup, number: int, server: Server, now: float) -> None:
        self.lookup = lookup
        self.number = number
        self.server = server
        self.sent_at = now
        self.deadline = now + TRY_SECONDS[number]


class _State:
    """Where a lookup stands: the servers in the order they will be tried, tries begun, and the worst that was met."""

    __slots__ = ("begun", "order", "packet", "reached", "unreachable")

    def __init__(self, order: list[Server], packet: bytes) -> None:
        self.order = order
        self.packet = packet
        self.begun = 0
        self.reached = False
        self.unreachable = False


class Upstreams:
    """All upstreams of one worker. `start` begins lookups; replies go to each waiter's `via.send(query, reply)`."""

    def __init__(self, engine: Engine, servers: Sequence[Server], zones: Mapping[bytes, Sequence[Server]], limits: Limits, fastest: bool) -> None:
        self._engine = engine
        self._servers = {b"": list(servers), **{zone: list(of_zone) for zone, of_zone in zones.items()}}
        self._limits = limits
        self._fastest = fastest
        self._timers: tuple[deque[Try], ...] = tuple(deque() for _ in TRY_SECONDS)
        self._timer: asyncio.TimerHandle | None = None
        self._ticking = False
        self._loop = asyncio.get_running_loop()
        self._dice = Dice()
        self.mismatched = 0
        for server in self.servers():
            server.ports = Ports(server.address, server.port, self._dice, self._received, self._refused)
            server.stream = Stream(server.address, server.port, self._dice, self._stream_received, self._stream_lost)
        for ports in {id(server.ports): server.ports for server in self.servers()}.values():
            self._loop.add_reader(ports.fileno(), ports.drain)

    def servers(self) -> Iterable[Server]:
        """Every server of every zone, once."""
        return {id(server): server for servers in self._servers.values() for server in servers}.values()

    def close(self) -> None:
        """Closes every socket; lookups still open are not answered."""
        if self._timer is not None:
            self._timer.cancel()
        for server in self.servers():
            self._loop.remove_reader(server.ports.fileno())
            server.ports.close()
            server.stream.close()

    def start(self, lookups: Iterable[Lookup]) -> None:
        """Sends each new lookup's first try."""
        now = monotonic()
        for lookup in lookups:
            servers = self._servers[lookup.zone]
            order = servers if len(servers) == 1 else self._in_order(servers, now)
            flags = RD | AD | CD if lookup.cd else RD | AD
            packet = _HEAD.pack(flags, 1, 0, 0, 1) + lookup.question + PLAIN_OPT[lookup.do]
            lookup.state = _State(order, packet)
            self._try(lookup, now)
        if not self._ticking:
            self._arm(TICK_SECONDS)

    def _arm(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._ticking = seconds == TICK_SECONDS
        self._timer = self._loop.call_later(seconds, self._tick)

    def _in_order(self, servers: list[Server], now: float) -> list[Server]:
        if self._fastest:
            return sorted(servers, key=lambda server: (now < server.away_until, server.round_trip))
        return sorted(servers, key=lambda server: now < server.away_until)

    def _try(self, lookup: Lookup, now: float) -> None:
        state = lookup.state
        assert isinstance(state, _State)  # noqa: S101 - for the type checker: `start` set it
        number = state.begun
        if number >= len(TRY_SECONDS):
            self._give_up(lookup, state)
            return
        if number == STALE_BEFORE_TRY:
            self._deliver(self._engine.overdue(lookup))
        state.begun += 1
        server = state.order[number % len(state.order)]
        attempt = Try(lookup, number, server, now)
        server.sent += 1
        self._timers[number].append(attempt)
        server.ports.send(state.packet, attempt)

    def _give_up(self, lookup: Lookup, state: _State) -> None:
        code = None if state.reached else EDE_NETWORK_ERROR if state.unreachable else EDE_NO_REACHABLE_AUTHORITY
        self._deliver(self._engine.failed(lookup, code))

    def _tick(self) -> None:
        """Gives up tries whose time is over; runs again whatever came of it, because no lookup ends without it."""
        waiting = True
        try:
            waiting = self._expire(monotonic())
        finally:
            self._arm(TICK_SECONDS if waiting else IDLE_TICK_SECONDS)

    def _expire(self, now: float) -> bool:
        """Whether tries are still waited for. Each deque is in order of deadline, so only what is due is looked at."""
        waiting = False
        for timers in self._timers:
            while timers and timers[0].deadline <= now:
                attempt = timers.popleft()
                if not attempt.lookup.done and self._is_newest(attempt):
                    attempt.server.missed(now)
                    self._try(attempt.lookup, now)
            waiting = waiting or bool(timers)
        for server in self.servers():
            server.ports.retire(now)
        return waiting

    @staticmethod
    def _is_newest(attempt: Try) -> bool:
        state = attempt.lookup.state
        return isinstance(state, _State) and state.begun == attempt.number + 1

    def _received(self, data: bytes, attempt: Try) -> bool:
        """A datagram with the right ID on the right socket. False leaves the try open: it answers something else (RFC 5452 section 9.1)."""
        lookup = attempt.lookup
        question = lookup.question
        echoed = data[12 : 12 + len(question)]
        if (echoed != question and (echoed[-4:] != question[-4:] or echoed[:-4].lower() != question[:-4])) or not data[2] & (QR >> 8):
            self.mismatched += 1
            return False
        if lookup.done:
            return True
        if is_truncated(data):
            state = lookup.state
            assert isinstance(state, _State)  # noqa: S101 - for the type checker: `start` set it
            attempt.server.stream.send(state.packet, attempt)
            return True
        self._settle(data, attempt)
        return True

    def _settle(self, data: bytes, attempt: Try) -> None:
        now = monotonic()
        lookup = attempt.lookup
        if data[3] & 15 not in (NOERROR, NXDOMAIN):
            self._next(attempt, now, reached=True)
            return
        try:
            answer = read_answer(data, lookup.question, lookup.do, self._limits)
        except BadAnswer:
            self._next(attempt, now, reached=True)
            return
        attempt.server.succeeded(now - attempt.sent_at)
        if not attempt.server.trusted_ad:
            answer.ad = False
        self._deliver(self._engine.answered(lookup, answer))

    def _next(self, attempt: Try, now: float, *, reached: bool) -> None:
        """This try came to nothing: begin the next at once, unless a later one has begun already."""
        state = attempt.lookup.state
        assert isinstance(state, _State)  # noqa: S101 - for the type checker: `start` set it
        state.reached = state.reached or reached
        state.unreachable = state.unreachable or not reached
        if not reached:
            attempt.server.missed(now)
        if self._is_newest(attempt):
            if state.begun >= len(state.order) and (reached or state.begun >= len(TRY_SECONDS)):
                self._give_up(attempt.lookup, state)  # every server has spoken: asking again at once would only repeat it
            else:
                self._try(attempt.lookup, now)

    def _refused(self, attempt: Try) -> None:
        """The network says nobody listens there."""
        if not attempt.lookup.done:
            self._next(attempt, monotonic(), reached=False)

    def _stream_received(self, data: bytes, attempt: Try) -> None:
        if attempt.lookup.done:
            return
        if is_truncated(data):
            self._next(attempt, monotonic(), reached=True)  # cut off where nothing is too long: not the whole answer, so none
            return
        self._settle(data, attempt)

    def _stream_lost(self, attempt: Try) -> None:
        if not attempt.lookup.done:
            self._next(attempt, monotonic(), reached=False)

    def _deliver(self, replies: list[tuple[Query, bytes]]) -> None:
        for query, reply in replies:
            query.via.send(query, reply)
        more = self._engine.take_lookups()
        if more:
            self.start(more)
