"""docs/vectors.md, made from the vectors' declarations: `python -m porosity.vectors.drawn > docs/vectors.md`. A test holds them equal."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from porosity import vectors
from porosity.words import Vector

_HEAD = """\
# The ways round a block that are measured

<!-- Made from the program: python -m porosity.vectors.drawn > docs/vectors.md -->

Each *vector* is one way round. It is tried on every name of a study, at the resolver under test and at controls that do not block. A leak of *data*
is the target's data as the controls see it; a *signal* tells a client to go round the resolver, or does not. What a vector *needs* and a study does
not have leaves it out of the plan, which says so. The ids stay as they are from release to release, so that studies can be compared.

Unless a row says otherwise, a question is for class IN, goes by UDP to the resolver of the trial, desires recursion, and has EDNS with a payload of
1,232 octets. Random parts come from the study's seed: every resolver is asked the same.

"""
_FOOT = """
What lies beyond DNS (a direct address, a hosts file, a VPN, Tor) is measured in the lab only, where nobody's site is fetched but its own.

Whether an order covers what was asked decides what an answer means. Above a name, or beside it, a site's data is the order's reach and not the
resolver's fault; it is reported apart.
"""
_OWN = """
## A vector in a file of your own

A vector is a few lines of Python: what it sends, what a leak is, where the idea comes from, and a function that makes its messages for a name. Write
them into a file, `mine.py`, that ends with `VECTORS`:

```python
\"\"\"Ways round that I want to know about.\"\"\"

import dns.message

from porosity.vectors import ALL, over
from porosity.vectors.asking import asking, below, label
from porosity.words import Ask, Vector, message


def reserved_bit(name, random):
    asked = dns.message.from_wire(message(name.name))
    asked.flags |= 0x0040
    return [Ask(asked.to_wire())]


def two_below(name, random):
    return [Ask(message(below(name.name, label(random), label(random)), "AAAA"), "tcp")]


VECTORS = [
    Vector(
        id="ab-type-caa",
        family="record type",
        sends="The name, type CAA.",
        leak="The certification authorities that the target names.",
        source="RFC 8659, section 4",
        asks=asking("CAA"),
    ),
    Vector(
        id="ab-flag-z",
        family="edns and flags",
        sends="The name with the reserved bit of the header set, type A.",
        leak="The target's addresses.",
        source="RFC 1035, section 4.1.1",
        asks=reserved_bit,
    ),
    Vector(
        id="ab-two-below",
        family="name",
        sends="A random name two labels below the name, type AAAA, by TCP.",
        leak="An address, where the target's zone has one for every name below, and the order covers them.",
        source="RFC 4592",
        asks=two_below,
        needs=frozenset({"tcp"}),
    ),
    *over("doh", [vector for vector in ALL if vector.family == "record type"]),
]
```

Give the file where vectors are chosen, beside ids and families, and again where they are asked: the plan knows them by their hashes. A vector that is
not whole is refused with what it lacks.

```
redhand porosity plan STUDY --list list.txt --canary canary.example --resolver 127.0.0.1:5300 --control 127.0.0.1:5301 --control 127.0.0.1:5302 \\
  --vectors "record type" --vectors mine.py
redhand porosity probe STUDY --vectors mine.py
```

- **An id of its own**, best with your initials before it. The plan holds a hash of what the vector sends; change that, and the plan no longer takes
  the file. Publish the file with the study.
- **A message has the ID 0**: the sender puts a random one in. `message(name, type)` writes a usual question; `asking(type, …)` takes what
  `dns.message.make_query` takes; any octets of 12 or more will do.
- **Take what is random from `random`**, and nothing from the clock, the network or a file, so that every resolver is asked the same.
- **Several asks** go one after the other; `after` waits before one. A leak is a leak of any of them. `to="secondary"` and `to="other"` go to the
  study's other resolvers; put an ask to the resolver itself before, which shows at the controls what the target's data is.
- **`kind="signal"`** is for what tells a client to go round the resolver. It is there when an answer has a record of the type asked for.
- **Aliases of your own**: where you hold a zone, `porosity.vectors.aliases.records` says what to put into it for your names, and
  `porosity.vectors.names.aliased("aliases.measure.example", "ab")` gives the vectors that ask for it.
"""
_NEEDS = {
    "zone": "a zone of ours",
    "clock": "the order's clock",
    "canary": "asked with canaries alone",
    "secondary": "a secondary resolver",
    "other": "another resolver",
    "ipv6": "IPv6",
    "udp": "UDP",
    "tcp": "TCP",
    "dot": "DoT",
    "doh": "DoH",
    "doq": "DoQ",
}


def page(given: Iterable[Vector]) -> str:
    """The whole page."""
    found = list(given)
    parts = [_HEAD, f"There are {len(found)}.\n"]
    for family in vectors.FAMILIES:
        rows = [_row(vector) for vector in found if vector.family == family]
        parts.append(f"\n## {_title(family)}\n\n| vector | it sends | a leak is | needs | from |\n| --- | --- | --- | --- | --- |\n")
        parts += rows
    return "".join((*parts, _FOOT, _OWN))


def _row(vector: Vector) -> str:
    needs = ", ".join(_NEEDS.get(each, each) for each in sorted(vector.needs) if each != "udp" or vector.family == "transport")
    signal = " (signal)" if vector.kind == "signal" else ""
    return f"| `{vector.id}`{signal} | {vector.sends} | {vector.leak} | {needs} | {vector.source} |\n"


def _title(family: str) -> str:
    return {"dnssec": "DNSSEC", "edns and flags": "EDNS and flags"}.get(family, family.capitalize())


if __name__ == "__main__":
    sys.stdout.write(page(vectors.ALL))
