"""What a vantage's observations show together, read before any of them is judged: addresses given for unrelated names, controls that lie, and what
silence and errors are like at each endpoint.

A site's address is its own, or shared with sites that the controls know to share it. One that a resolver gives for three unrelated domains, of which
two controls told, and no control for anything, is where it leads those whom it blocks; unless these domains are at home in the address's network, or
behind an alias that controls follow, too: a content network answers differently in different places. A control is trusted only while canaries get
from it what others give, too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

import dns.name
import numpy as np
import pyarrow.dataset as ds

from blocklists.errors import StoreError
from porosity import observations, readings
from porosity.rules import faults
from porosity.rules.facts import Known, Learned, Orders
from porosity.rules.faults import Faults
from porosity.rules.ours import ENOUGH
from porosity.study import Study

DOMAINS = 3
"""Unrelated domains for which an address must be given: two may have one owner."""
_MOST_DOMAINS = 8
_PREFERRED = (
    "type-a", "transport-udp", "transport-tcp", "transport-dot", "transport-doh", "transport-doq", "doh-type-a", "spelling-case", "edns-do",
)  # fmt: skip
"""Vectors that ask for the name's own addresses; the first that a study has is read, and `type-aaaa` beside it."""


class Told(NamedTuple):
    """What an answer gave, as far as it is looked at here."""

    resolver: str
    trial: int
    name: int
    addresses: frozenset[bytes]
    aliases: frozenset[str]


def learn(study: Study, vantage: str, known: Known, orders: Orders) -> Learned:
    """What a vantage's observations show. They are read as a stream, by those few vectors that ask for addresses; and once for faults."""
    planned = [each.id for each in study.plan.vectors]
    chosen = [next((each for each in _PREFERRED if each in planned), planned[0]), *(each for each in planned if each == "type-aaaa")]
    liars = _liars(study, vantage, chosen)
    roles = {each.id: each.role for each in study.plan.resolvers}
    domains: dict[tuple[str, bytes], dict[int | str, Told]] = {}
    for each in _addresses(study, vantage, chosen):
        if roles[each.resolver] == "tested" or each.resolver in liars:
            for address in each.addresses:
                found = domains.setdefault((each.resolver, address), {})
                if len(found) < _MOST_DOMAINS:
                    found.setdefault(study.names[each.name].domain or each.name, each)
    candidates = {key: found for key, found in domains.items() if len(found) >= DOMAINS}
    addressed = {address for _, address in candidates}
    shared: set[bytes] = set()
    controls: dict[int, dict[str, Told]] = {one.name: {} for found in candidates.values() for one in found.values()}
    if candidates:
        for each in _addresses(study, vantage, chosen):
            if roles[each.resolver] == "control" and each.resolver not in liars:
                shared |= each.addresses & addressed
                if each.name in controls:
                    controls[each.name][each.resolver] = each
    unrelated: dict[str, set[bytes]] = {}
    doubtful: dict[str, set[bytes]] = {}
    for (resolver, address), found in candidates.items():
        # Where controls say nothing, that none of them gives the address says nothing either.
        told = [one for one in found.values() if len(controls[one.name]) >= ENOUGH]
        if address in shared or len(told) < DOMAINS:
            continue
        away = sum(not _at_home(address, one, controls[one.name].values(), known, orders) for one in told)
        (unrelated if away >= DOMAINS else doubtful).setdefault(resolver, set()).add(address)
    kept = [{resolver: frozenset(found) for resolver, found in each.items()} for each in (unrelated, doubtful)]
    return Learned(kept[0], kept[1], liars, _faults(study, vantage))


def _at_home(address: bytes, one: Told, controls: Collection[Told], known: Known, orders: Orders) -> bool:
    """Whether a name's own sites are where the address is, or behind an alias that the answer has, too, and that no order covers."""
    theirs = frozenset[bytes]().union(*(each.addresses for each in controls))
    aliases = one.aliases & frozenset[str]().union(*(each.aliases for each in controls))
    return known.near([address], theirs) or any(not orders.cover(dns.name.from_text(each)) for each in aliases)


def _faults(study: Study, vantage: str) -> Faults:
    gathering = faults.Gathering(study.plan, [number for number, each in enumerate(study.names) if each.group == "neighbour"])
    scanner = observations.scan(study, [vantage]).scanner(
        columns=["trial", "ask", "endpoint", "failure", "answer"], use_threads=False, batch_readahead=1, fragment_readahead=1, batch_size=20_000
    )
    for batch in scanner.to_batches():
        failures, answers = batch.column("failure").to_pylist(), batch.column("answer").to_pylist()
        trials, asks = (batch.column(each).to_numpy().astype(np.int64) for each in ("trial", "ask"))
        gathering.add(trials, asks, batch.column("endpoint").to_pylist(), faults.kinds(failures, answers))
    return gathering.faults()


def _liars(study: Study, vantage: str, vectors: Sequence[str]) -> frozenset[str]:
    """Controls whose addresses for canaries are mostly unlike everybody's, where two others are alike."""
    answers: dict[tuple[int, int], dict[str, frozenset[bytes]]] = {}
    for resolver, trial, name, addresses, _ in _addresses(study, vantage, vectors, canaries=True):
        if name < study.plan.canaries and addresses:
            kept = answers.setdefault((trial // study.plan.measured, 0), {})
            kept[resolver] = kept.get(resolver, frozenset()) | addresses
    asked, odd = Counter[str](), Counter[str]()
    for given in answers.values():
        for resolver, own in given.items():
            others = [each for other, each in given.items() if other != resolver]
            if any(one & two for place, one in enumerate(others) for two in others[place + 1 :]):
                asked[resolver] += 1
                odd[resolver] += not any(own & each for each in others)
    controls = {each.id for each in study.plan.resolvers if each.role == "control"}
    return frozenset(each for each in controls if odd[each] * 2 > asked[each])


def _addresses(study: Study, vantage: str, vectors: Sequence[str], canaries: bool = False) -> Iterator[Told]:
    """Each answer that has any address, by these vectors."""
    plan = study.plan
    wanted = ds.field("vector").isin(list(vectors)) & (ds.field("failure") == "") & (ds.field("ask") == 0)
    if canaries and plan.repeats == 1:
        wanted &= ds.field("trial") < plan.canaries * len(plan.vectors) * plan.measured
    scanner = observations.scan(study, [vantage]).scanner(
        columns=["trial", "resolver", "answer"], filter=wanted, use_threads=False, batch_readahead=1, fragment_readahead=1
    )
    for batch in scanner.to_batches():
        columns = (batch.column(each).to_pylist() for each in ("trial", "resolver", "answer"))
        for trial, resolver, answer in zip(*columns, strict=True):
            if not 0 <= trial < plan.trials:
                raise StoreError(f"trial {trial} at {vantage} is not in the plan; keep studies in directories of their own")
            found = readings.answer("", answer)
            if found.addresses:
                yield Told(resolver, trial, plan.trial(trial).name, found.addresses, found.aliases)
