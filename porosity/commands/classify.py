"""`redhand porosity classify`: makes verdicts of what was observed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from porosity.classify import Summary
    from porosity.rules.facts import Known

OURS = "red-hand-2"


def command(
    directory: Annotated[Path, typer.Argument(metavar="STUDY", help="The study's directory.", show_default=False)],
    landing: Annotated[
        list[str] | None, typer.Option("--landing", metavar="ADDRESS", help="Where blocked visitors are led: the page's address.", show_default=False)
    ] = None,
    fingerprints: Annotated[
        Path | None, typer.Option("--fingerprints", metavar="FILE", help="CSV of fingerprints of block pages (blocking-fingerprints).")
    ] = None,
    networks: Annotated[
        Path | None, typer.Option("--networks", metavar="FILE", help="CSV of prefix,asn,organisation, for rules that compare networks.")
    ] = None,
    rules: Annotated[
        list[str] | None,
        typer.Option("--rules", metavar="NAME", help="red-hand-2 (default), ooni-0.4, ooni-0.5, ooni-backend, or all.", show_default=False),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for a machine.")] = False,
) -> None:
    """Judge what was observed: blocked, down, ok or insufficient, each by a numbered rule that keeps its evidence.

    Verdicts that stood are replaced; observations are only read. A page that is not named is found by its answers, if it is one for three domains.
    """
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import Progress  # noqa: PLC0415

    from porosity import classify, study  # noqa: PLC0415

    opened = study.open(directory)
    known, given = _known(landing or [], fingerprints, networks)
    chosen = list(classify.KNOWN) if rules and "all" in rules else rules or [OURS]
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as shown:
        task = shown.add_task("judging", total=opened.plan.made * len(opened.vantages()))
        made = classify.run(opened, known, chosen, given, lambda done: shown.update(task, completed=done))
    if as_json:
        print(json.dumps([_facts(each) for each in made]))
        return
    _show(made, known)
    print(f"next: redhand porosity estimate {directory}")


def _known(landing: list[str], fingerprints: Path | None, networks: Path | None) -> tuple[Known, dict[str, Any]]:
    from porosity import networks as tables  # noqa: PLC0415
    from porosity.interchange import fingerprints as prints  # noqa: PLC0415
    from porosity.rules import facts  # noqa: PLC0415

    given: dict[str, Any] = {}
    table = tables.read(networks) if networks else None
    if table is not None and networks is not None:
        given["networks_file"] = {"name": networks.name, "sha256": table.sha256}
    pages: Mapping[bytes, str] = {}
    if fingerprints is not None:
        found = prints.read(fingerprints)
        pages = prints.addresses(found.rows)
        given["fingerprints_file"] = {"name": fingerprints.name, "sha256": found.sha256}
    return facts.Known(facts.packed(landing), pages, table), given


def _facts(summary: Summary) -> dict[str, Any]:
    return {"rules": summary.rules, "trials": summary.trials, "states": dict(summary.states), "by_rule": dict(sorted(summary.by_rule.items()))}


def _show(made: list[Summary], known: Known) -> None:
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    from porosity import classify  # noqa: PLC0415

    out = Console(soft_wrap=True, highlight=False)
    table = Table("rules", "trials", "blocked", "ok", "down", "insufficient", box=None, padding=(0, 2, 0, 0))
    for each in made:
        table.add_row(each.rules, f"{each.trials:,}", *(f"{each.states[state]:,}" for state in ("blocked", "ok", "down", "insufficient")))
    out.print(table)
    said = {rule.id: rule for rule in classify.KNOWN[made[0].rules]().rules}
    table = Table("rule", "trials", "state", "because", box=None, padding=(0, 2, 0, 0))
    for rule, count in sorted(made[0].by_rule.items()):
        table.add_row(rule, f"{count:,}", said[rule].state, said[rule].says)
    out.print(table)
    if not known.landing and made[0].states["blocked"]:
        out.print("[yellow]note:[/yellow] without --landing nobody can say whether blocks led to the page")
