"""Scripted resolvers, as a program: `python -m porosity.lab.leaky`. Each does what the scenario says of it, and writes down each deed.

It reads lines of JSON from standard input: first its jobs (`Job`), which it answers with `ready`, then orders as the lab's clock has them, or none,
which it answers with `done` when its deeds are on the disk. When its input ends, it ends. It listens on loopback and on the lab's addresses alone.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from random import Random
from typing import Any

import dns.name

from blocklists.errors import RedHandError
from porosity import ethics
from porosity.lab import quic
from porosity.lab.deeds import Cover, Deed, Reading, Scripted
from porosity.lab.scenario import Machine
from porosity.lab.zones import Zones
from porosity.words import Transport

IDLE_SECONDS = 10.0


@dataclass(frozen=True)
class Job:
    """What the first line says of one resolver."""

    id: str
    machine: dict[str, Any]
    """Of scenario.Machine."""
    orders: list[tuple[str, str, float]]
    """Name, match, and since when, in unix seconds."""
    landing: tuple[str, str]
    elsewhere: tuple[str, str]
    """Where its lies lead."""
    listen: list[tuple[Transport, str, int]]
    seed: int
    log: str
    """File for the deeds, a line of JSON each."""
    certificate: str = ""
    key: str = ""


class Server:
    """The sockets of one resolver."""

    def __init__(self, job: Job, reading: Reading) -> None:
        self._scripted = Scripted(Machine(**job.machine), reading, job.landing, job.elsewhere)
        self._cover = _cover(job.orders)
        self._loses = int(job.machine["loses"])
        self._random = Random(f"{job.seed} {job.id}")  # noqa: S311 - to be repeated, not secret
        self._log = Path(job.log).open("a", encoding="ascii")  # noqa: SIM115 - for as long as it serves
        self._job = job
        self._serving: list[Any] = []

    def respond(self, wire: bytes, transport: Transport) -> bytes:
        """The answer, its deed written down."""
        now = time.time()
        answer, deed = self._scripted.respond(wire, transport, self._cover, now)
        if transport == "udp" and self._random.randrange(100) < self._loses:
            answer, deed = b"", Deed("lost")
        line = {
            "at": round(now * 1_000_000), "by": self._job.id, "transport": transport, "query": wire.hex(),
            "kind": deed.kind, "covered": deed.covered, "data": deed.data, "leak": deed.leak,
        }  # fmt: skip
        self._log.write(json.dumps(line, separators=(",", ":")) + "\n")
        return answer

    async def start(self) -> None:
        """Opens all sockets. Raises OSError, and RedHandError for an address that is neither loopback's nor the lab's."""
        loop = asyncio.get_running_loop()
        for transport, address, port in self._job.listen:
            if not ethics.free(ip_address(address)):
                raise RedHandError(f"{address} is neither loopback nor the lab's; a resolver that leaks must not be reached from elsewhere")
            if transport == "udp":
                made, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(self), local_addr=(address, port))
                self._serving.append(made)
            elif transport in ("tcp", "dot"):
                context = _context(self._job) if transport == "dot" else None
                stream = await asyncio.start_server(self._connection(transport), address, port, ssl=context)
                self._serving.append(stream)
            elif transport == "doq":
                chain, key = Path(self._job.certificate), Path(self._job.key)
                self._serving.append(await quic.serving(address, port, chain, key, lambda wire: self.respond(wire, "doq")))
            else:
                raise RedHandError(f"a scripted resolver does not speak {transport}; let Unbound")

    def _connection(self, transport: Transport) -> Any:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with suppress(OSError, asyncio.IncompleteReadError, TimeoutError):
                while True:
                    async with asyncio.timeout(IDLE_SECONDS):
                        size = int.from_bytes(await reader.readexactly(2), "big")
                        wire = await reader.readexactly(size)
                    if answer := self.respond(wire, transport):
                        writer.write(len(answer).to_bytes(2, "big") + answer)
                        await writer.drain()
            writer.close()

        return serve

    def told(self, said: dict[str, Any]) -> None:
        """What a line of the lab's says."""
        if "orders" in said:
            self._cover = _cover(said["orders"])
        self._log.flush()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, server: Server) -> None:
        self._server = server
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]

    def datagram_received(self, data: bytes, addr: Any) -> None:
        answer = self._server.respond(data, "udp")
        if answer and self._transport is not None:
            self._transport.sendto(answer, addr)


def _cover(orders: list[tuple[str, str, float]]) -> Cover:
    return Cover({dns.name.from_text(name): (match, since) for name, match, since in orders})  # type: ignore[misc]


def _context(job: Job) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(job.certificate, job.key)
    context.set_alpn_protocols(["dot"])
    return context


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    said = json.loads(await loop.run_in_executor(None, sys.stdin.readline))
    reading = Reading(Zones(said["zones"]))
    servers = [Server(Job(**job), reading) for job in said["jobs"]]
    for server in servers:
        await server.start()
    print("ready", flush=True)
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        for server in servers:
            server.told(json.loads(line))
        print("done", flush=True)
    for server in servers:
        server.told({})


if __name__ == "__main__":
    asyncio.run(_serve())
