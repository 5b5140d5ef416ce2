"""The API as programs use it: a case from a flagger's referral to a lifted order, and what each token may not do."""

from __future__ import annotations

import json

import pytest

from authority import packets
from authority.desk import clockwork
from tests.authority.desk.outside.programs import Programs

WHY = "because it is so"
FACTS = {
    "legal_basis": "Law 1",
    "reasons": {"en": "It calls for terror."},
    "redress": {"url": "https://authority.example/appeal", "deadline_days": 60, "court": "Court of Appeal"},
}


def ready(house: Programs, name: str) -> str:
    """A case whose order can be drafted; its number."""
    taken = house.ask("clerk", "POST", "/referrals", 201, json={"names": [name]})
    number = taken["case"]
    step(house, "officer", number, "assess", category="terrorism", finding="It is.")
    step(house, "officer", number, "owner_unidentifiable")
    house.ask("clerk", "PATCH", f"/cases/{number}/facts", json={"why": WHY, "facts": FACTS})
    return str(number)


def step(house: Programs, who: str, number: str, name: str, status: int = 200, version: int | None = None, **details: str) -> dict[str, object]:
    body = {"why": WHY, "version": version, "details": details}
    found: dict[str, object] = house.ask(who, "POST", f"/cases/{number}/steps/{name}", status, json=body)
    return found


def ordered(house: Programs, number: str, what: str, *signers: str) -> dict[str, object]:
    """Drafts, has signed, publishes."""
    made = house.ask("clerk", "POST", f"/cases/{number}/orders", 201, json={"what": what, "why": WHY})
    digest = made["digest"]
    if what == "block":
        house.ask("officer", "POST", f"/orders/{digest}/signing", json={"why": WHY})
    packet = packets.read(house.ask("officer", "GET", f"/orders/{digest}/packet"), "the packet")
    signed = house.cast.sign(packet, *signers)
    assert house.ask("officer", "POST", "/packets", content=signed.encode())["complete"]
    published: dict[str, object] = house.ask("officer", "POST", f"/orders/{digest}/publish", json={"why": WHY})
    return published


def test_a_case_goes_from_a_flaggers_referral_to_a_lifted_order(house: Programs) -> None:
    body = {"location": "https://www.terror.test/call", "words": "A call to murder", "category": "terrorism"}
    taken = house.ask("flagger", "POST", "/referrals", 201, json=body, headers={"Idempotency-Key": "acme-1"})
    assert taken["case"] is None  # a flagger is told the reference alone
    again = house.ask("flagger", "POST", "/referrals", 200, json=body, headers={"Idempotency-Key": "acme-1"})
    assert (again["reference"], again["again"]) == (taken["reference"], True)
    (hit,) = house.ask("clerk", "GET", "/search", params={"q": taken["reference"]})
    number = hit["case"]["number"]
    assert hit["by"] == "reference"
    case = house.ask("officer", "GET", f"/cases/{number}")
    assert (case["state"], case["names"]) == ("received", [{"name": "www.terror.test", "match": "exact"}])
    assert "assess" in case["steps"]
    case = step(house, "officer", number, "assess", version=case["version"], category="terrorism", finding="It is.")
    assert step(house, "officer", number, "owner_unidentifiable", 409, version=0)["detail"].startswith(f"case {number} has changed")  # type: ignore[attr-defined]
    step(house, "officer", number, "owner_unidentifiable")
    case = house.ask("clerk", "PATCH", f"/cases/{number}/facts", json={"why": WHY, "facts": FACTS})
    assert case["missing"] == []
    order = ordered(house, number, "block", "north-1", "north-2")
    assert order["log_index"] is not None
    assert "www.terror.test" in house.blocked()
    assert house.ask("flagger", "GET", f"/referrals/{taken['reference']}")["state"] == "ordered"
    ordered(house, number, "withdraw", "north-3")
    assert "www.terror.test" not in house.blocked()
    assert house.ask("officer", "GET", f"/cases/{number}")["state"] == "withdrawn"
    assert [each["what"] for each in house.ask("auditor", "GET", f"/cases/{number}/orders")] == ["withdraw", "block"]
    events = house.ask("auditor", "GET", f"/cases/{number}/events")
    assert [each["step"] for each in events][:3] == ["refer", "assess", "owner_unidentifiable"]
    assert all(each["why"] and each["who"] for each in events)
    later = house.ask("auditor", "GET", f"/cases/{number}/events", params={"after": events[1]["number"]})
    assert [each["number"] for each in later] == [each["number"] for each in events[2:]]


def test_a_guard_is_overridden_with_one_signature_more(house: Programs) -> None:
    house.document("popular", "popular.test\n")
    number = ready(house, "popular.test")
    made = house.ask("clerk", "POST", f"/cases/{number}/orders", 201, json={"what": "block", "why": WHY})
    (objection,) = (each for each in made["guards"] if each["guard"] == "popularity" and each["objection"])
    refused = house.ask("officer", "POST", f"/orders/{made['digest']}/signing", 409, json={"why": WHY})
    assert "popular.test" in refused["detail"]
    override = {"guard": "popularity", "name": objection["name"], "why": "It is a copy of the site."}
    other = house.ask("officer", "POST", f"/orders/{made['digest']}/override", 201, json=override)
    assert other["threshold"] == made["threshold"] + 1
    house.ask("officer", "POST", f"/orders/{other['digest']}/abandon", json={"why": WHY})
    assert house.ask("officer", "GET", f"/orders/{other['digest']}")["ended_at"] is not None
    house.document("popular", "none.test\n")


def test_evidence_is_kept_observed_read_and_proposed_for_deletion(house: Programs) -> None:
    number = ready(house, "proof.test")
    content = b"<html>seen</html>" * 100_000
    params = {"label": "The page", "why": WHY}
    kept = house.ask("clerk", "POST", f"/cases/{number}/evidence", 201, params=params, content=content, headers={"Content-Type": "text/html"})
    assert (kept["size"], kept["media_type"]) == (len(content), "text/html")
    assert house.ask("officer", "GET", f"/evidence/{kept['id']}/content", params={"why": WHY}) == content
    house.ask("clerk", "GET", f"/evidence/{kept['id']}/content", 403, params={"why": WHY})
    seen = {"label": "Seen", "why": WHY, "location": "https://proof.test/x", "seen_at": house.now}
    house.ask("clerk", "POST", f"/cases/{number}/observations", 201, json=seen)
    assert house.ask("officer", "POST", f"/evidence/{kept['id']}/hold", json={"why": "a court asks"})["hold"] == "a court asks"
    house.ask("officer", "POST", "/evidence/shred", 409, json={"evidence": [kept["id"]], "why": WHY, "early": True})
    proposal = house.ask("officer", "POST", f"/evidence/{kept['id']}/release", 201, json={"why": WHY})
    house.ask("officer", "POST", f"/proposals/{proposal['id']}/decision", 403, json={"confirm": True})
    assert [each["id"] for each in house.ask("reviewer", "GET", "/proposals")] == [proposal["id"]]
    house.ask("reviewer", "POST", f"/proposals/{proposal['id']}/decision", json={"confirm": True})
    house.ask("officer", "POST", "/evidence/shred", 201, json={"evidence": [kept["id"]], "why": WHY, "early": True})
    assert len(house.ask("auditor", "GET", f"/cases/{number}/evidence")) == 2


def test_two_persons_make_a_flaggers_token_by_program(house: Programs) -> None:
    body = {"kind": "flagger", "body": {"flagger": "bravo", "days": 30}, "why": WHY}
    made = house.ask("administrator", "POST", "/proposals", 201, json=body)
    number = made["proposal"]["id"]
    house.ask("administrator", "POST", f"/proposals/{number}/decision", 403, json={"confirm": True})
    done = house.ask("reviewer", "POST", f"/proposals/{number}/decision", json={"confirm": False, "reason": "not them"})
    assert done["proposal"]["decision"] == "refused"
    assert house.ask("officer", "GET", "/proposals", params={"decided": True})[0]["id"] == number


def test_a_file_is_imported_and_its_bad_lines_are_named(house: Programs) -> None:
    text = "names,location,words,key\ngood-1.test,,first,k1\nbad..name,,second,k2\ngood-2.test,,third,k3\n"
    begun = house.ask("clerk", "POST", "/imports", 202, content=text.encode(), params={"label": "from a list"})
    assert begun["ended_at"] is None
    from authority.desk import imports  # noqa: PLC0415 - what the worker does

    imports.go_on(house.desk, begun["id"], house.now)
    done = house.ask("clerk", "GET", f"/imports/{begun['id']}")
    assert (done["taken"], done["bad"]) == (2, 1)
    (fault,) = house.ask("clerk", "GET", f"/imports/{begun['id']}/faults")
    assert fault["line"] == 3
    house.ask("flagger", "POST", "/imports", 403, content=b"names\nx.test\n")


def test_queues_page_by_key(house: Programs) -> None:
    for each in range(3):
        house.ask("clerk", "POST", "/referrals", 201, json={"names": [f"queue-{each}.test"]})
    first = house.ask("auditor", "GET", "/cases", params={"queue": "received", "limit": 2})
    rest = house.ask("auditor", "GET", "/cases", params={"queue": "received", "limit": 200, "after": first["after"]})
    found = [each["number"] for each in first["cases"] + rest["cases"]]
    assert len(found) == len(set(found)) == house.ask("auditor", "GET", "/queues")["received"]


def test_an_operator_sees_its_own_and_no_case(house: Programs) -> None:
    house.ask("officer", "GET", "/compliance")
    assert house.ask("officer", "GET", "/compliance/export") == []
    house.ask("officer", "GET", "/compliance/operators/nobody", 404)
    house.ask("flagger", "GET", "/compliance", 403)


@pytest.mark.parametrize("path", ["/cases", "/queues", "/search?q=x", "/proposals", "/compliance", "/cases/2026-000001", "/imports/1"])
def test_a_flagger_may_refer_and_nothing_else(house: Programs, path: str) -> None:
    house.ask("flagger", "GET", path, 403)
    house.ask("nobody", "GET", path, 401)


@pytest.mark.parametrize(("step", "details"), [("escalate", {}), ("file_appeal", {"standing": "other", "words": "x"}), ("note", {})])
def test_a_flagger_reaches_no_case_by_its_number(house: Programs, step: str, details: dict[str, str]) -> None:
    number, _ = house.ordered(f"{step.replace('_', '-')}.test")
    before = len(house.events(number))
    house.ask("flagger", "POST", f"/cases/{number}/steps/{step}", 403, json={"why": WHY, "details": details})
    house.ask("flagger", "POST", f"/cases/{number}/orders", 403, json={"what": "withdraw", "why": WHY})
    house.ask("flagger", "PATCH", f"/cases/{number}/facts", 403, json={"facts": {"legal_basis": "x"}, "why": WHY})
    house.ask("flagger", "POST", f"/cases/{number}/observations", 403, json={"label": "x", "why": WHY, "location": "x", "seen_at": 1})
    assert len(house.events(number)) == before


def test_what_a_role_may_not_do_no_token_of_it_does(house: Programs) -> None:
    number = ready(house, "roles.test")
    made = house.ask("clerk", "POST", f"/cases/{number}/orders", 201, json={"what": "block", "why": WHY})
    for who, method, path, body in (
        ("administrator", "GET", f"/cases/{number}", None),
        ("administrator", "GET", f"/orders/{made['digest']}", None),
        ("auditor", "POST", f"/cases/{number}/steps/dismiss", {"why": WHY}),
        ("clerk", "POST", f"/orders/{made['digest']}/signing", {"why": WHY}),
        ("reviewer", "POST", "/referrals", {"names": ["x.test"]}),
        ("clerk", "POST", "/packets", None),
    ):
        house.ask(who, method, path, 403, **({"json": body} if body else {}))


def test_a_stolen_clerks_token_puts_nothing_in_force(house: Programs) -> None:
    number = ready(house, "forged.test")
    digest = house.ask("clerk", "POST", f"/cases/{number}/orders", 201, json={"what": "block", "why": WHY})["digest"]
    house.ask("officer", "POST", f"/orders/{digest}/signing", json={"why": WHY})
    house.ask("clerk", "POST", f"/orders/{digest}/publish", 409, json={"why": WHY})
    packet = json.loads(house.ask("clerk", "GET", f"/orders/{digest}/packet"))
    assert house.ask("officer", "POST", "/packets", 422, content=json.dumps(packet).encode())["field"] == "packet"
    assert "forged.test" not in house.blocked()


def test_a_page_cookie_opens_no_call_and_a_token_no_page(house: Programs) -> None:
    page = house.by("officer").http
    assert page.get("/api/v1/cases").status_code == 401
    token = {"Authorization": f"Bearer {house.keys['officer']}"}
    assert house.by("nobody").http.get("/cases", headers=token).status_code == 303


@pytest.mark.parametrize(
    "body",
    [
        {"names": ["x.test\u0000"]},
        {"location": "\ud800 x.test"},
        {"names": ["x.test"], "colour": "red"},
        {"names": ["x" * 300]},
        {"names": "x.test"},
        {"names": ["x.test"], "threat": "yes"},
    ],
)
def test_what_no_referral_can_be_is_refused_by_its_field(house: Programs, body: dict[str, object]) -> None:
    house.ask("flagger", "POST", "/referrals", 422, content=json.dumps(body).encode(), headers={"Content-Type": "application/json"})


@pytest.mark.parametrize(
    "path", ["/cases/..%2f..%2fetc", "/cases/2026-000001'%20OR%201=1--", "/referrals/%00", "/orders/sha256:x/packet", "/cases?queue=x'"]
)
def test_an_injected_path_is_refused(house: Programs, path: str) -> None:
    answer = house.program("officer").get(path)
    assert answer.status_code in (404, 422)
    assert answer.headers["content-type"] == "application/problem+json"


def test_more_than_is_taken_is_a_problem_too(house: Programs) -> None:
    house.ask("flagger", "POST", "/referrals", 413, content=b"x" * 300_000)
    # In pieces, whose length nobody said before.
    house.ask("flagger", "POST", "/referrals", 413, content=(b"x" * 50_000 for _ in range(8)))


def test_clocks_run_on_what_programs_did(house: Programs) -> None:
    taken = house.ask("flagger", "POST", "/referrals", 201, json={"names": ["late.test"], "threat": True, "words": "now"})
    (hit,) = house.ask("clerk", "GET", "/search", params={"q": taken["reference"]})
    assert hit["case"]["urgent"]
    house.now += 7200
    try:
        clockwork.run(house.desk, house.now)
        overdue = house.ask("officer", "GET", "/cases", params={"queue": "overdue"})
        assert hit["case"]["number"] in [each["number"] for each in overdue["cases"]]
    finally:
        house.now -= 7200
