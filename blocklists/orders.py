"""The quick path: orders of the log put in force, or lifted, in a fraction of a second, however many others stand.

A process that lives as long as the feed keeps an `OrderLines`. It holds each order's lines as the bytes that stand in the entries, and is told only
of ids that changed; what did not change costs being hashed and compared. The operator's own lists are carried over from the last version as they
stand, without transcriptions of what the log withdraws. No source is read, no base index is written, no lock is held for longer than a rename.

Pinned versions hold: an order then lists no name that it did not list in the pinned version, and nothing that no longer stands comes back.
"""

from __future__ import annotations

import time
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from operator import attrgetter
from pathlib import Path
from typing import Any, Protocol

from blocklists import store
from blocklists.builder import Built, built, pin_of, pinned_version
from blocklists.errors import StoreError
from blocklists.layerhash import LayerHash
from blocklists.sources import Basis
from blocklists.standing import Lifts, restricted, standing
from blocklists.succession import Next, Place, carried
from blocklists.version import Layer, Line, assemble, entries_of, of_layer

LAYER = "orders"

_OF_THE_LOG = ("size", "root", "as_of")
"""Facts that change with every entry of the log. Alone they make no version: a log grows by receipts, too."""


_MANY = 200
"""Changed ids from which the lines are sorted anew: each alone has all later ones moved."""


class State(Protocol):
    """What the log comes to, as `docket.Orders` says it."""

    @property
    def docket(self) -> object:
        """The fold that gave it."""

    @property
    def as_of(self) -> int:
        """Unix seconds."""

    @property
    def withdrawn(self) -> list[str]:
        """Ids withdrawn."""

    @property
    def changed(self) -> Iterable[str]:
        """Ids whose bases may be others than in the state that the same docket gave before; before the first, all."""

    def of(self, identity: str) -> list[Basis]:
        """The bases of one id."""


class OrderLines:
    """The orders layer of one state directory. `keep`: how many versions stay besides those that are needed (`blocklists.keep_versions`)."""

    def __init__(self, state_dir: Path, keep: int) -> None:
        self._place = Place(state_dir, keep)
        self._state_dir = state_dir
        self._docket: object = None
        self._lines: list[Line] = []
        """Of all orders, sorted as they stand in the entries."""
        self._hash = LayerHash()
        self._pinned: tuple[int, store.Version] | None = None
        self._local: tuple[store.Version | None, Sequence[Line]] = None, []
        """A version, and its lines of the operator's own."""
        self._alarms: list[str] = []

    def take(self, state: State) -> None:
        """Keeps what changed. Every state that a docket gives must come here, put in force or not: each tells only of its own changes."""
        if state.docket is not self._docket:
            self._docket, self._lines = state.docket, []
        changed = list(state.changed)
        if len(changed) > _MANY:
            of_others = set(changed)
            left = [line for line in self._lines if line.reference not in of_others]
            come = [line for identity in changed for line in self._of(state, identity)]
            # All are directives of one layer, and those of one id come sorted: its text alone is their place, and costs no copy of each basis.
            self._lines = sorted(left + come, key=attrgetter("reference"))
            return
        for identity in changed:
            first = bisect_left(self._lines, identity, key=attrgetter("reference"))
            last = bisect_right(self._lines, identity, first, key=attrgetter("reference"))
            self._lines[first:last] = self._of(state, identity)

    def _of(self, state: State, identity: str) -> list[Line]:
        return [line.light() for line in assemble(state.of(identity), 0).lines]

    def put_in_force(self, facts: dict[str, Any], state: State) -> Built:
        """The version with these orders, in force when this returns; the last one, if it says the same. `facts`: its manifest's `orders`.

        Raises StoreError when the disk refuses, or nothing on it is sound (then the builder must come first); what was in force stays.
        """
        started = time.monotonic()
        self.take(state)
        come = self._place.advance(lambda previous: self._compose(facts, state, previous))
        # The same objects the next time: what is known to be the same is not compared.
        self._local = come.version, of_layer(come.next.entries.lines, "local")
        return built(come, self._place.alarms + self._alarms, started)

    def _compose(self, facts: dict[str, Any], state: State, previous: store.Version | None) -> Next:
        if previous is None and self._place.alarms:
            # Without the last version the operator's own lists would be lost; the builder reads them anew.
            raise StoreError(f"{self._place.alarms[0]}; the orders follow once that is done")
        as_of = state.as_of
        before = carried(previous)
        lifts = Lifts.of(before).without(_lapsed(before["orders"], facts)).withdraw(state.withdrawn)
        orders = standing(self._lines, lifts, as_of)
        pinned, self._alarms = pin_of(self._state_dir, previous)
        waiting = 0
        if pinned is not None and (kept := self._kept(pinned["serial"], previous)) is not None:
            orders, waiting = restricted(orders, kept.layer(LAYER))
        stood = list(self._local[1]) if self._local[0] is previous else previous.layer("local") if previous is not None else []
        local = standing(stood, lifts, as_of)
        known = {LAYER: self._hash.of(orders)}
        if previous is not None and local == stood:
            known["local"] = Layer(**previous.manifest["layers"]["local"])
        entries = entries_of(orders + local, known)
        lifted = lifts.record(as_of)
        news = {"orders": facts, "lifted": lifted, "waiting": waiting}
        changed = (
            previous is None
            or bool(previous.notice)
            or previous.identity != entries.identity
            or _settled(before["orders"]) != _settled(facts)
            or (before["lifted"]["withdrawn"], before["waiting"]) != (lifted["withdrawn"], waiting)
        )
        return Next(entries, {**before, **news, "as_of": as_of}, changed, urgent=True)

    def _kept(self, serial: int, previous: store.Version | None) -> store.Version | None:
        if self._pinned is None or self._pinned[0] != serial:
            found, alarm = pinned_version(self._state_dir, serial, previous)
            self._alarms += alarm
            if alarm or found is None:
                return found
            self._pinned = serial, found
        return self._pinned[1]


def due(state_dir: Path) -> bool:
    """Whether a pin that held orders back was released since: then they are to be put in force again. A few small files are read."""
    try:
        manifest = store.read_manifest(state_dir, *store.read_current(state_dir))
        return bool(manifest["waiting"]) and store.read_pin(state_dir) is None
    except StoreError:
        return False


def _lapsed(before: dict[str, Any] | None, facts: dict[str, Any]) -> frozenset[str]:
    """Ids withdrawn by an earlier policy, and not by this one, which says that who withdrew them was a thief: they stand again, for everybody alike.

    Under one policy what was withdrawn stays so, whatever a feed has heard of; and so does what a transcription or a file by hand withdrew.
    """
    if before is None or before.get("policy") == facts.get("policy"):
        return frozenset()
    return frozenset(before.get("withdrawn", ())).difference(facts.get("withdrawn", ()))


def _settled(facts: dict[str, Any] | None) -> dict[str, Any] | None:
    return None if facts is None else {name: value for name, value in facts.items() if name not in _OF_THE_LOG}
