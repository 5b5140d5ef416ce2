"""Shows how far a run is: a bar with rate and time left on a terminal, a line now and then anywhere else."""

from __future__ import annotations

from time import monotonic
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from porosity.probe import Tally

LINE_SECONDS = 10.0
"""Between two lines, where there is no terminal."""


class Shown:
    """What a run did, on the screen while it goes on. Give `see` to the run."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._began = self._said = monotonic()
        self._first = -1
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
            self._task = self._bar.add_task("trials", total=None, came="")

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.stop()

    def see(self, tally: Tally) -> None:
        """Takes what the run did so far."""
        if self._first < 0:
            self._first = tally.done
        if self._bar is not None:
            self._bar.update(self._task, total=tally.total, completed=tally.done, came=_came(tally))
            self._bar.refresh()
        elif monotonic() - self._said >= LINE_SECONDS:
            self._said = monotonic()
            self._console.print(self.line(tally), highlight=False, soft_wrap=True)

    def line(self, tally: Tally) -> str:
        """How far it is, in one line."""
        seconds = monotonic() - self._began
        rate = (tally.done - max(self._first, 0)) / seconds if seconds else 0.0
        left = f", {clock((tally.total - tally.done) / rate)} left" if rate and tally.done < tally.total else ""
        share = tally.done / max(tally.total, 1)
        asked = tally.sent / max(seconds, 1e-9)
        return f"{tally.done:,} of {tally.total:,} trials ({share:.1%}), {asked:,.0f} questions/s{left}; {_came(tally)}"


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
