"""The commands of the desk, given the section `desk` of the configuration that the front door loads."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from authority.desk import cli
from authority.desk.commands.context import Setting
from redhand import privileges
from redhand.cli import load
from redhand.rooms import ConfigAnywhere

# A program of our own of the room's commands: the room's stays as it is for who uses it otherwise.
desk = typer.Typer(name="desk", no_args_is_help=True, add_completion=False)
desk.registered_commands += cli.app.registered_commands
desk.registered_groups += cli.app.registered_groups


@desk.callback(cls=ConfigAnywhere, epilog="Begin with: redhand desk init --example. Then: redhand desk serve")
def desk_settings(
    ctx: typer.Context,
    config: Annotated[
        Path | None, typer.Option("--config", "-c", metavar="FILE", help="Settings file, as for every command.", show_default=False)
    ] = None,
) -> None:
    """The authority's desk: cases from a referral to a signed order, and until it is lifted; people, evidence, memory."""
    configuration = load(ctx, config)
    privileges.step_down(configuration)
    base = (configuration.file.parent if configuration.file else Path()).resolve()
    ctx.obj = Setting(configuration.settings.desk, base)
