"""`redhand desk serve`: one process that serves pages (`server`), one that does what clocks and messages ask for (`worker`), and this one.

This one opens the socket, starts the two, starts each again when it ends, and ends them when it is told to. It reads nothing that a stranger sent.
"""

from __future__ import annotations

import os
import select
import signal
import socket
from collections.abc import Callable
from pathlib import Path

from authority.desk import migrations
from authority.desk.desk import Desk
from authority.desk.errors import DeskError
from authority.desk.people import accounts
from authority.desk.settings import DeskSettings
from authority.serve import Child

LOOK_SECONDS = 0.2


def require_ready(settings: DeskSettings, base: Path) -> None:
    """Raises DeskError, with what to do, for a desk whose tables are of another version, or at which nobody could sign in."""
    desk = Desk(settings, base)
    try:
        migrations.require_current(desk.store)
        with desk.store.reading() as session:
            if not accounts.count(session):
                raise DeskError("the desk has no people yet, so that nobody could sign in; make the first: redhand desk init PEOPLE.yaml")
    finally:
        desk.close()


def serve(settings: DeskSettings, base: Path, listening: socket.socket, say: Callable[[str], None]) -> None:
    """Serves on a listening socket, which is closed at the end, until SIGTERM or SIGINT. Raises DeskError when it cannot begin."""
    require_ready(settings, base)
    stopped, wake = os.pipe()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os.write(wake, b"."))
    job = {"settings": settings.model_dump(mode="json"), "base": str(base.absolute())}
    with listening:
        pages = Child("authority.desk.server", {**job, "sockets": [listening.fileno()]}, [listening.fileno()], speaks=True)
        worker = Child("authority.desk.worker", job, [])
        try:
            pages.start()
            if not pages.ready():
                raise DeskError("the desk did not start; what it said above names the reason")
            worker.start()
            host, port = listening.getsockname()[:2]
            say(f"The desk is served at http://{f'[{host}]' if ':' in host else host}:{port}/ for {settings.url}. Ctrl-C or SIGTERM ends it.")
            while not select.select([stopped], [], [], LOOK_SECONDS)[0]:
                pages.look()
                worker.look()
        finally:
            # Together: each may take a second to end what it is doing.
            for child in (worker, pages):
                child.ask()
            worker.stop()
            pages.stop()
            for descriptor in (stopped, wake):
                os.close(descriptor)
