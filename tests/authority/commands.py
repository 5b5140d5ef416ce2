"""The commands `redhand authority …`, called in this process."""

from __future__ import annotations

import typer
from typer.testing import CliRunner

from authority.cli import app
from blocklists.errors import RedHandError


def redhand(*arguments: object, typed: str | None = None, passphrase: str | None = None) -> str:
    """What a command prints. Raises what it refuses with."""
    result = CliRunner().invoke(app, [str(each) for each in arguments], input=typed, env={"REDHAND_PASSPHRASE": passphrase})
    if isinstance(result.exception, RedHandError):
        raise result.exception
    if result.exit_code and result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    if result.exit_code:
        raise typer.Exit(result.exit_code)
    return result.output
