"""How often each order, or each of the operator's lists, was carried out: numbers alone, without who asked or for what name."""

from __future__ import annotations


class Tally:
    """Blocks counted for one reference; ready replies carry it, so that those sent from the packet cache are counted too."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0


NOBODYS = Tally()
"""What replies that are no blocks count on; nobody reads it."""
