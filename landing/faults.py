"""What is said in the log of a fault of ours: its kind and its place. Its message, or what it happened to, may hold a visitor's words."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

_log = logging.getLogger("redhand.landing")


def told(what: str, error: BaseException) -> None:
    """Writes it; `what` went wrong, in words of ours."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else "nowhere"
    _log.error("%s: %s at %s", what, type(error).__name__, where)


def of_the_loop(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """What an event loop does with a fault that nobody took (`loop.set_exception_handler`); its own way would write what was at hand."""
    error = context.get("exception")
    if isinstance(error, BaseException):
        told("something that nobody waited for failed", error)
