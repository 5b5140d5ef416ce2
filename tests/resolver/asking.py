"""Real upstreams, a real client socket, and between them the resolver's engine and `Upstreams`, in a thread: a test may read their counters."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import dns.message
import dns.query

from blocklists.alarms import Alarms
from resolver.servers import Server
from resolver.strategies import Strategy
from resolver.upstreams import Upstreams
from resolver.wire import Query
from tests.resolver.rig import Rig, key
from tests.resolver.servers import HOST, PATIENCE, Scripted, query
from tests.tools import DEADLINE

Result = TypeVar("Result")


class House:
    """A resolver on a loopback port. `servers` are its upstreams as they are doing; `alarms` those raised now, by name."""

    def __init__(
        self, *upstreams: Scripted | tuple[str, int], strategy: Strategy = "ordered", weights: Iterable[int] = (), nonce: str = "",
        zones: Mapping[str, Scripted] | None = None,
    ) -> None:  # fmt: skip
        addresses = [(HOST, each.port) if isinstance(each, Scripted) else each for each in upstreams]
        self.servers = [Server(*address, False, weight) for address, weight in zip(addresses, list(weights) or [1] * len(addresses), strict=True)]
        self.zones = {zone: Server(HOST, server.port) for zone, server in (zones or {}).items()}
        self.rig = Rig(zones=self.zones)
        self.alarms: dict[str, dict[str, str]] = {}
        self.raised: list[str] = []
        self._strategy = strategy
        self._nonce = nonce
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self._socket.bind((HOST, 0))
        self._socket.setblocking(False)
        self.port: int = self._socket.getsockname()[1]
        self.faults: list[BaseException] = []
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)

    def _tell(self, message: dict[str, Any]) -> bool:
        if "alarm" in message:
            self.alarms[message["alarm"]["name"]] = message["alarm"]
            self.raised.append(message["alarm"]["name"])
        else:
            self.alarms.pop(message["clear"], None)
        return True

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._loop.set_exception_handler(lambda _, context: self.faults.append(context.get("exception") or RuntimeError(context["message"])))
        self._stop = asyncio.Event()
        of_zones = {key(zone): [server] for zone, server in self.zones.items()}
        self.upstreams = Upstreams(self.rig.engine, self.servers, of_zones, self.rig.limits, self._strategy, Alarms(self._tell), self._nonce)
        self._loop.add_reader(self._socket.fileno(), self._drain)
        begun = int(time.monotonic()) - self.rig.second
        self._ready.set()
        while not self._stop.is_set():
            second = int(time.monotonic()) - begun
            if second != self.rig.second:
                self.rig.advance(second - self.rig.second)
            await asyncio.sleep(0.05)
        self.upstreams.close()
        self._loop.remove_reader(self._socket.fileno())
        await asyncio.sleep(0)

    def _drain(self) -> None:
        for _ in range(64):
            try:
                data, address = self._socket.recvfrom(4096)
            except BlockingIOError:
                break
            reply = self.rig.engine.ask(data, self.rig.udp, self, address)
            if reply is not None:
                self._socket.sendto(data[:2] + reply, address)
        self.upstreams.start(self.rig.engine.take_lookups())

    def send(self, query: Query, reply: bytes) -> None:
        """Where the engine's later replies go."""
        self._socket.sendto(query.raw[:2] + reply, query.address)

    def ask(self, name: str, kind: str = "A", **options: Any) -> dns.message.Message:
        """The answer over UDP. Datagrams from elsewhere are none: tests beside this one may answer, late, whoever had the client's port before."""
        return dns.query.udp(query(name, kind, **options), HOST, PATIENCE, self.port, ignore_unexpected=True)

    def timed(self, name: str, kind: str = "A", **options: Any) -> tuple[dns.message.Message, float]:
        """The answer, and the seconds it took."""
        begun = time.monotonic()
        return self.ask(name, kind, **options), time.monotonic() - begun

    def ask_many(self, names: Iterable[str], at_once: int = 16) -> list[tuple[dns.message.Message, float]]:
        """The same for many names, so many at a time."""
        with ThreadPoolExecutor(at_once) as clients:
            return list(clients.map(self.timed, names))

    def inside(self, work: Callable[[], Result]) -> Result:
        """Does something in the resolver's own thread."""

        async def do() -> Result:
            return work()

        return asyncio.run_coroutine_threadsafe(do(), self._loop).result(DEADLINE)

    def __enter__(self) -> House:
        self._thread.start()
        assert self._ready.wait(DEADLINE)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(DEADLINE)
        self._socket.close()
        assert not self.faults, self.faults
