"""The head of the desk's audit log, in the public log: who changes a line afterwards, or puts an older database back, contradicts what is public.

    desk/head.json   {"audit": "sha256:…", "lines": 1200}     written by the desk; the next publication takes it along

The publisher knows no more of the desk than this file. What the log has is counted in the log itself; `desk/anchored` only says how far it was read,
and may be lost.
"""

from __future__ import annotations

import logging
import re
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from authority.errors import AuthorityError
from authority.places import STILL, Places
from blocklists.durable import explained, replace
from blocklists.errors import BadDocument
from blocklists.log import entry
from blocklists.log.entry import Entry
from blocklists.log.tree import Tree
from blocklists.trust import strict

MAX_OCTETS = 1000
_BEGINS = b'{"audit":'
"""How the canonical form of such an entry begins, and no other's."""
_READ = re.compile(r"(\d{1,16}) (\d{1,16}) (-|sha256:[0-9a-f]{64})\n")
_log = logging.getLogger("authority")


class Head(NamedTuple):
    """The audit log after so many lines; `audit` is salted and hashed."""

    lines: int
    audit: str


NONE = Head(0, "-")


def offer(places: Places, head: Head) -> None:
    """Has the next publication log it. Raises DiskError."""
    path = _head(places)
    with explained(f"writing {path}", STILL):
        replace(path, strict.write({"audit": head.audit, "lines": head.lines}, str(path)))


def unlogged(places: Places, tree: Tree, now: int) -> Entry | None:
    """The entry for the head that was offered, logged at `now` (unix seconds); None when the log has it, or there is none.

    A head of fewer lines than the log has is not logged: somebody put the desk's database back. Raises StoreError for damage of the log.
    """
    try:
        offered = _offered(places)
    except (AuthorityError, BadDocument) as error:  # orders, and above all withdrawals, do not wait for it
        _log.error("the audit log's head stays out of the log: %s", error)
        return None
    if offered is None:
        return None
    last = newest(places, tree)
    if offered == last:
        return None
    if offered.lines <= last.lines:
        _log.error(
            "ALARM audit: the desk's audit log has %d lines, and %d of another one stand in the public log; find out who changed or replaced it",
            offered.lines,
            last.lines,
        )
        return None
    return Entry(now, audit=offered.audit, lines=offered.lines)


def newest(places: Places, tree: Tree) -> Head:
    """The head that the log has last; NONE when it has none. Raises StoreError for damage."""
    path = places.directory / "desk" / "anchored"
    size, found = 0, NONE
    with suppress(OSError, UnicodeDecodeError):
        if (match := _READ.fullmatch(path.read_text("ascii"))) is not None and int(match[1]) <= tree.size:
            size, found = int(match[1]), Head(int(match[2]), match[3])
    if size == tree.size:
        return found
    for _, each in logged(tree, size):
        found = each
    if path.parent.is_dir():
        with suppress(OSError):  # it is read again next time
            replace(path, f"{tree.size} {found.lines} {found.audit}\n".encode())
    return found


def logged(tree: Tree, start: int = 0) -> list[tuple[int, Head]]:
    """Every head in the log from an entry on, with its position. Raises StoreError for damage."""
    found = []
    for index, data in enumerate(tree.entries(start, tree.size), start):
        if data.startswith(_BEGINS):
            read = entry.read(data, f"entry {index}")
            found.append((index, Head(read.lines, read.audit)))
    return found


def _offered(places: Places) -> Head | None:
    path = _head(places)
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise AuthorityError(f"{path} cannot be read ({error.strerror}); mend its owner or mode") from None
    document = strict.read(data, str(path), MAX_OCTETS)
    try:
        made = Entry(0, audit=document["audit"], lines=document["lines"])
        read = entry.read(made.encode(), str(path))
    except (KeyError, TypeError, AttributeError) as error:
        raise BadDocument(f"{path} does not say a head ({error}); the desk writes it anew") from None
    return Head(read.lines, read.audit)


def _head(places: Places) -> Path:
    return places.directory / "desk" / "head.json"
