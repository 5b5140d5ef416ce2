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
from typing import Any

import dns.message
import pytest

from bench.namespaces import PROGRAMS, Machine, cable
from porosity import ethics, observations, study, vantages, vectors
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
        said = json.loads(one.run(*command).splitlines()[-1])
        log.close()
    assert set(said["vantages"]) == {"office", "home"}, (tmp_path / "log").read_text()
    for number, label in enumerate(("office", "home"), 1):
        assert once_each(of, label)
        first = observations.scan(of, [label]).head(1).column("answer")[0].as_py()
        assert f"198.51.100.{number}" in dns.message.from_wire(first).to_text()
