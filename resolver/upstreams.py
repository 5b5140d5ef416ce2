"""Carries lookups to the upstreams and back: which server is asked, when it is given up, what failed and why.

A lookup is tried up to four times within 2.8 s, on the servers of its zone in the order its strategy gives, earlier tries staying open: the first
answer that fits wins. Who asks over which socket is `ports` and `streams`; how a server does is `servers`; what an answer means is `records`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from time import monotonic
from typing import cast

from blocklists.alarms import Alarms
from resolver import special
from resolver.engine import EDE_NETWORK_ERROR, EDE_NO_REACHABLE_AUTHORITY, FAILURE_SECONDS, Engine
from resolver.groups import Lookup
from resolver.histogram import Histogram
from resolver.loops import Loops
from resolver.matching import Fit, fit, fits_by_tcp, refuses_edns
from resolver.patience import Patience
from resolver.ports import Dice, Ports
from resolver.records import BadAnswer, Limits, is_truncated, read_answer
from resolver.servers import CHECK_SECONDS, Server
from resolver.strategies import AT_ONCE, Budget, Strategy
from resolver.streams import Stream
from resolver.timing import Timing
from resolver.tries import COPY, LOOP, TRY_SECONDS, Progress, Try, Zone
from resolver.trouble import Trouble
from resolver.watch import LoopWatch
from resolver.wire import NOERROR, NXDOMAIN, UDP_PAYLOAD, Query

_SAYS = (NOERROR, NXDOMAIN)
"""RCODEs that are an answer to the question; all others say that the server could not or would not."""
STALE_BEFORE_TRY = 3
"""Waiters get a stale answer, if there is one, when this try begins: 1.8 s after they asked (RFC 8767 section 5)."""
HOPEFUL_TRIES = 64
"""Tries in flight to a zone whose servers are all silent; further questions fail at once, so that a black hole does not keep clients waiting."""
NEAR_MISSES = 3
"""Near misses on one question after which it is asked over TCP, and no datagram is believed any more."""


class Upstreams:
    """All upstreams of one worker. `start` begins lookups; replies go to each waiter's `via.send(query, reply)`.

    `nonce`: what this Red Hand, and nobody else, marks its questions with that look for forwarding loops; empty: none are sent.
    """

    def __init__(
        self, engine: Engine, servers: Sequence[Server], zones: Mapping[bytes, Sequence[Server]], limits: Limits, strategy: Strategy,
        alarms: Alarms, nonce: str = "",
    ) -> None:  # fmt: skip
        self._engine = engine
        self._zones = {zone: Zone(of_zone, strategy) for zone, of_zone in {b"": servers, **zones}.items()}
        self._all = list({id(server): server for zone in self._zones.values() for server in zone.servers}.values())
        self._limits = limits
        self._trouble = Trouble(alarms)
        self._nonce = nonce
        self._budget = Budget()
        self._timing = Timing(self._overdue, self._each_tick)
        self._patience = Patience(self._budget, self._timing.running, self._try, self._changed)
        self._next_second = 0.0
        self._closed = False
        self._loop = asyncio.get_running_loop()
        self._dice = Dice()
        self.lookup_times = Histogram()
        self._watch = LoopWatch(self._all, nonce, self._dice.roll, self._send_unawaited, self._changed, self._trouble)
        for server in self._all:
            server.ports = Ports(server.address, server.port, self._dice, self._received, self._refused, partial(self._strayed, server))
            server.stream = Stream(server.address, server.port, self._dice, self._stream_received, self._stream_lost)
            self._loop.add_reader(server.ports.fileno(), server.ports.drain)
        if nonce:
            special.expect_loops(Loops(nonce, self._watch.came_round))
            self._timing.run()

    def servers(self) -> Iterable[Server]:
        """Every server of every zone, once."""
        return self._all

    @property
    def loops(self) -> int:
        """Forwarding loops found."""
        return self._watch.found

    def close(self) -> None:
        """Closes every socket; lookups still open are not answered."""
        self._closed = True
        self._timing.stop()
        self._patience.stop()
        special.expect_loops(None)
        for server in self._all:
            self._loop.remove_reader(server.ports.fileno())
            server.ports.close()
            server.stream.close()

    # Asking

    def start(self, lookups: Iterable[Lookup]) -> None:
        """Sends each new lookup's first try."""
        now = monotonic()
        for lookup in lookups:
            zone = self._zones[lookup.zone]
            self._budget.earn()
            order = zone.in_order(now)
            if (not order or order[0].away) and not self._may_hope(lookup, order, now):
                continue
            state = lookup.state = Progress(order, now)
            self._try(lookup, state, now)
            if len(order) > 1 and not order[0].away:
                self._beside(lookup, state, zone, now)
        self._timing.run()

    def _beside(self, lookup: Lookup, state: Progress, zone: Zone, now: float) -> None:
        """Where there are several servers: watches the first try's age, asks others at once, sends copies to those that are to be probed."""
        if zone.at_once:
            for server in state.order[1:AT_ONCE]:
                if not lookup.done and not server.away and state.begun < len(TRY_SECONDS):
                    self._try(lookup, state, now)
        if now >= zone.look_at and not lookup.done:
            for server in zone.to_probe(now):
                if not self._budget.spend():
                    break
                server.probing = True
                server.probes += 1
                self._send_unawaited(Try(lookup, COPY, server, now))

    def _may_hope(self, lookup: Lookup, order: list[Server], now: float) -> bool:
        """Whether to ask though no server of the zone answers. A stale answer is given at once; without hope the lookup fails at once."""
        stale = lookup.stale
        self._deliver(self._engine.overdue(lookup))
        if any(server.lives(now) for server in order) or (order and sum(server.waiting for server in order) < HOPEFUL_TRIES):
            if stale is not None and stale.rcode in _SAYS:
                stale.failed_until = self._engine.clock.second + FAILURE_SECONDS  # who asks while this is on its way gets the stale answer too
            return True
        code = EDE_NETWORK_ERROR if order and all(server.refuses for server in order) else EDE_NO_REACHABLE_AUTHORITY
        self._deliver(self._engine.failed(lookup, code))
        return False

    def _try(self, lookup: Lookup, state: Progress, now: float) -> Server | None:
        """Begins the next try, or gives up after the last. The server it went to."""
        number = state.begun
        if number >= len(TRY_SECONDS):
            self._give_up(lookup, state)
            return None
        if number == STALE_BEFORE_TRY:
            self._deliver(self._engine.overdue(lookup))
        server = state.next_server() if number else state.order[0]
        state.begun += 1
        state.open += 1
        attempt = Try(lookup, number, server, now)
        self._timing.add(attempt)
        if number == 0 and len(state.order) > 1:
            server.asked.append(attempt)
        self._send(attempt)
        return server

    def _send_unawaited(self, attempt: Try) -> None:
        self._timing.add(attempt)
        self._send(attempt)

    def _send(self, attempt: Try) -> None:
        server = attempt.server
        lookup = attempt.lookup
        state = lookup.state
        server.sent += 1
        server.waiting += 1
        if server.keeps_case:
            attempt.question = self._dice.vary(attempt.question)
        if type(state) is Progress and state.tcp:
            self._by_tcp(attempt)
        else:
            server.ports.send(attempt.packet(), attempt)

    def _by_tcp(self, attempt: Try) -> None:
        attempt.server.by_tcp += 1
        attempt.server.stream.send(attempt.packet(), attempt)

    # Time

    def _each_tick(self, now: float) -> None:
        for server in self._all:
            if server.doubted and now >= server.doubted_until:
                server.doubted = False
            if server.asked or server.unheard is not None:
                self._patience.look(server, now)
            server.ports.retire(now)
        if now >= self._next_second:
            self._next_second = now + 1.0
            self._trouble.calm(now)
            for server in self._all:
                server.relearn(now)
            if self._nonce:
                self._watch.look(now)

    def _overdue(self, attempt: Try, now: float) -> None:
        """A try's time is over."""
        lookup = attempt.lookup
        if attempt.land():
            self._missed(attempt, now)
        if not lookup.done and not attempt.over:
            state = cast(Progress, lookup.state)
            attempt.over = True
            state.open -= 1
            if state.begun == attempt.number + 1 or not state.open:
                self._try(lookup, state, now)

    def _missed(self, attempt: Try, now: float, *, refused: bool = False) -> None:
        server = attempt.server
        if attempt.number == COPY:
            left = server.probe_failed(now)
        else:
            lookup = attempt.lookup
            resolved = lookup.done and server.heard_at < attempt.sent_at  # by another server: no name that nobody can resolve
            domain = None if resolved else lookup.domain
            left = attempt.number != LOOP and server.missed(now - attempt.sent_at, now, lookup, refused=refused, domain=domain)
        if left:
            self._leave(server, now)

    def _leave(self, server: Server, now: float) -> None:
        """A server is away: what others can answer does not wait for it any longer."""
        self._trouble.away(server, alone=any(zone.servers == [server] for zone in self._zones.values()))
        server.check_at = min(server.check_at, now + CHECK_SECONDS)
        self._changed()
        self._patience.move(server)

    def _changed(self) -> None:
        for zone in self._zones.values():
            zone.changed()

    def _came_back(self, server: Server, now: float) -> None:
        self._trouble.back(server)
        server.check_at = now
        self._changed()

    # Hearing

    def _received(self, data: bytes, attempt: Try) -> bool:
        """A datagram with the right ID on the right socket. False leaves the try open: it answers something else (RFC 5452 section 9.1)."""
        question = attempt.question
        lookup = attempt.lookup
        state = lookup.state
        now = monotonic()
        if not lookup.done and state.tcp:  # type: ignore[attr-defined] # `start` set it
            if fit(data, attempt) is Fit.YES and attempt.land() and attempt.server.heard(now - attempt.sent_at, now):
                self._came_back(attempt.server, now)  # what it says is not believed, but that it answers is
            return False
        if (data[12 : 12 + len(question)] != question or data[2] < 128) and not self._fits(data, attempt, now):
            return False
        server = attempt.server
        landed = attempt.land()
        if server.heard(now - attempt.sent_at, now):
            self._came_back(server, now)
        elif landed and attempt.number == COPY and server.away:
            server.probe_failed(now)  # too late to bring it back; when the try's time is over, nobody waits for it any more
        if lookup.done:
            if attempt.number == LOOP:
                self._watch.answered(server, data)
            return True
        truncated = is_truncated(data)
        if truncated or len(data) > UDP_PAYLOAD:
            if truncated:
                server.truncated += 1
            else:
                server.oversized += 1
            if attempt.number >= 0:
                self._by_tcp(attempt)
            return True
        if server.case_strikes and server.keeps_case:
            server.case_strikes = 0
        self._settle(data, attempt, now)
        return True

    def _fits(self, data: bytes, attempt: Try, now: float) -> bool:
        """Whether a datagram that does not repeat the question as sent is an answer to it nevertheless; if not, it is a near miss."""
        found = fit(data, attempt)
        if found is Fit.YES:
            return True
        attempt.odd_case = found is Fit.OTHER_CASE
        self._strayed(attempt.server, [attempt], now)
        return False

    def _strayed(self, server: Server, attempts: Iterable[Try], now: float) -> None:
        """A datagram from the server's address and port that fits no question may have been meant for any of those that wait where it came."""
        server.near_misses += 1
        server.near_at = now
        for attempt in attempts:
            if attempt.lookup.done or attempt.over:
                continue
            state = cast(Progress, attempt.lookup.state)
            state.near += 1
            if state.near >= NEAR_MISSES and not state.tcp:
                self._trouble.near_missed(server)
            if not state.tcp and (state.near >= NEAR_MISSES or attempt.odd_case):
                state.tcp = True
                self._by_tcp(attempt)

    def _settle(self, data: bytes, attempt: Try, now: float, *, tcp: bool = False) -> None:
        lookup = attempt.lookup
        server = attempt.server
        rcode = data[3] & 15
        if (rcode or not data[7]) and refuses_edns(data, attempt):  # what has answers refuses nothing
            self._without_edns(attempt, now, tcp)
            return
        if rcode not in _SAYS:
            server.errors += 1
            self._conclude(attempt, now, reached=True)
            return
        try:
            answer = read_answer(data, lookup.question, lookup.do, self._limits)
        except BadAnswer:
            server.bad_answers += 1
            self._conclude(attempt, now, reached=True)
            return
        server.answers += 1
        if not attempt.edns and server.did_without_edns(now):
            self._trouble.without_edns(server)
        if tcp and attempt.odd_case and server.confirmed_case(now):
            self._trouble.changes_case(server)
        if not server.trusted_ad:
            answer.ad = False
        self.lookup_times.add(now - cast(Progress, lookup.state).started)
        self._deliver(self._engine.answered(lookup, answer))

    def _without_edns(self, attempt: Try, now: float, tcp: bool) -> None:
        """The server does not like our OPT: the same question again at once, without (RFC 6891 section 7)."""
        attempt.edns = False
        if attempt.over:
            return
        if tcp:
            self._by_tcp(attempt)
            return
        attempt.question = attempt.lookup.question
        attempt.sent_at = now
        attempt.waits = True
        self._send(attempt)

    def _conclude(self, attempt: Try, now: float, *, reached: bool) -> None:
        """This try came to nothing: begin the next at once, unless a later one has begun already; what is open is waited for."""
        if attempt.over or attempt.lookup.done:
            return
        attempt.over = True
        state = cast(Progress, attempt.lookup.state)
        state.open -= 1
        state.reached = state.reached or reached
        state.unreachable = state.unreachable or not reached
        if state.begun == attempt.number + 1 and state.begun < len(state.order):
            self._try(attempt.lookup, state, now)
        elif not state.open:
            if state.begun >= len(state.order) and (state.reached or state.begun >= len(TRY_SECONDS)):
                self._give_up(attempt.lookup, state)  # every server has spoken: asking again at once would only repeat it
            else:
                self._try(attempt.lookup, state, now)

    def _give_up(self, lookup: Lookup, state: Progress) -> None:
        code = None if state.reached else EDE_NETWORK_ERROR if state.unreachable else EDE_NO_REACHABLE_AUTHORITY
        self._deliver(self._engine.failed(lookup, code))

    def _refused(self, attempt: Try) -> None:
        """The network says nobody listens there."""
        now = monotonic()
        if attempt.land():
            self._missed(attempt, now, refused=True)
        self._conclude(attempt, now, reached=False)

    def _stream_received(self, data: bytes, attempt: Try) -> bool:
        """A message with the right ID on the connection. False: it answers something else."""
        if not fits_by_tcp(data, attempt.lookup.question):
            return False
        now = monotonic()
        attempt.land()
        attempt.server.heard_at = now
        attempt.server.doubted = False
        if not attempt.lookup.done:
            if is_truncated(data):
                self._conclude(attempt, now, reached=True)  # cut off where nothing is too long: not the whole answer, so none
            else:
                self._settle(data, attempt, now, tcp=True)
        return True

    def _stream_lost(self, attempt: Try) -> None:
        if self._closed:
            return
        if attempt.odd_case and not attempt.lookup.done:
            self._trouble.near_missed(attempt.server)
        attempt.land()
        self._conclude(attempt, monotonic(), reached=False)

    def _deliver(self, replies: list[tuple[Query, bytes]]) -> None:
        for query, reply in replies:
            query.via.send(query, reply)
        more = self._engine.take_lookups()
        if more:
            self.start(more)
