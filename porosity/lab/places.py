"""Where the lab's programs run: on this machine's loopback, or on machines made of namespaces. A place starts a program and ends it with us."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from blocklists.errors import RedHandError

END_SECONDS = 8.0

_LIFELINE = ("setpriv", "--pdeathsig", "KILL", "sh", "-c", 'test "$PPID" -eq "$0" && exec "$@"')
"""What a command begins with so that it dies with us; the number of our process follows. It does not begin at all if we are gone before it asks."""


class LabError(RedHandError):
    """The lab cannot be built, or something in it ended. The message says what, and what to do."""


def program(name: str) -> str:
    """Where a program is, also among the system's (`sbin`). Raises LabError when it is not installed."""
    found = shutil.which(name) or shutil.which(name, path="/usr/local/sbin:/usr/sbin:/sbin")
    if found is None:
        raise LabError(f"the lab needs {name}, which is not installed; install it, or take a scenario without it")
    return found


class Place:
    """Somewhere programs run: here, this machine itself."""

    def __init__(self) -> None:
        self._running: list[subprocess.Popen[Any]] = []

    def command(self, *words: str) -> list[str]:
        """The command, as it is run there; it dies with the thread that starts it."""
        lifeline = [program(_LIFELINE[0]), *_LIFELINE[1:], str(os.getpid())]
        return [*lifeline, program(words[0]), *words[1:]]

    def run(self, *words: str, stdin: str = "") -> str:
        """What a short command there prints. Raises LabError when it fails."""
        done = subprocess.run(self.command(*words), input=stdin, capture_output=True, text=True, timeout=30, check=False)  # noqa: S603 - our words
        if done.returncode:
            raise LabError(f"{' '.join(words)} ended with status {done.returncode}: {done.stderr.strip()}")
        return done.stdout

    def start(self, *words: str, log: IO[bytes] | int = subprocess.DEVNULL, **how: Any) -> subprocess.Popen[Any]:
        """A program that runs there until it is ended, or this place is closed. `how`: as subprocess.Popen has it."""
        given: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log, "start_new_session": True}
        process: subprocess.Popen[Any] = subprocess.Popen(self.command(*words), **(given | how))  # noqa: S603 - as above
        self._running.append(process)
        return process

    def python(self, module: str, *words: str, log: IO[bytes] | int, **how: Any) -> subprocess.Popen[Any]:
        """One of our own programs there, as its users start it, by the code that runs here."""
        return self.start(sys.executable, "-P", "-m", module, *words, log=log, env=environment(), **how)

    def close(self) -> None:
        """Ends all that runs there, the last started first."""
        for process in reversed(self._running):
            end(process)
        self._running.clear()


def environment() -> dict[str, str]:
    """Of our own programs: ours, but for settings of a Red Hand outside of the lab; with the code that runs here."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("REDHAND_")}
    return {**kept, "PYTHONPATH": str(Path(__file__).resolve().parents[2]), "PYTHONUNBUFFERED": "1"}


def end(process: subprocess.Popen[Any]) -> None:
    """Asks a process to end, and ends it when it does not."""
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()


def last_words(log: Path) -> str:
    """The end of what a program wrote."""
    with suppress(OSError):
        return log.read_text(encoding="utf-8", errors="replace")[-1500:]
    return ""
