"""A study as a database: DuckDB in memory over the files of all its stages, as they stand. It changes none of them.

Tables are `names`, `vectors`, `resolvers`, `observations`, `classification` (of all sets of rules, told apart by `rules`), and every Parquet file
among the estimates under its own name. Nothing is fetched from a network: extensions are neither looked for nor installed.
"""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa

from porosity import observations
from porosity.study import NAMES, Study

MEMORY = "256MB"
"""What a query may hold; what it needs beyond goes to a temporary directory."""


def connect(study: Study, memory: str = MEMORY) -> duckdb.DuckDBPyConnection:
    """The study's tables, to be asked in SQL; close it when done. `memory`: as DuckDB's memory_limit."""
    database = duckdb.connect(":memory:")
    database.execute("SET autoinstall_known_extensions = false; SET autoload_known_extensions = false")
    database.execute(f"SET memory_limit = '{memory}'")
    database.execute("SET enable_progress_bar = false")
    plan = study.plan
    database.execute(f"CREATE VIEW names AS SELECT * FROM read_parquet({_text(study.directory / NAMES)})")  # noqa: S608 - quoted
    vectors = [
        {"vector": each.id, "place": place, "family": each.family, "kind": each.kind, "sends": each.sends, "leak": each.leak, "source": each.source}
        for place, each in enumerate(plan.vectors)
    ]
    database.register("vectors", pa.Table.from_pylist(vectors))
    resolvers = [
        {"resolver": each.id, "place": place, "role": each.role, "endpoints": [str(endpoint) for endpoint in each.endpoints]}
        for place, each in enumerate(plan.resolvers)
    ]
    database.register("resolvers", pa.Table.from_pylist(resolvers))
    database.register("observations", observations.scan(study))
    return database


def _text(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"
