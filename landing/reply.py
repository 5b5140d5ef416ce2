"""One answer as octets: made once, then sent to everybody who asks the same. Pure.

What differs from one sending to the next is added by whoever sends it: Date and Connection.
"""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import NamedTuple

Fields = Iterable[tuple[bytes, bytes]]


class Reply(NamedTuple):
    """A whole answer but for its Date, its Connection and the empty line."""

    status: int
    head: bytes
    """The status line and the fields, each with its line end."""
    body: bytes
    references: tuple[str, ...] = ()
    """Of the orders that this page tells of; empty for any other answer."""


def make(status: int, fields: Fields, body: bytes, references: tuple[str, ...] = ()) -> Reply:
    """An answer with these fields and the length of its body."""
    lines = [b"HTTP/1.1 %d %s\r\n" % (status, HTTPStatus(status).phrase.encode())]
    lines += [b"%s: %s\r\n" % field for field in fields]
    lines.append(b"content-length: %d\r\n" % len(body))
    return Reply(status, b"".join(lines), body, references)


OWN = Reply(0, b"", b"")
"""No answer: the request is for the operator's own pages, which are not this module's."""

_REFUSED = {
    400: b"The request is not one that can be read.\n",
    431: b"The head of the request is too long.\n",
    505: b"Only HTTP/1 is spoken here.\n",
}


def refusal(status: int) -> Reply:
    """What a client hears whose request could not be read: one line, with the fields of every other answer."""
    fields = (
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"cache-control", b"no-store"),
        (b"content-security-policy", b"default-src 'none'"),
        (b"referrer-policy", b"no-referrer"),
        (b"x-content-type-options", b"nosniff"),
    )
    return make(status, fields, _REFUSED[status])
