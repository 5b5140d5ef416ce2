"""Where an authority keeps what: the directory given to every `redhand authority` command.

public/    what the world may fetch, as it stands: metadata/, targets/, log/ (entries under log/tile/entries need an operator's token)
online/    private keys of the roles that sign without a person: snapshot, timestamp, checkpoint, log
packets/   what was drafted and waits for signatures
lock       held by the one process that changes any of it
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from authority.errors import AuthorityError
from blocklists.durable import explained

STILL = "what is published stays as it was"
"""What holds after a disk refused a change here."""
PATIENCE_SECONDS = 5.0


class Places:
    """The paths under an authority's directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.public = directory / "public"
        self.metadata = self.public / "metadata"
        self.targets = self.public / "targets"
        self.log = self.public / "log"
        self.online = directory / "online"
        self.packets = directory / "packets"

    def require(self) -> None:
        """Raises AuthorityError unless a ceremony was held here."""
        if not self.online.is_dir() or not self.log.is_dir():
            raise AuthorityError(f"{self.directory} is no authority's directory; make one: redhand authority init {self.directory} CEREMONY.yaml")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Waits for another process that changes the directory. Raises AuthorityError when that lasts longer than PATIENCE_SECONDS."""
        with explained("taking the authority's lock", STILL):
            descriptor = os.open(self.directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            ends = time.monotonic() + PATIENCE_SECONDS
            while not _lock(descriptor):
                if time.monotonic() >= ends:
                    raise AuthorityError(f"{self.directory} is being changed by another process; wait for it, or let the server do it")
                time.sleep(0.02)
            yield
        finally:
            os.close(descriptor)


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def read(path: Path, what: str) -> bytes:
    """The file's bytes. Raises AuthorityError, naming `what`."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise AuthorityError(f"{what} {path} cannot be read ({error.strerror}); check the path and its mode") from None
