"""Makes one proof as a process of its own, for `landing.proofs`: `python -m landing.prover STATE_DIR NAME`, the proof file on standard output.

It takes the processor only when nobody else wants it, and decides what may be shown by what stands in the proof itself, whatever the page says.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from blocklists import names, suffixes
from blocklists.errors import FeedError, RedHandError
from blocklists.log import entry as entries
from blocklists.proving import prove
from landing.proofs import NONE, WITHHELD

SECONDS = 120
"""Of processor time."""


def may_be_shown(found: Iterable[bytes], name: str, now: float) -> bool:
    """Whether entries that bear on a name may be shown to anybody at `now` (unix seconds): no law keeps one back, none names others' sites."""
    whose = suffixes.registrable(names.key(names.parse(name)))
    try:
        for order in _orders(found):
            kept = order.get("nondisclosure")
            if kept is not None and datetime.fromisoformat(kept["until"]).timestamp() > now:
                return False
            if any(suffixes.registrable(names.key(names.parse(target["fqdn"]))) != whose for target in order.get("targets", ())):
                return False
    except (RedHandError, ValueError, KeyError, TypeError, AttributeError):
        return False  # the log may hold what is no order, and was skipped for that
    return True


def _orders(found: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    for data in found:
        envelope = entries.read(data).envelope
        if envelope is not None:
            yield json.loads(envelope.payload)


def main() -> int:
    """Makes the proof that the arguments name; the exit code."""
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    state_dir, name = Path(sys.argv[1]), sys.argv[2]
    try:
        made = prove(state_dir, name, full=False)
    except FeedError:
        return NONE
    if not may_be_shown((each.entry for each in made.entries), name, time.time()):
        return WITHHELD
    sys.stdout.buffer.write(made.encode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
