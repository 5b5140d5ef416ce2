"""The builder as a process that gives way to servers from its first instruction: `python -m blocklists.background`.

Loading what reads lists takes a tenth of a second of processor time; at the priority of a worker, on its core, that would be its slowest answer.
"""

from __future__ import annotations

import os

from blocklists.turns import take_short_turns

NICE = 10
"""Below serving, above what runs only when nothing else does: a build may be an unblocking."""


def main() -> int:
    """As `builder.main`."""
    os.nice(NICE)
    take_short_turns()
    from blocklists import builder  # noqa: PLC0415 - what is loaded here is what must give way

    return builder.main()


if __name__ == "__main__":
    raise SystemExit(main())
