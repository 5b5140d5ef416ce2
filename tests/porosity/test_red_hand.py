"""Every vector tried at our own resolver, a real worker over a real recursor: it says what golden/red-hand.yaml has, and nothing of the target's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from blocklists.settings import BlocklistSettings, FileSource
from porosity import vectors
from porosity.words import Endpoint, Name, Resolver
from resolver.settings import Upstream
from tests.porosity.world import BLOCKED, FREE, HOST, NAMES, ONLY, Tried, World, world
from tests.resolver import servers
from tests.resolver.servers import Lists, has_ipv6
from tests.tools import wait_for

GOLDEN: dict[str, list[str]] = yaml.safe_load((Path(__file__).parent / "golden" / "red-hand.yaml").read_text("utf-8"))
SPOKEN = [vector for vector in vectors.ALL if not vector.needs & {"dot", "doh", "doq"} and (has_ipv6() or "ipv6" not in vector.needs)]
"""Vectors that it can be asked: it serves UDP and TCP."""


@dataclass
class House:
    """Our resolver in the world."""

    world: World
    worker: servers.Resolver
    lists: Lists
    resolver: Resolver

    def tell(self, names: list[Name], given: list[vectors.Vector] = SPOKEN) -> list[Tried]:
        """What it, and no other resolver, says of these names."""
        others = {"secondary": self.world.control, "other": self.world.control}
        return [each for each in self.world.try_all(self.resolver, given, names, others) if each.ask.to == "same"]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    directory = tmp_path_factory.mktemp("red-hand")
    sources = (FileSource(id="own", path="own.txt", format="domains"), FileSource(id="hosts", path="hosts.txt", format="hosts"))
    lists = Lists(directory / "lists", BlocklistSettings(sources=sources))
    put_in_force(lists, [name for name in NAMES if name.group == "listed"])
    addresses = [HOST, "::1"] if has_ipv6() else [HOST]
    with world(directory / "world") as around:
        upstream = Upstream(address=f"{HOST}:{around.control.endpoints[0].port}")
        with servers.resolver(directory / "worker", lists, upstream, addresses=addresses) as worker:
            endpoints = tuple(Endpoint(transport, address, worker.port) for transport in ("udp", "tcp") for address in addresses)
            yield House(around, worker, lists, Resolver("red-hand", "tested", endpoints))


def put_in_force(lists: Lists, names: list[Name]) -> None:
    for source in ("own", "hosts"):
        listed = [name.name.to_text(omit_final_dot=True) for name in names if name.list == source]
        lists.write(f"{source}.txt", "".join(f"{'0.0.0.0 ' if source == 'hosts' else ''}{text}\n" for text in listed))
    lists.build()


def test_what_it_says_is_written_down(house: House) -> None:
    said: dict[str, list[str]] = {}
    for each in house.tell([name for name in NAMES if name.name == BLOCKED]):
        told = said.setdefault(each.vector.id, [])
        if each.summary not in told:
            told.append(each.summary)
    assert said == {key: GOLDEN[key] for key in said}
    spoken = {vector.id for vector in vectors.ALL if not vector.needs & {"dot", "doh", "doq"}}
    assert set(GOLDEN) == spoken, "one row a vector"


def test_the_target_is_in_no_answer(house: House) -> None:
    for each in house.tell([name for name in NAMES if name.group == "listed"]):
        assert each.came is not None
        assert not each.came.failure, (each.vector.id, each.name.name)
        assert not each.target, f"{each.vector.id} at {each.name.name}: asked {each.came.query.hex()}, told {each.came.answer.hex()}"


def test_what_no_order_covers_is_told(house: House) -> None:
    """Of the canary all that the control has; of a name listed by itself its parent, too."""
    canary = [name for name in NAMES if name.name == FREE]
    type_a = [vectors.by_id(id) for id in ("type-a", "spelling-case", "edns-do", "transport-tcp", "name-cname", "name-dname")]
    assert all("A 203.0.113.1" in each.summary for each in house.tell(canary, type_a))
    (parent,) = house.tell([name for name in NAMES if name.name == ONLY], [vectors.by_id("name-parent")])
    assert parent.summary == "NOERROR A 203.0.113.3"


def test_an_order_s_life_is_seen_by_the_vectors_of_time(house: House) -> None:
    """Asked before the order, so that the resolver has it in its cache: the order holds at once all the same, and ends as soon."""
    blocked = [name for name in NAMES if name.name == BLOCKED]
    listed = [name for name in NAMES if name.group == "listed"]
    without = [name for name in listed if name not in blocked]
    try:
        for names, expected in ((without, "198.51.100.1"), (listed, "192.0.2.80"), (without, "198.51.100.1")):
            put_in_force(house.lists, names)
            wait_for(lambda: expected in house.tell(blocked, [vectors.by_id("type-a")])[0].summary, "the list to be in force")  # noqa: B023
            assert all(expected in each.summary for each in house.tell(blocked, [vectors.by_id("time-cached")]))
    finally:
        put_in_force(house.lists, listed)
