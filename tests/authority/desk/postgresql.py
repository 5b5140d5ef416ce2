"""A real PostgreSQL server of the tests' own: its files in a temporary directory, its socket there too, no port, and nobody's but ours."""

from __future__ import annotations

import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import psycopg
import pytest

from tests.tools import memory, wait_for

_LIBC = ctypes.CDLL(None)
ROLE = "desk"
ROOM = 2 << 30
"""Octets that a cluster and some hundred databases may take."""


def program(name: str) -> str:
    """The path of one of the server's programs, which Debian keeps off the PATH. Skips without it; where REDHAND_CI is 1, fails."""
    found = shutil.which(name) or next((str(path) for path in sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True)), None)
    if found is not None:
        return found
    reason = f"{name} of PostgreSQL is not installed (Debian: postgresql)"
    if os.environ.get("REDHAND_CI") == "1":
        pytest.fail(f"{reason}, and REDHAND_CI=1 lets no test be skipped for that")
    pytest.skip(reason)


class Server:
    """One cluster, that can be started, ended and killed. `durable`: it waits for the disk, as PostgreSQL does by itself."""

    def __init__(self, directory: Path, durable: bool) -> None:
        self.directory = directory
        self._data = directory / "data"
        self._durable = durable
        self._process: subprocess.Popen[bytes] | None = None
        self._numbers = count(1)
        # The server refuses to be run by root.
        self._user: int | None = None
        if os.geteuid() == 0:
            names = {each.pw_name: each for each in pwd.getpwall()}
            found = names.get("postgres") or names["nobody"]
            self._user = found.pw_uid
            os.chown(directory, found.pw_uid, found.pw_gid)
        self._run(program("initdb"), "-D", str(self._data), "-U", ROLE, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions")

    def start(self) -> None:
        """Starts it, and waits until it answers: after a crash, until it has read its log again."""
        # One shared_buffers for all machines, no TCP: the socket's directory is the only way in.
        options = {
            "listen_addresses": "", "unix_socket_directories": str(self.directory), "fsync": "on" if self._durable else "off",
            "max_connections": "100", "shared_buffers": "64MB", "logging_collector": "off",
        }  # fmt: skip
        arguments = [program("postgres"), "-D", str(self._data), *(part for name, value in options.items() for part in ("-c", f"{name}={value}"))]
        with open(self.directory / "log", "ab") as log:
            self._process = subprocess.Popen(
                arguments,
                stdout=log,
                stderr=log,
                user=self._user,
                cwd=self.directory,
                start_new_session=True,
                preexec_fn=_end_with_us,  # noqa: PLW1509
            )
        wait_for(self._answers, f"PostgreSQL answers; its log: {self.directory / 'log'}", 60)

    def kill(self) -> None:
        """SIGKILL for the server and every process of it, at once."""
        assert self._process is not None
        pids = [self._process.pid, *(int(each) for each in _children(self._process.pid))]
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        self._process.wait()

    def stop(self) -> None:
        """Ends it at once; its files are about to go."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait()

    def database(self, template: str = "template1") -> str:
        """The address of a new database."""
        name = f"desk_{next(self._numbers)}"
        with psycopg.connect(self._conninfo("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")  # type: ignore[call-overload]
        return f"postgresql+psycopg://{ROLE}@/{name}?host={self.directory}"

    def _conninfo(self, name: str) -> str:
        return f"host={self.directory} user={ROLE} dbname={name}"

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self.directory / "log").read_text()
        try:
            with psycopg.connect(self._conninfo("postgres"), connect_timeout=5):
                return True
        except psycopg.OperationalError:
            return False

    def _run(self, *arguments: str) -> None:
        subprocess.run(arguments, check=True, stdout=subprocess.DEVNULL, user=self._user, cwd=self.directory)


@contextmanager
def serving(durable: bool = False) -> Iterator[Server]:
    """A server that runs; its files go with it."""
    # Not pytest's own directory: that is the user's alone, and the server is another user. Its path is short enough for a socket's.
    # In memory where there is room: what dies here is the processes, not the machine.
    directory = Path(tempfile.mkdtemp(prefix="redhand-pg-", dir=memory(ROOM)))
    made: Server | None = None
    try:
        made = Server(directory, durable)
        made.start()
        yield made
    finally:
        if made is not None:
            made.stop()
        shutil.rmtree(directory, ignore_errors=True)


def _end_with_us() -> None:
    """A test run that is killed leaves no server: it gets SIGQUIT then (prctl(2), PR_SET_PDEATHSIG)."""
    _LIBC.prctl(1, signal.SIGQUIT)


def _children(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
