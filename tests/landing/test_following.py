"""A new version is heard of by the landing page, too: it does not wait until it looks."""

from __future__ import annotations

import asyncio
import gc
import os
from contextlib import suppress
from pathlib import Path

import pytest

from blocklists import readers
from blocklists.agreed import Timekeeper
from blocklists.alarms import Alarms
from landing import following
from landing.following import READER, Following
from tests.landing.samples import order, put_in_force
from tests.tools import wait_for


def test_a_new_version_is_heard_of_and_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "LOOK_SECONDS", 60.0)
    put_in_force(tmp_path, order("blocked.example"))

    async def run() -> None:
        found = Following(tmp_path, Timekeeper(tmp_path), Alarms(lambda _: True), lambda *_: None)
        task = asyncio.create_task(found.run())
        await asyncio.to_thread(wait_for, lambda: readers.live(tmp_path) == {READER: 1}, "the first version in force", 20)
        for serial in (2, 3):
            await asyncio.to_thread(put_in_force, tmp_path, order("blocked.example", f"n{serial}.example"))
            await asyncio.to_thread(wait_for, lambda serial=serial: readers.live(tmp_path) == {READER: serial}, f"version {serial} in force", 20)
        before = _listened_to()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        assert _listened_to() == before - 1, "nothing is listened to any more"

    gc.collect()  # what tests before this one left to the collector is not to be closed between the two counts
    asyncio.run(run())


def _listened_to() -> int:
    """Open descriptors of inotify(7)."""
    links = []
    for each in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # the one that reads the directory is gone by then
            links.append(os.readlink(each))
    return links.count("anon_inode:inotify")
