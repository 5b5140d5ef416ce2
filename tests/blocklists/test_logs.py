"""Logs: one line an event, readable by people or machines, never so many that they hide each other, never lines of somebody else's making."""

from __future__ import annotations

import io
import json
import logging
import re
import sys
import threading
from collections.abc import Iterator

import pytest

from blocklists import logs
from blocklists.logs import MOST, MOST_IN_ALL, WITHIN, Limit
from tests.tools import wait_for

log = logging.getLogger("resolver.test")


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """What is written; the logging of the test run itself is put back afterwards."""
    root = logging.getLogger()
    before, level, hooks = root.handlers[:], root.level, (sys.excepthook, threading.excepthook)
    yield io.StringIO()
    sys.excepthook, threading.excepthook = hooks
    logging.captureWarnings(False)
    root.handlers[:], root.level = before, level
    root.setLevel(level)


def test_a_line_has_its_time_level_process_words_and_figures(stream: io.StringIO) -> None:
    logs.to_stderr("worker-1", "text", stream)
    log.warning("upstream is away", extra=logs.fields(upstream="192.0.2.1:53", seconds=1.5, why="no answer"))
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ WARNING worker-1 resolver\.test: "
        r"upstream is away upstream=192\.0\.2\.1:53 seconds=1\.5 why=\"no answer\"\n",
        stream.getvalue(),
    )


def test_as_json_each_line_is_one_object(stream: io.StringIO) -> None:
    logs.to_stderr("worker-1", "json", stream)
    log.warning("list %d\nis refused", 7, extra=logs.fields(serial=7))
    try:
        raise ValueError("planted")
    except ValueError:
        log.exception("failed")
    first, second = map(json.loads, stream.getvalue().splitlines())
    assert {key: first[key] for key in ("level", "process", "room", "event", "serial")} == {
        "level": "warning", "process": "worker-1", "room": "resolver.test", "event": "list 7\nis refused", "serial": 7,
    }  # fmt: skip
    assert "ValueError: planted" in second["traceback"]


@pytest.mark.usefixtures("stream")
def test_words_and_figures_that_do_not_fit_stop_nobody(capfd: pytest.CaptureFixture[str]) -> None:
    logs.to_stderr("worker-1")
    log.warning("%d lines", "several")
    log.warning("after it")
    assert "after it" in capfd.readouterr().err


def test_what_was_read_somewhere_makes_no_line_and_steers_no_terminal(stream: io.StringIO) -> None:
    logs.to_stderr("worker-1", "text", stream)
    log.error("source %s is refused", "a\n2026-01-01T00:00:00Z INFO forged\x1b[2J")
    assert stream.getvalue().count("\n") == 1
    assert "\x1b" not in stream.getvalue()
    assert r"a\n2026-01-01" in stream.getvalue()


def limited() -> tuple[Limit, list[str], list[float]]:
    """A limit, what it says by itself, and its clock."""
    said: list[str] = []
    clock = [0.0]
    return Limit(lambda record: said.append(record.getMessage()), lambda: clock[0]), said, clock


def record(words: str, *arguments: object) -> logging.LogRecord:
    return logging.LogRecord("room", logging.WARNING, "", 0, words, arguments, None)


def test_of_the_same_words_some_are_written_and_the_rest_counted() -> None:
    limit, _, clock = limited()
    written = sum(limit.filter(record("answer of %s is bad", number)) for number in range(100))
    assert written == MOST
    assert limit.filter(record("something else")), "other words are not held back"
    assert not limit.filter(record("answer of %s is bad", "x"))
    clock[0] += WITHIN
    assert limit.filter(record("answer of %s is bad", "x"))


def test_numbers_make_no_words_of_their_own_but_addresses_do() -> None:
    limit, _, _ = limited()
    assert sum(limit.filter(record(f"killed after {number} s")) for number in range(100)) == MOST
    assert sum(limit.filter(record(f"upstream 192.0.2.{number}:53 away")) for number in range(100)) == 100


def test_lines_that_differ_all_the_time_are_limited_together() -> None:
    limit, _, _ = limited()
    assert sum(limit.filter(record(f"word{number}")) for number in range(3 * MOST_IN_ALL)) == MOST_IN_ALL


def test_how_many_were_left_out_is_said_by_itself(stream: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "WITHIN", 0.2)
    logs.to_stderr("worker-1", "text", stream)
    for number in range(MOST + 3):
        log.warning("answer of %d is bad", number)
    wait_for(lambda: "3 more within 0 s were left out: answer of" in stream.getvalue(), "the line that counts")
