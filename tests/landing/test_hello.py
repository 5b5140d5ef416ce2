"""Whom a TLS client asks for, judged by its first octets: whole, cut, torn and invented."""

from __future__ import annotations

import contextlib
import ssl

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from landing.hello import MOST_OCTETS, Porter

OWN = "report.operator.example"
PORTER = Porter(OWN)
UNRECOGNIZED = b"\x02\x70"
"""A fatal alert, 112 (RFC 6066 section 3)."""


def hello(name: str | None, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3, alpn: tuple[str, ...] = ()) -> bytes:
    """The first message of a client that asks for a name; OpenSSL's own."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = context.maximum_version = version
    if alpn:
        context.set_alpn_protocols(list(alpn))
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        context.wrap_bio(incoming, outgoing, server_hostname=name).do_handshake()
    return outgoing.read()


OURS = hello(OWN)


def in_records(octets: bytes, size: int) -> bytes:
    """The same message in many records (RFC 8446 section 5.1), as some clients send it."""
    body = octets[5:]
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(octets[:3] + len(piece).to_bytes(2, "big") + piece for piece in pieces)


def is_answer(found: bytes | None) -> bool:
    return found is None or found == b"" or (found[0] == 0x15 and found[3:6] == b"\x00\x02\x02")


def test_who_asks_for_the_name_is_let_in() -> None:
    for octets in (OURS, hello(OWN.upper()), hello(OWN, ssl.TLSVersion.TLSv1_2), hello(OWN, alpn=("h2", "http/1.1")), in_records(OURS, 100)):
        assert PORTER.refusal(octets) == b""


def test_who_asks_for_another_or_for_none_is_told_that_it_is_unknown() -> None:
    for name in ("blocked.example", f"www.{OWN}", f"{OWN}.example", "operator.example", "xn--caf-dma.example", None):
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            refusal = PORTER.refusal(hello(name, version))
            assert refusal is not None
            assert refusal.endswith(UNRECOGNIZED), name


def test_a_name_that_is_none_is_refused_and_printed_nowhere(capfd: pytest.CaptureFixture[str]) -> None:
    for octets in (b"r\xe9port.operator.example", b"report\0.operator.exampl", b"." * len(OWN)):
        assert PORTER.refusal(OURS.replace(OWN.encode(), octets[: len(OWN)].ljust(len(OWN), b"x"))) not in (None, b"")
    assert capfd.readouterr() == ("", "")


@given(st.integers(0, len(OURS) - 1))
def test_a_message_that_is_not_whole_says_nothing_yet(length: int) -> None:
    assert PORTER.refusal(OURS[:length]) is None


@given(st.binary(max_size=2 * MOST_OCTETS))
@example(b"GET / HTTP/1.1\r\nHost: report.operator.example\r\n\r\n")
@example(b"\x16\x03\x01\xff\xff" + bytes(70_000))
def test_octets_that_are_no_first_message_are_refused_or_awaited_and_never_let_in(octets: bytes) -> None:
    found = PORTER.refusal(octets)
    assert is_answer(found)
    assert found != b""


@given(st.integers(0, len(OURS) - 1), st.binary(min_size=1, max_size=40), st.booleans())
def test_whoever_is_let_in_has_named_us(at: int, put: bytes, over: bool) -> None:
    octets = OURS[:at] + put + OURS[at + len(put) * over :]
    found = PORTER.refusal(octets)
    assert is_answer(found)
    if found == b"":
        assert OWN.encode() in octets.lower()
    assert PORTER.refusal(OURS) == b"", "what one client sent does not change what the next is told"
