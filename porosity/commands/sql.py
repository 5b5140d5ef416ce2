"""`redhand porosity sql`: asks a study anything, in DuckDB's SQL."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from blocklists.errors import RedHandError

if TYPE_CHECKING:
    import duckdb

MOST_ROWS = 1000
"""Rows shown to a person; a machine gets all."""


def command(
    directory: Annotated[Path, typer.Argument(metavar="STUDY", help="The study's directory.", show_default=False)],
    query: Annotated[str, typer.Argument(metavar="[SQL]", help="A query; without one, the tables and their columns.", show_default=False)] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object a row.")] = False,
) -> None:
    """Ask a study in SQL, such as: SELECT vector, failure, count(*) FROM observations GROUP BY ALL.

    Files of the study are read, never changed. COPY (SELECT …) TO 'table.csv' writes a file of your own.
    """
    import duckdb  # noqa: PLC0415

    from porosity import database, study  # noqa: PLC0415

    with database.connect(study.open(directory)) as asked:
        if not query:
            query = (
                "SELECT table_name AS \"table\", string_agg(column_name || ' ' || data_type, ', ' ORDER BY column_index) AS columns "
                "FROM duckdb_columns() WHERE NOT internal AND table_name <> 'unsealed' GROUP BY ALL ORDER BY 1"
            )
        try:
            asked.execute(query)
            (_print_json if as_json else _print_table)(asked)
        except duckdb.Error as error:
            raise RedHandError(f"the query was refused: {error}") from None


def _print_json(result: duckdb.DuckDBPyConnection) -> None:
    columns = _columns(result)
    while rows := result.fetchmany(MOST_ROWS):
        for row in rows:
            print(json.dumps({column: _plain(value) for column, value in zip(columns, row, strict=True)}, default=str))


def _print_table(result: duckdb.DuckDBPyConnection) -> None:
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    table = Table(*_columns(result))
    rows = result.fetchmany(MOST_ROWS + 1)
    for row in rows[:MOST_ROWS]:
        table.add_row(*("" if value is None else str(_plain(value)) for value in row))
    out = Console()
    out.print(table, markup=False)
    if len(rows) > MOST_ROWS:
        out.print(f"only the first {MOST_ROWS} rows are shown; --json prints all, and COPY (…) TO 'file.csv' writes them")


def _columns(result: duckdb.DuckDBPyConnection) -> list[str]:
    return [each[0] for each in result.description or ()]


def _plain(value: Any) -> Any:
    """Octets as hex digits, as `query` and `answer` are."""
    return value.hex() if isinstance(value, bytes) else value
