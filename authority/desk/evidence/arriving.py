"""A form with a file in it, taken apart while it arrives (RFC 7578): the file's octets go straight to be encrypted, and never to a temporary file.

The file is the form's last field. What comes before it is bounded, and is there when the file begins: who sends it, and why, is known first.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from authority.desk.errors import BadField

MOST_FIELDS = 40
MOST_TEXT = 64 * 1024
"""Octets of all fields before the file, and of a field's own header."""
PIECE = 1 << 16


class Form(NamedTuple):
    """What the form says."""

    fields: dict[str, str]
    """Those before the file; of one that comes twice, the last."""
    name: str
    """Of the file, as the sender says; empty without a file."""
    media_type: str
    """Likewise; application/octet-stream when it says none."""
    chunks: Iterator[bytes]
    """The file, as it arrives. Raises BadField when the form breaks off or goes on behind it."""


def taken_apart(pieces: Iterable[bytes], content_type: str) -> Form:
    """The form in a request's body that comes in pieces, read up to where its file begins. Raises BadField for what is no such form."""
    kind, options = parse_options_header(content_type.encode("latin-1", "replace"))
    boundary = options.get(b"boundary", b"")
    if kind != b"multipart/form-data" or not 1 <= len(boundary) <= 70:
        raise BadField("file", "send the file in a form of the type multipart/form-data")
    parts = _Parts(pieces, boundary)
    fields: dict[str, str] = {}
    taken = 0
    for header in parts:
        _, said = parse_options_header(header.get("content-disposition", b""))
        name = _text(said.get(b"name", b""))
        if b"filename" in said:
            media_type = header.get("content-type", b"application/octet-stream").partition(b";")[0].strip().lower()
            return Form(fields, _text(said[b"filename"]), media_type.decode("ascii", "replace"), _only(parts))
        value = bytearray()
        for data in parts.data():
            taken += len(data)
            if taken > MOST_TEXT:
                raise BadField("file", f"the form has more than {MOST_TEXT} octets before its file")
            value += data
        fields[name] = _text(bytes(value)).replace("\r\n", "\n")
        if len(fields) > MOST_FIELDS:
            raise BadField("file", f"the form has more than {MOST_FIELDS} fields before its file")
    return Form(fields, "", "", iter(()))


class _Parts:
    """The form's fields one after the other: iterating gives a field's header, `data` what it holds."""

    def __init__(self, pieces: Iterable[bytes], boundary: bytes) -> None:
        self._pieces = iter(pieces)
        self._events: deque[tuple[str, bytes]] = deque()
        self._headers: deque[dict[str, bytes]] = deque()
        self._name = self._value = b""
        self._ended = False
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": lambda: self._headers.append({}),
                "on_header_field": self._on_name,
                "on_header_value": self._on_value,
                "on_header_end": self._on_header,
                "on_headers_finished": lambda: self._events.append(("head", b"")),
                "on_part_data": lambda data, start, end: self._events.append(("data", data[start:end])),
                "on_part_end": lambda: self._events.append(("end", b"")),
                "on_end": self._on_end,
            },
        )

    def __iter__(self) -> Iterator[dict[str, bytes]]:
        for what, _ in self._all():
            if what == "head":
                yield self._headers.popleft()

    def data(self) -> Iterator[bytes]:
        """What the field holds. Raises BadField when it breaks off."""
        for what, data in self._all():
            if what == "end":
                return
            yield data
        raise BadField("file", "the upload broke off before its end; send it again")

    def _all(self) -> Iterator[tuple[str, bytes]]:
        while True:
            while self._events:
                yield self._events.popleft()
            if self._ended:
                return
            piece = next(self._pieces, None)
            if piece is None:
                raise BadField("file", "the upload broke off before its end; send it again")
            for start in range(0, len(piece), PIECE):
                try:
                    self._parser.write(piece[start : start + PIECE])
                except FormParserError as error:
                    raise BadField("file", f"the form cannot be read ({str(error)[:100]}); send it again") from None

    def _on_name(self, data: bytes, start: int, end: int) -> None:
        self._name = self._bounded(self._name + data[start:end])

    def _on_value(self, data: bytes, start: int, end: int) -> None:
        self._value = self._bounded(self._value + data[start:end])

    def _on_header(self) -> None:
        self._headers[-1][self._name.decode("latin-1").lower()] = self._value
        self._name = self._value = b""
        if len(self._headers[-1]) > MOST_FIELDS:
            raise BadField("file", "a field of the form has too long a header")

    def _bounded(self, text: bytes) -> bytes:
        if len(text) > MOST_TEXT:
            raise BadField("file", "a field of the form has too long a header")
        return text

    def _on_end(self) -> None:
        self._ended = True


def _only(parts: _Parts) -> Iterator[bytes]:
    yield from parts.data()
    if next(iter(parts), None) is not None:
        raise BadField("file", "the form goes on behind its file; the file comes last")


def _text(octets: bytes) -> str:
    return octets.decode("utf-8", "replace")
