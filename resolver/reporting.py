"""What a worker lets its supervisor know while it serves: figures to its board, blocks by order, and what it does with its caches when told to.

Nothing here is on the path of a query: the parts count for themselves in plain integers, and a timer copies them.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Any

from blocklists import names
from blocklists.endpoints import show_endpoint
from blocklists.errors import BadName
from blocklists.tell import MOST_OCTETS, tell
from resolver import board, caches
from resolver.caches import Kept
from resolver.engine import TALLIES_AT_ONCE, Engine
from resolver.histogram import BOUNDS
from resolver.servers import Server
from resolver.tcp import TcpListener
from resolver.udp import UdpListener
from resolver.upstreams import Upstreams

log = logging.getLogger("resolver.reporting")

COPY_SECONDS = 0.2
TALLY_SECONDS = 10.0
"""How often the figures are copied, and the blocks by order told."""
TELL_AGAIN_SECONDS, TELL_TRIES = 0.1, 50
"""How what must be told is told again while the supervisor does not read."""
MOST_WAITING = 8
"""Flushes and dumps that wait for one under way; one more is not done."""

_of_engine = attrgetter(*board.ANSWER_KINDS)
_of_caps = attrgetter(*(f"capped_{cap}" for cap in board.CAPS))
_of_server = attrgetter(*board.UPSTREAM_COUNTERS)
_of_udp = attrgetter("received", "asked", "unsent", "dropped", "slipped")


class Figures:
    """Gathers the numbers of one worker in the order of its board.

    `listeners` gives the UDP listeners of the moment: a worker may serve a sibling's sockets for a while, and what came by them still counts after.
    """

    def __init__(
        self, engine: Engine, upstreams: Upstreams, listeners: Callable[[], Sequence[UdpListener]], tcp: TcpListener, kept: Sequence[Kept],
        addresses: Sequence[str],
    ) -> None:  # fmt: skip
        self._engine = engine
        self._upstreams = upstreams
        self._listeners = listeners
        self._tcp = tcp
        self._seen: dict[UdpListener, None] = {}
        self._gone = [0.0] * (5 + len(BOUNDS) + 2)
        self._servers: list[list[Server]] = [[] for _ in addresses]
        places = {address: place for place, address in enumerate(addresses)}
        for server in upstreams.servers():
            self._servers[places[show_endpoint(server.address, server.port)]].append(server)
        self._kept = kept
        self._sizes: list[tuple[int, int]] = [(0, 0)] * (len(board.CACHES) * len(kept))
        self._measure = self._measured()

    def _measured(self) -> Iterator[None]:
        while True:
            for place, size in enumerate(caches.sizes(self._kept)):
                self._sizes[place] = size
                yield

    def values(self, serial: int) -> list[float]:
        """All numbers now."""
        engine, tcp, upstreams = self._engine, self._tcp, self._upstreams
        counters = engine.counters
        received, asked, unsent, dropped, slipped, *times = self._udp()
        next(self._measure)
        return [
            received,
            tcp.received,
            received - asked,
            tcp.received - tcp.asked,
            counters.waited,
            engine.blocks,
            *_of_engine(counters),
            unsent,
            dropped,
            slipped,
            counters.truncated,
            *_of_caps(counters),
            counters.lookups,
            counters.prefetched,
            upstreams.loops,
            tcp.accepted,
            tcp.turned_away,
            len(tcp.connections),
            engine.in_flight,
            serial,
            engine.policy.generation,
            *times,
            *upstreams.lookup_times.counts,
            upstreams.lookup_times.seconds,
            *(number for size in self._sizes for number in size),
            *(number for servers in self._servers for number in _of_servers(servers)),
        ]

    def _udp(self) -> list[float]:
        """Sums over all listeners there are and were."""
        now = dict.fromkeys(self._listeners())
        for listener in self._seen:
            if listener not in now:
                self._gone = [total + more for total, more in zip(self._gone, _of_listener(listener), strict=True)]
        self._seen = now
        return [sum(column) for column in zip(self._gone, *map(_of_listener, now), strict=True)]


def _of_listener(listener: UdpListener) -> tuple[float, ...]:
    times = listener.answer_times
    return (*_of_udp(listener), *times.counts, times.seconds)


def _of_servers(servers: Sequence[Server]) -> list[float]:
    """One upstream's numbers; it may serve several zones, and is then met several times."""
    counted = [sum(column) for column in zip(*map(_of_server, servers), strict=True)]
    round_trip = max(server.round_trip for server in servers)
    return [*counted, round_trip, any(server.away for server in servers), sum(server.waiting for server in servers)]


class Reporter:
    """Copies, tells and obeys on a loop's timers. `serial` gives the version in force."""

    def __init__(
        self, name: str, file: int, series: Sequence[board.Series], figures: Figures, engine: Engine, serial: Callable[[], int],
    ) -> None:  # fmt: skip
        self._name = name
        self._figures = figures
        self._serial = serial
        self._engine = engine
        self._loop = asyncio.get_running_loop()
        self._board: board.Board | None = None
        try:
            self._board = board.Board(file, series)
        except (OSError, ValueError) as error:
            log.error("no figures of this worker are shown: %s", error)
        self._untold: dict[str, int] = {}
        self._timers: list[asyncio.TimerHandle] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._turns = {"flush": asyncio.Lock(), "dump": asyncio.Lock()}

    def start(self) -> None:
        """Begins to copy and to tell."""
        self._copy()
        self._tell_orders()

    def stop(self) -> None:
        """Copies and tells a last time, and ends what is under way."""
        for timer in self._timers:
            timer.cancel()
        for task in self._tasks:
            task.cancel()
        for _ in range(1 + len(self._engine.tallies) // TALLIES_AT_ONCE):
            self.take_tallies()
        self.copy()
        self.tell_orders()

    def _copy(self) -> None:
        self._timers[:1] = [self._loop.call_later(COPY_SECONDS, self._copy)]
        self.copy()

    def _tell_orders(self) -> None:
        self._timers[1:] = [self._loop.call_later(TALLY_SECONDS, self._tell_orders)]
        self.tell_orders()

    def take_tallies(self) -> None:
        """Takes over the blocks that the engine counted, so that they are told."""
        for reference, blocks in self._engine.take_tallies().items():
            self._untold[reference] = self._untold.get(reference, 0) + blocks

    def copy(self) -> None:
        """Puts the figures on the board."""
        self.take_tallies()
        if self._board is not None:
            self._board.write(self._figures.values(self._serial()))

    def tell_orders(self) -> None:
        """Tells the blocks of each order since last told, in as many messages as they take; what cannot be told now is told later."""
        for part in in_messages(self._untold):
            if not tell({"orders": part}):
                return
            for reference in part:
                del self._untold[reference]

    def actions(self, kept: Sequence[Kept], clock: Any) -> dict[str, Callable[[dict[str, Any], list[int]], None]]:
        """What the supervisor may have done, by its "do"; `kept` may change between two of them."""

        def flush(message: dict[str, Any], files: list[int]) -> None:
            _close(files)
            self._begin("flush", self._flush(message, kept))

        def dump(message: dict[str, Any], files: list[int]) -> None:
            _close(files[1:])
            if files and not self._begin("dump", caches.pour(caches.dump(self._name, tuple(kept), clock), files[0])):
                os.close(files[0])

        return {"flush": flush, "dump": dump}

    def _begin(self, kind: str, work: Coroutine[Any, Any, object]) -> bool:
        """Does it after the others of its kind. False when too many wait."""
        if len(self._tasks) >= MOST_WAITING:
            work.close()
            log.warning("not done: %d flushes or dumps wait already", MOST_WAITING)
            return False
        task = self._loop.create_task(self._in_turn(self._turns[kind], work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True

    @staticmethod
    async def _in_turn(turn: asyncio.Lock, work: Coroutine[Any, Any, object]) -> None:
        async with turn:
            await work

    async def _flush(self, message: dict[str, Any], kept: Sequence[Kept]) -> None:
        try:
            zone = names.parse(str(message.get("name", "")))
        except BadName as error:
            log.error("the supervisor asked to flush what is no name: %s", type(error).__name__)
            return
        gone = await caches.flush(zone, tuple(kept))
        for _ in range(TELL_TRIES):
            if tell({"done": "flush", "id": message.get("id"), "entries": gone}):
                return
            await asyncio.sleep(TELL_AGAIN_SECONDS)


def _close(files: Sequence[int]) -> None:
    for file in files:
        os.close(file)


def in_messages(counts: Mapping[str, int], most_octets: int = MOST_OCTETS - 32) -> list[dict[str, int]]:
    """The counts in parts that each fit one message to the supervisor."""
    parts: list[dict[str, int]] = []
    room = 0
    for reference, count in counts.items():
        takes = 6 * len(reference) + 26  # a character may be written as \uXXXX
        if takes > room or not parts:
            parts.append({})
            room = most_octets
        parts[-1][reference] = count
        room -= takes
    return parts
