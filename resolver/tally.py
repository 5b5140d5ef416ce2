"""What was done, in numbers alone, without who asked or for what name: each order and each of the operator's lists carried out, and all else."""

from __future__ import annotations


class Tally:
    """Blocks counted for one reference; ready replies carry it, so that those sent from the packet cache are counted too."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0


NOBODYS = Tally()
"""What replies that are no blocks count on; nobody reads it."""


class Counters:
    """What the engine did, in plain integers."""

    __slots__ = (
        "answered", "blocked", "capped_client", "capped_domain", "capped_total", "failed", "local", "lookups", "malformed", "prefetched",
        "prohibited", "stale", "truncated", "waited",
    )  # fmt: skip

    def __init__(self) -> None:
        self.answered = self.blocked = self.local = self.stale = self.failed = 0
        self.malformed = self.prohibited = self.truncated = 0
        self.lookups = self.prefetched = self.waited = 0
        self.capped_client = self.capped_domain = self.capped_total = 0
