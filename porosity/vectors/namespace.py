"""Other names that may be the same site's: under other top-level domains, with a word more, or alike to the eye. They are in no order.

That one of them resolves does not make it the same site: only its content would say, and content is not fetched. It tells where to look.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import dns.name

from porosity.vectors.asking import MOST_IN_LABEL, MOST_OCTETS, Asks, domain, octets, question
from porosity.words import Ask, Name, Vector

MOST = 3
"""Names asked for in one trial; repeats draw others."""

TOPS = ("com", "net", "org", "info", "biz", "eu", "io", "co", "me", "to", "cc", "ws", "is", "se", "ru", "xyz", "site", "online")
"""Top-level domains that anybody can register a name under at once."""
_MIRRORS = ("{}2", "{}-mirror", "{}1", "new{}", "my{}", "{}-online", "{}-proxy", "the{}", "{}s")
_LOOKS: tuple[tuple[str, str], ...] = (("o", "0"), ("l", "1"), ("i", "1"), ("e", "3"), ("s", "5"), ("m", "rn"), ("w", "vv"), ("b", "8"))
_HOMOGRAPHS = str.maketrans("aceopxyis", "\u0430\u0441\u0435\u043e\u0440\u0445\u0443\u0456\u0455")
"""Latin letters to Cyrillic ones that look the same."""


def _tops(name: Name, random: Random) -> list[dns.name.Name]:
    label = domain(name).labels[0]
    own = domain(name).labels[-2]
    return [dns.name.Name((label, top.encode(), b"")) for top in random.sample(TOPS, MOST + 1) if top.encode() != own][:MOST]


def _mirrors(name: Name, random: Random) -> list[dns.name.Name]:
    label = _text(name)
    return _beside(name, [each.format(label) for each in random.sample(_MIRRORS, len(_MIRRORS))])


def _looks(name: Name, random: Random) -> list[dns.name.Name]:
    label = _text(name)
    found = [label.replace(one, other, 1) for one, other in _LOOKS if one in label]
    found += [label[:at] + label[at] + label[at:] for at in (random.randrange(len(label)),)]
    found += [label[:at] + label[at + 1 :] for at in (random.randrange(len(label)),) if len(label) > 1]
    alike = label.translate(_HOMOGRAPHS)
    found += ["xn--" + alike.encode("punycode").decode("ascii")] if alike != label and label.isascii() else []
    random.shuffle(found)
    return _beside(name, found)


def _text(name: Name) -> str:
    return domain(name).labels[0].decode("latin-1")


def _beside(name: Name, labels: list[str]) -> list[dns.name.Name]:
    base = domain(name)
    found = []
    for each in dict.fromkeys(label.encode("latin-1") for label in labels):
        if each == base.labels[0] or not 0 < len(each) <= MOST_IN_LABEL or octets(base) - len(base.labels[0]) + len(each) > MOST_OCTETS:
            continue
        found.append(dns.name.Name((each, *base.labels[1:])))
    return found[:MOST] or [base]


def _asking(names: Callable[[Name, Random], list[dns.name.Name]]) -> Asks:
    return lambda name, random: [Ask(question(each)) for each in names(name, random)]


def _signal(id: str, sends: str, source: str, asks: Asks) -> Vector:
    leak = "An address: there is such a name, and no order covers it. Whether it is the same site, its content would have to say."
    return Vector(id=f"namespace-{id}", family="namespace", sends=sends, leak=leak, source=source, asks=asks, kind="signal")


VECTORS = [
    _signal("top-level", f"The first label of the registrable domain under {MOST} other top-level domains, type A.", "RFC 1591", _asking(_tops)),
    _signal(
        "mirror",
        f"{MOST} names beside the registrable domain, of its first label and a word more, as mirrors are called, type A.",
        "RFC 1034, section 3.1",
        _asking(_mirrors),
    ),
    _signal(
        "look-alike",
        f"{MOST} names beside the registrable domain that look like it, type A.",
        "RFC 5890, section 4.4; Unicode Technical Report 36, section 2",
        _asking(_looks),
    ),
]
