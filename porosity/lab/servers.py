"""Starts the lab's resolvers, each as its operators start it, and waits until it answers: ours that leak, Red Hand, Unbound.

What a server is told stands in files of the lab's directory, one of its own for each, with what it said.
"""

from __future__ import annotations

import json
import select
import subprocess
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from porosity.lab.addresses import ELSEWHERE, FIRST_LIE
from porosity.lab.certificates import Authority
from porosity.lab.places import LabError, Place, last_words
from porosity.lab.scenario import Machine
from porosity.lab.world import World
from porosity.words import Endpoint, Resolver, Transport

READY_SECONDS = 30.0
LOG, DEEDS = "log.txt", "deeds.jsonl"

Orders = Sequence[tuple[str, str, float]]
"""Name, match, and since when, in unix seconds."""


@dataclass
class Server:
    """A resolver that runs. `deeds`: where a scripted one writes down what it did."""

    resolver: Resolver
    process: subprocess.Popen[Any]
    directory: Path
    deeds: Path | None = None

    @property
    def log(self) -> Path:
        """What it said."""
        return self.directory / LOG

    def tell(self, **words: Any) -> None:
        """Tells a scripted one something, and waits until its deeds so far are on the disk. Raises LabError when it is gone."""
        try:
            self.process.stdin.write(json.dumps(words) + "\n")  # type: ignore[union-attr]
            self.process.stdin.flush()  # type: ignore[union-attr]
            said = _line(self.process)
        except OSError:
            said = ""
        if said != "done\n":
            raise LabError(f"the lab's resolver {self.resolver.id} is gone; it said last: {last_words(self.log)}")


@dataclass(frozen=True)
class Setting:
    """What all servers of a lab share."""

    world: World
    directory: Path
    authority: Authority
    landing: tuple[str, str]
    """What blocked names are answered with, IPv4 and IPv6."""
    page_port: int
    page: str = ""
    """Where Red Hand's page listens; empty: at the landing addresses."""

    def at(self, page: str) -> Setting:
        """The same with the page elsewhere, as behind a front."""
        return replace(self, page=page)


def scripted(place: Place, setting: Setting, machines: Sequence[tuple[Resolver, Machine]], orders: Orders) -> list[Server]:
    """Resolvers that do what the scenario says, in one process. They are ready when this returns."""
    jobs = []
    for resolver, machine in machines:
        directory = _directory(setting, resolver)
        chain, key = _certificate(setting, resolver)
        jobs.append(
            {
                "id": resolver.id,
                "machine": asdict(machine),
                "orders": list(orders),
                "landing": setting.landing,
                "elsewhere": [each.format(FIRST_LIE + zlib.crc32(resolver.id.encode()) % 150) for each in ELSEWHERE],
                "listen": [(each.transport, each.address, each.port) for each in resolver.endpoints],
                "seed": setting.world.seed,
                "log": str(directory / DEEDS),
                "certificate": chain,
                "key": key,
            }
        )
    first = setting.directory / machines[0][0].id
    with (first / LOG).open("ab") as log:
        process = place.python("porosity.lab.leaky", log=log, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    process.stdin.write(json.dumps({"zones": setting.world.zones, "jobs": jobs}) + "\n")  # type: ignore[union-attr]
    process.stdin.flush()  # type: ignore[union-attr]
    if _line(process) != "ready\n":
        raise LabError(f"the lab's scripted resolvers did not start; they said: {last_words(first / LOG)}")
    return [Server(each, process, first, setting.directory / each.id / DEEDS) for each, _ in machines]


def red_hand(place: Place, setting: Setting, resolver: Resolver, upstream: str, feed: Mapping[str, Any] | None = None) -> Server:
    """Red Hand with its page. `upstream`: ADDRESS:PORT of the recursor that it asks. `feed`: settings of the feed that it follows; None: a file of
    directives has its orders.
    """
    directory = _directory(setting, resolver)
    (directory / "orders.yaml").write_text(setting.world.directives(), encoding="utf-8")
    pages = [setting.page] if setting.page else setting.landing
    settings = {
        "state_dir": "state",
        "metrics": {"listen": ""},
        "resolver": {
            "listen": [_host(each.address, each.port) for each in resolver.endpoints if each.transport == "udp"],
            "allow": ["127.0.0.0/8", "::1/128", "192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32"],
            "unlimited": ["0.0.0.0/0", "::/0"],
            "workers": 1,
            "cache_mb": 16,
            "upstreams": [{"address": upstream}],
            "landing_addresses": list(setting.landing),
        },
        "landing": {"listen": [_host(each, setting.page_port) for each in pages], "operator": "Example Telecom"},
        "blocklists": {"sources": [] if feed else [{"id": "orders", "path": "orders.yaml", "format": "directives"}]},
        **({"feed": dict(feed)} if feed else {}),
    }
    (directory / "config.yaml").write_text(json.dumps(settings, indent=1), encoding="utf-8")
    with (directory / LOG).open("ab") as log:
        process = place.python("redhand", "run", "--config", str(directory / "config.yaml"), log=log)
    server = Server(resolver, process, directory)
    _until(server, lambda: "Ctrl-C stops it." in server.log.read_text(encoding="utf-8", errors="replace"))
    return server


def unbound(place: Place, setting: Setting, resolver: Resolver, forward: Endpoint | None, hints: Path | None = None, anchor: str = "") -> Server:
    """Unbound, which blocks nothing. `forward`: whom it asks everything; else it begins at the root in `hints`. `anchor`: DS record to believe."""
    directory = _directory(setting, resolver)
    chain, key = _certificate(setting, resolver)
    ports = {each.transport: each.port for each in resolver.endpoints}
    lines = [
        "server:",
        *dict.fromkeys(f"  interface: {each.address}@{each.port}" for each in resolver.endpoints),
        f"  tls-port: {ports.get('dot', 853)}",
        f"  https-port: {ports.get('doh', 443)}",
        *((f'  tls-service-pem: "{chain}"', f'  tls-service-key: "{key}"') if chain else ()),
        '  do-daemonize: no\n  username: ""\n  chroot: ""\n  pidfile: ""\n  use-syslog: no\n  do-not-query-localhost: no\n  num-threads: 1',
        f'  directory: "{directory}"',
        "  access-control: 0.0.0.0/0 allow\n  access-control: ::0/0 allow",
        # The lab's names lie where resolvers by themselves would not ask.
        *(f'  local-zone: "{each}" nodefault' for each in ("example.", "test.", "invalid.")),
        f'  module-config: "{"validator iterator" if anchor else "iterator"}"',
        *((f'  trust-anchor: "{anchor.strip()}"',) if anchor else ()),
        *((f'  root-hints: "{hints}"',) if hints else ()),
        "remote-control:\n  control-enable: no",
    ]
    if forward is not None:
        lines += ["forward-zone:", '  name: "."', f"  forward-addr: {forward.address}@{forward.port}"]
    (directory / "unbound.conf").write_text("\n".join(lines) + "\n", encoding="utf-8")
    with (directory / LOG).open("ab") as log:
        process = place.start("unbound", "-d", "-c", str(directory / "unbound.conf"), log=log)
    server = Server(resolver, process, directory)
    _until(server, lambda: "start of service" in server.log.read_text(encoding="utf-8", errors="replace"))
    return server


def endpoints(machine: Machine, address: str, name: str, ports: dict[Transport, int]) -> tuple[Endpoint, ...]:
    """Where a resolver of the scenario is reached."""
    return tuple(Endpoint(each, address, ports[each], name if each in ("dot", "doh", "doq") else "") for each in machine.transports)


def _certificate(setting: Setting, resolver: Resolver) -> tuple[str, str]:
    named = [each for each in resolver.endpoints if each.server_name]
    if not named:
        return "", ""
    chain, key = setting.authority.issue(named[0].server_name, [each.address for each in named[:1]])
    return str(chain), str(key)


def _directory(setting: Setting, resolver: Resolver) -> Path:
    directory = setting.directory / resolver.id
    directory.mkdir(parents=True)
    return directory


def _host(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _line(process: subprocess.Popen[Any]) -> str:
    """The next line of a scripted resolver; empty when none comes."""
    if process.stdout is None or not select.select([process.stdout], [], [], READY_SECONDS)[0]:
        return ""
    return str(process.stdout.readline())


def _until(server: Server, is_so: Callable[[], bool]) -> None:
    ends = time.monotonic() + READY_SECONDS
    while not is_so():
        if server.process.poll() is not None or time.monotonic() > ends:
            raise LabError(f"{server.resolver.id} did not start within {READY_SECONDS:.0f} s; it said: {last_words(server.log)}")
        time.sleep(0.02)
