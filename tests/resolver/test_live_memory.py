"""What stays in a worker's memory: nothing in cycles, nothing of what malformed packets were, no old version."""

from __future__ import annotations

import json
import random
import signal
import socket
import struct
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import dns.flags
import dns.message
import pytest

from tests.resolver.servers import HOST, PATIENCE, Asked, Lists, Resolver, Scripted, data, dead_port, domains, query, rcode, resolver, says, silent
from tests.tools import wait_for

RIGHT = "A 192.0.2.1"


def cut(asked: Asked) -> None:
    """Says TC over UDP, and answers by TCP."""
    asked.send(asked.answer(RIGHT) if asked.tcp else asked.answer(flags=dns.flags.TC))


def hangs_up(asked: Asked) -> None:
    """Says TC over UDP, and is gone by TCP: half of the connections with a half message."""
    if not asked.tcp:
        asked.send(asked.answer(flags=dns.flags.TC))
    elif asked.id % 2:
        asked.hang_up()
    else:
        asked.send(b"\0" * 12)
        asked.hang_up()


@pytest.fixture(scope="module")
def lists(tmp_path_factory: pytest.TempPathFactory) -> Lists:
    return domains(tmp_path_factory.mktemp("lists"), "blocked.example")


Watched = tuple[Resolver, Callable[[], dict[str, int]]]


@pytest.fixture(scope="module")
def watched(lists: Lists, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    program = (sys.executable, "-P", str(Path(__file__).with_name("watched_worker.py")))
    scripts = {"cut": cut, "hangs-up": hangs_up, "servfail": says(rcode="SERVFAIL"), "silent": silent, "short": says(RIGHT, ttl=1)}
    with Scripted(says(RIGHT)) as upstream:
        servers = {name: Scripted(script) for name, script in scripts.items()}
        zones = {f"{name}.example": [server] for name, server in servers.items()}
        zones["refusing.example"] = [dead_port()]
        with resolver(tmp_path_factory.mktemp("watched"), lists, upstream, zones=zones, program=program, tcp_idle_seconds=1) as worker:

            def cycles() -> dict[str, int]:
                before = worker.said().count("CYCLES")
                worker.process.send_signal(signal.SIGUSR1)
                wait_for(lambda: worker.said().count("CYCLES") > before and worker.said().endswith("\n"), "the collector's findings")
                found: dict[str, int] = json.loads(worker.said().rpartition("CYCLES ")[2].splitlines()[0])
                return found

            yield worker, cycles
        for server in servers.values():
            server.stop()


def many(port: int, names: list[str]) -> list[str]:
    """The RCODE of each question, sent in groups that no queue loses."""
    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(PATIENCE)
        client.connect((HOST, port))
        for start in range(0, len(names), 64):
            group = names[start : start + 64]
            for name in group:
                client.send(query(name).to_wire())
            found += [rcode(dns.message.from_wire(client.recv(4096))) for _ in group]
    return found


UDP = {
    "hits": (lambda number: "same.example", {"NOERROR"}),
    "misses": (lambda number: f"n{number}.example", {"NOERROR"}),
    "blocks": (lambda number: f"n{number}.blocked.example", {"NOERROR"}),
    "local": (lambda number: f"n{number}.test", {"NXDOMAIN"}),
    "servfail": (lambda number: f"n{number}.servfail.example", {"SERVFAIL"}),
    "refused": (lambda number: f"n{number}.refusing.example", {"SERVFAIL"}),
    "cut": (lambda number: f"n{number}.cut.example", {"NOERROR"}),
    "hang up": (lambda number: f"n{number}.hangs-up.example", {"SERVFAIL"}),
    "out of time": (lambda number: f"n{number}.silent.example", {"SERVFAIL"}),
}


@pytest.mark.parametrize("kind", UDP)
def test_no_question_leaves_a_cycle(watched: Watched, kind: str) -> None:
    worker, cycles = watched
    name, expected = UDP[kind]
    count = 64 if kind in ("hang up", "out of time") else 512
    many(worker.port, [name(-1 - number) for number in range(64)])  # what is made once for all is made
    cycles()
    assert set(many(worker.port, [name(number) for number in range(count)])) == expected
    found = cycles()
    assert sum(found.values()) < count // 4, found


def test_no_connection_leaves_a_cycle(watched: Watched) -> None:
    worker, cycles = watched

    def connect(number: int) -> None:
        with socket.create_connection((HOST, worker.port), PATIENCE) as client:
            wire = query(f"n{number}.tcp.example").to_wire()
            match number % 4:
                case 0:  # asks, hears, leaves
                    client.sendall(struct.pack(">H", len(wire)) + wire)
                    assert client.recv(2)
                case 1:  # says half and leaves
                    client.sendall(b"\xff\xff" + wire)
                case 2:  # resets
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    client.sendall(struct.pack(">H", len(wire)) + wire)
                case 3:  # half-closes
                    client.sendall(struct.pack(">H", len(wire)) + wire)
                    client.shutdown(socket.SHUT_WR)
                    while client.recv(512):
                        pass

    for number in range(40):
        connect(number)
    cycles()
    for number in range(400):
        connect(number)
    for _ in range(3):
        with suppress(OSError):
            worker.ask("blocked.example", tcp=True)
    found = cycles()
    assert sum(found.values()) < 100, found


def test_an_idle_worker_and_a_replaced_version_leave_no_cycle(watched: Watched, lists: Lists) -> None:
    worker, cycles = watched
    cycles()

    def mapped() -> int:
        return Path(f"/proc/{worker.process.pid}/maps").read_text().count(str(lists.state_dir))

    before = mapped()
    for number in range(4):
        lists.write("own.txt", f"blocked.example\nswap{number}.example\n")
        serial = lists.build()["serial"]
        wait_for(lambda serial=serial: f"version {serial} " in worker.said(), "the new version")
        assert data(worker.ask(f"swap{number}.example")) == ["A 192.0.2.80"]
    assert before > 0
    assert mapped() <= before + 4, "old versions are let go; the one before the last may still be held by what was last decided"
    found = cycles()
    assert sum(found.values()) < 40, found


def test_a_storm_of_malformed_packets(lists: Lists, tmp_path: Path) -> None:
    """10,000 datagrams, seeded: random octets, and questions with octets changed, cut off, doubled."""
    dice = random.Random(20260102)
    good = [query(name, kind).to_wire() for name in ("www.example", "blocked.example", "a.b.c.d.example") for kind in ("A", "TXT", "HTTPS")]

    def storm(count: int) -> Iterator[bytes]:
        for _ in range(count):
            wire = bytearray(dice.choice(good))
            match dice.randrange(5):
                case 0:
                    wire = bytearray(dice.randbytes(dice.randrange(0, 600)))
                case 1:
                    for _ in range(dice.randrange(1, 6)):
                        wire[dice.randrange(2, len(wire))] = dice.randrange(256)
                case 2:
                    del wire[dice.randrange(len(wire)) :]
                case 3:
                    wire += wire[dice.randrange(len(wire)) :]
                case 4:
                    wire[dice.randrange(12, len(wire))] = 0xC0
            yield bytes(wire)

    def weather(worker: Resolver, count: int) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(PATIENCE)
            client.connect((HOST, worker.port))
            for number, wire in enumerate(storm(count)):
                client.send(wire)
                if number % 50 == 49:  # wait for the worker to have read them, and read its answers: what the kernel drops tests nothing
                    calm = query("blocked.example")
                    client.send(calm.to_wire())
                    while client.recv(65535)[:2] != calm.id.to_bytes(2, "big"):
                        pass

    with Scripted(says(RIGHT), strict=False) as upstream, resolver(tmp_path, lists, upstream) as worker:
        weather(worker, 2000)
        before = worker.resident()
        weather(worker, 10_000)
        assert data(worker.ask("blocked.example")) == ["A 192.0.2.80"]
        assert data(worker.ask("after.example")) == [RIGHT]
        # Some changed questions are still questions, whose answers are kept: about 1.3 KiB each.
        assert worker.resident() - before < (1 << 20) + 2048 * len(upstream.seen)
        assert worker.process.poll() is None
        assert "ERROR" not in worker.said()
