"""The log as one mirror gives it, under one signed checkpoint: entries are fetched in pieces, and each piece is proven before it is kept.

A piece that ends where the checkpoint does gives the checkpoint's root; a piece that ends before is proven to be a beginning of that tree by the
public tiles. So what stands in our own copy is always a beginning of something the log has signed, a first fetch that is cut short goes on where it
was, and a mirror that makes entries up gains nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from blocklists.errors import BadDocument
from blocklists.feed.faults import Away, Distrusted, Forked, Refused
from blocklists.feed.fetch import Client
from blocklists.log import merkle, tiles
from blocklists.log.note import Checkpoint
from blocklists.log.tree import Tree

PIECE_ENTRIES, PIECE_OCTETS = 4096, 16 << 20
"""How much is fetched before it is proven and kept: a multiple of a bundle, so that few tiles prove it; and how much memory that may take."""

_MIRROR = "name another mirror in feed.urls; it is tried again by itself"
_FORK = (
    "stop relying on new orders and ask the authority by another way than the feed which history is right; only if it says that ours is wrong: move "
    "log and trust out of the state directory and run redhand sync"
)

_DATED = re.compile(rb'[,{]"logged_at":([0-9]{1,12})(?:}$|,"receipts":)')
"""The date in an entry's one form; what has another form is no entry, and has no effect."""

Progress = Callable[[str, int, int], None]
"""Told what was done (`fetched`, `verified`) with how many entries, of how many."""


class MirroredLog:
    """`url` ends in a slash."""

    def __init__(self, url: str, client: Client, checkpoint: Checkpoint) -> None:
        self._url = f"{url}log/"
        self._client = client
        self.checkpoint = checkpoint
        self._tiles: dict[tuple[int, int], list[bytes]] = {}

    def begins_with(self, size: int, root: bytes) -> bool:
        """Whether the checkpoint's tree begins with that of `size` leaves and this root. Raises Fault when the mirror cannot prove it either way."""
        ours = self.checkpoint
        if size > ours.size:
            return False
        proof = merkle.consistency(size, ours.size, self._node)
        return merkle.verify_consistency(size, root, ours.size, ours.root, proof)

    def bring(self, tree: Tree, progress: Progress) -> None:
        """Makes our copy as long as the checkpoint. Raises Fault when what comes is not what was signed; what was proven before stays."""
        while tree.size < self.checkpoint.size:
            try:
                entries = self._piece(tree)
            except Refused:
                if not self.begins_with(tree.size, tree.root):  # what follows ours there does not even begin where ours ends
                    raise forked(self._url, self.checkpoint.size, tree.size) from None
                raise
            self._check_dates(entries)
            size, root = tree.preview(entries)
            whole = size == self.checkpoint.size
            if not (root == self.checkpoint.root if whole else self.begins_with(size, root)):
                raise self._blame(tree)
            tree.append(entries)
            progress("fetched", tree.size, self.checkpoint.size)

    def _check_dates(self, entries: list[bytes]) -> None:
        """What is dated later than the checkpoint was dated by somebody who wants the rate's clock to run on."""
        for entry in entries:
            if (found := _DATED.search(entry)) is not None and int(found[1]) > self.checkpoint.time:
                raise Refused(
                    f"{self._url} has an entry dated {int(found[1]) - self.checkpoint.time} s after the log signed it",
                    "tell the authority; " + _MIRROR,
                )

    def _blame(self, tree: Tree) -> Distrusted:
        if self.begins_with(tree.size, tree.root):
            return Refused(f"{self._url} gives entries after {tree.size} that are not those the log signed", _MIRROR)
        return forked(self._url, self.checkpoint.size, tree.size)

    def _piece(self, tree: Tree) -> list[bytes]:
        """The entries that follow ours, up to the end or to a whole bundle."""
        found: list[bytes] = []
        octets = 0
        at = tree.size
        end = min(self.checkpoint.size, (at // PIECE_ENTRIES + 1) * PIECE_ENTRIES)
        while at < end and octets < PIECE_OCTETS:
            number, have = divmod(at, tiles.WIDTH)
            held = sum(2 + len(entry) for entry in tree.entries(at - have, at)) if have else 0
            got = self._bundle(number, have, held)
            found += got
            octets += sum(map(len, got))
            at += len(got)
        return found

    def _bundle(self, number: int, have: int, held: int) -> list[bytes]:
        """What a bundle has under the checkpoint beyond the `have` entries, of `held` octets, that we have."""
        width = tiles.width_of(0, number, self.checkpoint.size)
        wanted = width - have
        try:
            data, path = self._get(tiles.bundle_path(number, width), held, tiles.MAX_BUNDLE)
        except Away as fault:
            if fault.status != 404 or width == tiles.WIDTH:
                raise
            # C2SP tlog-tiles: once a bundle is whole, its partial ones may be gone.
            data, path = self._get(tiles.bundle_path(number), held, tiles.MAX_BUNDLE)
        try:
            entries = tiles.read_bundle(data, path)
        except BadDocument as error:
            raise Refused(str(error), _MIRROR) from None
        if len(entries) < wanted:
            raise Refused(f"{path} has {have + len(entries)} entries, and the log signed {width}", _MIRROR)
        return entries[:wanted]

    def _node(self, level: int, index: int) -> bytes:
        """The root of a whole subtree of 2**level leaves, from a tile."""
        above, inner = divmod(level, tiles.HEIGHT)
        number, offset = divmod(index << inner, tiles.WIDTH)
        return merkle.root_of(self._tile(above, number)[offset : offset + (1 << inner)])

    def _tile(self, level: int, number: int) -> list[bytes]:
        if (level, number) not in self._tiles:
            width = tiles.width_of(level, number, self.checkpoint.size)
            try:
                data, path = self._get(tiles.tile_path(level, number, width), 0, width * merkle.HASH, public=True)
            except Away as fault:
                if fault.status != 404 or width == tiles.WIDTH:
                    raise
                data, path = self._get(tiles.tile_path(level, number), 0, tiles.WIDTH * merkle.HASH, public=True)
                data = data[: width * merkle.HASH]
            try:
                self._tiles[level, number] = tiles.read_tile(data, width, path)
            except BadDocument as error:
                raise Refused(str(error), _MIRROR) from None
        return self._tiles[level, number]

    def _get(self, path: str, start: int, most: int, public: bool = False) -> tuple[bytes, str]:
        url = self._url + path
        return self._client.get(url, most, start=start, authorized=not public), url


def forked(url: str, theirs: int, ours: int) -> Forked:
    """The words for two histories."""
    return Forked(
        f"{url}: the log of {theirs} entries that the authority signed does not continue the one of {ours} entries that it signed before", _FORK
    )
