"""Whose an address is, by a table that the study is given: rules that compare networks need one, and none is fetched.

CSV with a header and the columns `prefix`, `asn`, `organisation`; the narrowest prefix counts:

    prefix,asn,organisation
    192.0.2.0/24,64496,Example Telecom
"""

from __future__ import annotations

import csv
import hashlib
import ipaddress
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from blocklists.errors import SourceError

COLUMNS = ("prefix", "asn", "organisation")
_MOST_ASN = (1 << 32) - 1


class Network(NamedTuple):
    """Who announces a prefix."""

    asn: int
    organisation: str


class Networks:
    """Networks by their prefixes."""

    def __init__(self, prefixes: Mapping[str, tuple[int, str]], sha256: str = "") -> None:
        """`prefixes`: AS number and organisation by prefix, such as `192.0.2.0/24`. Raises ValueError for what is no prefix."""
        self.sha256 = sha256
        """64 hex digits over the file it was read from; empty: it was not."""
        self._by_length: dict[tuple[int, int], dict[int, Network]] = {}
        for text, (asn, organisation) in prefixes.items():
            found = ipaddress.ip_network(text)
            kept = found.max_prefixlen - found.prefixlen
            self._by_length.setdefault((found.max_prefixlen // 8, kept), {})[int(found.network_address) >> kept] = Network(asn, organisation)
        self._lengths = sorted(self._by_length, key=lambda each: each[1])

    def __len__(self) -> int:
        return sum(map(len, self._by_length.values()))

    def find(self, address: bytes) -> Network | None:
        """The network of an address of 4 or 16 octets; None where no prefix has it."""
        number = int.from_bytes(address, "big")
        for octets, kept in self._lengths:
            if octets == len(address) and (found := self._by_length[octets, kept].get(number >> kept)):
                return found
        return None


def read(path: Path) -> Networks:
    """The table in a CSV file. Raises SourceError, with the line and what to write."""
    try:
        data = path.read_bytes()
        rows = list(csv.reader(data.decode("utf-8-sig").splitlines()))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SourceError(f"{path} cannot be read as a table of networks ({error}); name a CSV file with the columns {', '.join(COLUMNS)}") from None
    if not rows or tuple(rows[0]) != COLUMNS:
        raise SourceError(f"{path} does not begin with the columns {','.join(COLUMNS)}; write them in its first line")
    return Networks(_checked(path, rows[1:]), hashlib.sha256(data).hexdigest())


def _checked(path: Path, rows: Iterable[list[str]]) -> dict[str, tuple[int, str]]:
    found: dict[str, tuple[int, str]] = {}
    for line, row in enumerate(rows, 2):
        if not row:
            continue
        try:
            prefix, asn, organisation = row
            if not 0 <= int(asn) <= _MOST_ASN:
                raise ValueError(f"{asn} is no AS number")
            found[str(ipaddress.ip_network(prefix))] = (int(asn), organisation)
        except ValueError as error:
            raise SourceError(f"{path}, line {line}: {','.join(row)!r} is no network ({error}); write 192.0.2.0/24,64496,Name") from None
    return found


def neighbourhood(address: bytes) -> bytes:
    """The /24 of an IPv4 address, the /48 of an IPv6 one: the smallest that networks are announced in, so that one holder has all of it."""
    return address[: 3 if len(address) == 4 else 6]
