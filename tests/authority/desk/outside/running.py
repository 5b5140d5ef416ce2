"""`redhand desk` as its keeper runs it: commands in a directory with an authority, and the server's processes."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from redhand.cli import app
from redhand.ending import ending
from tests.authority.cast import Cast, found
from tests.tools import DEADLINE, free_ports, wait_for

ROOT = Path(__file__).parents[4]
PEOPLE = """\
people:
  - {login: admin-1, name: Admin One, roles: [administrator]}
  - {login: admin-2, name: Admin Two, roles: [administrator]}
  - {login: auditor, name: The Auditor, roles: [auditor]}
  - {login: officer, name: north-1, roles: [clerk, officer], office: north-1}
  - {login: reviewer, name: reviewer-1, roles: [reviewer], office: reviewer-1}
"""


class Keeper:
    """A directory with an authority, and settings that name its desk."""

    def __init__(self, directory: Path, now: int, **settings: Any) -> None:
        self.directory = directory
        self.cast = Cast()
        found(self.cast, directory / "authority", now, limits={"names_per_hour": 1000, "names_per_day": 5000})
        (self.port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{self.port}"
        desk = {"listen": f"127.0.0.1:{self.port}", "url": f"{self.url}/", **settings}
        (directory / "config.yaml").write_text(json.dumps({"desk": desk}))
        (directory / "people.yaml").write_text(PEOPLE)

    def run(self, *words: object, status: int = 0) -> str:
        """What a command says, called in this process; its errors too, when it is to fail."""
        said, failed, ended = io.StringIO(), io.StringIO(), 0
        with contextlib.chdir(self.directory), contextlib.redirect_stdout(said), contextlib.redirect_stderr(failed):
            try:
                ending(lambda: app(self._words(words), prog_name="redhand"))
            except SystemExit as done:
                ended = int(done.code or 0)
        assert ended == status, (words, ended, said.getvalue(), failed.getvalue())
        return said.getvalue() + (failed.getvalue() if status else "")

    def refused(self) -> str:
        """Why the desk is not served."""
        done = subprocess.run(
            self._line(("serve",)), cwd=self.directory, env=_environment(), capture_output=True, text=True, check=False, timeout=DEADLINE
        )
        assert (done.returncode, done.stdout) == (1, ""), done
        return done.stderr

    def init(self) -> dict[str, Any]:
        """The desk, with its first people."""
        made: dict[str, Any] = json.loads(self.run("init", "people.yaml", "--json"))
        return made

    def token(self, login: str) -> str:
        """For a program of somebody's."""
        return self.run("token", "make", "--label", "test", "--as", login).strip()

    @contextmanager
    def serving(self) -> Iterator[Served]:
        """The desk, served by its own processes, ended afterwards."""
        served = Served(self, self._line(("serve",)))
        try:
            yield served
        finally:
            if served.process.poll() is None:
                served.stop()

    def _line(self, words: tuple[object, ...]) -> list[str]:
        return [sys.executable, "-P", "-m", "redhand", *self._words(words)]

    def _words(self, words: tuple[object, ...]) -> list[str]:
        return ["desk", *map(str, words), "--config", str(self.directory / "config.yaml")]


class Served:
    """The processes."""

    def __init__(self, keeper: Keeper, line: list[str]) -> None:
        self.log = keeper.directory / "serve.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                line, cwd=keeper.directory, env=_environment(), stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True
            )
        assert self.process.stdout is not None
        assert "is served at" in self.process.stdout.readline(), self.log.read_text()
        self.http = httpx.Client(base_url=keeper.url, timeout=DEADLINE)

    def child(self, module: str) -> int:
        """The process id of one of the two, once it is there."""
        return wait_for(lambda: self._child(module), f"{module} runs")

    def _child(self, module: str) -> int | None:
        for number in Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split():
            if f"authority.desk.{module}".encode() in Path(f"/proc/{number}/cmdline").read_bytes():
                return int(number)
        return None

    def stop(self) -> int:
        """Asks it to end; its status."""
        self.http.close()
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(DEADLINE)
        self.process.stdout.close()  # type: ignore[union-attr]
        return status


def stamp_of(page: str) -> str:
    """Of a stranger's form."""
    stamped = re.search(r'name="stamp" value="([^"]+)"', page)
    assert stamped, page
    return stamped[1]


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"}
