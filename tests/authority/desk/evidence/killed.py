"""Adds evidence until it is killed, and says of each what was acknowledged: `python -m tests.authority.desk.evidence.killed DIR [coming|put|row]`.

It kills itself at the third object: while its octets come; once it is in the store, before its row is; or once that is committed, unacknowledged.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

from authority.desk.evidence import keeping
from tests.authority.desk.evidence.house import NOW, ONE, house, sha256


def ending() -> Iterator[bytes]:
    """Content in the midst of which all ends."""
    yield bytes(1 << 20)
    os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    home = house(Path(sys.argv[1]), people=False)
    when = sys.argv[2] if len(sys.argv) > 2 else ""
    put = home.desk.vault.objects.put

    def last(address: str, path: Path) -> None:
        put(address, path)
        if number == 3:
            os.kill(os.getpid(), signal.SIGKILL)

    if when == "put":
        home.desk.vault.objects.put = last  # type: ignore[method-assign]
    for number in range(1, 100_000):
        if when == "coming" and number == 3:
            keeping.add(home.desk, home.clerk, ONE, ending(), "label", "text/html", "why", NOW)
        octets = os.urandom(20_000 * (number % 9 + 1))
        kept = home.add(octets)
        if when == "row" and number == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        print(kept.id, sha256(octets), flush=True)


if __name__ == "__main__":
    main()
