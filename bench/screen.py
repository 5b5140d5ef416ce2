"""A screen that nobody sees, for a browser on a machine of its own, and the fingers that type at what is shown there (Xvfb, xdotool)."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from bench.machine import BenchError, find_program
from porosity.lab.spaces import Machine, end

SIZE = "1000x800x24"


class Screen:
    """One screen; `environment` is what a browser needs to find it, with `directory` as its home."""

    def __init__(self, machine: Machine, directory: Path, *programs: str) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        if missing := [program for program in ("Xvfb", "xdotool", *programs) if find_program(program) is None]:
            raise BenchError(f"{', '.join(missing)}: not installed; on Debian these are in the packages xvfb, xdotool, {', '.join(programs)}")
        self._machine = machine
        ours, theirs = os.pipe()
        with open(ours, "rb") as said:
            os.set_inheritable(theirs, True)
            words = ("Xvfb", "-displayfd", str(theirs), "-screen", "0", SIZE, "-nolisten", "tcp", "-nolisten", "unix", "-noreset")
            self._process = machine.start(*words, pass_fds=(theirs,))
            os.close(theirs)
            display = said.readline().decode().strip()  # said once it can be drawn on
        self.environment = {**os.environ, "HOME": str(directory), "DISPLAY": f":{display}", "LANGUAGE": "en", "LC_ALL": "C.UTF-8"}

    def keys(self, *words: str) -> str:
        """What a visitor's fingers do, or eyes see: a command of xdotool, and what it prints."""
        done = subprocess.run(self._machine.command("xdotool", *words), env=self.environment, capture_output=True, text=True, timeout=20, check=False)
        if done.returncode:
            raise BenchError(f"xdotool {words[0]} ended with status {done.returncode}: {done.stderr.strip()}")
        return done.stdout

    def type_address(self, text: str) -> None:
        """Types into the address bar of the browser in front; Return is still to come."""
        # The bar needs a moment to take what is typed.
        self.keys("key", "--clearmodifiers", "ctrl+l", "sleep", "0.5", "type", "--delay", "15", text)

    def close(self) -> None:
        """Ends it."""
        end(self._process)
