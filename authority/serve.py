"""`redhand authority serve`: one process that speaks to strangers (`front`), one that keeps what is published fresh (`keeper`), and this one.

This one opens the sockets, starts the two, starts each again when it ends, and ends them when it is told to. It reads nothing that a stranger sent.
"""

from __future__ import annotations

import json
import logging
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from authority import handover
from authority.errors import AuthorityError
from authority.places import Places
from blocklists import endpoints

READY_SECONDS = 30.0
END_SECONDS = 5.0
"""How long the two may take to end."""
AGAIN_SECONDS = 1.0
"""Between the ends of one that fails and its next start."""
_log = logging.getLogger("authority")


class Child:
    """One of the two, or of the desk's."""

    def __init__(self, module: str, job: dict[str, Any], descriptors: list[int], *, speaks: bool = False) -> None:
        """`module`: of ours, run with the job as a line of JSON on its standard input; `speaks`: it says on its standard output when it is ready."""
        self._module = module
        self._speaks = speaks
        self.name = module.rpartition(".")[2]
        self._job = job
        self._descriptors = descriptors
        self._began = float("-inf")
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts it."""
        self._began = time.monotonic()
        # Its standard input stays open for as long as we live.
        self.process = subprocess.Popen(  # noqa: S603 - a module of our own
            [sys.executable, "-m", self._module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE if self._speaks else subprocess.DEVNULL,
            pass_fds=self._descriptors,
            start_new_session=True,  # what a terminal sends comes to us alone
        )
        assert self.process.stdin is not None  # noqa: S101 - it was asked for
        self.process.stdin.write(json.dumps(self._job).encode() + b"\n")
        self.process.stdin.flush()

    def ready(self) -> bool:
        """Waits until it says so; False when it ended before."""
        assert self.process is not None and self.process.stdout is not None  # noqa: S101, PT018 - only of one that was started, and speaks
        if not select.select([self.process.stdout], [], [], READY_SECONDS)[0]:
            return False
        return self.process.stdout.readline() != b""

    def look(self) -> None:
        """Starts it again if it ended."""
        if self.process is None or self.process.poll() is None or time.monotonic() - self._began < AGAIN_SECONDS:
            return
        _log.error("the %s ended with status %d; it is started again", self.name, self.process.returncode)
        self._close()
        self.start()

    def ask(self) -> None:
        """Asks it to end, and waits for nothing."""
        if self.process is not None:
            self.process.terminate()

    def stop(self) -> None:
        """Ends it within END_SECONDS."""
        if self.process is None:
            return
        self.ask()
        try:
            self.process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            _log.error("the %s did not end in %g s and is killed", self.name, END_SECONDS)
            self.process.kill()
            self.process.wait()
        self._close()

    def _close(self) -> None:
        for each in (self.process.stdin, self.process.stdout) if self.process is not None else ():
            if each is not None:
                each.close()


def opened(listen: str) -> socket.socket:
    """A listening socket. Raises AuthorityError."""
    try:
        host, port = endpoints.split_endpoint(listen)
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=2048)
    except (ValueError, OSError) as error:
        raise AuthorityError(f"cannot listen on {listen} ({error}); give an address and a free port, such as 127.0.0.1:8443") from None


def serve(directory: Path, listening: socket.socket, say: Callable[[str], None]) -> None:
    """Serves on a listening socket, which is closed at the end, until SIGTERM or SIGINT. Raises AuthorityError when it cannot begin."""
    places = Places(directory.absolute())
    places.require()
    stopped, wake = os.pipe()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os.write(wake, b"."))
    with listening, handover.opened(places.directory) as handed:
        front = Child("authority.front", {"directory": str(places.directory), "sockets": [listening.fileno()]}, [listening.fileno()], speaks=True)
        keeper = Child("authority.keeper", {"directory": str(places.directory), "socket": handed.fileno()}, [handed.fileno()])
        try:
            front.start()
            if not front.ready():
                raise AuthorityError("the server did not start; what it said above names the reason")
            keeper.start()
            host, port = listening.getsockname()[:2]
            say(f"{directory} is served at http://{f'[{host}]' if ':' in host else host}:{port}/, and kept fresh. Ctrl-C or SIGTERM ends it.")
            while not select.select([stopped], [], [], 0.2)[0]:
                front.look()
                keeper.look()
        finally:
            handover.closed(places.directory)
            keeper.stop()
            front.stop()
