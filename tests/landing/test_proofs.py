"""What strangers can make proofs cost: one is made at a time, shared by all who ask, kept for a while, and nobody waits for ever."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from blocklists import store
from landing import proofs
from landing.proofs import NoProof, Proofs
from tests.landing.samples import NOW, order, put_in_force

NAMES = tuple(f"n{number}.example" for number in range(proofs.KEPT + 5))


@pytest.fixture(scope="module")
def version(tmp_path_factory: pytest.TempPathFactory) -> store.Version:
    return put_in_force(tmp_path_factory.mktemp("state"), order(*NAMES), own=("own.example",))


class Held(Proofs):
    """Whose making ends when it is let go; the proof of a name is its name."""

    def __init__(self, version: store.Version) -> None:
        super().__init__(Path())
        self.put_in_force(version)
        self.made: list[str] = []
        self.at_once = 0
        self.go = asyncio.Event()

    async def _made(self, name: str) -> bytes:
        self.made.append(name)
        self.at_once += 1
        assert self.at_once == 1
        await self.go.wait()
        self.at_once -= 1
        if name == "n1.example":
            raise NoProof("withheld", 404)
        return name.encode()


async def asked(held: Held, name: str) -> bytes | tuple[str, int]:
    try:
        return await held.of(name.encode(), NOW)
    except NoProof as refused:
        return refused.kind, refused.status


def test_those_who_ask_for_the_same_share_one_and_it_is_kept(version: store.Version) -> None:
    async def run() -> None:
        held = Held(version)
        waiting = [asyncio.create_task(asked(held, name)) for name in ("n0.example",) * 5 + ("n1.example",) * 5]
        await asyncio.sleep(0)
        waiting[0].cancel()  # somebody leaves
        held.go.set()
        assert await asyncio.gather(*waiting[1:]) == [b"n0.example"] * 4 + [("withheld", 404)] * 5
        assert [await asked(held, name) for name in ("n0.example", "n1.example")] == [b"n0.example", ("withheld", 404)]
        assert held.made == ["n0.example", "n1.example"]
        held.put_in_force(version)
        assert await asked(held, "n0.example") == b"n0.example"
        assert held.made[2:] == ["n0.example"], "another version, another proof"

    asyncio.run(run())


def test_a_line_has_an_end_and_so_has_patience(version: store.Version, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proofs, "WAIT_SECONDS", 0.05)

    async def run() -> None:
        held = Held(version)
        waiting = [asyncio.create_task(asked(held, name)) for name in NAMES[: proofs.IN_LINE]]
        await asyncio.sleep(0)
        assert await asked(held, NAMES[proofs.IN_LINE]) == ("proving", 503)
        assert set(await asyncio.gather(*waiting)) == {("proving", 503)}
        assert held.made == [NAMES[0]], "one at a time"
        held.go.set()
        assert await asked(held, NAMES[0]) == NAMES[0].encode(), "what was begun goes on"

    asyncio.run(run())


def test_as_many_are_kept_as_may_be_and_no_more(version: store.Version) -> None:
    async def run() -> None:
        held = Held(version)
        held.go.set()
        for name in NAMES:
            await asked(held, name)
        assert len(held.made) == len(NAMES)
        await asked(held, NAMES[-1])
        assert len(held.made) == len(NAMES)
        await asked(held, NAMES[0])
        assert len(held.made) == len(NAMES) + 1, "the oldest went"

    asyncio.run(run())


@pytest.mark.parametrize("name", ["own.example", "never.example", "www.n0.example", "N0.example", "n0.example.", "", "a..b", "\\000", "x" * 300])
def test_nothing_is_made_of_what_no_order_lists(version: store.Version, name: str) -> None:
    async def run() -> None:
        held = Held(version)
        assert await asked(held, name) == ("unproved", 404)
        assert held.made == []

    asyncio.run(run())


@pytest.mark.parametrize("octets", [b"\xff", b"n0.example\0", b"%6e0.example"])
def test_what_is_no_name_is_none(version: store.Version, octets: bytes) -> None:
    async def run() -> None:
        with pytest.raises(NoProof, match="unproved"):
            await Held(version).of(octets, NOW)

    asyncio.run(run())


def test_nothing_is_given_before_there_is_a_version() -> None:
    async def run() -> None:
        with pytest.raises(NoProof, match="unproved"):
            await Proofs(Path()).of(b"n0.example", NOW)

    asyncio.run(run())
