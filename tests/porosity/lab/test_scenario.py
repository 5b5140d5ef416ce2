"""Scenarios: those that come with the lab are sound, and a mistake is named with its place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from porosity import vectors
from porosity.lab import scenario
from porosity.lab.planted import LEAKS
from porosity.lab.scenario import BadScenario, Scenario, parse
from porosity.lab.watch import VECTORS
from porosity.planning import select

RESOLVERS = {"provider": {"role": "tested", "block": "landing"}, "one": {"role": "control"}, "two": {"role": "control"}}


@pytest.mark.parametrize("id", scenario.known())
def test_every_scenario_of_the_lab_can_be_read_and_its_vectors_are_known(id: str) -> None:
    found = scenario.find(id)
    assert found.about.endswith(".")
    assert select([str(scenario.FOLDER / each) if each.endswith(".py") else each for each in found.vectors]) or not found.vectors


@pytest.mark.parametrize(
    ("document", "says"),
    [
        (
            {"resolvers": RESOLVERS | {"provider": {"role": "tested", "block": "landing", "leaks": ["type-64"]}}},
            "provider, leaks: there is no type-64",
        ),
        ({"resolvers": RESOLVERS | {"provider": {"role": "tested", "program": "red-hand", "leaks": ["tcp"]}}}, "only a scripted resolver"),
        ({"resolvers": RESOLVERS | {"provider": {"role": "tested", "leaks": ["tcp"]}}}, "leaks and blocks nothing"),
        ({"resolvers": RESOLVERS | {"provider": {"block": "landing"}}}, "provider has no role"),
        ({"resolvers": {"provider": RESOLVERS["provider"], "one": {"role": "control"}}}, "two must be controls"),
        ({"resolvers": RESOLVERS | {"provider": {"role": "tested", "transports": ["doh"]}}}, "scripted does not speak doh"),
        ({"resolvers": RESOLVERS | {"provider": {"role": "tested", "program": "unbound", "transports": ["doq"]}}}, "unbound does not speak doq"),
        ({"resolvers": RESOLVERS, "names": {"apex": -1}}, "names, apex: -1"),
        ({"resolvers": RESOLVERS, "clock": [9, 3]}, "clock: [9, 3]"),
        ({"resolvers": RESOLVERS | {"provider": {"role": "tested", "program": "red-hand", "feed": True}}}, "needs a host of its own"),
        ({"resolvers": RESOLVERS | {"provider": {"role": "tested", "loses": 95}}}, "provider, loses: 95"),
        ({"resolvers": RESOLVERS, "form": "cloud"}, "form: 'cloud'"),
        ({"resolvers": RESOLVERS, "repeat": 3}, "there is no repeat"),
        ([], "is no mapping"),
    ],
)
def test_a_mistake_is_named_with_its_place(document: Any, says: str) -> None:
    with pytest.raises(BadScenario) as raised:
        parse(document, "mine")
    assert says in str(raised.value)
    assert "mine" in str(raised.value)


def test_a_scenario_of_ones_own_is_found_by_its_file(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("about: Mine.\nresolvers:\n  r: {role: tested}\n  a: {role: control}\n  b: {role: control}\n")
    assert scenario.find(str(tmp_path / "mine.yaml")).id == "mine"
    with pytest.raises(BadScenario, match="there is no scenario 'mine'"):
        scenario.find("mine")


_plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(["tested", "control", "landing", "type-65", "udp"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["about", "names", "vectors", "repeats", "resolvers", "clock", "form", "role", "block", "leaks", "transports", "apex"]),
            inner,
            max_size=6,
        )
    ),
    max_leaves=20,
)


@given(_plain)
def test_any_document_is_a_scenario_or_refused_with_a_word(document: Any) -> None:
    try:
        found: object = parse(document, "any")
    except BadScenario as error:
        found = error
    assert isinstance(found, Scenario) or "any" in str(found)


def test_what_leaks_open_are_vectors_that_there_are() -> None:
    known = {each.id for each in (*vectors.ALL, *VECTORS)}
    assert {each for leak in LEAKS.values() for each in leak.opens} <= known
