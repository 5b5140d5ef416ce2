"""Work beside a server takes short turns, without giving up its priority."""

from __future__ import annotations

import ctypes
import os
import platform
import struct
import threading

import pytest

from blocklists.turns import TURN_NANOSECONDS, take_short_turns

_SCHED_GETATTR = {"x86_64": 315, "aarch64": 275}


def attributes() -> tuple[int, int]:
    """Nice value and length of a turn (nanoseconds) of the calling thread, as the kernel has them."""
    found = ctypes.create_string_buffer(48)
    assert ctypes.CDLL(None).syscall(_SCHED_GETATTR[platform.machine()], 0, found, 48, 0) == 0
    _, _, _, nice, _, runtime, _, _ = struct.unpack("=IIQiIQQQ", found.raw)
    return nice, runtime


def test_a_thread_gets_short_turns_and_keeps_its_priority() -> None:
    release = tuple(int(part) for part in platform.release().split(".")[:2] if part.isdigit())
    if platform.machine() not in _SCHED_GETATTR or release < (6, 12):
        pytest.skip(f"Linux {platform.release()} on {platform.machine()} grants no turns of one's own length (6.12 does)")
    seen: list[tuple[int, int]] = []

    def work() -> None:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 7)
        assert take_short_turns()
        seen.append(attributes())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [(7, TURN_NANOSECONDS)]
