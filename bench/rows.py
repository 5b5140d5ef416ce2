"""The rows of the comparison under load: what each asks, what warms the caches before it, and how much CPU time a query may cost against which peer.

Every row starts all its servers afresh, then loads one at a time, round after round, in the same order: a noisy minute falls on all of them, and
a ratio is only taken within a round. The figure is the server's user and system time over the load, all its processes, per query answered.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from bench import data, load, machine
from bench.ask import check_answers
from bench.servers import FIRST_ADDRESS, RED_HAND, Kind, Server, Upstream, prepare

CEILING_QPS = 400_000
"""More than any server here answers in a second on one core (a C echo loop: about 310,000), so that a file asked once lasts for the whole load."""
FORWARDED_CEILING_QPS = 150_000
"""The same where every query goes to the upstream and back."""


@dataclass(frozen=True)
class Workload:
    """What one round of one row asks. `once`: no name may be asked twice. `warm` is asked first and is not counted."""

    queries: Path
    once: bool
    warm: Path | None


@dataclass(frozen=True)
class Row:
    """`target`: the most that Red Hand's CPU time per query may be, as a multiple of `against`'s in the same round."""

    key: str
    title: str
    against: str
    target: float
    asks: str
    write: Callable[[Path, list[str], int, float], Workload]


@dataclass(frozen=True)
class Figure:
    """One load on one server. CPU time in microseconds per query answered.

    `busy` is the share of its core the server used; `others` what programs outside the comparison used meanwhile, in cores: noise, if it is much.
    """

    server: str
    round: int
    cpu_us: float
    qps: float
    busy: float
    others: float
    sent: int
    completed: int
    lost: int
    wrong: int
    mean_latency_ms: float
    max_latency_ms: float


@dataclass(frozen=True)
class Result:
    """All figures of a row. `failed` names servers that could not be measured, and why."""

    row: Row
    figures: list[Figure]
    failed: dict[str, str]

    def of(self, server: str) -> list[Figure]:
        """The figures of one server, by round."""
        return [figure for figure in self.figures if figure.server == server]

    def cpu_us(self, server: str) -> float | None:
        """Median over the rounds."""
        figures = self.of(server)
        return median(figure.cpu_us for figure in figures) if figures else None

    def ratios(self, server: str = RED_HAND.name) -> list[float]:
        """CPU time of a server over that of the row's peer, one ratio a round."""
        peers = {figure.round: figure.cpu_us for figure in self.of(self.row.against)}
        return [figure.cpu_us / peers[figure.round] for figure in self.of(server) if figure.round in peers]

    def passed(self) -> bool | None:
        """Whether the median ratio meets the target; None if either side was not measured."""
        ratios = self.ratios()
        return median(ratios) <= self.row.target if ratios else None

    def as_json(self) -> dict[str, Any]:
        """Everything, for the record."""
        return {
            "row": self.row.key,
            "title": self.row.title,
            "asks": self.row.asks,
            "against": self.row.against,
            "target_ratio": self.row.target,
            "ratios": [round(ratio, 3) for ratio in self.ratios()],
            "passed": self.passed(),
            "figures": [asdict(figure) for figure in self.figures],
            "failed": self.failed,
        }


def _hit(folder: Path, _listed: list[str], _number: int, _seconds: float) -> Workload:
    return Workload(
        data.write_queries(folder / "hit.txt", data.hits(100_000)), once=False, warm=data.write_queries(folder / "hit-warm.txt", data.every_hit())
    )


def _zipf(folder: Path, _listed: list[str], _number: int, _seconds: float) -> Workload:
    return Workload(
        data.write_queries(folder / "zipf.txt", data.zipf(1_000_000)),
        once=False,
        warm=data.write_queries(folder / "zipf-warm.txt", data.every_zipf()),
    )


def _cookie(folder: Path, _listed: list[str], number: int, seconds: float) -> Workload:
    queries = data.write_messages(folder / f"cookie-{number}.bin", data.cookie_hits(int(CEILING_QPS * seconds), number))
    return Workload(queries, once=True, warm=data.write_messages(folder / f"cookie-warm-{number}.bin", data.cookie_hits(10_000, 1_000 + number)))


def _block_warm(folder: Path, listed: list[str], _number: int, _seconds: float) -> Workload:
    queries = data.write_queries(folder / "block-warm.txt", data.block_warm(100_000, listed))
    return Workload(queries, once=False, warm=queries)


def _block_new(folder: Path, listed: list[str], number: int, seconds: float) -> Workload:
    return Workload(
        data.write_queries(folder / f"block-new-{number}.txt", data.block_new(int(CEILING_QPS * seconds), listed, number)), once=True, warm=None
    )


def _miss(folder: Path, _listed: list[str], number: int, seconds: float) -> Workload:
    return Workload(
        data.write_queries(folder / f"miss-{number}.txt", data.never_seen(int(FORWARDED_CEILING_QPS * seconds), number)), once=True, warm=None
    )


def _mix(folder: Path, listed: list[str], number: int, seconds: float) -> Workload:
    queries = data.write_queries(folder / f"mix-{number}.txt", data.mix(int(CEILING_QPS * seconds), listed, number))
    return Workload(queries, once=True, warm=data.write_queries(folder / "hit-warm.txt", data.every_hit()))


ROWS = (
    Row("hit", "hit, 1,000 names", "dnsdist", 1.35, "1,000 names, all cached", _hit),
    Row("zipf", "hit, 200,000 names, Zipf", "dnsdist", 1.8, "200,000 names, all cached, the n-th as often as 1/n", _zipf),
    Row("cookie", "hit with client cookies", "dnsdist", 2.2, "1,000 names, all cached, each query with a client cookie never used before", _cookie),
    Row("block-warm", "block, warm", "Unbound", 1.0, "listed names and their www, asked over and over", _block_warm),
    Row("block-new", "block, each name new", "Unbound", 1.6, "subdomains of listed names, none asked before", _block_new),
    Row("miss", "never-seen names", "Unbound", 1.0, "names none of which was asked before, forwarded", _miss),
    Row("mix", "mix 80/10/10", "Unbound", 1.25, "80 % hits, 10 % listed names, 10 % never-seen names", _mix),
)


@dataclass(frozen=True)
class Run:
    """How the comparison is run: where its files go, rounds of each row, seconds of each load, and where progress is told."""

    scratch: Path
    rounds: int
    seconds: float
    say: Callable[[str], None]


def measure(row: Row, kinds: Sequence[Kind], run: Run) -> Result:
    """Runs one row. A server that fails a check is named in the result and left out from there on; the others go on."""
    result = Result(row, [], {})
    with running(row.key, kinds, run, result.failed) as field:
        for number in range(run.rounds):
            workload = row.write(field.folder, field.listed, number, run.seconds)
            for server in field.fit():
                with field.blamed(server.name):
                    figure = load_once(server, field.upstreams, workload, number, run.seconds)
                    result.figures.append(figure)
                    run.say(_spoken(figure))
    return result


@dataclass(frozen=True)
class Field:
    """Servers that run side by side, of which one at a time is loaded. `failed` names those that could not be measured, and why."""

    folder: Path
    listed: list[str]
    upstreams: list[Upstream]
    servers: list[Server]
    failed: dict[str, str]
    say: Callable[[str], None]

    def fit(self) -> Iterator[Server]:
        """Those that have not failed by the time they are asked for."""
        return (server for server in self.servers if server.name not in self.failed)

    @contextmanager
    def blamed(self, server: str) -> Iterator[None]:
        """A fault inside takes this server out of the field, and no other."""
        try:
            yield
        except machine.BenchError as error:
            self.failed[server] = str(error)
            self.say(f"{server} is left out: {error}")


@contextmanager
def running(key: str, kinds: Sequence[Kind], run: Run, failed: dict[str, str], *, upstreams: Sequence[str] = (FIRST_ADDRESS,)) -> Iterator[Field]:
    """Starts upstreams at these addresses and all the servers, checks and settles each; ends them all and leaves no file."""
    folder = run.scratch / key
    folder.mkdir()
    field = Field(folder, data.listed_names(data.LISTED), [], [], failed, run.say)
    try:
        for address in upstreams:
            field.upstreams.append(Upstream(folder, address))
        for kind in kinds:
            with field.blamed(kind.name):
                _start(kind, field)
        for server in field.fit():
            with field.blamed(server.name):
                server.settle()
        yield field
    finally:
        for server in field.servers:
            server.stop()
        for upstream in field.upstreams:
            upstream.stop()
        shutil.rmtree(folder)


def list_file(folder: Path, kind: Kind, names: list[str], serial: int) -> Path:
    """A list in one server's form; written when first asked for. One serial stands for one list."""
    path = folder / f"{kind.form.__name__}.{serial}.list"
    if not path.exists():
        data.write_lines(path, kind.form(names, serial))
    return path


def _start(kind: Kind, field: Field) -> None:
    first, *more = (upstream.port for upstream in field.upstreams)
    server = prepare(kind, field.folder, first, list_file(field.folder, kind, field.listed, 1), second=more[0] if more else None)
    field.servers.append(server)
    server.launch(field.listed)
    check_answers(kind.name, server.port, field.listed[0], expect_ede=kind is RED_HAND)


def load_once(server: Server, upstreams: Sequence[Upstream], workload: Workload, number: int, seconds: float) -> Figure:
    """Warms one server's caches and loads it, as fast as it answers."""
    if workload.warm is not None:
        load.warm(server.port, workload.warm)
    served, all_before, ours_before = machine.cpu_seconds(server.pid), machine.machine_cpu_seconds(), _ours(server, upstreams)
    began = time.monotonic()
    seen = load.run(server.port, workload.queries, seconds=seconds, once=workload.once)
    cpu = machine.cpu_seconds(server.pid) - served
    others = (machine.machine_cpu_seconds() - all_before - (_ours(server, upstreams) - ours_before)) / (time.monotonic() - began)
    if seen.completed == 0:
        raise machine.BenchError(f"{server.name} answered nothing under load. It said:\n{server.log()}")
    return Figure(
        server=server.name,
        round=number,
        cpu_us=cpu / seen.completed * 1e6,
        qps=seen.qps,
        busy=cpu / seen.seconds,
        others=max(0.0, others),
        sent=seen.sent,
        completed=seen.completed,
        lost=seen.lost,
        wrong=seen.wrong,
        mean_latency_ms=seen.mean_latency * 1e3,
        max_latency_ms=seen.max_latency * 1e3,
    )


def _ours(server: Server, upstreams: Sequence[Upstream]) -> float:
    """CPU time of all that belongs to a load: the server, the upstreams, and the generators that have ended."""
    asked = sum(machine.cpu_seconds(upstream.process.pid) for upstream in upstreams)
    return machine.cpu_seconds(server.pid) + asked + machine.ended_children_cpu_seconds()


def _spoken(figure: Figure) -> str:
    cost = f"  round {figure.round + 1}  {figure.server:18} {figure.cpu_us:7.2f} µs  {figure.qps:9,.0f}/s"
    return f"{cost}  busy {figure.busy:4.0%}  others {figure.others:4.0%}  lost {figure.lost}  wrong {figure.wrong}"
