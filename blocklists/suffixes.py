"""The domain somebody registered behind a name, by the Public Suffix List's bundled data (publicsuffix.org/list)."""

from __future__ import annotations

from functools import cache

from publicsuffixlist import PublicSuffixList

from blocklists import names


@cache
def _list() -> PublicSuffixList:
    return PublicSuffixList()


def load() -> None:
    """Reads the data now, which takes about 30 ms, rather than when it is first asked."""
    _list()


def registrable(key: bytes) -> bytes:
    """The index key of the registrable domain that a name belongs to; the key itself when the name is a public suffix or the root."""
    if not key:
        return key
    private = _list().privatesuffix(names.key_text(key))
    return names.key(names.parse(private)) if private else key
