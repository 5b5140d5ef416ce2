"""A piece of machine for a test of rights: a network of its own, where port 53 is free, and a file system in which any user can read our code.

Made with unshare(1), so only root can. What runs there is the test's own Red Hand; it ends with the test.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from porosity.lab.places import end
from porosity.lab.spaces import PROGRAMS, Machine
from tests.tools import DEADLINE, require, require_root, wait_for

ROOT = Path(__file__).resolve().parents[2]
ENTRY = (sys.executable, "-P", "-m", "redhand")
NOBODY = 65534


def _opened() -> list[str]:
    """Shell commands after which every user can read our code and the Python that runs it, wherever they stand (such as under /root)."""
    needed = {Path(each).resolve() for each in (ROOT, sys.prefix, sys.base_prefix)}
    closed: dict[Path, list[Path]] = {}
    for path in needed:
        above = next((each for each in reversed(path.parents) if not each.stat().st_mode & 0o001), None)
        if above is not None:
            closed.setdefault(above, []).append(path)
    lines = []
    for above, paths in closed.items():
        lines += ["held=$(mktemp -d)", f"mount --rbind {shlex.quote(str(above))} $held", f"mount -t tmpfs -o mode=755 none {shlex.quote(str(above))}"]
        for path in paths:
            lines += [
                f"mkdir -p {shlex.quote(str(path))}",
                f"mount --rbind $held/{shlex.quote(str(path.relative_to(above)))} {shlex.quote(str(path))}",
            ]
    return lines


class Apart:
    """The piece of machine, and one Red Hand's directory in it."""

    def __init__(self) -> None:
        require_root()
        for program in PROGRAMS:
            require(program)
        self.directory = Path(tempfile.mkdtemp(prefix="redhand-rights-"))
        self.directory.chmod(0o755)
        self.state_dir = self.directory / "state"
        self.log = self.directory / "log"
        self.processes: list[subprocess.Popen[bytes]] = []
        # Its programs are run among the processes of this machine, whose /proc stands beneath its own.
        self.machine = Machine("apart", more=["umount /proc", *_opened()]).ready()
        self.settings(user="")

    def settings(self, **more: Any) -> None:
        """Writes the settings: port 53 and port 80, two workers, a list of one name, an upstream that is not there."""
        (self.directory / "house.txt").write_text("listed.example\n")
        found = {
            "state_dir": str(self.state_dir),
            "resolver": {"listen": ["127.0.0.1:53"], "workers": 2, "upstreams": [{"address": "127.0.0.1:5398"}], "cache_mb": 16},
            "landing": {"listen": ["127.0.0.1:80"]},
            "blocklists": {"sources": [{"id": "house", "path": "house.txt", "format": "domains", "mode": "nxdomain"}]},
            **more,
        }
        (self.directory / "config.yaml").write_text(json.dumps(found))

    def inside(self, *command: str) -> list[str]:
        """The command, to be run in there: among this machine's processes, so that a test can look at them and send them signals."""
        return ["nsenter", "-t", str(self.machine.pid), "--mount", "--net", *command]

    def socket(self, kind: socket.SocketKind, port: int = 0, shared: bool = False) -> socket.socket:
        """A socket of the network in there, bound to 127.0.0.1 (and listening, if it is a TCP one): a descriptor keeps the network it was made in."""
        ours, theirs = socket.socketpair()
        with ours, theirs:
            program = textwrap.dedent(f"""
                import socket
                made = socket.socket(socket.AF_INET, {int(kind)})
                made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, {int(shared)})
                made.bind(("127.0.0.1", {port}))
                {"made.listen()" if kind == socket.SOCK_STREAM else ""}
                socket.send_fds(socket.socket(fileno={theirs.fileno()}), [b"x"], [made.fileno()])
            """)
            subprocess.run(self.inside(sys.executable, "-I", "-S", "-c", program), check=True, pass_fds=(theirs.fileno(),), timeout=DEADLINE)
            _, descriptors, _, _ = socket.recv_fds(ours, 1, 1)
        return socket.socket(fileno=descriptors[0])

    def start(self, *before: str, command: str = "run", environ: Mapping[str, str] | None = None, **options: Any) -> subprocess.Popen[bytes]:
        """Red Hand, begun by `before` (such as setpriv and its options)."""
        everything = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1", **(environ or {})}
        arguments = self.inside(*before, *ENTRY, command, "--config", str(self.directory / "config.yaml"))
        with self.log.open("ab") as log:
            process = subprocess.Popen(arguments, stdout=log, stderr=log, env=everything, cwd=self.directory, **options)
        self.processes.append(process)
        return process

    def serving(self, process: subprocess.Popen[bytes], times: int = 1) -> dict[str, psutil.Process]:
        """Its processes, by name, once the first screen was printed (for the nth time)."""
        wait_for(lambda: process.poll() is not None or self.said().count("Ctrl-C stops it.") >= times, "the first screen")
        assert process.poll() is None, self.said()
        report = json.loads((self.state_dir / "run" / "status.json").read_text())
        children = {each["name"]: psutil.Process(each["pid"]) for each in report["children"] if each["pid"]}
        return {"supervisor": psutil.Process(process.pid), **children}

    def ends(self, process: subprocess.Popen[bytes]) -> str:
        """What it said, once it has ended with an error."""
        wait_for(lambda: process.poll() is not None, "the end")
        assert process.returncode in (1, 2), self.said()
        return self.said()

    def said(self) -> str:
        """All that any of them logged."""
        return self.log.read_text() if self.log.exists() else ""

    def dig(self, name: str) -> str:
        """The status of the answer, such as NXDOMAIN."""
        found = subprocess.run(
            self.inside(require("dig"), "@127.0.0.1", name, "+time=5", "+tries=1"), capture_output=True, text=True, check=False, timeout=20
        ).stdout
        return found.partition("status: ")[2].partition(",")[0]

    def close(self) -> None:
        """Ends all of it."""
        for process in self.processes:
            with suppress(ProcessLookupError):
                process.terminate()
        for process in self.processes:
            end(process)
        self.machine.close()
        shutil.rmtree(self.directory)


@contextmanager
def apart() -> Iterator[Apart]:
    """A piece of machine for one test."""
    made = Apart()
    try:
        yield made
    finally:
        made.close()


def rights(process: psutil.Process) -> dict[str, int]:
    """What the kernel says a process may: each set of capabilities, and whether it can gain any."""
    lines = dict(line.split(":", 1) for line in Path(f"/proc/{process.pid}/status").read_text().splitlines())
    return {key: int(lines[key], 16) for key in ("CapInh", "CapPrm", "CapEff", "CapAmb", "NoNewPrivs")}


NONE = {"CapInh": 0, "CapPrm": 0, "CapEff": 0, "CapAmb": 0, "NoNewPrivs": 1}
"""The rights of a process that has given up all it can."""
