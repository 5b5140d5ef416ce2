"""Which ways round a block are open at which resolver: `python -m bench.matrix`. Red Hand and all peers installed, with the same orders, on loopback.

Each peer runs with the settings by which its manual lets it block best, some again with the list alone, and two with a program of ours in them
(`porosity/matrix/peers.py`). All ask one upstream; two recursors that block nothing are the controls. What leaked is told by the lab's zones, not by
a rule: each answer for a name that an order covers is held against the target's own records. The record has the table, why each way is open, every
configuration, and the plan, from whose seed all is repeated.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from bench import machine
from bench.servers import REDHAND, version_in
from porosity.lab.addresses import LANDING
from porosity.lab.scenario import Counts
from porosity.lab.world import World
from porosity.matrix import house, results
from porosity.matrix.house import RED_HAND, House
from porosity.matrix.peers import Form, Peer
from porosity.matrix.results import Row
from porosity.study import Study

RECORD = Path(__file__).parent / "record"
NAMES = Counts(apex=5, deep=3, exact=3, signed=2, canaries=3, neighbours=20)
REPEATS, SEED = 3, 20
FORMS: dict[Form, str] = {"best": "At their best", "plain": "As one gets them by the list alone", "script": "With a program of ours in them"}
KEPT = (".conf", ".lua", ".zone", ".json", ".yaml")
"""Files of a configuration, by how they end; scratch, keys and logs are not."""


def run(
    out: Annotated[Path | None, typer.Option(help="Folder for the record, instead of bench/record/DATE-matrix.")] = None,
    study: Annotated[Path | None, typer.Option(help="Keep the study here, to look into it; else it goes with the scratch.")] = None,
    seed: int = SEED,
    repeats: int = REPEATS,
) -> None:
    """Measure it and write a record; ends with status 1 when any way is open at Red Hand. Takes three minutes on a calm machine."""
    found, missing = house.installed()
    with tempfile.TemporaryDirectory(prefix="redhand-matrix-") as scratch:
        made = study or Path(scratch) / "study"
        with House(found, NAMES, house.FAMILIES, repeats, seed, Path(scratch) / "lab") as lab:
            planned = lab.plan(made)
            print(f"{len(lab.servers)} resolvers are up; {planned.study.plan.made:,} trials", flush=True)
            lab.probe(made)
            if dead := lab.dead():
                raise machine.BenchError(f"ended meanwhile: {dead}")
        rows = write(planned.study, lab.world, Path(scratch) / "lab", found, missing, out)
    if rows[RED_HAND].open:
        raise typer.Exit(1)


def write(study: Study, world: World, lab: Path, found: list[Peer], missing: list[Peer], out: Path | None) -> dict[str, Row]:
    """Judges what was measured, and writes the record. `lab`: the lab's directory."""
    day = datetime.now(UTC).date().isoformat()
    folder = out or RECORD / f"{day}-matrix"
    folder.mkdir(parents=True, exist_ok=True)
    rows = results.judge(study, world, LANDING)
    _configurations(lab, [RED_HAND, *(each.id for each in found)], folder / "configurations")
    shutil.copyfile(study.directory / "plan.json", folder / "plan.json")
    versions = {
        RED_HAND: version_in(machine.output((*REDHAND, "--version"))),
        **{each.id: version_in(machine.output(each.version)) for each in found},
    }
    plan = study.plan
    whole: dict[str, Any] = {
        "date": day, "machine": machine.facts(), "load": os.getloadavg()[0], "seed": plan.seed, "repeats": plan.repeats,
        "plan": plan.id, "trials": plan.made,
        "names": asdict(NAMES), "versions": versions, "missing": [each.id for each in missing],
        "peers": [house.described(each) for each in found],
        "resolvers": {id: asdict(row) | {"open": list(row.open)} for id, row in rows.items()},
    }  # fmt: skip
    (folder / "result.json").write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
    text = _table(whole, rows, found)
    (folder / "table.md").write_text(text, encoding="utf-8")
    print(text)
    return rows


def _configurations(lab: Path, ids: list[str], folder: Path) -> None:
    """Copies what each was told, with `$DIR` where the scratch stood."""
    shutil.rmtree(folder, ignore_errors=True)
    for id in ids:
        (folder / id).mkdir(parents=True)
        for file in sorted((lab / id).iterdir()):
            if file.is_file() and file.suffix in KEPT:
                text = file.read_text(encoding="utf-8").replace(str(lab / id), "$DIR").replace(str(lab), "$LAB")
                (folder / id / file.name).write_text(text, encoding="utf-8")


def _table(whole: dict[str, Any], rows: dict[str, Row], peers: list[Peer]) -> str:
    facts = whole["machine"]
    titles = {RED_HAND: "Red Hand", **{each.id: each.title for each in peers}}
    by_id = {each.id: each for each in peers}
    names = whole["names"]
    orders = names["apex"] + names["deep"] + names["exact"] + names["signed"]
    lines = [
        f"# Ways round a block, {whole['date']}\n",
        f"{facts['processor']}, {facts['cores']} cores; {facts['kernel']}; Python {facts['python']}; revision {facts['revision']}.",
        f"{whole['trials']:,} trials, controls' among them: {orders} orders, {whole['repeats']} repeats, seed {whole['seed']},"
        f" plan {whole['plan'][:12]}.",
        "A way is a vector (docs/vectors.md) by which a covered name had something to leak. The first lines of `bench/matrix.py`"
        " say how it is measured, docs/matrix.md how each peer is configured, and why.",
    ]
    for form, title in FORMS.items():
        some = {id: row for id, row in rows.items() if (by_id[id].form if id in by_id else "best") == form}
        lines += [f"\n## {title}\n", *results.summary(some, titles, whole["versions"])]
        lines += ["\nOpen ways, as leaks/trials; `·` closed, `-` nothing to leak or not spoken there.\n", *results.table(some, titles)]
    lines += [
        "\nPage reached is of blocks with an address question; Red Hand leads nobody there who asks with edns-structured: a browser that"
        " shows the reason itself. What peers leak from their caches depends on what was asked before, here in the plan's order.",
        "\n## Why ways are open\n",
        *_reasons(rows, by_id),
        "\n## Signals that reach the client\n",
    ]
    lines += [f"- {titles[id]}: {', '.join(vector for vector, came in sorted(row.signals.items()) if came) or 'none'}" for id, row in rows.items()]
    differ = sum(row.differ for row in rows.values())
    lines.append(f"\nOur rules and the zones disagree on a leak in {differ} trials.")
    if whole["missing"]:
        lines.append(f"Not installed, not measured: {', '.join(whole['missing'])}.")
    return "\n".join(lines) + "\n"


def _reasons(rows: dict[str, Row], by_id: dict[str, Peer]) -> list[str]:
    """For each peer what it is told, and each way that is open at it, with its reason."""
    lines = []
    for id, peer in by_id.items():
        ways: dict[str, list[str]] = {}
        for vector in rows[id].open:
            ways.setdefault(peer.reason(vector) or ("" if peer.form == "plain" else "We do not know why."), []).append(vector)
        lines.append(f"- **{peer.title}**" + (f", told {peer.told}" if peer.told else "") + ":" + ("" if ways else " no way is open."))
        lines += [f"  - {', '.join(some)}{': ' + why if why else ', by default.'}" for why, some in ways.items()]
        if peer.remark:
            lines.append(f"  - {peer.remark}")
    return lines


if __name__ == "__main__":
    typer.run(run)
