"""A study as a database: DuckDB in memory over the files of all its stages, as they stand when it is opened. It changes none of them.

Tables: `names` (whose column `group` is `origin` here, since SQL reserves the word), `vectors`, `resolvers`, `observations`, `classification` (of all
sets of rules, told apart by `rules`), and each Parquet file among the estimates under its own name. What is not there yet is no table. Nothing is
fetched from a network: extensions are neither sought nor installed.
"""

from __future__ import annotations

import glob
import weakref
from collections.abc import Iterable, Sequence
from pathlib import Path

import duckdb
import pyarrow as pa

from porosity import observations, parts, spill
from porosity.study import NAMES, Study

MEMORY = "192MB"
"""What a query may hold; what it needs beyond is spilled beside the study, and removed when nobody holds the database any more."""

TABLES = ("names", "vectors", "resolvers", "observations", "classification")


def connect(study: Study, vantages: Sequence[str] | None = None, memory: str = MEMORY, estimates: bool = True) -> duckdb.DuckDBPyConnection:
    """The study's tables, with the observations of these vantages (or of all). Close it when done; it is a context manager.

    `estimates`: whether these are among the tables; not for who makes them, in whatever state those are that stand. `memory`: as DuckDB's limit.
    Raises StoreError when some observations belong to another plan.
    """
    sealed, unsealed = observations.stored(study, vantages)
    path, held = spill.room(study.directory, elsewhere=True)
    database = duckdb.connect(
        ":memory:",
        config={
            "memory_limit": memory,
            "temp_directory": str(path),
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "preserve_insertion_order": "false",
        },
    )
    weakref.finalize(database, spill.leave, path, held)
    database.execute("SET enable_progress_bar = false")
    _view(database, "names", _parquet([study.directory / NAMES], 'RENAME ("group" AS origin)'))
    _describe(database, study)
    database.register("unsealed", pa.Table.from_batches(unsealed, observations.SCHEMA))
    _view(database, "observations", " UNION ALL BY NAME ".join(["SELECT * FROM unsealed", *([_parquet(sealed)] if sealed else [])]))
    verdicts = []
    for rules in study.classifications():
        folder = study.classification(rules)
        if found := [folder / parts.name(number) for number in parts.numbers(folder)]:
            verdicts.append(f"SELECT *, {_text(rules)} AS rules FROM ({_parquet(found)})")  # noqa: S608 - quoted, as all here
    if verdicts:
        _view(database, "classification", " UNION ALL BY NAME ".join(verdicts))
    for file in sorted(study.estimates.glob("*.parquet")) if estimates else ():
        if file.stem not in TABLES and not file.name.startswith("."):
            _view(database, file.stem, _parquet([file]))
    return database


def _describe(database: duckdb.DuckDBPyConnection, study: Study) -> None:
    """What the plan says of vectors and resolvers; `place` is what trials are numbered by."""
    said = ("id", "family", "kind", "sends", "leak", "source")
    columns = {("vector" if field == "id" else field): [getattr(each, field) for each in study.plan.vectors] for field in said}
    vectors = pa.table({**columns, "place": range(len(study.plan.vectors))})
    resolvers = pa.Table.from_pylist(
        [
            {"resolver": each.id, "place": place, "role": each.role, "endpoints": [str(endpoint) for endpoint in each.endpoints]}
            for place, each in enumerate(study.plan.resolvers)
        ]
    )
    database.register("vectors", vectors)
    database.register("resolvers", resolvers)


def _view(database: duckdb.DuckDBPyConnection, name: str, query: str) -> None:
    database.execute(f'CREATE VIEW "{name.replace(chr(34), chr(34) * 2)}" AS {query}')


def _parquet(files: Iterable[Path], but: str = "") -> str:
    listed = ", ".join(_text(glob.escape(str(each))) for each in files)
    return f"SELECT * {but} FROM read_parquet([{listed}], union_by_name = true, hive_partitioning = false)"  # noqa: S608


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
