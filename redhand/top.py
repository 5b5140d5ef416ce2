"""`redhand top`: what happens now, once a second, in the terminal. It asks the supervisor and shows; it changes nothing and keeps nothing."""

from __future__ import annotations

import contextlib
import select
import sys
import termios
import time
import tty
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from blocklists.errors import RedHandError
from redhand import measures
from redhand.alarms import merged
from redhand.figures import total
from redhand.screen import ago, blocked

REFRESH_SECONDS = 1.0
HISTORY = 60
"""Looks whose queries a second are drawn."""
SHOWN_ORDERS = 5
_BARS = " ▁▂▃▄▅▆▇█"

Report = dict[str, Any]


class Ask(Protocol):
    """Gives the running supervisor's report; raises RedHandError when there is none."""

    def __call__(self) -> Report: ...


class Frame:
    """Draws one look after another. Rates are between a look and the one before."""

    def __init__(self) -> None:
        self._before: Report | None = None
        self._rates: deque[float] = deque(maxlen=HISTORY)

    def draw(self, report: Report) -> RenderableType:
        """The whole picture; without an earlier look, rates are since the start."""
        before = self._before if self._before and self._before["pid"] == report["pid"] else None
        seconds = max(0.001, report["at"] - (before["at"] if before else report["started"]))
        now = measures.sums(report["figures"])
        lately = now.since(measures.sums(before["figures"])) if before else now
        self._before = report
        if before:
            self._rates.append(lately.queries / seconds)
        parts = [_head(report), self._numbers(lately, seconds), _alarms(merged(report["alarms"]), report["at"])]
        parts += [_upstreams(report["figures"], before["figures"] if before else {}, seconds)]
        parts += [_workers(report, before["figures"] if before else {}, seconds), _orders(report["orders"])]
        return Group(*(part for part in parts if part is not None))

    def _numbers(self, lately: measures.Sums, seconds: float) -> RenderableType:
        table = Table.grid(expand=True, padding=(0, 2))
        shown = (
            ("queries/s", f"{lately.queries / seconds:,.0f}", "bold"),
            ("from cache", measures.share(lately.hits), "bold green"),
            ("blocks/s", f"{lately.blocked / seconds:,.1f}", "bold red"),
            ("p50", measures.duration(lately.quantile(0.5)), "bold"),
            ("p99", measures.duration(lately.quantile(0.99)), "bold"),
            ("dropped/s", f"{lately.dropped / seconds:,.0f}", "bold"),
        )
        for _ in shown:
            table.add_column(justify="center")
        table.add_row(*(Text(number, style) for _, number, style in shown))
        table.add_row(*(Text(name, "dim") for name, _, _ in shown))
        return Panel(Group(table, _line_of(self._rates)), border_style="dim", title="now", title_align="left")


def _line_of(rates: Sequence[float]) -> Text:
    """Queries a second as a line of bars, the newest at the right."""
    most = max(rates, default=0) or 1
    return Text("".join(_BARS[round(rate / most * (len(_BARS) - 1))] for rate in rates), "cyan", justify="right", no_wrap=True)


def _head(report: Report) -> Text:
    head = Text.assemble(
        ("Red Hand", "bold red"), f" {report['version']}  ", (report["state"], "green" if report["state"] == "serving" else "yellow")
    )
    head.append(f"  since {ago(report['at'] - report['started'])}  ·  {blocked(report['list'])}  ·  {'  '.join(report['dns'])}")
    return head


def _alarms(alarms: Sequence[Mapping[str, Any]], now: float) -> RenderableType | None:
    if not alarms:
        return None
    lines: list[RenderableType] = []
    for alarm in alarms:
        lines.append(Text.assemble((alarm["name"], "bold red"), f"  {ago(now - alarm['since'])}, {alarm['source']}: {alarm['what']}"))
        lines.append(Padding(Text(alarm["remedy"], "dim"), (0, 0, 0, 2)))
    return Panel(Group(*lines), border_style="red", title=f"alarms: {len(alarms)}", title_align="left")


def _table(*columns: str) -> Table:
    table = Table(expand=True, box=None, header_style="dim", pad_edge=False)
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number == 0 else "right", no_wrap=True)
    return table


def _upstreams(figures: measures.Figures, before: measures.Figures, seconds: float) -> RenderableType | None:
    table = _table("upstream", "round trip", "asked/s", "lost", "state")
    earlier = {upstream.address: upstream.sent for upstream in measures.upstreams(before)}
    for each in measures.upstreams(figures):
        if each.away:
            state = Text("away", "bold red")
        elif each.round_trip:
            state = Text("answers", "green")
        else:
            state = Text("silent", "yellow") if each.sent else Text("not asked yet", "dim")
        rate = max(0.0, each.sent - earlier.get(each.address, 0)) / seconds
        table.add_row(each.address, measures.duration(each.round_trip or None), f"{rate:,.0f}", measures.share(each.lost), state)
    return Panel(table, border_style="dim") if table.row_count else None


def _workers(report: Report, before: measures.Figures, seconds: float) -> RenderableType:
    table = _table("process", "queries/s", "p99", "in flight", "memory", "list", "restarts", "state")
    for child in report["children"]:
        name = child["name"]
        found = report["figures"].get(name)
        cells = ["", "", "", ""]
        serial = ""
        if found is not None:
            own = {name: found}
            lately = measures.sums(own).since(measures.sums({name: before.get(name, [])}))
            in_flight, version = (total(own, each) for each in ("lookups_in_flight", "list_serial"))
            cells = [f"{lately.queries / seconds:,.0f}", measures.duration(lately.quantile(0.99)), f"{in_flight:,.0f}", ""]
            serial = f"{version:.0f}" if version else ""
        memory = report["memory"].get(name)
        cells[3] = f"{memory / 2**20:,.0f} MiB" if memory else ""
        state = Text(child["state"], "green" if child["state"] == "ready" else "bold red")
        table.add_row(name, *cells, serial, str(child["restarts"] or ""), state)
    if standby := report.get("standby"):
        table.add_row("standby", *[""] * 6, Text(standby["state"], "dim"))
    return Panel(table, border_style="dim")


def _orders(orders: Mapping[str, int]) -> RenderableType | None:
    most = list(measures.most_blocking(orders, SHOWN_ORDERS))
    if not most:
        return None
    table = _table("order or list", "blocks")
    for reference, count in most:
        table.add_row(reference, f"{count:,}")
    return Panel(table, border_style="dim")


def once(ask: Ask, console: Console) -> None:
    """Prints one frame: what happened in one second."""
    frame = Frame()
    frame.draw(ask())
    time.sleep(REFRESH_SECONDS)
    console.print(frame.draw(ask()))


def live(ask: Ask, console: Console) -> None:
    """Shows frame after frame until q or Ctrl-C. While the supervisor does not answer it says so, and goes on when it does."""
    frame = Frame()
    first = frame.draw(ask())
    drawn = Live(first, console=console, screen=True, auto_refresh=False, vertical_overflow="crop")
    with contextlib.suppress(KeyboardInterrupt), _keys() as pressed, drawn:
        while not pressed(REFRESH_SECONDS):
            try:
                shown = frame.draw(ask())
            except RedHandError as error:
                shown = Panel(Text(str(error), "bold red"), border_style="red")
            drawn.update(Group(shown, Text("q ends", "dim")), refresh=True)


def _no_key(seconds: float) -> bool:
    time.sleep(seconds)
    return False


@contextlib.contextmanager
def _keys() -> Iterator[Callable[[float], bool]]:
    """Says whether q was pressed, waiting for it for some seconds; the terminal neither echoes keys nor waits for a whole line meanwhile."""
    if not sys.stdin.isatty():
        yield _no_key
        return
    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)

    def pressed(seconds: float) -> bool:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if select.select([terminal], [], [], left)[0] and sys.stdin.read(1) in ("q", "Q", ""):
                return True
        return False

    try:
        tty.setcbreak(terminal)
        yield pressed
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)
