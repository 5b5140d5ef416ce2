"""Receipts in the log: one entry for all that were taken since the last such entry, how many and the root of their tree.

What the log has is counted in the log itself, so that nothing else needs to agree with it: `receipts/logged` only says how far the log was counted,
and may be lost.
"""

from __future__ import annotations

import logging
import re
from contextlib import suppress
from itertools import islice

from authority.places import Places
from authority.receipts import directory_of, lines
from blocklists.durable import replace
from blocklists.errors import StoreError
from blocklists.log import entry
from blocklists.log.entry import Entry
from blocklists.log.merkle import root_of
from blocklists.log.tree import Tree

MOST = 1_000_000
"""Receipts in one entry; more wait for the next."""
_COUNTED = re.compile(r"(\d{1,16}) (\d{1,16})\n")
_log = logging.getLogger("authority")
_BEGINS = b'{"logged_at":'
"""How the canonical form of such an entry begins, and no other's."""
_SIGNED = b'{"envelope":'
"""How that of an order or a review begins."""


def unlogged(places: Places, tree: Tree, now: int) -> Entry | None:
    """The entry that the log needs next, taken at `now` (unix seconds); None when it has every receipt, or the book cannot be read.

    Raises StoreError for damage of the log.
    """
    if not directory_of(places).is_dir():
        return None
    counted = logged(places, tree)
    try:
        leaves = [line.leaf for line in islice(lines(places, counted), MOST)]
    except StoreError as error:  # orders, and above all withdrawals, do not wait for the book to be mended
        _log.error("receipts stay out of the log: %s", error)
        return None
    return Entry(now, None, "sha256:" + root_of(leaves).hex(), len(leaves)) if leaves else None


def waiting(places: Places, tree: Tree) -> int:
    """How many receipts the log does not have yet."""
    return sum(1 for _ in lines(places, logged(places, tree))) if directory_of(places).is_dir() else 0


def positions(tree: Tree, start: int) -> list[int]:
    """Where the log has entries that nobody signed (receipts, heads of the audit log), from `start` on: for those an operator owes no receipt.

    Raises StoreError for damage.
    """
    return [index for index, data in enumerate(tree.entries(start, tree.size), start) if not data.startswith(_SIGNED)]


def logged(places: Places, tree: Tree) -> int:
    """How many receipts the log has."""
    path = directory_of(places) / "logged"
    size, taken = 0, 0
    with suppress(OSError, UnicodeDecodeError):
        if (match := _COUNTED.fullmatch(path.read_text("ascii"))) is not None and int(match[1]) <= tree.size:
            size, taken = int(match[1]), int(match[2])
    if size == tree.size:
        return taken
    for index, data in enumerate(tree.entries(size, tree.size), size):
        if data.startswith(_BEGINS):
            taken += entry.read(data, f"entry {index}").taken
    if directory_of(places).is_dir():
        with suppress(OSError, StoreError):  # it is counted again next time
            replace(path, f"{tree.size} {taken}\n".encode())
    return taken
