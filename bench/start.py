"""Where a start's time goes: `python -m bench.start`. Prints a table for the record beside the row of one million names.

The whole start first: from before the command's process is made until names from all over a built list of 1,000 are blocked; on one core, where the
supervisor and the worker load in turn, as in the comparison, and on all, where they load at the same time. Then each program alone, from before its
creation to its end, median of a few; and what the two import, by their own account (`python -X importtime`), largest first. The index of a million
names adds what the row of one million names says; it explains a figure and is none: nothing here has a target.
"""

from __future__ import annotations

import re
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from bench import data, machine
from bench.machine import SERVER_CORE
from bench.servers import RED_HAND, prepare

TIMES = 9
LARGEST = 8
SUPERVISOR = "import gc, os; gc.disable(); os.environ['PYDANTIC_DISABLE_PLUGINS'] = '__all__'; import redhand.serving"
"""As `redhand.__main__` does it."""
WORKER = "import gc; gc.set_threshold(50_000); import resolver.worker"
"""As `redhand/lifeline.py` does it."""
SUFFIXES = f"{WORKER}; resolver.worker.suffixes.load()"
PROGRAMS = {
    "an interpreter that does nothing": "pass",
    "what every process loads": "import asyncio, json, logging",
    "all the supervisor loads": SUPERVISOR,
    "all a worker loads": WORKER,
    "that, and the public-suffix data": SUFFIXES,
}


def starts(core: int | None) -> float:
    """Median time of a whole start with a built list. Raises BenchError when it does not come to serve."""
    with tempfile.TemporaryDirectory() as folder:
        names = data.listed_names(data.SMALL)
        listed = Path(folder) / "list"
        data.write_lines(listed, RED_HAND.form(names, 1))
        server = prepare(RED_HAND, Path(folder), machine.free_port(), listed, core=core)  # no upstream: nothing but listed names is asked for
        taken = []
        for _ in range(TIMES):
            try:
                server.launch(names)
                taken.append(server.ready_seconds)
            finally:
                server.stop()
        return median(taken)


def seconds(code: str) -> float:
    """Median time of an interpreter that runs this."""
    taken = []
    for _ in range(TIMES):
        began = time.monotonic()
        machine.output([sys.executable, "-c", code], core=SERVER_CORE, must_succeed=True)
        taken.append(time.monotonic() - began)
    return median(taken)


def imported(code: str) -> list[tuple[str, float]]:
    """The modules whose import takes longest, with all they import, in seconds; ours and those that are not part of another one named."""
    said = machine.output([sys.executable, "-X", "importtime", "-c", code], core=SERVER_CORE, must_succeed=True)
    found = re.findall(r"import time:\s+\d+ \|\s+(\d+) \| ( *)(\S+)", said)
    return sorted(((name, int(total) / 1e6) for total, _depth, name in found), key=lambda pair: -pair[1])[:LARGEST]


def main() -> None:
    """Prints it."""
    print("| process | seconds |\n|---|---|")
    for words, core in (("`redhand resolver` on one core, to the first answers", SERVER_CORE), ("`redhand resolver` on all cores", None)):
        print(f"| {words} | {starts(core):.3f} |")
    for words, code in PROGRAMS.items():
        print(f"| {words} | {seconds(code):.3f} |")
    for code in (SUPERVISOR, WORKER):
        parts = ", ".join(f"{name} {took:.3f} s" for name, took in imported(code))
        print(f"\n`{code}`, each with all it imports: {parts}")


if __name__ == "__main__":
    main()
