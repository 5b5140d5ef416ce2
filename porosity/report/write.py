"""A study's report on disk: the page, each figure as SVG and PNG, each table as CSV and JSON. What stood is replaced."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from porosity import parts
from porosity.report import curves, matrix, page, shares, style, tables
from porosity.report.found import Found, read
from porosity.study import Study

PAGE = "index.html"


@dataclass(frozen=True)
class Written:
    """What there is now."""

    found: Found
    page: Path
    figures: list[str]
    tables: list[str]


def write(study: Study, seen: Callable[[str], None] = lambda name: None) -> Written:
    """Makes the report of the estimates that stand. `seen` is told each figure as it is drawn. Raises NothingEstimated, StoreError and DiskError."""
    found = read(study)
    made: dict[str, bytes] = {}
    drawn = []
    for figure in (*shares.figures(found), *matrix.figures(found), *curves.figures(found)):
        seen(figure.name)
        files = style.draw(figure)
        drawn.append((figure, files))
        made[f"figures/{figure.name}.svg"], made[f"figures/{figure.name}.png"] = files.svg, files.png
    named = []
    for name, rows in tables.make(found):
        named.append(name)
        made[f"tables/{name}.csv"], made[f"tables/{name}.json"] = tables.as_csv(rows), tables.as_json(rows)
    made[PAGE] = page.make(found, drawn)
    for path, content in made.items():
        parts.replace(study.report / path, content)
    _forget(study.report, set(made))
    return Written(found, study.report / PAGE, [figure.name for figure, _ in drawn], named)


def _forget(report: Path, made: set[str]) -> None:
    """Figures and tables of an earlier report that this one has not."""
    for folder, kinds in (("figures", (".svg", ".png")), ("tables", (".csv", ".json"))):
        for each in (report / folder).iterdir():
            if each.suffix in kinds and f"{folder}/{each.name}" not in made:
                with parts.explained(each):
                    each.unlink(missing_ok=True)
