"""Visitors' reports of errors at the desk: each once, by order, on one clock; answered with words that go back to where each came from."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from authority import reports
from authority.desk import error_reports
from authority.desk.errors import BadField, Conflict, Forbidden, NotFound
from authority.desk.tables import Audit, ErrorReport
from blocklists import report
from blocklists.report import Outcome
from tests.authority.desk.cases.house import DAY, HOUR, House
from tests.blocklists.test_reports import made

ANSWER = "The name was mistyped in the order."


def names(count: int) -> list[str]:
    return [report.new_reference(random.Random(number).randrange) for number in range(count)]


def send(house: House, order: str, *references: str, operator: str = "isp-1", **fields: Any) -> None:
    """What the server that strangers speak to leaves for the desk."""
    reports.prepare(house.desk.places)
    for reference in references:
        reports.take(house.desk.places, made(reference, order=order, name="www.site.test", **fields).encode(), operator, house.time)


def carried(house: House) -> None:
    while error_reports.carry(house.desk, house.time):
        pass


def answered(house: House, operator: str = "isp-1") -> dict[str, Outcome]:
    """What the operator would fetch."""
    found: dict[str, Outcome] = {}
    after = 0
    while page := reports.outcomes(house.desk.places, operator, after):
        found |= {each.reference: each for each in page}
        after = page[-1].number
    return found


def waiting(house: House) -> list[Path]:
    return [path for path, _ in reports.incoming(house.desk.places, 10_000)]


@pytest.fixture
def number(house: House) -> str:
    return house.in_force()


def test_a_report_is_answered_and_the_answer_is_there_to_be_fetched(house: House, number: str) -> None:
    (reference,) = names(1)
    send(house, f"XX-{number}", reference, contact="me@site.example", language="fr")
    carried(house)
    assert waiting(house) == []
    step = house.timeline(number)[-1]
    assert (step.step, step.who, step.details["reports"], step.details["operators"]) == ("report_error", "public", 1, ["isp-1"])
    assert house.running(number)["report"] == DAY
    house.work()
    assert "officer" in house.told("soon"), "officers are told at once"
    house.do(error_reports.answer, "officer", number, reference, "lifted", ANSWER, "fr", "seen on the page")
    assert {"report", "lift"} & set(house.running(number)) == {"lift"}
    (mail,) = house.messages("report_answered")
    assert (mail.recipient, ANSWER in mail.body, "signalé" in mail.body) == ("me@site.example", True, True)
    carried(house)
    (outcome,) = answered(house).values()
    assert (outcome.reference, outcome.decision, outcome.answer, outcome.language) == (reference, "lifted", ANSWER, "fr")
    assert answered(house, "isp-2") == {}
    with pytest.raises(Conflict):
        house.do(error_reports.answer, "officer", number, reference, "upheld", "No.", "en", "so")


def test_a_report_that_comes_again_is_the_same(house: House, number: str) -> None:
    (reference,) = names(1)
    for _ in range(2):
        send(house, f"XX-{number}", reference)
        carried(house)
    send(house, f"XX-{number}", reference, operator="isp-2")  # another operator's: nobody can take a reference away from others
    carried(house)
    with house.desk.store.reading() as session:
        assert session.scalar(select(func.count()).select_from(ErrorReport)) == 2


def test_a_flood_is_one_clock_and_one_answer_and_keeps_nobody_from_it(house: House, number: str) -> None:
    first, later = names(450)[:400], names(450)[400:]
    send(house, f"XX-{number}", *first)
    carried(house)
    assert house.taken(number).count("report_error") == 1
    version = house.case(number).version
    with house.desk.store.reading() as session:
        (row,) = error_reports.waiting(session, house["clerk"])
        assert (row.order_id, row.number) == (f"XX-{number}", 400)
        assert len(error_reports.of_case(session, house.case(number))) == error_reports.SHOWN
    send(house, f"XX-{number}", *later)
    carried(house)
    found = house.do(error_reports.answer, "officer", number, f"all-{row.last}", "upheld", "It is the right site.", "en", "read", version=version)
    assert len(found) == 400
    assert house.timeline(number)[-1].details["left"] == "some"
    assert "report" in house.running(number), "those that came since are still to be read"
    carried(house)
    assert sorted(answered(house)) == sorted(first)
    with house.desk.store.reading() as session:
        (row,) = error_reports.waiting(session, house["clerk"])
    house.do(error_reports.answer, "officer", number, f"all-{row.last}", "upheld", "It is the right site.", "en", "read")
    assert "report" not in house.running(number)
    house.time += 2 * HOUR
    send(house, f"XX-{number}", "2222-2222-2222-2222")
    carried(house)
    assert house.taken(number).count("report_error") == 2
    assert house.running(number)["report"] == DAY


def test_it_outlives_its_order(house: House, number: str) -> None:
    (reference,) = names(1)
    house.withdraw(number)
    send(house, f"XX-{number}", reference)
    carried(house)
    house.do(error_reports.answer, "officer", number, reference, "lifted", "It was withdrawn yesterday.", "en", "so")
    assert "lift" not in house.running(number)
    carried(house)
    assert answered(house)[reference].decision == "lifted"


def test_an_order_that_nobody_made_is_answered_by_itself(house: House) -> None:
    (reference,) = names(1)
    send(house, "XX-NONE", reference, words="Nonsense")
    carried(house)
    assert answered(house)[reference].decision == "unknown"
    with house.desk.store.reading() as session:
        assert error_reports.waiting(session, house["clerk"]) == []


def test_an_order_older_than_the_desk_is_answered_without_a_case(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = names(2)
    monkeypatch.setattr(error_reports._Logged, "has", lambda self, places, order: order == "XX-OLD")
    send(house, "XX-OLD", first, second)
    carried(house)
    assert answered(house) == {}
    with house.desk.store.reading() as session:
        (row,) = error_reports.waiting(session, house["officer"])
    assert (row.order_id, row.case_id, row.number) == ("XX-OLD", None, 2)
    with pytest.raises(Forbidden):
        house.do(error_reports.answer_without_case, "clerk", "XX-OLD", f"all-{row.last}", "upheld", "No.", "en")
    house.do(error_reports.answer_without_case, "officer", "XX-OLD", f"all-{row.last}", "elsewhere", "Your provider's own list.", "en")
    carried(house)
    assert {each.decision for each in answered(house).values()} == {"elsewhere"}
    with house.desk.store.reading() as session:
        assert session.scalar(select(func.count()).select_from(Audit).where(Audit.action == "report.answer")) == 1


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({"decision": "unknown"}, BadField), ({"decision": ""}, BadField), ({"words": " "}, BadField), ({"words": "x" * 4001}, BadField),
        ({"words": "a\u202eb"}, BadField), ({"language": "xx"}, BadField), ({"which": "all-0"}, Conflict), ({"which": "all-"}, Conflict),
        ({"which": "2222-2222-2222-2222"}, Conflict), ({"which": "all-99999999999999999999"}, Conflict), ({"number": "2026-999999"}, NotFound),
        ({"login": "clerk"}, Forbidden), ({"login": "reviewer"}, Forbidden), ({"why": ""}, BadField), ({"version": 0}, Conflict),
    ],
)  # fmt: skip
def test_an_answer_that_cannot_be_changes_nothing(house: House, number: str, change: dict[str, Any], refusal: type[Exception]) -> None:
    (reference,) = names(1)
    send(house, f"XX-{number}", reference)
    carried(house)
    told = {"login": "officer", "number": number, "which": reference, "decision": "upheld", "words": ANSWER, "language": "en", "why": "so", **change}
    more = {"version": told["version"]} if "version" in told else {}
    before = len(house.timeline(number))
    with pytest.raises(refusal):
        house.do(
            error_reports.answer, told["login"], told["number"], told["which"], told["decision"], told["words"], told["language"], told["why"], **more
        )
    carried(house)
    assert (len(house.timeline(number)), answered(house)) == (before, {})


def test_what_a_visitor_wrote_is_forgotten_in_time(house: House, number: str) -> None:
    (reference,) = names(1)
    send(house, f"XX-{number}", reference, contact="me@site.example", words="My name is Xanthippe.")
    carried(house)
    house.do(error_reports.answer, "officer", number, reference, "upheld", ANSWER, "en", "so")
    carried(house)
    house.time += error_reports.RETAIN_SECONDS - HOUR
    carried(house)
    with house.desk.store.reading() as session:
        assert session.scalars(select(ErrorReport.words)).one() == "My name is Xanthippe."
    house.time += 2 * HOUR
    carried(house)
    with house.desk.store.reading() as session:
        row = session.scalars(select(ErrorReport)).one()
    assert (row.words, row.contact, row.name, row.answer) == ("", "", "", ANSWER)


def test_a_file_that_is_no_report_is_set_aside(house: House, number: str, caplog: pytest.LogCaptureFixture) -> None:
    (reference,) = names(1)
    send(house, f"XX-{number}", reference)
    spoilt = reports.directory_of(house.desk.places) / "isp-1" / "spoilt.json"
    spoilt.write_text(json.dumps({"at": 1}))
    carried(house)
    assert waiting(house) == []
    assert spoilt.with_name("spoilt.json.bad").exists()
    assert "spoilt.json is no report" in caplog.text
    assert house.running(number)["report"] == DAY


@pytest.mark.parametrize("broken", ["forget", "tell"])
def test_what_is_cut_off_between_rows_and_files_is_done_again_once(house: House, number: str, monkeypatch: pytest.MonkeyPatch, broken: str) -> None:
    first, second = names(2)
    send(house, f"XX-{number}", first, second)
    if broken == "tell":
        carried(house)
        with house.desk.store.reading() as session:
            (row,) = error_reports.waiting(session, house["officer"])
        house.do(error_reports.answer, "officer", number, f"all-{row.last}", "upheld", ANSWER, "en", "so")
    real = getattr(reports, broken)
    calls: list[Any] = []

    def once(*args: Any, **more: Any) -> Any:
        calls.append(args)
        if len(calls) == 2:
            raise OSError(5, "the power went")
        return real(*args, **more)

    monkeypatch.setattr(reports, broken, once)
    with pytest.raises(OSError, match="the power went"):
        carried(house)
    monkeypatch.undo()
    carried(house)
    with house.desk.store.reading() as session:
        assert sorted(session.scalars(select(ErrorReport.reference))) == sorted([first, second])
    assert sorted(answered(house)) == (sorted([first, second]) if broken == "tell" else [])
    assert waiting(house) == []
