"""Which names no entry may block, whatever a list or an order says.

A pure judge over index keys (see `names`): it is built once from the names to protect and from the bundled public-suffix data, and answers with
a reason or with None. It reads no settings and no clock, and it never changes a name to make it acceptable.

Refused are: the root; `arpa`, `localhost` and all below; our own names (landing, feed, upstreams) and all below; protected names; public suffixes
(publicsuffix.org, both its sections: a shared host's customers are as many owners as a registry's); and any subtree that would cover one of these.
A name *below* a protected one or below a public suffix may be blocked: that is what an order is for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple

from publicsuffixlist import PSLFILE

from blocklists import names

Match = Literal["exact", "subtree"]

RESERVED = ("arpa", "localhost")


class Suffixes(NamedTuple):
    """The public-suffix rules as keys."""

    plain: frozenset[bytes]
    """Suffixes named by a rule, and the names whose every child is one: the list implies that a wildcard's own root is a suffix."""
    wild: frozenset[bytes]
    """Names whose children are all suffixes (rules with `*.`)."""
    exceptions: frozenset[bytes]
    """Names a wildcard would take but that somebody registered (rules with `!`)."""
    covering: dict[bytes, str]
    """Names above some suffix, with one that they cover."""

    def has(self, key: bytes) -> bool:
        """Whether this key is a public suffix; an unknown top-level domain counts as one, as the list's algorithm says."""
        parent = _parent(key)
        return not parent or ((key in self.plain or (parent in self.wild and parent not in self.exceptions)) and key not in self.exceptions)


class Guards:
    """The guards for one set of own and protected names.

    `own` and `protected` are texts as `names.listed` takes them; its BadName is raised for one that is no name. `known` are the public suffixes to
    go by; without them, those bundled with publicsuffixlist.
    """

    def __init__(self, own: Iterable[str] = (), protected: Iterable[str] = (), known: Suffixes | None = None) -> None:
        self._suffixes = suffixes() if known is None else known
        self._own = tuple(names.key(names.listed(text)) for text in (*RESERVED, *own))
        self._protected = frozenset(names.key(names.listed(text)) for text in protected)
        self._above = {above: names.key_text(key) for key in sorted((*self._own, *self._protected)) for above in _ancestors(key)}

    def refusal(self, key: bytes, match: Match) -> str | None:
        """Why this key may not be blocked in this way, with the remedy; None when it may."""
        if not key:
            return "is the root: blocking it would block every name; name a domain"
        if key.startswith(self._own):
            kept = next(own for own in self._own if key.startswith(own))
            return f"{'is' if key == kept else 'is below'} {names.key_text(kept)}, which must always resolve; remove it from the list"
        if key in self._protected:
            return "is a protected name, by blocklists.protected or by the authority; take it from this list, or from that"
        if self._suffixes.has(key):
            return "is a public suffix, under which many owners have names; list the names that are meant"
        if match == "subtree":
            if key in self._above:
                return f"with its subdomains would cover {self._above[key]}, which must stay reachable; list the names that are meant"
            if key in self._suffixes.covering:
                return (
                    f"with its subdomains would cover {self._suffixes.covering[key]}, a public suffix of many owners; list the names that are meant"
                )
        return None


@cache
def suffixes() -> Suffixes:
    """The rules bundled with publicsuffixlist, read once a process."""
    return read_suffixes(Path(PSLFILE).read_text("utf-8"))


def read_suffixes(text: str) -> Suffixes:
    """The rules in a list as publicsuffix.org writes it. Raises BadName for a rule that is no name."""
    rules = [line.split()[0] for line in text.splitlines() if line.strip() and not line.startswith("//")]
    wild = frozenset(_key(rule[2:]) for rule in rules if rule.startswith("*."))
    exceptions = frozenset(_key(rule[1:]) for rule in rules if rule.startswith("!"))
    plain = wild | {_key(rule) for rule in rules if rule[0] not in "*!"}
    covering = {above: names.key_text(key) for key in sorted(plain, reverse=True) for above in _ancestors(key)}
    return Suffixes(plain, wild, exceptions, covering)


def _key(text: str) -> bytes:
    return names.key(names.listed(text))


def _parent(key: bytes) -> bytes:
    position = last = 0
    end = len(key)
    while position < end:
        last = position
        position += key[position] + 1
    return key[:last]


def _ancestors(key: bytes) -> Iterator[bytes]:
    """The keys of the names properly above, the root left out."""
    while key := _parent(key):
        yield key
