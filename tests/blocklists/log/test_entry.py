"""Entries: any bytes are exactly one, or refused with what is wrong and what to do."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blocklists.errors import BadDocument
from blocklists.log import entry
from blocklists.log.entry import Entry
from blocklists.trust.envelope import ACKNOWLEDGEMENT, DIRECTIVE, RECEIPT, REVIEW, Envelope

SIGNED = Envelope(DIRECTIVE, b'{"id":"FR-2026-000123"}', (("ab", b"x" * 64), ("cd", b"y" * 64)))
DIGEST = "sha256:" + "0a" * 32

ENVELOPES = st.builds(
    lambda kind, payload, signatures: Envelope(kind, payload, tuple(sorted(signatures.items()))),
    st.sampled_from([DIRECTIVE, REVIEW]),
    st.binary(max_size=60),
    st.dictionaries(st.text(max_size=8).filter(lambda text: text.isascii()), st.binary(max_size=128), max_size=4),
)
TIMES = st.integers(0, 2**33 - 1)
ENTRIES = st.tuples(TIMES, ENVELOPES).map(lambda fields: Entry(*fields)) | st.tuples(
    TIMES, st.none(), st.binary(min_size=32, max_size=32).map(lambda digest: f"sha256:{digest.hex()}"), st.integers(1, 2**53 - 1)
).map(lambda fields: Entry(*fields))
ENTRIES |= st.builds(
    lambda at, digest, lines: Entry(at, audit=f"sha256:{digest.hex()}", lines=lines),
    TIMES,
    st.binary(min_size=32, max_size=32),
    st.integers(1, 2**53 - 1),
)


@given(ENTRIES)
def test_what_was_written_reads_back(made: Entry) -> None:
    assert entry.read(made.encode()) == made


@given(ENTRIES, st.data())
def test_any_bytes_are_exactly_an_entry_or_refused(made: Entry, data: st.DataObject) -> None:
    octets = bytearray(made.encode())
    pieces = st.binary(max_size=3) | st.sampled_from(
        [b'"', b",", b"{", b"}", b"0", b"-1", b"1e3", b"null", b"true", b" ", b"\\u0041", b'"taken":1,', b'"lines":1,', b"audit", b"="]
    )
    for _ in range(data.draw(st.integers(0, 3))):
        start = data.draw(st.integers(0, len(octets)))
        octets[start : start + data.draw(st.integers(0, 4))] = data.draw(pieces)
    try:
        found = entry.read(bytes(octets), "entry 7")
    except BadDocument as error:
        refusal = str(error)
    else:
        assert found.encode() == octets
        return
    assert refusal.startswith("entry 7 ")


def test_the_form_of_each_kind() -> None:
    assert Entry(5, audit=DIGEST, lines=12).encode() == b'{"audit":"%b","lines":12,"logged_at":5}' % DIGEST.encode()
    assert Entry(5, None, DIGEST, 12).encode() == b'{"logged_at":5,"receipts":"%b","taken":12}' % DIGEST.encode()
    assert list(json.loads(Entry(5, SIGNED).encode())) == ["envelope", "logged_at"]


@pytest.mark.parametrize(
    "changed",
    [
        {"logged_at": None},
        {"logged_at": True},
        {"logged_at": -1},
        {"logged_at": 2**33},
        {"logged_at": "5"},
        {"taken": 0},
        {"taken": True},
        {"taken": "1"},
        {"receipts": DIGEST.upper()},
        {"receipts": DIGEST[:-1]},
        {"receipts": DIGEST + "\n"},
        {"receipts": None},
        {"lines": 12},
        {"audit": DIGEST, "lines": 12},
        {"more": 1},
        {"envelope": SIGNED.document()},
        {"envelope": None},
    ],
    ids=str,
)
def test_other_fields_and_values_are_refused(changed: dict[str, object]) -> None:
    document = {"logged_at": 5, "receipts": DIGEST, "taken": 12, **changed}
    with pytest.raises(BadDocument, match=r"entry 7 has (no time|the fields)"):
        entry.read(json.dumps(document, sort_keys=True, separators=(",", ":")).encode(), "entry 7")


@pytest.mark.parametrize("kind", [RECEIPT, ACKNOWLEDGEMENT])
def test_what_does_not_belong_in_the_log_is_refused(kind: str) -> None:
    with pytest.raises(BadDocument, match=rf"entry 7 holds {kind}.*, which is not logged".replace("+", r"\+")):
        entry.read(Entry(5, SIGNED._replace(kind=kind)).encode(), "entry 7")


def test_what_does_not_fit_is_refused_before_it_is_logged_and_unread_after() -> None:
    with pytest.raises(BadDocument, match=r"octets, and 65535 fit"):
        Entry(5, SIGNED._replace(payload=b"x" * 49_000)).encode()
    with pytest.raises(BadDocument, match="entry 7 has 65536 octets, more than the 65535 allowed"):
        entry.read(b"x" * 65_536, "entry 7")
