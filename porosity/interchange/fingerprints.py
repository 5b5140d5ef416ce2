"""Fingerprints of block pages, as the blocking-fingerprints collection keeps them: read, and written for our page.

CSV with the columns in COLUMNS. A fingerprint found in `dns` is an answer's: its pattern is an address, or an alias that blocked names get. Those of
page bodies and headers are read, too, but nothing here fetches a page to hold them against. The collection is read at run time and never bundled.
"""

from __future__ import annotations

import csv
import hashlib
import io
import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from blocklists.errors import SourceError

LOCATIONS = ("dns", "body")
"""And `header.name`, in lower case."""
PATTERNS = ("full", "prefix", "contains", "regexp")
SCOPES = ("isp", "nat", "prod", "inst", "fp", "vbw", "injb", "prov")
"""Where it was seen to block: a provider, a nation, a product, an institution; `fp` blocks nowhere, and tells false positives apart."""

COUNTRY = "ZZ"
"""Of a page whose country is not given."""


@dataclass(frozen=True)
class Fingerprint:
    """One row."""

    name: str
    """Stable, such as `example_telecom_dns_1`."""
    scope: str
    other_names: str
    location_found: str
    pattern_type: str
    pattern: str
    confidence_no_fp: str
    """How sure it is that no other page looks so, 0 to 10."""
    expected_countries: str
    source: str
    exp_url: str
    notes: str


COLUMNS = tuple(each.name for each in fields(Fingerprint))


@dataclass(frozen=True)
class Found:
    """A file's rows."""

    rows: tuple[Fingerprint, ...]
    sha256: str
    """64 hex digits over the file."""


def read(path: Path) -> Found:
    """The fingerprints in a CSV file. Raises SourceError, with the line and what is wrong."""
    try:
        data = path.read_bytes()
        reader = csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True)
        lines = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SourceError(f"{path} cannot be read as fingerprints ({error}); name a CSV file with the columns {','.join(COLUMNS)}") from None
    missing = [each for each in COLUMNS if each not in (reader.fieldnames or ())]
    if missing:
        raise SourceError(f"{path} has no column {', '.join(missing)}; fingerprints have {','.join(COLUMNS)}")
    rows = []
    for number, line in enumerate(lines, 2):
        row = Fingerprint(*(line[each] or "" for each in COLUMNS))
        if wrong := check(row):
            raise SourceError(f"{path}, row {number}: {wrong}")
        rows.append(row)
    return Found(tuple(rows), hashlib.sha256(data).hexdigest())


def check(row: Fingerprint) -> str:
    """What is wrong with a row; empty: nothing."""
    if not row.name or not row.pattern:
        return "a fingerprint has a name and a pattern"
    if row.location_found not in LOCATIONS and not row.location_found.startswith("header."):
        return f"location_found is {row.location_found!r}; it is dns, body or header.name"
    if row.pattern_type not in PATTERNS:
        return f"pattern_type is {row.pattern_type!r}; it is one of {', '.join(PATTERNS)}"
    if row.scope not in SCOPES:
        return f"scope is {row.scope!r}; it is one of {', '.join(SCOPES)}"
    return ""


def addresses(rows: Iterable[Fingerprint]) -> Mapping[bytes, str]:
    """Addresses that blocked names are answered with, by the rows that name a whole one, with each fingerprint's name."""
    found: dict[bytes, str] = {}
    for row in rows:
        if row.location_found == "dns" and row.pattern_type == "full" and row.scope != "fp":
            try:
                found.setdefault(ipaddress.ip_address(row.pattern.strip()).packed, row.name)
            except ValueError:
                continue  # an alias: our rules compare addresses
    return found


def ours(landing: Iterable[str], *, name: str, country: str = COUNTRY, source: str) -> list[Fingerprint]:
    """Rows for a page of Red Hand's: its addresses in the DNS, and what its answers have whatever the language.

    `name`: the operator's, such as `example_telecom`; `country`: two capital letters; `source`: who says so.
    """

    def row(tail: str, location: str, type: str, pattern: str, sure: str, notes: str) -> Fingerprint:
        return Fingerprint(f"{name}_{tail}", "isp", "", location, type, pattern, sure, country, source, "", notes)

    rows = [
        row(f"dns_{number}", "dns", "full", str(ipaddress.ip_address(text)), "8", "A blocked name is answered with this address.")
        for number, text in enumerate(landing, 1)
    ]
    return [*rows, row("link", "header.link", "contains", 'rel="blocked-by"', "5", "HTTP 451, and who blocks (RFC 7725, section 4).")]


def text(rows: Iterable[Fingerprint]) -> str:
    """The rows as CSV, with its header."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(map(astuple, rows))
    return out.getvalue()
