"""What a room's commands are given: the settings they need, from the configuration that the front door loads."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Annotated

import typer

from blocklists import cli as blocklists_cli
from blocklists import store
from blocklists.check import check
from redhand.assembly import build_job
from redhand.config import Configuration, load

blocklist = blocklists_cli.app


@blocklist.callback(epilog="Example: redhand blocklist versions --json")
def blocklist_settings(
    ctx: typer.Context,
    config: Annotated[
        Path | None, typer.Option("--config", "-c", metavar="FILE", help="Settings file, as for every command.", show_default=False)
    ] = None,
) -> None:
    """Versions of the block list: what they are, what changed, going back."""
    job = build_job(load(config or ctx.find_root().obj, os.environ))
    ctx.obj = blocklists_cli.Context(job.settings, job.state_dir, job.base_dir, job.own_names)


def check_name(configuration: Configuration, name: str, as_json: bool) -> None:
    """Print what the version in force says of the name. Raises BadName, or StoreError when there is no version."""
    report = check(store.open_current(configuration.settings.state_dir), name, int(time.time()))
    typer.echo(json.dumps(report.to_json(), indent=1) if as_json else report.to_text())
