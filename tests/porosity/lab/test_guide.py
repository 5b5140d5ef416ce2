"""docs/lab.md has every key and every leak there is, and its example runs as it stands."""

from __future__ import annotations

import textwrap
from dataclasses import fields
from pathlib import Path

import yaml

from porosity.lab.planted import LEAKS
from porosity.lab.scenario import Counts, Machine, Scenario, parse

GUIDE = (Path(__file__).resolve().parents[3] / "docs" / "lab.md").read_text(encoding="utf-8")


def test_every_key_and_leak_is_in_the_guide() -> None:
    rows = {line.split("|")[1].strip().strip("`"): line for line in GUIDE.splitlines() if line.startswith("| `")}
    assert {each.name for each in (*fields(Machine), *fields(Scenario)) if each.name != "id"} <= set(rows)
    assert all(f"`{each.name}`" in rows["names"] for each in fields(Counts))
    for leak in LEAKS.values():
        assert rows[leak.id] == f"| `{leak.id}` | {leak.about} | {', '.join(f'`{vector}`' for vector in leak.opens)} |"


def test_the_guides_scenario_is_one() -> None:
    begin = GUIDE.index("    about:")
    text = textwrap.dedent(GUIDE[begin : GUIDE.index("\n\n", begin)])
    assert parse(yaml.safe_load(text), "mine").resolvers["mine"].leaks == ("type-65",)
