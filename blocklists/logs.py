"""How our processes log: one line an event on standard error, for people or as JSON, and never so many that they hide each other or fill a disk.

A line has its time in UTC, its level, the process, the words, and figures as `key=value` (`fields`). Of the same words (numbers apart) at most MOST
are written in WITHIN seconds, and MOST_IN_ALL of all words; then one line says how many were left out. No line names a client or what one asked for:
who logs sees to it.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import threading
import time
import types
from collections.abc import Callable
from typing import Any, Literal, TextIO

from blocklists import outlet

Form = Literal["text", "json"]

MOST = 5
MOST_IN_ALL = 500
WITHIN = 10.0
_MOST_TEMPLATES = 500
"""Different words remembered at a time."""
_NUMBERS = re.compile(r"(?<!\S)\d+(?!\S)")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_PLAIN = re.compile(r'[^\s"=]+')


def fields(**values: object) -> dict[str, Any]:
    """Figures of one event, as `log.warning("words", extra=fields(upstream="192.0.2.1:53"))` takes them."""
    return {"fields": values}


def to_stderr(process: str = "", form: Form = "text", stream: TextIO | None = None) -> None:
    """To be called by a process's `main`, and again once it knows its name and the form. `process` is what it is called in `redhand status`.

    What ends the process, and Python's own warnings, are lines like others from then on.
    """
    handler: logging.Handler = logging.StreamHandler(stream) if stream else _ToStandardError()
    handler.setFormatter(_AsJSON(process) if form == "json" else _AsText(process))
    handler.addFilter(Limit(handler.handle))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.captureWarnings(True)
    logging.getLogger("tuf").setLevel(logging.WARNING)  # at each look it would name every key whose holder had no need to sign
    sys.excepthook = _uncaught
    threading.excepthook = lambda raised: _uncaught(raised.exc_type, raised.exc_value or raised.exc_type(), raised.exc_traceback)


def as_json() -> bool:
    """Whether this process logs as JSON."""
    return any(isinstance(handler.formatter, _AsJSON) for handler in logging.getLogger().handlers)


def say_last(words: str) -> None:
    """Why the process ends, as a line."""
    logging.getLogger("redhand").error("%s", words)


def _uncaught(kind: type[BaseException], error: BaseException, where: types.TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, where)
    else:
        logging.getLogger("fault").critical("a fault of our own: %s", kind.__name__, exc_info=(kind, error, where))


class _ToStandardError(logging.Handler):
    """Writes what standard error takes at once. What it does not take is counted and left out: a reader that hangs must not hang us."""

    def __init__(self) -> None:
        super().__init__()
        self._lost = 0
        self._torn = False

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._emit(record)
        except Exception:  # words and figures that do not fit: never the fault of what was to be said
            self.handleError(record)

    def _emit(self, record: logging.LogRecord) -> None:
        if self._lost:
            lost = logging.LogRecord(record.name, logging.WARNING, "", 0, "lines lost because standard error was not read: %d", (self._lost,), None)
            if not self._write(self.format(lost)):
                self._lost += 1
                return
            self._lost = 0
        self._lost += not self._write(self.format(record))

    def _write(self, line: str) -> bool:
        octets = b"\n" * self._torn + line.encode(errors="backslashreplace") + b"\n"
        sent = outlet.write(sys.stderr.fileno(), octets)
        self._torn = self._torn if sent == 0 else sent < len(octets)
        return sent == len(octets)


class _AsText(logging.Formatter):
    """`2026-11-21T23:47:00Z WARNING worker-1 resolver: words key=value`."""

    default_time_format = "%Y-%m-%dT%H:%M:%SZ"
    default_msec_format = ""

    def __init__(self, process: str) -> None:
        super().__init__()
        self.converter = time.gmtime
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        where = f"{self._process} {record.name}" if self._process else record.name
        words = [f"{self.formatTime(record)} {record.levelname} {where}: {record.getMessage()}"]
        words += [f"{key}={_shown(value)}" for key, value in _fields(record).items()]
        if record.exc_info:
            words.append(f"traceback={json.dumps(self.formatException(record.exc_info))}")
        # What was read somewhere must not begin a line of its own, nor steer a terminal.
        return _UNPRINTABLE.sub(lambda found: repr(found[0])[1:-1], " ".join(words))


class _AsJSON(_AsText):
    """The same as one JSON object: time, level, process, room, event, and each figure."""

    def format(self, record: logging.LogRecord) -> str:
        found: dict[str, object] = {
            "time": self.formatTime(record),
            "level": record.levelname.lower(),
            "process": self._process,
            "room": record.name,
            "event": record.getMessage(),
            **_fields(record),
        }
        if record.exc_info:
            found["traceback"] = self.formatException(record.exc_info)
        return json.dumps(found, default=str)


def _words(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError):  # figures that do not fit the words
        return str(record.msg)


def _fields(record: logging.LogRecord) -> dict[str, object]:
    found: dict[str, object] = getattr(record, "fields", {})
    return found


def _shown(value: object) -> str:
    text = str(value)
    return text if _PLAIN.fullmatch(text) else json.dumps(text, ensure_ascii=False)


class _Window:
    """Lines with the same words since `begun`, and how many of them were left out."""

    __slots__ = ("begun", "left_out", "written")

    def __init__(self, begun: float) -> None:
        self.begun = begun
        self.written = 0
        self.left_out = 0


class Limit(logging.Filter):
    """Lets MOST lines with the same words through in WITHIN seconds; `emit` gets the line that says how many were not."""

    def __init__(self, emit: Callable[[logging.LogRecord], object], now: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._emit = emit
        self._now = now
        self._windows: dict[tuple[str, str], _Window] = {}
        self._all = _Window(now())
        self._lock = threading.Lock()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line is written."""
        if getattr(record, "of_limit", False):
            return True
        now = self._now()
        with self._lock:
            if now - self._all.begun >= WITHIN:
                self._all = _Window(now)
            window = self._window((record.name, _NUMBERS.sub("#", str(record.msg))), now)
            for each, most, words in ((window, MOST, _words(record)), (self._all, MOST_IN_ALL, "lines of all kinds")):
                if each.written >= most:
                    each.left_out += 1
                    if each.left_out == 1:
                        timer = threading.Timer(max(0.0, each.begun + WITHIN - now), self._tell, (record, each, words))
                        timer.daemon = True
                        timer.start()
                    return False
            window.written += 1
            self._all.written += 1
        return True

    def _window(self, key: tuple[str, str], now: float) -> _Window:
        window = self._windows.get(key)
        if window is None or now - window.begun >= WITHIN:
            if len(self._windows) >= _MOST_TEMPLATES:
                self._windows = {}  # then each line has words of its own, and the limit of all holds
            window = self._windows[key] = _Window(now)
        return window

    def _tell(self, record: logging.LogRecord, window: _Window, words: str) -> None:
        """Says how many lines were left out."""
        with self._lock:
            left_out, window.left_out = window.left_out, 0
        said = logging.LogRecord(record.name, record.levelno, "", 0, "%d more within %.0f s were left out: %s", (left_out, WITHIN, words), None)
        said.of_limit = True
        self._emit(said)
