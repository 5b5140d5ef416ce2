"""What people and programs write to the desk, as it is kept: Unicode without control characters, of bounded length. Pure."""

from __future__ import annotations

import re

from authority.desk.errors import BadField

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029\u202a-\u202e\u2066-\u2069]")
"""Besides control characters: halves of surrogate pairs, which no database takes, and what turns the direction of text after it."""
_LINES = re.compile(r"[\r\n\t]")


def clean(text: str, field: str, most: int, *, line: bool = False) -> str:
    """The text, trimmed; `line`: on one line. Raises BadField."""
    text = text.replace("\r\n", "\n").strip()
    if len(text) > most:
        raise BadField(field, f"it has {len(text)} characters; write at most {most}")
    if found := _CONTROL.search(text) or (_LINES.search(text) if line else None):
        raise BadField(field, f"it has the character U+{ord(found[0]):04X}; {'write it on one line' if found[0] in _NEWLINES else 'leave that out'}")
    return text


_NEWLINES = "\r\n\t"
