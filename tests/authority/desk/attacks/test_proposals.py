"""One person's proposal can harm nobody before a second has agreed: it hides nothing, breaks no page, and stops nothing while it is looked at."""

from __future__ import annotations

import json
import time

import pytest

from authority.desk import texts, wording
from authority.desk.errors import BadField
from authority.desk.people import tokens
from authority.desk.people.changes import changed
from tests.authority.desk.attacks.besieged import Besieged

WHY = "because it is so"


def test_one_proposal_breaks_no_page_of_all_of_them(house: Besieged) -> None:
    """A body of lists in lists, that nobody looked at, was kept, and the list of proposals could be written no more."""
    deep = "[" * 300 + "]" * 300
    for body in (f'{{"flagger": "alpha", "x": {deep}}}', f'{{"flagger": {deep}}}', '{"flagger": "alpha", "half": "x"}'):
        text = f'{{"kind": "flagger", "why": "x", "body": {body}}}'
        answer = house.program("administrator").post("/proposals", content=text, headers={"Content-Type": "application/json"})
        assert answer.status_code in (400, 422), answer.text
    assert house.ask("auditor", "GET", "/proposals") is not None
    house.by("auditor").get("/proposals")


@pytest.mark.parametrize("body", [{"login": "clerk", "subject": "x"}, {"login": "clerk", "half": "0" * 64}, {"login": "clerk", "role": "officer"}])
def test_a_reset_says_whose_and_nothing_more(house: Besieged, body: dict[str, str]) -> None:
    """With a subject beside it no half of a code was made, and who confirmed met a fault; a half of one's own choice would make both halves one's."""
    assert house.ask("administrator", "POST", "/proposals", 422, json={"kind": "reset", "body": body, "why": WHY})["field"] in body


def test_a_reset_ends_what_a_thief_has_made(house: Besieged) -> None:
    house.add("robbed", "clerk")
    house.add("administrator-2", "administrator")
    with house.desk.store.writing() as session:
        house.keys["robbed"] = tokens.make(session, house["robbed"], "the thief's", 300, house.now).token
        house.keys["administrator-2"] = tokens.make(session, house["administrator-2"], "own", 300, house.now).token
    house.ask("robbed", "GET", "/queues")
    made = house.ask("administrator", "POST", "/proposals", 201, json={"kind": "reset", "body": {"login": "robbed"}, "why": WHY})
    house.ask("administrator-2", "POST", f"/proposals/{made['proposal']['id']}/decision", json={"confirm": True})
    house.ask("robbed", "GET", "/queues", 401)
    assert house.by("robbed").http.get("/cases").status_code == 303


def test_what_would_change_is_shown_or_it_is_said_that_it_is_not(house: Besieged) -> None:
    """Behind two thousand lines that harm nobody one that does was not shown, and nothing said so."""
    body = "".join(f"name-{number}.example\n" for number in range(2500)) + "victim.example\n"
    made = house.ask(
        "officer", "POST", "/proposals", 201, json={"kind": "document", "body": {"kind": "popular", "body": body}, "why": WHY}
    )["proposal"]["id"]  # fmt: skip
    page = house.by("reviewer").get(f"/proposals/{made}")
    assert "victim.example" not in page
    assert "More would change than this page shows" in page
    whole = house.by("reviewer").http.get(f"/proposals/{made}/text")
    assert whole.text == body
    assert whole.headers["content-disposition"].startswith("attachment")
    assert house.by("operator").http.get(f"/proposals/{made}/text").status_code == 403


@pytest.mark.parametrize("sign", ["\u202e", "\0", "\u2066"])
def test_no_document_looks_otherwise_than_it_is(house: Besieged, sign: str) -> None:
    body = {"kind": "popular", "body": f"# {sign}elpmaxe.mitciv\nother.example\n"}
    house.ask("officer", "POST", "/proposals", 422, json={"kind": "document", "body": body, "why": WHY})


def test_no_list_is_so_chosen_that_to_compare_it_stops_the_desk() -> None:
    before = [f"name-{number}.example" for number in range(60_000)]
    after = [before[number ^ 1] for number in range(60_000)]
    began = time.process_time()
    found = list(changed(before, after))
    assert time.process_time() - began < 5
    assert sorted(each[1:] for each in found if each[0] == "+") == sorted(after)
    assert list(changed(["a", "b", "c"], ["a", "x", "c"]))[-4:] == [" a", "-b", "+x", " c"]


STOPPERS = (
    "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
    "{% for a in names %}{% for b in names %}{% endfor %}{% endfor %}",
    "{{ 'a' * 10 ** 9 }}",
    "{{ 9 ** 9 ** 9 }}",
    "{{ 'a'|center(10 ** 9) }}",
    "{{ '%0999999999d' % 1 }}",
    "{{ '%0999999999d'|format(1) }}",
    "{% set a = 'aaaaaaaa' %}{% set a = a ~ a %}{{ a }}",
    "{{ names|join('a')|join('aaaa') }}",
    "{{ lipsum(n=100000) }}",
    "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "{{ number.replace('', 'aaaa') }}",
    "{% include 'x' %}",
    "{% for a in names recursive %}{{ loop(names) }}{% endfor %}",
    "{{ ''.__class__.__mro__ }}",
    "{{ self.__init__.__globals__ }}",
    "{{ '{0.__class__}'.format(names) }}",
)


@pytest.mark.parametrize("template", STOPPERS)
def test_no_template_stops_the_desk_or_leaves_its_sandbox(template: str) -> None:
    """It is tried while it is proposed, by one person, and all who write wait for that."""
    began = time.process_time()
    with pytest.raises(BadField):
        texts.check(f"removal_request:\n  en:\n    subject: x\n    body: {json.dumps(template)}\n")
    assert time.process_time() - began < 2


def test_our_own_templates_do_no_more() -> None:
    texts.check(wording.TEXTS)
    texts.check("removal_request:\n  en:\n    subject: x\n    body: \"{{ names|join(', ') }} {% if location %}{{ location|upper }}{% endif %}\"\n")
