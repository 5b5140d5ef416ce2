"""Pieces of HTML. Every text goes through `text`; what is passed on as `Markup` was made here."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Iterable, Sequence
from typing import Any, NewType

_WIDTH = re.compile(rb'<svg[^>]* width="([0-9.]+)"')
LARGER, PAGE = 1.4, 860.0
"""Of pictures: how much larger than on paper, and how wide the page has room for, in pixels."""

Markup = NewType("Markup", str)


def text(value: Any) -> Markup:
    """A text, so that it is nothing else; a number stays with its sign for per cent."""
    return Markup(html.escape(str(value)).replace(" %", "&nbsp;%"))


def tag(name: str, *inside: Markup, **attributes: str) -> Markup:
    """An element. `klass` becomes class, and an underline in a name a hyphen."""
    given = "".join(f' {"class" if key == "klass" else key.replace("_", "-")}="{html.escape(value)}"' for key, value in attributes.items())
    return Markup(f"<{name}{given}>{''.join(inside)}</{name}>")


def listed(items: Iterable[str]) -> Markup:
    """A list of texts."""
    return tag("ul", *(tag("li", text(each)) for each in items))


def described(pairs: Iterable[tuple[str, str]]) -> Markup:
    """Terms and what they are."""
    return tag("dl", *(Markup(tag("dt", text(term)) + tag("dd", text(what))) for term, what in pairs))


def table(caption: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], numbers: int = 0) -> Markup:
    """A table, the last columns of which are numbers; it scrolls by itself when it is wider than the page."""
    first = len(columns) - numbers

    def cell(place: int, value: Any) -> Markup:
        if place == 0:
            return tag("th", text(value), scope="row")
        return tag("td", text(value), klass="number") if place >= first else tag("td", text(value))

    head = tag("thead", tag("tr", *(tag("th", text(each), scope="col") for each in columns)))
    body = tag("tbody", *(tag("tr", *(cell(place, value) for place, value in enumerate(row))) for row in rows))
    return tag("div", tag("table", tag("caption", text(caption)), head, body), klass="wide", tabindex="0", role="region", aria_label=caption)


def picture(svg: bytes, says: str) -> Markup:
    """An image that the page holds itself: larger than on paper, but no wider than the page, unless it is so by itself."""
    width = float(match[1]) if (match := _WIDTH.search(svg)) else PAGE / LARGER
    shown = max(width, min(width * LARGER, PAGE))
    return Markup(f'<img src="data:image/svg+xml;base64,{base64.b64encode(svg).decode()}" width="{shown:.0f}" alt="{html.escape(says)}">')
