"""Waits read from watches, against a slow account of the same, ask by ask; and curves of a study's own watches."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blocklists.errors import StoreError
from porosity import classify, database, estimates, names, parts, plan, study
from porosity.estimating.delays import CLOCK, Event, Wait, clock, waits
from porosity.study import Study
from tests.porosity.studies import AS_OF, resolver, vector

SECOND = 1_000_000
BEGAN = AS_OF * SECOND
LETTERS = {"o": "ok", "b": "blocked", "-": "insufficient", "d": "down"}


def watch(asks: str) -> list[list[Any]]:
    """What a verdict keeps of a watch of an ask a second: each change, and the end."""
    found: list[list[Any]] = []
    for number, letter in enumerate(asks):
        if not found or found[-1][2] != LETTERS[letter]:
            found.append([BEGAN + number * SECOND, number, LETTERS[letter]])
    return [*found, [BEGAN + (len(asks) - 1) * SECOND, len(asks) - 1, "end"]]


def slowly(asks: str, events: Sequence[tuple[str, float]]) -> list[tuple[str, Wait | None]]:
    """The same, ask by ask: the wait ends at the first ask of what the event brings, behind the last of what was before."""
    found: list[tuple[str, Wait | None]] = []
    for place, (what, at) in enumerate(events):
        if not 0 <= at < len(asks) - 1:
            continue
        before, after = ("o", "b") if what == "enforced" else ("b", "o")
        until = min([len(asks) - 1, *(later for _, later in events[place + 1 :])])
        # What the watch knows at an instant is what the last ask before it found; only o and b are known.
        known = [letter for number, letter in enumerate(asks) if number <= at and letter in "ob"]
        if not known or known[-1] != before:
            found.append((what, None))
            continue
        inside = [(number, letter) for number, letter in enumerate(asks) if at < number < until and letter in "ob"]
        tail = len(inside)
        while tail and inside[tail - 1][1] == after:
            tail -= 1
        if tail < len(inside):
            found.append((what, Wait(inside[tail][0] - at, True)))
            continue
        last = max(number for number, letter in enumerate(asks) if letter == before and (number < until or number <= at))
        unknown = next((number for number in range(last, len(asks)) if asks[number] != before), len(asks) - 1)
        seen = min(unknown, until)
        found.append((what, Wait(seen - at, False) if seen > at else None))
    return found


CASES = [
    # asks, events, waits
    ("oooobbbbbb", [("enforced", 1.5)], [("enforced", Wait(2.5, True))]),
    ("oooooooooo", [("enforced", 1.5)], [("enforced", Wait(7.5, False))]),
    ("bbbbbbbbbb", [("enforced", 1.5)], [("enforced", None)]),
    ("oobobobbbb", [("enforced", 1.5)], [("enforced", Wait(4.5, True))]),
    ("oo--bbbbbb", [("enforced", 1.5)], [("enforced", Wait(2.5, True))]),
    ("oo--------", [("enforced", 2.5)], [("enforced", None)]),
    ("oooo------", [("enforced", 1.5)], [("enforced", Wait(2.5, False))]),
    ("oobbbbbooo", [("enforced", 1.5), ("withdrawn", 5.5)], [("enforced", Wait(0.5, True)), ("withdrawn", Wait(1.5, True))]),
    ("oobbbbbbbb", [("enforced", 0.5), ("withdrawn", 5.5)], [("enforced", Wait(1.5, True)), ("withdrawn", Wait(3.5, False))]),
    ("oobb", [("enforced", -1.0), ("withdrawn", 9.0)], []),
    ("o", [("enforced", 0.0)], []),
]


@pytest.mark.parametrize(("asks", "events", "expected"), CASES)
def test_waits(asks: str, events: list[tuple[str, float]], expected: list[tuple[str, Wait | None]]) -> None:
    assert list(waits(watch(asks), _events(events))) == expected
    assert slowly(asks, events) == expected


@settings(deadline=None, max_examples=400)
@given(
    st.text("ob-d", min_size=1, max_size=30),
    st.lists(st.integers(-4, 62), min_size=0, max_size=3, unique=True).map(lambda found: sorted(each / 2 + 0.25 for each in found)),
    st.booleans(),
)
def test_waits_are_what_a_slow_account_says(asks: str, instants: list[float], first: bool) -> None:
    events = [("enforced" if (number % 2 == 0) is first else "withdrawn", at) for number, at in enumerate(instants)]
    found = list(waits(watch(asks), _events(events)))
    assert found == slowly(asks, events)
    assert all(wait is None or 0 <= wait.seconds <= len(asks) for _, wait in found)


def _events(given: Sequence[tuple[str, float]]) -> list[Event]:
    return [Event(what, BEGAN + round(at * SECOND), None) for what, at in given]  # type: ignore[arg-type]


def watched(directory: Path, asks: Sequence[str]) -> Study:
    """A study with a watch on each of so many names, at one resolver."""
    given = [names.make(f"n{number}.d{number}.test", match="subtree", list="orders") for number in range(len(asks))]
    watching = replace(vector("A"), id="time-cached", family="time")
    resolvers = [resolver("ours", "tested"), resolver("one")]
    of = study.create(directory, *plan.make([names.make("ok.example", "canary"), *given], [watching], resolvers, seed=7, as_of=AS_OF, repeats=1))
    columns: dict[str, list[Any]] = {field: [] for field in classify.SCHEMA.names}
    for number in range(of.plan.trials):
        trial = of.plan.trial(number)
        name = of.names[trial.name].name.to_text(omit_final_dot=True)
        evidence = json.dumps({"watch": watch(asks[int(name[1 : name.index(".")])])}) if name.startswith("n") else "{}"
        row = (number, "R06", "ok", evidence, None, None, name, "time-cached", of.plan.resolvers[trial.resolver].id, 0, "local", True)
        for column, value in zip(columns.values(), row, strict=True):
            column.append(value)
    parts.write(of.classification("red-hand-1") / parts.name(1), pa.table(columns, classify.SCHEMA), {"plan": of.plan.id})
    return of


def test_a_study_of_watches_has_curves_and_percentiles(tmp_path: Path) -> None:
    of = watched(tmp_path / "study", ["oobbbbbb", "ooobbbbb", "ooooobbb", "oooooooo", "bbbbbbbb"])
    estimates.make(of)
    assert estimates.make(of)["delays"] == [], "without the instants of the orders, nothing is known of waits"
    events = [{"what": "enforced", "at": BEGAN + SECOND}, {"what": "withdrawn", "at": BEGAN + 6 * SECOND, "names": ["other.test."]}]
    (of.directory / CLOCK).write_text(json.dumps({"events": events}), encoding="utf-8")
    (row,) = estimates.make(of)["delays"]
    assert (row["resolver"], row["vector"], row["what"]) == ("ours", "time-cached", "enforced")
    assert (row["waits"], row["ended"], row["unseen"], row["watched"]) == (4, 3, 1, 6.0)
    assert (row["p50"], row["p95"], row["p99"]) == (2.0, None, None), "one of four never ended: the slowest are not known"
    with database.connect(of) as base:
        steps = base.sql("SELECT seconds, at_risk, ended, survival FROM survival ORDER BY seconds").fetchall()
        # Watches over time are no trials of a way round.
        assert base.sql("SELECT DISTINCT measure FROM estimates").fetchall() == []
    assert steps == [(0, 4, 0, 1), (1, 4, 1, 0.75), (2, 3, 1, 0.5), (4, 2, 1, 0.25), (6, 1, 0, 0.25)]


@pytest.mark.parametrize("text", ["{", "[]", '{"events": [{"what": "begun", "at": 1}]}', '{"events": [{"what": "enforced"}]}'])
def test_a_clock_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    of = watched(tmp_path / "study", ["o"])
    (of.directory / CLOCK).write_text(text, encoding="utf-8")
    with pytest.raises(StoreError, match=r"clock\.json"):
        clock(of)
