"""Other names that lead to the listed one: above it, below it, beside it, and those that a zone of our own leads there."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import dns.name

from porosity.vectors.aliases import ZONE, alias
from porosity.vectors.asking import Asks, below, domain, label, question, within
from porosity.words import Ask, Name, Vector

_BELOW = "The target's data, where the order covers what is below the name."
_BESIDE = "The target's data by a name that the order does not cover: the order's reach, not the resolver's fault."


def _named(change: Callable[[Name, Random], dns.name.Name], type: str = "A") -> Asks:
    return lambda name, random: [Ask(question(change(name, random), type))]


def _name(id: str, sends: str, leak: str, source: str, asks: Asks, needs: frozenset[str] = frozenset()) -> Vector:
    return Vector(id=f"name-{id}", family="name", sends=sends, leak=leak, source=source, asks=asks, needs=needs)


def _suffixed(name: Name, random: Random) -> list[Ask]:
    return [Ask(question(within(name.name, dns.name.from_text(suffix)))) for suffix in ("home.arpa.", "lan.")]


def aliased(zone: str, tag: str) -> list[Vector]:
    """The vectors that need a zone of ours, with one of your own, named `zone`; `aliases.records` says what must be in it. Their ids end in `tag`."""
    origin = dns.name.from_text(zone)
    ending = f"-{tag}" if tag else ""

    def to(kind: str) -> Callable[[Name, Random], dns.name.Name]:
        return lambda name, random: alias(kind, name.name, origin)

    return [
        _name(
            f"cname{ending}",
            f"A name of ours in {zone} that is a CNAME of the name, type A.",
            "The target's addresses, behind the alias.",
            "RFC 1034, section 3.6.2",
            _named(to("cname")),
            frozenset({"zone"}),
        ),
        _name(
            f"dname{ending}",
            f"A name of ours in {zone} below a DNAME that leads to the name, type A.",
            "The target's addresses, behind the alias.",
            "RFC 6672, section 3",
            _named(to("dname")),
            frozenset({"zone"}),
        ),
        _name(
            f"svcb-alias{ending}",
            f"A name of ours in {zone} with an HTTPS record in alias mode that leads to the name, type HTTPS.",
            "The target's addresses, behind the alias. The alias alone leads to a question for the name itself.",
            "RFC 9460, section 2.4.2",
            _named(to("alias"), "HTTPS"),
            frozenset({"zone"}),
        ),
        _name(
            f"svcb-service{ending}",
            f"A name of ours in {zone} with an HTTPS record whose target is the name, with an address, type HTTPS.",
            "The record: the browser needs to ask nothing more.",
            "RFC 9460, sections 2.4.3 and 7.3",
            _named(to("service"), "HTTPS"),
            frozenset({"zone"}),
        ),
    ]


VECTORS = [
    _name("apex", "The registrable domain, type A.", _BESIDE, "RFC 9499, section 9", _named(lambda name, random: domain(name))),
    _name("www", "The name with `www` before it, type A.", _BELOW, "hblock #97", _named(lambda name, random: below(name.name, b"www"))),
    _name(
        "random",
        "A random name below the name, type A.",
        "An address, where the target's zone has one for every name below, and the order covers them.",
        "RFC 4592; hblock #97",
        _named(lambda name, random: below(name.name, label(random))),
    ),
    _name("parent", "The name above, type A.", _BESIDE, "RFC 1034, section 3.1", _named(lambda name, random: name.name.parent())),
    _name(
        "port",
        "The name as browsers ask for it at a port (`_8443._https` before it), type HTTPS.",
        _BELOW,
        "RFC 9460, section 9.1",
        _named(lambda name, random: below(name.name, b"_8443", b"_https"), "HTTPS"),
    ),
    _name(
        "search-suffix",
        "The name below `home.arpa` and below `lan`, as stubs with a search list ask, type A.",
        "The target's addresses, from a server that takes the suffix off.",
        "RFC 1535; RFC 8375",
        _suffixed,
    ),
    *aliased(ZONE.to_text(omit_final_dot=True), ""),
]
