"""Connections that are shared by those who wait for one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from porosity.transports.mux import Pending, Table, Try
from porosity.transports.pool import CONNECTIONS, PIPELINED, Pool
from porosity.words import message
from tests.porosity import studies


class Loop:
    """A connection within this process that answers each question at the loop's next turn."""

    def __init__(self) -> None:
        self.table = Table(lambda pending: None)
        self.open = True

    def room(self, size: int) -> bool:
        return len(self.table) < PIPELINED

    def send(self, wire: bytes, seconds: float) -> Pending:
        pending = self.table.put(wire, seconds)
        answer = pending.query[:2] + bytes([pending.query[2] | 0x80]) + pending.query[3:]
        asyncio.get_running_loop().call_soon(self.table.take, answer)
        return pending

    def retire(self) -> None:
        self.open = False

    async def close(self) -> None:
        self.open = False


def ask(connect: Callable[[], Awaitable[Loop]], steps: int) -> list[Try]:
    """Many at once, and one more at each of the loop's next turns."""
    wire = message(studies.names.make("a.test").name)

    async def whole() -> list[Try]:
        pool = Pool(connect)
        tasks = []
        for _ in range(steps):
            tasks += [asyncio.create_task(pool.ask(wire, 5)) for _ in range(1 + PIPELINED // 2)]
            await asyncio.sleep(0)
        async with asyncio.timeout(5):
            found = list(await asyncio.gather(*tasks))
        await pool.close()
        return found

    return asyncio.run(whole())


@pytest.mark.parametrize("turns", range(6))
def test_who_comes_at_any_moment_of_the_opening_gets_a_connection(turns: int) -> None:
    """Also at the very turn at which it is done, when those who waited have not been told yet."""
    opened = 0

    async def connect() -> Loop:
        nonlocal opened
        opened += 1
        for _ in range(turns):
            await asyncio.sleep(0)
        return Loop()

    assert {each.failure for each in ask(connect, 12)} == {""}
    assert 1 <= opened <= CONNECTIONS


@pytest.mark.parametrize("turns", range(4))
def test_who_comes_at_any_moment_of_a_failing_is_told(turns: int) -> None:
    async def connect() -> Loop:
        for _ in range(turns):
            await asyncio.sleep(0)
        raise ConnectionRefusedError(111, "refused")

    assert {(each.failure, each.query) for each in ask(connect, 8)} == {("refused", b"")}
