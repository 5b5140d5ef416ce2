"""One process of a user on a machine asks somebody else's server at a time: what its operator agreed to holds for all studies together.

A lock a server, in a directory of this user's among the temporary files. A process that dies gives its locks back. Other users and other machines are
not seen from here: those who share a study's vantages are told apart by `porosity.vantages`, the rest by talking to one another.
"""

from __future__ import annotations

import fcntl
import os
import stat
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from blocklists.errors import Busy, StoreError
from porosity import parts
from porosity.ethics import Permit


@contextmanager
def held(permits: Mapping[str, Permit], folder: Path | None = None) -> Iterator[None]:
    """Holds the turn at every server that is asked by a list of who agreed. `folder`: where locks are; the user's own if none is given.

    Raises Busy when another process asks one of them, StoreError when the folder is not this user's alone.
    """
    asked = sorted({permit.server or address for address, permit in permits.items() if permit.by == "list"})
    with ExitStack() as kept:
        if asked:
            _take(asked, folder or Path(tempfile.gettempdir()) / f"redhand-asked-{os.geteuid()}", kept)
        yield


def _take(servers: Iterable[str], folder: Path, kept: ExitStack) -> None:
    with parts.explained(folder):
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()  # not what a link leads to
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise StoreError(f"{folder} is not a directory of yours alone, so that others could hold you up; remove it, or have it removed")
    for server in servers:
        with parts.explained(folder):
            lock = os.open(folder / server.replace(":", "-"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        kept.callback(os.close, lock)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Busy(f"another process of yours asks {server}, and its operator agreed to one rate for both; wait for it, or stop it") from None
