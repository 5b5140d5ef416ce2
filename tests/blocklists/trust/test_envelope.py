"""Envelopes: read exactly as written or refused; a signature counts for the key that made it, over the kind and the payload."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blocklists.errors import BadDocument
from blocklists.trust import envelope, strict
from blocklists.trust.envelope import DIRECTIVE, KINDS, MAX_OCTETS, REVIEW, Envelope
from tests.blocklists.trust import office

KEYS = {office.key(name).keyid: office.key(name) for name in ("n1", "n2")}
SIGNED = office.sign(office.block(), "n1", "n2")
ENVELOPES = st.builds(
    lambda kind, payload, signatures: Envelope(kind, payload, tuple(sorted(signatures.items()))),
    st.sampled_from(KINDS),
    st.binary(max_size=200),
    st.dictionaries(st.text("0123456789abcdef", max_size=64), st.binary(max_size=128), max_size=4),
)


@given(ENVELOPES)
def test_what_was_written_reads_back(made: Envelope) -> None:
    assert envelope.read(made.encode()) == made


def test_the_bytes_signed_are_those_of_the_standard() -> None:
    """The example of the DSSE specification, protocol.md."""
    made = Envelope("http://example.com/HelloWorld", b"hello world")
    assert made.signed_bytes() == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"


@given(st.data())
def test_an_altered_envelope_is_refused_or_says_what_was_signed(data: st.DataObject) -> None:
    """Any one edit of the bytes: refused, or payload and kind are those signed, or the signatures do not hold."""
    octets = bytearray(SIGNED.encode())
    at = data.draw(st.integers(0, len(octets) - 1))
    octets[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    try:
        found = envelope.read(bytes(octets))
    except BadDocument:
        return
    assert found.encode() == bytes(octets)
    good = envelope.signers(found, KEYS)
    if good:
        assert (found.kind, found.payload) == (SIGNED.kind, SIGNED.payload)
    assert len(good) <= sum(keyid in KEYS for keyid, _ in found.signatures)


def changed(**fields: Any) -> bytes:
    return strict.write({**SIGNED.document(), **fields})


SIGNATURE = SIGNED.document()["signatures"][0]


@pytest.mark.parametrize(
    "data",
    [
        b"[]",
        changed(payloadType="application/json"),
        changed(payloadType=[DIRECTIVE]),
        changed(payload="QR=="),  # decodes as QQ== does: two texts for one payload
        changed(payload="QQ=="[:3]),
        changed(payload="Q\nQ=="),
        changed(payload="é"),
        changed(payload=5),
        changed(payload=None),
        changed(extra=1),
        changed(signatures={}),
        changed(signatures=[[]]),
        changed(signatures=[None]),
        changed(signatures=[{"keyid": 5, "sig": "QQ=="}]),
        changed(signatures=[{**SIGNATURE, "cert": "x"}]),
        changed(signatures=[SIGNATURE, SIGNATURE]),
        changed(signatures=SIGNED.document()["signatures"][::-1]),
        changed(signatures=[{"keyid": f"{n:02}", "sig": "QQ=="} for n in range(17)]),
        changed(signatures=[{"keyid": "00", "sig": "QUFB" * 43}]),
        changed(payload="QUFB" * (MAX_OCTETS // 4)),
        json.dumps(SIGNED.document()).encode(),
    ],
)
def test_another_form_is_refused(data: bytes) -> None:
    with pytest.raises(BadDocument, match="ask whoever wrote it"):
        envelope.read(data)


def test_the_kind_is_signed_too() -> None:
    assert envelope.signers(SIGNED._replace(kind=REVIEW), KEYS) == frozenset()
    assert envelope.signers(SIGNED, KEYS) == KEYS.keys()


def test_a_good_signature_under_another_key_id_counts_for_nobody() -> None:
    """One officer's signature, given under the ids of two, makes none of the other."""
    one = dict(SIGNED.signatures)[office.key("n1").keyid]
    twice = SIGNED._replace(signatures=tuple(sorted((keyid, one) for keyid in KEYS)))
    assert envelope.signers(twice, KEYS) == {office.key("n1").keyid}


def test_a_second_signature_of_a_key_replaces_its_first() -> None:
    again = SIGNED.with_signature(office.key("n1").keyid, b"other")
    assert dict(again.signatures)[office.key("n1").keyid] == b"other"
    assert len(again.signatures) == 2


def test_what_does_not_fit_the_log_is_not_written() -> None:
    with pytest.raises(BadDocument, match="split it into several orders"):
        Envelope(DIRECTIVE, b"x" * 50_000).encode()
