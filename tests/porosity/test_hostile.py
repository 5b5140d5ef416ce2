"""Resolvers that mean harm: answers made to be slow to read, large to keep, or never to end. A study loses a verdict by them, and nothing else."""

from __future__ import annotations

import struct
import time
from pathlib import Path

import dns.name
import pyarrow.parquet as pq

from porosity import journal, observations, order, parts, readings
from porosity.journal import Journal
from porosity.transports.mux import judge, question_end
from porosity.words import message
from tests.porosity.studies import made, observed

QUERY = message(dns.name.from_text("www.blocked.test"))
LONG = b"\x01\xff" * 120 + b"\0"
"""A name of as many labels as fit, none of which prints as one character."""
CPU_SECONDS = 0.5
"""That one answer may cost at most; unmended, each of these took 0.8 to 2.3 s on the same machine."""


def questions_that_point() -> bytes:
    """An answer of 64 KiB that repeats ten thousand questions, each a pointer to a long name."""
    out = bytearray(struct.pack(">HHHHHH", 0, 0x8180, 0, 0, 0, 0) + LONG + b"\0\1\0\1")
    count = 1
    while len(out) < 65_000:
        out += struct.pack(">HHH", 0xC00C, count, 1)
        count += 1
    return bytes(out[:4] + struct.pack(">H", count) + out[6:])


def aliases_that_point(letter: int) -> bytes:
    """An answer of 64 KiB with thousands of aliases, each of which points to a long name."""
    out = bytearray(QUERY[: question_end(QUERY)])
    out[2:4], out[10:12], out[13] = b"\x81\x80", b"\0\0", letter
    at, count = len(out) + 12, 0
    while len(out) < 65_000:
        data = b"\x02" + struct.pack(">HH", count, 0xC000 | at) if count else LONG
        out += b"\xc0\x0c" + struct.pack(">HHIH", 5, 1, 60, len(data)) + data
        count += 1
    return bytes(out[:6] + struct.pack(">H", count) + out[8:])


def test_questions_that_were_not_asked_are_not_read() -> None:
    answer = questions_that_point()
    began = time.process_time()
    assert judge(QUERY, question_end(QUERY), answer) == "mismatch"
    assert time.process_time() - began < CPU_SECONDS


def test_an_answer_that_says_more_than_fits_is_malformed_and_is_not_kept() -> None:
    began = time.process_time()
    assert readings.answer("", aliases_that_point(97)).failure == "malformed"
    assert time.process_time() - began < CPU_SECONDS
    kept = readings._kept.cache_info().currsize
    readings.answer("", aliases_that_point(98))
    assert readings._kept.cache_info().currsize == kept


def test_a_long_record_is_told_by_its_beginning_and_its_hash() -> None:
    """Two that differ in their last octet are two; a scene of them does not fill memory."""

    def texts(last: bytes) -> bytes:
        data = (b"\xff" + b"\xfe" * 255) * 60 + b"\x01" + last
        out = bytearray(QUERY[: question_end(QUERY)] + b"\xc0\x0c" + struct.pack(">HHIH", 16, 1, 60, len(data)) + data)
        out[2:4], out[6:8], out[10:12] = b"\x81\x80", b"\0\1", b"\0\0"
        return bytes(out)

    ((type, text),) = readings.answer("", texts(b"a")).records
    assert (type, len(text) < 200) == (16, True)
    assert readings.answer("", texts(b"a")).records != readings.answer("", texts(b"b")).records


def test_answers_of_64_kib_are_sealed_and_read_in_pieces(tmp_path: Path) -> None:
    """50,000 of them would be 3 GB in memory, to be sealed and again to be read."""
    of = made(tmp_path / "study", 40)
    trials = list(order.trials(of.plan))[:600]
    with Journal(of, "here") as kept:
        for first in range(0, 600, 50):
            kept.append([row for trial in trials[first : first + 50] for row in observed(of, trial, answer=trial.to_bytes(4, "big") * 16_000)])
    folder = of.observations("here")
    assert parts.numbers(folder), "the segment was sealed by its octets"
    for number in parts.numbers(folder):
        assert (folder / parts.name(number)).stat().st_size < journal.SEGMENT_OCTETS
        about = pq.read_metadata(folder / parts.name(number))
        assert max(about.row_group(each).total_byte_size for each in range(about.num_row_groups)) < 20 << 20
    assert len(observations.done(of, "here")) == 600
