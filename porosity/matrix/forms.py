"""Orders written in the forms that other resolvers read. Pure.

An order of match `subtree` covers its name and all below it; one of match `exact` covers its name alone. Each is answered with the page's two
addresses, as Red Hand does, so that the servers are compared at the same task.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

TTL = 300
Orders = Sequence[tuple[str, str]]
"""Name without its last dot, and match."""


def policy_zone(orders: Orders, landing: tuple[str, str]) -> str:
    """A response policy zone (draft-vixie-dnsop-dns-rpz) with the origin `rpz.`; what is below a name is a wildcard of its own."""
    lines = [f"$ORIGIN rpz.\n$TTL {TTL}\n@ SOA localhost. root.localhost. 1 3600 600 86400 {TTL}\n@ NS localhost."]
    for name, match in orders:
        for owner in (name, f"*.{name}") if match == "subtree" else (name,):
            lines += [f"{owner} A {landing[0]}", f"{owner} AAAA {landing[1]}"]
    return "\n".join(lines) + "\n"


def dnsmasq(orders: Orders, landing: tuple[str, str], best: bool) -> str:
    """dnsmasq's lines: `address` covers what is below, `host-record` does not.

    `best`: `local` beside each `address`, as dnsmasq(8) has it for other types; for an order of one name the same, and what is below it is asked
    upstream (`server=/*.NAME/#`); and no cache, from which it would answer a listed name with what an alias of it brought there.
    """
    lines = ["cache-size=0"] if best else []
    for name, match in orders:
        if best or match == "subtree":
            lines += [f"address=/{name}/{each}" for each in landing]
        else:
            lines.append(f"host-record={name},{landing[0]},{landing[1]},{TTL}")
        if best:
            lines += [f"local=/{name}/", *([f"server=/*.{name}/#"] if match == "exact" else [])]
    return "\n".join(lines) + "\n"


def dnsdist(orders: Orders, landing: tuple[str, str], best: bool) -> str:
    """Rules of dnsdist, in Lua. `best`: also a rule that answers types beside addresses with no data."""
    lines = ["local below = newSuffixMatchNode()", "local only = newDNSNameSet()"]
    for name, match in orders:
        lines.append(f"below:add(newDNSName('{name}.'))" if match == "subtree" else f"only:add(newDNSName('{name}.'))")
    rule = "OrRule({SuffixMatchNodeRule(below), QNameSetRule(only)})"
    lines.append(f"addAction({rule}, SpoofAction({{'{landing[0]}', '{landing[1]}'}}, {{ttl={TTL}}}))")
    if best:
        lines.append(f"addAction({rule}, RCodeAction(DNSRCode.NOERROR))")
    return "\n".join(lines) + "\n"


def indented(lines: Iterable[str]) -> str:
    """Lines of a clause, indented."""
    return "".join(f"  {line}\n" for line in lines)
