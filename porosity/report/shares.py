"""Figures of shares with their intervals: a point and a line for each, beside one another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import altair as alt

from porosity.report.found import Found, Row, percent
from porosity.report.style import FAINT, INK, SERIES, SHAPES, Figure, data
from porosity.statistics import wilson

WIDTH = 380
PLAIN, OWN, ALL = "asked plainly (type A)", "by a way it can close itself", "by any way measured"
MOST_ROWS = 40
"""Of names, lists and so on in one figure; all are in its table."""


def figures(found: Found) -> Iterator[Figure]:
    """Those that the study has anything for."""
    for make in (_reached, _lists, _vantages, _windows, _told, _beside, _reach):
        figure = make(found)
        if figure is not None:
            yield figure


def _reached(found: Found) -> Figure | None:
    points, names = [], {}
    for each in found.said["headline"]:
        rows = {PLAIN: each["plain"], OWN: each["technical"], ALL: each["any"]}
        names[each["resolver"]] = max((row["names"] for row in rows.values() if row), default=0)
        points += [_point(f"{each['resolver']} (n = {names[each['resolver']]:,})", row, kind) for kind, row in rows.items() if row]
    if not points:
        return None
    worst = max(points, key=lambda each: float(each["share"]))
    return Figure(
        "reached",
        "Ordered names that are still reached",
        "Share of names in force that were reached at each resolver, with 95 % intervals; n: names measured. Asked plainly: as a stub asks when "
        "nobody goes round anything. A way it can close itself: what depends on the resolver alone. Any way: second and public resolvers too.",
        f"Dots with intervals, a resolver a row. The most: {worst['label']} {worst['kind']}, {worst['share']:.1f} %.",
        _dots(points, "Ordered names reached, % (95 % interval)", (PLAIN, OWN, ALL)),
        "estimates",
    )


def _apart(found: Found, by: str, name: str, title: str, of: str) -> Figure | None:
    rows = list(found.apart(by))
    resolvers = [each for each in found.tested if any(row["resolver"] == each for row in rows)]
    labels = list(dict.fromkeys(row[by] for row in rows))[:MOST_ROWS]
    if not rows or len(resolvers) > len(SERIES):
        return None
    names = {label: max(row["names"] for row in rows if row[by] == label) for label in labels}
    points = [_point(f"{row[by]} (n = {names[row[by]]:,})", row, row["resolver"]) for row in rows if row[by] in names]
    return Figure(
        name,
        title,
        f"Share of names in force that were reached by a way that the resolver can close itself, by {of}, with 95 % intervals.",
        f"Dots with intervals, a row for each {of}.",
        _dots(points, "Ordered names reached, % (95 % interval)", resolvers),
        "estimates",
    )


def _lists(found: Found) -> Figure | None:
    return _apart(found, "list", "lists", "By list", "list")


def _vantages(found: Found) -> Figure | None:
    return _apart(found, "vantage", "vantages", "By vantage", "vantage")


def _windows(found: Found) -> Figure | None:
    rows = list(found.apart("since"))
    resolvers = [each for each in found.tested if any(row["resolver"] == each for row in rows)]
    if len({row["since"] for row in rows}) < 2 or len(resolvers) > len(SERIES):
        return None
    points = [{**_point("", row, row["resolver"]), "at": _moment(row["since"])} for row in rows]
    days = all(each["at"].endswith("T00:00:00Z") for each in points)
    axis = alt.Axis(grid=False, format="%d %b" if days else "%d %b %H:%M", tickCount=5, labelOverlap="greedy", labelSeparation=12)
    at = alt.X("at:T").title("Window begins, UTC").scale(type="utc").axis(axis)
    base = alt.Chart(data(points)).encode(at, _colour(resolvers))
    chart = alt.layer(
        base.mark_rule(strokeWidth=1.2, opacity=0.6).encode(_share("low", "Ordered names reached, %", alt.Y), alt.Y2("high:Q")),
        base.mark_line(strokeWidth=1.2).encode(_share("share", "Ordered names reached, %", alt.Y)),
        base.mark_point(filled=True, size=40, opacity=1).encode(_share("share", "Ordered names reached, %", alt.Y), _shape(resolvers)),
    ).properties(width=WIDTH, height=180)
    caption = "Share of names in force that were reached by a way that the resolver can close itself, window by window, with 95 % intervals; "
    caption += f"n: {min(row['names'] for row in rows):,} to {max(row['names'] for row in rows):,} names a window."
    return Figure("windows", "Over time", caption, "Lines over time, one a resolver.", chart, "estimates")


def _told(found: Found) -> Figure | None:
    kinds = {"landing": "led to the page", "ede": "said why (EDE), rightly"}
    points = []
    for resolver in found.tested:
        for measure, kind in kinds.items():
            row = found.rate(measure, resolver, vector="type-a")
            if row:
                points.append(_point(f"{resolver} (n = {row['names']:,})", row, kind))
    if not points:
        return None
    return Figure(
        "told",
        "What visitors are told",
        "Of blocked answers to the plain question: led to the page; and said why by an Extended DNS Error (RFC 8914) that is right. 95 % intervals.",
        "Dots with intervals, a resolver a row.",
        _dots(points, "Blocked answers, % (95 % interval)", list(kinds.values())),
        "estimates",
    )


def _beside(found: Found) -> Figure | None:
    points = []
    for each in found.said["headline"]:
        over = each["overblocked"]
        blocked = sum(row["resolver"] == each["resolver"] and row["population"] == "neighbour" for row in found.tables["overblocked"])
        if over["of"]:
            low, high = wilson.interval(blocked / over["of"], over["of"])
            row = {"share": blocked / over["of"], "low": float(low), "high": float(high)}
            points.append(_point(f"{each['resolver']} ({blocked:,} of {over['of']:,})", row, "blocked beside an order"))
    if not points:
        return None
    return Figure(
        "overblocked",
        "Over-blocking",
        "Names that no order covers, close to ordered ones (parents, siblings, look-alikes), of which a question was blocked in at least half of "
        "its repeats. In brackets: how many of how many. 95 % intervals (Wilson).",
        f"Dots with intervals, a resolver a row: {'; '.join(each['label'] for each in points)}.",
        _dots(points, "Unlisted names blocked, % (95 % interval)", ("blocked beside an order",), legend=False),
        "overblocked",
    )


def _reach(found: Found) -> Figure | None:
    rows = [each for each in found.tables["reach"] if not each["list"] and not each["vantage"]]
    if not rows:
        return None
    paths = [{**each, "path": each["path"] or "all paths together", "share": each["share"] * 100, "reach": each["reach"] * 100} for each in rows]
    order = [each["path"] for each in paths]
    whole = rows[-1]
    y = alt.Y("path:N").sort(order).title(None).axis(ticks=False, domain=False, labelLimit=260, labelPadding=6)
    axis = "Users, %"
    chart = (
        alt.layer(
            alt.Chart(data(paths)).mark_bar(color="#d5d5d5", height={"band": 0.72}).encode(y, _share("share", axis)),
            alt.Chart(data(paths)).mark_bar(color=SERIES[1], height={"band": 0.36}).encode(y, _share("reach", axis)),
            alt.Chart(data(paths))
            .transform_calculate(label="format(datum.reach, '.1f') + ' of ' + format(datum.share, '.1f')")
            .mark_text(align="left", dx=5, color=INK, fontSize=9.5)
            .encode(y, _share("share", axis), text="label:N"),
        )
        .properties(width=300, height=alt.Step(30))
        .configure_axisX(grid=False)
    )
    interval = f"{percent(whole['probability'])} ({percent(whole['low'])} to {percent(whole['high'])})"
    return Figure(
        "reach",
        "Effective reach",
        f"Users on each path (grey, given) and those of them whom an ordered name still reaches (orange, measured where a resolver is). Together: "
        f"{interval}; what is uncertain in the given shares is not in the interval.",
        "Bars, one a path: " + "; ".join(f"{each['path']}, {each['reach']:.1f} of {each['share']:.1f} %" for each in paths) + ".",
        chart,
        "reach",
    )


def _point(label: str, row: Row, kind: str) -> dict[str, Any]:
    return {"label": label, "kind": kind, **{key: row[key] * 100 for key in ("share", "low", "high")}}


def _moment(when: Any) -> str:
    return datetime.fromtimestamp(when.timestamp(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _share(field: str, title: str, channel: Any = alt.X) -> Any:
    return channel(f"{field}:Q").title(title).scale(domain=[0, 100], nice=False).axis(values=list(range(0, 101, 20)), grid=True, domain=False)


def _colour(kinds: Sequence[str], legend: bool = True) -> Any:
    shown = alt.Legend(orient="top", title=None, symbolSize=60, symbolOpacity=1) if legend else None
    return alt.Color("kind:N").scale(domain=list(kinds), range=list(SERIES[: len(kinds)])).legend(shown)


def _shape(kinds: Sequence[str], legend: bool = True) -> Any:
    shown = alt.Legend(orient="top", title=None, symbolSize=60, symbolOpacity=1) if legend else None
    return alt.Shape("kind:N").scale(domain=list(kinds), range=list(SHAPES[: len(kinds)])).legend(shown)


def _dots(points: Sequence[dict[str, Any]], title: str, kinds: Sequence[str], legend: bool = True) -> Any:
    labels = list(dict.fromkeys(each["label"] for each in points))
    y = alt.Y("label:N").sort(labels).title(None).axis(ticks=False, domain=False, grid=False, labelPadding=6)
    offset = alt.YOffset("kind:N").sort(list(kinds)).scale(paddingInner=0.2, paddingOuter=0.35)
    base = alt.Chart(data(list(points))).encode(y, offset)
    return alt.layer(
        base.mark_rule(strokeWidth=1.6).encode(_share("low", title), alt.X2("high:Q"), _colour(kinds, legend)),
        base.mark_point(filled=True, size=46, opacity=1).encode(_share("share", title), _colour(kinds, legend), _shape(kinds, legend)),
        alt.Chart(data([{"label": each} for each in labels[1:]]))
        .mark_rule(color=FAINT, opacity=0.25, strokeWidth=0.6)
        .encode(alt.Y("label:N").sort(labels).bandPosition(0)),
    ).properties(width=WIDTH, height=alt.Step(_step(len(labels), len(kinds)), **{"for": "offset"}))


def _step(labels: int, kinds: int) -> int:
    """The height of a line: less where there are many."""
    return 14 if kinds > 1 and labels <= 6 else 10
