"""The landing process: `python -m landing.serve`, started by the front door with listening sockets already open.

One JSON job comes on standard input, `{"settings": {…}, "state_dir": "…", "sockets": [3, 4], "confined": true}`, with
`"secure": {"sockets": [5], "chain": PEM, "key": PEM}` where own pages are served over TLS; one JSON line, `{"ready": true}`, goes out on standard
output when the page is served. SIGTERM stops it in less than 3 s. It binds nothing itself and keeps no access log.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import socket
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from blocklists import confine, logs, readers, web
from blocklists.agreed import Timekeeper
from blocklists.alarms import Alarms
from blocklists.guarded import MAX_HEAD, GuardedProtocol, raise_descriptor_limit
from blocklists.reports import Reports
from blocklists.tell import tell
from landing import counts, secure
from landing.app import Application, handing
from landing.following import Following
from landing.front import Hall
from landing.proofs import Proofs
from landing.settings import LandingSettings
from landing.site import Site

SPARE_DESCRIPTORS = 256
"""For all that is no connection."""

NICE = 10
"""The names come before the page: a flood of visitors must not take the core from who answers queries."""


def own_pages(settings: LandingSettings, state_dir: Path, job: dict[str, Any]) -> ASGIApp | None:
    """The operator's own pages, if it has a name for them; over TLS alone where they are served so."""
    if not settings.own_name:
        return None
    from landing.own import create_own  # noqa: PLC0415 - loads FastAPI, which a page without them does without

    own: ASGIApp = create_own(settings, state_dir, job.get("carried") is True)
    return secure.OnlySecure(own, settings.own_url) if "secure" in job else own


def main() -> None:
    """Serves until it is told to stop. A job that is not as described is a fault of the front door and ends in a traceback."""
    job: dict[str, Any] = json.load(sys.stdin)
    os.nice(NICE)
    settings = LandingSettings.model_validate(job["settings"])
    state_dir = Path(job["state_dir"])
    logs.to_stderr("landing", job.get("logs", "text"))
    if job.get("confined") is True:
        confine.confine([readers.prepare(state_dir), counts.prepare(state_dir), *([Reports(state_dir).prepare()] if settings.own_name else [])])
    raise_descriptor_limit(settings.connections + SPARE_DESCRIPTORS)
    time = Timekeeper(state_dir)
    alarms = Alarms(tell)
    counted = counts.Counts(state_dir, alarms)
    site = Site(settings, time, Proofs(state_dir), counted, job.get("carried") is True)
    most = min(settings.connections, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - SPARE_DESCRIPTORS)
    hall = Hall(site.answer, connections=most, head_seconds=settings.head_seconds, idle_seconds=settings.idle_seconds)
    sockets = [socket.socket(fileno=descriptor) for descriptor in job["sockets"]]
    listening: list[Callable[[uvicorn.Server], Any]] = [lambda server: hall.listen(server.server_state, handing(server, settings), sockets)]
    if "secure" in job:
        listening.append(partial(secure.listen, settings=settings, job=job["secure"]))
    gc.freeze()  # what is loaded stays: the collector need not look at it again while visitors wait
    web.serve(
        Application(Following(state_dir, time, alarms, site.put_in_force), counted, own_pages(settings, state_dir, job)),
        [],
        more=listening,
        http=GuardedProtocol,
        lifespan="on",
        h11_max_incomplete_event_size=MAX_HEAD,
        timeout_keep_alive=settings.idle_seconds,
        timeout_graceful_shutdown=2,
    )


if __name__ == "__main__":
    main()
