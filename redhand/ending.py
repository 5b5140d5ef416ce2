"""How the program ends when something is refused or cannot be written: one message on standard error, no traceback, an exit code."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable

from blocklists.errors import ConfigurationError, RedHandError


def ending(work: Callable[[], object]) -> None:
    """Do the work. Where it was refused on purpose (RedHandError), exit with code 2 when the settings are wrong, 1 otherwise."""
    try:
        work()
    except RedHandError as error:
        _say_last(str(error))
        sys.exit(2 if isinstance(error, ConfigurationError) else 1)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EIO) or error.filename is not None:
            raise
        _say_last(f"what was to be printed could not be written ({error.strerror})")
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is still to be written would be another such error
        sys.exit(1)


def _say_last(words: str) -> None:
    from blocklists import logs  # noqa: PLC0415 - only who says something needs it

    if logs.as_json():
        logs.say_last(words)
    else:
        print(f"redhand: {words}", file=sys.stderr)
