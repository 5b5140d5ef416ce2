"""dnstap, as NSD writes it: what is read is what was written, and octets that are none are refused with one error."""

from __future__ import annotations

import dns.message
from hypothesis import given
from hypothesis import strategies as st

from porosity.lab import dnstap
from porosity.lab.dnstap import Reached, fields, question


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*found, value))


def _field(number: int, value: int | bytes) -> bytes:
    if isinstance(value, bytes):
        return _varint(number << 3 | 2) + _varint(len(value)) + value
    return _varint(number << 3) + _varint(value)


@given(st.lists(st.tuples(st.integers(1, 1000), st.integers(0, 2**63) | st.binary(max_size=40)), max_size=8))
def test_fields_are_read_as_they_were_written(written: list[tuple[int, int | bytes]]) -> None:
    assert list(fields(b"".join(_field(number, value) for number, value in written))) == written


@given(st.binary(max_size=120))
def test_any_octets_are_a_question_or_none_or_refused(octets: bytes) -> None:
    try:
        found = question(octets, "names")
    except ValueError:
        return
    assert found is None or isinstance(found, Reached)


def test_a_frame_of_a_question() -> None:
    asked = dns.message.make_query("WWW.One.example", "HTTPS").to_wire()
    message = b"".join(
        (
            _field(dnstap.TYPE, dnstap.AUTH_QUERY),
            _field(dnstap.PROTOCOL, 1),
            _field(dnstap.QUERY_ADDRESS, bytes((192, 0, 2, 10))),
            _field(dnstap.SECONDS, 1_800_000_000),
            _varint(dnstap.NANOSECONDS << 3 | 5) + (250_000_000).to_bytes(4, "little"),
            _field(dnstap.QUERY, asked),
        )
    )
    frame = _field(1, b"ns") + _field(dnstap.MESSAGE, message) + _field(15, 1)
    assert question(frame, "names") == Reached(1_800_000_000_250_000, "names", "192.0.2.10", "udp", "www.one.example", "HTTPS")
