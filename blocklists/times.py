"""Times as people give them to commands."""

from __future__ import annotations

from pydantic import TypeAdapter, ValidationError

from blocklists.directive import Instant
from blocklists.errors import ConfigurationError
from blocklists.names import clip

_INSTANT = TypeAdapter(Instant)


def read_time(text: str, option: str) -> int:
    """Unix seconds of `2026-03-01T09:00:00Z`, or of digits, which are unix seconds. Raises ConfigurationError naming the option."""
    if text.isascii() and text.isdecimal() and len(text) <= 10:
        return int(text)
    try:
        return int(_INSTANT.validate_python(text).timestamp())
    except (ValidationError, ValueError):
        raise ConfigurationError(f"{option}: {clip(text)} is no time; write it such as 2026-03-01T09:00:00Z, or in unix seconds") from None
