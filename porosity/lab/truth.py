"""What was so, trial by trial: from the deeds of those who answered, and from the zones, which say what is a target's. No control is needed for it.

Two ways are taken and must agree: a scripted resolver wrote down what it did; and whatever a resolver is, its answer is held against the zones, which
alone have the target's data. Where they do not agree the lab is wrong, and says so rather than scoring anybody.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from porosity.lab.deeds import Cover
from porosity.lab.world import World
from porosity.lab.zones import Zones
from porosity.plan import Declared, Plan
from porosity.words import Observation, Resolver

State = Literal["ok", "blocked", "down", "nothing"]
"""As words.State; `nothing`: the zones have nothing for what was asked, so that nothing could leak or be kept."""

BESIDE = {"failover": "second-resolver", "other resolvers": "other-resolver"}
"""By family: what is planted when the target's data comes from a resolver beside the tested one."""

FRESH = ("name-random", "spelling-longest")
"""Vectors whose names are new each time."""

_ALIASES = (dns.rdatatype.CNAME, dns.rdatatype.DNAME)
_TC = 0x02
"""Of the third octet: the answer was cut off."""
_FAILED = (dns.rcode.SERVFAIL, dns.rcode.NOTIMP, dns.rcode.REFUSED, dns.rcode.FORMERR)
"""Answers after which a stub asks the next resolver."""


class Written(NamedTuple):
    """A deed, as it was written down."""

    at: int
    kind: str
    covered: bool
    data: bool
    leak: str


@dataclass(frozen=True)
class Truth:
    """What was so of one trial."""

    trial: int
    state: State
    covered: bool
    """Whether an order covered what was asked for, or where it led."""
    kept: bool
    """Whether the resolver blocked, whatever there was to be kept."""
    leak: str
    """The planted leak by which the target's data went out; empty: none, or none that was planted."""
    agree: bool
    """Whether deed and answer say the same."""


class Deeds:
    """All deeds of a lab, found by who did them and the question's octets."""

    def __init__(self, files: Iterable[Path]) -> None:
        self._found: dict[tuple[str, bytes], list[Written]] = defaultdict(list)
        self.by: set[str] = set()
        """Who wrote any file: scripted resolvers."""
        for file in files:
            self.by.add(file.parent.name)
            with file.open(encoding="ascii") as lines:
                for line in lines:
                    each = json.loads(line)
                    written = Written(each["at"], each["kind"], each["covered"], each["data"], each["leak"])
                    self._found[each["by"], bytes.fromhex(each["query"])].append(written)

    def find(self, by: str, row: Observation) -> Written | None:
        """The deed that an observation is of: of several with the same octets, the one nearest to its sending."""
        found = self._found.get((by, row.query))
        return min(found, key=lambda each: abs(each.at - row.sent_at)) if found else None


class Judge:
    """Tells what was so."""

    def __init__(
        self,
        world: World,
        plan: Plan,
        deeds: Deeds,
        clocked: bool = False,
        reached: Collection[str] | None = None,
        rough: Collection[str] = (),
    ) -> None:
        """`clocked`: orders began and ended while it was measured, so that only deeds tell what was covered. `reached`: names that the authoritative
        servers were asked for, where there are any. `rough`: resolvers whose line loses answers, too.
        """
        self._rough = rough
        self._clocked = clocked
        self._reached = reached
        self._zones = Zones(world.zones)
        self._world = world
        self._bogus = [dns.name.from_text(each) for each in world.bogus]
        self._cover = Cover({dns.name.from_text(each.name): (each.match, 0.0) for each in world.orders})
        self._plan = plan
        self._deeds = deeds
        self._by = {str(endpoint): each.id for each in plan.resolvers for endpoint in each.endpoints}

    def cell(self, rows: Sequence[Observation]) -> Iterator[Truth]:
        """The truth of each trial of a cell that a tested resolver or a control has. `rows`: the cell's observations in order."""
        trials: dict[int, list[Observation]] = {}
        for row in rows:
            trials.setdefault(row.trial, []).append(row)
        for number, asks in trials.items():
            trial = self._plan.trial(number)
            yield self._trial(number, self._plan.vectors[trial.vector], self._plan.resolvers[trial.resolver], asks)

    def _trial(self, number: int, vector: Declared, resolver: Resolver, asks: Sequence[Observation]) -> Truth:
        seen = [self._ask(row) for row in _counted(vector.id, asks) if row.failure != "not sent"]
        stale = ""
        if vector.family == "time":  # a watch ends as its last ask does
            stale = next((each.leak for each in seen if each.leak), "")
            seen = seen[-1:]
        covered = any(each.covered for each in seen)
        agree = all(each.agree for each in seen)
        reached = next((each for each in seen if each.data), None)
        state: State
        if reached is not None:
            state = "ok"
        elif seen and all(each.down for each in seen):
            state = "down"
        elif any(each.had for each in seen):
            state = "blocked"
        else:
            state = "nothing"
        if vector.id.startswith("dnssec-bogus"):
            state = _bogus(state, seen)
        leak = stale or (reached.leak if reached else "")
        if state == "ok" and covered and vector.family in BESIDE and resolver.role == "tested":
            leak = BESIDE[vector.family]
        return Truth(number, state, covered, any(each.kept for each in seen), leak, agree)

    def _ask(self, row: Observation) -> _Seen:
        """What was so of one ask."""
        by = self._by.get(row.endpoint, "")
        deed = self._deeds.find(by, row)
        message = _read(row.query)
        if message is None or len(message.question) != 1 or message.question[0].rdclass != dns.rdataclass.IN or message.edns > 0:
            had, covered, data = self._unusual(row)
            signed = bogus = False
        else:
            name, type = message.question[0].name.canonicalize(), message.question[0].rdtype
            found = self._zones.find(name, type, bool(message.ednsflags & dns.flags.DO))
            had = found.data and not found.only_leads(lambda each: self._cover.reach(each)[0])
            signed = any(each.rdtype == dns.rdatatype.RRSIG for each in found.answer)
            covered = any(self._cover.reach(each)[0] for each in found.chain)
            bogus = any(each.is_subdomain(domain) for each in found.chain for domain in self._bogus)
            data = self._data(row, _keys(found.answer + found.additional) if had else frozenset())
        if not data and not row.failure and row.answer[2] & _TC:
            had = False  # it was cut off, and bids the client come by TCP: nothing is kept from it
        if deed is None:
            # What is refused although nothing covers it is not there for who asks; what is refused and covered is kept.
            agree = by not in self._deeds.by or bool(row.failure)
            if self._reached is not None and data and row.vector in FRESH and message is not None:
                # Nobody has asked for this name before: who has its data had the question reach the names' own server.
                agree = agree and message.question[0].name.canonicalize().to_text(omit_final_dot=True) in self._reached
            rcode = _rcode(row)
            # Who validates fails there, whether he blocks or not; who blocks otherwise is known by that.
            failed = bool(row.failure) or (had and not covered and rcode in _FAILED) or (bogus and rcode == dns.rcode.SERVFAIL)
            return _Seen(
                had,
                covered,
                data,
                failed,
                covered and not data and not failed,
                "",
                by not in self._deeds.by or bool(row.failure),
                signed,
                bogus,
                bool(row.failure),
            )
        if row.failure and by in self._rough:
            deed = deed._replace(kind="lost", data=False, leak="")
        if self._clocked:
            covered = deed.covered
        down = deed.kind in ("silent", "lost")
        # A planted leak of what the zones have nothing for opens nothing.
        agree = (deed.data == data or not had) and (deed.covered == covered or deed.kind in ("silent", "refused", "lost"))
        return _Seen(had, covered, data, down, deed.kind in ("blocked", "lied"), deed.leak, agree, signed, bogus, bool(row.failure))

    def _unusual(self, row: Observation) -> tuple[bool, bool, bool]:
        """Of a question that the zones are not asked in this form: what an address of a site in the answer says."""
        data = self._data(row, frozenset())
        return data, data, data

    def _data(self, row: Observation, keys: frozenset[Any]) -> bool:
        """Whether there is any of the target's data in an answer."""
        message = _read(row.answer) if not row.failure else None
        if message is None:
            return False
        sections = message.answer + message.additional
        return bool(_keys(sections) & keys) or any(self._world.target(each) for each in _addresses(sections))


class _Seen(NamedTuple):
    had: bool
    """Whether the zones have anything for the question."""
    covered: bool
    data: bool
    """Whether the target's data came."""
    down: bool
    kept: bool
    leak: str
    agree: bool
    signed: bool
    """Whether the zones have signatures for it."""
    bogus: bool
    """Whether these are wrong."""
    silent: bool


def _bogus(state: State, seen: Sequence[_Seen]) -> State:
    """Of a question by a validating stub: `ok` is that the block cannot be told from a forgery, `blocked` that it is none."""
    if state != "blocked":
        return "nothing" if state == "ok" else state
    if any(each.bogus for each in seen):
        return "nothing"  # the name itself is taken for forged, whoever answers
    return "ok" if any(each.signed and not each.silent for each in seen) else "blocked"


def _counted(vector: str, asks: Sequence[Observation]) -> Sequence[Observation]:
    """The asks of a trial that can leak: see the vectors' own words."""
    if vector == "failover-moves-on":
        return asks[1:] if asks[0].failure or _rcode(asks[0]) in _FAILED else asks[:1]
    if vector == "failover-secondary" or vector.startswith("other-"):
        return asks[1:]
    return asks[1:] if vector == "flag-no-rd" else asks


def _read(octets: bytes) -> dns.message.Message | None:
    try:
        return dns.message.from_wire(octets, ignore_trailing=True)
    except (dns.exception.DNSException, ValueError):
        return None


def _rcode(row: Observation) -> dns.rcode.Rcode | None:
    message = _read(row.answer)
    return message.rcode() if message else None


def _keys(rrsets: Iterable[dns.rrset.RRset]) -> frozenset[Any]:
    """The records of a message, to be compared; aliases are no data."""
    return frozenset(
        (rrset.name.canonicalize(), rrset.rdtype, rdata.to_digestable()) for rrset in rrsets for rdata in rrset if rrset.rdtype not in _ALIASES
    )


def _addresses(rrsets: Iterable[dns.rrset.RRset]) -> Iterator[str]:
    for rrset in rrsets:
        for rdata in rrset:
            if rrset.rdtype in (dns.rdatatype.A, dns.rdatatype.AAAA):
                yield rdata.address
            for hint in getattr(rdata, "params", {}).values():
                yield from getattr(hint, "addresses", ())
