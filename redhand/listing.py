"""What is wrong with the block list, as alarms, from what the builder said of its last run. Pure.

disk list        the disk refused the new version
list not built   it was not built for another reason
list damaged     what was on disk, or a pin, was not sound
source ID        that source was refused whole
"""

from __future__ import annotations

from typing import Any

from blocklists.errors import REBUILD

DAMAGED = "list damaged"


def alarms_of(result: dict[str, Any] | None, failed: str) -> dict[str, tuple[str, str]]:
    """What is wrong and what to do about it, by the alarm's name. `result` is the builder's last message, `failed` why it is none, if it is none."""
    if failed:
        if result is not None and "disk" in result:
            what, remedy = result["disk"]
            return {"disk list": (what, remedy)}
        busy = bool((result or {}).get("busy"))
        return {} if busy else {"list not built": (failed, "see the lines before it in the log; it is tried again by itself")}
    assert result is not None  # noqa: S101 - what did not fail has a result
    found = {}
    other = list(result["alarms"])
    for refused in result.get("refused", ()):
        said = next((text for text in other if text.startswith(f"source {refused['source']} ")), refused["reason"])
        found[f"source {refused['source']}"] = (said, "mend the file, or its permissions; it is read again as soon as it changes")
        other = [text for text in other if text != said]
    if other:
        found[DAMAGED] = ("; ".join(other), f"if it does not end by itself, {REBUILD}")
    return found
