"""The lab on loopback from end to end, as its users have it: up, measured, classified, scored, down."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import dns.message
import dns.query
import psutil
import pytest
import yaml

from porosity import study as studies
from porosity.lab import hold, run, score
from porosity.lab.loopback import MOST, Loopback
from porosity.lab.places import LabError
from porosity.lab.scenario import find, parse
from porosity.lab.world import make
from tests.tools import require, wait_for

SEED = 3


def _start(*words: str, place: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "XDG_RUNTIME_DIR": str(place)}
    command = [sys.executable, "-m", "redhand", "lab", *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def _lab(*words: str, place: Path) -> subprocess.CompletedProcess[str]:
    with _start(*words, place=place) as process:
        said, complained = process.communicate(timeout=120)
        return subprocess.CompletedProcess(process.args, process.returncode, said, complained)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("lab")
    done = _lab("run", "small", str(place / "study"), "--seed", str(SEED), "--json", place=place)
    assert done.returncode == 0, done.stderr
    (place / "said.json").write_text(done.stdout)
    return place / "study"


def _scores(study: Path) -> dict[str, dict[str, Any]]:
    ((_, found),) = json.loads((study.parent / "said.json").read_text()).items()
    return {each["rules"]: each for each in found}


def test_every_planted_leak_is_found_and_no_false_one(study: Path) -> None:
    ours = _scores(study)["red-hand-2"]
    assert {(each["resolver"], each["leak"]) for each in ours["planted"]} == {
        ("provider", "type-65"), ("provider", "tcp"), ("provider", "cname-cloak"), ("provider", "over-parent"),
    }  # fmt: skip
    assert all(each["vectors"] for each in ours["planted"])
    assert (ours["missed"], ours["false_leaks"], ours["wrong"]) == (0, [], [])
    assert ours["states"]["ok"]["precision"] == ours["states"]["blocked"]["precision"] == 1.0


def test_oonis_rules_are_scored_on_the_same_observations(study: Path) -> None:
    found = _scores(study)
    assert {"ooni-0.4", "ooni-0.5", "ooni-backend"} <= set(found)
    for rules in ("ooni-0.4", "ooni-0.5", "ooni-backend"):
        assert found[rules]["missed"] > 0  # of HTTPS records they judge nothing


def test_a_study_of_the_lab_can_be_scored_again(study: Path) -> None:
    done = _lab("score", str(study), "--json", place=study.parent)
    assert json.loads(done.stdout)[0] == _scores(study)["red-hand-2"]
    assert _lab("run", "small", str(study), place=study.parent).returncode != 0  # it is not measured over


def test_a_lab_that_contradicts_itself_scores_nobody(study: Path, tmp_path: Path) -> None:
    opened = studies.open(study)
    deeds = study / score.FOLDER / "provider" / "deeds.jsonl"
    (tmp_path / "provider").mkdir()
    lines = [json.loads(line) for line in deeds.read_text().splitlines()]
    for line in lines:
        line["data"] = not line["data"]
    (tmp_path / "provider" / "deeds.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(LabError, match="contradicts itself"):
        score.tell(opened, make(find("small"), SEED), tmp_path)


def test_the_same_seed_asks_the_same(tmp_path: Path) -> None:
    ids = []
    for number in (1, 2):
        with Loopback(find("small"), SEED, tmp_path / str(number)) as lab:
            planned = lab.plan(tmp_path / f"study-{number}", vectors=("type-a",)).study
            ids.append((planned.plan.names_sha256, planned.plan.seed, lab.world.orders))
    assert ids[0] == ids[1]


def test_a_lab_stays_up_until_it_is_ended_and_a_killed_one_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    with _start("up", "small", "--json", place=tmp_path) as up:
        directory = hold.root() / "small"
        wait_for((directory / hold.LOG).exists, "a lab that is being brought up")
        while up.poll() is None:  # however long that takes, whoever looks meanwhile leaves it alone
            os.utime(directory, (0, 0))
            hold.running()
        said, complained = up.communicate()
    assert up.returncode == 0, complained
    facts = json.loads(said)
    address, _, port = facts["resolvers"]["tight"]["endpoints"][0].rpartition(":")
    asked = dns.message.make_query(next(iter(facts["orders"])), "A")
    assert dns.query.udp(asked, address, 5, int(port)).rcode() == 3
    assert _lab("up", "small", place=tmp_path).returncode != 0
    assert set(hold.running()) == {"small"}
    children = psutil.Process(facts["holder"]).children(recursive=True)
    assert children
    os.kill(facts["holder"], signal.SIGKILL)
    wait_for(lambda: not any(each.is_running() and each.status() != psutil.STATUS_ZOMBIE for each in children), "the end of the lab's programs")
    # They die with the holder's thread that started them, and its lock goes when its last thread has ended: an instant later.
    wait_for(lambda: hold.running() == {}, "the end of the lab")
    assert not list(hold.root().iterdir())
    assert "no lab small is up" in _lab("down", "small", place=tmp_path).stderr


def test_a_lab_that_did_not_come_up_can_be_tried_again_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    mad = tmp_path / "mad.yaml"
    controls = {f"control-{number}": {"role": "control"} for number in range(MOST)}
    mad.write_text(yaml.safe_dump({"resolvers": {"ours": {"role": "tested"}, **controls}}))
    for _ in range(2):
        with pytest.raises(LabError, match=r"did not come up(.|\n)*at most 60"):
            hold.up("mad", str(mad), SEED)
    assert hold.running() == {}
    assert not list(hold.root().iterdir())


def test_red_hand_and_unbound_have_a_place_in_it(tmp_path: Path) -> None:
    require("unbound")
    scenario = parse(
        {
            "about": "Red Hand between two that do not block.",
            "names": {"apex": 1, "deep": 0, "exact": 0, "signed": 0, "canaries": 1, "neighbours": 0},
            "vectors": ["type-a", "type-https", "name-random", "transport-tcp"],
            "resolvers": {
                "ours": {"role": "tested", "program": "red-hand"},
                "open": {"role": "control", "program": "unbound"},
                "two": {"role": "control"},
            },
        },
        "real",
    )
    study = run.measure(scenario, SEED, tmp_path / "study")
    ours = run.judge(scenario, study)[0]
    assert ours.states["blocked"]["right"] == 4
    assert (ours.false_leaks, ours.wrong) == ([], [])
