"""The desk's pages over a real server: a case's whole way by its forms, what each role sees, what is refused, and what stands in the audit log."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

import pytest
from sqlalchemy import select

from authority import packets
from authority.desk import audit, compliance, error_reports, mail
from authority.desk.tables import Audit
from authority.packets import Packet
from tests.authority.desk.web.pages import NOW, Browser, Pages, plain, reported

NASTY = "<script>alert(1)</script><img src=x onerror=alert(2)>'\"{{7*7}}"


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    made = Pages(tmp_path_factory.mktemp("pages"))
    yield made
    made.close()


def lines(pages: Pages, action: str, of: str) -> list[Audit]:
    with pages.desk.store.reading() as session:
        return list(session.scalars(select(Audit).where(Audit.action == action, Audit.object == of).order_by(Audit.number)))


def step(who: Browser, number: str, name: str, **given: str) -> str:
    return who.do(f"/cases/{number}", f"/cases/{number}/steps/{name}", **{"why": f"why {name}", **given})


def signed_away(pages: Pages, who: Browser, digest: str, *names: str) -> bytes:
    """Takes the packet from the page, and signs it on other machines."""
    packet: Packet = packets.read(who.http.get(f"/orders/{digest}/packet").content, "the packet")
    return pages.cast.sign(packet, *names).encode()


def digest_of(page: str) -> str:
    """Of the order that a page is about."""
    return re.search(r"Digest: <code>(sha256:[0-9a-f]{64})</code>", page)[1]  # type: ignore[index]


def test_a_case_goes_its_whole_way_by_forms(pages: Pages) -> None:
    clerk, officer, reviewer = pages.by("clerk"), pages.by("officer"), pages.by("reviewer")
    page = clerk.do("/cases/new", "/cases/new", location="https://www.whole.test/a?b", words="It calls to kill.")
    number = re.search(r"2026-\d{6}", page)[0]  # type: ignore[index]
    here = f"/cases/{number}"
    assert "A case was opened" in page
    assert "www.whole.test" in plain(page)
    page = step(officer, number, "assess", category="terrorism", finding="It does.")
    assert "Assessed" in plain(page)
    step(officer, number, "assign", officer="clerk")
    assert number in plain(clerk.get("/cases"))
    page = step(clerk, number, "request_removal", recipient="abuse@host.example", kind="host", language="en", hours="2")
    assert "Deadline 21 September 2026, 16:13 UTC" in plain(page)
    mail.send_due(pages.desk, pages.now)  # to a file: no mail server is set
    message = re.search(r'<option value="(\d+)">[^<]*abuse@host.example', clerk.get(here))[1]  # type: ignore[index]
    step(clerk, number, "record_posted", message=message, why="by letter")
    page = step(clerk, number, "record_refusal", why="They say it is satire.")
    assert "Unanswered" in plain(page)
    assert "An order still lacks" in plain(page)
    page = clerk.do(
        f"{here}/order", f"{here}/order", why="as assessed", legal_basis="Law 1", reasons_en="It calls for terror.", reasons_fr="Appel au meurtre.",
        redress_url="https://authority.example/", redress_deadline_days="60", redress_court="Court",
    )  # fmt: skip
    assert "An order still lacks" not in plain(page)
    page = clerk.do(here, f"{here}/orders", why="nothing else is left")
    digest = digest_of(page)
    at = f"/orders/{digest}"
    assert "What the guards say" in page
    assert "Ask officers to sign" not in page  # a clerk drafts; an officer asks
    page = officer.do(at, f"{at}/signing", why="two must")
    assert "Missing: 2" in page
    page = officer.do(at, "/packets", files={"packet": ("p.json", signed_away(pages, officer, digest, "north-1"))})
    assert "Missing: 1" in page
    page = officer.do("/packets", "/packets", files={"packet": ("p.json", signed_away(pages, officer, digest, "north-2"))})
    assert "Signed, not published" in page
    page = officer.do(at, f"{at}/publish", why="all have signed")
    assert "The order is published" in page
    assert pages.blocked()["www.whole.test"]
    page = reviewer.get("/review")
    assert digest in page
    step(reviewer, number, "recommend_withdrawal", why="It goes too far.")
    assert "It goes too far." in plain(officer.get(here))
    assert number in reviewer.get("/review")
    page = officer.get(here)
    which = re.search(r'<option value="(\d+)">It goes too far', page)[1]  # type: ignore[index]
    step(officer, number, "answer_recommendation", recommendation=which, answer="followed")
    step(officer, number, "recheck", found="gone")
    answer = officer.http.post(f"{here}/orders", data={"csrf": csrf(officer, here), "what": "withdraw", "why": "It is gone."})
    last = answer.headers["location"]
    digest = last.rpartition("/")[2]
    officer.do(last, "/packets", files={"packet": ("p.json", signed_away(pages, officer, digest, "north-1"))})
    assert "published" in plain(officer.do(last, f"{last}/publish", why="signed"))
    assert "www.whole.test" not in pages.blocked()
    page = step(officer, number, "restored")
    assert "Restored" in plain(page)
    assert plain(page).index("Names restored by operators") < plain(page).index("Referral received")
    with pages.desk.store.reading() as session:
        assert audit.verify(session)[1] is None


def csrf(who: Browser, at: str) -> str:
    return re.search(r'name="csrf" value="([^"]+)"', who.get(at))[1]  # type: ignore[index]


def test_an_appeal_by_letter_is_filed_listed_and_decided(pages: Pages) -> None:
    number, _ = pages.ordered("www.appealed.test")
    clerk, officer = pages.by("clerk"), pages.by("officer")
    step(clerk, number, "file_appeal", standing="owner", words="It was a quotation.")
    listed = officer.get("/appeals")
    assert "www.appealed.test" in listed
    reference = re.search(r'data-label="Reference">([^<]+)<', listed)[1]  # type: ignore[index]
    assert "in 60 d" in plain(listed)
    page = step(officer, number, "decide_appeal", appeal=reference, decision="upheld", answer="It calls to kill all the same.")
    assert "The order stands" in plain(page)
    assert "www.appealed.test" not in officer.get("/appeals")


def test_reports_of_an_error_are_listed_by_order_and_answered_together(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    number, order = pages.ordered("www.reported.test")
    for reference in ("4444-4444-4444-4444", "5555-5555-5555-5555"):
        reported(pages, reference, order.order_id, words=NASTY, contact="me@site.example")
    officer, clerk = pages.by("officer"), pages.by("clerk")
    listed = officer.get("/reports")
    assert "www.reported.test" in listed
    assert 'data-label="Reports">2<' in listed
    assert "in 24 h" in plain(listed)
    assert "2 Reports of an error" in plain(officer.get("/cases"))
    page = officer.get(f"/cases/{number}")
    assert NASTY not in page
    assert "alert(1)" in page
    assert "answer_report" not in clerk.get(f"/cases/{number}")
    (all_of_them,) = re.findall(r'<option value="(all-\d+)">All that wait<', page)
    given = {"report": all_of_them, "decision": "lifted", "answer": "You are right.", "language": "en"}
    page = step(officer, number, "answer_report", **given)
    assert plain(page).count("You are right.") >= 2
    assert "Withdrawal after the appeal or the report" in plain(page)
    assert "www.reported.test" not in officer.get("/reports")
    # An order that was made before there was a desk is answered on the list itself.
    monkeypatch.setattr(error_reports._Logged, "has", lambda *_: True)
    reported(pages, "6666-6666-6666-6666", "XX-OLDER", words=NASTY)
    listed = officer.get("/reports")
    assert "No case here" in plain(listed)
    assert NASTY not in listed
    assert "<form" not in clerk.get("/reports").partition("<main")[2].partition("</main")[0]
    refused = officer.post("/reports", "/reports", decision="upheld", answer=" ", language="en")
    assert (refused.status_code, "say to who reported it" in plain(refused.text)) == (422, True)
    assert "No report waits." in officer.do("/reports", "/reports", decision="upheld", answer="It is the right site.", language="en")


def test_a_guard_is_overridden_with_a_reason_and_one_signature_more(pages: Pages) -> None:
    pages.document("popular", "www.shop.example\n")
    number = pages.case("www.shop.example")
    first = pages.draft(number).digest
    officer = pages.by("officer")
    page = officer.get(f"/orders/{first}")
    assert "A guard objects" in page
    assert f'action="/orders/{first}/signing"' not in page
    answer = officer.post(f"/orders/{first}", f"/orders/{first}/override", why="")
    assert answer.status_code == 422
    page = officer.do(f"/orders/{first}", f"/orders/{first}/override", why="The shop sells it itself.")
    assert "0 / 3" in page
    assert "The shop sells it itself." in plain(page)
    second = digest_of(page)
    assert second != first
    assert "Dropped" in officer.get(f"/orders/{first}")


def test_a_form_that_lacks_something_is_shown_again_as_it_was_filled_in(pages: Pages) -> None:
    number = pages.case("www.lacks.test", until="assessed")
    answer = pages.by("officer").post(
        f"/cases/{number}", f"/cases/{number}/steps/request_removal", recipient="nobody", kind="host", language="fr", hours="x", why="the <host>"
    )
    assert answer.status_code == 422
    assert "Nothing was changed" in answer.text
    assert '<details class="act" id="do-request_removal" open>' in answer.text
    assert html.escape("the <host>") in answer.text
    assert 'value="nobody"' in answer.text
    assert re.search(r'id="request_removal-hours"[^>]*aria-invalid="true"', answer.text)
    assert re.search(r'aria-describedby="[^"]*request_removal-hours-fault"', answer.text)
    without = pages.by("officer").post(f"/cases/{number}", f"/cases/{number}/steps/dismiss", why=" ")
    assert without.status_code == 422
    assert pages.row(number).state == "assessed"


def test_who_decides_on_a_page_that_is_no_longer_so_is_told_and_changes_nothing(pages: Pages) -> None:
    number = pages.case("www.stale.test", until="assessed")
    here, officer = f"/cases/{number}", pages.by("officer")
    old = {"csrf": csrf(officer, here), "version": re.search(r'name="version" value="(\d+)"', officer.get(here))[1], "why": "done"}  # type: ignore[index]
    step(pages.by("clerk"), number, "note", why="Look at this first.")
    answer = officer.http.post(f"{here}/steps/dismiss", data=old)
    assert answer.status_code == 409
    assert "has changed since you looked at it" in plain(answer.text)
    assert "Look at this first." in answer.text
    assert pages.row(number).state == "assessed"
    for bad in ("x", "-1", "1e3", "9" * 30):
        assert officer.http.post(f"{here}/steps/dismiss", data={**old, "version": bad}).status_code == 422


PATHS = (
    "/cases",
    "/search?q=x",
    "/cases/new",
    "/cases/{n}",
    "/cases/{n}/order",
    "/cases/{n}/evidence",
    "/orders/{d}",
    "/packets",
    "/appeals",
    "/review",
)


def test_each_role_sees_what_is_its_own_and_strangers_nothing(pages: Pages) -> None:
    number, order = pages.ordered("www.roles.test")
    pages.add("north-isp", "operator")
    allowed = {
        "clerk": {"/cases", "/search?q=x", "/cases/new", "/cases/{n}", "/cases/{n}/order", "/cases/{n}/evidence", "/orders/{d}", "/appeals"},
        "officer": set(PATHS) - {"/review"},
        "reviewer": set(PATHS) - {"/cases/new", "/cases/{n}/order"},
        "auditor": set(PATHS) - {"/cases/new", "/cases/{n}/order", "/packets"},
        "administrator": set(),
        "north-isp": set(),
    }
    for login, open_ in allowed.items():
        for path in PATHS:
            status = pages.by(login).http.get(path.format(n=number, d=order.digest)).status_code
            assert status == (200 if path in open_ else 403), (login, path)
    nobody = pages.by("nobody")
    for path in PATHS:
        answer = nobody.http.get(path.format(n=number, d=order.digest))
        assert answer.status_code == 303, path
        assert answer.headers["location"].startswith("/sign-in"), path


def test_an_auditor_reads_and_has_nothing_to_press(pages: Pages) -> None:
    number, order = pages.ordered("www.audited.test")
    for path in (f"/cases/{number}", f"/orders/{order.digest}", f"/cases/{number}/evidence"):
        main = re.search(r"<main.*</main>", pages.by("auditor").get(path), re.DOTALL)[0]  # type: ignore[index]
        assert "<form" not in main, path


def test_what_a_page_does_not_offer_is_refused_when_it_is_posted_all_the_same(pages: Pages) -> None:
    number = pages.case("www.forged.test")
    order = pages.draft(number)
    for login in ("clerk", "auditor", "reviewer", "administrator"):
        who = pages.by(login)
        token = csrf(who, "/account")
        for path in (f"/cases/{number}/steps/dismiss", f"/orders/{order.digest}/signing", f"/orders/{order.digest}/abandon"):
            answer = who.http.post(path, data={"csrf": token, "why": "because"})
            assert answer.status_code in (403, 409), (login, path, answer.status_code)
    officer = pages.by("officer")
    token = csrf(officer, "/cases")
    for unknown in ("publish", "deadline_passed", "published_elsewhere", "nothing", "../x"):
        assert officer.http.post(f"/cases/{number}/steps/{unknown}", data={"csrf": token, "why": "x"}).status_code == 404
    assert officer.http.post(f"/orders/{order.digest}/publish", data={"csrf": token, "why": "x"}).status_code == 409
    assert pages.row(number).state == "drafted"


def test_no_form_of_another_site_is_taken(pages: Pages) -> None:
    number = pages.case("www.csrf.test", until="assessed")
    officer, here = pages.by("officer"), f"/cases/{number}/steps/dismiss"
    good = csrf(officer, "/cases")
    for given in ({}, {"csrf": ""}, {"csrf": csrf(pages.by("clerk"), "/cases")}, {"csrf": good[:-1]}):
        assert officer.http.post(here, data={"why": "x", **given}).status_code == 403
    elsewhere = officer.http.post(here, data={"why": "x", "csrf": good}, headers={"Sec-Fetch-Site": "cross-site"})
    assert elsewhere.status_code == 403
    for path in (f"/cases/{number}/orders", f"/cases/{number}/order", f"/cases/{number}/evidence/observed", "/cases/new", "/packets"):
        assert officer.http.post(path, data={"why": "x"}).status_code in (403, 422), path
    assert pages.row(number).state == "assessed"


def test_what_strangers_and_colleagues_write_is_text_on_every_page(pages: Pages) -> None:
    clerk, officer = pages.by("clerk"), pages.by("officer")
    page = clerk.do("/cases/new", "/cases/new", location=f"https://www.nasty.test/{NASTY}", words=NASTY)
    number = re.search(r"2026-\d{6}", page)[0]  # type: ignore[index]
    here = f"/cases/{number}"
    step(officer, number, "assess", category="terrorism", finding=NASTY, why=NASTY)
    step(officer, number, "owner_unidentifiable", why="Nobody answers.")
    clerk.do(
        f"{here}/order",
        f"{here}/order",
        why=NASTY,
        reasons_en=NASTY,
        legal_basis=NASTY,
        redress_url=NASTY,
        redress_deadline_days="1",
        redress_court=NASTY,
    )
    page = clerk.do(here, f"{here}/orders", why=NASTY)
    at = "/orders/" + digest_of(page)
    clerk.do(f"{here}/evidence", f"{here}/evidence/observed", location=NASTY, label=NASTY, words=NASTY, why=NASTY)
    for path in (here, f"{here}/order", f"{here}/evidence", at, "/cases", f"/search?q={NASTY}", f"/cases?queue={NASTY}", f"/cases/{NASTY}"):
        answer = officer.http.get(path)
        assert answer.status_code in (200, 404, 422), path
        assert "<script" not in answer.text, path
        assert "<img" not in answer.text, path
        assert "&#34;49" not in answer.text, path
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "script-src" not in answer.headers["content-security-policy"]


def test_evidence_comes_in_goes_out_as_a_file_and_belongs_to_its_case(pages: Pages) -> None:
    mine, other = pages.case("www.seen.test"), pages.case("www.unseen.test")
    clerk, officer = pages.by("clerk"), pages.by("officer")
    at = f"/cases/{mine}/evidence"
    page = clerk.do(at, at, files={"content": ("page.html", b"<script>alert(1)</script>", "text/html")}, label="The page", why="as seen")
    item = re.search(r'id="item-(\d+)"', page)[1]  # type: ignore[index]
    assert "The evidence is kept" in page
    assert "Take the file out" not in page  # a clerk adds; an officer looks
    assert clerk.http.post(f"{at}/{item}/file", data={"csrf": csrf(clerk, at), "why": "x"}).status_code == 403
    token = csrf(officer, at)
    assert officer.http.post(f"{at}/{item}/file", data={"csrf": token}).status_code == 422
    answer = officer.http.post(f"{at}/{item}/file", data={"csrf": token, "why": "to judge it"})
    assert answer.content == b"<script>alert(1)</script>"
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.headers["content-type"] == "application/octet-stream"
    assert "to judge it" in lines(pages, "evidence.read", f"evidence:{item}")[-1].details
    for act in ("file", "hold", "extend", "release", "shred"):
        wrong = officer.http.post(f"/cases/{other}/evidence/{item}/{act}", data={"csrf": token, "why": "x", "until": "2030-01-01"})
        assert wrong.status_code == 404, act
    assert "Court order" in officer.do(at, f"{at}/{item}/hold", why="Court order 17")
    assert officer.http.post(f"{at}/{item}/shred", data={"csrf": token, "why": "x"}).status_code == 409
    assert "second person" in officer.do(at, f"{at}/{item}/release", why="The court has lifted it.")
    page = officer.do(at, f"{at}/{item}/extend", until="2030-01-01", why="the trial goes on")
    assert "It is kept longer" in page
    assert officer.http.post(f"{at}/999999/file", data={"csrf": token, "why": "x"}).status_code == 404


def test_who_reads_or_searches_is_in_the_log_before_the_page_is_shown(pages: Pages) -> None:
    number, order = pages.ordered("www.read.test")
    for login, path in (
        ("auditor", f"/cases/{number}"),
        ("reviewer", f"/orders/{order.digest}"),
        ("clerk", f"/cases/{number}/order"),
        ("officer", f"/cases/{number}/evidence"),
    ):
        before = len(lines(pages, "case.read", f"case:{number}"))
        pages.by(login).get(path)
        after = lines(pages, "case.read", f"case:{number}")
        assert len(after) == before + 1, path
        assert after[-1].who == login
    pages.by("auditor").get("/search?q=www.read.test")
    assert "www.read.test" in lines(pages, "case.search", "desk")[-1].details
    pages.by("administrator").http.get(f"/cases/{number}")
    assert all(line.who != "administrator" for line in lines(pages, "case.read", f"case:{number}"))


def test_a_packet_of_something_else_is_refused_in_words(pages: Pages) -> None:
    officer = pages.by("officer")
    number = pages.case("www.packet.test")
    order = pages.opened(number)
    unsigned = officer.http.get(f"/orders/{order.digest}/packet").content
    for octets in (b"", b"{}", b"\x00\xff", b"[" * 100_000, unsigned):
        answer = officer.post("/packets", "/packets", files={"packet": ("p.json", octets)})
        assert answer.status_code in (404, 409, 422), octets[:10]
        assert "Nothing was changed" in answer.text
    assert officer.post("/packets", "/packets").status_code == 422


def test_the_pages_speak_french(pages: Pages) -> None:
    number, order = pages.ordered("www.francais.test")
    step(pages.by("officer"), number, "note", why="no objection")
    there = pages.by("officer", "fr")
    page = there.get(f"/cases/{number}")
    assert '<html lang="fr">' in page
    assert "Ce que vous pouvez faire" in page
    assert "En vigueur" in page
    assert '<p class="why">no objection</p>' in page  # what a person wrote stays as it was written
    assert "Ce que disent les garde-fous" in there.get(f"/orders/{order.digest}")
    assert "officiers de North" in there.get(f"/orders/{order.digest}")
    assert "Dossiers en retard" in there.get("/cases")
    refused = there.post(f"/cases/{number}", f"/cases/{number}/steps/recheck", found="gone", why="")
    assert "dites pourquoi" in refused.text
    assert pages.row(number).state == "in_force"
    assert pages.now == NOW


def test_a_long_timeline_and_many_names_stay_a_page(pages: Pages) -> None:
    number = pages.case(*[f"n{each}.long.test" for each in range(300)], until="assessed")
    for each in range(120):
        pages.step(number, "note", "clerk", why=f"note {each}.")
    page = pages.by("officer").get(f"/cases/{number}")
    assert "note 119." in page
    assert "note 3." not in page
    assert "All 300 names" in page
    assert "note 3." in pages.by("officer").get(f"/cases/{number}?whole=true")


def test_people_are_called_by_name_and_an_order_leads_to_who_enforces_it(pages: Pages) -> None:
    pages.add("m.leroy", "clerk", name="Marie <Leroy>")
    number, order = pages.ordered("www.named.test")
    step(pages.by("m.leroy"), number, "note", why="seen again")
    page = pages.by("officer").get(f"/cases/{number}")
    assert 'by <span title="m.leroy">Marie &lt;Leroy&gt;</span>' in page
    there = f'href="/compliance/orders/{order.log_index}"'
    assert there in page
    assert there in pages.by("officer").get(f"/orders/{order.digest}")
    assert 'par <span title="m.leroy">' in pages.by("officer", "fr").get(f"/cases/{number}")
    compliance.refresh(pages.desk, pages.now)
    assert order.order_id in pages.by("officer").get(f"/compliance/orders/{order.log_index}")


def test_an_order_is_written_in_any_language_and_says_how_to_object_in_each(pages: Pages) -> None:
    number, officer = pages.case("www.tongues.test", until="assessed"), pages.by("officer")
    at = f"/cases/{number}/order"
    told = {
        "legal_basis": "Law 1",
        "redress_url": "https://authority.example/",
        "redress_deadline_days": "60",
        "redress_court": "Court",
        "reasons_fr": "",
        "why": "written",
    }
    for tag, more, said in (
        ("", {"other_reasons": "Gewalt"}, "say which language it is"),
        ("german", {"other_reasons": "Gewalt"}, "write a language tag"),
        ("de", {}, "write a text in that language"),
    ):
        answer = officer.post(at, at, **told, other_language=tag, **more)
        assert answer.status_code == 422
        assert said in plain(answer.text)
    officer.do(at, at, **told, reasons_en="Violence", other_language="pt-BR", other_reasons="Violência", other_redress="Escreva ao tribunal.")
    assert pages.row(number).facts["reasons"] == {"en": "Violence", "pt-BR": "Violência"}
    assert pages.row(number).facts["redress"]["text"] == {"pt-BR": "Escreva ao tribunal."}
    page = officer.get(at)
    assert "Reasons, in pt-BR" in page
    assert "Escreva ao tribunal." in page
    assert "Voies de recours, en pt-BR" in pages.by("officer", "fr").get(at)
    given = {**told, "reasons_en": "Violence", "reasons_pt-BR": "", "redress_text_pt-BR": "", "redress_text_fr": "Écrivez au tribunal."}
    officer.do(at, at, **given)
    assert pages.row(number).facts["reasons"] == {"en": "Violence"}
    assert pages.row(number).facts["redress"]["text"] == {"fr": "Écrivez au tribunal."}
    answer = officer.post(at, at, **given, other_language="de", other_redress="x" * 70_000)
    assert answer.status_code == 422
    assert "aria-invalid" in answer.text
