"""A file that a page or a program sends, taken as it arrives: it is in no temporary file, and in memory only piece by piece.

The usual form parameters would write it to the disk unencrypted before anybody asks what it is; so a route that takes a file has none of them.
"""

from __future__ import annotations

import hmac
from collections.abc import AsyncIterator, Iterator

import anyio.from_thread
from fastapi import Request

from authority.desk.errors import BadField, Forbidden
from authority.desk.evidence import arriving
from authority.desk.evidence.arriving import Form
from authority.desk.web.who import Who, desk_of, require_own


def form(request: Request, who: Who) -> Form:
    """The form that a page posts with a file, its token looked at before the file is. In a plain `def` route only, in place of `Posted`.

    Raises Forbidden for a form that we did not give this person, BadField for one that cannot be read.
    """
    require_own(request.headers, desk_of(request))
    found = arriving.taken_apart(body(request), request.headers.get("content-type", ""))
    if not hmac.compare_digest(found.fields.get("csrf", "").encode(), who.csrf.encode()):
        raise Forbidden("this form is too old, or not from here; open the page again, and send it then")
    return found


def whole(file: Form, most: int) -> bytes:
    """A small file, in memory. Raises BadField for none, and for one of more than `most` octets."""
    if not file.name:
        raise BadField("file", "choose a file")
    octets = bytearray()
    for chunk in file.chunks:
        octets += chunk
        if len(octets) > most:
            raise BadField("file", f"it has more than {most} octets")
    return bytes(octets)


def body(request: Request) -> Iterator[bytes]:
    """The request's body as it arrives, in a plain `def` route. Raises starlette's ClientDisconnect when the sender goes away."""
    stream: AsyncIterator[bytes] = request.stream()

    async def following() -> bytes | None:
        return await anext(stream, None)

    while (piece := anyio.from_thread.run(following)) is not None:
        yield piece
