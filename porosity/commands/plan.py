"""`redhand porosity plan`: makes a study, and says what it will ask of whom."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from porosity.planning import Planned
    from porosity.study import Study

SHOWN = 10

List = Annotated[
    list[str],
    typer.Option(
        "--list",
        metavar="[ID=]PATH",
        help="Names to measure: a text or hosts file, directives (YAML), a Citizen Lab list (.csv), or a state directory.",
        show_default=False,
    ),
]
Canary = Annotated[
    list[str], typer.Option("--canary", metavar="NAME", help="A name that all answer and nobody blocks: tells blocked from down.", show_default=False)
]
Tested = Annotated[
    list[str],
    typer.Option("--resolver", metavar="[ID=]ADDRESS,…", help="A resolver to test: 192.0.2.1, tls://192.0.2.1#dns.example, …", show_default=False),
]
Controls = Annotated[
    list[str] | None, typer.Option("--control", metavar="[ID=]ADDRESS,…", help="A resolver that does not block. Two or more.", show_default=False)
]
Secondary = Annotated[
    list[str] | None, typer.Option("--secondary", metavar="[ID=]ADDRESS,…", help="One that clients are given beside the tested.", show_default=False)
]
Others = Annotated[
    list[str] | None, typer.Option("--other", metavar="[ID=]ADDRESS,…", help="One that clients can reach though nobody gave it.", show_default=False)
]
Vectors = Annotated[
    list[str] | None,
    typer.Option("--vectors", metavar="ID|FAMILY|FILE.py", help="Ways round to try; default: all that can be tried.", show_default=False),
]
Repeats = Annotated[int, typer.Option("--repeats", min=1, help="How often each is tried.")]
Seed = Annotated[int | None, typer.Option("--seed", help="Of the order and random parts; default: a new one.", show_default=False)]
Neighbours = Annotated[int, typer.Option("--neighbours", min=0, help="At most so many unlisted names close to listed ones, for over-blocking.")]
Allow = Annotated[
    Path | None, typer.Option("--allow", metavar="FILE", help="Who agreed to be asked; needed beyond loopback and the lab.", show_default=False)
]
Contact = Annotated[str, typer.Option("--contact", help="Where those who are asked find you; needed with --allow.", show_default=False)]
Rate = Annotated[
    int | None, typer.Option("--rate", metavar="N", help="Questions a second to a server; default: 5, in the lab as it answers.", show_default=False)
]
Zone = Annotated[
    bool, typer.Option("--zone", help="Aliases of the names are served in a zone of yours (docs/researcher.md): try vectors that need them.")
]
Clock = Annotated[
    bool,
    typer.Option("--clock", help="You put orders in force and end them while it asks, and write STUDY/clock.json: try vectors of time."),
]


def command(
    directory: Annotated[Path, typer.Argument(metavar="STUDY", help="A new directory.", show_default=False)],
    lists: List,
    canaries: Canary,
    tested: Tested,
    controls: Controls = None,
    secondary: Secondary = None,
    others: Others = None,
    vectors: Vectors = None,
    repeats: Repeats = 3,
    seed: Seed = None,
    neighbours: Neighbours = 1000,
    allow: Allow = None,
    contact: Contact = "",
    rate: Rate = None,
    zone: Zone = False,
    clock: Clock = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for a machine.")] = False,
) -> None:
    """Fix what a study asks, of whom and in which order; nothing is sent.

    The plan is never changed afterwards: `redhand porosity probe STUDY` asks, and goes on where it was stopped.
    """
    import time  # noqa: PLC0415

    from porosity import planning  # noqa: PLC0415

    wishes = planning.Wishes(
        lists, canaries, tested, controls or (), secondary or (), others or (), vectors or (), repeats, seed, neighbours, allow, contact, rate,
        given(zone, clock),
    )  # fmt: skip
    made = planning.make(directory, wishes, int(time.time()))
    if as_json:
        print(json.dumps(facts(made.study, made.skipped)))
    else:
        show(made)


def given(zone: bool, clock: bool) -> frozenset[str]:
    """What a study has of its own, in the words of the vectors that need it."""
    return frozenset(({"zone"} if zone else set()) | ({"clock"} if clock else set()))


def facts(study: Study, skipped: list[str]) -> dict[str, Any]:
    """What a plan comes to."""
    plan = study.plan
    return {
        "study": str(study.directory),
        "plan": plan.id,
        "seed": plan.seed,
        "names": Counter(each[1] for each in study.names.rows()),
        "vectors": [each.id for each in plan.vectors],
        "left_out": dict(plan.left_out),
        "resolvers": {each.id: each.role for each in plan.resolvers},
        "repeats": plan.repeats,
        "trials": plan.made,
        "skipped": skipped,
    }


def show(made: Planned) -> None:
    """The same for a person."""
    from rich.console import Console  # noqa: PLC0415
    from rich.markup import escape  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    from porosity.report.limits import reasons  # noqa: PLC0415

    plan, told = made.study.plan, facts(made.study, made.skipped)
    table = Table.grid(padding=(0, 2))
    canaries = "canary" if told["names"]["canary"] == 1 else "times a canary"
    groups = {"listed": "listed", "below": "below listed ones", "neighbour": "close to listed ones", "canary": canaries}
    table.add_row("names", ", ".join(f"{told['names'][group]:,} {text}" for group, text in groups.items() if told["names"][group]))
    for each in plan.lists:
        table.add_row("list", escape(f"{each.id} ({each.source}, {each.names:,} names, sha256 {each.sha256[:12]})"))
    families = Counter(each.family for each in plan.vectors)
    table.add_row("vectors", f"{len(plan.vectors)}: " + ", ".join(f"{count} {family}" for family, count in families.items()))
    for why, vectors in reasons(plan.left_out):
        table.add_row("left out", escape(f"{why}: {', '.join(vectors)}"))
    for resolver in plan.resolvers:
        table.add_row(resolver.role, escape(f"{resolver.id}: " + ", ".join(map(str, resolver.endpoints))))
    table.add_row("trials", f"{plan.made:,} in {plan.repeats} repeats, in random order of seed {plan.seed}")
    table.add_row("plan", plan.id)
    out = Console(soft_wrap=True, highlight=False)
    out.print(table)
    for line in made.skipped[:SHOWN]:
        out.print(f"[yellow]not taken:[/yellow] {escape(line)}")
    if len(made.skipped) > SHOWN:
        out.print(f"[yellow]not taken:[/yellow] {len(made.skipped) - SHOWN} more")
    if sum(each.role == "control" for each in plan.resolvers) < 2:
        out.print("[yellow]note:[/yellow] with fewer than two controls much stays undecided (state insufficient); give more with --control")
    out.print(f"next: redhand porosity probe {escape(str(made.study.directory))}")
