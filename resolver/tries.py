"""What `upstreams` keeps while a lookup is on its way: its tries, how far it has come, and the servers of its zone."""

from __future__ import annotations

from collections.abc import Sequence

from resolver.groups import Lookup
from resolver.servers import Server
from resolver.strategies import ORDERS, Strategy
from resolver.wire import AD, CD, HEADER, PLAIN_OPT, RD

_HEADS = tuple(tuple(HEADER.pack(0, RD | AD | cd, 1, 0, 0, opt)[2:] for opt in (0, 1)) for cd in (0, CD))
"""Our header without its ID, by CD and by whether an OPT follows."""
TRY_SECONDS = (0.4, 0.6, 0.8, 1.0)
"""How long each try is waited for before the next begins; after the last the lookup has failed."""
COPY, LOOP = -1, -2
"""Numbers of tries that nobody waits for: a copy of a live question that probes a server, and a question that looks for a forwarding loop."""
COPY_SECONDS = 1.0
"""How long such a try may take."""
SORT_SECONDS = 0.1
"""How long an order by measured times stands; whoever leaves or returns has it made anew."""
LOOK_SECONDS = 0.25
"""How often we look for servers of a zone to probe."""


class Try:
    """One question sent to one server.

    `question` the question section as sent, in its letter case; `edns` whether with OPT; `waits`: no word yet, and time is left; `over`: the lookup
    no longer counts on it; `odd_case`: it was answered over UDP in other letters.
    """

    __slots__ = ("deadline", "edns", "lookup", "number", "odd_case", "over", "question", "sent_at", "server", "waits")

    def __init__(self, lookup: Lookup, number: int, server: Server, now: float) -> None:
        self.lookup = lookup
        self.number = number
        self.server = server
        self.sent_at = now
        self.deadline = now + (TRY_SECONDS[number] if number >= 0 else COPY_SECONDS)
        self.question = lookup.question
        self.edns = server.edns
        self.waits = True
        self.over = number < 0
        self.odd_case = False

    def land(self) -> bool:
        """It is no longer in flight. Whether it was until now."""
        if not self.waits:
            return False
        self.waits = False
        self.server.waiting -= 1
        return True

    def packet(self) -> bytes:
        """All that is sent but the ID: our own header, the question, our OPT unless the server does not like it."""
        lookup = self.lookup
        if self.edns:
            return _HEADS[lookup.cd][1] + self.question + PLAIN_OPT[lookup.do]
        self.server.without_edns += 1
        return _HEADS[lookup.cd][0] + self.question


class Progress:
    """Where a lookup stands: `order` its servers; `begun` tries, `open` of them still counted on; the worst that was met; `near` misses;
    `tcp` whether only TCP is believed by now."""

    __slots__ = ("begun", "near", "open", "order", "reached", "started", "tcp", "unreachable")

    def __init__(self, order: list[Server], now: float) -> None:
        self.order = order
        self.started = now
        self.begun = self.open = self.near = 0
        self.reached = self.unreachable = self.tcp = False

    def next_server(self) -> Server:
        """Whom the next try goes to: round the order, passing over servers that have gone away or are doubted since it was made."""
        order = self.order
        number = self.begun % len(order)
        first = order[number]
        if first.away or first.doubted:
            around = order[number:] + order[:number]
            return min(around, key=lambda server: (server.away, server.doubted))
        return first

    def other_server(self) -> bool:
        """Whether the next try would go to a server that is there and was not asked yet."""
        return self.begun < len(self.order) and not self.order[self.begun].away


class Zone:
    """The servers that answer for a zone, and the order they are asked in."""

    __slots__ = ("_of", "_order", "_sorted_until", "_strategy", "look_at", "servers")

    def __init__(self, servers: Sequence[Server], strategy: Strategy) -> None:
        self.servers = list(servers)
        self._strategy = strategy
        self._of = ORDERS[strategy]
        self._order: list[Server] = []
        self._sorted_until = 0.0
        self.look_at = 0.0

    @property
    def at_once(self) -> bool:
        """Whether several are asked at the same time."""
        return self._strategy == "parallel"

    @property
    def by_time(self) -> bool:
        """Whether the order depends on measurements, which must then be kept fresh."""
        return self._strategy in ("fastest", "parallel")

    def in_order(self, now: float) -> list[Server]:
        """Whom to ask, best first; without those that loop. Not to be changed."""
        if now >= self._sorted_until or self._strategy == "weighted":
            self._order = self._of(self.servers)
            self._sorted_until = now + SORT_SECONDS
        return self._order

    def changed(self) -> None:
        """A server left, returned or is doubted."""
        self._sorted_until = 0.0

    def to_probe(self, now: float) -> list[Server]:
        """Servers to send a copy of a question that is asked of another one now."""
        self.look_at = now + LOOK_SECONDS
        first = self._order[0]
        others = [server for server in self.servers if server is not first]
        return [server for server in others if server.may_be_probed(now) or (self.by_time and server.is_old_news(now))]
