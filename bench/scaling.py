"""The row `two-workers`: what two workers on two cores can carry, against one on one.

Two cores are all there is, and the generator needs most of one, so that the throughput of two workers cannot be seen beside it: it is measured, with
the generator on the second core in both settings, and reported for what it is. What two could carry follows from what they spend. Each setting is
given the same paced load a worker, far enough below what the generator can do that it keeps the pace, and

    capacity = 2 x (CPU time per query with one / the same with two) / (the busier worker's CPU time / the mean of both)

The first factor is what the workers cost each other, with all processes of the server counted; the second how unevenly the kernel spreads the flows
over their sockets, since the busier one meets its limit first. A worker that shares its core with the generator finds more queries waiting when its
turn comes, and spends less on each. So the one worker is measured on either core in turn, and the mean is what one spends.

The generator is SCHED_BATCH: otherwise it and the worker beside it take the core from each other at every single query.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from bench import data, load, machine
from bench.ask import check_answers
from bench.machine import GENERATOR_CORE, SERVER_CORE, BenchError
from bench.rows import Run
from bench.servers import RED_HAND, Server, Upstream, prepare

KEY = "two-workers"
TITLE = "two workers on two cores"
TARGET = 1.7
PACE = 0.3
"""The paced load a worker, as a share of what one worker carried: twice that leaves room for the generator beside the second."""
KEPT = 0.95
"""Share of the pace that must have been kept for the figure to count."""
LISTED = 1_000


@dataclass(frozen=True)
class Loaded:
    """One load. CPU time in microseconds per query answered; `shares`: each worker's CPU time over all workers'."""

    qps: float
    cpu_us: float
    shares: tuple[float, ...]
    lost: int

    @property
    def imbalance(self) -> float:
        """The busiest worker's CPU time over the mean."""
        return max(self.shares) * len(self.shares)


@dataclass(frozen=True)
class Pair:
    """One round. `full`: as fast as answers come, with one worker, then with two. `paced`: the one on its own core, on the generator's; the two."""

    round: int
    full: tuple[Loaded, Loaded]
    paced: tuple[Loaded, Loaded, Loaded]

    @property
    def one_us(self) -> float:
        """CPU time per query with one worker, wherever it runs."""
        return (self.paced[0].cpu_us + self.paced[1].cpu_us) / 2

    @property
    def throughput(self) -> float:
        """Queries a second with two over those with one, as far as the generator let them."""
        return self.full[1].qps / self.full[0].qps

    @property
    def capacity(self) -> float:
        """What two could carry over what one could, from what they spend."""
        two = self.paced[2]
        return 2 * self.one_us / two.cpu_us / two.imbalance


@dataclass
class Scaling:
    """All rounds. `failed` says why one or all could not be measured."""

    pairs: list[Pair] = field(default_factory=list)
    failed: str = ""

    @property
    def capacity(self) -> float | None:
        """Median over the rounds."""
        return median(pair.capacity for pair in self.pairs) if self.pairs else None

    def passed(self) -> bool | None:
        """Whether the capacity meets the target; None if it was not measured."""
        return None if self.capacity is None else self.capacity >= TARGET

    def as_json(self) -> dict[str, Any]:
        """Everything, for the record."""
        rounds = [asdict(pair) | {"throughput": pair.throughput, "capacity": pair.capacity} for pair in self.pairs]
        return {"row": KEY, "target": TARGET, "capacity": self.capacity, "passed": self.passed(), "rounds": rounds, "failed": self.failed}


def measure(run: Run) -> Scaling:
    """Runs the row: Red Hand alone, 1,000 cached names."""
    run.say(f"{TITLE}: 1,000 names, all cached, {load.FLOWS} flows; one worker, then two")
    folder = run.scratch / KEY
    folder.mkdir()
    listed = data.listed_names(LISTED)
    list_file = data.write_lines(folder / "list", RED_HAND.form(listed, 1))
    result, servers = Scaling(), []
    upstream = Upstream(folder)
    try:
        for workers in (1, 2):
            server = prepare(RED_HAND, folder, upstream.port, list_file, workers=workers, core=None)
            servers.append(server)
            server.launch(listed)
            check_answers(server.name, server.port, listed[0], expect_ede=True)
            server.settle()
        queries, warm = folder / "hit.txt", folder / "warm.txt"
        data.write_queries(queries, data.hits(100_000))
        data.write_queries(warm, data.every_hit())
        placed = [(server, _place_workers(server, warm)) for server in servers]
        for number in range(run.rounds):
            try:
                result.pairs.append(_round(number, placed, queries, run.seconds))
                run.say(_spoken(result.pairs[-1]))
            except BenchError as error:
                result.failed = str(error)
                run.say(f"  round {number + 1}  left out: {error}")
    except BenchError as error:
        result.failed = str(error)
        run.say(f"{TITLE}: not measured: {error}")
    finally:
        for server in servers:
            server.stop()
        upstream.stop()
        shutil.rmtree(folder)
    return result


def _place_workers(server: Server, warm: Path) -> list[int]:
    """The workers' processes, found by what they do under load; each is given a core of its own, the first the server's."""
    before = {member: machine.own_cpu_seconds(member) for member in machine.family(server.pid)}
    load.warm(server.port, warm)
    load.begin(server.port, warm, seconds=1).finish(30)
    worked = {member: machine.own_cpu_seconds(member) - was for member, was in before.items()}
    workers = sorted(sorted(worked, key=worked.__getitem__)[-server.workers :])
    _place(workers, (SERVER_CORE, GENERATOR_CORE)[: server.workers])
    return workers


def _place(workers: Sequence[int], cores: Sequence[int]) -> None:
    for worker, core in zip(workers, cores, strict=True):
        for thread in Path(f"/proc/{worker}/task").iterdir():
            os.sched_setaffinity(int(thread.name), {core})


def _round(number: int, placed: list[tuple[Server, list[int]]], queries: Path, seconds: float) -> Pair:
    (single, alone), (double, both) = placed
    full = _load(single, alone, queries, seconds), _load(double, both, queries, seconds)
    pace = int(PACE * full[0].qps)
    own = _load(single, alone, queries, seconds, pace)
    _place(alone, (GENERATOR_CORE,))
    shared = _load(single, alone, queries, seconds, pace)
    _place(alone, (SERVER_CORE,))
    return Pair(number, full, (own, shared, _load(double, both, queries, seconds, 2 * pace)))


def _load(server: Server, workers: list[int], queries: Path, seconds: float, pace: int | None = None) -> Loaded:
    """One load, as fast as answers come or paced. Raises BenchError if a worker did nothing, or the pace was not kept."""
    before, all_before = [machine.own_cpu_seconds(worker) for worker in workers], machine.cpu_seconds(server.pid)
    with machine.unhurried():
        generator = load.begin(server.port, queries, seconds=seconds, qps=pace)
    seen = generator.finish(seconds + 60)
    used = [machine.own_cpu_seconds(worker) - was for worker, was in zip(workers, before, strict=True)]
    if not seen.completed or not min(used):
        raise BenchError(f"a worker of {server.name} did nothing under load. It said:\n{server.log()}")
    if pace and seen.qps < KEPT * pace:
        raise BenchError(f"the generator asked {seen.qps:,.0f} queries a second instead of {pace:,}: something else has its core; run it again")
    cpu_us = (machine.cpu_seconds(server.pid) - all_before) / seen.completed * 1e6
    return Loaded(seen.qps, cpu_us, tuple(each / sum(used) for each in used), seen.lost)


def _spoken(pair: Pair) -> str:
    qps = " then ".join(f"{loaded.qps:,.0f}/s" for loaded in pair.full)
    cost = " then ".join(f"{loaded.cpu_us:.2f} µs" for loaded in pair.paced)
    return (
        f"  round {pair.round + 1}  throughput {pair.throughput:.2f} ({qps})"
        f"  capacity {pair.capacity:.2f} ({cost}, busiest {pair.paced[2].imbalance:.2f} of the mean)"
    )
