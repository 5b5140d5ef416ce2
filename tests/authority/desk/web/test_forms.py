"""Every step that a person may take has its place on a page, and every word of these pages its French."""

from __future__ import annotations

import re
from importlib import resources

from authority.desk import procedure, states
from authority.desk.procedure import Procedure
from authority.desk.roles import ROLES, Actor
from authority.desk.web import acts, case, evidence, forms, labels, orders, shown, writing
from authority.desk.web.language import catalogue

PEOPLE = [Actor(role, frozenset({role}), number) for number, role in enumerate(ROLES, 1)]


def test_every_step_that_a_person_may_take_has_a_form_or_another_page() -> None:
    able = {step for state in states.STATES for person in PEOPLE for step in states.open_to(state, person)}
    assert able <= set(forms.FORMS) | set(forms.ELSEWHERE)
    assert set(forms.FORMS) | set(forms.ELSEWHERE) <= set(states.STEPS)
    assert not set(forms.FORMS) & set(forms.ELSEWHERE)
    assert set(acts._ACTS) == set(forms.FORMS)


def test_every_state_step_and_clock_has_a_name() -> None:
    assert set(labels.STATES) == set(states.STATES) == {state for phase in labels.PHASES.values() for state in phase}
    assert set(labels.STEPS) == set(states.STEPS)
    default: Procedure = procedure.load(procedure.DEFAULT)
    assert set(default.clocks) == set(labels.CLOCKS)


def texts() -> set[str]:
    written = writing.parts({}, "en")
    tables = (
        labels.STATES, labels.QUEUES, labels.STEPS, labels.CLOCKS, labels.ORDERS, labels.ORDER_STATES, labels.GUARDS, labels.SOURCES,
        labels.FOUND_BY, labels.CHOICES, labels.DETAILS, labels.WHO, shown.MISSING, case.DONE, orders.DONE, evidence.DONE,
    )  # fmt: skip
    found = {text for table in tables for text in table.values()} | set(labels.PHASES) | set(written)
    found |= {text for pair in shown.DRAFTS.values() for text in pair}
    found |= {text for form in forms.FORMS.values() for text in (form.title, form.says, form.why, form.button)}
    fields = [field for form in forms.FORMS.values() for field in form.fields] + [field for part in written.values() for field in part]
    return found | {text for field in fields for text in (field.label, field.hint)}


def in_templates() -> set[str]:
    """Texts that macros of these templates translate, which stand in their calls."""
    names = ("case", "case_order", "evidence", "order", "forms")
    folder = resources.files("authority.desk.web").joinpath("templates")
    calls = [call for name in names for call in re.findall(r"(?:act|why)\((.*)\)", folder.joinpath(f"{name}.html").read_text())]
    return {text for call in calls for text in re.findall(r'"([A-Z][^"]*)"', call)}


def test_every_text_has_its_french() -> None:
    assert (texts() | in_templates()) - {""} <= set(catalogue("fr"))
