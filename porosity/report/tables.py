"""The tables of a report: CSV for people and programs, JSON beside; the same figures as in the pictures, and all of them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from porosity import estimates
from porosity.report import matrix
from porosity.report.found import Found, Row

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for a formula, at the beginning of a cell."""


def make(found: Found) -> Iterator[tuple[str, list[Row]]]:
    """Each table by its name, in shares (0 to 1) and seconds; those that have rows."""
    for name in estimates.TABLES:
        if found.tables[name]:
            yield name, found.tables[name]
    cells = list(matrix.rows(found))
    if cells:
        yield "matrix", cells
    yield "headline", [_headline(found, each) for each in found.said["headline"]]


def _headline(found: Found, said: Row) -> Row:
    row: Row = {"resolver": said["resolver"]}
    for key in ("plain", "technical", "any"):
        rate = said[key] or {}
        row |= {f"{key}_{field}": rate.get(field) for field in ("share", "low", "high", "names")}
    for key in ("landing", "ede"):
        row[key] = (found.rate(key, said["resolver"], vector="type-a") or {}).get("share")
    return row | {"overblocked": said["overblocked"]["names"], "leaking": said["leaking"]}


def as_csv(rows: list[Row]) -> bytes:
    """RFC 4180, UTF-8: lists with spaces between, nothing for what is not known, an apostrophe before what would be a formula."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\r\n")
    writer.writeheader()
    writer.writerows({key: _cell(value) for key, value in row.items()} for row in rows)
    return text.getvalue().encode()


def as_json(rows: Iterable[Row]) -> bytes:
    """A list of objects, one a line."""
    lines = ",\n".join(json.dumps(row, ensure_ascii=False, allow_nan=False, default=_plain) for row in rows)
    return f"[\n{lines}\n]\n".encode()


def _cell(value: Any) -> Any:
    if isinstance(value, list):
        value = " ".join(map(str, value))
    if isinstance(value, str) and value.startswith(_FORMULA):
        # Names, ids and sources are others' texts: a spreadsheet must not reckon with them. The JSON beside has them as they are.
        return f"'{value}"
    return "" if value is None else _plain(value) if isinstance(value, datetime) else value


def _plain(value: Any) -> str:
    return str(value.strftime("%Y-%m-%dT%H:%M:%SZ")) if isinstance(value, datetime) else str(value)
