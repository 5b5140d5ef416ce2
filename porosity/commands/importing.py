"""`redhand porosity import`: takes what zdns observed into a study."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Annotated

import typer

from blocklists.errors import RedHandError, SourceError

SHOWN = 10
_BATCH = 500


def command(
    directory: Annotated[Path, typer.Argument(metavar="STUDY", help="The study's directory.", show_default=False)],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Results of zdns, as JSON Lines.", show_default=False)],
    vantage: Annotated[str, typer.Option("--vantage", metavar="LABEL", help="What the place they are from is called; a new one.")] = "zdns",
    vectors: Annotated[list[str] | None, typer.Option("--vectors", metavar="FILE.py", help="Vectors of your own that the plan has.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for a machine.")] = False,
) -> None:
    """Take results of zdns as the observations of a vantage: those that fit a trial of the plan, by name, type and server.

    Run zdns with the study's names and servers, such as: zdns A --name-servers 192.0.2.53 < names.txt
    """
    from porosity import study  # noqa: PLC0415
    from porosity.interchange import zdns  # noqa: PLC0415
    from porosity.journal import Journal  # noqa: PLC0415
    from porosity.vectors import ALL, load  # noqa: PLC0415

    opened = study.open(directory)
    if vantage in opened.vantages():
        raise RedHandError(f"{vantage} has observed already; name another vantage with --vantage, so that nothing is on record twice")
    trials = zdns.Trials(opened, [*ALL, *(vector for text in vectors or () for vector in load(Path(text)))])
    taken = zdns.Taken()
    try:
        with file.open("rb") as given, Journal(opened, vantage) as journal:
            waiting = []
            for row in zdns.observed(zdns.lines(given), trials, taken):
                waiting.append(row)
                if len(waiting) >= _BATCH:
                    journal.append(waiting)
                    waiting = []
            journal.append(waiting)
            journal.seal()
    except OSError as error:
        raise SourceError(f"{file} cannot be read ({error.strerror}); name a file of zdns's results") from None
    if not taken.taken:
        # A vantage that has observed nothing is none, and its name is free for the next try.
        shutil.rmtree(opened.observations(vantage), ignore_errors=True)
    if as_json:
        print(json.dumps({"vantage": vantage, "taken": taken.taken, "not_taken": taken.not_taken, "skipped": taken.skipped}))
        return
    print(f"{taken.taken:,} results are observations of {vantage}; {taken.not_taken:,} were not taken")
    for line in taken.skipped[:SHOWN]:
        print(f"  {line}")
    print(f"next: redhand porosity classify {directory}")
