"""Whole runs of a scenario: up, plan, probe, down; then what was so is written into the study, to score classifiers by."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from porosity import classify, networks, study
from porosity.lab import score
from porosity.lab.addresses import LANDING, NETWORKS
from porosity.lab.internet import Internet
from porosity.lab.lab import Lab
from porosity.lab.loopback import Loopback
from porosity.lab.places import LabError
from porosity.lab.scenario import Scenario, parse
from porosity.lab.score import Score
from porosity.rules.facts import Known, packed
from porosity.study import Study

SCENARIO = "scenario.json"
NETWORKS_FILE = "networks.csv"


def make(scenario: Scenario, seed: int, directory: Path) -> Lab:
    """The lab of a scenario, not up yet."""
    return Internet(scenario, seed, directory) if scenario.form == "internet" else Loopback(scenario, seed, directory)


def measure(scenario: Scenario, seed: int, directory: Path, said: Callable[[str], None] = lambda text: None) -> Study:
    """Measures a scenario from the beginning, into a new study; the lab's files stand in `lab/` of it.

    Raises LabError where the directory holds a study, or the lab contradicts itself.
    """
    if (directory / study.PLAN).exists() or (directory / score.FOLDER).exists():
        raise LabError(f"{directory} holds a study, or what one left that was stopped; name a directory that is not there")
    with make(scenario, seed, directory / score.FOLDER) as lab:
        said(f"{scenario.id}, seed {seed}: {len(lab.servers)} resolvers are up")
        planned = lab.plan(directory)
        said(f"{planned.study.plan.made:,} trials are planned")
        lab.probe(directory)
    tell(scenario, lab, planned.study)
    said("probed; what was so is written down")
    return planned.study


def tell(scenario: Scenario, lab: Lab, made: Study) -> None:
    """Writes what was so into a study that was measured in a lab, and the scenario with it. Raises LabError."""
    document = {key: value for key, value in asdict(scenario).items() if key != "id"}
    (lab.directory / SCENARIO).write_text(json.dumps({scenario.id: document}, indent=1) + "\n", encoding="utf-8")
    score.tell(made, lab.world, lab.directory, rough={id for id, each in scenario.resolvers.items() if each.line is not None})


def judge(scenario: Scenario, made: Study) -> list[Score]:
    """Classifies a lab's study by all rules there are, which know the page and whose networks are whose, and scores each. Raises LabError."""
    table = made.directory / score.FOLDER / NETWORKS_FILE
    lines = ["prefix,asn,organisation", *(f"{prefix},{number},{name}" for prefix, (number, name) in NETWORKS.items())]
    table.write_text("\n".join(lines) + "\n", encoding="utf-8")
    classify.run(made, Known(landing=packed(LANDING), networks=networks.read(table)), list(classify.KNOWN))
    return _scored(made, scenario)


def again(made: Study) -> list[Score]:
    """Scores the verdicts that stand in a lab's study. Raises LabError for a study that is not a lab's."""
    path = made.directory / score.FOLDER / SCENARIO
    if not path.exists():
        raise LabError(f"{made.directory} is not a lab's study; redhand lab run makes one")
    ((id, document),) = json.loads(path.read_text(encoding="utf-8")).items()
    scenario = parse(document, id)
    return _scored(made, scenario)


def _scored(made: Study, scenario: Scenario) -> list[Score]:
    scores = [score.score(made, rules, scenario) for rules in classify.KNOWN if rules in made.classifications()]
    score.save(made, scores)
    return scores
