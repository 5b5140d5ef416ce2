"""Where a start's time goes: `python -m bench.start`. Prints a table for the record beside the row of one million names.

Whole processes, from before their creation to their end, median of a few; then what the two programs import, by their own account
(`python -X importtime`), largest first. It explains a figure and is none: nothing here has a target.
"""

from __future__ import annotations

import re
import sys
import time
from statistics import median

from bench import machine
from bench.machine import SERVER_CORE

TIMES = 7
LARGEST = 8
PROGRAMS = {
    "an interpreter that does nothing": "pass",
    "the command line": "import redhand.cli",
    "all the supervisor loads": "import redhand.cli; from redhand import assembly, supervisor",
    "all a worker loads": "import resolver.worker",
}


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
    for words, code in PROGRAMS.items():
        print(f"| {words} (`{code}`) | {seconds(code):.3f} |")
    for code in list(PROGRAMS.values())[2:]:
        parts = ", ".join(f"{name} {took:.3f} s" for name, took in imported(code))
        print(f"\n`{code}`, each with all it imports: {parts}")


if __name__ == "__main__":
    main()
