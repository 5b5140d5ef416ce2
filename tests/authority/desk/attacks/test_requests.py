"""Requests that no browser of ours sends: other sites' forms, hostile hosts, odd codings, numbers and characters, bodies without end or bottom."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from sqlalchemy import func, select

from authority.desk.tables import Audit, Case, Person, Proposal, SignedIn
from tests.authority.desk.attacks.besieged import Besieged
from tests.authority.desk.attacks.test_roles import PAGES, Path

POSTS = [each for each in PAGES if each.method == "POST"]
LOGINS = ("CLERK", "clerk\u200b", "\uff43lerk", "\u0441lerk", "clerk\0", "clerk'--", " clerk ", "setup", "log", "flagger:acme", "public")
OF_STRANGERS = ("/sign-in", "/invitation", "/language", "/report", "/appeal")
NASTY = (
    "9" * 30, "%00", "-1", "0", "%F0%9F%92%A3", "%ff%fe", "'; DROP TABLE person; --", "1 OR 1=1", "..%2F..%2F..%2Fetc%2Fpasswd",
    "%0d%0aSet-Cookie:%20a=b", "%25s%25n", "{{7*7}}", "<script>alert(1)</script>", "%E2%80%AEabc", "NaN", "1e309", "a" * 2000, "%u0041", "._%25",
)  # fmt: skip


def counts(house: Besieged) -> list[int]:
    with house.desk.store.reading() as session:
        return [session.scalar(select(func.count()).select_from(table)) or 0 for table in (Case, Person, Proposal, Audit, SignedIn)]


def test_no_form_of_another_site_does_anything(house: Besieged) -> None:
    """Without our token, or with it, which another site cannot know, and a browser that says where the form is from."""
    number = house.case()
    places = {"case": number, "number": "1", "login": "clerk", "kind": "protected", "digest": "sha256:" + "0" * 64, "step": "note", "item": "1",
              "act": "hold", "none": "9", "operator": "op-1", "index": "0", "form": "csv"}  # fmt: skip
    own, others = house.csrf("officer"), house.csrf("administrator")
    before = counts(house)
    foreign = ({"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "https://evil.example"}, {"Origin": "null"})
    for turn, path in enumerate(POSTS):
        at = path.path.format(**places)
        for headers, csrf in (({}, ("", others, own.swapcase())[turn % 3]), (foreign[turn % 4], own)):
            if at in OF_STRANGERS and not headers:
                continue
            files = {"packet": ("a", b"x")} if at in ("/packets", "/imports") or at.endswith("/evidence") else None
            answer = house.by("officer").http.post(at, data={**(path.body or {}), "csrf": csrf}, headers=headers, files=files)
            # A field that is missing may be told before; either way nothing is done.
            assert answer.status_code in (403, 422), (at, headers, answer.status_code)
    assert counts(house) == before


def test_nobody_chooses_where_a_page_leads_by_a_host_of_their_own(house: Besieged) -> None:
    """A stroke too many at the end of a path was answered with a redirect to whatever host the client named."""
    for path in ("/cases/", "/sign-in/", "/report/", "//evil.example/", "/api/v1/cases/", "/%5cevil.example/"):
        for headers in ({"Host": "evil.example"}, {"X-Forwarded-Host": "evil.example"}, {"Forwarded": "host=evil.example"}):
            answer = house.by("officer").http.get(path, headers=headers)
            assert "evil.example" not in answer.headers.get("location", "")
            assert "//evil.example" not in answer.text.replace(path, "")
    page = house.by("officer").http.get("/cases", headers={"Host": "evil.example"})
    assert "evil.example" not in page.text


@pytest.mark.parametrize("coding", ["unicode_escape", "idna", "undefined", "punycode", "utf-7", "utf-16", "rot13", '"utf_7"'])
def test_no_form_in_a_coding_of_its_own(house: Besieged, coding: str) -> None:
    """Any of Python's was taken: some make characters that no text has, others raise what nobody expects."""
    body = b"".join(
        b'--X\r\nContent-Disposition: form-data; name="%s"\r\n\r\n\\ud800\r\n' % name for name in (b"csrf", b"location", b"stamp", b"login", b"words")
    )
    headers = {"Content-Type": f"multipart/form-data; boundary=X; charset={coding}"}
    for path in ("/report", "/appeal", "/account", "/sign-in", "/invitation"):
        assert house.by("officer").http.post(path, content=body + b"--X--\r\n", headers=headers).status_code == 415, path
    plain = {"Content-Type": 'multipart/form-data; boundary=X; charset="UTF-8"'}
    assert house.by("officer").http.post("/report", content=body + b"--X--\r\n", headers=plain).status_code == 422


PLACES = (
    "/proposals/{}", "/proposals?before={}", "/audit?before={}", "/audit?of={}", "/documents/{}", "/documents/procedure?version={}", "/people/{}",
    "/people?after={}", "/cases?queue={}", "/cases?after={}", "/search?q={}", "/cases/{}", "/cases/{}/evidence", "/orders/{}", "/orders/{}/packet",
    "/review?before={}", "/appeals?after={}", "/compliance/operators/{}", "/compliance/orders/{}", "/compliance/export.{}", "/imports/{}",
    "/sign-in?next={}", "/report/status?reference={}", "/appeal?order={}", "/appeal/status?reference={}",
)  # fmt: skip


def test_no_address_is_a_fault_of_ours_or_says_more_than_it_should(house: Besieged) -> None:
    for turn, place in enumerate(PLACES):
        # Numbers too large for a database met each place; of the others each has three, and all come often enough.
        for nasty in (NASTY[0], *(NASTY[1 + (turn * 3 + each) % (len(NASTY) - 1)] for each in range(3))):
            who = "auditor" if place.startswith(("/audit", "/people", "/review")) else "officer"
            answer = house.by(who).http.get(place.format(nasty))
            assert answer.status_code < 500, (place, nasty[:40])
            assert "set-cookie" not in answer.headers
            assert "<script" not in answer.text
            assert "root:" not in answer.text
            assert answer.headers["cache-control"] == "no-store"
            assert answer.headers["content-security-policy"].startswith("default-src 'none'")


@pytest.mark.parametrize("depth", [100, 900, 5000, 100_000])
def test_no_body_is_too_deep(house: Besieged, depth: int) -> None:
    deep = "[" * depth + "]" * depth
    number = house.case()
    for method, path, body in (
        ("POST", "/referrals", f'{{"names": {deep}}}'),
        ("PATCH", f"/cases/{number}/facts", f'{{"why": "x", "facts": {{"reasons": {deep}}}}}'),
        ("POST", f"/cases/{number}/steps/note", f'{{"why": "x", "details": {{"a": {deep}}}}}'),
        ("POST", "/proposals", f'{{"kind": "document", "why": "x", "body": {{"kind": {deep}, "body": {deep}}}}}'),
        ("POST", "/packets", deep),
    ):
        answer = house.program("officer").request(method, path, content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code in (400, 413, 422), (path, answer.status_code)


def test_no_body_without_end_is_read(house: Besieged) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(600):
            yield b"a" * 1024

    for path in ("/report", "/sign-in", "/api/v1/referrals"):
        answer = house.by("nobody").http.post(path, content=endless(), headers={"Content-Type": "application/x-www-form-urlencoded"})
        assert answer.status_code in (400, 401, 413), path
    for length in ("99999999999", "-5", "+5", "1e9", "0x10", "9" * 5000):
        with socket.create_connection(("127.0.0.1", int(house.url.rpartition(":")[2])), 10) as made:
            made.sendall(f"POST /report HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n".encode())
            status = made.recv(64).split(b" ")[1:2]
            assert status in ([b"400"], [b"413"]), (length[:12], status)


def test_many_fields_and_many_files_are_bounded(house: Besieged) -> None:
    fields = "&".join(f"f{number}=x" for number in range(20_000))
    urlencoded = {"Content-Type": "application/x-www-form-urlencoded"}
    assert house.by("nobody").http.post("/report", content=fields, headers=urlencoded).status_code in (400, 422)
    files = [("f", (f"{number}", b"x")) for number in range(1500)]
    assert house.by("nobody").http.post("/report", files=files).status_code in (400, 413, 422)


def test_no_line_is_put_into_a_mail_or_a_header(house: Besieged) -> None:
    number = house.case(until="received")
    for contact in ("a@host.test\r\nBcc: b@evil.test", "a@host.test%0aBcc: b@evil.test", "a@host.test, b@evil.test", "<a@host.test>"):
        house.ask("officer", "POST", "/referrals", 422, json={"names": ["tango.example"], "contact": contact})
        details = {"recipient": contact, "kind": "host"}
        house.ask("officer", "POST", f"/cases/{number}/steps/request_removal", 422, json={"why": "x", "details": details})
    at, seen = f"/cases/{number}/observations", {"why": "x", "location": "https://a.example/", "seen_at": 1}
    house.ask("officer", "POST", at, 422, json={**seen, "label": 'a"\r\nSet-Cookie: b=c'})
    kept = house.ask("officer", "POST", at, 201, json={**seen, "label": 'a"; filename=x.html; <b>../../é'})
    out = house.program("officer").get(f"/evidence/{kept['id']}/content", params={"why": "x"})
    assert out.headers["content-type"] == "application/octet-stream"
    assert "x.html;" not in out.headers["content-disposition"]
    assert "/" not in out.headers["content-disposition"]


@pytest.mark.parametrize("login", LOGINS)
def test_no_login_looks_like_anothers(house: Besieged, login: str) -> None:
    body = {"login": login, "name": "Somebody Else", "roles": ["officer"]}
    answer = house.program("administrator").post("/proposals", json={"kind": "person", "body": body, "why": "x"})
    assert answer.status_code in (409, 422), answer.text


def test_paths_are_of_the_table() -> None:
    assert all(isinstance(each, Path) for each in POSTS)
    assert len(POSTS) > 25
