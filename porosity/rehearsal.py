"""What a run would send, counted and shown, without sending it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.rdataclass
import dns.rdatatype

from porosity import asking, ethics, order
from porosity.ethics import Permit
from porosity.observations import Done
from porosity.study import Study
from porosity.words import Endpoint, Vector

SHOWN = 10


@dataclass(frozen=True, slots=True)
class Server:
    """What one server would get."""

    address: str
    permit: Permit
    transports: tuple[str, ...]
    questions: int
    """Each counted once; what is not answered is asked again, up to three times."""

    @property
    def seconds(self) -> float:
        """At least so long, by its rate."""
        return self.questions / self.permit.rate if self.permit.rate else 0.0


@dataclass(frozen=True, slots=True)
class Message:
    """One message that would go out."""

    vector: str
    resolver: str
    endpoint: str
    says: str


def servers(study: Study, vectors: Sequence[Vector], permits: Mapping[str, Permit], done: Done) -> list[Server]:
    """What each server would get in all. Exact where a vector sends as many messages for one name as for another."""
    plan = study.plan
    asked: Counter[Endpoint] = Counter()
    share = 1 - len(done) / plan.made
    last = plan.names - 1
    for place, vector in enumerate(plan.find(vectors)):
        messages = asking.messages(plan, vector, plan.trial(plan.number(0, last, place, 0)), study.names[last])
        for resolver in plan.resolvers[: plan.measured]:
            for ask in messages:
                for endpoint in filter(None, asking.targets(plan, resolver, ask)):
                    asked[endpoint] += plan.canaries if place in plan.alike else plan.names
    found: dict[str, list[Endpoint]] = {}
    for endpoint in asked:
        address = ethics.server(endpoint.address)
        found.setdefault(permits[address].server or address, []).append(endpoint)
    return [
        Server(
            address,
            permits[address],
            tuple(dict.fromkeys(each.transport for each in endpoints)),
            round(share * plan.repeats * sum(asked[each] for each in endpoints)),
        )
        for address, endpoints in sorted(found.items())
    ]


def first(study: Study, vectors: Sequence[Vector], done: Done, most: int = SHOWN) -> list[Message]:
    """The first messages that would go out."""
    return list(islice(_in_order(study, study.plan.find(vectors), done), most))


def words(wire: bytes) -> str:
    """A message in a line: what it asks, its flags, its EDNS."""
    try:
        message = dns.message.from_wire(wire, ignore_trailing=True)
    except dns.exception.DNSException as error:
        return f"{len(wire)} octets that are no usual message ({type(error).__name__})"
    asked = "; ".join(f"{each.name} {dns.rdataclass.to_text(each.rdclass)} {dns.rdatatype.to_text(each.rdtype)}" for each in message.question)
    parts = [asked or "no question", dns.flags.to_text(message.flags) or "no flag"]
    if message.edns >= 0:
        options = " ".join(_option(each) for each in message.options)
        parts.append(
            f"EDNS {message.edns}, {message.payload} octets{', DO' if message.ednsflags & dns.flags.DO else ''}{' ' if options else ''}{options}"
        )
    return ", ".join(parts)


def _option(option: dns.edns.Option) -> str:
    try:
        return dns.edns.OptionType(int(option.otype)).name
    except ValueError:
        return f"option {int(option.otype)}"


def _in_order(study: Study, vectors: Sequence[Vector], done: Done) -> Iterator[Message]:
    plan = study.plan
    for number in order.trials(plan, done):
        trial = plan.trial(number)
        vector, resolver = vectors[trial.vector], plan.resolvers[trial.resolver]
        for ask in asking.messages(plan, vector, trial, study.names[trial.name]):
            for endpoint in asking.targets(plan, resolver, ask):
                if endpoint:
                    yield Message(vector.id, resolver.id, str(endpoint), words(ask.wire))
