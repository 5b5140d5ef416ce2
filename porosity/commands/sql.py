"""`redhand porosity sql`: asks a study anything, in DuckDB's SQL."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from blocklists.errors import RedHandError
from porosity.shown import plain

if TYPE_CHECKING:
    import duckdb

MOST_ROWS = 1000
"""Rows shown to a person; a machine gets all."""
MOST_WIDTH = 100_000
"""Columns of letters that a table is measured in."""


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
        folded = not query
        if folded:
            query = (
                "SELECT table_name AS \"table\", string_agg(column_name || ' ' || data_type, ', ' ORDER BY column_index) AS columns "
                "FROM duckdb_columns() WHERE NOT internal AND table_name <> 'unsealed' GROUP BY ALL ORDER BY 1"
            )
        try:
            asked.execute(query)
            if as_json:
                _print_json(asked)
            else:
                _print_table(asked, folded)
        except duckdb.Error as error:
            raise RedHandError(f"the query was refused: {error}") from None


def _print_json(result: duckdb.DuckDBPyConnection) -> None:
    columns = _columns(result)
    while rows := result.fetchmany(MOST_ROWS):
        for row in rows:
            print(json.dumps({column: _plain(value) for column, value in zip(columns, row, strict=True)}, default=str))


def _print_table(result: duckdb.DuckDBPyConnection, folded: bool) -> None:
    """A table where it has room; else a column a line, row after row, so that nothing is cut. `folded`: a table all the same, in folded cells."""
    from rich import box  # noqa: PLC0415
    from rich.console import Console  # noqa: PLC0415
    from rich.measure import Measurement  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    columns, rows = _columns(result), result.fetchmany(MOST_ROWS + 1)
    told = [[_told(value) for value in row] for row in rows[:MOST_ROWS]]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(Text(column))
    for row in told:
        table.add_row(*map(Text, row))
    out = Console(highlight=False)
    if folded or Measurement.get(out, out.options.update(max_width=MOST_WIDTH), table).maximum <= out.width:
        out.print(table)
    else:
        names = max(map(len, columns))
        for row in told:
            for column, value in zip(columns, row, strict=True):
                out.print(Text(f"{column:{names}}  {value}".rstrip()), soft_wrap=True)
            out.print()
    if len(rows) > MOST_ROWS:
        out.print(f"only the first {MOST_ROWS} rows are shown; --json prints all, and COPY (…) TO 'file.csv' writes them")


def _columns(result: duckdb.DuckDBPyConnection) -> list[str]:
    return [each[0] for each in result.description or ()]


def _plain(value: Any) -> Any:
    """Octets as hex digits, as `query` and `answer` are."""
    return value.hex() if isinstance(value, bytes) else value


def _told(value: Any) -> str:
    """The same for a person: lists with commas, nothing for what is not known."""
    if isinstance(value, list):
        return ", ".join(map(_told, value))
    return "" if value is None else plain(str(_plain(value)), 0)
