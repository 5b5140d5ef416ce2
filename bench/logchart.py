"""Draws the record's chart of latencies as SVG text: one panel a load, one line a server from p50 over p99 to p99.9, all on one logarithmic scale.

One scale for all panels, so that a swap can be held against a quiet load. It reads nothing and does not know what it draws. What was not answered
stands at the right edge as "lost".
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from xml.sax.saxutils import escape

from bench.chart import GAP, HEAD, MARGIN, NAMES, STEP, STYLE, TOP, WIDTH

COLUMNS = 2
LOST_WIDTH = 44
FOOT = 40
MORE_STYLE = """
.span { stroke: #b9c0c8; stroke-width: 3 } .own-span { stroke: #c8102e; stroke-width: 3 } .grid { stroke: #5c6570; stroke-opacity: .25 }
.p0, .p1, .p2 { fill: #5c6570; stroke: #5c6570; stroke-width: 1.5 } .p1 { fill: #b9c0c8 } .p2 { fill: #ffffff }
.own-p0, .own-p1, .own-p2 { fill: #6d0717; stroke: #c8102e; stroke-width: 1.5 } .own-p1 { fill: #e2808d } .own-p2 { fill: #ffffff }
@media (prefers-color-scheme: dark) {
 .span { stroke: #59626c } .p0, .p1, .p2 { fill: #aab3bc; stroke: #aab3bc } .p1 { fill: #59626c } .p2 { fill: #14171a }
 .own-span { stroke: #e5484d } .own-p0 { fill: #ffd0d2 } .own-p1 { fill: #e5484d } .own-p2 { fill: #14171a }
}
"""


@dataclass(frozen=True)
class Line:
    """One server: seconds at p50, p99 and p99.9; infinity where so many were lost."""

    name: str
    marks: tuple[float, ...]
    own: bool


@dataclass(frozen=True)
class Panel:
    """One load."""

    title: str
    lines: list[Line]

    @property
    def height(self) -> int:
        """Pixels."""
        return HEAD + STEP * len(self.lines) + FOOT


def _decades(panels: list[Panel]) -> tuple[int, int]:
    """Exponents of ten between which all marks lie."""
    known = [mark for panel in panels for line in panel.lines for mark in line.marks if 0 < mark < math.inf]
    low = math.floor(math.log10(min(known, default=1e-5)))
    return low, max(low + 1, math.ceil(math.log10(max(known, default=1.0))))


def draw(panels: list[Panel], caption: str) -> str:
    """The chart."""
    width = (WIDTH - 2 * MARGIN - GAP * (COLUMNS - 1)) // COLUMNS
    decades = _decades(panels)
    parts, top = [], TOP
    for start in range(0, len(panels), COLUMNS):
        row = panels[start : start + COLUMNS]
        for column, panel in enumerate(row):
            parts.append(f'<g transform="translate({MARGIN + column * (width + GAP)} {top})">{_panel(panel, width, decades)}</g>')
        top += max(panel.height for panel in row)
    key = "full dot: p50, pale: p99, hollow: p99.9; logarithmic scale, the same for all"
    head = (
        f'<rect class="page" width="{WIDTH}" height="{top}"/>'
        f'<text class="title" x="{MARGIN}" y="38">How long answers take: further left is better</text>'
        f'<text class="soft" x="{MARGIN}" y="60">{escape(caption)}; {key}</text>'
    )
    title = "<title>Latencies of Red Hand and other resolvers, measured in one run</title>"
    size = f'width="{WIDTH}" height="{top}" viewBox="0 0 {WIDTH} {top}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" role="img" {size}>{title}<style>{STYLE}{MORE_STYLE}</style>{head}{"".join(parts)}</svg>\n'


def _panel(panel: Panel, width: int, decades: tuple[int, int]) -> str:
    low, high = decades
    bottom = HEAD - 8 + STEP * len(panel.lines)
    step = (width - NAMES - LOST_WIDTH) / (high - low)

    def place(seconds: float) -> float:
        if seconds == math.inf:
            return width - 12.0
        return NAMES + step * (min(max(math.log10(seconds), low), high) - low) if seconds > 0 else float(NAMES)

    parts = [f'<text class="panel" y="16">{escape(panel.title)}</text>']
    for exponent in range(low, high + 1):
        x = place(10.0**exponent)
        parts.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{HEAD - 20}" y2="{bottom}"/>')
        parts.append(f'<text class="soft" x="{x:.1f}" y="{bottom + 16}" text-anchor="middle">{_label(exponent)}</text>')
    if any(mark == math.inf for line in panel.lines for mark in line.marks):
        parts.append(f'<text class="soft" x="{width - 12}" y="{bottom + 16}" text-anchor="middle">lost</text>')
    parts += [_line(line, HEAD - 12 + STEP * number, place) for number, line in enumerate(panel.lines)]
    return "".join(parts)


def _line(line: Line, y: int, place: Callable[[float], float]) -> str:
    prefix, ink = ("own-", ' class="ink"') if line.own else ("", "")
    spots = [place(mark) for mark in line.marks]
    dots = "".join(f'<circle class="{prefix}p{number}" cx="{spot:.1f}" cy="{y}" r="4.5"/>' for number, spot in reversed(list(enumerate(spots))))
    return (
        f'<text{ink} x="{NAMES - 12}" y="{y + 4}" text-anchor="end">{escape(line.name)}</text>'
        f'<line class="{prefix}span" x1="{min(spots):.1f}" x2="{max(spots):.1f}" y1="{y}" y2="{y}"/>{dots}'
    )


def _label(exponent: int) -> str:
    """A power of ten of a second in words."""
    unit, scale = ("µs", -6) if exponent < -3 else ("ms", -3) if exponent < 0 else ("s", 0)
    return f"{10 ** (exponent - scale):,} {unit}"
