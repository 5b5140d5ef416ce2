"""Lists that change while a worker serves: nothing lost, verdicts in time, a damaged version refused, starts and ends met without a rebuild."""

from __future__ import annotations

import os
import select
import shutil
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import pytest
import yaml

from blocklists import builder, readers, store
from blocklists.settings import BlocklistSettings, FileSource
from tests.resolver.servers import HOST, ROOT, Asked, Lists, Resolver, Scripted, data, domains, errors, query, resolver
from tests.tools import wait_for

RIGHT, LANDING = "A 192.0.2.1", "A 192.0.2.80"
WITHIN = 1.0
"""Seconds from a version's coming in force on disk to its verdicts."""
LONG_AGO, IN_YEARS = 1_767_000_000, 4_000_000_000
"""Unix seconds."""


def script(asked: Asked) -> None:
    """`alias-to.NAME.example` leads to NAME.example; everything else has an address."""
    label, _, rest = asked.name.partition(".")
    asked.send(asked.answer(f"CNAME {rest}") if label == "alias-to" else asked.answer(RIGHT))


@pytest.fixture
def upstream() -> Iterator[Scripted]:
    with Scripted(script) as running:
        yield running


class Paced:
    """Asks 500 times a second, round and round the names; keeps what each answer said and when."""

    def __init__(self, port: int, names: list[str]) -> None:
        self.names = names
        self.sent: dict[int, float] = {}
        self.heard: dict[int, tuple[float, bytes]] = {}
        self._port = port
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        wires = [query(name, id=0).to_wire()[2:] for name in self.names]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.connect((HOST, self._port))
            begun = time.monotonic()
            number = 0
            end = float("inf")
            while len(self.heard) < number or not self._stop.is_set():
                now = time.monotonic()
                if self._stop.is_set():
                    end = min(end, now + 5)
                    if now > end:
                        return
                elif now >= begun + number / 500 and number < 65536:
                    self.sent[number] = now
                    client.send(number.to_bytes(2, "big") + wires[number % len(wires)])
                    number += 1
                while select.select([client], [], [], 0.0005)[0]:
                    answer = client.recv(4096)
                    self.heard[int.from_bytes(answer[:2], "big")] = (time.monotonic(), answer)

    @contextmanager
    def running(self) -> Iterator[Paced]:
        self._thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            self._thread.join()

    def of(self, name: str) -> list[tuple[float, bool]]:
        """For each question of a name: when it was sent, and whether its answer was a block."""
        place = self.names.index(name)
        return [(self.sent[number], b"\xc0\x00\x02\x50" in self.heard[number][1]) for number in self.sent if number % len(self.names) == place]


def in_force(lists: Lists) -> float:
    """When the current version came in force on disk, by the monotonic clock."""
    return time.monotonic() - (time.time() - os.stat(lists.state_dir / "current").st_mtime)


def test_versions_replaced_under_load(upstream: Scripted, tmp_path: Path) -> None:
    flips = ["flip.example", "alias-to.flip.example", "www.flip.example"]
    others = ["blocked.example", "open.example", "www.blocked.example", "other.example"]
    lists = domains(tmp_path / "lists", "blocked.example")
    with resolver(tmp_path / "w", lists, upstream) as worker:
        changes: list[tuple[float, bool]] = []
        with Paced(worker.port, flips + others).running() as paced:
            for turn in range(6):
                listed = turn % 2 == 0
                bulk = "".join(f"n{number}.bulk{turn}.example\n" for number in range(3000))
                lists.write("own.txt", "blocked.example\n" + bulk + ("flip.example\n" if listed else ""))
                lists.build()
                changes.append((in_force(lists), listed))
                wait_for(lambda: readers.live(lists.state_dir) == {"worker-0": lists.serial}, "the worker to take it up")
                mark = len(paced.heard)
                wait_for(lambda mark=mark: len(paced.heard) > mark + 50, "some answers by the new version")
        assert len(paced.sent) > 500
        assert set(paced.sent) == set(paced.heard), "a question was lost"
        slowest = max(paced.heard[number][0] - at for number, at in paced.sent.items())
        assert slowest < 1.0, "no answer waited for a build (how long exactly is for bench/ to say, on a machine that does nothing else)"
        for name in flips:
            for sent, blocked in paced.of(name):
                settled = [listed for at, listed in changes if at + WITHIN < sent]
                coming = [listed for at, listed in changes if at <= sent + 0.5]
                allowed = {settled[-1] if settled else False, *coming[len(settled) :]}
                assert blocked in allowed, f"{name} at {sent - changes[0][0]:.2f} s of {changes}"
            assert {blocked for _, blocked in paced.of(name)} == {True, False}
        for name in ("blocked.example", "www.blocked.example"):
            assert all(blocked for _, blocked in paced.of(name))
        for name in ("open.example", "other.example"):
            assert not any(blocked for _, blocked in paced.of(name))


def says_of(worker: Resolver, name: str) -> list[str]:
    """Its answer, twice the same: once as it is found, once from the caches."""
    first, second = data(worker.ask(name)), data(worker.ask(name))
    assert first == second
    return first


def changes_to(worker: Resolver, lists: Lists, name: str, expected: str) -> None:
    """Waits for the verdict; it must come within the promised second."""
    since = in_force(lists)
    wait_for(lambda: data(worker.ask(name)) == [expected], f"{name} to be {expected}")
    assert time.monotonic() - since < WITHIN + 0.3  # and what asking takes here


def test_rollback_and_unpin(upstream: Scripted, tmp_path: Path) -> None:
    lists = domains(tmp_path / "lists", "blocked.example")
    first = lists.serial
    with resolver(tmp_path / "w", lists, upstream) as worker:
        lists.write("own.txt", "blocked.example\nmistake.example\n")
        lists.build()
        changes_to(worker, lists, "mistake.example", LANDING)
        builder.rollback(lists.job, first, "listed by mistake")
        changes_to(worker, lists, "mistake.example", RIGHT)
        assert says_of(worker, "blocked.example") == [LANDING]
        builder.unpin(lists.job)
        changes_to(worker, lists, "mistake.example", LANDING)


@pytest.mark.parametrize("file", [store.RULES, store.TRIE, store.MANIFEST])
def test_a_damaged_version_leaves_the_old_one_in_force(upstream: Scripted, tmp_path: Path, file: str) -> None:
    lists = domains(tmp_path / "lists", "blocked.example")
    with resolver(tmp_path / "w", lists, upstream) as worker:
        worker.process.send_signal(signal.SIGSTOP)  # so that it sees the version damaged, and not before
        lists.write("own.txt", "".join(f"n{number}.example\n" for number in range(5000)))  # no delta: files of its own
        lists.build()
        path = lists.state_dir / "versions" / str(lists.serial) / file
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.chmod(0o644)
        path.write_bytes(content)
        worker.process.send_signal(signal.SIGCONT)
        wait_for(lambda: "version 1 stands in" in worker.said(), "the worker to find it damaged")
        for _ in range(3):
            assert says_of(worker, "blocked.example") == [LANDING]
            assert says_of(worker, "n1.example") == [RIGHT]
        assert worker.said().count("version 1 stands in") <= 2, "one fault is told once"
        lists.write("own.txt", "n1.example\n")
        lists.build()
        changes_to(worker, lists, "n1.example", LANDING)
        assert says_of(worker, "blocked.example") == [RIGHT]


def test_a_store_that_cannot_be_read_changes_nothing_and_is_told_once(upstream: Scripted, tmp_path: Path) -> None:
    lists = domains(tmp_path / "lists", "blocked.example")
    with resolver(tmp_path / "w", lists, upstream) as worker:
        versions, current = lists.state_dir / "versions", lists.state_dir / "current"
        versions.rename(lists.state_dir / "elsewhere")
        os.utime(current)
        wait_for(lambda: "stays in force" in worker.said(), "the worker to say so")
        begun = time.monotonic()
        wait_for(lambda: says_of(worker, "blocked.example") == [LANDING] and time.monotonic() - begun > 1.6, "two more looks")
        assert worker.said().count("stays in force") == 1
        (lists.state_dir / "elsewhere").rename(versions)
        lists.write("own.txt", "other.example\n")
        lists.build()
        changes_to(worker, lists, "other.example", LANDING)


def order(identifier: str, name: str, effective_at: float, expires_at: float) -> str:
    """An order over one name, with these times (unix seconds)."""
    directive = yaml.safe_load((ROOT / "blocklists" / "sample" / "FR-2026-000123.yaml").read_text())
    for gone in ("enforce_by", "removal_request"):
        directive.pop(gone, None)
    when = {"issued_at": 1_767_000_000, "effective_at": effective_at, "review_due": expires_at, "expires_at": expires_at}
    times = {key: datetime.fromtimestamp(value, UTC).isoformat() for key, value in when.items()}
    changed = {**directive, **times, "id": identifier, "targets": [{"fqdn": name, "match": "subtree"}], "owner_unidentifiable": True}
    return yaml.safe_dump({**changed, "owner_unidentifiable_why": "no host answers for it"}, allow_unicode=True)


def orders(directory: Path) -> Lists:
    """A list of one order; `directory/orders` takes more."""
    lists = Lists(directory, BlocklistSettings(sources=(FileSource(id="orders", path="orders", format="directives"),)))
    (directory / "orders").mkdir(parents=True)
    (directory / "orders" / "first.yaml").write_text(order("XX-0", "other.example", LONG_AGO, IN_YEARS))
    lists.build()
    return lists


def test_an_order_that_begins_this_very_second_is_in_force_with_its_version(upstream: Scripted, tmp_path: Path) -> None:
    """A worker looks at the time when its second turns, which is the monotonic clock's and turns at any moment of those that orders go by.

    Here its seconds are long, so that a busy machine has it take up the version before the next.
    """
    length = 6
    lists = orders(tmp_path / "lists")
    program = (sys.executable, "-P", "-m", "tests.resolver.slow_worker", str(length))
    with resolver(tmp_path / "w", lists, upstream, program=program) as worker:

        def said_before_it_looks_again(number: int) -> list[list[str]]:
            """What is said of an order's name as soon as the worker says that it has its version; nothing if it was too late by then."""
            name = f"n{number}.example"
            to_monotonic = time.monotonic() - time.time()
            begins = next(at for at in count(int(time.time()) + 2) if 0.5 < (at + to_monotonic) % length < 2)
            (tmp_path / "lists" / "orders" / f"{number}.yaml").write_text(order(f"XX-{number}", name, begins, IN_YEARS))
            ahead = Lists(tmp_path / f"ahead{number}", lists.settings)  # where it is built, and in force before it begins
            shutil.copytree(lists.directory, ahead.directory)
            ahead.build()
            shutil.copytree(ahead.state_dir / "versions" / str(ahead.serial), lists.state_dir / "versions" / str(ahead.serial))
            shutil.copy2(ahead.state_dir / "current", lists.state_dir / "coming")
            says_of(worker, name)
            wait_for(lambda: time.time() >= begins, "the second in which it begins")
            (lists.state_dir / "coming").rename(lists.state_dir / "current")
            wait_for(lambda: readers.live(lists.state_dir) == {"worker-0": lists.serial}, "the worker to take it up")
            said = [data(worker.ask(name)) for _ in range(3)]
            return said if (begins + to_monotonic) // length == time.monotonic() // length else []

        said = next(filter(None, map(said_before_it_looks_again, range(1, 6))), "too busy a machine, five times")
        assert said == [[LANDING]] * 3


def test_starts_and_ends_are_met_without_a_rebuild(upstream: Scripted, tmp_path: Path) -> None:
    lists = orders(tmp_path / "lists")
    with resolver(tmp_path / "w", lists, upstream) as worker:
        for lead in (3, 6, 12, 24):  # a machine with much else to do may need longer than 3 s to have them in force
            boundary = int(time.time()) + lead
            begins, ends = f"begins{lead}.example", f"ends{lead}.example"
            (tmp_path / "lists" / "orders" / "one.yaml").write_text(order("XX-1", begins, boundary, IN_YEARS))
            (tmp_path / "lists" / "orders" / "two.yaml").write_text(order("XX-2", ends, LONG_AGO, boundary))
            built = lists.build()
            assert (built["skipped"], built["alarms"]) == (0, [])
            wait_for(lambda: readers.live(lists.state_dir) == {"worker-0": lists.serial}, "the worker to take it up")
            if time.time() < boundary - 1:
                break
        else:
            pytest.fail("no order was in force within 23 s")
        expected = {begins: (RIGHT, LANDING), ends: (LANDING, RIGHT)}
        seen: dict[str, dict[str, list[float]]] = {}

        def after() -> bool:
            for name in expected:
                for asked in (name, f"www.{name}", f"alias-to.{name}"):
                    for tcp in (False, True):
                        before = time.time()
                        said = data(worker.ask(asked, tcp=tcp))[-1]
                        if asked.startswith("alias") and said.startswith("CNAME"):
                            said = RIGHT
                        seen.setdefault(name, {}).setdefault(said, []).append((before + time.time()) / 2)
            return time.time() > boundary + 1.5

        wait_for(after, "the boundary to have passed")
        for name, (before, then) in expected.items():
            assert set(seen[name]) == {before, then}, name
            assert len(seen[name][before]) > 10
            assert len(seen[name][then]) > 10
            assert boundary - 0.3 < min(seen[name][then]) < boundary + WITHIN + 0.2
            assert max(seen[name][before]) < boundary + WITHIN + 0.2
        assert 16 in errors(worker.ask(begins))
        assert lists.serial == built["serial"], "no version was built for it"
