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
"""And `header.NAME`."""
PATTERNS = ("full", "prefix", "contains", "regexp")
SCOPES = ("nat", "isp", "prod", "inst", "vbw", "fp", "")
"""How far a block reaches: nation, provider, product, institution, various, false positive, not known."""

TITLE = "The Red Hand"
"""In the page's own text, whatever its language."""
HEADER = "Blocked-By"
"""RFC 7725 leaves who blocks to a Link header with this relation; matched as text."""


@dataclass(frozen=True)
class Fingerprint:
    """One row."""

    name: str
    """Stable, such as `xx.isp.example`."""
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
        return f"location_found is {row.location_found!r}; it is dns, body or header.NAME"
    if row.pattern_type not in PATTERNS:
        return f"pattern_type is {row.pattern_type!r}; it is one of {', '.join(PATTERNS)}"
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


def ours(landing: Iterable[str], *, name: str, country: str, source: str, seen_at: str = "") -> list[Fingerprint]:
    """Rows for a page of Red Hand's: its addresses in the DNS, and what its answers have whatever the language.

    `name`: the operator's, such as `xx.example-telecom`; `country`: two letters, empty where it is not known; `source`: who says so.
    """
    rows = []
    for number, address in enumerate(landing, 1):
        text = str(ipaddress.ip_address(address))
        rows.append(_row(f"{name}.dns{number}", "dns", "full", text, "8", country, source, seen_at, "A blocked name is answered with this address."))
    note = "HTTP 451 with a Link to who blocks (RFC 7725, section 4)."
    rows.append(_row(f"{name}.link", "header.Link", "contains", 'rel="blocked-by"', "5", country, source, seen_at, note))
    return rows


def _row(name: str, location: str, type: str, pattern: str, sure: str, country: str, source: str, seen_at: str, notes: str) -> Fingerprint:
    return Fingerprint(name, "isp", "Red Hand", location, type, pattern, sure, country, source, seen_at, notes)


def text(rows: Iterable[Fingerprint]) -> str:
    """The rows as CSV, with its header."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(map(astuple, rows))
    return out.getvalue()
