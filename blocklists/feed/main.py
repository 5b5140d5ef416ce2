"""The feed client as a process of its own: `python -m blocklists.feed.main < job.json`.

It looks at the feed every so often and whenever a mirror hints, and tells its supervisor, one JSON line each: that it is ready, how it stands
(`feed`), its alarms. It serves nobody. Killed at any instant it leaves a whole list, and its successor completes what it had begun.
"""

from __future__ import annotations

import os
import signal
import sys
import types
from pathlib import Path

from blocklists.turns import take_short_turns

NICE = 10
"""As a build: below serving, above what runs only when nothing else does."""


def main() -> int:
    """Follows the feed of the job on standard input until SIGTERM."""
    os.nice(NICE)
    take_short_turns()
    from blocklists import confine, logs  # noqa: PLC0415 - what is loaded here is what must give way
    from blocklists.errors import RedHandError  # noqa: PLC0415
    from blocklists.feed.follow import follow  # noqa: PLC0415
    from blocklists.feed.job import read_job  # noqa: PLC0415

    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the supervisor's to pass on
    logs.to_stderr("feed")
    try:
        job = read_job(sys.stdin.read())
        logs.to_stderr("feed", job.logs)
        if job.confined:
            Path(job.state_dir).mkdir(parents=True, exist_ok=True)
            confine.confine([job.state_dir])
        follow(job)
    except (RedHandError, ValueError, OSError) as error:
        logs.say_last(str(error))
        return 1
    return 0


def _end(number: int, frame: types.FrameType | None) -> None:
    """At once: whatever is under way is made to be cut off, and an exception here would be lost in a callback that swallows it."""
    os._exit(0)


if __name__ == "__main__":
    raise SystemExit(main())
