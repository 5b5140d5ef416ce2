"""JSON that has exactly one form: read only when its bytes are that form, written only as it.

The form is RFC 8785 for documents of text, integers, true, false, null, lists, and objects whose keys are ASCII. Floats have no place in it, nor
integers that another language would read otherwise. Two parties that read the same document here therefore hold the same bytes, and a signature
over them means one thing.
"""

from __future__ import annotations

import json
from typing import Any

from blocklists.errors import BadDocument
from blocklists.names import clip

MAX_DEPTH = 12
"""Nesting; a directive needs four levels, a policy seven."""
MAX_PAYLOAD = 65_000
"""Octets of what is signed for the log, whose entries have at most 65,535."""
MAX_INTEGER = 2**53 - 1
"""RFC 8785 section 3.2.2.3: larger integers are not the same in every language."""


def read(data: bytes, what: str, most: int) -> dict[str, Any]:
    """The object in `data`. Raises BadDocument, naming `what`, unless it is one of at most `most` octets, in the one form."""
    if len(data) > most:
        raise BadDocument(f"{what} has {len(data)} octets, more than the {most} allowed; split it, or ask whoever wrote it")
    try:
        document = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise BadDocument(f"{what} is not JSON ({clip(str(error))}); ask whoever wrote it for a sound copy") from None
    if not isinstance(document, dict):
        raise BadDocument(f"{what} is JSON but no object; ask whoever wrote it for a sound copy")
    if write(document, what) != data:
        raise BadDocument(f"{what} is not in its canonical form (RFC 8785): what was signed would be in doubt; ask whoever wrote it for a sound copy")
    return document


def write(document: dict[str, Any], what: str = "the document") -> bytes:
    """The one form of an object. Raises BadDocument, naming `what`, for a document that has none."""
    _check(document, what, 1)
    try:
        return json.dumps(document, ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        raise BadDocument(f"{what} has half a surrogate pair in a text, which is not Unicode; remove it") from None


def _check(value: Any, what: str, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise BadDocument(f"{what} is nested more than {MAX_DEPTH} deep; nothing we read is")
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str) or not key.isascii():
                raise BadDocument(f"{what} has the key {clip(repr(key))}; keys are ASCII texts")
            _check(item, what, depth + 1)
    elif isinstance(value, list):
        for item in value:
            _check(item, what, depth + 1)
    elif isinstance(value, bool) or value is None or isinstance(value, str):
        return
    elif not isinstance(value, int) or abs(value) > MAX_INTEGER:
        raise BadDocument(f"{what} has the number {clip(str(value))}; only integers up to {MAX_INTEGER} have one form")
