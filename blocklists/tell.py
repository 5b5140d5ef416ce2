"""What a child process tells its supervisor while it serves: one JSON object a line on standard output, never waiting for anybody.

A supervisor that does not read must not stop a process that answers: what does not fit into the pipe is dropped, and the caller is told so.
"""

from __future__ import annotations

import json
import os
from typing import Any

MOST_OCTETS = 4096
"""PIPE_BUF on Linux: what is not longer is written whole or not at all (pipe(7))."""
_STDOUT = 1


def tell(message: dict[str, Any]) -> bool:
    """Whether the message went out. Raises ValueError when it is longer than 4,096 octets: the caller's to part."""
    line = json.dumps(message, separators=(",", ":")).encode() + b"\n"
    if len(line) > MOST_OCTETS:
        raise ValueError(f"a message of {len(line)} octets cannot be told in one piece of at most {MOST_OCTETS}")
    os.set_blocking(_STDOUT, False)
    try:
        os.write(_STDOUT, line)
    except OSError:
        return False
    return True
