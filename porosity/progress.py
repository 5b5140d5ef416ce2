"""Shows how far a run is: a bar with rate and time left on a terminal, a line now and then anywhere else."""

from __future__ import annotations

from collections.abc import Mapping
from time import monotonic
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, Task, TaskID, TextColumn, TimeRemainingColumn
from rich.text import Text

from porosity.probe import Tally

LINE_SECONDS = 10.0
"""Between two lines, where there is no terminal."""


class Shown:
    """What a run did, on the screen while it goes on. Give `see` to the run, or `see_many` to one of many vantages."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._began = self._said = monotonic()
        self._first: dict[str, int] = {}
        """What was on record before this run."""
        self._tasks: dict[str, TaskID] = {}
        self._bar: Progress | None = None
        if console.is_terminal:
            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                _Rate(),
                TimeRemainingColumn(),
                TextColumn("{task.fields[came]}"),
            )
            self._bar = Progress(*columns, console=console, auto_refresh=False, speed_estimate_period=20)

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.stop()

    def see(self, tally: Tally) -> None:
        """Takes what the run did so far."""
        self.see_many({"": tally})

    def see_many(self, tallies: Mapping[str, Tally]) -> None:
        """The same of each vantage, by its label."""
        for label, tally in tallies.items():
            self._first.setdefault(label, tally.done)
            if self._bar is not None:
                if label not in self._tasks:
                    self._tasks[label] = self._bar.add_task(escape(label) or "trials", total=None, came="")
                self._bar.update(self._tasks[label], total=tally.total, completed=tally.done, came=_came(tally))
        if self._bar is not None:
            self._bar.refresh()
        elif monotonic() - self._said >= LINE_SECONDS:
            self._said = monotonic()
            for label, tally in tallies.items():
                self._console.print(self.line(tally, label), highlight=False, markup=False, soft_wrap=True)

    def line(self, tally: Tally, label: str = "") -> str:
        """How far it is, in one line. `label`: of which vantage, if there are several."""
        seconds = monotonic() - self._began
        rate = (tally.done - self._first.get(label, 0)) / seconds if seconds else 0.0
        left = f", {clock((tally.total - tally.done) / rate)} left" if rate and tally.done < tally.total else ""
        share = tally.done / max(tally.total, 1)
        asked = tally.sent / max(seconds, 1e-9)
        whose = f"{label}: " if label else ""
        return f"{whose}{tally.done:,} of {tally.total:,} trials ({share:.1%}), {asked:,.0f} questions/s{left}; {_came(tally)}"


class _Rate(TextColumn):
    def __init__(self) -> None:
        super().__init__("")

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:,.0f}/s" if task.speed else "", style="progress.data.speed")


def _came(tally: Tally) -> str:
    failures = ", ".join(f"{count:,} {failure}" for failure, count in tally.failures.most_common(3))
    return f"{tally.answered:,} answered" + (f", {failures}" if failures else "")


def clock(seconds: float) -> str:
    """Seconds as h:mm:ss."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"
