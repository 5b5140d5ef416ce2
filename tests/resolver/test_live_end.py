"""How a worker ends, whether asked to or killed, who answers then, and what is left on the disk and in the logs of those who asked."""

from __future__ import annotations

import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dns.message
import pytest
import yaml

from blocklists import readers, store
from redhand import status
from resolver.worker import FILES
from tests.resolver.servers import ENVIRONMENT, HOST, PATIENCE, Scripted, ask, data, dead_port, domains, errors, query, rcode, resolver, says, silent
from tests.tools import DEADLINE, free_ports, wait_for

RIGHT, LANDING = "A 192.0.2.1", "A 192.0.2.80"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_questions_in_flight_are_answered_before_the_end(tmp_path: Path, number: signal.Signals) -> None:
    lists = domains(tmp_path / "lists", "blocked.example")
    with Scripted(silent) as upstream, resolver(tmp_path / "w", lists, upstream) as worker, ThreadPoolExecutor(8) as clients:
        names = [f"n{each}.example" for each in range(8)]
        waiting = [clients.submit(worker.ask, name, tcp=each % 2 == 0) for each, name in enumerate(names)]
        wait_for(lambda: all(upstream.of(name) for name in names), "the questions upstream")
        assert readers.live(lists.state_dir) == {"worker-0": 1}
        worker.process.send_signal(number)
        begun = time.monotonic()
        wait_for(lambda: not (lists.state_dir / "readers" / "worker-0").exists() or _is_deaf(worker.port), "the worker to stop listening")
        assert worker.process.poll() is None, "it waits for what it owes"
        for name in names:
            asked = upstream.of(name)[0]
            asked.send(asked.answer(RIGHT))
        assert [data(future.result()) for future in waiting] == [[RIGHT]] * 8
        assert worker.process.wait(DEADLINE) == 0
        assert time.monotonic() - begun < 5
        assert readers.live(lists.state_dir) == {}
        assert not (lists.state_dir / "readers" / "worker-0").exists()


def _is_deaf(port: int) -> bool:
    """Whether a known answer no longer comes, because nobody reads the socket."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(0.1)
        client.sendto(query("blocked.example").to_wire(), (HOST, port))
        try:
            client.recv(512)
        except TimeoutError:
            return True
    return False


def test_the_end_comes_in_time_even_if_no_answer_does(tmp_path: Path) -> None:
    with (
        Scripted(silent) as upstream,
        resolver(tmp_path / "w", domains(tmp_path / "lists", "blocked.example"), upstream) as worker,
        ThreadPoolExecutor(1) as clients,
        socket.create_connection((HOST, worker.port)),
    ):
        waiting = clients.submit(worker.ask, "www.example")
        wait_for(lambda: upstream.of("www.example"), "the question upstream")
        assert worker.terminate() < 5
        assert worker.process.returncode == 0
        assert errors(waiting.result()) == {22: ""}


def test_an_idle_worker_ends_at_once(tmp_path: Path) -> None:
    with resolver(tmp_path / "w", domains(tmp_path / "lists", "blocked.example"), dead_port()) as worker:
        assert worker.terminate() < 1
        assert worker.process.returncode == 0


def test_there_is_room_for_sockets_before_the_first_question(tmp_path: Path) -> None:
    """Enlarging the kernel's table of descriptors later would stop the worker for up to 16 ms."""
    with resolver(tmp_path / "w", domains(tmp_path / "lists", "blocked.example"), dead_port()) as worker:
        status = Path(f"/proc/{worker.process.pid}/status").read_text("ascii")
        room = int(next(line for line in status.splitlines() if line.startswith("FDSize:")).split()[1])
        allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        assert room >= min(FILES, allowed if allowed != resource.RLIM_INFINITY else FILES)


def test_what_comes_after_the_end_waits_for_the_successor(tmp_path: Path) -> None:
    lists = domains(tmp_path / "lists", "blocked.example")
    with Scripted(says(RIGHT)) as upstream, resolver(tmp_path / "w", lists, upstream) as worker:
        worker.ask("www.example")
        worker.terminate()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client, socket.create_connection((HOST, worker.port), PATIENCE) as stream:
            client.settimeout(PATIENCE)
            client.connect((HOST, worker.port))
            for number in range(100):
                client.send(query("www.example" if number % 2 else "blocked.example", id=number).to_wire())
            wire = query("blocked.example").to_wire()
            stream.sendall(len(wire).to_bytes(2, "big") + wire)
            worker.start()
            answers = {answer.id: data(answer) for answer in (dns.message.from_wire(client.recv(4096)) for _ in range(100))}
            assert answers == {number: [RIGHT if number % 2 else LANDING] for number in range(100)}
            assert stream.recv(2)


def test_without_any_list_it_does_not_serve(tmp_path: Path) -> None:
    lists = domains(tmp_path / "lists", "blocked.example")
    (lists.state_dir / "current").unlink()
    for version in (lists.state_dir / "versions").iterdir():
        (version / store.MANIFEST).unlink()
    with pytest.raises(AssertionError, match="no other version is sound"):
        resolver(tmp_path / "w", lists, dead_port())


# Under the supervisor


@dataclass
class House:
    """`redhand resolver` and where it keeps things."""

    process: subprocess.Popen[bytes]
    port: int
    state_dir: Path
    log: Path

    def report(self) -> dict[str, Any]:
        return status.read(self.state_dir, status.MAIN) or {}

    def worker(self) -> int:
        """The process of its only worker once it is ready, else 0."""
        (child,) = self.report().get("children") or [{}]
        return child["pid"] if child.get("state") == "ready" else 0


@contextmanager
def supervised(directory: Path, upstream: Scripted, **settings: Any) -> Iterator[House]:
    (port,) = free_ports(1)
    (directory / "own.txt").write_text("blocked.example\n")
    (directory / "config.yaml").write_text(
        yaml.safe_dump(
            {
                "state_dir": "state",
                "metrics": {"listen": ""},
                "resolver": {"listen": [f"{HOST}:{port}"], "workers": 1, "upstreams": [{"address": upstream.upstream.address}], **settings},
                "blocklists": {"sources": [{"id": "own", "path": "own.txt", "format": "domains"}]},
            }
        )
    )
    log = directory / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "redhand", "resolver", "--config", str(directory / "config.yaml")],
            stdout=output,
            stderr=output,
            env=ENVIRONMENT,
        )
    house = House(process, port, directory / "state", log)
    try:
        wait_for(lambda: house.worker() or process.poll() is not None, "the worker")
        assert process.poll() is None, log.read_text()
        yield house
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(DEADLINE)


def test_a_killed_worker_s_questions_are_answered_by_its_successor(tmp_path: Path) -> None:
    with Scripted(says(RIGHT)) as upstream, supervised(tmp_path, upstream) as house:
        for name, expected in (("www.example", RIGHT), ("blocked.example", "A 127.0.0.1")):
            assert data(ask(house.port, name)) == [expected]
        for _ in range(2):
            first = wait_for(house.worker, "the worker")
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
                client.settimeout(PATIENCE)
                client.connect((HOST, house.port))
                os.kill(first, signal.SIGSTOP)
                for number in range(200):
                    client.send(query("www.example" if number % 2 else "blocked.example", id=number).to_wire())
                with socket.create_connection((HOST, house.port), PATIENCE) as stream:  # in the kernel's queue: the worker is stopped
                    wire = query("blocked.example").to_wire()
                    stream.sendall(len(wire).to_bytes(2, "big") + wire)
                    os.kill(first, signal.SIGKILL)
                    answers = {answer.id: data(answer) for answer in (dns.message.from_wire(client.recv(4096)) for _ in range(200))}
                    assert answers == {number: [RIGHT if number % 2 else "A 127.0.0.1"] for number in range(200)}
                    assert stream.recv(2)
            second = wait_for(house.worker, "the successor")
            assert second != first
        assert [child["restarts"] for child in house.report()["children"]] == [2]
        wait_for(lambda: readers.live(house.state_dir) == {"worker-0": 1}, "the successor to publish what it serves")
        begun = time.monotonic()
        house.process.terminate()
        assert house.process.wait(DEADLINE) == 0
        assert time.monotonic() - begun < 5


def test_an_edited_list_is_in_force_within_a_second_and_the_build(tmp_path: Path) -> None:
    with Scripted(says(RIGHT)) as upstream, supervised(tmp_path, upstream) as house:
        assert data(ask(house.port, "later.example")) == [RIGHT]
        temporary = tmp_path / "own.new"
        temporary.write_text("later.example\n")
        temporary.rename(tmp_path / "own.txt")
        wait_for(lambda: data(ask(house.port, "later.example")) == ["A 127.0.0.1"], "the new verdict", 6)
        wait_for(lambda: data(ask(house.port, "blocked.example")) == [RIGHT], "what is no longer listed to be let through", 2)


def test_nothing_is_kept_of_who_asked_what(tmp_path: Path) -> None:
    """Every path of a query, by clients and names that occur nowhere else; then all that was written is searched for them."""
    client, stranger, mark = "127.0.0.77", "127.0.9.99", "zqxj-private"
    allow = ["127.0.0.0/24"]
    failing: list[str] = []

    def script(asked: Any) -> None:
        kind = asked.name.lower().partition(".")[0].rpartition("-")[2]
        answers: dict[str, Callable[[], bytes]] = {
            "servfail": lambda: asked.answer(rcode="SERVFAIL"),
            "absent": lambda: asked.answer(rcode="NXDOMAIN"),
            "listed": lambda: asked.answer(f"CNAME {mark}.blocked.example."),
            "garbage": lambda: asked.answer()[:20],
        }
        if kind != "silent":
            asked.send(answers.get(kind, lambda: asked.answer(RIGHT))())

    with Scripted(script) as upstream, supervised(tmp_path, upstream, allow=allow) as house:
        for kind in ("plain", "servfail", "absent", "listed", "garbage", "silent"):
            for tcp in (False, True):
                name = f"{mark}-{kind}.example"
                answer = ask(house.port, name, source=client, tcp=tcp)
                failing.append(rcode(answer))
                if tcp or kind in ("plain", "silent"):  # over UDP strangers are told so five times a second
                    assert rcode(ask(house.port, name, source=stranger, tcp=tcp)) == "REFUSED"
        for name in (f"{mark}.blocked.example", f"{mark}.test", f"{mark}.onion"):
            ask(house.port, name, source=client)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.bind((client, 0))
            wire = query(f"{mark}.example").to_wire()
            for broken in (wire[:20], wire + b"x", wire[:4] + b"\0\2" + wire[6:]):
                sender.sendto(broken, (HOST, house.port))
        with socket.create_connection((HOST, house.port), PATIENCE, (client, 0)) as stream:
            stream.sendall(b"\xff\xff" + mark.encode())
        assert {"NOERROR", "SERVFAIL", "NXDOMAIN"} <= set(failing)
        os.kill(house.worker(), signal.SIGKILL)  # a crash and a restart write no more than the rest
        wait_for(lambda: house.report()["children"][0]["restarts"] == 1 and house.worker(), "the successor")
        ask(house.port, f"{mark}.example", source=client)
        written = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
        house.process.terminate()
        house.process.wait(DEADLINE)
    written |= {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert house.log in written
    assert len(written[house.log]) > 0
    assert any(path.is_relative_to(house.state_dir) for path in written)
    for path, content in written.items():
        for secret in (mark, client, stranger):
            for form in (secret.encode(), secret.upper().encode(), secret.encode("utf-16-le")):
                assert form not in content, f"{path} names {secret}"
        for secret in (client, stranger):
            assert socket.inet_aton(secret) not in content, f"{path} holds the octets of {secret}"
