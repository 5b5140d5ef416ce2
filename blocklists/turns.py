"""Short turns on the processor for work that shares a core with a server (Linux; nothing happens elsewhere, or where it is refused).

A lower priority alone says how much a process gets, not for how long at a time: Linux lets it finish a turn of 3 to 5 ms before a woken server runs,
and two such turns in a row are the slowest answer of a list's change. From Linux 6.12 on, a process may ask for shorter turns
(sched_setattr(2), `sched_runtime` of SCHED_OTHER); it loses none of its share by that.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct

TURN_NANOSECONDS = 100_000
"""The shortest turn the kernel grants."""

_SCHED_SETATTR = {"x86_64": 314, "aarch64": 274}
"""Number of the system call, by machine; the C library of most distributions has no function for it."""
_ATTRIBUTES = struct.Struct("=IIQiIQQQ")
"""struct sched_attr, first version: size, policy (0: SCHED_OTHER), flags, nice, priority, runtime, deadline, period."""


def take_short_turns() -> bool:
    """Asks for short turns for the calling thread and what it starts later; whether the kernel took note."""
    number = _SCHED_SETATTR.get(platform.machine())
    if number is None:
        return False
    nice = os.getpriority(os.PRIO_PROCESS, 0)
    attributes = _ATTRIBUTES.pack(_ATTRIBUTES.size, 0, 0, nice, 0, TURN_NANOSECONDS, 0, 0)
    return bool(ctypes.CDLL(None, use_errno=True).syscall(number, 0, attributes, 0) == 0)
