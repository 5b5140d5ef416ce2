"""The table of states and steps itself."""

from __future__ import annotations

import pytest

from authority.desk import states
from authority.desk.errors import BadField, Conflict, Forbidden
from authority.desk.roles import Actor
from authority.desk.states import CLOSED, STATES, STEPS
from tests.authority.desk.cases.house import PUBLIC


@pytest.mark.parametrize("step", sorted(STEPS))
def test_every_step_needs_who_and_why_and_its_details(step: str) -> None:
    """The table itself: nobody without a role, nothing without why, nothing without its details, and only from its states."""
    found = STEPS[step]
    state = min(found.sources)
    able = {"clock": Actor("clock"), "log": Actor("log"), "public": PUBLIC}.get(
        found.doers[0], Actor("x", frozenset({"clerk", "officer", "reviewer"}), 1)
    )
    details = dict.fromkeys(found.needs, "x")
    assert states.check(state, step, able, "so", details) == (found.target or state)
    for nobody in (Actor("x", frozenset({"administrator", "auditor", "operator"}), 1), Actor("x", frozenset(), 1), Actor("setup")):
        with pytest.raises(Forbidden):
            states.check(state, step, nobody, "so", details)
    for why in ("", "  ", "\n"):
        with pytest.raises(BadField):
            states.check(state, step, able, why, details)
    for name in found.needs:
        with pytest.raises(BadField):
            states.check(state, step, able, "so", {**details, name: ""})
    for other in set(STATES) - found.sources:
        with pytest.raises(Conflict):
            states.check(other, step, able, "so", details)


def test_a_person_cannot_call_themselves_clock_or_public() -> None:
    for name in ("clock", "log", "public", "flagger:x"):
        with pytest.raises(Forbidden):
            states.check("requested", "deadline_passed", Actor(name, frozenset({"officer"}), 1), "so", {})
        assert "refer" not in states.open_to("received", Actor(name, frozenset({"auditor"}), 1))


def test_reasons_are_plain_text() -> None:
    officer = Actor("x", frozenset({"officer"}), 1)
    for bad in ("a\x00b", "a\ud800b", "a\u202eb", "x" * 20_001):
        with pytest.raises(BadField):
            states.check("received", "note", officer, bad, {})


def test_every_state_can_be_left_and_closed() -> None:
    """From every state a closed one can be reached: no case stands forever."""
    ways = {state: {step.target for step in STEPS.values() if state in step.sources and step.target} for state in STATES}
    for state in STATES:
        reached, new = set(), {state}
        while new:
            reached |= new
            new = {target for each in new for target in ways[each]} - reached  # type: ignore[index]
        assert reached & CLOSED, state
