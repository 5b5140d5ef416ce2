"""What a vantage's observations show together, read before any of them is judged: addresses given for unrelated names, and controls that lie.

A site's address is its own, or shared with sites that the controls know to share it. One that a resolver gives for three unrelated domains, of which
two controls told, and no control for anything, is where it leads those whom it blocks. A control is trusted only while canaries get from it what
others give, too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import pyarrow.dataset as ds

from blocklists.errors import StoreError
from porosity import observations, readings
from porosity.rules.facts import Learned
from porosity.rules.ours import ENOUGH
from porosity.study import Study

DOMAINS = 3
"""Unrelated domains for which an address must be given: two may have one owner."""
_MOST_DOMAINS = 8
_PREFERRED = (
    "type-a", "transport-udp", "transport-tcp", "transport-dot", "transport-doh", "transport-doq", "doh-type-a", "spelling-case", "edns-do",
)  # fmt: skip
"""Vectors that ask for the name's own addresses; the first that a study has is read, and `type-aaaa` beside it."""


def learn(study: Study, vantage: str) -> Learned:
    """What a vantage's observations show. They are read as a stream, by those few vectors that ask for addresses."""
    planned = [each.id for each in study.plan.vectors]
    chosen = [next((each for each in _PREFERRED if each in planned), planned[0]), *(each for each in planned if each == "type-aaaa")]
    liars = _liars(study, vantage, chosen)
    roles = {each.id: each.role for each in study.plan.resolvers}
    domains: dict[tuple[str, bytes], dict[int | str, int]] = {}
    for resolver, _, name, addresses in _addresses(study, vantage, chosen):
        if roles[resolver] == "tested" or resolver in liars:
            for address in addresses:
                found = domains.setdefault((resolver, address), {})
                if len(found) < _MOST_DOMAINS:
                    found.setdefault(study.names[name].domain or name, name)
    candidates = {key: found for key, found in domains.items() if len(found) >= DOMAINS}
    addressed = {address for _, address in candidates}
    shared: set[bytes] = set()
    told: dict[int, set[str]] = {name: set() for found in candidates.values() for name in found.values()}
    if candidates:
        for resolver, _, name, addresses in _addresses(study, vantage, chosen):
            if roles[resolver] == "control" and resolver not in liars:
                shared |= addresses & addressed
                if name in told:
                    told[name].add(resolver)
    unrelated: dict[str, set[bytes]] = {}
    for (resolver, address), found in candidates.items():
        # Where controls say nothing, that none of them gives the address says nothing either.
        if address not in shared and sum(len(told[name]) >= ENOUGH for name in found.values()) >= DOMAINS:
            unrelated.setdefault(resolver, set()).add(address)
    return Learned({resolver: frozenset(found) for resolver, found in unrelated.items()}, liars)


def _liars(study: Study, vantage: str, vectors: Sequence[str]) -> frozenset[str]:
    """Controls whose addresses for canaries are mostly unlike everybody's, where two others are alike."""
    answers: dict[tuple[int, int], dict[str, frozenset[bytes]]] = {}
    for resolver, trial, name, addresses in _addresses(study, vantage, vectors, canaries=True):
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


def _addresses(study: Study, vantage: str, vectors: Sequence[str], canaries: bool = False) -> Iterator[tuple[str, int, int, frozenset[bytes]]]:
    """Resolver, trial, number of the name and addresses of each answer that has any, by these vectors."""
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
            if found := readings.answer("", answer).addresses:
                yield resolver, trial, plan.trial(trial).name, found
