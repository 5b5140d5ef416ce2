"""The matrix: what leaks by which vector at which resolver; once by families of vectors, for a column, once by each vector, for a page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import altair as alt

from porosity.report.found import Found, Row
from porosity.report.style import FAINT, INK, NONE, NOT_KNOWN, SCALE, SIGNAL, Figure, data, titled

COLUMN, ROW = 46, 15
LEVELS = ("none", "below 25", "25 to 50", "50 to 75", "75 and more", "all")
"""What a cell's colour says. None and all are told apart from nearly so."""
_WIDE = 8
"""Letters that a column has room for; longer names stand aslant."""
_SHARES = (
    "Cells: share of names in force that were reached, in per cent. A dash: not known (insufficient, or not "
    "measured there); down: the way did not work. n: names measured at the resolver."
)


def figures(found: Found) -> Iterator[Figure]:
    """Those that the study has anything for."""
    for make in (_families, _vectors):
        figure = make(found)
        if figure is not None:
            yield figure


def _families(found: Found) -> Figure | None:
    plan = found.study.plan
    families = list(dict.fromkeys(each.family for each in plan.vectors if each.kind == "data" and each.family != "time"))
    cells = []
    for family in families:
        rates = {resolver: found.rate("leak", resolver, "family", family=family) for resolver in found.tested}
        if any(rates.values()):
            members = [each.id for each in plan.vectors if each.family == family]
            cells += [
                {**_cell(found, resolver, row, *members), "row": titled(family), "group": "", "signal": False} for resolver, row in rates.items()
            ]
    if not cells:
        return None
    return Figure(
        "families",
        "Resolver and family of vectors",
        f"Reached by at least one vector of the family. {_SHARES}",
        _told(cells),
        _chart(cells, grouped=False),
        "matrix",
    )


def _vectors(found: Found) -> Figure | None:
    cells: list[dict[str, Any]] = []
    # A resolver that is down altogether is so in every row: that alone makes none worth its place.
    works = {of for (measure, *_, of), row in found.overall.items() if measure == "leak" and row["trials"]}
    for each in found.study.plan.vectors:
        if each.family == "time":
            continue
        measure = "leak" if each.kind == "data" else "signal"
        rates = {resolver: found.rate(measure, resolver, vector=each.id) for resolver in found.tested}
        if not any(rates.values()) and not any(_down(found, resolver, each.id) for resolver in found.tested if resolver in works or not works):
            continue
        group = titled(each.family) if each.kind == "data" else f"{titled(each.family)} (signal)"
        cells += [
            {**_cell(found, resolver, row, each.id), "row": each.id, "group": group, "signal": each.kind != "data"} for resolver, row in rates.items()
        ]
    if not cells:
        return None
    cells.sort(key=lambda each: bool(each["signal"]))
    signals = " Violet: share of trials in which a signal that leads clients round the resolver was there." if cells[-1]["signal"] else ""
    return Figure(
        "matrix",
        "Resolver and vector",
        f"{_SHARES}{signals} Vectors of which nothing is known at any resolver are left out; they are in the table.",
        _told(cells),
        _chart(cells, grouped=True),
        "matrix",
    )


def rows(found: Found) -> Iterator[Row]:
    """The same as a table, with everything that is known of a cell."""
    for resolver in found.tested:
        for each in found.study.plan.vectors:
            if each.family == "time":
                continue
            row = found.rate("leak" if each.kind == "data" else "signal", resolver, vector=each.id) or {}
            said = {key: row.get(key) for key in ("share", "low", "high", "hits", "trials", "names", "domains")}
            others = {key: (found.rate(key, resolver, vector=each.id) or {}).get("share") for key in ("down", "insufficient", "bypass")}
            yield {"resolver": resolver, "family": each.family, "vector": each.id, "kind": each.kind, **said, **others}


def _down(found: Found, resolver: str, vector: str) -> bool:
    row = found.rate("down", resolver, vector=vector)
    return bool(row and row["share"] > 0)


def _cell(found: Found, resolver: str, row: Row | None, *vectors: str) -> dict[str, Any]:
    if row is not None:
        share = row["share"] * 100
        text = f"{share:.0f}" if share in (0, 100) or 0.5 <= share < 99.5 else "<1" if share < 1 else ">99"
    else:
        share, text = -1.0, "down" if any(_down(found, resolver, each) for each in vectors) else "\u2013"
    column = f"{resolver} (n = {_names(found, resolver):,})"
    return {"resolver": resolver, "column": column, "share": share, "level": level(share), "text": text, "paint": _paler(SIGNAL, share)}


def level(share: float) -> str:
    """In which step of colours a share, in per cent, lies."""
    if share <= 0:
        return LEVELS[0]
    return LEVELS[-1] if share >= 100 else LEVELS[1 + int(share // 25)]


def _paler(colour: str, share: float) -> str:
    """A colour on white, the stronger the larger the share, in per cent."""
    part = 0.35 + 0.65 * max(0.0, share) / 100
    return "#" + "".join(f"{round(255 - (255 - int(colour[at : at + 2], 16)) * part):02x}" for at in (1, 3, 5))


def _names(found: Found, resolver: str) -> int:
    return max((row["names"] for (measure, *_, of), row in found.overall.items() if measure == "leak" and of == resolver), default=0)


def _told(cells: list[dict[str, Any]]) -> str:
    leaking: dict[str, int] = {each["resolver"]: 0 for each in cells}
    for each in cells:
        leaking[each["resolver"]] += each["share"] > 0
    rows = len({each["row"] for each in cells})
    return f"A grid of {rows} rows. Rows with a leak: " + ", ".join(f"{resolver} {count}" for resolver, count in leaking.items()) + "."


def _chart(cells: list[dict[str, Any]], grouped: bool) -> Any:
    columns = list(dict.fromkeys(each["column"] for each in cells))
    lines = list(dict.fromkeys(each["row"] for each in cells))
    groups = list(dict.fromkeys(each["group"] for each in cells))
    aslant = max(map(len, columns)) > _WIDE
    x = (
        alt.X("column:N")
        .sort(columns)
        .title(None)
        .axis(orient="top", labelAngle=-40 if aslant else 0, labelAlign="left" if aslant else "center", ticks=False, domain=False, labelPadding=6)
    )
    y = alt.Y("row:N").sort(lines).title(None).axis(ticks=False, domain=False, labelPadding=5)
    levels = (
        alt.Color("level:N")
        .scale(domain=list(LEVELS), range=[NONE, *SCALE])
        .legend(title="Names reached, %", orient="bottom", columns=3, symbolType="square", symbolSize=110, symbolStrokeWidth=0, columnPadding=14)
    )
    base = alt.Chart().encode(x, y)
    chart: Any = alt.layer(
        base.transform_filter("datum.share < 0").mark_rect(stroke="white", strokeWidth=1.5, color=NOT_KNOWN),
        base.transform_filter("datum.share >= 0 && !datum.signal").mark_rect(stroke="white", strokeWidth=1.5).encode(levels),
        base.transform_filter("datum.share == 0 && datum.signal").mark_rect(stroke="white", strokeWidth=1.5, color=NONE),
        base.transform_filter("datum.share > 0 && datum.signal")
        .mark_rect(stroke="white", strokeWidth=1.5)
        .encode(fill=alt.Fill("paint:N").scale(None).legend(None)),
        base.mark_text(fontSize=8.5).encode(
            text="text:N",
            color=alt.when("datum.share > 50").then(alt.value("white")).when("datum.share < 0").then(alt.value(FAINT)).otherwise(alt.value(INK)),
        ),
        data=data(cells),
    ).properties(width=alt.Step(COLUMN), height=alt.Step(ROW))
    if not grouped:
        return chart
    row = (
        alt.Row("group:N").sort(groups).title(None).header(labelAngle=0, labelAlign="left", labelOrient="left", labelAnchor="middle", labelPadding=8)
    )
    return chart.facet(row=row, spacing=5).resolve_scale(y="independent")
