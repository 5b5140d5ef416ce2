"""`redhand watch`: a feed looked at from elsewhere, alarms as lines of JSON."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from blocklists.errors import ConfigurationError
from blocklists.settings import FeedSettings
from blocklists.watcher import Alarm, Watcher, read_expected

watch_app = typer.Typer(add_completion=False)


@watch_app.command("watch", epilog="Example: redhand watch --url https://feed.authority.example/ --root root.json --token-file token --once")
def watch(
    url: Annotated[list[str], typer.Option("--url", metavar="URL", help="A feed's address; several are compared.", show_default=False)],
    root: Annotated[Path, typer.Option("--root", metavar="FILE", help="The authority's root file.", show_default=False)],
    token_file: Annotated[Path | None, typer.Option("--token-file", metavar="FILE", help="The token that lets us read orders.")] = None,
    state: Annotated[Path, typer.Option("--state", metavar="DIR", help="What was verified so far, and evidence.")] = Path("redhand-watch"),
    expect: Annotated[Path | None, typer.Option("--expect", metavar="FILE", help="Signed orders, an envelope a line: they must be logged.")] = None,
    within: Annotated[int, typer.Option("--within", metavar="SECONDS", min=0, help="How soon, from when --expect first had it.")] = 3600,
    once: Annotated[bool, typer.Option("--once", help="Look once; exit code 1 if anything is wrong.")] = False,
) -> None:
    """Look at a feed as an operator does, verify all of it, and say what is wrong.

    Says when an order that was signed is missing, when two addresses give two histories (both signed checkpoints are kept), when a log does not go on
    from the one before, when the feed is away or not fresh. A line of JSON when an alarm begins and one when it is over. It puts nothing in force.
    """
    try:
        settings = FeedSettings(urls=tuple(url), root=str(root), token_file=str(token_file or ""))
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        raise ConfigurationError(f"--url: {fault['msg'].removeprefix('Value error, ')}") from None
    watcher = Watcher(state, settings, within)
    on: dict[tuple[str, str], Alarm] = {}
    while True:
        expected = read_expected(expect) if expect is not None else []
        found = {(alarm.name, alarm.about): alarm for alarm in watcher.look(int(time.time()), expected)}
        for key, alarm in found.items():
            if on.get(key) != alarm:
                _say({"at": int(time.time()), "alarm": alarm.name, **alarm._asdict()})
        for key, alarm in on.items():
            if key not in found:
                _say({"at": int(time.time()), "over": alarm.name, "about": alarm.about})
        on = found
        if once:
            raise typer.Exit(1 if found else os.EX_OK)
        time.sleep(settings.poll_seconds)


def _say(line: dict[str, object]) -> None:
    line.pop("name", None)
    print(json.dumps(line), flush=True)
