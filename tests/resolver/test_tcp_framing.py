"""Framing (RFC 7766 section 8): however a stream of octets is cut into pieces, it gets the replies it gets in one piece."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from resolver.clients import Clients
from resolver.tcp import TcpListener
from tests.resolver.mutations import mutated, right
from tests.resolver.rig import Rig, basis

BASES = [wire for wire in right() if b"good" not in wire]
"""What is answered without an upstream: a reply then depends on the stream alone."""


async def replies(pieces: list[bytes]) -> list[bytes]:
    """What a listener says on one connection, whole messages in order; the stream ends with a FIN."""
    rig = Rig([basis("directive", "XX-1", "blocked.example")])
    listener = TcpListener(rig.engine, Clients(("127.0.0.0/8",), {}, rig.tcp), lambda: 0.0, rig.lookups.extend, (10, 10, 10))
    server = await asyncio.get_running_loop().create_server(listener.connection, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    writer.write_eof()
    heard = asyncio.create_task(reader.read())
    async with asyncio.timeout(20):
        while not heard.done():
            while rig.lookups:  # a mutated name may be one that goes upstream, where nobody answers
                rig.failed(rig.lookups.pop())
            await asyncio.sleep(0)
    octets = heard.result()
    writer.close()
    listener.close()
    server.close()
    found = []
    while octets:
        length = int.from_bytes(octets[:2], "big")
        assert len(octets) >= 2 + length, "a reply is whole"
        found.append(octets[2 : 2 + length])
        octets = octets[2 + length :]
    return found


def stream(seed: int, count: int, lies: float = 0.05) -> bytes:
    """Messages, right and mutated; a share of them with a length that lies, which makes noise of what follows."""
    dice = Random(seed)
    octets = bytearray()
    for packet in mutated(BASES, count, dice):
        message = packet if dice.random() < 0.5 else dice.choice(BASES)
        length = len(message) if dice.random() >= lies else dice.randrange(300)
        octets += length.to_bytes(2, "big") + message
    return bytes(octets)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 12), st.lists(st.floats(0, 1), max_size=12))
def test_any_split_gets_the_same_replies(seed: int, count: int, cuts: list[float]) -> None:
    octets = stream(seed, count)
    places = [0, *sorted(int(cut * len(octets)) for cut in cuts), len(octets)]
    pieces = [octets[start:end] for start, end in pairwise(places) if start < end]
    assert sorted(asyncio.run(replies(pieces))) == sorted(asyncio.run(replies([octets])))


def test_a_split_at_every_octet_gets_the_same_replies() -> None:
    octets = stream(20260402, 8, lies=0)
    whole = asyncio.run(replies([octets]))
    assert len(whole) > 3
    for place in range(1, len(octets)):
        assert asyncio.run(replies([octets[:place], octets[place:]])) == whole
    assert asyncio.run(replies([octets[place : place + 1] for place in range(len(octets))])) == whole
