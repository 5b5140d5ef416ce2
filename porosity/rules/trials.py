"""From the asks of a trial to its verdict: which ask counts, what signals say, and what the verdict rests on. Pure.

Of several asks one that reached the target decides, for one way is enough; else one that was blocked, then one that was down. A watch over time
(the vectors of time) ends as its last telling ask did, and keeps when its state changed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from porosity.readings import ADDRESSES, ANY
from porosity.rules import signals
from porosity.rules.canaries import Canaries
from porosity.rules.facts import shown
from porosity.rules.ours import Case, Rule, judge
from porosity.rules.scene import BLOCKING, Scene, Trial
from porosity.words import State, Verdict

_STATES: tuple[State, ...] = ("ok", "blocked", "down", "insufficient")
"""Which ask of a trial decides: the first in the first of these states."""
_MOST = 8
"""Values of one kind that evidence holds."""
_SILENT_ABOUT = frozenset((0, 4, 29))
"""INFO-CODEs that say nothing against a block: Other, Forged Answer, Synthesized (RFC 8914, section 4; IANA)."""


_json = json.JSONEncoder(separators=(",", ":")).encode


class Judged(NamedTuple):
    """One ask, judged."""

    case: Case
    rule: Rule


def verdicts(scene: Scene, canaries: Canaries) -> Iterator[tuple[Trial, Verdict, bool]]:
    """Each trial of a name with its verdict, and whether the order covers what it asks for."""
    for trial, judged, chosen in _judged(scene, canaries):
        yield trial, _verdict(scene, trial, judged, chosen), chosen.case.covered


def covered(scene: Scene, canaries: Canaries) -> Mapping[int, bool]:
    """By trial, whether the order covers what it asks for: the same for whoever judges it."""
    return {trial.number: chosen.case.covered for trial, _, chosen in _judged(scene, canaries)}


def _judged(scene: Scene, canaries: Canaries) -> list[tuple[Trial, list[Judged], Judged]]:
    """Each trial with its asks, judged, and the one that decides."""
    found = []
    for trial in scene.trials:
        judged = _asks(scene, trial, canaries)
        found.append((trial, judged, _last(judged) if trial.vector.family == "time" else _first(judged)))
    return found


def _asks(scene: Scene, trial: Trial, canaries: Canaries) -> list[Judged]:
    """The asks that count, each with its rule."""
    here = [Case(scene, trial, seen, canaries) for seen in trial.here]
    # The controls' first answer is the name's data; later ones come from the other resolver.
    there = [Case(scene, trial, seen, canaries, like=0) for seen in trial.elsewhere]
    if trial.vector.kind == "signal":
        return [Judged(case, signals.signal(case)) for case in here]
    if trial.vector.id.endswith("flag-no-rd") and len(here) > 1:
        here = here[1:]  # the first only brought the name into caches
    if not there:
        return [Judged(case, judge(case)) for case in here]
    if trial.vector.id.endswith("failover-moves-on") and here and not signals.fails(here[0]):
        return [Judged(here[0], signals.ended(here[0]))]
    return [Judged(case, signals.reached_elsewhere(case)) for case in there]


def _first(judged: Sequence[Judged]) -> Judged:
    return min(judged, key=lambda each: _STATES.index(each.rule.state))


def _last(judged: Sequence[Judged]) -> Judged:
    return next((each for each in reversed(judged) if each.rule.state in ("ok", "blocked")), judged[-1])


def _verdict(scene: Scene, trial: Trial, judged: Sequence[Judged], chosen: Judged) -> Verdict:
    case, rule = chosen
    evidence = _evidence(chosen)
    if len(judged) > 1:
        if trial.vector.family == "time":
            evidence["watch"] = _changes(judged)
        else:
            evidence["asks"] = [each.rule.id for each in judged[:_MOST]]
    text = _json(evidence)
    if rule.state != "blocked" or trial.vector.kind == "signal":
        return Verdict(trial.number, rule.id, rule.state, text)
    return Verdict(trial.number, rule.id, rule.state, text, _landing(case), _ede(case))


def _landing(case: Case) -> bool | None:
    """Whether the block led to the page; None where the page has no address of the type asked for, or the study does not name it."""
    types = case.seen.asked.types
    lengths = {len(each) for each in case.scene.known.landing}
    wanted = {4 for each in (1, ANY) if each in types} | {16 for each in (28, ANY) if each in types}
    if not wanted & lengths or not types <= ADDRESSES | {ANY}:
        return None
    return bool(case.reading.addresses & case.scene.known.landing)


def _ede(case: Case) -> bool | None:
    """Whether it said why, and nothing against it; None where the question had no OPT record to be answered with one."""
    if not case.seen.asked.opt:
        return None
    said = set(case.reading.ede)
    return len(said & BLOCKING) == 1 and said - BLOCKING <= _SILENT_ABOUT


def _evidence(judged: Judged) -> dict[str, Any]:
    """What a verdict rests on: the ask and what came of it, which asks of which controls, and their values."""
    case = judged.case
    found: dict[str, Any] = {"ask": case.seen.observation.ask, "got": _got(case)}
    if case.controls:
        found["controls"] = {each.observation.resolver: [each.observation.trial, each.observation.ask] for each in case.controls}
        found["has"] = _values(case.shown)
        found["said"] = sorted({each.reading.called for each in case.controls})
    if judged.rule.id == "R07":
        found["elsewhere"] = _values(case.items & case.pool)
    if case.reading.failure or case.error:
        found["canaries"] = dict(case.canaries)
        if case.streak:
            found["streak"] = case.streak._asdict()
    if case.reading.failure:
        found["alive"] = case.alive
    return found


def _got(case: Case) -> dict[str, Any]:
    reading = case.reading
    if reading.failure:
        return {"failure": reading.failure}
    found: dict[str, Any] = {"rcode": reading.called}
    for key, value in (("has", _values(case.items)), ("ede", list(reading.ede)), ("zone", reading.zone), ("truncated", reading.truncated)):
        if value:
            found[key] = value
    return found


def _values(items: frozenset[object]) -> list[str]:
    texts = sorted(shown(each) if isinstance(each, bytes) else each[1] for each in items)  # type: ignore[index]
    return texts[:_MOST]


def _changes(judged: Sequence[Judged]) -> list[list[Any]]:
    """When each state of a watch began, in microseconds since 1970, with the ask; and last, when the watch ended."""
    found: list[list[Any]] = []
    for each in judged:
        observation = each.case.seen.observation
        if not found or found[-1][2] != each.rule.state:
            found.append([observation.sent_at, observation.ask, each.rule.state])
    last = judged[-1].case.seen.observation
    found.append([last.sent_at, last.ask, "end"])
    return found
