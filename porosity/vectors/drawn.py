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
_NEEDS = {
    "zone": "a zone of ours",
    "clock": "the order's clock",
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
    return "".join((*parts, _FOOT))


def _row(vector: Vector) -> str:
    needs = ", ".join(_NEEDS.get(each, each) for each in sorted(vector.needs) if each != "udp" or vector.family == "transport")
    signal = " (signal)" if vector.kind == "signal" else ""
    return f"| `{vector.id}`{signal} | {vector.sends} | {vector.leak} | {needs} | {vector.source} |\n"


def _title(family: str) -> str:
    return {"dnssec": "DNSSEC", "edns and flags": "EDNS and flags"}.get(family, family.capitalize())


if __name__ == "__main__":
    sys.stdout.write(page(vectors.ALL))
