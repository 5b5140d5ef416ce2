"""Whether silence, or an error, is kept for a name, or happens to any: what a vantage's asks show together, endpoint by endpoint. Pure.

One answer that did not come shows nothing: packets are lost, servers stumble. So that a fault counts for a block, it must have come again: by the
same vector in each repeat, twice at least; or by half of all asks for the name at that endpoint. And chance must not explain it: of all other asks
there, so many had the same fault (`porosity.statistics.recurrence`), and among all names and vectors that could have been hit so (Holm) one such
streak anywhere at the endpoint must be rarer than LEVEL.

What is measured is the ask with all its tries, and not the try: tries of one ask follow one another within seconds, and bad seconds hit them all.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import dns.rcode
import numpy as np
from numpy.typing import NDArray

from porosity.plan import Plan
from porosity.statistics import holm, recurrence

LEVEL = 0.01
"""How rare a streak of faults must be, of all that an endpoint could have shown, before it is no accident."""
TWICE = 2
"""Faults and asks that a streak has at least."""

NEARLY_ALL = 0.9
"""Of the names in no order, but for canaries: where so many have a streak, the resolver reaches nobody, and its canaries came from a cache."""

ANSWERED, SILENCE = 0, 16
"""Kinds of outcome; the others are RCODEs of errors. A denial is an answer."""
_NXDOMAIN = 3
_KINDS = 32
_ASKS = 4096
"""More than any trial has."""

Numbers = NDArray[np.int64]


class Streak(NamedTuple):
    """A fault that came again."""

    of: Literal["vector", "name", "watch"]
    """What it was counted of: a vector's repeats, all asks for the name at the endpoint, or asks of a watch one after the other."""
    faults: int
    asks: int
    others: tuple[int, int]
    """Of all other asks at the endpoint: how many had the same fault, and how many there were."""
    chance: float
    """That chance brings such a streak anywhere at the endpoint; for Holm, below LEVEL."""


@dataclass(frozen=True)
class Faults:
    """What is known of a vantage's endpoints."""

    places: Numbers = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    """Which asks always had a fault, sorted: `_place` and kind."""
    which: Numbers = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    """The streak of each."""
    streaks: tuple[Streak, ...] = ()
    others: Mapping[tuple[str, int], tuple[int, int]] = field(default_factory=dict)
    """By endpoint and kind: how many asks that belong to no streak had it, and how many there were."""
    watched: Mapping[str, int] = field(default_factory=dict)
    """By endpoint: how many asks its watches had."""
    trials: int = 1
    """Of a repeat."""

    def streak(self, trial: int, ask: int, kind: int) -> Streak | None:
        """What an ask's fault belongs to, whether chance explains that or not; None when it was answered at other times, or never asked again."""
        wanted = _place(trial % self.trials, ask) * _KINDS + kind
        at = int(np.searchsorted(self.places, wanted))
        return self.streaks[int(self.which[at])] if at < self.places.size and self.places[at] == wanted else None

    def watch(self, endpoint: str, kind: int, length: int) -> Streak | None:
        """So many asks of a watch one after the other, all with a fault of this kind."""
        others = self.others.get((endpoint, kind))
        if others is None or length < TWICE:
            return None
        found = recurrence.chance(length, length, *others)
        return Streak("watch", length, length, others, min(1.0, found * self.watched.get(endpoint, 1)))

    def told(self) -> list[dict[str, Any]]:
        """What each endpoint's asks outside streaks were like, for people."""
        return [
            {"endpoint": endpoint, "fault": named(kind), "asks": asks, "faults": faults}
            for (endpoint, kind), (faults, asks) in sorted(self.others.items())
        ]


class Gathering:
    """All asks of a vantage, on their way to Faults. It holds some 20 octets an ask."""

    def __init__(self, plan: Plan, neighbours: Collection[int] = ()) -> None:
        """`neighbours`: numbers of names in no order that are no canaries: what caches hold least, as ordered names."""
        self._plan = plan
        self._neighbours = np.array(sorted(neighbours), dtype=np.int64)
        self._endpoints: dict[str, int] = {}
        self._rows: list[tuple[Numbers, NDArray[np.int16], NDArray[np.int8]]] = []

    def add(self, trials: Numbers, asks: Numbers, endpoints: Iterable[str], kinds: Numbers) -> None:
        """Asks with what came of them. Those without an endpoint were never sent, and do not count."""
        known = self._endpoints
        codes = np.fromiter((known.setdefault(each, len(known)) if each else -1 for each in endpoints), dtype=np.int16, count=len(trials))
        sent = codes >= 0
        places = _place(trials[sent] % (self._plan.cells * self._plan.measured), asks[sent])
        self._rows.append((places, codes[sent], kinds[sent].astype(np.int8)))

    def faults(self) -> Faults:
        """What they show."""
        trials = self._plan.cells * self._plan.measured
        if not self._rows:
            return Faults(trials=trials)
        places, codes, kinds = (np.concatenate(each) for each in zip(*self._rows, strict=True))
        self._rows.clear()
        vectors, measured = len(self._plan.vectors), self._plan.measured
        names = places // (_ASKS * measured * vectors)
        canary = names < self._plan.canaries
        time = np.array([each.family == "time" for each in self._plan.vectors])[places // (_ASKS * measured) % vectors]
        # By which resolver, vector and ask canaries never get an answer: nobody would. That is no fault of a moment, and nobody's block.
        ways = places % (_ASKS * measured * vectors)
        served = ~np.isin(ways, _never(ways[canary], kinds[canary]))
        found: list[Streak] = []
        marked: list[tuple[Numbers, Numbers]] = []
        others: dict[tuple[str, int], tuple[int, int]] = {}
        watched: dict[str, int] = {}
        for endpoint, code in self._endpoints.items():
            here = (codes == code) & served
            watched[endpoint] = int(np.count_nonzero(here & time & ~canary))
            rows = here & ~(time & ~canary)
            for kind in np.unique(kinds[rows]).tolist():
                if kind != ANSWERED:
                    part = _Part(places[rows], names[rows], canary[rows], kinds[rows] == kind, self._neighbours)
                    others[endpoint, kind] = part.others
                    for streak, its in part.streaks():
                        marked.append((its * _KINDS + kind, np.full(its.size, len(found), dtype=np.int64)))
                        found.append(streak)
            if watched[endpoint]:
                for kind in np.unique(kinds[here & time]).tolist():
                    others.setdefault((endpoint, kind), (0, int(np.count_nonzero(rows))))
        if not marked:
            return Faults(others=others, watched=watched, trials=trials)
        its, which = (np.concatenate(each) for each in zip(*marked, strict=True))
        order = np.argsort(its, kind="stable")
        return Faults(its[order], which[order], tuple(found), others, watched, trials)


class _Part:
    """The asks at one endpoint, and which of them had one kind of fault."""

    def __init__(self, places: Numbers, names: Numbers, canary: NDArray[np.bool_], hit: NDArray[np.bool_], neighbours: Numbers) -> None:
        self._places, self._at, self._asked = np.unique(places, return_inverse=True, return_counts=True)
        self._hit = np.bincount(self._at, weights=hit, minlength=self._places.size).astype(np.int64)
        self._name_of = np.zeros(self._places.size, dtype=np.int64)
        self._name_of[self._at] = names
        of_canary = np.zeros(self._places.size, dtype=bool)
        of_canary[self._at] = canary
        self._numbers, name_at, _ = np.unique(self._name_of, return_inverse=True, return_counts=True)
        self._asked_name = np.bincount(name_at, weights=self._asked, minlength=self._numbers.size).astype(np.int64)
        self._hit_name = np.bincount(name_at, weights=self._hit, minlength=self._numbers.size).astype(np.int64)
        free_name = np.zeros(self._numbers.size, dtype=bool)
        free_name[name_at] = of_canary
        self._always = (self._hit == self._asked) & ~of_canary
        self._vectors = self._always & (self._asked >= TWICE)
        self._names = ~free_name & (self._hit_name >= TWICE) & (2 * self._hit_name >= self._asked_name)
        near = np.isin(self._numbers, neighbours)
        if np.count_nonzero(near) >= TWICE and np.count_nonzero(self._names & near) >= NEARLY_ALL * np.count_nonzero(near):
            # Who fails at nearly all that is in no order answers from a cache alone, and keeps nobody's name.
            self._vectors[:] = self._names[:] = False
        aside = self._vectors | self._names[name_at]
        self._name_at = name_at
        self.others = (int(self._hit[~aside].sum()), int(self._asked[~aside].sum()))
        self._could = int(np.count_nonzero(~of_canary & (self._asked >= TWICE)) + np.count_nonzero(~free_name & (self._asked_name >= TWICE)))

    def streaks(self) -> Iterable[tuple[Streak, Numbers]]:
        """Each streak, with the places of the asks that always had the fault."""
        vectors, names = np.flatnonzero(self._vectors), np.flatnonzero(self._names)
        counts = [(int(self._hit[each]), int(self._asked[each])) for each in vectors.tolist()]
        counts += [(int(self._hit_name[each]), int(self._asked_name[each])) for each in names.tolist()]
        chances = [recurrence.chance(*each, *self.others) for each in counts]
        # Names and vectors that could have had a streak and had none stand in the family, too: chances of one.
        adjusted = holm.adjust(chances, self._could)
        best: dict[int, int] = {}
        by_name = {int(self._numbers[each]): len(vectors) + rank for rank, each in enumerate(names.tolist())}
        by_place = {each: rank for rank, each in enumerate(vectors.tolist())}
        for place in np.flatnonzero(self._always).tolist():
            ranks = [rank for rank in (by_place.get(place), by_name.get(int(self._name_of[place]))) if rank is not None]
            if ranks:
                best[place] = min(ranks, key=lambda rank: (adjusted[rank], rank))
        shown: dict[tuple[bool, int, int, float], list[int]] = {}
        for place, rank in best.items():
            shown.setdefault((rank < len(vectors), *counts[rank], adjusted[rank]), []).append(place)
        for (of_vector, faults, asks, chance), its in shown.items():
            yield Streak("vector" if of_vector else "name", faults, asks, self.others, chance), self._places[np.array(its)]


def _place(trial: Numbers | int, ask: Numbers | int) -> Numbers:
    return np.asarray(trial, dtype=np.int64) * _ASKS + np.asarray(ask, dtype=np.int64)


def _never(ways: Numbers, kinds: NDArray[np.int8]) -> Numbers:
    """Ways by which canaries asked, twice at least, and were never answered."""
    found, at, asked = np.unique(ways, return_inverse=True, return_counts=True)
    answered = np.bincount(at, weights=kinds == ANSWERED, minlength=found.size)
    never: Numbers = found[(asked >= TWICE) & (answered == 0)]
    return never


def kinds(failures: Iterable[str], answers: Iterable[bytes]) -> Numbers:
    """The kind of each outcome: of a failure, or of an answer's RCODE as its header has it."""
    return np.array(
        [SILENCE if failure else kind(octets[3] & 0x0F if len(octets) > 3 else 0) for failure, octets in zip(failures, answers, strict=True)],
        dtype=np.int64,
    )


def named(kind: int) -> str:
    """A kind of fault, as people call it."""
    return "silence" if kind == SILENCE else dns.rcode.to_text(dns.rcode.Rcode.make(kind))


def kind(rcode: int) -> int:
    """Of an answer with this RCODE: ANSWERED, or the error."""
    return ANSWERED if rcode in (0, _NXDOMAIN) or rcode >= SILENCE else rcode
