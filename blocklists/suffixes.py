"""The domain somebody registered behind a name, by the Public Suffix List's bundled data (publicsuffix.org/list)."""

from __future__ import annotations

from functools import cache

from publicsuffixlist import PSLFILE, PublicSuffixList


@cache
def _list() -> PublicSuffixList:
    """The rules in ASCII alone, as names in wire form are: that takes half the time of reading them in both forms, and every worker's start waits."""
    with open(PSLFILE, encoding="utf-8") as data:
        rules = [line for line in data.read().split("\n") if line and not line.startswith("//")]
    return PublicSuffixList([rule if rule.isascii() else rule.encode("idna").decode() for rule in rules], accept_encoded_idn=False)


def load() -> None:
    """Reads the data now, which takes about 15 ms, rather than when it is first asked."""
    _list()


def owned(key: bytes) -> bytes | None:
    """The index key of the registrable domain that a name belongs to; None when the name is a public suffix or the root. Any labels will do."""
    labels = []
    position = 0
    while position < len(key):
        end = position + key[position] + 1
        labels.append(key[position + 1 : end])
        position = end
    labels.reverse()
    private = _list().privatesuffix(tuple(labels)) if labels else None
    return key[: len(private) + sum(map(len, private))] if private else None


def registrable(key: bytes) -> bytes:
    """The index key of the registrable domain that a name belongs to; the key itself when the name is a public suffix or the root."""
    domain = owned(key)
    return key if domain is None else domain
