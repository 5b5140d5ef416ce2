"""The rows of one million names: memory, time to load the list, and what a swap of the whole list does to the queries of that moment.

One server runs at a time. Red Hand builds its index beforehand, by `redhand blocklist build`, and that is timed apart; the peers read their list
as they start. Memory is compared with the same server under a list of 1,000 names that has answered the same number of queries.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from bench import data, load, machine
from bench.machine import BenchError
from bench.rows import Run
from bench.servers import RED_HAND, START_LIMIT, Kind, Server, Upstream, prepare

TOUCHES = 20_000
"""Queries from all over the list before memory is read: enough that every page of a mapped index has been used."""
SWAP_QPS = 2_000
QUIET_SECONDS = 5
BEFORE_SECONDS = 1
AFTER_SECONDS = 2
SWAP_TIMEOUT = 5
"""Seconds after which a query of the paced load counts as lost; as long as a stub resolver waits (resolv.conf(5))."""
SWAP_OUTSTANDING = 12_000
"""More than `SWAP_QPS * SWAP_TIMEOUT`: the pace does not slacken while a server is silent."""

MEMORY_TARGET = 30e6
BUILD_TARGET = 12.0
START_TARGET = 0.2
SLOWEST_TARGET = 10.0


@dataclass(frozen=True)
class Lists:
    """The lists on disk in the forms the servers want, and the names in them."""

    folder: Path
    small: list[str]
    whole: list[str]
    later: list[str]

    def file(self, kind: Kind, label: str) -> Path:
        """A list in one server's form; written when first asked for."""
        names = {"small": self.small, "whole": self.whole, "later": self.later}[label]
        path = self.folder / f"{kind.form.__name__}.{label}"
        if not path.exists():
            data.write_lines(path, kind.form(names, 2 if label == "later" else 1))
        return path

    @property
    def added(self) -> list[str]:
        """Names only the later list has."""
        return self.later[len(self.later) - len(self.later) // 100 :]


@dataclass(frozen=True)
class Memory:
    """One start with the small list and one with the whole. PSS in bytes over all processes.

    `build_seconds` is 0 for servers that build nothing beforehand.
    """

    server: str
    round: int
    build_seconds: float
    start_seconds: float
    start_small_seconds: float
    pss: int
    pss_small: int

    @property
    def more(self) -> int:
        """Bytes the whole list needs beyond the small one."""
        return self.pss - self.pss_small


@dataclass(frozen=True)
class Swap:
    """One swap under a paced load. `quiet_ms` is the slowest answer of the same load before it.

    `wrong` counts answers by which a name in both lists escaped its block. The slowest answer is among those that came; a lost one never did.
    """

    server: str
    round: int
    sent: int
    lost: int
    wrong: int
    slowest_ms: float
    quiet_ms: float
    in_force_seconds: float


@dataclass(frozen=True)
class Million:
    """All figures with a million names. `failed` names servers that could not be measured, and why."""

    memories: list[Memory] = field(default_factory=list)
    swaps: list[Swap] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)

    def memory_of(self, server: str) -> list[Memory]:
        """By round."""
        return [memory for memory in self.memories if memory.server == server]

    def swaps_of(self, server: str) -> list[Swap]:
        """By round."""
        return [swap for swap in self.swaps if swap.server == server]

    def verdicts(self) -> dict[str, tuple[float, float, bool]]:
        """Figure, target and whether it is met, for each promise Red Hand was measured against.

        Memory and times: medians. A swap: the queries lost in all rounds, the slowest answer of any.
        """
        found: dict[str, tuple[float, float, bool]] = {}

        def judge(promise: str, figure: float, target: float) -> None:
            found[promise] = (figure, target, figure <= target)

        if memories := self.memory_of(RED_HAND.name):
            judge("more_memory_bytes", median(memory.more for memory in memories), MEMORY_TARGET)
            judge("build_seconds", median(memory.build_seconds for memory in memories), BUILD_TARGET)
            judge("start_seconds", median(memory.start_seconds for memory in memories), START_TARGET)
        if swaps := self.swaps_of(RED_HAND.name):
            judge("swap_lost", sum(swap.lost for swap in swaps), 0)
            judge("swap_slowest_ms", max(swap.slowest_ms for swap in swaps), SLOWEST_TARGET)
        return found

    def as_json(self) -> dict[str, Any]:
        """Everything, for the record."""
        return {
            "names": data.MILLION,
            "small_names": data.SMALL,
            "memory": [asdict(memory) for memory in self.memories],
            "swap": [asdict(swap) for swap in self.swaps],
            "verdicts": {
                promise: {"figure": figure, "target": target, "passed": passed} for promise, (figure, target, passed) in self.verdicts().items()
            },
            "failed": self.failed,
        }


def measure(kinds: Sequence[Kind], run: Run, *, memory: bool, swap: bool) -> Million:
    """Runs the rows asked for. A server that fails is named in the result and left out from there on."""
    folder = run.scratch / "million"
    folder.mkdir()
    whole = data.listed_names(data.MILLION)
    lists = Lists(folder, whole[: data.SMALL], whole, data.listed_names(data.MILLION, generation=1))
    upstream = Upstream(folder)
    result = Million()
    try:
        for number in range(run.rounds if memory else 0):
            for kind in _fit(kinds, result):
                with _blamed(result, kind, run):
                    result.memories.append(_memory(kind, lists, upstream, number))
                    run.say(_spoken_memory(result.memories[-1]))
        for number in range(run.rounds if swap else 0):
            for kind in _fit(kinds, result):
                if kind.reload is not None:
                    with _blamed(result, kind, run):
                        result.swaps.append(_swap(kind, lists, upstream, number))
                        run.say(_spoken_swap(result.swaps[-1]))
    finally:
        upstream.stop()
        shutil.rmtree(folder)
    return result


def _fit(kinds: Iterable[Kind], result: Million) -> list[Kind]:
    return [kind for kind in kinds if kind.name not in result.failed]


@contextmanager
def _blamed(result: Million, kind: Kind, run: Run) -> Iterator[None]:
    try:
        yield
    except BenchError as error:
        result.failed[kind.name] = str(error)
        run.say(f"{kind.name} is left out: {error}")


@contextmanager
def _running(kind: Kind, lists: Lists, label: str, upstream: Upstream) -> Iterator[Server]:
    server = prepare(kind, lists.folder, upstream.port, lists.file(kind, label))
    try:
        server.launch(lists.small if label == "small" else lists.whole)
        yield server
    finally:
        server.stop()
        shutil.rmtree(server.directory)


def _memory(kind: Kind, lists: Lists, upstream: Upstream, number: int) -> Memory:
    with _running(kind, lists, "small", upstream) as server:
        start_small, pss_small = server.ready_seconds, _used_pss(server, lists.small)
    with _running(kind, lists, "whole", upstream) as server:
        pss = _used_pss(server, lists.whole)
    return Memory(kind.name, number, server.build_seconds, server.ready_seconds, start_small, pss, pss_small)


def _used_pss(server: Server, listed: list[str]) -> int:
    """Memory once names from all over the list have been asked for: the same number of queries, and of answers to keep, whatever its length."""
    queries = data.write_queries(server.directory / "touch.txt", data.block_new(TOUCHES, listed, 0))
    load.begin(server.port, queries, seconds=60, once=True, outstanding=50).finish(120)
    server.settle()
    return machine.pss_bytes(server.pid)


def _swap(kind: Kind, lists: Lists, upstream: Upstream, number: int) -> Swap:
    later = lists.file(kind, "later")
    with _running(kind, lists, "whole", upstream) as server:
        # The names asked for stand in both lists, so that any of them that is not blocked escaped.
        queries = data.write_queries(server.directory / "paced.txt", data.mix(1_000_000, lists.whole[: data.LISTED], number))
        staged = server.stage(later)
        server.settle()
        quiet = _paced(server, queries, QUIET_SECONDS).finish(QUIET_SECONDS + 60)
        generator = _paced(server, queries, START_LIMIT + AFTER_SECONDS)
        try:
            time.sleep(BEFORE_SECONDS)
            began = time.monotonic()
            server.swap(staged)
            server.await_list(lists.added)
            seconds = time.monotonic() - began
            time.sleep(AFTER_SECONDS)
        finally:
            seen = generator.interrupt()
    return Swap(kind.name, number, seen.sent, seen.lost, seen.wrong, seen.max_latency * 1e3, quiet.max_latency * 1e3, seconds)


def _paced(server: Server, queries: Path, seconds: float) -> load.Generator:
    return load.begin(server.port, queries, seconds=seconds, qps=SWAP_QPS, outstanding=SWAP_OUTSTANDING, timeout=SWAP_TIMEOUT)


def _spoken_memory(memory: Memory) -> str:
    built = f"  built in {memory.build_seconds:.2f} s" if memory.build_seconds else ""
    times = f"in force {memory.start_seconds:.3f} s after start ({memory.start_small_seconds:.3f} s with {data.SMALL:,} names)"
    return f"  round {memory.round + 1}  {memory.server:18} {memory.more / 1e6:8.1f} MB more ({memory.pss / 1e6:.1f} MB)  {times}{built}"


def _spoken_swap(swap: Swap) -> str:
    lost = f"lost {swap.lost} of {swap.sent}  wrong {swap.wrong}"
    slowest = f"slowest {swap.slowest_ms:.1f} ms (quiet {swap.quiet_ms:.1f} ms)"
    return f"  round {swap.round + 1}  {swap.server:18} {lost}  {slowest}  in force after {swap.in_force_seconds:.1f} s"
