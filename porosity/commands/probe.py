"""`redhand porosity probe`: asks what a study plans, and goes on where it was stopped."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from porosity.commands import plan as planned

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import Console

    from porosity.ethics import Permit
    from porosity.probe import Tally
    from porosity.study import Study
    from porosity.words import Vector

STOPPED = 130
"""Exit code of a run that was stopped: as a shell has it for Ctrl-C."""
SUFFIX = ".study"


def command(
    what: Annotated[str, typer.Argument(metavar="STUDY|NAMES", help="A study; with --resolver, a list of names to make one of.", show_default=False)],
    tested: Annotated[
        list[str] | None,
        typer.Option(
            "--resolver", metavar="[ID=]ADDRESS,…", help="A resolver to test: plans a study first, as `porosity plan` does.", show_default=False
        ),
    ] = None,
    controls: planned.Controls = None,
    secondary: planned.Secondary = None,
    others: planned.Others = None,
    canaries: Annotated[
        list[str] | None, typer.Option("--canary", metavar="NAME", help="A name that all answer and nobody blocks.", show_default=False)
    ] = None,
    vectors: planned.Vectors = None,
    repeats: planned.Repeats = 3,
    seed: planned.Seed = None,
    neighbours: planned.Neighbours = 1000,
    directory: Annotated[
        Path | None, typer.Option("--study", metavar="DIR", help="Where a new study goes; default: beside NAMES.", show_default=False)
    ] = None,
    vantage: Annotated[str, typer.Option("--vantage", metavar="LABEL", help="What the place it asks from is called.")] = "local",
    allow: planned.Allow = None,
    contact: planned.Contact = "",
    rate: planned.Rate = None,
    zone: planned.Zone = False,
    clock: planned.Clock = False,
    ca: Annotated[
        Path | None, typer.Option("--ca", metavar="FILE", help="PEM file of who vouches for the resolvers' certificates, instead of the system's.")
    ] = None,
    seconds: Annotated[float, typer.Option("--timeout", min=0.05, help="Seconds that each try waits for an answer.")] = 3.0,
    tries: Annotated[int, typer.Option("--tries", min=1, help="How often a question is sent that nobody answers.")] = 3,
    scheduler: Annotated[
        str,
        typer.Option(
            "--scheduler", metavar="ADDRESS", help="Ask from every worker of this Dask scheduler (tcp://…); a worker's name is its vantage."
        ),
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Send nothing; say what would be sent, to whom and how fast.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for a machine.")] = False,
) -> None:
    """Ask what a study plans. Stopped or killed, the same command goes on; what is on record is not asked again.

    Loopback and the lab are asked freely; anybody else by a file of who agreed (--allow), with a contact and a rate.

    Names are resolved; no page is ever fetched.
    """
    import contextlib  # noqa: PLC0415
    import tempfile  # noqa: PLC0415
    import time  # noqa: PLC0415
    from dataclasses import replace  # noqa: PLC0415

    from rich.console import Console  # noqa: PLC0415

    from porosity import ethics, planning, study  # noqa: PLC0415

    with contextlib.ExitStack() as kept:
        if tested:
            place = directory or Path(what).with_suffix(SUFFIX)
            wishes = planning.Wishes(
                [what],
                canaries or (),
                tested,
                controls or (),
                secondary or (),
                others or (),
                vectors or (),
                repeats,
                seed,
                neighbours,
                allow,
                contact,
                rate,
                planned.given(zone, clock),
            )
            now = int(time.time())
            if (place / study.PLAN).exists():
                # The same command again goes on: of what it does not say, the plan that stands has it.
                before = study.open(place).plan
                now, wishes = before.as_of, replace(wishes, seed=before.seed if seed is None else seed)
            elif dry_run:
                place = Path(kept.enter_context(tempfile.TemporaryDirectory(prefix="redhand-study-"))) / "study"
            opened = planning.make(place, wishes, now).study
        else:
            opened = study.open(Path(what))
        known = _known(vectors or ())
        permits = ethics.keep(opened.plan.ethics, opened.plan.resolvers, allow, rate)
        if dry_run:
            _rehearse(opened, vantage, known, permits, as_json)
        elif scheduler:
            files = [Path(text) for text in vectors or () if text.endswith(".py")]
            _from_many(opened, scheduler, files, permits, seconds, tries, ca, Console(stderr=True), as_json)
        else:
            _run(opened, vantage, known, permits, seconds, tries, ca, Console(stderr=True), as_json)


def _known(given: Sequence[str]) -> list[Vector]:
    """All vectors that are built in, and those of files of one's own."""
    from porosity.vectors import ALL, load  # noqa: PLC0415

    return [*ALL, *(vector for text in given if text.endswith(".py") for vector in load(Path(text)))]


def _run(
    study: Study,
    vantage: str,
    known: Sequence[Vector],
    permits: Mapping[str, Permit],
    seconds: float,
    tries: int,
    ca: Path | None,
    console: Console,
    as_json: bool,
) -> None:
    import asyncio  # noqa: PLC0415
    import signal  # noqa: PLC0415

    from porosity.probe import run  # noqa: PLC0415
    from porosity.progress import Shown  # noqa: PLC0415
    from porosity.transports.ways import Patience  # noqa: PLC0415

    async def whole() -> Tally:
        task = asyncio.current_task()
        if task is not None:
            for number in (signal.SIGINT, signal.SIGTERM):
                asyncio.get_running_loop().add_signal_handler(number, task.cancel)
        return await run(study, vantage, known, permits, patience=Patience(seconds, tries), ca=ca, seen=shown.see)

    with Shown(console) as shown:
        try:
            tally = asyncio.run(whole())
        except asyncio.CancelledError:
            console.print("stopped; what came is on record, and the same command goes on", highlight=False, soft_wrap=True)
            raise typer.Exit(STOPPED) from None
    if as_json:
        facts = {"trials": tally.done, "of": tally.total, "sent": tally.sent, "answered": tally.answered, "failures": dict(tally.failures)}
        print(json.dumps({"study": str(study.directory), "plan": study.plan.id, "vantage": vantage, **facts}))
    else:
        print(shown.line(tally))
        print(f"next: redhand porosity classify {study.directory}")


def _from_many(
    study: Study,
    scheduler: str,
    files: Sequence[Path],
    permits: Mapping[str, Permit],
    seconds: float,
    tries: int,
    ca: Path | None,
    console: Console,
    as_json: bool,
) -> None:
    import asyncio  # noqa: PLC0415

    from porosity import vantages  # noqa: PLC0415
    from porosity.progress import Shown  # noqa: PLC0415
    from porosity.transports.ways import Patience  # noqa: PLC0415

    with Shown(console) as shown:
        done = asyncio.run(vantages.run(study, scheduler, permits, Patience(seconds, tries), files=files, ca=ca, seen=shown.see_many))
    if as_json:
        found = {label: {"trials": each.done, "of": each.total, "lost": each.lost} for label, each in sorted(done.items())}
        print(json.dumps({"study": str(study.directory), "plan": study.plan.id, "vantages": found}))
    else:
        for label, each in sorted(done.items()):
            print(shown.line(each, label) + (f"; {each.lost} portions were taken along by workers that went" if each.lost else ""))
        print(f"next: redhand porosity classify {study.directory}")
    if any(each.done < each.total for each in done.values()):
        raise typer.Exit(1)


def _rehearse(study: Study, vantage: str, known: Sequence[Vector], permits: Mapping[str, Permit], as_json: bool) -> None:
    from dataclasses import asdict  # noqa: PLC0415

    from rich.console import Console  # noqa: PLC0415
    from rich.markup import escape  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    from porosity import observations, rehearsal  # noqa: PLC0415
    from porosity.progress import clock  # noqa: PLC0415

    done = observations.done(study, vantage)
    servers = rehearsal.servers(study, known, permits, done)
    first = rehearsal.first(study, known, done)
    if as_json:
        print(json.dumps({"servers": [asdict(each) for each in servers], "first": [asdict(each) for each in first]}))
        return
    console = Console(soft_wrap=True, highlight=False)
    console.print(f"Nothing is sent. Of {study.plan.made:,} trials {len(done):,} are on record; this would be the rest:")
    table = Table("server", "asked by", "allowed by", "questions", "a second", "takes at least", box=None, padding=(0, 2, 0, 0))
    for each in servers:
        pace = f"{each.permit.rate:,}" if each.permit.rate else "as it answers"
        takes = clock(each.seconds) if each.permit.rate else "-"
        table.add_row(each.address, ", ".join(each.transports), each.permit.by, f"{each.questions:,}", pace, takes)
    console.print(table)
    console.print("First of them:" if first else "Nothing is left to ask.")
    for message in first:
        console.print(f"  {escape(message.endpoint)}  {escape(message.says)}  [dim]{message.vector} at {escape(message.resolver)}[/dim]")
