"""The command `redhand landing export`: says what was written, until when it is right, and what nginx is to be told."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import typer

from blocklists.agreed import Timekeeper
from landing.export import CONFIGURATION, MOST_PROOFS
from landing.export import export as write
from landing.settings import LandingSettings


def export(settings: LandingSettings, state_dir: Path, folder: Path, as_json: bool) -> None:
    """Writes the set and tells about it. Raises what `landing.export.export` raises."""
    done = write(settings, state_dir, folder, Timekeeper(state_dir).now(), lambda line: typer.echo(line, err=True))
    if as_json:
        typer.echo(json.dumps(asdict(done)))
        return
    typer.echo(f"{folder} holds {done.pages:,} pages for the {done.names:,} names of version {done.serial}, and {done.proofs:,} proofs.")
    if done.left_out:
        typer.echo(f"{done.left_out:,} names are left out: no browser asks for names with such characters.")
    if done.unproved:
        typer.echo(f"No proof was made, and no page speaks of one: there would be more than {MOST_PROOFS:,}.")
    if done.until is None:
        typer.echo("They are right until another version is in force.")
    else:
        moment = datetime.fromtimestamp(done.until, UTC)
        typer.echo(f"They are right until {moment:%Y-%m-%d %H:%M:%S} UTC, or until another version is in force: write them anew then.")
    typer.echo(f"For the http block of nginx.conf:   include {folder.resolve() / CONFIGURATION};   then: nginx -s reload")
