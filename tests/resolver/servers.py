"""Real servers for the resolver's tests: NSD with a zone, small scripted upstreams that misbehave, a block list, and a worker that serves.

Everything runs on loopback, on free ports, in directories of the test's own. A scripted upstream reads questions with dnspython, which shares no
code with what is tested, and does exactly what its script says: nothing, something wrong, or something later.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dns.edns
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import psutil
import pytest
import yaml

from blocklists.errors import ConfigurationError
from blocklists.job import Job, write_job
from blocklists.settings import BlocklistSettings, FileSource
from redhand.assembly import worker
from redhand.config import Settings
from resolver import channel
from resolver.settings import ForwardZone, ResolverSettings, Upstream
from resolver.sockets import bind
from tests.tools import DEADLINE, free_ports, require, wait_for

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}
UNMEASURED = {name: value for name, value in ENVIRONMENT.items() if not name.startswith("COV")}
"""For a supervisor whose children are confined: they may write nothing, and so not what coverage would have them write at their end."""
HOST = "127.0.0.1"
PATIENCE = 8.0
"""Seconds a client waits for one answer: more than any promise, so that a late answer is seen to be late."""


# What a client asks with ----------------------------------------------------------------------------------------------------------------------------


def query(name: str, kind: str = "A", edns: bool = True, **options: Any) -> dns.message.QueryMessage:
    """A question with recursion desired; with an OPT of 1232 octets unless told otherwise."""
    return dns.message.make_query(name, kind, use_edns=0 if edns else False, payload=1232 if edns else None, **options)


def ask(
    port: int, name: str, kind: str = "A", *, to: str = HOST, source: str | None = None, tcp: bool = False, **options: Any
) -> dns.message.Message:
    """The answer to one question. Raises dns.exception.Timeout, and AssertionError if it does not belong to the question."""
    message = query(name, kind, **options)
    if tcp:
        return dns.query.tcp(message, to, PATIENCE, port, source)
    return dns.query.udp(message, to, PATIENCE, port, source)


def errors(answer: dns.message.Message) -> dict[int, str]:
    """Extended DNS Errors: INFO-CODE and EXTRA-TEXT."""
    return {int(option.code): option.text or "" for option in answer.options if isinstance(option, dns.edns.EDEOption)}


def data(answer: dns.message.Message) -> list[str]:
    """What the answer section says, each record as `type data`."""
    return [f"{dns.rdatatype.to_text(rrset.rdtype)} {record.to_text()}" for rrset in answer.answer for record in rrset]


def rcode(answer: dns.message.Message) -> str:
    """NOERROR and the like."""
    return dns.rcode.to_text(answer.rcode())


@dataclass
class Dug:
    """What dig read, as its +yaml form says."""

    status: str
    flags: set[str]
    answers: list[str]
    question: list[str]
    errors: dict[int, str]
    udp: int
    protocol: str
    octets: int
    text: str


def dig(port: int, *arguments: str, to: str = HOST) -> Dug:
    """Asks with dig, whatever its arguments; fails if it got no answer."""
    command = [require("dig"), f"@{to}", "-p", str(port), "+yaml", "+time=5", "+tries=1", "+nocookie", *arguments]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=DEADLINE)
    assert done.returncode == 0, f"{command}: {done.stdout} {done.stderr}"
    message = yaml.load(done.stdout, Loader=yaml.BaseLoader)[-1]["message"]
    response = message["response_message_data"]
    opt = response.get("OPT_PSEUDOSECTION", {}).get("EDNS", {})
    found: dict[int, str] = {}
    for option in _all(done.stdout, "EDE"):
        found[int(option["INFO-CODE"].split()[0])] = option.get("EXTRA-TEXT", "")
    return Dug(
        response["status"],
        set(response["flags"].split()),
        response.get("ANSWER_SECTION", []),
        response.get("QUESTION_SECTION", []),
        found,
        int(opt.get("udp", 0)),
        message["socket_protocol"],
        int(message["message_size"].rstrip("b")),
        done.stdout,
    )


def _all(text: str, key: str) -> Iterator[dict[str, str]]:
    """Every mapping under `key`, which dig writes once for each option though YAML allows a key only once."""
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if line.strip() == f"{key}:":
            indent = len(line) - len(line.lstrip())
            block = []
            for following in lines[number + 1 :]:
                if not following.strip() or len(following) - len(following.lstrip()) <= indent:
                    break
                block.append(following)
            yield yaml.load("\n".join(block), Loader=yaml.BaseLoader)


# Upstreams ------------------------------------------------------------------------------------------------------------------------------------------


@dataclass
class Asked:
    """One question as a scripted upstream met it."""

    wire: bytes
    message: dns.message.Message
    port: int
    """Where it came from."""
    tcp: bool
    send: Callable[[bytes], None]
    """Sends octets back the way it came, at once or whenever the test likes."""
    at: float
    upstream: Scripted
    hang_up: Callable[[], None] = lambda: None
    """Closes the connection it came by."""

    @property
    def id(self) -> int:
        return self.message.id

    @property
    def name(self) -> str:
        return self.message.question[0].name.to_text()

    def answer(self, *records: str, rcode: str = "NOERROR", ttl: int = 300, authority: Iterable[str] = (), flags: int = 0) -> bytes:
        """A right answer whose records are `type data` of the name asked, or `owner type data`."""
        response = dns.message.make_response(self.message, recursion_available=True)
        response.set_rcode(dns.rcode.from_text(rcode))
        response.flags |= flags
        response.answer = [self._record(text, ttl) for text in records]
        response.authority = [self._record(text, ttl) for text in authority]
        return response.to_wire(max_size=65535)

    def _record(self, text: str, ttl: int) -> dns.rrset.RRset:
        owner, kind, rest = text.split(" ", 2) if text.split(" ", 1)[0].endswith(".") else (self.name, *text.split(" ", 1))
        return dns.rrset.from_text(owner, ttl, "IN", kind, rest)


Script = Callable[[Asked], None]


def silent(_: Asked) -> None:
    """Never answers."""


def says(*records: str, **how: Any) -> Script:
    """Answers every question with these records."""
    return lambda asked: asked.send(asked.answer(*records, **how))


class Scripted:
    """An upstream on a loopback port, UDP and TCP, that does what `script` says to each question and remembers all it was asked."""

    def __init__(self, script: Script, address: str = HOST, strict: bool = True, shared: bool = False) -> None:
        """`strict`: a question that dnspython cannot read is a failure. `shared`: others may bind its UDP port, too, and send as if they were it."""
        self.script = script
        self._strict = strict
        self.seen: list[Asked] = []
        self.failures: list[BaseException] = []
        (self.port,) = free_ports(1, address)
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._datagrams = socket.socket(family, socket.SOCK_DGRAM)
        self._datagrams.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        if shared:
            self._datagrams.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self._datagrams.bind((address, self.port))
        self._stream = socket.create_server((address, self.port), family=family)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._datagrams, selectors.EVENT_READ, self._datagram)
        self._selector.register(self._stream, selectors.EVENT_READ, self._accept)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def upstream(self) -> Upstream:
        return Upstream(address=f"{HOST}:{self.port}")

    def of(self, name: str, tcp: bool | None = None) -> list[Asked]:
        """The questions for a name, in any case, so far."""
        wanted = name.lower().rstrip(".") + "."
        return [asked for asked in list(self.seen) if asked.name.lower() == wanted and tcp in (None, asked.tcp)]

    def _serve(self) -> None:
        while not self._stopping.is_set():
            for key, _ in self._selector.select(0.05):
                key.data()

    def _met(self, wire: bytes, port: int, tcp: bool, send: Callable[[bytes], None], hang_up: Callable[[], None] = lambda: None) -> None:
        try:
            asked = Asked(wire, dns.message.from_wire(wire), port, tcp, send, time.monotonic(), self, hang_up)
            self.seen.append(asked)
            self.script(asked)
        except Exception as error:  # a script's mistake must fail its test, not hang it
            if self._strict:
                self.failures.append(error)

    def _datagram(self) -> None:
        wire, client = self._datagrams.recvfrom(4096)

        def send(octets: bytes) -> None:
            with suppress(OSError):
                self._datagrams.sendto(octets, client)

        self._met(wire, client[1], False, send)

    def _accept(self) -> None:
        connection, client = self._stream.accept()
        buffer = bytearray()

        def send(octets: bytes) -> None:
            with suppress(OSError):
                connection.sendall(len(octets).to_bytes(2, "big") + octets)

        def hang_up() -> None:
            if connection.fileno() >= 0:
                self._selector.unregister(connection)
                connection.close()

        def read() -> None:
            try:
                received = connection.recv(65536)
            except OSError:
                received = b""
            if not received:
                hang_up()
                return
            buffer.extend(received)
            while len(buffer) >= 2 and len(buffer) >= (end := 2 + int.from_bytes(buffer[:2], "big")):
                wire = bytes(buffer[2:end])
                del buffer[:end]
                self._met(wire, client[1], True, send, hang_up)
                if connection.fileno() < 0:
                    return

        self._selector.register(connection, selectors.EVENT_READ, read)

    def stop(self) -> None:
        """Ends it: from then on its port refuses."""
        self._stopping.set()
        self._thread.join(DEADLINE)
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr]
        self._selector.close()
        assert not self.failures, self.failures

    def __enter__(self) -> Scripted:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


@contextmanager
def nsd(directory: Path, zone: str, records: str) -> Iterator[int]:
    """NSD serving one zone; gives its port."""
    program = require("nsd")
    (port,) = free_ports(1)
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "zone").write_text(f"$ORIGIN {zone}\n{records}")
    (directory / "nsd.conf").write_text(
        f'server:\n  ip-address: {HOST}@{port}\n  server-count: 1\n  username: ""\n  zonesdir: "{directory}"\n  database: ""\n'
        f'  pidfile: "{directory}/pid"\n  xfrdfile: "{directory}/xfrd"\n  zonelistfile: "{directory}/zones"\n  rrl-ratelimit: 0\n'
        f"remote-control:\n  control-enable: no\nzone:\n  name: {zone}\n  zonefile: zone\n"
    )
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen([program, "-d", "-c", str(directory / "nsd.conf")], stdout=log, stderr=log, start_new_session=True)
    try:
        wait_for(lambda: _answers(port, zone) or process.poll() is not None, "NSD's answer")
        assert process.poll() is None, (directory / "log").read_text()
        yield port
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(DEADLINE)


def _answers(port: int, name: str) -> bool:
    with suppress(dns.exception.Timeout, OSError):
        return dns.query.udp(query(name, "SOA"), HOST, 0.2, port).rcode() == 0
    return False


# The list and the worker ----------------------------------------------------------------------------------------------------------------------------


@dataclass
class Lists:
    """A state directory, and the sources it is built from."""

    directory: Path
    settings: BlocklistSettings
    own_names: tuple[str, ...] = ()

    @property
    def state_dir(self) -> Path:
        return self.directory / "state"

    def write(self, name: str, text: str) -> None:
        """Writes a source's file, whole."""
        self.directory.mkdir(parents=True, exist_ok=True)
        temporary = self.directory / f".{name}.new"
        temporary.write_text(text)
        temporary.rename(self.directory / name)

    @property
    def job(self) -> Job:
        return Job(self.settings, self.state_dir, self.directory, self.own_names, int(time.time()))

    def build(self) -> dict[str, Any]:
        """Runs the builder as the supervisor does; its result."""
        command = [sys.executable, "-P", "-m", "blocklists.builder"]
        done = subprocess.run(command, check=False, input=write_job(self.job), capture_output=True, text=True, env=ENVIRONMENT, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
        result: dict[str, Any] = json.loads(done.stdout)
        return result

    @property
    def serial(self) -> int:
        """The version in force on disk."""
        return int((self.state_dir / "current").read_text().split()[0])


def domains(directory: Path, *names: str, **more: Any) -> Lists:
    """A list of these names, each with its subdomains, from a source called `own`; `more` are further block-list settings."""
    source = FileSource(id="own", path="own.txt", format="domains")
    lists = Lists(directory, BlocklistSettings(sources=(source, *more.pop("sources", ())), **more))
    lists.write("own.txt", "\n".join((*names, "")))
    lists.build()
    return lists


@dataclass
class Resolver:
    """A worker process with sockets of its own, started as the supervisor starts one."""

    lists: Lists
    settings: ResolverSettings
    port: int
    log: Path
    program: tuple[str, ...] = ()
    """What runs instead of the worker's own command, given the same job."""
    board: int = field(init=False)
    """Descriptor of the memory that the process writes its figures to; a fresh one each start."""
    process: subprocess.Popen[bytes] = field(init=False)
    ready: dict[str, Any] = field(init=False)
    heard: list[dict[str, Any]] = field(init=False)
    """What the process said upward so far, oldest first (see blocklists.tell)."""
    _end: socket.socket = field(init=False)
    _reader: threading.Thread | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        addresses = tuple(dict.fromkeys(text.rpartition(":")[0].strip("[]") for text in self.settings.listen))
        self._listening = bind([(address, self.port) for address in addresses], 1)
        self.start()

    def start(self) -> None:
        """Starts a process over the sockets; returns once it serves."""
        settings = Settings(resolver=self.settings, state_dir=self.lists.state_dir)
        child = worker(0, settings, self.settings.upstreams, self._listening.workers[0])
        child.job["confined"] = False  # it writes what it covered when it ends; confined workers are tests.redhand.test_rights
        self._forget()
        self._end, theirs = channel.pair()
        command = self.program or (sys.executable, "-P", "-m", *child.command)
        with self.log.open("ab") as log, theirs:
            self.process = subprocess.Popen(command, stdin=theirs, stdout=subprocess.PIPE, stderr=log, env=ENVIRONMENT, cwd=self.log.parent)
        self.heard = []
        self._reader = threading.Thread(target=self._listen, args=(self.process, self.heard), daemon=True)
        self._reader.start()
        job, self.board = channel.in_memory(json.dumps(child.job).encode(), "job"), channel.in_memory(bytes(1 << 16), "board")
        assert self.tell({"do": "serve", "sockets": len(child.fds)}, [job, self.board, *child.fds])
        os.close(job)
        wait_for(lambda: self._said_ready() or not self._hears, "the worker to be ready")
        assert self._said_ready(), self.said()
        self.ready = next(message for message in self.heard if "ready" in message)

    @staticmethod
    def _listen(process: subprocess.Popen[bytes], heard: list[dict[str, Any]]) -> None:
        assert process.stdout is not None
        with process.stdout:
            for line in process.stdout:
                heard.append(json.loads(line))

    @property
    def _hears(self) -> bool:
        return self._reader is not None and self._reader.is_alive()

    def _said_ready(self) -> bool:
        return any("ready" in message for message in self.heard)

    def _forget(self) -> None:
        """Lets go of what belonged to the process before."""
        if self._reader is not None:
            self._reader.join(DEADLINE)
            self._end.close()
            os.close(self.board)

    def tell(self, message: dict[str, Any], files: Iterable[int] = ()) -> bool:
        """Says something to the process, as the supervisor does (see resolver.channel)."""
        return channel.send(self._end, message, list(files))

    def wait_to_hear(self, key: str) -> dict[str, Any]:
        """The first upward message so far, or soon, that has the key."""
        return wait_for(lambda: next((message for message in self.heard if key in message), None), f"the worker to say {key}")  # type: ignore[return-value]

    def said(self) -> str:
        """All it logged."""
        return self.log.read_text()

    def ask(self, name: str, kind: str = "A", **options: Any) -> dns.message.Message:
        return ask(self.port, name, kind, **options)

    def resident(self) -> int:
        """Octets of memory of its own."""
        return int(psutil.Process(self.process.pid).memory_full_info().uss)

    def terminate(self) -> float:
        """Asks it to end; the seconds it took."""
        begun = time.monotonic()
        self.process.terminate()
        self.process.wait(DEADLINE)
        return time.monotonic() - begun

    def close(self) -> None:
        """Ends the process, if need be, and closes its sockets. Fails if it logged a fault of its own."""
        if self.process.poll() is None:
            self.terminate()
        self._forget()
        self._listening.close()
        assert "Traceback" not in self.said(), self.said()

    def __enter__(self) -> Resolver:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def resolver(
    directory: Path,
    lists: Lists,
    *upstreams: Upstream | Scripted,
    zones: dict[str, Iterable[Upstream | Scripted]] | None = None,
    addresses: Iterable[str] = (HOST,),
    program: tuple[str, ...] = (),
    **settings: Any,
) -> Resolver:
    """A worker that serves `lists` and asks `upstreams`; `settings` are further ones of the resolver."""
    port = _free_at_all(addresses)
    forwarded = [ForwardZone(zone=zone, upstreams=tuple(map(_upstream, servers))) for zone, servers in (zones or {}).items()]
    made = ResolverSettings(
        listen=tuple(f"[{address}]:{port}" if ":" in address else f"{address}:{port}" for address in addresses),
        upstreams=tuple(map(_upstream, upstreams)),
        zones=tuple(forwarded),
        **{"cache_mb": 64, "landing_addresses": ("192.0.2.80", "2001:db8::80"), **settings},
    )
    directory.mkdir(parents=True, exist_ok=True)
    return Resolver(lists, made, port, directory / "worker.log", program)


def _free_at_all(addresses: Iterable[str]) -> int:
    """A port that nobody has at any of the addresses: one that is free at the first may be in use at another."""

    def found() -> int:
        (port,) = free_ports(1)
        try:
            bind([(address, port) for address in addresses], 1).close()
        except ConfigurationError:
            return 0
        return port

    return wait_for(found, "a port that is free at every address")


def _upstream(server: Upstream | Scripted) -> Upstream:
    return server.upstream if isinstance(server, Scripted) else server


def dead_port() -> Upstream:
    """An upstream where nobody listens: the kernel says so (ICMP port unreachable)."""
    return Upstream(address=f"{HOST}:{free_ports(1)[0]}")


def has_ipv6() -> bool:
    """Whether this machine has ::1."""
    with suppress(OSError), socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as trial:
        trial.bind(("::1", 0))
        return True
    return False


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="IPv6 is switched off here: ::1 is missing")
