"""Texts of others, so that a terminal only shows them: no escape sequence, no other direction of writing, no line of their own, no flood. Pure."""

from __future__ import annotations

import re

MOST = 300
_ODD = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters of terminals, marks that turn the direction of what stands around them (UAX #9), ends of lines, half surrogates."""


def plain(text: str, most: int = MOST) -> str:
    r"""The text with such characters as `\u001b`, and cut when it is longer than so many characters (0: never)."""
    cut = text if not most or len(text) <= most else f"{text[: most - 1]}…"
    return _ODD.sub(lambda found: f"\\u{ord(found[0]):04x}", cut)
