"""A lab: the servers of a scenario, up and answering, and what a study needs to measure them. Here, what its two forms share.

On loopback (`porosity.lab.loopback`) anybody can have one; among namespaces (`porosity.lab.internet`) only root, with hosts of their own. Whatever
ends this process ends the lab: its programs die with it, and namespaces without processes are dissolved by the kernel.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from porosity import parts, planning
from porosity.lab.addresses import LANDING
from porosity.lab.certificates import Authority
from porosity.lab.places import LabError, Place, last_words
from porosity.lab.scenario import FOLDER, Scenario
from porosity.lab.servers import Orders, Server, Setting
from porosity.lab.world import World, make
from porosity.planning import Planned, Wishes
from porosity.words import Resolver

ANSWER_SECONDS = 30.0
PROBE_SECONDS = 1800.0
FACTS, CLOCK = "lab.json", "clock.json"
RATE = 300
"""Questions a second to one resolver: what a scripted one keeps up with beside a dozen others, so that nobody is taken for dead."""


class Lab:
    """A lab that is up. `directory`: its scratch, kept when it ends. A context manager; raises LabError when it cannot be built."""

    def __init__(self, scenario: Scenario, seed: int, directory: Path) -> None:
        self.scenario = scenario
        self.seed = seed
        self.world: World = make(scenario, seed)
        directory = directory.absolute()  # servers begin elsewhere than we do
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self.setting = Setting(self.world, directory, Authority(directory), LANDING, 8080)
        self.servers: dict[str, Server] = {}
        """The scenario's resolvers, by their ids."""
        self.beside: list[Server] = []
        """Scripted servers that are none of the study's."""
        self.client: Place = Place()
        """Where the study asks from."""
        self.clock: dict[str, int] = {}
        """When orders began and ended, in microseconds since 1970."""

    def __enter__(self) -> Lab:
        try:
            self.build()
            self._await()
            self._list.write_text(self.world.directives(), encoding="utf-8")
            (self.directory / FACTS).write_text(json.dumps(self.facts(), indent=1) + "\n", encoding="utf-8")
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def build(self) -> None:
        """Starts everything."""
        raise NotImplementedError

    def close(self) -> None:
        """Ends everything."""
        self.client.close()

    @property
    def orders(self) -> Orders:
        """What is ordered blocked."""
        return [(each.name, each.match, 0.0) for each in self.world.orders]

    def resolvers(self) -> list[Resolver]:
        """The scenario's, as a study has them."""
        return [server.resolver for server in self.servers.values()]

    def plan(self, study: Path, vectors: tuple[str, ...] = (), repeats: int | None = None) -> Planned:
        """A new study of this lab. `vectors`, `repeats`: instead of the scenario's."""
        by_role: dict[str, list[str]] = {}
        for each in self.resolvers():
            by_role.setdefault(each.role, []).append(f"{each.id}=" + ",".join(_written(str(endpoint)) for endpoint in each.endpoints))
        wishes = Wishes(
            lists=[f"orders={self._list}"],
            canaries=self.world.canaries,
            tested=by_role["tested"],
            controls=by_role["control"],
            secondary=by_role.get("secondary", ()),
            others=by_role.get("other", ()),
            vectors=vectors or self.vectors,
            repeats=repeats or self.scenario.repeats,
            seed=self.seed,
            neighbours=self.scenario.names.neighbours,
            rate=RATE,
            has=frozenset({"zone", "clock"} if self.scenario.clock else {"zone"}),
        )
        return planning.make(study, wishes, int(time.time()))

    @property
    def _list(self) -> Path:
        """The orders, as a study reads them."""
        return self.directory / "orders.yaml"

    @property
    def vectors(self) -> tuple[str, ...]:
        """The scenario's, files among them by their paths."""
        return tuple(self._vectors_at(each) if each.endswith(".py") else each for each in self.scenario.vectors)

    @staticmethod
    def _vectors_at(file: str) -> str:
        return str(FOLDER / file if (FOLDER / file).exists() else Path(file).absolute())

    def probe(self, study: Path, timeout: float = 2.0, tries: int = 3) -> None:
        """Asks what a study plans, from the client's place, as its user would. Raises LabError."""
        files = [word for each in self.vectors if each.endswith(".py") for word in ("--vectors", each)]
        words = [
            "porosity",
            "probe",
            str(study.absolute()),
            "--ca",
            str(self.setting.authority.file),
            "--timeout",
            str(timeout),
            "--tries",
            str(tries),
            "--json",
        ]
        log = self.directory / "probe.log"
        with log.open("wb") as said:
            process = self.client.python("redhand", *words, *files, log=said)
        try:
            self._run_clock(process)
            process.wait(PROBE_SECONDS)
        except subprocess.TimeoutExpired:
            raise LabError(f"the probe did not end within {PROBE_SECONDS:.0f} s; take fewer names or vectors") from None
        if process.returncode:
            raise LabError(f"the probe ended with status {process.returncode}; it said: {last_words(log)}")
        self.settle()
        if self.clock:
            events = [{"what": what, "at": at} for what, at in self.clock.items()]
            parts.replace(study / CLOCK, (json.dumps({"events": events}, indent=1) + "\n").encode())

    def settle(self) -> None:
        """Returns when all that came of a probe is on the disk."""
        self.flush()

    def flush(self) -> None:
        """Returns when all deeds so far are on the disk."""
        self._tell()

    def order(self, orders: Orders) -> None:
        """Puts these orders in force, and no others, at every scripted resolver."""
        self._tell(orders=list(orders))

    def _tell(self, **words: Any) -> None:
        told = {id(server.process): server for server in (*self.servers.values(), *self.beside) if server.deeds is not None}
        for server in told.values():
            server.tell(**words)

    def machines(self) -> dict[str, int]:
        """Of the processes that hold its machines, for nsenter(1); none on loopback."""
        return {}

    def facts(self) -> dict[str, Any]:
        """What a person needs to look into it."""
        return {
            "scenario": self.scenario.id,
            "seed": self.seed,
            "resolvers": {each.id: {"role": each.role, "endpoints": list(map(str, each.endpoints))} for each in self.resolvers()},
            "orders": {each.name: each.match for each in self.world.orders},
            "canaries": list(self.world.canaries),
            "ca": str(self.setting.authority.file),
            "landing": list(self.setting.landing),
            "list": str(self._list),
            "rate": RATE,
            "holder": os.getpid(),
            "machines": self.machines(),
        }

    def _run_clock(self, process: subprocess.Popen[Any]) -> None:
        """Puts the orders in force and withdraws them, at the scenario's times after the first question."""
        if self.scenario.clock is None:
            return
        began = self._first_question(process)
        for what, seconds in zip(("enforced", "withdrawn"), self.scenario.clock, strict=True):
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, began + seconds - time.monotonic()))
            if process.poll() is not None:
                return
            now = time.time()
            self.clock[what] = round(now * 1_000_000)
            self.order([(name, match, now) for name, match, _ in self.orders] if what == "enforced" else [])

    def _first_question(self, process: subprocess.Popen[Any]) -> float:
        while process.poll() is None:
            self.flush()
            if any(server.deeds is not None and server.deeds.stat().st_size for server in self.servers.values()):
                break
            time.sleep(0.05)
        return time.monotonic()

    def _await(self) -> None:
        """Waits until every resolver that should answer does."""
        alive = [server.resolver.endpoints[0] for id, server in self.servers.items() if not self.scenario.resolvers[id].dead]
        self._answering([f"{each.address}:{each.port}" for each in alive], self.world.canaries[0])

    def _answering(self, where: Sequence[str], name: str) -> None:
        log = self.directory / "ask.log"
        with log.open("wb") as said:
            process = self.client.python("porosity.lab.ask", str(ANSWER_SECONDS), name, *where, log=said)
            if process.wait(ANSWER_SECONDS + 30):
                raise LabError(f"not all of the lab answers for {name}: {last_words(log)}")


def _written(endpoint: str) -> str:
    return endpoint if "://" in endpoint else f"udp://{endpoint}"
