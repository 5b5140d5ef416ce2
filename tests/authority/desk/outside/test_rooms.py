"""The rest of the desk as programs use it: people, documents, the audit log, appeals, reports, review; what each tells, and to whom."""

from __future__ import annotations

import re
from typing import Any

import pytest

from authority.desk.people import passwords
from authority.desk.tables import Person
from authority.desk.web.app import create_app
from tests.authority.desk.outside.programs import Programs
from tests.authority.desk.served import calls
from tests.authority.desk.web.pages import reported

WHY = "because it is so"


def test_people_are_listed_page_by_page_and_shown_with_what_is_proposed(house: Programs) -> None:
    logins, after = [], ""
    while True:
        found = house.ask("auditor", "GET", "/people", params={"limit": 2, "after": after})
        logins += [each["login"] for each in found["people"]]
        if found["after"] is None:
            break
        after = found["after"]
    assert logins == sorted(house.people)
    body = {"kind": "end_person", "body": {"login": "clerk"}, "why": "goes"}
    made = house.ask("administrator", "POST", "/proposals", 201, json=body)["proposal"]
    shown = house.ask("auditor", "GET", "/people/clerk")
    assert (shown["roles"], [each["id"] for each in shown["proposals"]]) == (["clerk"], [made["id"]])
    assert (made["made_by"], made["decided_by"], made["may_decide"]) == ("administrator", None, False)
    house.ask("administrator", "POST", f"/proposals/{made['id']}/decision", json={"confirm": False, "reason": "stays"})
    assert house.ask("auditor", "GET", "/people/clerk")["proposals"] == []
    assert {each["id"] for each in house.ask("auditor", "GET", "/offices")} >= {"north-1", "north-2"}
    for who in ("clerk", "officer", "reviewer", "flagger"):
        if who != "reviewer":
            house.ask(who, "GET", "/people", 403)
    assert "nobody here" in house.ask("auditor", "GET", "/people/nobody", 404)["detail"]


def test_an_account_is_its_own_and_a_token_takes_the_password(house: Programs) -> None:
    assert house.ask("officer", "GET", "/account")["login"] == "officer"
    changed = house.ask("officer", "PATCH", "/account", json={"language": "fr"})
    assert (changed["language"], changed["email"]) == ("fr", house.ask("officer", "GET", "/account")["email"])
    house.ask("officer", "PATCH", "/account", 422, json={"email": "no address"})
    house.ask("flagger", "GET", "/account", 403)
    house.ask("officer", "POST", "/tokens", 403, json={"label": "x", "password": ""})
    with house.desk.store.writing() as session:
        session.get_one(Person, house.people["officer"].person).password = passwords.encode("a long enough sentence")
    assert house.ask("officer", "POST", "/tokens", 422, json={"label": "x", "password": "another one"})["field"] == "password"
    made = house.ask("officer", "POST", "/tokens", 201, json={"label": "nightly", "days": 3, "password": "a long enough sentence"})
    house.keys["second"] = made["token"]
    assert house.ask("second", "GET", "/account")["login"] == "officer"
    assert made["id"] in [each["id"] for each in house.ask("second", "GET", "/tokens")]
    house.ask("clerk", "POST", f"/tokens/{made['id']}/end", 404)
    house.ask("second", "POST", f"/tokens/{made['id']}/end")
    house.ask("second", "GET", "/account", 401)
    assert house.ask("administrator", "GET", "/tokens/flaggers")[0]["flagger"] == "acme"


def test_a_document_is_proposed_looked_at_and_in_force(house: Programs) -> None:
    assert [each["version"] for each in house.ask("clerk", "GET", "/documents") if each["kind"] == "procedure"] == [0]
    assert b"clocks" in house.ask("clerk", "GET", "/documents/procedure/text")
    body = {"kind": "document", "body": {"kind": "protected", "body": "kept.test\n"}, "why": WHY}
    made = house.ask("administrator", "POST", "/proposals", 201, json=body)["proposal"]
    assert "body" not in made["body"]
    shown = house.ask("officer", "GET", f"/proposals/{made['id']}")
    assert (shown["may_decide"], shown["confirmers"], shown["changes"][-1]) == (True, ["officer", "reviewer"], "+kept.test")
    assert house.ask("officer", "GET", f"/proposals/{made['id']}/text") == b"kept.test\n"
    done = house.ask("officer", "POST", f"/proposals/{made['id']}/decision", json={"confirm": True})["proposal"]
    assert (done["decided_by"], done["decision"]) == ("officer", "confirmed")
    found = house.ask("clerk", "GET", "/documents/protected")
    assert (found["version"], found["versions"][0]["proposal_id"]) == (1, made["id"])
    assert house.ask("clerk", "GET", "/documents/protected/text") == b"kept.test\n"
    assert house.ask("clerk", "GET", "/documents/protected/text", params={"version": 0}) == b""
    house.ask("clerk", "GET", "/documents/protected/text", 404, params={"version": 9})
    assert "there are: procedure" in house.ask("clerk", "GET", "/documents/other", 404)["detail"]


def test_the_audit_log_is_read_page_by_page_says_the_way_and_is_checked(house: Programs) -> None:
    number = house.ask("clerk", "POST", "/referrals", 201, json={"names": ["audited.test"], "why": "told"})["case"]
    house.ask("officer", "GET", f"/cases/{number}")
    house.by("officer").get(f"/cases/{number}")
    lines = house.ask("auditor", "GET", "/audit", params={"of": f"case:{number}"})["lines"]
    ways = [(each["who"], each["action"], each["details"]["way"].rstrip("0123456789")) for each in lines[:2]]
    assert ways == [("officer", "case.read", "page"), ("officer", "case.read", "api token ")]
    assert lines[-1]["details"]["way"].startswith("api token")
    first = house.ask("auditor", "GET", "/audit", params={"limit": 3})
    second = house.ask("auditor", "GET", "/audit", params={"limit": 3, "before": first["before"]})
    numbers = [each["number"] for each in first["lines"] + second["lines"]]
    assert numbers == list(range(numbers[0], numbers[0] - 6, -1))
    checked = house.ask("auditor", "POST", "/audit/check")
    assert (checked["faults"], checked["lines"]) == ([], checked["number"])
    for who in ("officer", "clerk", "administrator", "flagger"):
        house.ask(who, "POST", "/audit/check", 403)


def test_appeals_reports_and_recommendations_are_found_and_answered(house: Programs) -> None:
    number, order = house.ordered("objected.test")
    details = {"standing": "owner", "words": "It is mine.", "contact": "owner@site.example"}
    house.ask("clerk", "POST", f"/cases/{number}/steps/file_appeal", json={"why": WHY, "details": details})
    (found,) = [each for each in house.ask("auditor", "GET", "/appeals")["appeals"] if each["case"]["number"] == number]
    shown = house.ask("auditor", "GET", f"/appeals/{found['reference']}")
    assert (shown["words"], shown["case"], shown["due_at"]) == ("It is mine.", number, found["due_at"])
    house.ask("administrator", "GET", f"/appeals/{found['reference']}", 403)
    reported(house, "7K2M-QX4R-9DHT-WE5C", order.order_id)
    waiting = {each["order_id"]: each for each in house.ask("clerk", "GET", "/reports")["orders"]}
    assert waiting[order.order_id]["case"] == number
    (report,) = house.ask("clerk", "GET", f"/reports/{order.order_id}")
    assert (report["reference"], report["decided_at"]) == ("7K2M-QX4R-9DHT-WE5C", None)
    said = {"report": "all", "decision": "upheld", "answer": "It is right.", "language": "en"}
    refused = house.ask("officer", "POST", f"/reports/{order.order_id}/answer", 409, json=said)
    assert f"of case {number}" in refused["detail"]
    forms = {each["step"]: each for each in house.ask("officer", "GET", f"/cases/{number}/forms")["forms"]}
    (choice,) = next(each for each in forms["answer_report"]["fields"] if each["name"] == "report")["choices"]
    house.ask("officer", "POST", f"/cases/{number}/steps/answer_report", json={"why": WHY, "details": {**said, "report": choice["value"]}})
    assert house.ask("clerk", "GET", f"/cases/{number}/reports")[0]["decision"] == "upheld"
    house.ask("reviewer", "POST", f"/cases/{number}/steps/recommend_withdrawal", json={"why": "It is satire."})
    (asked,) = [each for each in house.ask("auditor", "GET", "/review/recommendations") if each["case"] == number]
    assert asked["why"] == "It is satire."
    orders = house.ask("reviewer", "GET", "/review/orders", params={"limit": 1})
    assert (orders["orders"][0]["digest"], orders["orders"][0]["at"]) == (order.digest, "published")
    assert order.digest not in str(house.ask("reviewer", "GET", "/review/orders", params={"waiting": True}))
    for room in ("referrals", "appeals", "recommendations", "messages", "times"):
        assert isinstance(house.ask("auditor", "GET", f"/cases/{number}/{room}"), list)


def test_each_look_at_a_case_is_a_line_in_the_audit_log(house: Programs) -> None:
    number = house.case("looked-at.test")
    rooms = ("", "/events", "/forms", "/referrals", "/appeals", "/reports", "/recommendations", "/messages", "/times", "/orders", "/evidence")
    for room in rooms:
        house.ask("reviewer", "GET", f"/cases/{number}{room}")
    lines = house.ask("auditor", "GET", "/audit", params={"of": f"case:{number}"})["lines"]
    assert [(each["who"], each["action"]) for each in lines[: len(rooms)]] == [("reviewer", "case.read")] * len(rooms)


@pytest.fixture(scope="module")
def every(house: Programs) -> list[tuple[str, str]]:
    return sorted(calls(create_app(house.desk)))


def test_no_session_opens_a_call_whatever_it_is(house: Programs, every: list[tuple[str, str]]) -> None:
    """A page's cookie, with its form's token, from our own site, as a form of another site would send it or a script of ours."""
    page: Any = house.by("officer")
    csrf = re.findall(r'name="csrf" value="([^"]+)"', page.get("/account"))[0]
    for method, path in every:
        at = "/api/v1" + re.sub(r"\{\w+\}", "1", path)
        answer = page.http.request(method, at, json={"csrf": csrf}, headers={"Sec-Fetch-Site": "same-origin"})
        assert answer.status_code == 401, (method, at, answer.status_code)
        assert answer.headers["www-authenticate"] == "Bearer"
        assert "access-control-allow-origin" not in answer.headers
