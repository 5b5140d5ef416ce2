"""What the supervisor says to a worker while it runs: JSON objects with descriptors beside them, over a pair of connected Unix sockets.

Each message arrives whole (SOCK_SEQPACKET). What a worker says goes the other way by `blocklists.tell`. Neither side ever waits: a message that does
not fit is not sent, and the sender is told so.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Sequence
from typing import Any

MOST_OCTETS = 60_000
MOST_FILES = 200
"""The kernel passes at most 253 descriptors in a message (SCM_MAX_FD)."""


def pair() -> tuple[socket.socket, socket.socket]:
    """The supervisor's end and the worker's."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setblocking(False)
    return ours, theirs


def send(end: socket.socket, message: dict[str, Any], files: Sequence[int] = ()) -> bool:
    """Whether the message and its descriptors went out; False when the other side is gone or does not read. Raises ValueError when it is too long."""
    octets = json.dumps(message).encode()
    if len(octets) > MOST_OCTETS or len(files) > MOST_FILES:
        raise ValueError(f"a message of {len(octets)} octets and {len(files)} descriptors is too long")
    try:
        socket.send_fds(end, [octets], list(files))
    except OSError:
        return False
    return True


def receive(end: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    """The next message and its descriptors, which are the caller's to close; None when the other side is gone.

    Raises BlockingIOError when none waits.
    """
    octets, files, _, _ = socket.recv_fds(end, MOST_OCTETS, MOST_FILES)
    if not octets:
        for file in files:
            os.close(file)
        return None
    message: dict[str, Any] = json.loads(octets)
    return message, files


def in_memory(text: bytes, name: str) -> int:
    """A descriptor of an anonymous file that holds the text, to pass on what is too long for a message."""
    file = os.memfd_create(name)
    os.write(file, text)
    os.lseek(file, 0, os.SEEK_SET)
    return file
