"""What resolvers said, as tests write it: `NOERROR; A 198.51.100.1; EDE 15`, `NXDOMAIN; SOA of example.`, `timeout`; and trials made of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import dns.edns
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

from porosity import asking, names, vectors
from porosity import plan as plans
from porosity.plan import Plan
from porosity.resolvers import parse
from porosity.words import Name, Observation, Role, Vector

FREE = names.make("free.example", "canary")
NAMES: Mapping[str, Name] = {
    "listed": names.make("blocked.example", "listed", list="own", match="subtree"),
    "exact": names.make("www.only.example", "listed", list="own", match="exact"),
    "neighbour": names.make("near.example", "neighbour", list="own"),
    "beside": names.make("new.also-ordered.example", "neighbour", list="own"),
    "canary": names.make("other.example", "canary"),
}
_ROLES: Mapping[str, Role] = {"ours": "tested", "one": "control", "two": "control", "next": "secondary", "far": "other"}
RESOLVERS = [parse(f"{name}=127.0.0.{last},tls://127.0.0.{last}:853", role) for last, (name, role) in enumerate(_ROLES.items(), 1)]
TESTED, CONTROLS = "ours", ("one", "two")
START = 1_800_000_000_000_000
CANARY = "NOERROR; A 203.0.113.1"
_FAILURES = frozenset(("timeout", "refused", "unreachable", "reset", "closed", "tls", "http", "malformed", "mismatch", "not sent"))
_EVERYTHING = frozenset(("zone", "clock"))


def answer(query: bytes, text: str) -> tuple[str, bytes]:
    """The failure, or the answer's octets."""
    first, *parts = (part.strip() for part in text.split(";"))
    if first in _FAILURES:
        return first, b""
    asked = dns.message.from_wire(query)
    made = dns.message.make_response(asked, recursion_available=True)
    made.set_rcode(dns.rcode.from_text(first))
    owner = asked.question[0].name
    options: list[dns.edns.Option] = []
    for part in parts:
        kind, _, rest = part.partition(" ")
        if part == "TC":
            made.flags |= dns.flags.TC
        elif part == "AD":
            made.flags |= dns.flags.AD
        elif kind == "EDE":
            options.append(dns.edns.EDEOption(dns.edns.EDECode(int(rest))))
        elif part.startswith("SOA of "):
            made.authority.append(dns.rrset.from_text(part[7:], 60, "IN", "SOA", "ns.example. nobody.example. 1 2 3 4 5"))
        elif kind == "with":
            beside, _, data = rest.partition(" ")
            made.additional.append(dns.rrset.from_text(f"beside.{owner}", 60, "IN", beside, data))
        else:
            made.answer.append(dns.rrset.from_text(owner, 60, asked.question[0].rdclass if kind == "CH" else "IN", kind, rest))
            if kind == "CNAME":
                owner = dns.name.from_text(rest)
    if asked.edns >= 0:
        made.use_edns(0, payload=1232, options=options)
    return "", made.to_wire()


def planned(chosen: Sequence[Vector], listed: Sequence[Name], **more: int) -> tuple[Plan, list[Name]]:
    """A plan of these vectors and names, with a canary of its own and all resolvers."""
    return plans.make([FREE, *listed], chosen, RESOLVERS, has=_EVERYTHING, **{"seed": 1, "as_of": 1_800_000_000, "repeats": 1, **more})


def vector(id: str) -> Vector:
    """One of those that are built in; `doh-…` and the like moved."""
    return vectors.by_id(id)


def trial(plan: Plan, listed: Sequence[Name], chosen: Sequence[Vector], number: int, says: Sequence[str], at: int) -> list[Observation]:
    """The observations of a trial in which each ask in turn heard this; the last one for all that follow."""
    of = plan.trial(number)
    name, resolver = listed[of.name], plan.resolvers[of.resolver]
    rows: list[Observation] = []
    for ask in asking.messages(plan, chosen[of.vector], of, name):
        for endpoint in asking.targets(plan, resolver, ask):
            failure, octets = answer(ask.wire, says[min(len(rows), len(says) - 1)])
            rows.append(
                Observation(
                    number, len(rows), resolver.id, name.name.to_text(omit_final_dot=True), chosen[of.vector].id, of.repeat,
                    str(endpoint) if endpoint else "", at + len(rows) * 1_000_000, 900, 1, failure, ask.wire, octets,  # type: ignore[arg-type]
                )
            )  # fmt: skip
    return rows


def study_of(
    chosen: Sequence[str], listed: Sequence[Name], said: Mapping[tuple[str, str, str], Sequence[str]], **more: int
) -> tuple[Plan, list[Name], dict[int, list[Observation]]]:
    """A plan and all its observations. `said`: by name, vector and resolver; a canary hears CANARY where nothing else is said."""
    found = [vector(each) for each in chosen]
    plan, arranged = planned(found, listed, **more)
    rows: dict[int, list[Observation]] = {}
    for number in range(plan.trials):
        of = plan.trial(number)
        name = arranged[of.name].name.to_text(omit_final_dot=True)
        key = (name, plan.vectors[of.vector].id, plan.resolvers[of.resolver].id)
        says = said.get(key, [CANARY] if arranged[of.name].group == "canary" else ["not sent"])
        rows[number] = trial(plan, arranged, found, number, says, START + number * 1_000)
    return plan, arranged, rows
