"""Asks one server over one way, as fast as answers come: `python -m bench.ways udp|tcp|dot|doh|dnspython PORT CA QUESTIONS`, for `bench.probe`.

Prints how many had no answer, and the seconds from the first question to the last answer, as JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import cast

import dns.asyncquery
import dns.exception
import dns.message
import dns.name

from porosity.ethics import Permit
from porosity.transports.ways import UNDER_WAY, Patience, Ways
from porosity.words import Endpoint, Transport, message

HOST, ZONE = "127.0.0.1", "probe.test"
NAMES = 4_000
"""Asked in turn."""
PATIENCE = Patience(3.0, 3)


async def crowd(questions: int, fails: Callable[[bytes], Awaitable[bool]]) -> tuple[int, float]:
    """Asks so many, as many at a time as a study does."""
    wires = [message(dns.name.from_text(f"n{number}.{ZONE}")) for number in range(NAMES)]
    left = iter(range(questions))

    async def one() -> int:
        missing = 0
        for number in left:
            missing += await fails(wires[number % NAMES])
        return missing

    began = time.monotonic()
    missing = sum(await asyncio.gather(*(one() for _ in range(UNDER_WAY))))
    return missing, time.monotonic() - began


async def by_ways(endpoint: Endpoint, ca: Path, questions: int) -> tuple[int, float]:
    """Over the ways that studies use."""
    ways = Ways({HOST: Permit(None, "loopback")}, PATIENCE, ca)

    async def fails(wire: bytes) -> bool:
        return bool((await ways.ask(endpoint, wire)).last.failure)

    try:
        return await crowd(questions, fails)
    finally:
        await ways.close()


async def by_dnspython(port: int, questions: int) -> tuple[int, float]:
    """Over UDP with dnspython's own client, which has a socket for each question."""

    async def fails(wire: bytes) -> bool:
        try:
            await dns.asyncquery.udp(dns.message.from_wire(wire), HOST, PATIENCE.seconds, port)
        except (OSError, dns.exception.DNSException):
            return True
        return False

    return await crowd(questions, fails)


def main(arguments: list[str]) -> None:
    """Runs as a program."""
    way, port, ca, questions = arguments
    if way == "dnspython":
        found = asyncio.run(by_dnspython(int(port), int(questions)))
    else:
        found = asyncio.run(by_ways(Endpoint(cast("Transport", way), HOST, int(port), ZONE), Path(ca), int(questions)))
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1:])
