"""Resolvers and files that mean harm: made to be slow to read, large to keep, or never to end. A study loses a verdict by them, and nothing else."""

from __future__ import annotations

import csv
import errno
import json
import os
import struct
import tempfile
import time
from io import BytesIO
from pathlib import Path

import dns.name
import duckdb
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from blocklists.errors import DiskError
from porosity import database, journal, observations, order, parts, readings, spill, study, vectors
from porosity.cli import app
from porosity.interchange import zdns
from porosity.journal import Journal
from porosity.report import tables
from porosity.transports.mux import judge, question_end
from porosity.words import message
from tests.porosity.studies import made, observed, planned

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


def result(**more: object) -> bytes:
    """A line of zdns about a name of the study, with other fields."""
    record = {"type": "A", "name": "n0.blocked.test", "answer": "198.51.100.1", "ttl": 60, **more.pop("record", {})}  # type: ignore[dict-item]
    data = {"resolver": more.pop("resolver", "127.0.0.1:5300"), "protocol": "udp", "answers": [record]}
    said = {"status": "NOERROR", "timestamp": "2026-03-01T12:00:00Z", "duration": 0.01, "data": data, **more}
    return json.dumps({"name": "n0.blocked.test", "results": {"A": said}}).encode()


HOSTILE = (
    b"[" * 200_000, b"\0\0\0", b"\xff\xfe", b"7", b"x" * 70_000, b'{"name": "x", "results": {"A": {"data": {"resolver": ' + b"9" * 5000 + b"}}}}",
    *(result(duration=value) for value in (float("nan"), float("inf"), 1e300, -1e15)),
    *(result(timestamp=value) for value in ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00", "9999-12-31T23:59:59-14:00")),
    *(result(record={"ttl": value}) for value in (1 << 40, -5, [])),
    *(result(record={"type": "EDNS", "udpsize": value, "ede": [{"info_code": value}]}) for value in (10**9, -1)),
    result(resolver="\x1b]0;owned\x07\u202e"),
)  # fmt: skip


def test_no_line_of_zdns_keeps_the_others_from_being_taken(tmp_path: Path) -> None:
    """Nor is anything shown that moves a terminal's cursor; and who brought nothing has not observed."""
    asked = [vectors.by_id("type-a")]
    study.create(tmp_path / "study", *planned(2, asked, repeats=len(HOSTILE) + 1))
    file = tmp_path / "results.jsonl"
    command = ["import", str(tmp_path / "study"), str(file), "--vantage", "office"]
    file.write_bytes(b"\r\n".join([*HOSTILE, b""]))
    said = CliRunner().invoke(app, command)
    assert said.exit_code == 0, said.exception
    assert f"0 results are observations of office; {len(HOSTILE)} were not taken" in said.output
    assert all(character.isprintable() or character == "\n" for character in said.output)
    assert study.open(tmp_path / "study").vantages() == []
    file.write_bytes(b"\r\n".join([*HOSTILE, result(), b""]))
    assert "1 results are observations of office" in CliRunner().invoke(app, command).output
    for form in ("ooni", "pcap"):
        said = CliRunner().invoke(app, ["export", str(tmp_path / "study"), form, str(tmp_path / form)])
        assert said.exit_code == 0, said.exception


def test_a_line_that_does_not_end_is_not_held_whole() -> None:
    file = BytesIO(b"x" * (3 * zdns.MOST_LINE + 5) + b"\nnext\n")
    assert [len(line) for line in zdns.lines(file)] == [zdns.MOST_LINE, 5]


def test_what_others_wrote_is_only_shown(tmp_path: Path) -> None:
    """In a table of `sql`, as in a title of a window: an answer's text, a name, a query of a stranger's."""
    made(tmp_path / "study")
    query = "SELECT chr(27) || ']0;owned' || chr(7) AS odd, chr(8238) || 'txt' AS turned"
    said = CliRunner().invoke(app, ["sql", str(tmp_path / "study"), query])
    assert r"\u001b]0;owned\u0007" in said.output
    assert all(character.isprintable() or character == "\n" for character in said.output)
    with pytest.raises(duckdb.Error), database.connect(study.open(tmp_path / "study")) as base:
        base.execute("SELECT * FROM read_csv('https://127.0.0.1:1/list.csv')")


def test_a_table_is_no_program_of_a_spreadsheet() -> None:
    """A name such as `=cmd|…` is a name, and a share below nothing would be a number all the same."""
    rows = [{"name": "=cmd|' /C calc'!a.test", "vectors": ["+1", "-2"], "share": -0.5, "list": "@orders", "source": "\tx"}]
    _, line = tables.as_csv(rows).decode().splitlines()
    assert next(csv.reader([line])) == ["'=cmd|' /C calc'!a.test", "'+1 -2", "-0.5", "'@orders", "'\tx"]
    assert json.loads(tables.as_json(rows))[0]["name"] == rows[0]["name"], "and as it is beside"


def test_a_study_that_cannot_be_written_to_can_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    of = made(tmp_path / "study")
    with Journal(of, "here") as kept:
        kept.append(observed(of, 1))
    real = tempfile.mkdtemp

    def mkdtemp(prefix: str, dir: Path | None = None) -> str:
        if dir == of.directory:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(dir))
        return real(prefix=prefix, dir=tmp_path)

    monkeypatch.setattr(tempfile, "mkdtemp", mkdtemp)
    with database.connect(of) as base:
        assert base.sql("SELECT count(*) FROM observations").fetchall() == [(1,)]
    assert len(list(observations.cells(of, "here"))) == 1
    with pytest.raises(DiskError, match="Read-only"), spill.spilling(of.directory):
        pass
