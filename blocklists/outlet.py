"""Writes to a pipe, a terminal or a file without ever waiting for whoever is to read it: a log that nobody takes away must not stop what logs.

The descriptor's own mode is left alone, because it is shared with the shell, or whoever else, that handed it down.
"""

from __future__ import annotations

import os
import select

PART = select.PIPE_BUF
"""Octets that a pipe which can be written to takes at once."""


def write(file: int, octets: bytes) -> int:
    """How many of the octets went out; fewer than all when there is no room now, or nobody will ever read them."""
    poll = select.poll()
    poll.register(file, select.POLLOUT)
    sent = 0
    while sent < len(octets) and poll.poll(0):
        try:
            sent += os.write(file, octets[sent : sent + PART])
        except OSError:
            break
    return sent
