"""`redhand lab`: an internet in a box, of which all is known; brought up, measured, looked into, ended."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from porosity.commands.extras import Measuring

if TYPE_CHECKING:
    from rich.console import Console

    from porosity.lab.score import Score

app = typer.Typer(cls=Measuring, no_args_is_help=True, add_completion=False, help="An internet in a box, whose truth is known, to measure in.")

Scenario = Annotated[str, typer.Argument(metavar="SCENARIO", help="One of `redhand lab list`, or a file of yours (NAME.yaml).", show_default=False)]
Seed = Annotated[int, typer.Option("--seed", help="Of names, orders of questions and random parts.")]
AsJSON = Annotated[bool, typer.Option("--json", help="Print JSON, for a machine.")]
SHOWN = 12


@app.command("list", epilog="Example: redhand lab list")
def list_(as_json: AsJSON = False) -> None:
    """Show the scenarios there are, and the labs that are up."""
    from porosity.lab import hold, scenario  # noqa: PLC0415

    known = {each: scenario.find(each) for each in scenario.known()}
    up = hold.running()
    if as_json:
        found = {id: {"about": each.about, "form": each.form, "resolvers": len(each.resolvers)} for id, each in known.items()}
        print(json.dumps({"scenarios": found, "up": up}))
        return
    table = _grid()
    for id, each in known.items():
        table.add_row(id, "root" if each.form == "internet" else "", each.about)
    out = _console()
    out.print(table)
    for name, facts in up.items():
        out.print(f"up: {name} (seed {facts['seed']}); end it with: redhand lab down {name}")


@app.command(epilog="Example: redhand lab up small")
def up(scenario: Scenario, seed: Seed = 1, as_json: AsJSON = False) -> None:
    """Bring a lab up, and leave it up until `redhand lab down`: to look into it by hand, or to measure as anywhere else."""
    from porosity.lab import hold  # noqa: PLC0415

    name = Path(scenario).stem
    facts = hold.up(name, scenario, seed)
    if as_json:
        print(json.dumps(facts))
        return
    out = _console()
    table = _grid()
    for id, each in facts["resolvers"].items():
        table.add_row(each["role"], id, ", ".join(each["endpoints"]))
    out.print(table)
    out.print(f"ordered blocked: {', '.join(facts['orders'])}", markup=False)
    out.print(f"answered by all: {', '.join(facts['canaries'])}", markup=False)
    for machine, pid in facts.get("machines", {}).items():
        if machine == "client":
            out.print(f"to be there as a client: nsenter -t {pid} --net --mount --pid", markup=False)
    out.print("to measure it as anywhere else:", markup=False)
    for line in _measured(facts):
        out.print(f"  {line}", markup=False)
    out.print(f"end it with: redhand lab down {name}", markup=False)


def _measured(facts: dict[str, Any]) -> list[str]:
    """The commands of a study of a lab that is up."""
    words = ["redhand porosity plan study --list", f"orders={facts['list']}", *(f"--canary {each}" for each in facts["canaries"])]
    for id, each in facts["resolvers"].items():
        role = "resolver" if each["role"] == "tested" else each["role"]
        words.append(f"--{role} {id}=" + ",".join(one if "://" in one else f"udp://{one}" for one in each["endpoints"]))
    return [
        " ".join([*words, f"--zone --rate {facts['rate']}"]),
        f"redhand porosity probe study --ca {facts['ca']}",
        "redhand porosity classify study " + " ".join(f"--landing {each}" for each in facts["landing"]),
    ]


@app.command(epilog="Example: redhand lab down small")
def down(name: Annotated[str, typer.Argument(metavar="NAME", help="Of a lab that is up.", show_default=False)]) -> None:
    """End a lab that is up."""
    from porosity.lab import hold  # noqa: PLC0415

    hold.down(name)
    print(f"{name} is down; nothing of it is left")


@app.command(epilog="Example: redhand lab run small study")
def run(
    scenario: Scenario,
    directory: Annotated[Path, typer.Argument(metavar="STUDY", help="A new directory.", show_default=False)],
    seed: Seed = 1,
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="Runs, each with the next seed; each in a directory of its own in STUDY.")] = 1,
    as_json: AsJSON = False,
) -> None:
    """Bring a lab up, measure it, end it, classify, and score the rules by the lab's truth."""
    from porosity.lab import run as runs  # noqa: PLC0415
    from porosity.lab import scenario as scenarios  # noqa: PLC0415

    found = scenarios.find(scenario)
    out = _console()
    said = (lambda text: None) if as_json else (lambda text: out.print(text, markup=False))
    told: dict[str, list[Score]] = {}
    for number in range(seed, seed + seeds):
        place = directory / f"seed-{number}" if seeds > 1 else directory
        study = runs.measure(found, number, place, said)
        told[str(place)] = runs.judge(found, study)
        if not as_json:
            _show(out, told[str(place)])
            out.print(f"\nnext: redhand porosity estimate {place}", markup=False)
    if as_json:
        from dataclasses import asdict  # noqa: PLC0415

        print(json.dumps({place: [asdict(each) for each in scores] for place, scores in told.items()}))


@app.command(epilog="Example: redhand lab score study")
def score(
    directory: Annotated[Path, typer.Argument(metavar="STUDY", help="A study that `redhand lab run` made.", show_default=False)],
    as_json: AsJSON = False,
) -> None:
    """Hold the verdicts in a lab's study against the truth again, as after a change of rules."""
    from dataclasses import asdict  # noqa: PLC0415

    from porosity import study  # noqa: PLC0415
    from porosity.lab import run as runs  # noqa: PLC0415

    scores = runs.again(study.open(directory))
    if as_json:
        print(json.dumps([asdict(each) for each in scores]))
    else:
        _show(_console(), scores)


def _show(out: Console, scores: list[Score]) -> None:
    for each in scores:
        if not each.trials:
            continue  # the rules are not meant for anything in it
        out.print(f"\n[bold]{each.rules}[/bold]: {each.trials:,} verdicts")
        table = _table("", "so", "told", "right", "precision", "recall")
        for state, counts in each.states.items():
            table.add_row(state, *(str(counts[key]) for key in ("were", "told", "right")), _share(counts["precision"]), _share(counts["recall"]))
        out.print(table)
        if each.planted:
            out.print(f"planted: {each.found} of {each.found + each.missed} ways found; leaks that are none: {len(each.false_leaks)}")
        for row in each.planted:
            missed = [vector for vector, ways in row["vectors"].items() if not ways["told"]]
            if missed:
                out.print(f"  [red]missed[/red] {row['resolver']}, {row['leak']}: {', '.join(missed)}")
        for row in each.false_leaks[:SHOWN]:
            out.print(f"  [red]false leak[/red] {row['resolver']}, {row['vector']}: {row['trials']} trials")
        for row in each.wrong[:SHOWN]:
            out.print(
                f"  [yellow]wrong[/yellow] {row['resolver']}, {row['vector']}, {row['rule']}: {row['was']}, said {row['said']} ({row['trials']})"
            )
        if len(each.wrong) > SHOWN:
            out.print(f"  and {len(each.wrong) - SHOWN} more")
        table = _table("rule", "state", "decided", "right", "wrong", "precision (95 %)")
        for rule in each.by_rule:
            interval = f"{_share(rule.precision[0])} ({_share(rule.precision[1])} to {_share(rule.precision[2])})" if rule.precision else "-"
            table.add_row(rule.id, rule.state, *map(str, (rule.decided, rule.right, rule.wrong)), interval)
        out.print(table)


def _share(value: Any) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"


def _console() -> Console:
    from rich.console import Console  # noqa: PLC0415

    return Console(soft_wrap=True, highlight=False)


def _grid() -> Any:
    from rich.table import Table  # noqa: PLC0415

    return Table.grid(padding=(0, 2))


def _table(*titles: str) -> Any:
    from rich.table import Table  # noqa: PLC0415

    table = Table(box=None, padding=(0, 1), pad_edge=False)
    for title in titles:
        table.add_column(title)
    return table
