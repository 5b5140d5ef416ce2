"""Reads, in a thread of its own, what orders say to clients that read structured errors; keeps the texts that were asked for lately.

An order's basis lies on disk, and a disk may hang: the first query for a rule waits for it, at most PATIENCE_SECONDS, and is then told the reference
alone. Nobody else waits, and nothing is read unless such a client asks. What was read is forgotten when another version is put in force.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from blocklists.errors import RedHandError
from blocklists.index import Rule
from blocklists.store import Version
from resolver.engine import Engine
from resolver.gentle import AWAITED, step_back
from resolver.structured import Form, bare
from resolver.wire import Query

PATIENCE_SECONDS = 0.5
"""How long a query waits for the disk; stub resolvers ask again after some seconds."""
MOST_KEPT = 1024
"""Rules whose texts are kept: some 1.5 KiB each."""
MOST_READ = 64
"""Rules being read at once; queries for more are told the reference."""
MOST_WAITING = 256
"""Queries that wait for one rule."""

_Key = tuple[int, int]
"""A version's serial and a rule's number in it."""

log = logging.getLogger("resolver.explaining")


class Texts:
    """`resolver.structured.Explanations` over the version in force. Must be made inside the running loop.

    `write` makes the texts of a rule and its basis; `database` is whose identifiers the references are.
    """

    def __init__(self, engine: Engine, version: Version, write: Callable[[Rule, dict[str, object]], tuple[Form, ...]], database: str) -> None:
        self._engine = engine
        self._version = version
        self._write = write
        self._database = database
        self._kept: dict[int, tuple[Form, ...]] = {}
        self._waiting: dict[_Key, list[Query]] = {}
        self._late = False
        self._loop = asyncio.get_running_loop()
        self._reader: ThreadPoolExecutor | None = None

    @property
    def waiting(self) -> bool:
        """Whether any query is waiting."""
        return bool(self._waiting)

    def switch(self, version: Version) -> None:
        """Another version is in force: to be called in the same breath as the policy's switch."""
        self._version = version
        self._kept = {}

    def forms(self, rule: Rule) -> tuple[Form, ...] | None:
        return self._kept.get(rule.number)

    def wait(self, query: Query, rule: Rule) -> bool:
        version = self._version
        key = (version.serial, rule.number)
        waiting = self._waiting.get(key)
        if waiting is None:
            if self._late or len(self._waiting) >= MOST_READ:
                return False
            self._waiting[key] = waiting = []
            if self._reader is None:
                self._reader = ThreadPoolExecutor(1, "explanations", step_back, (AWAITED,))
            self._reader.submit(self._read, version, rule)
            self._loop.call_later(PATIENCE_SECONDS, self._give_up, key, rule)
        elif len(waiting) >= MOST_WAITING:
            return False
        waiting.append(query)
        return True

    def _read(self, version: Version, rule: Rule) -> None:
        """In the thread. What cannot be read or understood is told by its reference; the list's own alarms say what is wrong with the disk."""
        try:
            found = self._write(rule, version.basis(rule))
        except (RedHandError, OSError, ValueError, LookupError, TypeError) as error:
            log.warning("the basis of %s could not be read for structured errors: %s", rule.reference, error)
            found = bare(rule, self._database)
        with suppress(RuntimeError):  # the loop is closed: nobody waits any longer
            self._loop.call_soon_threadsafe(self._ready, version.serial, rule, found)

    def _ready(self, serial: int, rule: Rule, forms: tuple[Form, ...]) -> None:
        self._late = False
        if serial == self._version.serial:
            if len(self._kept) >= MOST_KEPT:
                del self._kept[next(iter(self._kept))]
            self._kept[rule.number] = forms
        self._answer((serial, rule.number), rule, forms)

    def _give_up(self, key: _Key, rule: Rule) -> None:
        if key in self._waiting:
            self._late = True
            self._answer(key, rule, bare(rule, self._database))

    def _answer(self, key: _Key, rule: Rule, forms: tuple[Form, ...]) -> None:
        for query in self._waiting.pop(key, ()):
            query.via.send(query, self._engine.explained(query, rule, forms))
