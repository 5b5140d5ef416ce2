"""How our processes log: lines on standard error, each with its time in UTC, its level and its room."""

from __future__ import annotations

import logging
import sys
import time


def to_stderr() -> None:
    """To be called once, by a process's `main`."""
    formatter = logging.Formatter("%(asctime)s %(name)s: %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%SZ")
    formatter.converter = time.gmtime
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    logging.basicConfig(level=logging.INFO, handlers=[handler])
