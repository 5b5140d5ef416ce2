"""A worker whose seconds last as long as its argument says: what it goes by between two of them is as old as that, and not only up to a second."""

from __future__ import annotations

import sys
import time

from resolver import worker

LENGTH = float(sys.argv[1])


class SlowWorker(worker.Worker):
    """It looks at the time when a long second has turned."""

    looked = 0

    def turn(self) -> float:
        now = time.monotonic()
        if now // LENGTH != self.looked:
            self.looked = int(now // LENGTH)
            return super().turn()
        return now


if __name__ == "__main__":
    worker.Worker = SlowWorker  # type: ignore[misc]
    sys.exit(worker.main())
