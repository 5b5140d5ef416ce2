"""Figures that step down: how long until an order worked everywhere, and what closing one vector after the other leaves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import altair as alt

from porosity.report.found import Found, percent
from porosity.report.style import DASHES, INK, SERIES, Figure, data

UNTIL = {"enforced": "order begun: until blocked", "withdrawn": "order ended: until reached"}
MOST_STEPS, MOST_RESOLVERS = 8, 6
"""Of the budget's figure; its table has all."""


def figures(found: Found) -> Iterator[Figure]:
    """Those that the study has anything for."""
    for make in (_survival, _budget):
        figure = make(found)
        if figure is not None:
            yield figure


def _survival(found: Found) -> Figure | None:
    rows = found.tables["survival"]
    resolvers = [each for each in found.tested if any(row["resolver"] == each for row in rows)]
    if not rows or len(resolvers) > len(SERIES):
        return None
    counts = {(each["resolver"], each["vector"], each["what"]): each for each in found.tables["delays"]}
    waits = {resolver: sum(each["waits"] for (of, *_), each in counts.items() if of == resolver) for resolver in resolvers}
    series = {resolver: f"{resolver} (n = {waits[resolver]:,} waits)" for resolver in resolvers}
    points = [
        {
            "series": series[each["resolver"]],
            "vector": each["vector"],
            "what": UNTIL[each["what"]],
            "seconds": each["seconds"],
            **{key: each[key] * 100 for key in ("survival", "low", "high")},
        }
        for each in rows
    ]
    shown = list(series.values())
    vectors = list(dict.fromkeys(each["vector"] for each in points))
    facets = [text for text in UNTIL.values() if any(each["what"] == text for each in points)]
    x = alt.X("seconds:Q").title("Seconds since the instant").scale(zero=True, nice=True).axis(grid=False, tickCount=6)
    title = "Names still waiting, %"
    scale = alt.Scale(domain=[0, 100], nice=False)
    axis = alt.Axis(values=[0, 25, 50, 75, 100], domain=False)
    legend = alt.Legend(title=None, orient="top", symbolType="stroke", symbolOpacity=1, symbolStrokeWidth=1.8, symbolSize=220)
    colour = alt.Color("series:N").scale(domain=shown, range=list(SERIES[: len(shown)])).legend(legend)
    dash = alt.StrokeDash("series:N").scale(domain=shown, range=list(DASHES[: len(shown)])).legend(legend)
    chart: Any = (
        alt.layer(
            alt.Chart()
            .mark_area(interpolate="step-after", opacity=0.13)
            .encode(x, alt.Y("low:Q").title(title).scale(scale).axis(axis), alt.Y2("high:Q"), colour),
            alt.Chart()
            .mark_line(interpolate="step-after", strokeWidth=1.8)
            .encode(x, alt.Y("survival:Q").title(title).scale(scale).axis(axis), colour, dash),
            data=data(points),
        )
        .properties(width=190, height=130)
        .facet(
            column=alt.Column("what:N").sort(facets).title(None),
            row=alt.Row("vector:N").sort(vectors).title(None).header(labelAngle=0, labelAlign="left", labelAnchor="middle"),
            spacing=16,
        )
    )
    told = "; ".join(
        f"{each['resolver']}, {each['vector']}, {each['what']}: half within {_seconds(each['p50'])}, 95 of 100 within {_seconds(each['p95'])}"
        for each in counts.values()
        if each["waits"]
    )
    return Figure(
        "survival",
        "Time to enforce and to restore",
        "Share of names for which the change had not come yet (Kaplan and Meier; bands: pointwise 95 % intervals). Waits that had not ended when the "
        "watch did are censored there; a curve that ends above 0 was not watched further.",
        f"Curves that step down. {told}.",
        chart,
        "survival",
    )


def _seconds(value: float | None) -> str:
    return "more than was watched" if value is None else f"{value:.1f} s"


def _budget(found: Found) -> Figure | None:
    rows = [each for each in found.tables["budget"] if each["scope"] == "technical" and not each["list"]]
    start = {each["resolver"]: each["technical"] for each in found.said["headline"] if each["technical"]}
    leaking = [each for each in found.tested if each in start and any(row["resolver"] == each for row in rows)]
    leaking.sort(key=lambda each: -start[each]["share"])
    panels = []
    for resolver in leaking[:MOST_RESOLVERS]:
        bars = [{"step": "as it is", "remains": start[resolver]["share"] * 100}]
        bars += [
            {"step": f"and {each['vector']}" if each["step"] > 1 else f"without {each['vector']}", "remains": each["remains"] * 100}
            for each in rows
            if each["resolver"] == resolver
        ][:MOST_STEPS]
        panels.append(_steps(resolver, start[resolver]["names"], bars, last=resolver == leaking[:MOST_RESOLVERS][-1]))
    if not panels:
        return None
    cut = len(leaking) > MOST_RESOLVERS or any(each["step"] > MOST_STEPS for each in rows)
    more = f" At most {MOST_STEPS} steps of the {MOST_RESOLVERS} most porous are shown; the table has all." if cut else ""
    return Figure(
        "budget",
        "What closing a vector buys",
        "Ordered names that are still reached when one vector after the other is closed, each time the one that brings most. A bar that does not get "
        f"shorter: these names leak by the next ones too.{more}",
        "Bars that get shorter. " + "; ".join(f"{each}: {percent(start[each]['share'])} as it is" for each in leaking[:MOST_RESOLVERS]) + ".",
        alt.vconcat(*panels, spacing=8),
        "budget",
    )


def _steps(resolver: str, names: int, bars: list[dict[str, Any]], last: bool) -> Any:
    order = [each["step"] for each in bars]
    y = alt.Y("step:N").sort(order).title(None).axis(ticks=False, domain=False, labelPadding=6, minExtent=150)
    x = (
        alt.X("remains:Q")
        .title("Ordered names still reached, %" if last else None)
        .scale(domain=[0, 100], nice=False)
        .axis(values=list(range(0, 101, 20)), labels=last, ticks=last, domain=False, grid=False)
    )
    base = alt.Chart(data(bars)).encode(y, x)
    return alt.layer(
        base.mark_bar(height={"band": 0.7}).encode(color=alt.condition(f"datum.step == '{order[0]}'", alt.value(SERIES[1]), alt.value(SERIES[0]))),
        base.mark_text(align="left", dx=4, color=INK, fontSize=9).encode(text=alt.Text("remains:Q", format=".0f")),
    ).properties(width=300, height=alt.Step(15), title=alt.Title(f"{resolver} (n = {names:,})", anchor="start", fontSize=10, color=INK, offset=3))
