"""The program `redhand`: its own commands, and those of the rooms.

Nothing heavy is imported until a command needs it, so that help is quick and an install without some extra still runs the rest.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from blocklists.errors import RedHandError
from redhand.ending import ending

if TYPE_CHECKING:
    from redhand.assembly import Role
    from redhand.config import Configuration

RELOAD_SECONDS, WALK_SECONDS = 120.0, 90.0
"""How long a reload, and a walk through the caches, may take the running program to answer."""

NOT_RUNNING = 3
"""Exit code of `status` when nothing runs, as of service scripts (LSB 5.0, 22.2)."""

BESIDE = ("metrics", "feed", "demo")
"""Children without which all of it serves."""

ROOMS: dict[str, tuple[str, str]] = {
    "blocklist": ("redhand.rooms", "blocklist"),
    "authority": ("authority.cli", "app"),
    "desk": ("redhand.desk", "desk"),
    "lift": ("redhand.by_hand", "lift_app"),
    "decide": ("redhand.by_hand", "decide_app"),
    "receipts": ("redhand.proofs", "receipts_app"),
    "prove": ("redhand.proofs", "prove_app"),
    "verify": ("redhand.proofs", "verify_app"),
    "watch": ("redhand.watching", "watch_app"),
    "counts": ("redhand.counted", "counts_app"),
    "access": ("redhand.access", "app"),
    "demo": ("redhand.demo", "app"),
    "porosity": ("porosity.cli", "app"),
    "lab": ("porosity.commands.lab", "app"),
}
"""Commands of the rooms, and others that load much: the module and attribute that hold each one's Typer app."""

EXTRAS: dict[str, str] = {"demo": "desk", "desk": "desk", "lab": "porosity", "porosity": "porosity"}
"""The extra that installs what a room's commands need, for rooms that need one."""

Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        metavar="FILE",
        help="Settings file. Default: $REDHAND_CONFIG, else ./config.yaml, else built-in defaults.",
        show_default=False,
    ),
]
AsJSON = Annotated[bool, typer.Option("--json", help="Print JSON.")]


class Rooms(TyperGroup):
    """Puts a room's commands in the place held for them when one of them is called, not before."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command called, loading its room first."""
        if args and args[0] in ROOMS:
            self.commands[args[0]] = _room(args[0])
        return super().resolve_command(ctx, args)


def _room(name: str) -> Any:
    module, attribute = ROOMS[name]
    try:
        found = typer.main.get_command(getattr(importlib.import_module(module), attribute))
    except ModuleNotFoundError as error:
        if name not in EXTRAS:
            raise
        raise RedHandError(
            f"`redhand {name}` needs {error.name}, which is not installed; install it with: pip install 'redhand[{EXTRAS[name]}]'"
        ) from None
    found.name = name
    return found


app = typer.Typer(
    cls=Rooms,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="A DNS resolver that blocks only what a legal directive names, and tells the visitor why.",
    epilog="Start with: redhand run   Then: redhand check NAME   Settings: redhand config show --defaults > config.yaml",
)
config_app = typer.Typer(no_args_is_help=True, help="Check the settings, or print them.")
app.add_typer(config_app, name="config")
cache_app = typer.Typer(no_args_is_help=True, help="Forget names in the caches of what runs, or print what they hold.")
app.add_typer(cache_app, name="cache")
landing_app = typer.Typer(invoke_without_command=True)
app.add_typer(landing_app, name="landing")


def _version(wanted: bool) -> None:
    if not wanted:
        return
    import platform

    from redhand import __version__

    typer.echo(f"redhand {__version__} (Python {platform.python_version()})")
    raise typer.Exit


@app.callback()
def root(
    ctx: typer.Context,
    config: Config = None,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version, and end.")] = False,
) -> None:
    """Remember the settings file named before the command."""
    ctx.obj = config


def load(ctx: typer.Context, config: Path | None) -> Configuration:
    """The configuration a command was given, before or after its name."""
    from redhand.config import load as read

    return read(config or ctx.find_root().obj, os.environ)


def _supervise(ctx: typer.Context, config: Path | None, role: Role) -> None:
    from redhand.serving import serve

    raise typer.Exit(serve(config or ctx.find_root().obj, role))


@app.command(epilog="Example: redhand run --config /etc/redhand/config.yaml")
def run(ctx: typer.Context, config: Config = None) -> None:
    """Run everything: resolver and landing page, each restarted if it fails.

    Prints what listens where and what to try. SIGTERM or Ctrl-C stops it within 5 seconds; SIGHUP has the settings read
    again and the block list built.
    """
    _supervise(ctx, config, "run")


@app.command(epilog="Example: redhand resolver --config /etc/redhand/config.yaml")
def resolver(ctx: typer.Context, config: Config = None) -> None:
    """Run the resolver and the block-list builder, without the landing page."""
    _supervise(ctx, config, "resolver")


@landing_app.callback(epilog="Example: redhand landing --config /etc/redhand/config.yaml")
def landing(ctx: typer.Context, config: Config = None) -> None:
    """Run the landing page alone; `landing export` writes it as files for nginx.

    It reads the block list that a resolver builds in the same state directory.
    """
    if ctx.invoked_subcommand is None:
        _supervise(ctx, config, "landing")
    elif config is not None:
        ctx.find_root().obj = config


@landing_app.command("export", epilog="Example: redhand landing export /srv/redhand && nginx -s reload")
def landing_export(
    ctx: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where the files go; nginx must be able to read them.", show_default=False)],
    config: Config = None,
    as_json: AsJSON = False,
) -> None:
    """Write the pages of the version in force as files, with an nginx configuration that serves them with the right status, headers and language.

    It says until when they are right. Write them anew then, and whenever another version is in force.
    """
    from landing.cli import export
    from redhand.crosscheck import carries_reports

    settings = load(ctx, config).settings
    # As on the page itself, none leads to a form that goes nowhere.
    page = settings.landing if carries_reports(settings.feed) else settings.landing.model_copy(update={"own_name": ""})
    export(page, settings.state_dir, folder, as_json)


@app.command(epilog="Examples: redhand sync --once. Beside nothing else that follows this feed: redhand sync")
def sync(
    ctx: typer.Context,
    config: Config = None,
    once: Annotated[bool, typer.Option("--once", help="Look once, say what came of it, and end.")] = False,
) -> None:
    """Fetch the authority's signed orders and put in force what verifies; `redhand run` does so by itself.

    Exit code of --once: 0 the newest is in force; 3 the newest could not be had; 4 what came was refused; 1 this machine failed. Whatever it is, the
    last verified list stays in force.
    """
    from redhand.feeding import follow_feed

    raise typer.Exit(follow_feed(load(ctx, config), once))


@app.command(epilog="Example: redhand check www.blocked.redhand.example --json")
def check(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="A domain name.", show_default=False)],
    config: Config = None,
    as_json: AsJSON = False,
) -> None:
    """Say whether a name would be blocked, by what, and why.

    Answers from the block list in force on disk and asks no server: what a query for an alias (CNAME) meets at its targets, only a query shows.
    Exit code 0 whether blocked or not.
    """
    from redhand.rooms import check_name

    check_name(load(ctx, config), name, as_json)


@app.command(epilog="Example: redhand status --json. A health check: redhand status --probe")
def status(
    ctx: typer.Context,
    config: Config = None,
    as_json: AsJSON = False,
    probe: Annotated[bool, typer.Option("--probe", help="Also ask the running resolver a DNS question; exit 1 if it does not answer.")] = False,
) -> None:
    """Say what runs, since when, and with which block list.

    Exit code 0 if all of it serves, 1 if something does not, 3 if nothing runs.
    """
    from blocklists import readers
    from redhand import control, screen
    from redhand import status as file

    configuration = load(ctx, config)
    settings = configuration.settings
    reports = [
        control.fresh(settings.state_dir, name, report) for name in (file.MAIN, file.LANDING) if (report := file.read(settings.state_dir, name))
    ]
    serials = readers.live(settings.state_dir)
    listed = file.in_force(settings.state_dir)
    answers = _probe(reports) if probe else None
    if as_json:
        found = {"running": reports, "serials": serials, "list": listed}
        typer.echo(json.dumps(found | ({} if answers is None else {"answers": answers}), indent=1))
    elif reports:
        typer.echo(screen.status(reports, serials, listed, screen.Style.of(sys.stdout.isatty())))
    else:
        typer.echo(f"Nothing runs with the state directory {settings.state_dir}. Start it with: redhand run")
        if configuration.file is None:
            typer.echo("These are the built-in defaults; if it runs with a settings file, name that one with --config.")
    if not reports:
        raise typer.Exit(NOT_RUNNING)
    needed = [child for report in reports for child in report["children"] if child["name"] not in BESIDE]
    healthy = all(report["state"] == "serving" for report in reports) and all(child["state"] == "ready" for child in needed)
    if not (healthy if answers is None else answers):
        raise typer.Exit(1)


@app.command(epilog="Example: redhand top. For a pipe or a report: redhand top --once")
def top(
    ctx: typer.Context,
    config: Config = None,
    once: Annotated[bool, typer.Option("--once", help="Print what happens in one second, and end.")] = False,
) -> None:
    """Show what happens now: queries, hits, blocks, answer times, upstreams, processes, alarms. q or Ctrl-C ends it.

    Answer times are of the last second, read from a histogram: never too low.
    """
    from rich.console import Console

    from redhand import control
    from redhand import top as shown

    state_dir = load(ctx, config).settings.state_dir
    console = Console()
    (shown.live if console.is_terminal and not once else shown.once)(lambda: control.report(state_dir), console)


@app.command(epilog="Example: redhand reload --config /etc/redhand/config.yaml")
def reload(ctx: typer.Context, config: Config = None) -> None:
    """Have the running program read its settings again, without losing a query.

    Says what took effect and what needs a restart. If the file has mistakes, they are named and the settings in force stay. SIGHUP does the same.
    """
    from redhand import control

    reply = control.last(control.ask(load(ctx, config).settings.state_dir, {"do": "reload"}, RELOAD_SECONDS))
    for line in reply["said"]:
        typer.echo(line)


@cache_app.command("flush", epilog="Example: redhand cache flush site.example")
def cache_flush(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="A domain name; . is every name.", show_default=False)],
    config: Config = None,
    as_json: AsJSON = False,
) -> None:
    """Forget a name and everything under it, and every answer that leads there by alias, in every worker, group and cache."""
    from blocklists import names
    from redhand import control

    names.parse(name)
    reply = control.last(control.ask(load(ctx, config).settings.state_dir, {"do": "flush", "name": name}, WALK_SECONDS))
    gone, silent = reply["entries"], reply["silent"]
    if as_json:
        typer.echo(json.dumps({"entries": gone, "silent": silent}))
    else:
        count = sum(gone.values())
        typer.echo(
            f"{count:,} {'entry' if count == 1 else 'entries'} forgotten ({', '.join(f'{each}: {gone[each]:,}' for each in gone) or 'no worker'})"
        )
    _all_answered(silent)


@cache_app.command("dump", epilog="Example: redhand cache dump --json | jq 'select(.rcode == 2)'")
def cache_dump(
    ctx: typer.Context, config: Config = None, as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False
) -> None:
    """Print what is cached: worker, group, cache, name, type, result, seconds left. Never who asked.

    It goes to standard output and nowhere else. Negative seconds: expired so long ago, and kept for when no upstream answers. A dash: until the list
    changes.
    """
    from redhand import control, dumped

    silent: list[str] = []
    for reply in control.ask(load(ctx, config).settings.state_dir, {"do": "dump"}, WALK_SECONDS):
        if "ok" in reply:
            silent = reply["silent"]
        else:
            typer.echo(dumped.as_json(reply) if as_json else dumped.as_text(reply))
    _all_answered(silent)


def _all_answered(silent: list[str]) -> None:
    if silent:
        typer.echo(f"redhand: {', '.join(silent)} did not answer in time, or is being started; ask again", err=True)
        raise typer.Exit(1)


def _probe(reports: list[dict[str, Any]]) -> bool:
    from redhand.probe import answers

    endpoints = [endpoint for report in reports for endpoint in report["dns"]]
    silent = [endpoint for endpoint in endpoints if not answers(endpoint)]
    for endpoint in silent:
        typer.echo(f"{endpoint} does not answer", err=True)
    return bool(endpoints) and not silent


@app.command(context_settings={"ignore_unknown_options": True})
def blocklist() -> None:
    """List, compare, roll back or build versions of the block list."""
    raise AssertionError("held for the room's own commands, which replace this one")


@app.command(context_settings={"ignore_unknown_options": True})
def authority() -> None:
    """Be the authority: make keys, write, sign and publish orders."""
    raise AssertionError("held for the room's own commands, which replace this one")


@app.command(context_settings={"ignore_unknown_options": True})
def desk() -> None:
    """The authority's desk: cases from a referral to an order and its end, people, evidence."""
    raise AssertionError("held for the room's own commands, which replace this one")


@app.command(context_settings={"ignore_unknown_options": True})
def lift() -> None:
    """Put a signed withdrawal or suspension in force at once, however it came here."""
    raise AssertionError("held for the command itself, which replaces this one")


@app.command(context_settings={"ignore_unknown_options": True})
def decide() -> None:
    """Record a decision about an order under a person's name, and apply it."""
    raise AssertionError("held for the command itself, which replaces this one")


@app.command(context_settings={"ignore_unknown_options": True})
def receipts() -> None:
    """List the receipts that were written for the authority."""
    raise AssertionError("held for the command itself, which replaces this one")


@app.command(context_settings={"ignore_unknown_options": True})
def prove() -> None:
    """Write a file that proves to anybody what the authority signed about a name."""
    raise AssertionError("held for the command itself, which replaces this one")


@app.command(context_settings={"ignore_unknown_options": True})
def verify() -> None:
    """Check a proof with nothing but the authority's root file."""
    raise AssertionError("held for the command itself, which replaces this one")


@app.command(context_settings={"ignore_unknown_options": True})
def watch() -> None:
    """Look at a feed from elsewhere, as an operator does, and say what is wrong with it."""
    raise AssertionError("held for the command itself, which replaces this one")


@app.command(context_settings={"ignore_unknown_options": True})
def access() -> None:
    """Reviewers' access: grant named networks blocked names for real, by two persons and for a time; revoke it; list it."""
    raise AssertionError("held for the room's own commands, which replace this one")


@app.command(context_settings={"ignore_unknown_options": True})
def counts() -> None:
    """Print how many pages were shown for each order on each day."""
    raise AssertionError("held for the command itself, which replaces this one")


@app.command(context_settings={"ignore_unknown_options": True})
def demo() -> None:
    """Show one order's whole life on this machine, timed: referred, signed, published, enforced, seen, withdrawn, restored."""
    raise AssertionError("held for the command itself, which replaces this one")


@app.command(context_settings={"ignore_unknown_options": True})
def porosity() -> None:
    """Measure how porous blocking is: plan, probe, classify, estimate, report."""
    raise AssertionError("held for the room's own commands, which replace this one")


@app.command(context_settings={"ignore_unknown_options": True})
def lab() -> None:
    """An internet in a box, with planted leaks and the truth about them: bring it up, measure it, score what was found."""
    raise AssertionError("held for the room's own commands, which replace this one")


@config_app.command("check", epilog="Example: redhand config check --config /etc/redhand/config.yaml")
def config_check(ctx: typer.Context, config: Config = None) -> None:
    """Name every mistake in the settings, with file, line, key, value and remedy.

    Looks at this machine too: addresses, files, the system's upstreams. Exit code 2 if anything is wrong.
    """
    from redhand import crosscheck
    from redhand.config import refuse
    from redhand.credentials import credentials

    configuration = load(ctx, config)
    crosscheck.check(configuration)
    refuse([*crosscheck.feed_files(configuration), *crosscheck.shown_logo(configuration)])
    credentials(configuration)
    crosscheck.upstreams(configuration)
    typer.echo(f"{configuration.origin}: no mistakes")


@config_app.command("show", epilog="Examples: redhand config show --json. A file to begin with: redhand config show --defaults > config.yaml")
def config_show(
    ctx: typer.Context,
    config: Config = None,
    as_json: AsJSON = False,
    defaults: Annotated[bool, typer.Option("--defaults", help="Print the defaults, each with what it is for, as a file to begin with.")] = False,
) -> None:
    """Print the settings in force: file, variables and defaults together."""
    from redhand.config import Settings, written
    from redhand.reference import render

    if defaults and not as_json:
        typer.echo(render(), nl=False)
        return
    settings = Settings() if defaults else load(ctx, config).settings
    if as_json:
        typer.echo(json.dumps(written(settings), indent=1))
    else:
        import yaml

        typer.echo(yaml.safe_dump(written(settings), sort_keys=False, allow_unicode=True, width=150), nl=False)


def main() -> None:
    """The program's entry."""
    ending(lambda: app(prog_name="redhand"))


if __name__ == "__main__":
    main()
