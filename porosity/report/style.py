"""How figures look, and how they become files: colours that those see apart who do not see red or green, one font, no picture fetched from anywhere.

Colours: M. Okabe and K. Ito, Color Universal Design (2008), and a scale of one hue from light to dark, so that figures survive a grey print. Series
differ in shape or dash too. The font is Liberation Sans, which vl-convert brings along; viewers without it have one of the same widths.
"""

from __future__ import annotations

import re
import struct
import zlib
from dataclasses import dataclass
from typing import Any

import altair as alt
import vl_convert

FONT = "Liberation Sans, Arial, Helvetica, sans-serif"
INK, FAINT, GRID = "#1a1a1a", "#595959", "#e3e3e3"
SERIES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
SHAPES = ("circle", "square", "triangle-up", "diamond", "triangle-down", "cross", "stroke")
DASHES = ([1, 0], [6, 3], [2, 2], [8, 2, 2, 2], [4, 4], [10, 3], [1, 3])
NONE, NOT_KNOWN = "#dbe9f1", "#ffffff"
"""Of cells: nothing was found; nothing is known."""
SIGNAL = "#6a51a3"
"""Of signals, which are no leaks; paler where fewer have them."""
SCALE = ("#fee3c2", "#fdbb84", "#ef6548", "#b30000", "#5e0000")
"""From few to all."""

_ABBREVIATIONS = {each.lower(): each for each in ("DNSSEC", "EDE", "EDNS")}

_IDS = re.compile(r"(?<=[\"#])(gradient_|clip)[0-9]+(?=[\")])")

_SIGNATURE = b"\x89PNG\r\n\x1a\n"

PPI = 300
"""Of PNG files. A unit of a figure is 1/72 inch: one 500 wide is 17.6 cm, a page's width of text."""


@dataclass(frozen=True)
class Figure:
    """One figure, not yet drawn."""

    name: str
    """Of its files, and what its anchor in the page is."""
    title: str
    caption: str
    says: str
    """What it shows, for those who do not see it."""
    chart: alt.TopLevelMixin
    table: str
    """The table with its figures."""


@dataclass(frozen=True)
class Drawn:
    """A figure as files."""

    svg: bytes
    png: bytes


def draw(figure: Figure) -> Drawn:
    """Draws a figure; nothing is fetched."""
    svg: str = vl_convert.vegalite_to_svg(styled(figure.chart).to_dict(), allowed_base_urls=[])
    png: bytes = vl_convert.svg_to_png(svg, scale=PPI / 72)
    return Drawn(_numbered(svg).encode(), _with_density(png))


def styled(chart: Any) -> Any:
    """The chart in our style."""
    return (
        chart.properties(background="white", padding=6)
        .configure(font=FONT)
        .configure_view(stroke=None)
        .configure_axis(
            labelColor=INK,
            titleColor=INK,
            labelFontSize=9.5,
            titleFontSize=10,
            titleFontWeight="normal",
            gridColor=GRID,
            domainColor=FAINT,
            tickColor=FAINT,
            titlePadding=8,
            labelFlush=False,
            labelLimit=400,
            titleLimit=600,
        )
        .configure_legend(
            labelColor=INK, titleColor=INK, labelFontSize=9.5, titleFontSize=10, titleFontWeight="normal", labelLimit=400, titleLimit=400
        )
        .configure_header(labelColor=INK, titleColor=INK, labelFontSize=10, labelFontWeight="bold", labelLimit=300)
    )


def data(rows: list[dict[str, Any]]) -> Any:
    """Rows as a chart's own data."""
    return alt.InlineData(values=rows)


def titled(words: str) -> str:
    """Words as a heading: a capital first, and abbreviations in theirs."""
    first, *rest = words.split(" ")
    return " ".join([_ABBREVIATIONS.get(first, first[:1].upper() + first[1:]), *rest])


def _numbered(svg: str) -> str:
    """The same with its ids counted from 0: Vega counts on from picture to picture, and the same figure would not be the same file."""
    found: dict[str, str] = {}
    return _IDS.sub(lambda match: found.setdefault(match[0], f"{match[1]}{len(found)}"), svg)


def _with_density(png: bytes) -> bytes:
    """The picture with its density written down (PNG, section 11.3.4.3), so that it comes into a paper in its size; and packed closer, to a third."""
    header, octets, at = b"", b"", len(_SIGNATURE)
    while at < len(png):
        size, kind = struct.unpack_from(">I4s", png, at)
        content = png[at + 8 : at + 8 + size]
        header, octets = (content if kind == b"IHDR" else header), (octets + content if kind == b"IDAT" else octets)
        at += 12 + size
    density = struct.pack(">IIB", *(round(PPI / 0.0254),) * 2, 1)
    chunks = ((b"IHDR", header), (b"pHYs", density), (b"IDAT", zlib.compress(zlib.decompress(octets), 6)), (b"IEND", b""))
    return _SIGNATURE + b"".join(
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content)) for kind, content in chunks
    )
