"""One plan at several vantages: a real scheduler, real workers, some of which are killed."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import dns.message
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from porosity import ethics, observations, probe, study, vantages, vectors
from porosity.lab.spaces import PROGRAMS, Machine, cable
from porosity.study import Study
from porosity.transports.ways import Patience
from tests.porosity import studies
from tests.resolver.servers import HOST, Scripted, says
from tests.tools import DEADLINE, free_ports, require, require_root, wait_for

ROOT = Path(__file__).resolve().parents[2]
ASKED = [vectors.by_id(id) for id in ("type-a", "type-aaaa", "type-https")]
RATE = 3_000
SCHEDULER = ("-m", "distributed.cli.dask_scheduler", "--no-dashboard", "--no-show", "--host")
WORKER = ("-m", "distributed.cli.dask_worker", "--no-nanny", "--nthreads", "1", "--no-dashboard")
RESOLVER = """
import dns.message, dns.rrset, socket, sys
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.1", 5300))
while True:
    data, who = server.recvfrom(4096)
    answer = dns.message.make_response(dns.message.from_wire(data), recursion_available=True)
    answer.answer.append(dns.rrset.from_text(answer.question[0].name, 60, "IN", "A", sys.argv[1]))
    server.sendto(answer.to_wire(), who)
"""


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    (port,) = free_ports(1)
    with subprocess.Popen([sys.executable, *SCHEDULER, HOST, "--port", str(port)], cwd=ROOT) as process:
        yield f"tcp://{HOST}:{port}"
        process.terminate()
        process.wait(DEADLINE)


@pytest.fixture
def workers(scheduler: str, tmp_path: Path) -> Iterator[Workers]:
    with ExitStack() as held:
        yield Workers(scheduler, tmp_path, held)


class Workers:
    def __init__(self, scheduler: str, directory: Path, held: ExitStack) -> None:
        self._scheduler, self._directory, self._held = scheduler, directory, held

    def start(self, *names: str) -> list[subprocess.Popen[bytes]]:
        """Workers with these names, which the scheduler knows."""
        found, logs = [], [self._directory / f"{name}.log" for name in names]
        for name, said in zip(names, logs, strict=True):
            words = [sys.executable, *WORKER, "--host", HOST, "--local-directory", str(self._directory), "--name", name, self._scheduler]
            with said.open("wb") as log:
                found.append(self._held.enter_context(subprocess.Popen(words, cwd=ROOT, stdout=log, stderr=log)))
            self._held.callback(found[-1].kill)
        wait_for(lambda: all("Registered to" in said.read_text() for said in logs), "the workers")
        return found


def made(directory: Path, port: int) -> Study:
    resolvers = [studies.resolver("ours", "tested", port=port), studies.resolver("one", port=port)]
    return study.create(directory, *studies.planned(200, ASKED, resolvers))


def measure(of: Study, scheduler: str, **more: Any) -> dict[str, vantages.Vantage]:
    permits = {address: replace(each, rate=RATE) for address, each in ethics.keep(of.plan.ethics, of.plan.resolvers, None, None).items()}
    return asyncio.run(vantages.run(of, scheduler, permits, Patience(5.0, 2), **more))


def once_each(of: Study, vantage: str) -> bool:
    """Whether a vantage has every trial of the plan on record, and none twice."""
    found = sorted(observations.scan(of, [vantage]).to_table(["trial"]).column("trial").to_pylist())
    return found == list(range(of.plan.trials))


def test_a_dead_worker_takes_nothing_with_it(workers: Workers, scheduler: str, tmp_path: Path) -> None:
    """Another of its vantage is given its portion; a vantage that is gone is finished by the next run; nothing is asked twice for the record."""
    with Scripted(says("A 192.0.2.1")) as resolver:
        of = made(tmp_path / "study", resolver.port)
        office, home, _ = workers.start("office", "home", "office+2")
        threading.Thread(target=lambda: (wait_for(lambda: len(resolver.seen) > 100, "the first questions"), office.kill(), home.kill())).start()
        done = measure(of, scheduler, wait=1.0)
        assert done["office"].lost == done["home"].lost == 1
        assert done["home"].done < of.plan.trials
        assert once_each(of, "office")
        workers.start("home+2")
        again = measure(of, scheduler)
    assert again["home"].done == of.plan.trials
    runs = [json.loads(line) for line in (of.observations("home") / probe.RUNS).read_text("utf-8").splitlines()]
    assert [(each["vantage"], each["ended"], each["trials"]) for each in runs][1:] == [("home", "done", of.plan.trials)]
    assert sum(each["answered"] for each in runs) == of.plan.trials, "an answer for each trial on record, whoever brought it"
    assert once_each(of, "home")
    assert once_each(of, "office")


def test_the_same_plan_asks_each_vantage_s_own_resolver(tmp_path: Path) -> None:
    """Two machines, each with a resolver at its own 127.0.0.1: what they say is told apart by vantage."""
    require_root()
    for program in PROGRAMS:
        require(program)
    of = made(tmp_path / "study", 5300)
    with Machine() as one, Machine() as other:
        cable(one, other, ["192.0.2.1/24"], ["192.0.2.2/24"])
        where = "tcp://192.0.2.1:8786"
        log = (tmp_path / "log").open("wb")
        one.start(sys.executable, *SCHEDULER, "192.0.2.1", cwd=ROOT, log=log)
        for number, (machine, label) in enumerate(((one, "office"), (other, "home")), 1):
            machine.start(sys.executable, "-c", RESOLVER, f"198.51.100.{number}", log=log)
            words = (*WORKER, "--host", f"192.0.2.{number}", "--local-directory", str(tmp_path / label), "--name", label, where)
            machine.start(sys.executable, *words, cwd=ROOT, log=log)
        wait_for(lambda: (tmp_path / "log").read_text().count("Registered to") == 2, "both workers")
        command = (sys.executable, "-P", "-m", "redhand", "porosity", "probe", str(of.directory), "--scheduler", where, "--json")
        with (tmp_path / "said").open("wb") as told:
            assert one.start(*command, log=told).wait(DEADLINE) == 0, (tmp_path / "said").read_text()
        said = json.loads((tmp_path / "said").read_text().splitlines()[-1])
        log.close()
    assert set(said["vantages"]) == {"office", "home"}, (tmp_path / "log").read_text()
    for number, label in enumerate(("office", "home"), 1):
        assert once_each(of, label)
        first = observations.scan(of, [label]).head(1).column("answer")[0].as_py()
        assert f"198.51.100.{number}" in dns.message.from_wire(first).to_text()


class Scheduler:
    """Stands for Dask's client and its scheduler: workers come and go as told, and end their portions when told."""

    def __init__(self) -> None:
        self.scheduler = self
        self.workers: list[str] = []
        self.under_way: dict[str, tuple[asyncio.Future[bytes], float]] = {}

    async def identity(self, n_workers: int) -> dict[str, Any]:
        return {"workers": {name: {"name": name} for name in self.workers}}

    def submit(self, _ask: object, errand: vantages.Errand, numbers: list[int], workers: list[str], **_how: object) -> Any:
        future: Any = asyncio.get_running_loop().create_future()
        future.status = "pending"
        self.under_way[workers[0]] = (future, errand.permits[HOST].rate or 0.0)
        return future

    async def cancel(self, futures: list[Any]) -> None:
        for future in futures:
            self.under_way = {name: each for name, each in self.under_way.items() if each[0] is not future}


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 30), st.lists(st.sets(st.sampled_from([f"v+{number}" for number in range(6)]), min_size=1), min_size=1, max_size=6))
def test_all_workers_together_keep_to_what_was_promised(rate: int, comings: list[set[str]]) -> None:
    """Invariant: however many come, go and come later, what they may ask a second adds up to no more than the rate; and somebody may ask."""

    async def whole(directory: Path) -> None:
        of, stand_in = made(directory, 5300), Scheduler()
        errand = vantages.Errand(b"", b"", (), {HOST: ethics.Permit(rate, "list")}, Patience(), b"")
        round = vantages._Round(of, stand_in, errand, 1.0, lambda vantages: None)
        try:
            for there in comings:
                stand_in.workers = sorted(there)
                await round._look()
                assert 0 < sum(each for _, each in stand_in.under_way.values()) <= rate * 1.000001
        finally:
            for journal in round._journals.values():
                journal.close()

    with TemporaryDirectory() as scratch:
        asyncio.run(whole(Path(scratch) / "study"))
