"""The list is written upon a new base when a child says that it is due."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from blocklists import store
from blocklists.job import write_job
from blocklists.orders import OrderLines
from redhand.children import Child
from redhand.compacting import Compacting
from tests.blocklists.lists import House, blocked
from tests.blocklists.test_orders import KEEP, Log, own


def test_what_is_due_is_done_by_a_process_of_its_own(tmp_path: Path) -> None:
    house = House(tmp_path, keep_versions=KEEP)
    house.source("own", "domains")
    house.write("own", own())
    house.build()
    log = Log()
    log.block("XX-1", "a.example")
    log.of_id["XX-1"][0].document["reasons"] = {"en": "An example. " * 400_000}
    built = OrderLines(house.state, KEEP).put_in_force(log.facts, log)
    assert built.swollen
    said: list[str] = []

    async def run() -> None:
        compacting = Compacting(lambda: lambda: Child("builder", ("blocklists.background",), json.loads(write_job(house.job()))), said.append)
        task = asyncio.create_task(compacting.run())
        compacting.heard({"swollen": False})
        compacting.heard({"swollen": True})
        async with asyncio.timeout(60):
            while not said:
                await asyncio.sleep(0.02)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(run())
    assert len(said) == 1
    assert "version 3 says the same upon a new base" in said[0]
    version = store.open_current(house.state, thorough=True)
    assert (version.serial, version.identity, version.manifest["index"]) == (3, built.identity, {"base": 3, "changed": 0})
    assert blocked(version, "a.example", "n7.example") == ["a.example", "n7.example"]
