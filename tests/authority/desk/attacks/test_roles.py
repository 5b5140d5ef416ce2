"""Every path of the desk, by everybody: whoever may not is refused, and has changed nothing. A path without a line here fails."""

from __future__ import annotations

from typing import Any, NamedTuple

import httpx
import pytest
from sqlalchemy import func, select

from authority.desk.roles import MAY, ROLES, Action
from authority.desk.states import STEPS
from authority.desk.tables import Audit, Event
from authority.desk.web.app import create_app
from authority.desk.web.forms import FORMS
from tests.authority.desk.attacks.besieged import Besieged
from tests.authority.desk.served import calls, pages, shape

EVERYBODY, SIGNED_IN, PERSON = "everybody", "signed in", "a person"
WHY = "because it is so"
NAMED = ("administrator", "auditor", "clerk", "flagger", "officer", "operator", "reviewer")


class Path(NamedTuple):
    """One path, and to whom it is open: to who may one of the actions."""

    method: str
    path: str
    open_to: tuple[Action, ...] | str
    body: dict[str, Any] | None = None


PAGES = (
    Path("GET", "/", SIGNED_IN),
    Path("GET", "/sign-in", EVERYBODY),
    Path("POST", "/sign-in", EVERYBODY),
    Path("GET", "/sign-in/house", EVERYBODY),
    Path("GET", "/sign-in/house/back", EVERYBODY),
    Path("GET", "/invitation", EVERYBODY),
    Path("POST", "/invitation", EVERYBODY),
    Path("POST", "/language", EVERYBODY),
    Path("GET", "/account", SIGNED_IN),
    Path("POST", "/account", SIGNED_IN),
    Path("POST", "/account/password", SIGNED_IN),
    Path("POST", "/account/sessions", SIGNED_IN),
    Path("POST", "/account/tokens", SIGNED_IN),
    Path("POST", "/account/tokens/{none}/end", SIGNED_IN),
    Path("GET", "/people", ("person.manage", "audit.read")),
    Path("GET", "/people/new", ("person.manage",)),
    Path("POST", "/people/new", ("person.manage",), {"login": "zed", "name": "Zed", "roles": "clerk", "why": WHY}),
    Path("POST", "/people/flaggers", ("person.manage",), {"flagger": "zulu", "why": WHY}),
    Path("POST", "/people/tokens/{number}/end", ("person.manage",)),
    Path("GET", "/people/{login}", ("person.manage", "audit.read")),
    Path("POST", "/people/{login}", ("person.manage",), {"kind": "grant", "role": "officer", "why": WHY}),
    Path("GET", "/proposals", ("proposal.make", "proposal.confirm")),
    Path("GET", "/proposals/{number}", ("proposal.make", "proposal.confirm")),
    Path("GET", "/proposals/{number}/text", ("proposal.make", "proposal.confirm")),
    Path("POST", "/proposals/{number}", ("proposal.confirm",), {"decision": "refuse"}),
    Path("GET", "/reports", ("case.list",)),
    Path("POST", "/reports", ("case.decide",), {"order": "XX-1", "report": "all-1", "decision": "upheld", "answer": WHY, "language": "en"}),
    Path("GET", "/documents", ("case.list", "document.propose")),
    Path("GET", "/documents/{kind}", ("case.list", "document.propose")),
    Path("GET", "/documents/{kind}/text", ("case.list", "document.propose")),
    Path("POST", "/documents/{kind}", ("document.propose",), {"body": "zulu.example\n", "why": WHY}),
    Path("GET", "/audit", ("audit.read",)),
    Path("POST", "/audit", ("audit.read",)),
    Path("GET", "/cases", ("case.list",)),
    Path("GET", "/search", ("case.list",)),
    Path("GET", "/cases/new", ("case.open",)),
    Path("POST", "/cases/new", ("case.open",), {"names": "zulu.example", "why": WHY}),
    Path("GET", "/cases/{case}", ("case.read",)),
    Path("POST", "/cases/{case}/steps/{step}", ("case.work", "case.decide", "review.decide"), {"why": WHY}),
    Path("POST", "/cases/{case}/orders", ("case.work",), {"what": "block", "why": WHY}),
    Path("GET", "/cases/{case}/order", ("case.work",)),
    Path("POST", "/cases/{case}/order", ("case.work",), {"why": WHY}),
    Path("GET", "/imports", ("case.open",)),
    Path("POST", "/imports", ("case.open",)),
    Path("GET", "/imports/{number}", ("case.open",)),
    Path("GET", "/orders/{digest}", ("case.read",)),
    Path("GET", "/orders/{digest}/packet", ("case.read",)),
    Path("GET", "/packets", ("case.sign",)),
    Path("POST", "/packets", ("case.sign",)),
    Path("POST", "/orders/{digest}/override", ("case.decide",), {"guard": "popularity", "name": "zulu.example", "why": WHY}),
    Path("POST", "/orders/{digest}/signing", ("case.decide",), {"why": WHY}),
    Path("POST", "/orders/{digest}/publish", ("case.publish",), {"why": WHY}),
    Path("POST", "/orders/{digest}/abandon", ("case.decide", "review.decide"), {"why": WHY}),
    Path("GET", "/review", ("review.read",)),
    Path("GET", "/cases/{case}/evidence", ("case.read",)),
    Path("POST", "/cases/{case}/evidence", ("evidence.add",)),
    Path("POST", "/cases/{case}/evidence/observed", ("evidence.add",), {"location": "https://zulu.example/", "label": "it", "why": WHY}),
    Path("POST", "/cases/{case}/evidence/{item}/file", ("evidence.read",), {"why": WHY}),
    Path("POST", "/cases/{case}/evidence/{item}/{act}", ("evidence.delete",), {"why": WHY}),
    Path("GET", "/appeals", ("case.list",)),
    Path("GET", "/compliance", ("compliance.read", "compliance.own")),
    Path("GET", "/compliance/operators/{operator}", ("compliance.read", "compliance.own")),
    Path("GET", "/compliance/operators/{operator}/penalty", ("compliance.read", "compliance.own")),
    Path("GET", "/compliance/orders/{index}", ("compliance.read", "compliance.own")),
    Path("GET", "/compliance/export.{form}", ("compliance.read", "compliance.own")),
    Path("GET", "/report", EVERYBODY),
    Path("POST", "/report", EVERYBODY),
    Path("GET", "/report/status", EVERYBODY),
    Path("GET", "/appeal", EVERYBODY),
    Path("POST", "/appeal", EVERYBODY),
    Path("GET", "/appeal/status", EVERYBODY),
    Path("POST", "/sign-out", SIGNED_IN),
)
CALLS = (
    Path("POST", "/referrals", ("case.open",), {"names": ["zulu.example"]}),
    Path("GET", "/referrals/{reference}", SIGNED_IN),
    Path("POST", "/imports", ("case.open",)),
    Path("GET", "/imports/{id}", ("case.list",)),
    Path("GET", "/imports/{id}/faults", ("case.list",)),
    Path("GET", "/queues", ("case.list",)),
    Path("GET", "/cases", ("case.list",)),
    Path("GET", "/search?q=zulu", ("case.list",)),
    Path("GET", "/cases/{case}", ("case.read",)),
    Path("GET", "/cases/{case}/events", ("case.read",)),
    Path("POST", "/cases/{case}/steps/{step}", ("case.work", "case.decide", "review.decide"), {"why": WHY}),
    Path("PATCH", "/cases/{case}/facts", ("case.work",), {"why": WHY, "facts": {}}),
    Path("GET", "/cases/{case}/orders", ("case.read",)),
    Path("POST", "/cases/{case}/orders", ("case.work",), {"what": "block", "why": WHY}),
    Path("GET", "/orders/{digest}", ("case.read",)),
    Path("POST", "/orders/{digest}/override", ("case.decide",), {"guard": "popularity", "name": "zulu.example", "why": WHY}),
    Path("POST", "/orders/{digest}/signing", ("case.decide",), {"why": WHY}),
    Path("POST", "/orders/{digest}/abandon", ("case.decide", "review.decide"), {"why": WHY}),
    Path("GET", "/orders/{digest}/packet", ("case.read",)),
    Path("POST", "/packets", ("case.sign",)),
    Path("POST", "/orders/{digest}/publish", ("case.publish",), {"why": WHY}),
    Path("GET", "/cases/{case}/evidence", ("case.read",)),
    Path("POST", "/cases/{case}/evidence?label=it&why=so", ("evidence.add",)),
    Path("POST", "/cases/{case}/observations", ("evidence.add",), {"label": "it", "why": WHY, "location": "https://zulu.example/", "seen_at": 1}),
    Path("GET", "/evidence/{item}/content?why=so", ("evidence.read",)),
    Path("POST", "/evidence/{item}/hold", ("evidence.delete",), {"why": WHY}),
    Path("POST", "/evidence/{item}/extend", ("evidence.delete",), {"why": WHY, "until": 1}),
    Path("POST", "/evidence/{item}/release", ("evidence.delete",), {"why": WHY}),
    Path("POST", "/evidence/shred", ("evidence.delete",), {"why": WHY, "evidence": [1]}),
    Path("GET", "/proposals", ("proposal.make", "proposal.confirm")),
    Path("GET", "/proposals/{id}", ("proposal.make", "proposal.confirm")),
    Path("POST", "/proposals", ("person.manage",), {"kind": "flagger", "body": {"flagger": "yankee"}, "why": WHY}),
    Path("POST", "/proposals/{id}/decision", ("proposal.confirm",), {"confirm": False}),
    Path("GET", "/proposals/{id}/text", ("proposal.make", "proposal.confirm")),
    Path("GET", "/imports", ("case.list",)),
    Path("GET", "/cases/{case}/forms", ("case.read",)),
    Path("GET", "/cases/{case}/referrals", ("case.read",)),
    Path("GET", "/cases/{case}/recommendations", ("case.read",)),
    Path("GET", "/cases/{case}/reports", ("case.read",)),
    Path("GET", "/cases/{case}/messages", ("case.read",)),
    Path("GET", "/cases/{case}/times", ("case.read",)),
    Path("GET", "/cases/{case}/appeals", ("case.read",)),
    Path("GET", "/appeals", ("case.list",)),
    Path("GET", "/appeals/{none}", ("case.read",)),
    Path("GET", "/reports", ("case.list",)),
    Path("GET", "/reports/{none}", ("case.read",)),
    Path("POST", "/reports/{none}/answer", ("case.decide",), {"report": "all-1", "decision": "upheld", "answer": WHY, "language": "en"}),
    Path("GET", "/review/orders", ("review.read",)),
    Path("GET", "/review/emergencies", ("review.read",)),
    Path("GET", "/review/recommendations", ("review.read",)),
    Path("GET", "/people", ("person.manage", "audit.read")),
    Path("GET", "/people/{login}", ("person.manage", "audit.read")),
    Path("GET", "/offices", ("person.manage", "audit.read")),
    Path("GET", "/account", PERSON),
    Path("PATCH", "/account", PERSON, {}),
    Path("GET", "/tokens", PERSON),
    Path("GET", "/tokens/flaggers", ("person.manage", "audit.read")),
    Path("POST", "/tokens/{none}/end", SIGNED_IN),
    Path("GET", "/documents", ("case.list", "document.propose")),
    Path("GET", "/documents/{kind}", ("case.list", "document.propose")),
    Path("GET", "/documents/{kind}/text", ("case.list", "document.propose")),
    Path("GET", "/audit", ("audit.read",)),
    Path("POST", "/audit/check", ("audit.read",)),
    Path("GET", "/compliance", ("compliance.read", "compliance.own")),
    Path("GET", "/compliance/scoreboard", ("compliance.read", "compliance.own")),
    Path("GET", "/compliance/weeks", ("compliance.read", "compliance.own")),
    Path("GET", "/compliance/operators/{operator}", ("compliance.read", "compliance.own")),
    Path("GET", "/compliance/operators/{operator}/penalty", ("compliance.read", "compliance.own")),
    Path("GET", "/compliance/operators/{operator}/orders", ("compliance.read", "compliance.own")),
    Path("GET", "/compliance/orders/{index}", ("compliance.read", "compliance.own")),
    Path("GET", "/compliance/export", ("compliance.read", "compliance.own")),
)
BY_PASSWORD = Path("POST", "/tokens", (), {"label": "another", "password": "not mine"})
"""Open to people who prove who they are; of those here nobody has a password."""
ALSO_FLAGGERS = frozenset({("POST", "/referrals")})
ABOUT_A_CASE = ("{case}", "{digest}", "{item}")


@pytest.fixture(scope="module")
def there(house: Besieged) -> dict[str, str]:
    """One of each thing that a path can name: real, so that nobody is refused for want of it."""
    number = house.case("tango.example")
    order = house.draft(number)
    kept = house.ask("officer", "POST", f"/cases/{number}/observations", 201, json=CALLS[23].body)
    asked = house.ask("administrator", "POST", "/proposals", 201, json={"kind": "flagger", "body": {"flagger": "xray"}, "why": WHY})["proposal"]["id"]
    sent = house.ask("clerk", "POST", "/imports", 202, content=b"names\nuniform.example\n")["id"]
    taken = house.ask("flagger", "POST", "/referrals", 201, json={"names": ["sierra.example"]})["reference"]
    return {
        "case": number, "digest": order.digest, "item": str(kept["id"]), "number": str(asked), "id": str(sent), "reference": taken, "step": "note",
        "none": "999999", "act": "hold", "login": "clerk", "kind": "protected", "operator": "op-1", "index": "0", "form": "csv",
    }  # fmt: skip


def able(path: Path) -> frozenset[str]:
    """Those to whom it is open."""
    if isinstance(path.open_to, str):
        return frozenset(NAMED) - ({"flagger"} if path.open_to == PERSON else set())
    also = {"flagger"} if (path.method, path.path) in ALSO_FLAGGERS else set()
    return frozenset({*(role for action in path.open_to for role in MAY[action]), *also})


def test_no_path_is_without_a_line_here(house: Besieged) -> None:
    app = create_app(house.desk)
    assert {shape(*each) for each in pages(app)} == {shape(each.method, each.path) for each in PAGES}
    assert {shape(*each) for each in calls(app)} == {shape(each.method, each.path) for each in (*CALLS, BY_PASSWORD)}


def lines(house: Besieged, who: str) -> int:
    with house.desk.store.reading() as session:
        return session.scalar(select(func.count(Audit.number)).where(Audit.who == who)) or 0


def asked(house: Besieged, who: str, path: Path, called: bool, there: dict[str, str], tokens: dict[str, str]) -> httpx.Response:
    if called:
        return house.program(who).request(path.method, path.path.format(**there), json=path.body)
    at = path.path.format(**there)
    if path.method == "GET":
        return house.by(who).http.get(at)
    if at in ("/packets", "/imports") or at.endswith("/evidence"):
        return house.by(who).http.post(at, data={"csrf": tokens.get(who, "")}, files={"packet": ("a", b"names\n")})
    return house.by(who).http.post(at, data={"csrf": tokens.get(who, ""), **(path.body or {})})


def test_each_path_is_open_to_whom_it_is_meant_for_and_to_nobody_else(house: Besieged, there: dict[str, str]) -> None:
    tokens = {login: house.csrf(login) for login in NAMED if login != "flagger"}
    wrong = []
    # A page and a call may have the same path, and be open to the same.
    for number, (called, path) in enumerate([*((False, each) for each in PAGES), *((True, each) for each in CALLS)]):
        # Those who may not go first, because who may may change what is there; of these one is enough, each time another.
        for who in (*sorted(set(NAMED) - able(path)), sorted(able(path) - {"flagger"})[number % len(able(path) - {"flagger"})]):
            if who == "flagger" and not called:
                continue
            before = lines(house, who)
            answer = asked(house, who, path, called, there, tokens)
            at = f"{who} {path.method} {'/api/v1' if called else ''}{path.path}: {answer.status_code}"
            if path.open_to == EVERYBODY and answer.status_code < 500:
                continue
            if answer.status_code >= 500 or (answer.status_code in (401, 403)) == (who in able(path)):
                decided = path.path in ("/proposals/{number}", "/proposals/{id}/decision")  # by whom, two persons' rules say
                if answer.status_code >= 500 or who not in able(path) or not decided:
                    wrong.append(at)
            elif who in able(path) and answer.status_code == 200 and any(each in path.path for each in ABOUT_A_CASE) and lines(house, who) == before:
                wrong.append(f"{at}, and the audit log does not know")
            if path.path in ("/sign-out", "/account/sessions"):
                house.sign_in(who)
                house.by(who).http.cookies.set("desk", house.tokens[who])
                tokens[who] = house.csrf(who)
        answer = house.program("nobody").request(path.method, f"{house.url}{'/api/v1' if called else ''}{path.path.format(**there)}", json=path.body)
        away = answer.status_code == 401 or (answer.status_code == 303 and answer.headers["location"].startswith("/sign-in"))
        if away == (path.open_to == EVERYBODY):
            wrong.append(f"a stranger {path.method} {path.path}: {answer.status_code}")
    assert wrong == [], "\n".join(wrong)


@pytest.fixture(scope="module")
def numbers(house: Besieged) -> tuple[str, str]:
    """A case before its order, and one whose order is in force."""
    return house.case(), house.ordered()[0]


@pytest.mark.parametrize("who", NAMED)
def test_no_step_is_taken_by_who_may_not_take_it(house: Besieged, numbers: tuple[str, str], who: str) -> None:
    """Of those open to strangers too, escalating and appealing once showed a flagger the whole case."""
    for step in FORMS:
        doers = STEPS[step].doers
        if who in ROLES and any(doer in MAY and who in MAY[doer] for doer in doers):  # type: ignore[index]
            continue
        for number in numbers["in_force" in STEPS[step].sources :][:1]:
            before = house.row(number).version
            answer = house.program(who).post(f"/cases/{number}/steps/{step}", json={"why": WHY, "details": FILLED.get(step, {})})
            assert answer.status_code in (403, 404, 409, 422), (step, answer.text)
            assert number not in answer.text or answer.status_code == 409, step
            assert house.row(number).version == before, step


FILLED = {
    "file_appeal": {"standing": "owner", "words": "It is mine."}, "assess": {"category": "terrorism", "finding": "It is."}, "alert": {"told": "112"},
    "recheck": {"found": "still"}, "annul": {"court": "Court", "decided_at": "2026-01-01"}, "set_names": {"names": "other.example"},

    "assign": {"officer": "clerk"}, "owner_not_notified": {"occasion": "block"}, "declare_emergency": {"ground": "live"},
    "refer_to_court": {"court": "C"},
    "notify_owner": {"recipient": "a@host.example", "occasion": "block"}, "request_removal": {"recipient": "a@host.example", "kind": "host"},
}  # fmt: skip


def test_a_flagger_learns_nothing_of_a_case(house: Besieged) -> None:
    number = house.case()
    with house.desk.store.reading() as session:
        before = session.scalar(select(func.count(Event.id)))
    for path in ("", "/events", "/orders", "/evidence"):
        assert "tango" not in house.program("flagger").get(f"/cases/{number}{path}").text
        assert house.program("flagger").get(f"/cases/{number}{path}").status_code == 403
    for step in ("escalate", "file_appeal"):
        house.ask("flagger", "POST", f"/cases/{number}/steps/{step}", 403, json={"why": WHY})
    with house.desk.store.reading() as session:
        assert session.scalar(select(func.count(Event.id))) == before
