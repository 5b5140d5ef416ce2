"""A study on disk: the plan, its names, and where each stage stands. Stages are folders; each is made from the one before, and none is edited.

    plan.json · names.parquet
    observations/<vantage>/part-000001.parquet …   and journal/ beside: what is not yet in a part
    classification/<rules>/part-000001.parquet …
    estimates/ · report/

The plan and its names are written once and never again: what asks anew is another study.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, overload

import dns.exception
import dns.name
import pyarrow as pa
import pyarrow.parquet as pq

from blocklists.errors import StoreError
from porosity import parts, plan, sound
from porosity.plan import Plan
from porosity.words import Name

PLAN, NAMES = "plan.json", "names.parquet"

_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)

NAME_SCHEMA = pa.schema(
    [
        ("number", pa.int64()),
        ("name", pa.string()),
        ("group", pa.string()),
        ("domain", pa.string()),
        ("list", pa.string()),
        ("directive", pa.string()),
        ("match", pa.string()),
        ("in_force", pa.bool_()),
    ]
)

FIELDS = tuple(field for field in NAME_SCHEMA.names if field != "number")


class Names(Sequence[Name]):
    """The names of a study by number, made when they are asked for: a million of them cost their text."""

    def __init__(self, table: pa.Table) -> None:
        self.table = table.combine_chunks()
        # Trials of a cell come one after the other, and ask for the same name.
        self._made = lru_cache(maxsize=1024)(self._make)
        self._columns = [self.table.column(field) for field in FIELDS]

    def __len__(self) -> int:
        return int(self.table.num_rows)

    @overload
    def __getitem__(self, number: int) -> Name: ...
    @overload
    def __getitem__(self, number: slice) -> Sequence[Name]: ...
    def __getitem__(self, number: int | slice) -> Name | Sequence[Name]:
        if isinstance(number, slice):
            return [self[each] for each in range(*number.indices(len(self)))]
        return self._made(number)

    def _make(self, number: int) -> Name:
        text, *rest = (column[number].as_py() for column in self._columns)
        return Name(_named(text), *rest)

    def __iter__(self) -> Iterator[Name]:
        for text, *rest in self.rows():
            yield Name(_named(text), *rest)

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """The names as `plan.row` writes them, in order."""
        for batch in self.table.to_batches(max_chunksize=10_000):
            yield from zip(*(batch.column(field).to_pylist() for field in FIELDS), strict=True)


def _named(text: str) -> dns.name.Name:
    try:
        return dns.name.from_text(text)
    except dns.exception.DNSException as error:
        raise StoreError(f"the study has the name {text!r}, which is none ({error}); take it from where it was planned") from None


class Study:
    """One study, opened."""

    def __init__(self, directory: Path, plan: Plan) -> None:
        self.directory = directory
        self.plan = plan

    @cached_property
    def names(self) -> Names:
        """Its names. Raises StoreError when they are not those that were planned."""
        path = self.directory / NAMES
        try:
            found = Names(pq.read_table(path, schema=NAME_SCHEMA))
        except (OSError, pa.ArrowInvalid) as error:
            raise StoreError(f"{path} cannot be read ({error}); take it from where the study was planned") from None
        sound.names(path, found.table, self.plan)
        if plan.digest(found.rows()) != self.plan.names_sha256:
            raise StoreError(f"{path} has other names than the plan; take the file that was written with it")
        return found

    def vantages(self) -> list[str]:
        """Labels of those who have observed anything."""
        folder = self.directory / "observations"
        return sorted(each.name for each in folder.iterdir() if each.is_dir()) if folder.is_dir() else []

    def observations(self, vantage: str) -> Path:
        """Where a vantage's observations stand. Raises StoreError for a label that is none."""
        return self.directory / "observations" / label(vantage)

    def classification(self, rules: str) -> Path:
        """Where the verdicts of one version of rules stand, such as `red-hand-2`."""
        return self.directory / "classification" / label(rules)

    def classifications(self) -> list[str]:
        """Versions of rules that verdicts stand for."""
        folder = self.directory / "classification"
        return sorted(each.name for each in folder.iterdir() if each.is_dir()) if folder.is_dir() else []

    @property
    def estimates(self) -> Path:
        """Where estimates stand."""
        return self.directory / "estimates"

    @property
    def report(self) -> Path:
        """Where the report stands."""
        return self.directory / "report"


def label(text: str) -> str:
    """A label that may name a folder. Raises StoreError for another."""
    if not _LABEL.fullmatch(text):
        raise StoreError(f"{text!r} cannot name a vantage or a set of rules; use 1 to 64 ASCII letters, digits, dots, - or _")
    return text


def create(directory: Path, made: Plan, names: Sequence[Name]) -> Study:
    """Writes a new study: the plan and its names, as `plan.make` gave them. Raises StoreError where another one stands, or the disk refuses.

    The same plan again is no error, and changes nothing.
    """
    if (directory / PLAN).exists():
        there = open(directory)
        if there.plan.id != made.id:
            raise StoreError(f"{directory} holds another study ({there.plan.id[:12]}); name another directory")
        return there
    sound.directory(directory)
    columns = list(zip(*map(plan.row, names), strict=True))
    table = pa.Table.from_arrays(
        [pa.array(column, field.type) for column, field in zip([range(len(names)), *columns], NAME_SCHEMA, strict=True)], schema=NAME_SCHEMA
    )
    parts.write(directory / NAMES, table, {"plan": made.id})
    # Last: a directory without it is no study yet.
    parts.replace(directory / PLAN, made.json)
    return open(directory)


def open(directory: Path) -> Study:
    """The study in this directory. Raises StoreError when there is none, or something in it leads out of it; BadPlan when its plan is none."""
    path = directory / PLAN
    try:
        sound.directory(directory)
        data = path.read_bytes()
    except OSError as error:
        raise StoreError(f"{path} cannot be read ({error.strerror}); name a study's directory, or make one: redhand porosity plan") from None
    found = plan.read(data)
    sound.plan(found)
    return Study(directory, found)
