"""The demonstration authority as a process of its own, started by the supervisor with a listening socket open: `python -m redhand.demo_process`.

One JSON job comes on standard input, `{"state_dir": "…", "socket": 3, "logs": "text"}`; `{"ready": true}` goes out when there is something to serve.
It makes the authority if there is none, renews what has ended, and then is what `redhand authority serve` is. Nothing that serves clients waits
for it.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from pathlib import Path

from blocklists.turns import take_short_turns

NICE = 10
"""As the feed client: below serving."""


def main() -> int:
    """Serves the demonstration's feed until SIGTERM."""
    os.nice(NICE)
    take_short_turns()
    from authority.serve import serve  # noqa: PLC0415 - what is loaded here is what must give way
    from blocklists import confine, logs  # noqa: PLC0415
    from blocklists.durable import explained, replace  # noqa: PLC0415
    from blocklists.errors import RedHandError  # noqa: PLC0415
    from redhand import demonstration  # noqa: PLC0415
    from redhand.demo_authority import WHY, prepare  # noqa: PLC0415

    job = json.load(sys.stdin)
    logs.to_stderr("demonstration", job["logs"])
    place = demonstration.directory(Path(job["state_dir"]))
    listening = socket.socket(fileno=job["socket"])
    try:
        prepare(place, int(time.time()))
        with explained(f"writing {place / 'url'}", WHY):
            replace(place / "url", f"http://{demonstration.ADDRESS}:{listening.getsockname()[1]}/".encode())
        confine.drop()  # the two who do the work confine themselves further
        print(json.dumps({"ready": True}), flush=True)  # who asks already waits in the socket, and begins to load meanwhile
        serve(place, listening, lambda _: None)
    except (RedHandError, OSError) as error:
        logs.say_last(f"there is no demonstration: {error}")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
