"""OONI's rules for DNS, written anew from their description, so that their verdicts and ours can be scored on the same observations. Pure.

Three sets, each with one control where OONI has one: Web Connectivity 0.4 and 0.5 (`test_keys.blocking`, ooni/spec ts-017) and the back end's
(`oonidata`, first match wins). What they take from a fetched page we do not have, because nothing is fetched: an inconsistent answer counts as
blocked. They know A and AAAA alone, so that all else is insufficient to them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from porosity.readings import ADDRESSES
from porosity.rules import trials
from porosity.rules.canaries import Canaries
from porosity.rules.facts import nobodys, shown
from porosity.rules.lazy import lazy
from porosity.rules.ours import Rule
from porosity.rules.scene import Scene, Seen, Trial
from porosity.words import State, Verdict

_NXDOMAIN = 3


class Answer:
    """A trial's first question for an address, as OONI looks at it."""

    def __init__(self, scene: Scene, trial: Trial, seen: Seen) -> None:
        self.scene = scene
        self.seen = seen
        self.addresses = seen.reading.addresses
        self.failed = bool(seen.reading.failure) or seen.reading.rcode != 0 or not self.addresses
        self._trial = trial

    @lazy
    def controls(self) -> list[Seen]:
        """All that controls answered to the same."""
        place = self.seen.observation.ask
        return [
            seen for each in self.scene.trials
            if each.vector.id == self._trial.vector.id and each.resolver.role == "control" and each.resolver.id != self._trial.resolver.id
            for seen in each.asks if seen.observation.ask == place and not seen.reading.failure
        ]  # fmt: skip

    @lazy
    def control(self) -> frozenset[bytes]:
        """The addresses of the one control: the first that answered."""
        return self.controls[0].reading.addresses if self.controls else frozenset()

    @lazy
    def all_controls(self) -> frozenset[bytes]:
        """Those of all."""
        return frozenset().union(*(each.reading.addresses for each in self.controls))

    def same_network(self, theirs: frozenset[bytes]) -> bool:
        """Whether an address is in an autonomous system that one of theirs is in, by the table given."""
        table = self.scene.known.networks
        if table is None:
            return False
        numbers = {found.asn for each in theirs if (found := table.find(each))}
        return any((found := table.find(each)) is not None and found.asn in numbers for each in self.addresses)

    @lazy
    def certified(self) -> bool | None:
        """Whether a server at one of its addresses proved by TLS to be the name's; None: nobody looked."""
        proved = self.scene.known.certified
        if proved is None or not self.addresses:
            return None
        name = self.scene.name.name.to_text(omit_final_dot=True)
        return any((name, each) in proved for each in self.addresses)

    @property
    def denied(self) -> bool:
        """Whether it says that there is no such name."""
        return not self.seen.reading.failure and self.seen.reading.rcode == _NXDOMAIN


@dataclass(frozen=True)
class OoniRule(Rule):
    """A rule of OONI's, which looks at an Answer."""

    test: Callable[[Answer], object] = field(repr=False, default=lambda answer: True)
    confidence: float | None = None
    """What its back end gives to the state."""


def _rule(id: str, state: State, says: str, test: Callable[[Answer], object], confidence: float | None = None) -> OoniRule:
    return OoniRule(id, state, says, _never, test, confidence)


def _never(case: object) -> bool:
    raise AssertionError("these rules look at answers")


_NOT_ASKED = _rule("00", "insufficient", "No question for an address: these rules do not look at it.", lambda a: False)


def _web(*more: OoniRule) -> tuple[OoniRule, ...]:
    return (
        _NOT_ASKED,
        _rule("01", "insufficient", "No control answered.", lambda a: not a.controls),
        _rule("02", "insufficient", "Neither has an answer: consistent, and nothing to reach.", lambda a: a.failed and not a.control),
        _rule("03", "blocked", "No addresses, where the control has some: inconsistent.", lambda a: a.failed),
        _rule("04", "blocked", "Addresses, where the control has none: inconsistent.", lambda a: not a.control),
        _rule("05", "ok", "An address in an autonomous system of the control's: consistent.", lambda a: a.same_network(a.control)),
        _rule("06", "ok", "An address of the control's: consistent.", lambda a: a.addresses & a.control),
        *more,
        _rule("09", "blocked", "None of the control's addresses or networks: inconsistent.", lambda a: True),
    )


_BACKEND = (
    _NOT_ASKED,
    _rule(
        "01",
        "blocked",
        "The fingerprint of a block page.",
        lambda a: a.addresses & (a.scene.known.landing | a.scene.known.block_pages.keys()),
        1.0,
    ),
    _rule("02", "ok", "TLS proved an address to be the name's.", lambda a: a.certified, 1.0),
    _rule("03", "blocked", "A bogon, which no control has.", lambda a: any(map(nobodys, a.addresses - a.all_controls)), 0.95),
    _rule("04", "blocked", "TLS did not prove it, and no control has it.", lambda a: a.certified is False and not a.addresses & a.all_controls, 0.9),
    _rule("05", "ok", "An address of a control's.", lambda a: a.addresses & a.all_controls, 0.9),
    _rule("06", "ok", "An address in an autonomous system of a control's.", lambda a: a.same_network(a.all_controls), 0.8),
    _rule("07", "blocked", "A failure, where controls succeed.", lambda a: a.failed and a.all_controls, 0.9),
    _rule("08", "insufficient", "No control has an address: as likely blocked as not.", lambda a: not a.all_controls, 0.5),
    _rule("09", "blocked", "An answer that matches no control's.", lambda a: True, 0.75),
)


class Ooni:
    """One of OONI's sets of rules."""

    def __init__(self, version: str, prefix: str, rules: Sequence[OoniRule]) -> None:
        self.version = version
        self.rules: list[OoniRule] = [OoniRule(prefix + each.id, each.state, each.says, _never, each.test, each.confidence) for each in rules]

    def verdicts(self, scene: Scene, canaries: Canaries) -> Iterator[tuple[Trial, Verdict, bool]]:
        """Each trial with its verdict. They know no order's reach: what one covers is told as by ours, so that rates are of the same trials."""
        covered = trials.covered(scene, canaries)
        for trial in scene.trials:
            yield trial, self._verdict(scene, trial), covered[trial.number]

    def _verdict(self, scene: Scene, trial: Trial) -> Verdict:
        asking = [each for each in trial.here if each.asked.types and each.asked.types <= ADDRESSES]
        if not asking or trial.vector.kind != "data":
            return Verdict(trial.number, self.rules[0].id, "insufficient", "{}")
        answer = Answer(scene, trial, asking[0])
        rule = next(each for each in self.rules[1:] if each.test(answer))
        evidence: dict[str, Any] = {"ask": asking[0].observation.ask, "got": asking[0].reading.failure or asking[0].reading.called}
        if answer.addresses:
            evidence["has"] = sorted(map(shown, answer.addresses))
        if answer.controls:
            evidence["control"] = sorted(map(shown, answer.all_controls))
        if rule.confidence is not None:
            evidence["confidence"] = f"{rule.confidence}"
        return Verdict(trial.number, rule.id, rule.state, json.dumps(evidence, separators=(",", ":")))


ALL: tuple[Ooni, ...] = (
    Ooni("ooni-0.4", "W4-", _web()),
    Ooni("ooni-0.5", "W5-", _web(_rule("07", "ok", "TLS proved an address to be the name's.", lambda a: a.certified))),
    Ooni("ooni-backend", "B-", _BACKEND),
)
"""All of OONI's here."""
