"""What was asked and answered, as packets for Wireshark and its like: a pcapng file with a comment at each. Nothing is sent, and no socket is opened.

The messages are those of the record; the packets around them are made. Client addresses are those of documentation, and what went over a stream or
was encrypted (TCP, TLS, HTTPS, QUIC) stands as TCP to port 53, so that any tool reads the DNS in it. The comment says how it went.
"""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Iterable, Iterator

from porosity import resolvers
from porosity.plan import BadPlan
from porosity.words import Endpoint, Observation

LINKTYPE_RAW = 101
"""Packets begin with their IP header (https://www.tcpdump.org/linktypes.html)."""
CLIENT4, CLIENT6 = ipaddress.ip_address("192.0.2.1").packed, ipaddress.ip_address("2001:db8::1").packed
"""Of documentation (RFC 5737, RFC 3849): whose address it was is not kept."""
DNS_PORT = 53

_SEGMENT = 60_000
"""Octets of a message in one packet: an IP packet has 65,535."""
_SECTION, _INTERFACE, _PACKET = 0x0A0D0D0A, 1, 6
_TCP, _UDP = 6, 17
_EPHEMERAL = range(49152, 65536)


def begin(software: str) -> bytes:
    """What a file begins with: its section and the one interface (pcapng, sections 4.1 and 4.2)."""
    section = _block(_SECTION, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1) + _option(4, software.encode()) + _option(0, b""))
    return section + _block(_INTERFACE, struct.pack("<HHI", LINKTYPE_RAW, 0, 0))


def packets(row: Observation) -> Iterator[bytes]:
    """The blocks of an observation's question and answer; none for what never went out."""
    if not row.query or not row.endpoint:
        return
    try:
        endpoint = resolvers.endpoint(row.endpoint)
    except BadPlan:
        return
    said = f"trial {row.trial} ask {row.ask}, {row.vector} at {row.resolver}, by {endpoint.transport}"
    # The last try's time is not kept; the first try's is close to it, unless there were several.
    came = f"{said}; {row.failure or 'answer'}, tries: {row.tries}"
    yield from _message(endpoint, row.trial, row.query, True, row.sent_at, said)
    if row.answer:
        yield from _message(endpoint, row.trial, row.answer, False, row.sent_at + row.took, came)


def write(rows: Iterable[Observation], software: str) -> Iterator[bytes]:
    """A whole file, in pieces."""
    yield begin(software)
    for row in rows:
        yield b"".join(packets(row))


def _message(endpoint: Endpoint, trial: int, message: bytes, asked: bool, at: int, comment: str) -> Iterator[bytes]:
    server = ipaddress.ip_address(endpoint.address).packed
    client = CLIENT4 if len(server) == 4 else CLIENT6
    port = _EPHEMERAL[trial % len(_EPHEMERAL)]
    source, target = (client, server) if asked else (server, client)
    if endpoint.transport == "udp" and len(message) <= _SEGMENT:
        ports = (port, endpoint.port) if asked else (endpoint.port, port)
        yield _packet(_ip(source, target, _UDP, _udp(source, target, ports, message)), at, comment)
        return
    ports = (port, DNS_PORT) if asked else (DNS_PORT, port)
    stream = len(message).to_bytes(2, "big") + message
    for start in range(0, len(stream), _SEGMENT):
        segment = _tcp(source, target, ports, 1 + start, stream[start : start + _SEGMENT])
        yield _packet(_ip(source, target, _TCP, segment), at, comment)


def _udp(source: bytes, target: bytes, ports: tuple[int, int], data: bytes) -> bytes:
    header = struct.pack(">HHHH", *ports, 8 + len(data), 0)
    sum = _checksum(_pseudo(source, target, _UDP, 8 + len(data)) + header + data) or 0xFFFF
    return header[:6] + struct.pack(">H", sum) + data


def _tcp(source: bytes, target: bytes, ports: tuple[int, int], sequence: int, data: bytes) -> bytes:
    # PSH and ACK, as in the midst of a connection; a window of 65,535.
    header = struct.pack(">HHIIBBHHH", *ports, sequence, 1, 5 << 4, 0x18, 0xFFFF, 0, 0)
    sum = _checksum(_pseudo(source, target, _TCP, 20 + len(data)) + header + data)
    return header[:16] + struct.pack(">H", sum) + header[18:] + data


def _ip(source: bytes, target: bytes, protocol: int, data: bytes) -> bytes:
    if len(source) == 16:
        return struct.pack(">IHBB", 6 << 28, len(data), protocol, 64) + source + target + data
    header = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(data), 0, 0x4000, 64, protocol, 0, source, target)
    return header[:10] + struct.pack(">H", _checksum(header)) + header[12:] + data


def _pseudo(source: bytes, target: bytes, protocol: int, length: int) -> bytes:
    """What the checksum covers beside the packet (RFC 793, section 3.1; RFC 8200, section 8.1)."""
    return source + target + (struct.pack(">BBH", 0, protocol, length) if len(source) == 4 else struct.pack(">II", length, protocol))


def _checksum(data: bytes) -> int:
    """RFC 1071."""
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _packet(packet: bytes, at: int, comment: str) -> bytes:
    """An enhanced packet block (pcapng, section 4.3); times in microseconds."""
    head = struct.pack("<IIIII", 0, at >> 32, at & 0xFFFFFFFF, len(packet), len(packet))
    return _block(_PACKET, head + _padded(packet) + _option(1, comment.encode()) + _option(0, b""))


def _block(type: int, body: bytes) -> bytes:
    length = struct.pack("<I", 12 + len(body))
    return struct.pack("<I", type) + length + body + length


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("<HH", code, len(value)) + _padded(value)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
