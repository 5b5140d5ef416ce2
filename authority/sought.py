"""The entries of the log that name an id or a nonce, found without decoding the others: the log is looked through while a withdrawal waits.

Base64 writes three octets as four characters, whatever stands around them. So a text within a payload leaves one of three traces, by where it begins
modulo three, and an entry without any of them does not hold it. The others are decoded and looked at: a trace alone says nothing. Pure.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator
from itertools import islice

FEW = 16
"""Fields that are sooner traced than every entry is decoded."""
TOGETHER = 256
"""Entries that are searched at once."""
_FIELD = re.compile(rb'"(?:id|nonce)":"(?:[^"\\]|\\.)*"')
_ANY = (b"",)


class Sought:
    """Some ids and nonces."""

    def __init__(self, ids: Iterable[str], nonces: Iterable[str]) -> None:
        self._fields = frozenset([*(_field("id", each) for each in ids), *(_field("nonce", each) for each in nonces)])
        self._traces = tuple(trace for each in self._fields for trace in traces(each)) if len(self._fields) <= FEW else _ANY

    def among(self, entries: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
        """Those of our own log's entries that name one of them in what was signed, and the place of each among the entries (from 0)."""
        left, start = iter(entries), 0
        while found := list(islice(left, TOGETHER)):
            together = b"".join(found)
            if any(trace in together for trace in self._traces):
                yield from ((index, data) for index, data in enumerate(found, start) if self._names(data))
            start += len(found)

    def _names(self, data: bytes) -> bool:
        return any(trace in data for trace in self._traces) and not self._fields.isdisjoint(_FIELD.findall(payload(data)))


def payload(data: bytes) -> bytes:
    """What was signed, of an entry of our own log; nothing of a batch of receipts."""
    return base64.b64decode(json.loads(data).get("envelope", {}).get("payload", ""))


def traces(text: bytes) -> list[bytes]:
    """What base64 makes of a text of five octets or more, wherever it begins: one of these stands in the base64 of all that holds it."""
    whole = (text[skipped:] for skipped in range(3))
    return [base64.b64encode(each[: len(each) // 3 * 3]) for each in whole]


def _field(name: str, value: str) -> bytes:
    """A field as it stands in canonical JSON, and nowhere else: within a text, its quotation marks would have backslashes."""
    return f'"{name}":{json.dumps(value, ensure_ascii=False)}'.encode()
