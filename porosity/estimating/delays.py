"""Time to enforce and to restore, from watches: the wait from an order's instant until the change that lasts, or until the watch ends without.

A watch asks the same again and again while the study puts orders in force and withdraws them; the instants stand in the study's clock.json:

    {"events": [{"what": "enforced" | "withdrawn", "at": microseconds since 1970, "names": ["a.example", …]}]}

where `names` may be left out for all. Enforced is a name from the first ask that was blocked and after which none reached the target before the next
event; the wait is thus at most one pause of the watch too long. A watch that had not seen the state before, or saw nothing after, counts for
nothing, and is told.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, Literal, NamedTuple

from blocklists.errors import StoreError
from porosity.estimating.verdicts import Verdicts
from porosity.statistics import survival
from porosity.study import Study

CLOCK = "clock.json"
PERCENTILES = (0.5, 0.95, 0.99)
_SECOND = 1_000_000
_STATES: dict[str, tuple[str, str]] = {"enforced": ("ok", "blocked"), "withdrawn": ("blocked", "ok")}
"""What is so before each event, and what it brings."""


class Event(NamedTuple):
    """An order that was put in force or withdrawn."""

    what: Literal["enforced", "withdrawn"]
    at: int
    """Microseconds since 1970."""
    names: frozenset[str] | None
    """None: all."""


class Wait(NamedTuple):
    """One wait."""

    seconds: float
    ended: bool


def clock(study: Study) -> list[Event]:
    """The study's events in order; none without a clock. Raises StoreError for a file that is none."""
    path = study.directory / CLOCK
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        raise StoreError(f"{path} cannot be read ({error}); write the instants of the orders anew") from None
    try:
        events = [
            Event(each["what"], int(each["at"]), None if each.get("names") is None else frozenset(name.rstrip(".").lower() for name in each["names"]))
            for each in found["events"]
        ]
        if any(each.what not in _STATES for each in events):
            raise ValueError("an event is 'enforced' or 'withdrawn'")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StoreError(f'{path} is no clock ({error}); write {{"events": [{{"what": "enforced", "at": MICROSECONDS}}]}}') from None
    return sorted(events, key=lambda each: each.at)


def waits(watch: Sequence[Sequence[Any]], events: Sequence[Event]) -> Iterator[tuple[str, Wait | None]]:
    """The waits in one watch; None for an event inside it whose state before was not seen, or none after.

    `watch`: [[microseconds, ask, state], …], one where each state began, and last where the watch ended, as verdicts have it. `events`: of its name.
    """
    if len(watch) < 2:
        return
    began, ends = int(watch[0][0]), int(watch[-1][0])
    spans = [(int(start), int(end), state) for (start, _, state), (end, *_) in pairwise(watch)]
    for place, event in enumerate(events):
        if not began <= event.at < ends:
            continue
        until = min([ends, *(each.at for each in events[place + 1 :])])
        yield event.what, _wait(spans, event, until)


def _wait(spans: Sequence[tuple[int, int, str]], event: Event, until: int) -> Wait | None:
    before, after = _STATES[event.what]
    known = [each for each in spans if each[2] in (before, after)]
    earlier = [each for each in known if each[0] <= event.at]
    if not earlier or earlier[-1][2] != before:
        return None
    later = [each for each in known if event.at < each[0] < until]
    run = len(later)
    while run and later[run - 1][2] == after:
        run -= 1
    if run < len(later):
        return Wait((later[run][0] - event.at) / _SECOND, True)
    held = [*earlier[-1:], *later][-1]
    # It is known to have stayed as it was for as long as that was seen; what nobody saw since the event is no wait.
    seen = min(held[1], until)
    return Wait((seen - event.at) / _SECOND, False) if seen > event.at else None


class Delays(NamedTuple):
    """What all watches together tell."""

    curves: list[dict[str, Any]]
    """A row a step of each curve; the first at 0."""
    percentiles: list[dict[str, Any]]


def estimate(verdicts: Verdicts) -> Delays:
    """Curves and percentiles by resolver, vector and kind of event, of names on all lists at all vantages. Raises StoreError."""
    plan = verdicts.study.plan
    events = clock(verdicts.study)
    time = [each.id for each in plan.vectors if each.family == "time"]
    if not events or not time:
        return Delays([], [])
    found: dict[tuple[str, str, str], list[Wait]] = {}
    unseen: dict[tuple[str, str, str], int] = {}
    tested = [each.id for each in plan.resolvers if each.role == "tested"]
    verdicts.base.execute(
        """
        SELECT resolver, vector, name, evidence FROM classification
        WHERE rules = ? AND vector IN (SELECT unnest(?)) AND resolver IN (SELECT unnest(?))
            AND trial // ? % ? IN (SELECT number FROM named WHERE population NOT IN ('canary', 'neighbour'))
        ORDER BY vantage, trial
        """,
        [verdicts.rules, time, tested, len(plan.vectors) * plan.measured, plan.names],
    )
    while rows := verdicts.base.fetchmany(10_000):
        for resolver, vector, name, evidence in rows:
            of_name = [each for each in events if each.names is None or name in each.names]
            for what, wait in waits(json.loads(evidence).get("watch", ()), of_name):
                key = (resolver, vector, what)
                if wait is None:
                    unseen[key] = unseen.get(key, 0) + 1
                else:
                    found.setdefault(key, []).append(wait)
    made = Delays([], [])
    for key in sorted({*found, *unseen}):
        _add(made, dict(zip(("resolver", "vector", "what"), key, strict=True)), found.get(key, []), unseen.get(key, 0))
    return made


def _add(made: Delays, of: dict[str, Any], some: Sequence[Wait], unseen: int) -> None:
    row: dict[str, Any] = {**of, "waits": len(some), "ended": sum(each.ended for each in some), "unseen": unseen, "watched": None}
    for share in PERCENTILES:
        row |= {f"p{share * 100:.0f}{end}": None for end in ("", "_low", "_high")}
    if some:
        curve = survival.curve([each.seconds for each in some], [each.ended for each in some])
        row["watched"] = curve.watched
        for share in PERCENTILES:
            value = survival.percentile(curve, share)
            row |= {f"p{share * 100:.0f}{end}": each for end, each in zip(("", "_low", "_high"), value, strict=True)}
        steps = zip(*(each.tolist() for each in curve[:6]), strict=True)
        made.curves.append({**of, "seconds": 0.0, "at_risk": len(some), "ended": 0, "survival": 1.0, "low": 1.0, "high": 1.0})
        for seconds, at_risk, ended, left, low, high in steps:
            made.curves.append({**of, "seconds": seconds, "at_risk": int(at_risk), "ended": int(ended), "survival": left, "low": low, "high": high})
        last = made.curves[-1]
        if curve.watched > last["seconds"]:
            made.curves.append({**last, "seconds": curve.watched, "at_risk": sum(each.seconds >= curve.watched for each in some), "ended": 0})
    made.percentiles.append(row)
