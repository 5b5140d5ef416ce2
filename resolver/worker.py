"""One resolver process: inherits its sockets, maps the list, serves until told to stop.

Started by the supervisor as `python -m resolver.worker`, with its end of a channel (resolver.channel) as standard input. It says `{"warm": true}` on
standard output once it only waits for a job, and `{"ready": true, ...}` once it serves; from then on messages come by the channel. Everything slow
(opening a version, publishing which one is in force) happens in a thread beside the loop; the loop is only told the result.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import resource
import signal
import socket
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, TypeVar, cast

from blocklists import logs, names, readers, suffixes
from blocklists.agreed import Timekeeper
from blocklists.alarms import Alarms
from blocklists.endpoints import split_endpoint
from blocklists.errors import RedHandError
from blocklists.follower import Follower
from blocklists.store import Version
from blocklists.tell import tell
from blocklists.turns import take_short_turns
from resolver import access, board, channel
from resolver.caches import Kept
from resolver.clients import Clients
from resolver.engine import Engine
from resolver.explaining import Texts
from resolver.following import Following
from resolver.gentle import AWAITED, step_back
from resolver.groups import Front, Group
from resolver.listening import Listening
from resolver.packetcache import Clock
from resolver.policy import Policy
from resolver.rates import Rates
from resolver.records import Limits
from resolver.reporting import Figures, Reporter
from resolver.servers import Server
from resolver.standby import Given, Standby, ignore
from resolver.structured import forms
from resolver.tcp import TcpListener
from resolver.udp import UdpListener
from resolver.upstreams import Upstreams

if TYPE_CHECKING:
    from resolver.settings import ResolverSettings, Upstream

Result = TypeVar("Result")

log = logging.getLogger("resolver")

TEND_SECONDS = 0.2
"""How often a worker looks after itself."""
PUBLISH_SECONDS = 1.0
"""How long a worker that serves waits for the disk to take note of it before it says that it is ready."""
DRAIN_SECONDS = 3.0
"""How long a stopping worker still delivers answers it owes."""
ACCEPTED_SECONDS = 0.02
"""After which a connection that was accepted last is known as one."""
HEARD_OUT_SECONDS = 1.0
"""How long after its last question a stopping worker hears a connection out: one that is closed on a client's question has lost it.

A client that connected may take this long to ask, being far away or busy; the successor answers everybody else meanwhile."""
FILES = 16384
"""Descriptors there is room for from the start; the kernel's table of that many takes 130 KiB."""
SWITCH_INTERVAL = 0.0005
"""Seconds the thread that opens a version may hold the interpreter before the loop gets its turn."""


class Worker:
    """The parts of one process, put together. Must be made inside the running loop."""

    def __init__(self, given: Given, end: socket.socket, follower: Follower, version: Version) -> None:
        job = given.job
        settings = _settings(job["settings"])
        self.name = str(job["name"])
        self.state_dir = Path(job["state_dir"])
        self.version = version
        self.alarms = Alarms(tell)
        self.board = given.board
        """Descriptor of the memory that the supervisor reads this worker's figures from."""
        self._end = end
        self._time = Timekeeper(self.state_dir)
        self._held: frozenset[bytes] = frozenset()
        self._clock = Clock()
        self.policy = Policy(version.index, version.serial, self._unix(), settings.chain_limit)
        zones = {names.key(names.parse(zone.zone)): zone.upstreams for zone in settings.zones}
        caps = (settings.most_lookups_per_client, settings.most_lookups_per_domain)
        self.engine = Engine(self.policy, self._clock, tuple(zones), settings.stale_seconds, caps, settings.structured_error_option)
        database = settings.structured_error_database
        spoken = {"database": database, "language": job.get("language", ""), "operator": job.get("operator", "")}
        self._texts = Texts(self.engine, version, lambda rule, basis: forms(rule, basis, self.policy.now, **spoken), database)
        self.engine.explanations = self._texts
        limits = Limits(settings.min_ttl_seconds, settings.max_ttl_seconds, settings.max_negative_ttl_seconds)
        usual = [_server(each) for each in _upstreams(job["upstreams"])]
        of_zones = {zone: [_server(upstream) for upstream in upstreams] for zone, upstreams in zones.items()}
        self.upstreams = Upstreams(self.engine, usual, of_zones, limits, settings.strategy, self.alarms, job.get("nonce", ""))
        udp_clients, tcp_clients, kept = _entrances(settings, self._clock)
        rates = Rates(settings.queries_per_second, settings.identical_answers_per_second, settings.unlimited)
        tcp_limits = (settings.tcp_connections, settings.tcp_per_client, settings.tcp_idle_seconds)
        self._tcp = TcpListener(self.engine, tcp_clients, self.turn, self.upstreams.start, tcp_limits)
        self.listening = Listening(lambda bound: UdpListener(bound, self.engine, udp_clients, self.turn, self.upstreams.start, rates), self._tcp)
        self.listening.prepare(job["sockets"], given.sockets)
        figures = Figures(self.engine, self.upstreams, self.listening.udp, self._tcp, tuple(kept), board.upstream_addresses(job))
        self._access = access.Access(self.policy, self._clock, (udp_clients, tcp_clients), kept, partial(_entrance, settings, self._clock))
        self._reporter = Reporter(self.name, given.board, board.of_job(job), figures, self.engine, lambda: self.version.serial)
        self.on = {
            "adopt": self.listening.adopt,
            "release": self.listening.release,
            "access": self._grant,
            **self._reporter.actions(kept, self._clock),
        }
        """What does what the supervisor says, by its "do"; the descriptors that come with a message are then the callee's to close."""
        self._following = Following(follower, self.name, version, self.switch, self._beside, self.alarms)
        self._slow = ThreadPoolExecutor(1, "beside-the-loop", step_back, (AWAITED,))

    async def _beside(self, work: Callable[..., Result], *arguments: object) -> Result:
        """Runs what is slow in the one thread beside the loop."""
        return await asyncio.get_running_loop().run_in_executor(self._slow, work, *arguments)

    def _unix(self) -> int:
        return self._time.now()

    def turn(self) -> float:
        """Sets the engine's clock when the second has turned; the monotonic time, by which it did."""
        now = time.monotonic()
        second = int(now)
        if second != self._clock.second:
            self.engine.turn(second, self._unix())
        return now

    async def serve(self) -> None:
        """Serves until SIGTERM or SIGINT, then delivers what is owed and returns."""
        loop = asyncio.get_running_loop()
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        self.turn()
        await self.listening.start()
        follow = asyncio.create_task(self._following.follow())
        await self._following.first_look(PUBLISH_SECONDS)
        gc.collect()
        gc.freeze()
        gc.disable()  # nothing on the query path makes cycles (a test holds that); a full collection would be a pause of 180 ms
        self._end.setblocking(False)
        loop.add_reader(self._end.fileno(), self._hear)
        self._reporter.copy()  # its first beat: who is ready and never beats would never be taken for hung (redhand.hangs)
        tell({"ready": True, "serial": self.version.serial})
        self._reporter.start()
        tend = asyncio.create_task(self._tend())
        await stop.wait()
        tend.cancel()
        follow.cancel()
        await self._drain()
        self._reporter.stop()
        with suppress(RedHandError, OSError):
            readers.withdraw(self.state_dir, self.name)

    def _hear(self) -> None:
        """Does what the supervisor says."""
        while True:
            try:
                heard = channel.receive(self._end)
            except BlockingIOError:
                return
            if heard is None:
                asyncio.get_running_loop().remove_reader(self._end.fileno())
                return
            message, files = heard
            if act := self.on.get(message.get("do", "")):
                act(message, files)
            else:
                ignore(message, files)

    async def _drain(self) -> None:
        loop = asyncio.get_running_loop()
        self.listening.stop()
        deadline = loop.time() + DRAIN_SECONDS
        await asyncio.sleep(ACCEPTED_SECONDS)
        while (self.engine.in_flight or self._texts.waiting or self._is_talked_to(loop.time())) and loop.time() < deadline:
            await asyncio.sleep(0.01)
        self._tcp.close()
        self.upstreams.close()
        await asyncio.sleep(0)

    def _is_talked_to(self, now: float) -> bool:
        """Whether a client connected, or asked over a connection, so lately that its question may be on its way."""
        newest = next(reversed(self._tcp.connections.values()), None)
        return newest is not None and now - newest < HEARD_OUT_SECONDS

    async def _tend(self) -> None:
        """Looks after what nobody asks for; never waits for a disk."""
        sys.setswitchinterval(SWITCH_INTERVAL)
        while True:
            await asyncio.sleep(TEND_SECONDS)
            self.turn()  # with no query to turn it, an answer that took seconds would be dated back to when it was asked for
            self._time.watch(self.alarms)
            self._access.settle(self._unix(), not self._time.jumped)
            self._following.watch()
            self._report_holds()
            self.alarms.retell()

    def switch(self, version: Version) -> None:
        """Puts a verified version in force between two queries."""
        self.version = version
        self.engine.switch(version.index, version.serial, int(time.monotonic()), self._unix())
        self._texts.switch(version)
        log.info("version %d (%s) is in force", version.serial, version.identity[:16])

    def _grant(self, message: dict[str, Any], files: list[int]) -> None:
        """Who has access from now on."""
        for file in files:
            os.close(file)
        now = self._unix()
        self._access.take(access.told(message), now, not self._time.jumped)

    def _report_holds(self) -> None:
        held = frozenset(self.policy.held)
        for key in held - self._held:
            self.alarms.sound(
                f"held entry {names.key_text(key)}",
                f"more than {self.policy.chain_limit} unrelated domains lead to it by alias, so it looks like shared infrastructure; names that lead "
                "to it are no longer blocked for that (the name itself stays blocked)",
                "have its issuer check the entry, or raise resolver.chain_limit",
            )
        for key in self._held - held:
            self.alarms.clear(f"held entry {names.key_text(key)}")
        self._held = held


def _settings(dumped: dict[str, Any]) -> ResolverSettings:
    """The settings of a job, which the supervisor has validated: not validated again, because loading pydantic takes longer than opening a list."""
    zones = [SimpleNamespace(zone=each["zone"], upstreams=_upstreams(each["upstreams"])) for each in dumped["zones"]]
    groups = [SimpleNamespace(**each) for each in dumped["groups"]]
    return cast("ResolverSettings", SimpleNamespace(**{**dumped, "zones": zones, "groups": groups}))


def _upstreams(dumped: list[dict[str, Any]]) -> list[Upstream]:
    return [cast("Upstream", SimpleNamespace(**each)) for each in dumped]


def _server(upstream: Upstream) -> Server:
    return Server(*split_endpoint(upstream.address), upstream.trusted_ad, upstream.weight)


def _entrances(settings: ResolverSettings, clock: Clock) -> tuple[Clients[Front], Clients[Front], list[Kept]]:
    """For UDP and TCP: which front a client's address enters by; and all caches. The memory is shared out among the caches of all groups."""
    named: list[tuple[str, tuple[str, ...], tuple[str, ...]]] = [(board.EVERYONE, (), settings.landing_addresses)]
    named += [(group.name, group.networks, group.landing_addresses or settings.landing_addresses) for group in settings.groups]
    share = (settings.cache_mb << 20) // (8 * len(named))
    fronts = []
    for name, networks, landing_addresses in named:
        group = Group(name, landing_addresses, settings.block_ttl_seconds, 4 * share)
        fronts.append((networks, Front(group, 3 * share, clock), Front(group, share, clock, 65535)))
    udp = {network: udp_front for networks, udp_front, _ in fronts for network in networks}
    tcp = {network: tcp_front for networks, _, tcp_front in fronts for network in networks}
    kept = [Kept(udp_front.group, udp_front, tcp_front) for _, udp_front, tcp_front in fronts]
    return Clients(settings.allow, udp, fronts[0][1]), Clients(settings.allow, tcp, fronts[0][2]), kept


def _entrance(settings: ResolverSettings, clock: Clock, name: str) -> tuple[Group, Front, Front]:
    """A group of the usual landing addresses beside those of the settings, with small caches (`resolver.access`)."""
    share = access.MOST_BYTES // 4
    group = Group(name, settings.landing_addresses, settings.block_ttl_seconds, 2 * share)
    return group, Front(group, share, clock), Front(group, share, clock, 65535)


def main() -> int:
    """Waits for a job and serves. Returns the exit code: 1 when the list or the job cannot be used, with the reason on standard error."""
    logs.to_stderr()
    take_short_turns()  # one that was started before its supervisor took them has not inherited them
    _make_room_for_files()
    end = socket.socket(fileno=sys.stdin.fileno())
    suffixes.load()  # every lookup counts for somebody's domain; reading the data takes 15 ms, which no query should wait for
    standby = Standby(end)
    tell({"warm": True})
    given = standby.wait()
    if given is None:
        return 0
    logs.to_stderr(given.job["name"], given.job.get("logs", "text"))
    try:
        asyncio.run(_serve(given, end, *standby.version(given.job)))
    except RedHandError as error:
        log.error("%s", error)
        return 1
    return 0


async def _serve(given: Given, end: socket.socket, follower: Follower, version: Version) -> None:
    await Worker(given, end, follower, version).serve()


def _make_room_for_files() -> None:
    """Sockets to upstreams and from clients need more descriptors than the usual 1,024, and must not wait for the kernel's table of them to grow.

    In a process with threads the kernel doubles that table only after every core has passed through the scheduler: up to 16 ms in which the loop
    stands still (measured: `socket()` that returned descriptor 256). Using a high number once, before there are threads, makes it grow now.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 65536 if hard == resource.RLIM_INFINITY else hard
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    highest = min(max(soft, wanted), FILES) - 1
    os.dup2(sys.stderr.fileno(), highest)
    os.close(highest)


if __name__ == "__main__":
    sys.exit(main())
