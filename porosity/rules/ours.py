"""Red Hand's rules, version 2: what one ask of a trial shows, beside its controls and canaries. In their order; the first that holds decides. Pure.

A rule's id is never given to another rule. What no rule can tell is insufficient, never a guess: an address that differs from the controls' is no
block by itself, because sites answer differently in different places (of detections made so, one study found 72 % false: CERTainty, 2023).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import dns.name

from porosity.readings import ADDRESSES, Reading
from porosity.rules import faults
from porosity.rules.canaries import Canaries, outcome
from porosity.rules.facts import nobodys
from porosity.rules.faults import LEVEL, Streak
from porosity.rules.lazy import lazy
from porosity.rules.scene import BLOCKING, Scene, Seen, Trial
from porosity.words import Name, State

VERSION = "red-hand-2"

ENOUGH = 2
"""Controls that must agree, where a verdict rests on what came not."""

PASSES = 1232
"""Octets of a datagram that hardly any path cuts (DNS flag day 2020); larger answers are lost for their size, and for some names alone."""

_NXDOMAIN, _SERVFAIL = 3, 2
_TROUBLE = frozenset((*range(6, 13), 22, 23))
"""INFO-CODEs by which a resolver says that it failed: DNSSEC, nobody reached, network (RFC 8914, sections 4.7 to 4.13, 4.23, 4.24)."""


class Case:
    """One ask of a trial, and what is known beside it."""

    def __init__(self, scene: Scene, trial: Trial, seen: Seen, canaries: Canaries, like: int | None = None) -> None:
        """`like`: the ask of the controls to compare with; None: the same."""
        self.scene, self.trial, self.seen, self._canaries = scene, trial, seen, canaries
        self.reading: Reading = seen.reading
        self.items = seen.items
        self._like = seen.observation.ask if like is None else like

    @lazy
    def controls(self) -> list[Seen]:
        """What controls answered."""
        return self.scene.controls(self.trial, self._like)

    @lazy
    def shown(self) -> frozenset[object]:
        """What controls have, asked the same."""
        return frozenset().union(*(each.items for each in self.controls))

    @lazy
    def pool(self) -> frozenset[object]:
        """What controls have of this name, however asked."""
        return self.scene.pool(self.trial)

    @lazy
    def target(self) -> frozenset[object]:
        """What is in the answer that controls have, too."""
        return self.items & self.shown or self.items & self.pool

    @lazy
    def outside(self) -> bool:
        """Whether other names are asked for than the order covers, that are names by themselves.

        Those above the order's are, and those below where it covers only its own. Any other that it does not cover (a spelling) is, where controls
        have data for it; where they have none, only who takes it for the order's name has the target's data for it. An alias leads to the name.
        """
        name, vector = self.scene.name, self.trial.vector
        if name.group not in ("listed", "below") or vector.kind == "signal" or "zone" in vector.needs or not self.seen.asked.names:
            return False
        if any(_covers(name, asked) for asked in self.seen.asked.names) or self.ordered:
            return False
        return bool(self.shown) or all(_akin(name.name, asked) for asked in self.seen.asked.names)

    @property
    def ordered(self) -> bool:
        """Whether some order in force covers a name that is asked for, be it that of the trial's own name or another."""
        return any(map(self.scene.orders.cover, self.seen.asked.names))

    @property
    def covered(self) -> bool:
        """Whether an order covers what is asked for, so that to block it is right, and to answer it a leak."""
        if self.scene.name.group in ("listed", "below"):
            return not self.outside
        return self.trial.vector.kind == "data" and self.ordered

    @lazy
    def canaries(self) -> Counter[str]:
        """What the same ask got for canaries."""
        return self._canaries.gets(self.trial.resolver.id, self.trial.vector.id, self.seen.observation.ask)

    @lazy
    def alive(self) -> bool | None:
        """Whether the endpoint answered canaries about then."""
        return self._canaries.alive(self.seen.observation.endpoint, self.seen.observation.sent_at)

    @lazy
    def known_there(self) -> int:
        """How many controls say that there is such a name."""
        return sum(each.reading.rcode == 0 for each in self.controls)

    @lazy
    def having(self) -> int:
        """How many controls have what was asked for."""
        return sum(bool(each.items) for each in self.controls)

    @property
    def denied(self) -> bool:
        """Whether the answer says that there is no such name or no such record."""
        return not self.items and self.reading.rcode in (0, _NXDOMAIN) and not self.reading.truncated

    @property
    def error(self) -> str:
        """The RCODE's name, where that is an error."""
        found = outcome(self.reading)
        return "" if found in ("answer", "silence") else found

    @lazy
    def streak(self) -> Streak | None:
        """That the same fault, silence or this error, came again for this name; None when it did not."""
        if not (self.reading.failure or self.error):
            return None
        observation, known = self.seen.observation, self.scene.learned.faults
        kind = faults.SILENCE if self.reading.failure else faults.kind(self.reading.rcode)
        if self.trial.vector.family == "time":
            return known.watch(observation.endpoint, kind, self._alike())
        return known.streak(self.trial.number, observation.ask, kind)

    def _alike(self) -> int:
        """How many asks of the watch, this among them and one after the other, had the same fault."""
        asks = self.trial.here
        place = next(place for place, each in enumerate(asks) if each is self.seen)
        first = last = place
        while first and outcome(asks[first - 1].reading) == outcome(self.reading):
            first -= 1
        while last + 1 < len(asks) and outcome(asks[last + 1].reading) == outcome(self.reading):
            last += 1
        return last - first + 1

    @property
    def kept_up(self) -> bool:
        """Whether the fault came again, and chance does not bring such a streak."""
        return self.streak is not None and self.streak.chance <= LEVEL

    @property
    def too_large(self) -> bool:
        """Whether it was asked by datagram, and a control's answer is of a size that may be lost on the way."""
        return "://" not in self.seen.observation.endpoint and any(len(each.observation.answer) > PASSES for each in self.controls)

    @lazy
    def foreign(self) -> bool:
        """Whether a denial comes from a zone that the name is not in (RFC 2308, section 2), and no control says so."""
        zone = self.reading.zone
        if not self.denied or not zone or not self.seen.asked.names or any(each.reading.zone == zone for each in self.controls):
            return False
        above = dns.name.from_text(zone)
        ways = [*self.seen.asked.names, *map(dns.name.from_text, self.reading.aliases)]
        return not any(name.is_subdomain(above) for name in ways)

    @lazy
    def near(self) -> bool:
        """Whether an address is in a network that a control's address is in."""
        theirs = [each for each in self.shown | self.pool if isinstance(each, bytes)]
        return self.scene.known.near(self.reading.addresses, theirs)

    @property
    def unproven(self) -> bool:
        """Whether the name is signed, for all that is seen, and no control found its signatures good: it may be bogus for who looks."""
        return self.scene.signed and not self.scene.secure

    @property
    def aliased(self) -> bool:
        """Whether the answer leads through an alias that a control's leads through, and that no order covers: behind one that is, a block begins."""
        shared = self.reading.aliases & frozenset().union(*(each.reading.aliases for each in self.controls))
        return any(not self.scene.orders.cover(dns.name.from_text(each)) for each in shared)

    @lazy
    def unrelated(self) -> frozenset[bytes]:
        """Addresses that the resolver gives for names that have nothing to do with one another."""
        return self.reading.addresses & self.scene.learned.unrelated.get(self.trial.resolver.id, frozenset())

    @property
    def doubtful(self) -> bool:
        """Whether it gives an address that may as well be a page's as a content network's."""
        return bool(self.reading.addresses & self.scene.learned.doubtful.get(self.trial.resolver.id, frozenset()))


@dataclass(frozen=True)
class Rule:
    """One rule."""

    id: str
    state: State
    says: str
    """What holds when it does, in one sentence."""
    holds: Callable[[Case], object] = field(repr=False)


def _covers(name: Name, asked: dns.name.Name) -> bool:
    return asked == name.name or (name.match != "exact" and asked.is_subdomain(name.name))


def _akin(one: dns.name.Name, other: dns.name.Name) -> bool:
    return one.is_subdomain(other) or other.is_subdomain(one)


RULES: tuple[Rule, ...] = (
    Rule("R01", "insufficient", "Nobody was asked: the resolver cannot be reached so.", lambda c: c.reading.failure == "not sent"),
    Rule(
        "R02",
        "down",
        "No answer came, and none to canaries by the same way or about the same time: the way is down.",
        lambda c: c.reading.failure and (c.alive is False or (c.canaries and not c.canaries["answer"])),
    ),
    Rule(
        "R26",
        "blocked",
        "No answer came to this name, again and again, which chance does not bring: canaries got theirs, and two controls know the name.",
        lambda c: c.reading.failure and c.alive and c.canaries["answer"] and c.known_there >= ENOUGH and c.kept_up and not c.too_large,
    ),
    Rule("R04", "insufficient", "No answer came, and nothing shows whose fault that is.", lambda c: c.reading.failure),
    Rule("R05", "ok", "The target's data, by a name that the order does not cover: the order's reach, no leak.", lambda c: c.target and c.outside),
    Rule("R06", "ok", "The target's data, as a control that was asked the same has it.", lambda c: c.items & c.shown),
    Rule("R07", "ok", "The target's data, as a control has it that was asked otherwise.", lambda c: c.items & c.pool),
    Rule("R08", "blocked", "An address of the page that the study names.", lambda c: c.reading.addresses & c.scene.known.landing),
    Rule("R09", "blocked", "The answer says so: Extended DNS Error 15, 16 or 17.", lambda c: BLOCKING & set(c.reading.ede)),
    Rule(
        "R10", "blocked", "An address that a fingerprint knows for a block page's.", lambda c: c.reading.addresses & c.scene.known.block_pages.keys()
    ),
    Rule(
        "R11",
        "blocked",
        "An address that no site on the internet has, and no control gives.",
        lambda c: c.controls and any(map(nobodys, c.reading.addresses)),
    ),
    Rule(
        "R30",
        "blocked",
        "An address that this resolver gives for unrelated names that are at home in other networks, and no control for any; behind no alias.",
        lambda c: c.unrelated and not c.aliased,
    ),
    Rule("R13", "insufficient", "A truncated answer without data: it bids the client ask by TCP.", lambda c: c.reading.truncated and not c.items),
    Rule(
        "R14",
        "insufficient",
        "An error, as from every control: nobody answers such a question.",
        lambda c: c.error and c.controls and all(outcome(each.reading) != "answer" for each in c.controls),
    ),
    Rule("R15", "down", "An error, as canaries get by this way: it is not served.", lambda c: c.error and c.canaries[c.error] > c.canaries["answer"]),
    Rule(
        "R16",
        "down",
        "SERVFAIL, and an Extended DNS Error that says what else went wrong.",
        lambda c: c.reading.rcode == _SERVFAIL and _TROUBLE & set(c.reading.ede),
    ),
    Rule(
        "R27",
        "blocked",
        "The same error for this name, again and again, which chance does not bring: canaries got answers, and two controls know the name.",
        lambda c: c.error and c.canaries["answer"] and c.known_there >= ENOUGH and c.kept_up and not (c.reading.rcode == _SERVFAIL and c.unproven),
    ),
    Rule(
        "R28",
        "insufficient",
        "An error that did not come again, or may be chance, or a validating resolver's for signatures that no control found good.",
        lambda c: c.error and not c.items,
    ),
    Rule(
        "R33",
        "insufficient",
        "A denial, as canaries get by this way of what controls have: nobody is given such data here.",
        lambda c: c.denied and c.canaries["lacked"] and not c.canaries["had"],
    ),
    Rule("R18", "blocked", "A denial from a zone that the name is not in: it was made by who answered.", lambda c: c.foreign),
    Rule(
        "R19",
        "blocked",
        "No such name, which two controls know and none denies.",
        lambda c: c.reading.rcode == _NXDOMAIN and c.known_there >= ENOUGH and c.known_there == len(c.controls),
    ),
    Rule(
        "R20",
        "blocked",
        "No such record, which two controls have and none lacks.",
        lambda c: c.denied and c.reading.rcode == 0 and c.having >= ENOUGH and c.having == len(c.controls),
    ),
    Rule("R21", "insufficient", "Nothing to leak: what was asked for, no control has either.", lambda c: not c.items and c.controls and not c.having),
    Rule(
        "R31",
        "ok",
        "An address in the network of a control's, which the resolver does not give for unrelated names.",
        lambda c: c.seen.asked.types <= ADDRESSES and c.near and not c.doubtful,
    ),
    Rule(
        "R32",
        "ok",
        "Other addresses, behind the same alias as a control's, which no order covers.",
        lambda c: c.reading.addresses and c.aliased,
    ),
    Rule(
        "R24",
        "insufficient",
        "Data that no control has, and nothing shows whose it is.",
        lambda c: c.items and len(c.controls) >= ENOUGH,
    ),
    Rule("R25", "insufficient", "Too few controls to tell, or controls that disagree.", lambda c: True),
)


def judge(case: Case) -> Rule:
    """The first rule that holds."""
    return next(rule for rule in RULES if rule.holds(case))
