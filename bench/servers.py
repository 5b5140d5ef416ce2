"""Starts the servers that are compared, and the upstream they all ask, each in a scratch directory of its own and as its user would.

A server is described by a `Kind`: its program, the templates of its configuration (in `configs/`), the form of its block list, and how it takes
a new list while it serves. A `Server` is one that runs. Nothing here puts load on one.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from string import Template

from bench import data, machine
from bench.ask import addresses, answers_block, ask, wait_until
from bench.machine import GENERATOR_CORE, SERVER_CORE, BenchError

CONFIGS = Path(__file__).parent / "configs"
ZIPF_CACHE = 400_000
"""Entries for peers whose cache is counted in names: room for every name a workload repeats."""
IDLE_SECONDS = 1.0
IDLE_SHARE = 0.03
"""A server is idle that uses less than this share of its core for a second: more than a clock tick, less than any work."""
FIRST_ADDRESS, SECOND_ADDRESS = "127.0.0.1", "127.0.0.2"
"""Of the upstreams. Two addresses, not two ports of one: some resolvers remember how a server does by its address alone."""
START_LIMIT = 180.0
"""Seconds a server may take until its first right answer; the slowest peer needs about 20 for a million names."""

NSD_LIMIT = 60.0
"""Seconds NSD may take to read its zone of 200,000 names; it needs one on a quiet machine."""


@dataclass(frozen=True)
class Kind:
    """One program under test. `templates` are (template, file in its directory); `$DIR` and the like stand in both these and the command."""

    name: str
    command: tuple[str, ...]
    templates: tuple[tuple[str, str], ...]
    form: Callable[[Iterable[str], int], Iterator[str]]
    version: tuple[str, ...]
    second: str = ""
    """How a second upstream, on SECOND_ADDRESS at `$PORT`, is written where the templates say `$SECOND`."""
    reload: Callable[[Server], None] | None = None
    prepare: Callable[[Server], None] | None = None

    @property
    def installed(self) -> bool:
        """Whether its program can be started here."""
        return machine.find_program(self.command[0]) is not None

    def version_text(self) -> str:
        """The version number it prints of itself."""
        return version_in(machine.output(self.version))


@dataclass
class Server:
    """A server, running or about to. `ready_seconds` is the time from just before its process was made to the moment its whole list was in force;
    `build_seconds` what came before the start, for a server that builds its list apart.
    """

    kind: Kind
    port: int
    directory: Path
    upstream: int
    second: int | None = None
    """Port of the second upstream, if it has one."""
    workers: int = 1
    """Worker processes, for those whose template asks."""
    core: int | None = SERVER_CORE
    """None: all cores."""
    process: subprocess.Popen[str] | None = field(default=None)
    ready_seconds: float = 0.0
    build_seconds: float = 0.0

    @property
    def name(self) -> str:
        """The name it has in the tables."""
        return self.kind.name

    @property
    def list_file(self) -> Path:
        """Its block list, which a swap replaces by rename."""
        return self.directory / "list.txt"

    @property
    def pid(self) -> int:
        """Of its first process. Raises BenchError if it has not been started, or has ended."""
        if self.process is None or self.process.poll() is not None:
            raise BenchError(f"{self.name} is not running. It said:\n{self.log()}")
        return self.process.pid

    def log(self) -> str:
        """The end of what it wrote."""
        file = self.directory / "log.txt"
        return file.read_text(encoding="utf-8", errors="replace")[-2000:] if file.exists() else ""

    def launch(self, listed: list[str]) -> None:
        """Starts the process and waits until its whole list is in force: BIND, for one, serves before it has read all of it."""
        command = [Template(part).substitute(self.words()) for part in self.kind.command]
        started = time.monotonic()
        self.process = machine.start(command, core=self.core, cwd=self.directory, log=self.directory / "log.txt")
        self.await_list(listed)
        self.ready_seconds = time.monotonic() - started

    def await_list(self, listed: list[str]) -> float:
        """Seconds until it blocks names from all over a list. Raises BenchError if that takes longer than START_LIMIT.

        Each question is new, a subdomain never asked before: an answer from before the list was in force may stay in the server's cache.
        """
        waiting, numbers = sample(listed), count()

        def in_force() -> bool:
            while waiting and self.pid > 0 and answers_block(self.port, f"p{next(numbers)}.{waiting[-1]}"):
                waiting.pop()
            return not waiting

        return wait_until(in_force, START_LIMIT, lambda: f"{self.name} did not block {waiting[-1]}. It said:\n{self.log()}")

    def settle(self) -> None:
        """Waits until it has nothing left to do, such as Red Hand's check of its sources after a start. Raises BenchError if that takes too long."""
        used = [machine.cpu_seconds(self.pid)]

        def idle() -> bool:
            used.append(machine.cpu_seconds(self.pid))
            return used[-1] - used[-2] < IDLE_SHARE * IDLE_SECONDS

        time.sleep(IDLE_SECONDS)
        wait_until(idle, START_LIMIT, lambda: f"{self.name} is never idle. It said:\n{self.log()}", every=IDLE_SECONDS)

    def words(self) -> dict[str, str]:
        """What the templates may name."""
        return {
            "DIR": str(self.directory),
            "PORT": str(self.port),
            "UPSTREAM": str(self.upstream),
            "SECOND": Template(self.kind.second).substitute(PORT=self.second) if self.second else "",
            "WORKERS": str(self.workers),
            "LIST": str(self.list_file),
            "LANDING": data.LANDING,
            "ZONE": data.ZONE,
            "CACHE": str(ZIPF_CACHE),
        }

    def stage(self, new_list: Path) -> Path:
        """Copies a list beside the one in use, so that `swap` is a rename."""
        return Path(shutil.copyfile(new_list, self.directory / "list.new"))

    def swap(self, staged: Path) -> None:
        """Puts a staged list in the place of the one in use and asks the server to take it."""
        if self.kind.reload is None:
            raise BenchError(f"{self.name} takes a new list only by a restart")
        staged.replace(self.list_file)
        self.kind.reload(self)

    def stop(self) -> None:
        """Ends it, by force if it does not end within 5 s."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            members = machine.family(self.process.pid)
            for member in reversed(members):
                os.kill(member, signal.SIGKILL)
            self.process.wait(5)


def prepare(
    kind: Kind, scratch: Path, upstream: int, list_file: Path, *, second: int | None = None, workers: int = 1, core: int | None = SERVER_CORE
) -> Server:
    """A directory with configuration and list, and whatever the server's user does before starting it. The process is started by `Server.launch`."""
    port = machine.free_port()
    server = Server(kind, port, scratch / f"{kind.name.replace(' ', '')}-{port}", upstream, second, workers, core)
    server.directory.mkdir()
    shutil.copyfile(list_file, server.list_file)
    for template, target in kind.templates:
        text = (CONFIGS / template).read_text(encoding="utf-8")
        (server.directory / target).write_text(Template(text).substitute(server.words()), encoding="utf-8")
    if kind.prepare is not None:
        kind.prepare(server)
    return server


def sample(listed: list[str]) -> list[str]:
    """32 names from all over a list, its first and its last among them."""
    step = max(1, len(listed) // 31)
    return [*listed[::step], listed[-1]]


class Upstream:
    """NSD on the generator's core. It answers the names of `data.zone` and nothing else."""

    def __init__(self, scratch: Path, address: str = FIRST_ADDRESS) -> None:
        self.directory = scratch / f"upstream-{address}"
        self.directory.mkdir()
        self.port = machine.free_port(address)
        data.write_lines(self.directory / "upstream.zone", data.zone())
        text = (CONFIGS / "nsd.conf").read_text(encoding="utf-8")
        words = {"DIR": str(self.directory), "ADDRESS": address, "PORT": str(self.port), "ZONE": data.ZONE}
        (self.directory / "nsd.conf").write_text(Template(text).substitute(words), encoding="utf-8")
        self.process = machine.start(["nsd", "-d", "-c", str(self.directory / "nsd.conf")], core=GENERATOR_CORE, log=self.directory / "log.txt")
        try:
            wait_until(lambda: bool(addresses(ask(self.port, data.hit_name(0), 0.1, address=address))), NSD_LIMIT, self._silent)
        except BenchError:
            self.stop()
            raise

    def _silent(self) -> str:
        return f"NSD, the upstream, does not answer. It said:\n{(self.directory / 'log.txt').read_text(encoding='utf-8', errors='replace')[-2000:]}"

    def hold(self) -> None:
        """Stops it as a machine that hangs does: its sockets stay open, and nothing answers."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Lets it go on, if it was held."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        for member in machine.family(self.process.pid):
            os.kill(member, number)

    def stop(self) -> None:
        """Ends it, held or not."""
        self.resume()
        self.process.terminate()
        self.process.wait(10)


def version_in(text: str) -> str:
    """The first thing in a program's own words that looks like its version."""
    found = re.search(r"(?<=[Vv]ersion )\d+\.\d+[\w.]*", text) or re.search(r"\d+\.\d+[\w.]*", text)
    return found.group() if found else "unknown"


# How each takes a new list


def _hangup(server: Server) -> None:
    os.kill(server.pid, signal.SIGHUP)


def _touch(server: Server) -> None:
    (server.directory / "reload").touch()


def _control_recursor(server: Server) -> None:
    machine.output(
        ["rec_control", f"--socket-dir={server.directory}", "reload-lua-config"], core=GENERATOR_CORE, limit_seconds=START_LIMIT, must_succeed=True
    )


def _notices(server: Server) -> None:
    """It watches the file itself."""


def _build_index(server: Server) -> None:
    command = [*REDHAND, "--config", str(server.directory / "config.yaml"), "blocklist", "build"]
    began = time.monotonic()
    machine.output(command, core=SERVER_CORE, cwd=server.directory, limit_seconds=300, must_succeed=True)
    server.build_seconds = time.monotonic() - began


REDHAND = (sys.executable, "-m", "redhand")
"""The command `redhand` of the environment that runs the comparison."""

RED_HAND = Kind(
    name="Red Hand",
    command=(*REDHAND, "resolver", "--config", "$DIR/config.yaml"),
    templates=(("redhand.yaml", "config.yaml"),),
    form=data.as_domains,
    version=(*REDHAND, "--version"),
    second=f"\n    - address: {SECOND_ADDRESS}:$PORT",
    reload=_notices,
    prepare=_build_index,
)

PEERS = (
    Kind(
        name="dnsdist",
        command=("dnsdist", "--supervised", "--disable-syslog", "-C", "$DIR/dnsdist.conf"),
        templates=(("dnsdist.conf", "dnsdist.conf"),),
        form=data.as_domains,
        version=("dnsdist", "--version"),
        second=f"\nnewServer({{address='{SECOND_ADDRESS}:$PORT'}})",
        reload=_touch,
    ),
    Kind(
        name="Unbound",
        command=("unbound", "-d", "-c", "$DIR/unbound.conf"),
        templates=(("unbound.conf", "unbound.conf"),),
        form=data.as_rpz,
        version=("unbound", "-V"),
        second=f"\n  forward-addr: {SECOND_ADDRESS}@$PORT",
        reload=_hangup,
    ),
    Kind(
        name="PowerDNS Recursor",
        command=("pdns_recursor", "--config-dir=$DIR", "--daemon=no"),
        templates=(("recursor.conf", "recursor.conf"), ("rpz.lua", "rpz.lua")),
        form=data.as_rpz,
        version=("pdns_recursor", "--version"),
        second=f";{SECOND_ADDRESS}:$PORT",
        reload=_control_recursor,
    ),
    Kind(
        name="BIND",
        command=("named", "-f", "-n", "1", "-c", "$DIR/named.conf"),
        templates=(("named.conf", "named.conf"),),
        form=data.as_rpz,
        version=("named", "-v"),
        second=f" {SECOND_ADDRESS} port $PORT;",
        reload=_hangup,
    ),
    Kind(
        name="Knot Resolver",
        command=("kresd", "-n", "-c", "$DIR/kresd.conf", "$DIR"),
        templates=(("kresd.conf", "kresd.conf"),),
        form=data.as_rpz,
        version=("kresd", "--version"),
        second=f", '{SECOND_ADDRESS}@$PORT'",
        reload=_notices,
    ),
    Kind(
        name="dnsmasq",
        command=("dnsmasq", "--user=", "-C", "$DIR/dnsmasq.conf"),
        templates=(("dnsmasq.conf", "dnsmasq.conf"),),
        form=data.as_dnsmasq,
        version=("dnsmasq", "--version"),
        second=f"\nserver={SECOND_ADDRESS}#$PORT",
    ),
)
