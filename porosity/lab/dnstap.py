"""What reached the lab's authoritative servers, in their own words: NSD's dnstap, read from its sockets, a line of JSON a question.

`python -m porosity.lab.dnstap LOG SERVER=SOCKET…` listens before the servers begin. Frame Streams as fstrm has it (bidirectional), and of dnstap's
messages (dnstap.proto, 2014) the few fields that are needed here. The sockets are the lab's own: what cannot be read ends the program.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import dns.exception
import dns.message
import dns.rdatatype

REACHED = "reached.jsonl"
"""What a lab calls the file."""
ACCEPT, START, STOP, READY, FINISH = 1, 2, 3, 4, 5
CONTENT_TYPE = b"protobuf:dnstap.Dnstap"
MESSAGE = 14
"""Field of Dnstap."""
TYPE, PROTOCOL, QUERY_ADDRESS, SECONDS, NANOSECONDS, QUERY = 1, 3, 4, 8, 9, 10
"""Fields of Message."""
AUTH_QUERY = 1
_TRANSPORTS = {1: "udp", 2: "tcp"}


class Reached(NamedTuple):
    """A question that reached a server."""

    at: int
    """Microseconds since 1970."""
    server: str
    asker: str
    """IP address."""
    transport: str
    name: str
    """Lower case, without the last dot."""
    type: str


def fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The fields of a protobuf message: number, and value. Raises ValueError for octets that are none."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        kind = key & 7
        value: int | bytes
        if kind == 0:
            value, at = _varint(data, at)
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
            value, at = int.from_bytes(data[at : at + size], "little"), at + size
        elif kind == 2:
            size, at = _varint(data, at)
            value, at = data[at : at + size], at + size
        else:
            raise ValueError(f"a field of kind {kind}, which dnstap has none of")
        if at > len(data):
            raise ValueError("a field that is cut off")
        yield key >> 3, value


def question(frame: bytes, server: str) -> Reached | None:
    """The question that a frame tells of; None for other frames, and for a question that cannot be read. Raises ValueError for no dnstap."""
    message = next((value for number, value in fields(frame) if number == MESSAGE), None)
    if not isinstance(message, bytes):
        return None
    found: dict[int, Any] = dict(fields(message))
    if found.get(TYPE) != AUTH_QUERY or QUERY not in found:
        return None
    try:
        asked = dns.message.from_wire(found[QUERY], question_only=True).question
    except (dns.exception.DNSException, ValueError):
        return None
    if not asked:
        return None
    at = found.get(SECONDS, 0) * 1_000_000 + found.get(NANOSECONDS, 0) // 1000
    asker = str(ipaddress.ip_address(found.get(QUERY_ADDRESS, bytes(4))))
    name = asked[0].name.canonicalize().to_text(omit_final_dot=True)
    return Reached(at, server, asker, _TRANSPORTS.get(found.get(PROTOCOL, 0), ""), name, dns.rdatatype.to_text(asked[0].rdtype))


def read(file: Path) -> list[Reached]:
    """All that was written down; the last line may be half there, and is left out then."""
    found = []
    with suppress(FileNotFoundError):
        for line in file.read_text(encoding="utf-8").splitlines():
            with suppress(ValueError):
                found.append(Reached(*json.loads(line)))
    return found


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value, shift = 0, 0
    while True:
        if at >= len(data) or shift > 63:
            raise ValueError("a number that is cut off")
        octet = data[at]
        value |= (octet & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if octet < 0x80:
            return value, at


def _control(kind: int) -> bytes:
    body = kind.to_bytes(4, "big")
    if kind == ACCEPT:
        body += (1).to_bytes(4, "big") + len(CONTENT_TYPE).to_bytes(4, "big") + CONTENT_TYPE
    return bytes(4) + len(body).to_bytes(4, "big") + body


async def _stream(server: str, log: Any, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(asyncio.IncompleteReadError, OSError):
        while True:
            size = int.from_bytes(await reader.readexactly(4), "big")
            if size:
                if (found := question(await reader.readexactly(size), server)) is not None:
                    log.write(json.dumps(found) + "\n")
                continue
            size = int.from_bytes(await reader.readexactly(4), "big")
            kind = int.from_bytes((await reader.readexactly(size))[:4], "big")
            if kind in (READY, STOP):
                writer.write(_control(ACCEPT if kind == READY else FINISH))
                await writer.drain()
            if kind == STOP:
                break
    writer.close()


async def _listen(log_file: str, *sockets: str) -> None:
    with Path(log_file).open("a", encoding="utf-8", buffering=1) as log:
        for each in sockets:
            server, _, path = each.partition("=")

            async def stream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, server: str = server) -> None:
                await _stream(server, log, reader, writer)

            await asyncio.start_unix_server(stream, path)
        print("ready", flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_listen(*sys.argv[1:]))
