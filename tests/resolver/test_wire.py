"""Whatever a client sends is met with silence, a documented error, or its exact meaning."""

from __future__ import annotations

import struct

import dns.edns
import dns.message
import dns.name
import dns.rdataclass
import dns.tsig
import pytest
from hypothesis import event, example, given, settings
from hypothesis import strategies as st

from resolver.wire import FORMERR, NOTAUTH, Unreadable, read_query
from tests.resolver.invariants import check_query
from tests.resolver.rig import question

LABEL = st.binary(min_size=1, max_size=63)
NAME = st.lists(LABEL, max_size=5).map(lambda labels: dns.name.Name([*labels, b""]) if sum(map(len, labels)) + len(labels) < 255 else dns.name.root)
OPTION = st.builds(dns.edns.GenericOption, st.sampled_from([3, 8, 10, 11, 12, 15, 65001]), st.binary(max_size=12))


@st.composite
def queries(draw: st.DrawFn) -> bytes:
    """Well-formed queries: any octets in labels, any type and flags, any options."""
    message = dns.message.QueryMessage(draw(st.integers(0, 65535)))
    message.question.append(dns.rrset.RRset(draw(NAME), draw(st.sampled_from([1, 1, 1, 3, 255])), draw(st.integers(0, 65535))))
    message.flags = draw(st.integers(0, 65535)) & 0x07FF
    if draw(st.booleans()):
        version = draw(st.sampled_from([0, 0, 0, 1]))
        message.use_edns(version, draw(st.integers(0, 65535)), draw(st.integers(0, 65535)), options=draw(st.lists(OPTION, max_size=3)))
    return message.to_wire()


@st.composite
def mutated(draw: st.DrawFn, valid: st.SearchStrategy[bytes], first: int = 0) -> bytes:
    """A valid message with octets flipped, cut, put in, and pointers anywhere."""
    data = bytearray(draw(valid))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(min(first, len(data)), len(data)))
        match draw(st.sampled_from(["flip", "cut", "insert", "pointer", "remove"])):
            case "flip" if at < len(data):
                data[at] ^= draw(st.integers(1, 255))
            case "cut":
                del data[at:]
            case "insert":
                data[at:at] = draw(st.binary(min_size=1, max_size=4))
            case "pointer":
                data[at : at + 2] = struct.pack(">H", 0xC000 | draw(st.integers(0, max(len(data), 13))))
            case "remove":
                del data[at : at + draw(st.integers(1, 4))]
    return bytes(data)


@settings(max_examples=200)
@given(st.binary(max_size=100))
@example(b"")
@example(bytes(11))
@example(bytes(12))
def test_any_octets(data: bytes) -> None:
    event(check_query(data))


@settings(max_examples=200)
@given(st.binary(max_size=80), st.integers(0, 3))
def test_any_octets_behind_a_plausible_header(data: bytes, additionals: int) -> None:
    event(check_query(b"\x12\x34\x01\0\0\1\0\0\0\0\0" + bytes((additionals,)) + data))


@settings(max_examples=300)
@given(queries())
def test_well_formed_queries(data: bytes) -> None:
    said = check_query(data)
    event(said)
    of_class = dns.message.from_wire(data, question_only=True).question[0].rdclass
    assert said in (("read", "16") if of_class == dns.rdataclass.IN else ("5", "16"))


@settings(max_examples=500)
@given(mutated(queries()))
def test_mutated_queries(data: bytes) -> None:
    event(check_query(data))


def signed(name: bytes, algorithm: bytes, rest: bytes, before: bytes = b"") -> bytes:
    """A query with a TSIG record; `before` stands in the additional section ahead of it."""
    plain = question("www.example.")
    rdata = algorithm + rest
    record = name + struct.pack(">HHIH", 250, 255, 0, len(rdata)) + rdata
    return plain[:10] + struct.pack(">H", 1 + bool(before)) + plain[12:] + before + record


TIMES = bytes(6) + b"\1\x2c" + b"\0\4mac!" + b"\x12\x34\0\0" + b"\0\0"
"""Time signed, fudge, MAC, original ID, error and no other data."""


def test_a_signed_query_is_told_that_its_key_is_unknown() -> None:
    data = signed(b"\3key\7example\0", b"\x0bhmac-sha256\0", TIMES)
    with pytest.raises(Unreadable) as caught:
        read_query(data)
    assert caught.value.rcode == NOTAUTH
    reply = dns.message.from_wire(data[:2] + caught.value.reply, keyring=False)
    assert reply.tsig is not None
    assert reply.tsig.name == dns.name.from_text("key.example.")
    (tsig,) = reply.tsig
    assert (tsig.error, tsig.mac, tsig.original_id, tsig.other) == (17, b"", 0x1234, b"")
    assert check_query(data) == "9"


def test_the_reply_to_a_signed_query_with_edns_has_edns() -> None:
    """RFC 6891 section 6.1.1: an OPT in the query, an OPT in the reply; RFC 8945 section 5.1: the TSIG stays last."""
    data = signed(b"\3key\7example\0", b"\x0bhmac-sha256\0", TIMES, b"\0\0\x29\4\xd0\0\0\x80\0\0\0")
    with pytest.raises(Unreadable) as caught:
        read_query(data)
    reply = dns.message.from_wire(data[:2] + caught.value.reply, keyring=False)
    assert (reply.edns, reply.ednsflags & 0x8000, reply.had_tsig) == (0, 0x8000, True)


@pytest.mark.parametrize(
    ("name", "algorithm", "rest"),
    [
        (b"\xc0\x0c", b"\x0bhmac-sha256\0", TIMES),  # RFC 8945 section 4.2: not compressed
        (b"\3key\0", b"\xc0\x0c", TIMES),
        (b"\3key\0", b"\x0bhmac-sha256\0", TIMES[:-1]),
        (b"\3key\0", b"\x0bhmac-sha256\0", TIMES + b"\0"),
        (b"\3key\0", b"\x0bhmac-sha256\0", TIMES[:8] + b"\xff\xff" + TIMES[10:]),
        (b"\3key\0", b"\x0bhmac-sha256\0", b""),
    ],
)
def test_a_tsig_that_is_none_is_malformed(name: bytes, algorithm: bytes, rest: bytes) -> None:
    assert check_query(signed(name, algorithm, rest)) == str(FORMERR)


def test_no_pointer_of_the_client_s_comes_back() -> None:
    """A pointer to place 256 ends in a zero octet, as a whole name does; the reply's TSIG once repeated it."""
    padding = b"\0\0\x29\4\xd0\0\0\0\0\1\0" + b"\xfd\xe9\0\xfc" + bytes(252)
    data = signed(b"\xc1\0", b"\x0bhmac-sha256\0", TIMES, padding)
    with pytest.raises(Unreadable) as caught:
        read_query(data)
    assert caught.value.rcode == FORMERR


def test_an_additional_owner_longer_than_a_name_can_be() -> None:
    plain = question("www.example.")
    for labels, said in ((127, "read"), (128, str(FORMERR))):
        owner = b"\1a" * labels + b"\0"
        assert check_query(plain[:10] + b"\0\1" + plain[12:] + owner + struct.pack(">HHIH", 1, 1, 0, 0)) == said


def test_the_options_of_another_edns_version_are_not_judged() -> None:
    """RFC 6891 section 6.1.3: BADVERS, whatever the rest of the record looks like."""
    data = question("www.example.", edns=True)
    assert data[-11:] == b"\0\0\x29\4\xd0\0\0\0\0\0\0"
    assert check_query(data[:-6] + b"\0\1\0\0\0\3abc") == "16"


@pytest.mark.parametrize("size", [0, 511, 512, 513, 1231, 1232, 1233, 4096, 65535])
def test_the_size_a_client_announces_is_kept_within_bounds(size: int) -> None:
    assert read_query(question("a.example.", edns=True, size=size)).limit == min(max(size, 512), 1232)
