"""Looks at a feed, each time in a process of its own that costs nothing to start: `python -m tests.blocklists.feed.zygote`.

Each line on standard input, `PLACE URL SECONDS`, begins a look, and has it killed after so many seconds, if that is not 0. A line comes back when it
has ended: how (`ended CODE` or `killed`), and after how many seconds.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from pathlib import Path

from blocklists.feed import mirrored
from tests.blocklists.feed.operator import Operator

PIECE = 256
"""Entries that are proven and kept at a time: so few that a first look has several pieces."""


def main() -> None:
    mirrored.PIECE_ENTRIES = PIECE
    for line in sys.stdin:
        place, url, seconds = line.split()
        began = time.monotonic()
        child = os.fork()
        if child == 0:
            operator = Operator(Path(place), (Path(place) / "root.json").read_bytes(), url)
            os._exit(operator.look().code)
        if float(seconds):
            over = os.pidfd_open(child)
            select.select([over], [], [], float(seconds))
            os.close(over)
            os.kill(child, signal.SIGKILL)  # of one that has ended nothing comes
        _, status = os.waitpid(child, 0)
        how = f"ended {os.WEXITSTATUS(status)}" if os.WIFEXITED(status) else "killed"
        print(f"{how}, {time.monotonic() - began}", flush=True)


if __name__ == "__main__":
    main()
