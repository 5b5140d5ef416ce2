"""Packets and streams that are nearly right, made in bulk from a seed: the same seed gives the same octets."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import dns.edns
import dns.flags
import dns.message
import dns.rrset

NAMES = (
    "blocked.example", "www.blocked.example", "a.b.c.d.e.f.test", "x.invalid", "localhost", "www.good.example", "1.0.0.127.in-addr.arpa",
    "very-long-label-very-long-label-very-long-label-very-long-label.printer.local", "xn--caf-dma.test",
)  # fmt: skip


def right() -> list[bytes]:
    """Questions as clients ask them and answers as servers give them: what is mutated."""
    found = []
    for number, name in enumerate(NAMES):
        for kind in ("A", "HTTPS", "ANY"):
            plain = dns.message.make_query(name, kind, id=number)
            edns = dns.message.make_query(name, kind, id=number, use_edns=0, payload=1232, want_dnssec=bool(number % 2))
            options = [dns.edns.GenericOption(10, b"\0" * 8), dns.edns.GenericOption(12, b"\0" * 20), dns.edns.ECSOption("192.0.2.0", 24)]
            full = dns.message.make_query(name, kind, id=number, use_edns=0, payload=4096, options=options)
            signed = dns.message.make_query(name, kind, id=number)
            signed.use_tsig({dns.name.from_text("key.example."): b"secret"})
            answer = dns.message.make_response(edns)
            answer.answer.append(dns.rrset.from_text(name + ".", 60, "IN", "A", "192.0.2.1", "192.0.2.2"))
            found += [each.to_wire() for each in (plain, edns, full, signed, answer)]
    return found


def mutated(bases: list[bytes], count: int, dice: Random) -> Iterator[bytes]:
    """So many packets: octets changed, cut off, doubled, put in; pointers and counts that lie; and plain noise."""
    numbers = dice.randbytes(8 * count)
    many = len(bases)
    for start in range(0, 8 * count, 8):
        kind, which, first, second, third, fourth, value, other = numbers[start : start + 8]
        wire = bytearray(bases[(which << 8 | other) % many])
        size = len(wire)
        if kind < 64:
            wire[first % size] = value
        elif kind < 112:
            wire[first % size] = value
            wire[second % size] ^= 1 << (third & 7)
            wire[third % size] = fourth
        elif kind < 144:
            del wire[first % size :]
        elif kind < 168:
            wire += wire[first % size :]
        elif kind < 192:
            place = 12 + first % (size - 12)
            wire[place] = 0xC0 | value & 0x3F
        elif kind < 208:
            wire[4 + first % 8] = value
        elif kind < 224:
            place = first % size
            wire[place:place] = numbers[start : start + 1 + (second & 7)]
        elif kind < 240:
            place = first % size
            del wire[place : place + 1 + (second & 7)]
        else:
            wire = bytearray(numbers[start : start + 8] * (1 + first % 40))
        yield bytes(wire)
