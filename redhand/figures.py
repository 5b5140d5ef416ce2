"""What all workers did and do, put together from their boards (resolver.board): counts that never go down, whoever dies.

A slot (`worker-1`) may be served by one process after another, or for a moment by two. What a process counted stays in its slot's sum when it ends.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from resolver import board
from resolver.board import FAMILIES, Series

Found = list[tuple[str, dict[str, str], float]]
"""Name, labels and number, as JSON and the exposition take them."""


@dataclass(slots=True)
class _Board:
    slot: str
    file: int
    series: tuple[Series, ...]
    begun: float = field(default_factory=time.monotonic)


@dataclass(slots=True)
class Figures:
    """The boards of all workers, and what stood on those of the dead."""

    boards: list[_Board] = field(default_factory=list)
    """Oldest first: of a slot's gauges, those of the newest process are shown."""
    ended: dict[str, dict[Series, float]] = field(default_factory=dict)

    def begin(self, slot: str, job: Mapping[str, Any]) -> int:
        """A fresh board for a process that is given this job: its descriptor, which stays ours."""
        series = board.of_job(job)
        file = board.make(series)
        self.boards.append(_Board(slot, file, series))
        self.ended.setdefault(slot, {})
        return file

    def begun(self, slot: str) -> float:
        """When the oldest process that still serves the slot got its board, in monotonic seconds; infinity when none does."""
        return min((each.begun for each in self.boards if each.slot == slot), default=math.inf)

    def end(self, file: int) -> None:
        """The process of this board has ended: its counts are added to its slot's, and the board is let go."""
        for each in [each for each in self.boards if each.file == file]:
            self.boards.remove(each)
            total = self.ended[each.slot]
            for series, number in zip(each.series, board.read(each.file, each.series), strict=True):
                if number and FAMILIES[series.name][0] != "gauge":
                    total[series] = total.get(series, 0.0) + number
            os.close(each.file)

    def of_slots(self) -> dict[str, Found]:
        """Every number by slot, those of the dead included."""
        shown: dict[str, dict[Series, float]] = {slot: dict(total) for slot, total in self.ended.items()}
        for each in self.boards:
            numbers = shown[each.slot]
            for series, number in zip(each.series, board.read(each.file, each.series), strict=True):
                before = 0.0 if FAMILIES[series.name][0] == "gauge" else numbers.get(series, 0.0)
                numbers[series] = before + number
        return {slot: [(series.name, dict(series.labels), number) for series, number in numbers.items()] for slot, numbers in shown.items()}


def total(slots: Mapping[str, Found], name: str, **labels: str) -> float:
    """The sum over all slots and over all series of this name that have these labels."""
    return sum(number for found in slots.values() for each, having, number in found if each == name and labels.items() <= having.items())
