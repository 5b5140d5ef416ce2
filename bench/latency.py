"""The rows of latency: how long answers take at half of what a server can do, while its list is swapped, and while one of two upstreams hangs.

The load is dnsperf's, paced at half of the server's own peak in the mix; the times are those of `prober`, whose queries are few beside it.
Percentiles are over the probes of all rounds. Each server's peak is what the row `mix` measured in the same run, or else is measured first.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench import data, load, machine, prober
from bench.latencies import SHARES, LatencyResult, Timed, Times, back_after, phases_of_failure
from bench.machine import GENERATOR_CORE, BenchError
from bench.prober import Probe
from bench.rows import CEILING_QPS, Field, Result, Run, Workload, list_file, load_once, running
from bench.servers import FIRST_ADDRESS, SECOND_ADDRESS, Kind, Server, Upstream

PROBE_QPS = 2_000
"""Probes a second: 1 to 5 in 100 of the load."""
SHARE = 0.5
LEAD = 1.5
"""Seconds of load before the first probe. dnsperf 2.10 first uses each of its OUTSTANDING places slowly, at some 20,000 queries a second, then makes
up for it at full speed, and only then keeps its pace.
"""
HALF_TIMES = 2
SWAP_TIMES = 4
"""Loads are longer by these factors than those of the other rows: one query in a thousand must be met often, and several swaps."""
SWAP_EVERY = 2.0
"""Seconds from one swap to the next, if the first is in force by then."""
BEFORE, DOWN, AFTER = 2.0, 6.0, 3.0
"""Seconds before an upstream is held, until it is let go, and on."""
OUTSTANDING = 12_000
"""Queries of the load in flight at most. For a server that owes as many, silent 0.2 s at 60,000 a second, its pace slackens; the probes' never."""
TOLD = "`before`: both upstreams answer; `during`: one is stopped for 6 s, the one that had done more; `after`: both answer again"
TITLES = {
    "half": ("latency at half of the peak", "the mix 80/10/10 at half of the server's own peak"),
    "half-swap": ("latency while the list is swapped", f"the same, while a list of 100,000 names is replaced every {SWAP_EVERY:g} s"),
    "half-failure": ("latency while an upstream hangs", f"never-seen names, beside the same load, two upstreams; {TOLD}"),
}
_PEAK, _HALF, _SWAP, _FAILURE, _PROBES = 1_000, 2_000, 3_000, 4_000, 5_000
"""Added to round numbers, so that no never-seen name was seen in another row."""


@dataclass(frozen=True)
class _Plan:
    """One load on one server: the files it asks and for how long, and how fast."""

    server: Server
    queries: Path
    probes: Path
    seconds: float
    qps: int


@dataclass
class _Under:
    """A load under way. What was seen is there once it has ended."""

    probes: list[Probe]
    seen: load.Load | None = None
    real_time: bool = False
    busy: float = 0.0


def measure(keys: Sequence[str], kinds: Sequence[Kind], run: Run, mixes: Result | None) -> list[LatencyResult]:
    """Runs the rows asked for. `mixes`: the row `mix` of this run, if it ran. A server that fails is named and left out of that row."""
    peaks = {kind.name: median(figure.qps for figure in mixes.of(kind.name)) for kind in kinds if mixes and mixes.of(kind.name)}
    results = []
    for key, (title, asks) in TITLES.items():
        if key in keys:
            result = LatencyResult(key, title, asks)
            run.say(f"{title}: {asks}")
            able = [kind for kind in kinds if key != "half-swap" or kind.reload is not None]
            upstreams = (FIRST_ADDRESS, SECOND_ADDRESS) if key == "half-failure" else (FIRST_ADDRESS,)
            with machine.pinned(GENERATOR_CORE), running(key, able, run, result.failed, upstreams=upstreams) as field:
                _row(result, field, run, peaks)
            results.append(result)
    return results


def _row(result: LatencyResult, field: Field, run: Run, peaks: dict[str, float]) -> None:
    for server in field.fit():
        if server.name not in peaks:
            with field.blamed(server.name):
                peaks[server.name] = _peak(server, field, run.seconds)
    for number in range(run.rounds):
        fastest = max((peaks[server.name] for server in field.fit()), default=0.0) * SHARE
        seconds = {"half": HALF_TIMES * run.seconds, "half-swap": SWAP_TIMES * run.seconds, "half-failure": BEFORE + DOWN + AFTER}[result.key]
        files = _files(result.key, field, number, seconds, fastest)
        for server in field.fit():
            with field.blamed(server.name):
                figure = _load(result.key, field, number, _Plan(server, *files, seconds, int(peaks[server.name] * SHARE)), peaks[server.name])
                result.figures.append(figure)
                run.say(_spoken(figure))
        for file in files:
            file.unlink()


def _peak(server: Server, field: Field, seconds: float) -> float:
    """Queries a second of the mix, as fast as it answers."""
    queries = data.write_queries(field.folder / "peak.txt", data.mix(int(CEILING_QPS * seconds), field.listed, _PEAK))
    warm = data.write_queries(field.folder / "warm.txt", data.every_hit())
    return load_once(server, field.upstreams, Workload(queries, once=True, warm=warm), 0, seconds).qps


def _files(key: str, field: Field, number: int, seconds: float, qps: float) -> tuple[Path, Path]:
    """What the load asks and what the probes ask. Only names that stand in every list of a swap are asked as blocked."""
    kept = field.listed[: len(field.listed) - len(field.listed) // 100]
    offset = {"half": _HALF, "half-swap": _SWAP, "half-failure": _FAILURE}[key] + number
    queries = data.mix(int(qps * (seconds + 2 * LEAD) * 1.1) + 1_000, kept, offset)
    count = int(PROBE_QPS * seconds * 1.2) + 100
    probes = data.never_seen(count, _PROBES + offset) if key == "half-failure" else data.mix(count, kept, _PROBES + offset)
    return data.write_queries(field.folder / "load.txt", queries), data.write_queries(field.folder / "probes.txt", probes)


def _load(key: str, field: Field, number: int, plan: _Plan, peak: float) -> Timed:
    swaps: list[float] = []
    failed = healed = 0.0
    load.warm(plan.server.port, data.write_queries(field.folder / "warm.txt", data.every_hit()))
    with _under_load(plan) as under:
        if key == "half-swap":
            swaps = list(_swaps(field, plan, number))
        elif key == "half-failure":
            failed, healed = _fail_one(field.upstreams)
    if key == "half-swap":
        plan.server.settle()
    if under.seen is None or under.seen.completed == 0:
        raise BenchError(f"{plan.server.name} answered nothing under load. It said:\n{plan.server.log()}")
    phases = phases_of_failure(under.probes, failed, healed) if failed else {"": Times.of(under.probes)}
    return Timed(
        server=plan.server.name,
        round=number,
        peak=peak,
        qps=under.seen.qps,
        busy=under.busy,
        sent=under.seen.sent,
        lost=under.seen.lost,
        real_time=under.real_time,
        phases=phases,
        swaps=tuple(swaps),
        back=back_after(under.probes, failed, healed) if failed else None,
    )


@contextmanager
def _under_load(plan: _Plan) -> Iterator[_Under]:
    """A paced load with probes beside it; both have ended afterwards."""
    out = plan.probes.with_suffix(".json")
    out.unlink(missing_ok=True)
    under = _Under([])
    pace = {"qps": plan.qps, "outstanding": OUTSTANDING, "timeout": int(prober.LOST_AFTER)}
    generator = load.begin(plan.server.port, plan.queries, seconds=plan.seconds + 60, once=True, **pace)
    probing = None
    try:
        time.sleep(LEAD)
        used, began = machine.cpu_seconds(plan.server.pid), time.monotonic()
        command = [sys.executable, "-m", "bench.prober", str(plan.server.port), str(plan.probes), str(PROBE_QPS), str(plan.seconds), str(out)]
        probing = machine.start(command, core=GENERATOR_CORE, cwd=Path(__file__).resolve().parent.parent, log=out.with_suffix(".log"))
        yield under
        _await(probing, plan.seconds + prober.LOST_AFTER + 30, out.with_suffix(".log"))
        under.busy = (machine.cpu_seconds(plan.server.pid) - used) / (time.monotonic() - began)
    finally:
        if probing is not None and probing.poll() is None:
            probing.kill()
            probing.wait()
        under.seen = generator.interrupt()
    seen = json.loads(out.read_text(encoding="utf-8"))
    under.real_time = seen["real_time"]
    under.probes += [Probe(**probe) for probe in seen["probes"]]


def _await(process: subprocess.Popen[str], limit_seconds: float, log: Path) -> None:
    try:
        status = process.wait(limit_seconds)
    except subprocess.TimeoutExpired:
        raise BenchError(f"the prober did not end within {limit_seconds:.0f} s") from None
    if status:
        raise BenchError(f"the prober ended with status {status}. It said:\n{log.read_text(encoding='utf-8')[-2000:]}")


def _swaps(field: Field, plan: _Plan, number: int) -> Iterator[float]:
    """Swaps the list over and over until the probes are sent; seconds each took to be in force. No two lists of a run are the same."""
    until = time.monotonic() + plan.seconds
    most = int(plan.seconds / SWAP_EVERY) + 1
    for swap in range(most):
        began = time.monotonic()
        generation = number * most + swap + 1
        names = data.listed_names(data.LISTED, generation)
        staged = plan.server.stage(list_file(field.folder, plan.server.kind, names, generation + 1))
        plan.server.swap(staged)
        swapped = time.monotonic()
        plan.server.await_list(names[len(names) - len(names) // 100 :])
        yield time.monotonic() - swapped
        time.sleep(max(0.0, began + SWAP_EVERY - time.monotonic()))
        if time.monotonic() >= until:
            return


def _fail_one(upstreams: Sequence[Upstream]) -> tuple[float, float]:
    """Holds, for a while, the upstream that has worked more; when it was held and when it was let go (Unix time)."""
    before = [machine.cpu_seconds(upstream.process.pid) for upstream in upstreams]
    time.sleep(BEFORE)
    worked = [machine.cpu_seconds(upstream.process.pid) - was for upstream, was in zip(upstreams, before, strict=True)]
    chosen = upstreams[worked.index(max(worked))]
    failed = time.time()
    chosen.hold()
    try:
        time.sleep(DOWN)
    finally:
        healed = time.time()
        chosen.resume()
    return failed, healed


def _spoken(figure: Timed) -> str:
    parts = [f"  round {figure.round + 1}  {figure.server:18} {figure.qps:8,.0f}/s  busy {figure.busy:4.0%}"]
    for phase, times in figure.phases.items():
        p50, p99, slow = (f"{times.at(share) * 1e3:.3g}" for share in SHARES.values())
        parts.append(f"{phase} p50 {p50} p99 {p99} p99.9 {slow} ms, lost {times.lost} of {len(times.seconds)}".strip())
    if figure.swaps:
        parts.append(f"{len(figure.swaps)} swaps, in force after {median(figure.swaps):.1f} s")
    if len(figure.phases) > 1:
        parts.append("p99 not back" if figure.back is None else f"p99 back after {figure.back:.2f} s")
    return "  ".join(parts)
