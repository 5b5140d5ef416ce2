"""A worker whose monotonic seconds turn so long (its argument, in seconds) after those of the wall clock, wherever the real ones do."""

from __future__ import annotations

import sys
import time

_real = time.monotonic
_ahead = (time.time() - _real() - float(sys.argv[1])) % 1.0
time.monotonic = lambda: _real() + _ahead

if __name__ == "__main__":
    from resolver.worker import main  # once the clock is shifted: modules take it by name

    sys.exit(main())
