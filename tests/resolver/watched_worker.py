"""A worker that tells, on SIGUSR1, what the cyclic collector would have found: it runs without one, so what is in a cycle stays for ever."""

from __future__ import annotations

import gc
import json
import signal
import sys
from collections import Counter

from resolver.worker import main


def tell(*_: object) -> None:
    gc.set_debug(gc.DEBUG_SAVEALL)
    gc.collect()
    found = Counter(type(each).__qualname__ for each in gc.garbage)
    gc.garbage.clear()
    gc.set_debug(0)
    print(f"CYCLES {json.dumps(found)}", file=sys.stderr, flush=True)


signal.signal(signal.SIGUSR1, tell)
sys.exit(main())
