"""A Citizen Lab test list, read at run time: the hosts of its URLs are names to measure. The lists are licensed CC BY-NC-SA and never bundled.

CSV with the columns in COLUMNS. A list says which sites are worth testing, not that they are ordered blocked, and each URL speaks for its host alone.
"""

from __future__ import annotations

import csv
import hashlib
import io
import ipaddress
from pathlib import Path
from urllib.parse import urlsplit

from blocklists.errors import BadName, SourceError
from blocklists.formats import FIRST_BAD
from porosity import names
from porosity.names import Listed
from porosity.plan import Listing
from porosity.words import Name

COLUMNS = ("url", "category_code", "category_description", "date_added", "source", "notes")
_MOST_SKIPPED = 1000


def read(path: Path, identity: str) -> Listed:
    """The list, under this id. URLs of addresses are skipped: no name is asked for them. Raises SourceError, as other lists do."""
    try:
        data = path.read_bytes()
        reader = csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True)
        rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SourceError(f"{path} cannot be read as a Citizen Lab list ({error}); name a CSV file with the columns {','.join(COLUMNS)}") from None
    if "url" not in (reader.fieldnames or ()):
        raise SourceError(f"{path} has no column url; a Citizen Lab list has {','.join(COLUMNS)}")
    found: dict[str, Name] = {}
    skipped: list[str] = []
    bad = 0
    for number, row in enumerate(rows, 2):
        url = (row["url"] or "").strip()
        try:
            host = _host(url)
            if host and host not in found:
                found[host] = names.make(host, "listed", list=identity, match="exact")
            reason = "" if host else "has an address and no name"
        except (BadName, ValueError) as error:
            reason, bad = str(error), bad + 1
        if reason and len(skipped) < _MOST_SKIPPED:
            skipped.append(f"{path.name} row {number}: {url!r} {reason}")
    if bad and (bad == len(rows) or (bad > 1 and bad > names.MAX_BAD_SHARE * len(rows))):
        first = "; ".join(skipped[:FIRST_BAD])
        raise SourceError(f"{path}: {bad} of its {len(rows)} records cannot be read; mend them, or name another list. First: {first}")
    listed = [found[host] for host in sorted(found)]
    return Listed(Listing(identity, path.name, hashlib.sha256(data).hexdigest(), len(listed)), listed, skipped)


def _host(url: str) -> str:
    """The host of a URL, lower case; empty for an address. Raises ValueError for what is no URL."""
    host = (urlsplit(url if "//" in url else f"//{url}").hostname or "").rstrip(".").lower()
    if not host:
        raise ValueError("is no URL with a host")
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host
    return ""
