"""A client's second resolver. Some clients ask it in turn, some at once, and most when the first fails: then a block must not look like a failure."""

from __future__ import annotations

from random import Random

from porosity.vectors.asking import question
from porosity.words import Ask, Name, Vector


def _both(name: Name, random: Random) -> list[Ask]:
    # The first tells what the second is compared with: at a control, the target's data.
    return [Ask(question(name.name)), Ask(question(name.name), to="secondary")]


VECTORS = [
    Vector(
        id="failover-secondary",
        family="failover",
        sends="The name, type A, to the resolver, and then to the secondary one.",
        leak="The target's addresses, from the secondary: clients that ask it in turn, or both at once, reach the target whatever the first says.",
        source="resolv.conf(5), `rotate`; dnsmasq(8), `--all-servers`",
        asks=_both,
        needs=frozenset({"secondary"}),
    ),
    Vector(
        id="failover-moves-on",
        family="failover",
        sends="The name, type A, to the resolver, and then to the secondary one.",
        leak="SERVFAIL, NOTIMP, REFUSED or nothing from the resolver, so that a stub asks the secondary one, and the target's addresses from that. "
        "NXDOMAIN and no data end the search.",
        source="RFC 1035, section 7.2; resolv.conf(5)",
        asks=_both,
        needs=frozenset({"secondary"}),
    ),
]
