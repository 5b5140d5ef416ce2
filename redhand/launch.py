"""Starts processes that die with us, some of them before there is anything for them to do.

Nothing here needs an event loop, and little needs to be loaded: the first workers are started while the supervisor still loads the rest of itself.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from resolver import channel

ROOT = Path(__file__).resolve().parent.parent


def _environment() -> dict[str, str]:
    """Children run the code their supervisor runs: from a checkout that is not installed, they are told where it stands."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LISTEN_")}  # systemd passed its sockets to us alone
    if str(ROOT) not in (sysconfig.get_path("purelib"), sysconfig.get_path("platlib")):
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, (str(ROOT), environment.get("PYTHONPATH"))))
    return environment


def launch(command: Sequence[str], stdin: int, fds: Sequence[int] = ()) -> subprocess.Popen[bytes]:
    """Start one of our modules, or a program, as something that dies with this one. Raises OSError when it cannot be started."""
    return subprocess.Popen(  # noqa: S603 - our own command line, no shell
        # -P: a directory called `resolver` where the operator stands must not be taken for ours.
        (sys.executable, "-P", str(ROOT / "redhand" / "lifeline.py"), str(os.getpid()), *command),
        stdin=stdin,
        stdout=subprocess.PIPE,
        pass_fds=fds,
        # A group of its own, because Ctrl-C is the supervisor's to pass on; not a session, because the kernel shares cores out among sessions before
        # it looks at priorities (autogroup, sched(7)): a build would get half of a core that a worker needs.
        process_group=0,
        env=_environment(),
    )


@dataclass(frozen=True, slots=True)
class Started:
    """A process that nobody watches yet: it may have been started before there was an event loop."""

    process: subprocess.Popen[bytes]
    end: socket.socket | None
    """Our end of its channel."""
    hurries: bool = True
    """Whether it loads at the usual priority, so that it may be given a job before it has said that it waits for one."""

    @classmethod
    def waiting(cls, command: Sequence[str], hurries: bool = True) -> Started:
        """One that waits at its channel to be given a job. Raises OSError."""
        ours, theirs = channel.pair()
        with theirs:
            try:
                return cls(launch(command, theirs.fileno()), ours, hurries)
            except OSError:
                ours.close()
                raise


_early: list[Started] = []

WORKER = ("resolver.worker",)
GENTLE = ("resolver.gentle",)
"""A worker that loads itself at the lowest priority."""

MOST_EARLY = 8


def workers_early() -> None:
    """Start as many workers as there are likely to be, at most MOST_EARLY. Those too many are ended later, or end with us."""
    for _ in range(min(len(os.sched_getaffinity(0)), MOST_EARLY)):
        try:
            _early.append(Started.waiting(WORKER))
        except OSError:
            return  # the supervisor tries again, and says so


def take_early() -> list[Started]:
    """Those started early, which are the caller's now."""
    taken = list(_early)
    _early.clear()
    return taken


def drop_early() -> None:
    """End those started early: they have rights that their supervisor has given up."""
    for started in take_early():
        started.process.kill()
        started.process.wait()
        assert started.process.stdout is not None  # noqa: S101 - asked for in launch()
        started.process.stdout.close()
        if started.end is not None:
            started.end.close()
