"""What a room's commands are given: the settings they need, from the configuration that the front door loads."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from blocklists import cli as blocklists_cli
from blocklists import store
from blocklists.agreed import Timekeeper
from blocklists.check import check
from blocklists.names import listed
from redhand import privileges
from redhand.assembly import build_job
from redhand.config import Configuration, load

# A program of our own of the room's commands: the room's stays as it is for who uses it otherwise.
blocklist = typer.Typer(name="blocklist", no_args_is_help=True, add_completion=False)
blocklist.registered_commands += blocklists_cli.app.registered_commands


class ConfigAnywhere(TyperGroup):
    """Takes --config also after the name of a room's command, as the front door's own commands do."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """The arguments left for the command, once --config was taken from among them."""
        end = args.index("--") if "--" in args else len(args)
        moved: list[str] = []
        rest: list[str] = []
        given = iter(args[:end])
        for argument in given:
            if argument in ("--config", "-c"):
                moved += [argument, *([value] if (value := next(given, None)) is not None else [])]
            else:
                (moved if argument.startswith("--config=") else rest).append(argument)
        return super().parse_args(ctx, moved + rest + args[end:])


@blocklist.callback(cls=ConfigAnywhere, epilog="Example: redhand blocklist versions --json")
def blocklist_settings(
    ctx: typer.Context,
    config: Annotated[
        Path | None, typer.Option("--config", "-c", metavar="FILE", help="Settings file, as for every command.", show_default=False)
    ] = None,
) -> None:
    """Versions of the block list: what they are, what changed, going back."""
    configuration = load(config or ctx.find_root().obj, os.environ)
    privileges.step_down(configuration)
    job = build_job(configuration, Timekeeper(configuration.settings.state_dir))
    ctx.obj = blocklists_cli.Context(job.settings, job.state_dir, job.base_dir, job.own_names)


def check_name(configuration: Configuration, name: str, as_json: bool) -> None:
    """Print what the version in force says of the name.

    Raises StoreError when there is no version, and BadName also for what is legal in the DNS but never what was meant, such as the address of a page:
    "not blocked" would be taken for an answer about the site.
    """
    listed(name)
    report = check(store.open_current(configuration.settings.state_dir), name, Timekeeper(configuration.settings.state_dir).now())
    typer.echo(json.dumps(report.to_json(), indent=1) if as_json else report.to_text())
