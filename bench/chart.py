"""Draws the record's chart as SVG text: one panel a row of the comparison, one bar a server. It reads nothing and does not know what it draws.

Colours are few: our own bars red, all others grey; the words carry the rest. It follows the reader's dark scheme, so that it stands on either page.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from xml.sax.saxutils import escape

COLUMNS = 2
WIDTH = 1040
MARGIN = 28
GAP = 44
NAMES = 142
VALUES = 72
BAR = 15
STEP = 23
HEAD = 52
FOOT = 26
TOP = 84
STYLE = """
text { font: 13px system-ui, "Segoe UI", "Liberation Sans", sans-serif; fill: #22262b }
.page { fill: #ffffff } .title { font-size: 20px; font-weight: 600 } .panel { font-size: 15px; font-weight: 600 } .soft { fill: #5c6570 }
.bar { fill: #b9c0c8 } .own { fill: #c8102e } .dot { fill: #5c6570 } .own-dot { fill: #6d0717 } .ink { font-weight: 600 }
.limit { stroke: #22262b; stroke-width: 1.5; stroke-dasharray: 4 3 }
.pass { fill: #17703c; font-weight: 600 } .miss { fill: #c8102e; font-weight: 600 }
@media (prefers-color-scheme: dark) {
 text { fill: #e6e9ec } .page { fill: #14171a } .soft { fill: #9aa4af } .bar { fill: #59626c } .own { fill: #e5484d } .dot { fill: #aab3bc }
 .own-dot { fill: #ffd0d2 } .limit { stroke: #e6e9ec } .pass { fill: #5cc98a } .miss { fill: #ff8a8d }
}
"""


@dataclass(frozen=True)
class Bar:
    """One server: its figure in each round."""

    name: str
    figures: list[float]
    own: bool


@dataclass(frozen=True)
class Panel:
    """One row: its bars, where our own may end, and whether it does."""

    title: str
    bars: list[Bar]
    limit: float | None
    limit_words: str
    passed: bool | None

    @property
    def height(self) -> int:
        """Pixels."""
        return HEAD + STEP * len(self.bars) + FOOT


def draw(panels: list[Panel], caption: str) -> str:
    """The chart. Each panel has a scale of its own, from zero to its longest bar."""
    width = (WIDTH - 2 * MARGIN - GAP * (COLUMNS - 1)) // COLUMNS
    parts, top = [], TOP
    for start in range(0, len(panels), COLUMNS):
        line = panels[start : start + COLUMNS]
        for column, panel in enumerate(line):
            parts.append(f'<g transform="translate({MARGIN + column * (width + GAP)} {top})">{_panel(panel, width)}</g>')
        top += max(panel.height for panel in line)
    head = (
        f'<rect class="page" width="{WIDTH}" height="{top}"/>'
        f'<text class="title" x="{MARGIN}" y="38">Red Hand and other resolvers: shorter is better</text>'
        f'<text class="soft" x="{MARGIN}" y="60">{escape(caption)}</text>'
    )
    title = "<title>Red Hand and other resolvers, measured in one run</title>"
    size = f'width="{WIDTH}" height="{top}" viewBox="0 0 {WIDTH} {top}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" role="img" {size}>{title}<style>{STYLE}</style>{head}{"".join(parts)}</svg>\n'


def _panel(panel: Panel, width: int) -> str:
    longest = max([figure for bar in panel.bars for figure in bar.figures] + [panel.limit or 0.0])
    scale = (width - NAMES - VALUES) / longest if longest else 0.0
    verdict = {True: ' <tspan class="pass">met</tspan>', False: ' <tspan class="miss">missed</tspan>', None: ""}[panel.passed]
    parts = [
        f'<text class="panel" y="16">{escape(panel.title)}</text>',
        f'<text class="soft" y="36">{escape(panel.limit_words)}{verdict}</text>',
    ]
    for number, bar in enumerate(panel.bars):
        parts.append(_bar(bar, HEAD + STEP * number, scale, width))
    if panel.limit is not None and any(bar.own for bar in panel.bars):
        x, bottom = NAMES + panel.limit * scale, HEAD + STEP * len(panel.bars)
        parts.append(f'<line class="limit" x1="{x:.1f}" x2="{x:.1f}" y1="{HEAD - 5}" y2="{bottom - 3}"/>')
    return "".join(parts)


def _bar(bar: Bar, top: int, scale: float, width: int) -> str:
    kind, dot, ink = ("own", "own-dot", ' class="ink"') if bar.own else ("bar", "dot", "")
    figure, baseline = median(bar.figures), top + BAR - 3
    dots = "".join(f'<circle class="{dot}" cx="{NAMES + value * scale:.1f}" cy="{top + BAR / 2}" r="2"/>' for value in bar.figures)
    return (
        f'<text{ink} x="{NAMES - 8}" y="{baseline}" text-anchor="end">{escape(bar.name)}</text>'
        f'<rect class="{kind}" x="{NAMES}" y="{top}" width="{figure * scale:.1f}" height="{BAR}" rx="2"/>{dots}'
        f'<text{ink} x="{width}" y="{baseline}" text-anchor="end">{figure:,.1f}</text>'
    )
