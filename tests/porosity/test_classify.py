"""Verdicts of studies on disk: what is learned of all observations together, what is written, and that it is the same each time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from porosity import classify, cli, database, learning, names, parts, study
from porosity.journal import Journal
from porosity.rules.facts import Known, Learned, Orders, packed
from porosity.study import Study
from porosity.words import Name
from tests.porosity import said

LISTED = [names.make(f"{label}.example", "listed", list="own", match="subtree") for label in ("one-site", "two-site", "three-site", "four-site")]
TARGET = "NOERROR; A 198.51.100.{}"
PAGE = "NOERROR; A 192.0.2.80"


def kept(
    directory: Path, ours: str = PAGE, lies: str = "", honest: str = TARGET, vantages: tuple[str, ...] = ("local",), listed: list[Name] = LISTED
) -> Study:
    """A study of type A whose tested resolver says this for listed names, and whose control `two` says `lies` for all names, canaries too."""
    heard: dict[tuple[str, str, str], list[str]] = {}
    for place, name in enumerate(listed, 1):
        text = name.name.to_text(omit_final_dot=True)
        truth = honest.format(place)
        heard |= {(text, "type-a", each): [says] for each, says in (("ours", ours), ("one", truth), ("two", lies or truth))}
    if lies:
        heard["free.example", "type-a", "two"] = [lies]
    plan, arranged, rows = said.study_of(["type-a"], listed, heard, repeats=2)
    made = study.create(directory, plan, arranged)
    for vantage in vantages:
        with Journal(made, vantage) as journal:
            # In an order as random as the probe's.
            for number in sorted(rows, key=lambda each: each * 7919 % plan.trials):
                journal.append(rows[number])
            journal.seal()
    return made


def verdicts(made: Study, rules: str = "red-hand-2") -> list[dict[str, Any]]:
    folder = made.classification(rules)
    return [row for number in parts.numbers(folder) for row in pq.read_table(folder / parts.name(number)).to_pylist()]


def learned(made: Study) -> Learned:
    return learning.learn(made, "local", Known(), Orders(made.names))


def test_verdicts_stand_on_disk_with_their_rules_and_evidence(tmp_path: Path) -> None:
    made = kept(tmp_path / "s", vantages=("home", "office"))
    (summary,) = classify.run(made, Known(packed(["192.0.2.80"])))
    rows = verdicts(made)
    assert len(rows) == summary.trials == 2 * made.plan.trials
    assert [row["trial"] for row in classify.read(made, "red-hand-2", "office")] == list(range(made.plan.trials)), "in order"
    ours = [row for row in rows if row["resolver"] == "ours" and row["covered"]]
    assert {(row["rule"], row["state"], row["landing"], row["ede"]) for row in ours} == {("R08", "blocked", True, False)}
    controls = [row for row in rows if row["resolver"] != "ours"]
    assert {row["state"] for row in controls} == {"ok"}
    for row in ours:
        evidence = json.loads(row["evidence"])
        assert evidence["got"] == {"rcode": "NOERROR", "has": ["192.0.2.80"]}
        assert set(evidence["controls"]) == {"one", "two"}
    about = json.loads((made.classification("red-hand-2") / classify.ABOUT).read_text())
    assert about["states"] == dict(sorted(summary.states.items()))
    assert {each["id"]: each["decided"] for each in about["list"] if each["decided"]} == summary.by_rule
    assert classify.landing(made) == ["192.0.2.80"]
    with database.connect(made) as asked:
        assert asked.sql("SELECT count(*) FROM classification WHERE rules = 'red-hand-2'").fetchall() == [(len(rows),)]


def test_the_same_observations_and_facts_give_the_same_and_replace_what_stood(tmp_path: Path) -> None:
    made = kept(tmp_path / "s")
    classify.run(made, Known(), list(classify.KNOWN))
    before = {rules: verdicts(made, rules) for rules in made.classifications()}
    assert set(before) == set(classify.KNOWN)
    classify.run(made, Known(packed(["192.0.2.80"])))
    assert {row["rule"] for row in verdicts(made) if row["resolver"] == "ours" and row["covered"]} == {"R08"}
    classify.run(made, Known(), list(classify.KNOWN))
    assert {rules: verdicts(made, rules) for rules in made.classifications()} == before
    assert not list(tmp_path.glob("s/.*")), "nothing is left beside"


def test_an_address_given_for_unrelated_domains_is_learned(tmp_path: Path) -> None:
    made = kept(tmp_path / "s", ours="NOERROR; A 203.0.113.99")
    assert learned(made) == Learned({"ours": packed(["203.0.113.99"])})
    classify.run(made, Known())
    assert {row["rule"] for row in verdicts(made) if row["resolver"] == "ours" and row["covered"]} == {"R30"}


@pytest.mark.parametrize("listed", [LISTED[:2], [names.make(f"{each}.one-site.example", "listed", list="own") for each in ("a", "b", "c", "d")]])
def test_two_domains_or_one_owner_s_names_teach_nothing(tmp_path: Path, listed: list[Name]) -> None:
    made = kept(tmp_path / "s", ours="NOERROR; A 203.0.113.99", listed=listed)
    assert not learned(made).unrelated
    classify.run(made, Known())
    assert {row["rule"] for row in verdicts(made) if row["resolver"] == "ours" and row["covered"]} == {"R24"}


def test_what_a_control_gives_too_is_a_shared_site_and_no_page(tmp_path: Path) -> None:
    heard: dict[tuple[str, str, str], list[str]] = {}
    for place, name in enumerate(LISTED, 1):
        text = name.name.to_text(omit_final_dot=True)
        shared = "NOERROR; A 203.0.113.99"
        heard |= {(text, "type-a", each): [says] for each, says in (("ours", shared), ("one", shared if place == 1 else TARGET.format(place)))}
        heard[text, "type-a", "two"] = [TARGET.format(place)]
    plan, arranged, rows = said.study_of(["type-a"], LISTED, heard)
    made = study.create(tmp_path / "s", plan, arranged)
    with Journal(made, "local") as journal:
        journal.append([row for number in sorted(rows) for row in rows[number]])
    assert learned(made) == Learned()


def test_where_controls_say_nothing_nothing_is_learned(tmp_path: Path) -> None:
    made = kept(tmp_path / "s", ours="NOERROR; A 203.0.113.99", honest="timeout")
    assert learned(made) == Learned()


def test_a_control_that_lies_at_canaries_is_not_believed(tmp_path: Path) -> None:
    made = kept(tmp_path / "s", ours="NXDOMAIN; EDE 16", lies="NOERROR; A 203.0.113.66")
    assert learned(made).liars == {"two"}
    classify.run(made, Known())
    told = {row["name"]: json.loads(row["evidence"]) for row in verdicts(made) if row["resolver"] == "ours" and row["covered"]}
    assert all(set(each["controls"]) == {"one"} for each in told.values())


def test_an_empty_study_and_unknown_rules_are_refused_and_change_nothing(tmp_path: Path) -> None:
    made = kept(tmp_path / "s", vantages=())
    with pytest.raises(classify.NothingObserved, match="porosity probe"):
        classify.run(made, Known())
    with pytest.raises(Exception, match="there are no rules 'guess'"):
        classify.run(made, Known(), ["guess"])
    assert made.classifications() == []


def test_the_command_judges_and_says_what_to_do_next(tmp_path: Path) -> None:
    made = kept(tmp_path / "s")
    run = CliRunner().invoke(
        cli.app, ["classify", str(made.directory), "--landing", "192.0.2.80", "--rules", "all", "--json"], catch_exceptions=False
    )
    told = json.loads(run.stdout)
    assert {each["rules"]: each["trials"] for each in told} == dict.fromkeys(classify.KNOWN, made.plan.trials)
    run = CliRunner().invoke(cli.app, ["classify", str(made.directory)], catch_exceptions=False)
    assert "without --landing" in run.stdout
    assert "next: redhand porosity estimate" in run.stdout


@pytest.mark.parametrize(("ours", "rule"), [("203.0.113.99", "R30"), ("198.51.100.99", "R24")])
def test_an_address_at_home_where_the_names_are_is_no_page_for_sure_and_no_leak(tmp_path: Path, ours: str, rule: str) -> None:
    """A content network's node, which controls are led to others of, looks like a page in the same network: neither is guessed."""
    made = kept(tmp_path / "s", ours=f"NOERROR; A {ours}")
    assert learned(made).doubtful == ({"ours": packed([ours])} if rule == "R24" else {})
    classify.run(made, Known())
    assert {row["rule"] for row in verdicts(made) if row["resolver"] == "ours" and row["covered"]} == {rule}


@pytest.mark.parametrize("fault", ["timeout", "SERVFAIL"])
@pytest.mark.parametrize(("of", "rule"), [(LISTED, "kept up"), (LISTED[:1], "once")])
def test_what_fails_in_each_repeat_is_a_block_and_what_fails_once_is_not(tmp_path: Path, fault: str, of: list[Name], rule: str) -> None:
    """Of four ordered names, in six repeats; or of one of them in one repeat."""
    listed = [name.name.to_text(omit_final_dot=True) for name in LISTED]
    heard = {(name, "type-a", each): [TARGET.format(place)] for place, name in enumerate(listed, 1) for each in ("ours", "one", "two")}
    plan, arranged, rows = said.study_of(["type-a"], LISTED, heard, repeats=6)
    failing = {name.name for name in of}
    for number in rows:
        trial = plan.trial(number)
        if arranged[trial.name].name in failing and trial.resolver == 0 and (rule == "kept up" or trial.repeat == 1):
            rows[number] = said.trial(plan, arranged, [said.vector("type-a")], number, [fault], rows[number][0].sent_at)
    made = study.create(tmp_path / "s", plan, arranged)
    with Journal(made, "local") as journal:
        journal.append([row for number in sorted(rows) for row in rows[number]])
    classify.run(made, Known(), list(classify.KNOWN))
    told = [row for row in verdicts(made) if row["resolver"] == "ours" and row["rule"] not in ("R06",)]
    wanted = {("timeout", "kept up"): "R26", ("timeout", "once"): "R04", ("SERVFAIL", "kept up"): "R27", ("SERVFAIL", "once"): "R28"}[fault, rule]
    assert {row["rule"] for row in told} == {wanted}
    assert len(told) == (24 if rule == "kept up" else 1)
    streaks = [json.loads(row["evidence"]).get("streak") for row in told]
    if rule == "kept up":
        assert all(each["of"] in ("vector", "name") and each["faults"] == each["asks"] == 6 and each["chance"] < 0.01 for each in streaks)
    covers = [{(row["vantage"], row["trial"]): row["covered"] for row in verdicts(made, rules)} for rules in classify.KNOWN]
    assert all(each == covers[0] for each in covers), "all rules are compared on the same trials"
