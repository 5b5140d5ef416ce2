"""The operator's own pages in a real process: an error is reported, kept whatever happens, followed; programs and strangers are kept out."""

from __future__ import annotations

import asyncio
import html
import re
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send

from blocklists import report
from blocklists.report import Outcome, Report
from blocklists.reports import MOST_OCTETS, Reports, Waiting
from landing import gate, limits, stamps
from landing.gate import Gate
from landing.limits import Limit, TooMany
from landing.own import EACH_HOUR, create_own
from landing.page import Pages
from landing.report import TRAP, Fault, fields_of, prefilled, read
from landing.settings import LandingSettings
from landing.stamps import Stamps, TooOld, TooSoon
from tests.landing.conftest import HOSTILE
from tests.landing.samples import order, put_in_force
from tests.landing.server import Answer, Client, Landing
from tests.tools import DEADLINE

OWN = "report.operator.example"
FORM = {"order": "XX-2026-000123", "name": "www.blocked.example", "words": "It is a bakery.", "contact": ""}


class Visitors:
    """Visitors of one landing page, each from an address of its own, so that none is told to come back because of another."""

    def __init__(self, landing: Landing, state_dir: Path) -> None:
        self.landing = landing
        self.state_dir = state_dir
        self.reports = Reports(state_dir)
        self._address = 1

    def ask(self, target: str, method: str = "GET", fields: str = "", body: bytes = b"", address: str = "", host: str = OWN) -> Answer:
        if not address:
            self._address += 1
            address = f"127.0.0.{self._address}"
        with socket.create_connection(("127.0.0.1", self.landing.port), DEADLINE, (address, 0)) as connection:
            client = Client.__new__(Client)
            client.socket, client._pending = connection, b""
            length = f"Content-Length: {len(body)}\r\n" if method == "POST" else ""
            client.send(f"{method} {target} HTTP/1.1\r\nHost: {host}\r\n{length}{fields}\r\n".encode() + body)
            return client.answer(with_body=method != "HEAD")

    def stamp(self, ago: int = 60) -> str:
        """Of a form that was given out some time ago."""
        return Stamps(self.reports.waiting).make(int(time.time()) - ago)

    def post(self, target: str = "/report?lang=en", extra: str = "", address: str = "", **fields: str) -> Answer:
        """A form as a browser sends it."""
        body = urlencode({**FORM, "stamp": self.stamp(), **fields}).encode()
        return self.ask(target, "POST", f"Content-Type: application/x-www-form-urlencoded\r\n{extra}", body, address)

    def said(self, answer: Answer) -> str:
        """The page's words."""
        return " ".join(html.unescape(re.sub("<[^>]+>", " ", answer.text[answer.text.index("<main") :])).split())


@pytest.fixture(scope="module")
def visitors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visitors]:
    state_dir = tmp_path_factory.mktemp("own")
    put_in_force(state_dir, order("blocked.example"))
    with Landing(state_dir, own_name=OWN, confined=True) as landing:
        landing.wait_for("www.blocked.example", 451)
        yield Visitors(landing, state_dir)


def reference_of(answer: Answer) -> str:
    assert answer.status == 303, answer.text
    found = re.fullmatch(r"/report/([A-Z0-9-]{19})\?new=1&lang=\w\w", answer["location"])
    assert found is not None
    return found[1]


def test_the_page_of_a_blocked_site_leads_to_a_form_that_is_filled_in_already(visitors: Visitors) -> None:
    blocked = visitors.ask("/", host="www.blocked.example")
    link = re.search(rf'href="(http://{OWN}(/report\?[^"]+))"', blocked.text)
    assert link is not None
    form = visitors.ask(html.unescape(link[2]))
    assert form.status == 200
    assert f'value="{FORM["order"]}"' in form.text
    assert f'value="{FORM["name"]}"' in form.text
    assert "form-action 'self'" in form["content-security-policy"]
    assert "default-src 'none'" in form["content-security-policy"]
    assert (form["cache-control"], form["referrer-policy"]) == ("no-store", "no-referrer")
    assert "set-cookie" not in form
    assert "<script" not in form.text
    for field in ("order", "name"):
        assert f"{field}={FORM[field]}&amp;" in form.text, "the language switch keeps what is filled in"
    assert visitors.ask("/report", host="www.blocked.example").status == 451, "under another Host the path is the blocked site's"


def test_a_report_is_on_the_disk_before_it_is_received_and_can_be_followed(visitors: Visitors) -> None:
    spying = "User-Agent: Spy/1.0 secret-agent\r\nX-Forwarded-For: 192.0.2.77\r\nCookie: who=secret-cookie\r\n"
    said = {"name": "https://www.Blocked.example/secret-path?q=1", "words": "C'est une boulangerie.\r\nVraiment."}
    answer = visitors.post("/report?lang=fr", spying, address="127.0.0.201", **said)
    reference = reference_of(answer)
    kept = visitors.reports.read(reference)
    assert (kept.order, kept.name, kept.words, kept.language) == (FORM["order"], FORM["name"], "C'est une boulangerie.\nVraiment.", "fr")
    assert kept.at % 3600 == 0
    page = visitors.ask(answer["location"])
    assert reference in page.text
    assert "Votre signalement a été reçu" in visitors.said(page)
    assert "boulangerie" not in page.text
    for path in visitors.state_dir.rglob("*"):
        octets = path.read_bytes() if path.is_file() else b""
        assert [found for found in (b"127.0.0.201", b"secret-", b"192.0.2.77") if found in octets] == [], path


@pytest.mark.parametrize("copied", ["https://www.blocked.example:8443/a", "www.blocked.example:80", "http://www.blocked.example#top"])
def test_an_address_copied_from_the_browser_is_a_name(visitors: Visitors, copied: str) -> None:
    assert visitors.reports.read(reference_of(visitors.post(name=copied))).name == FORM["name"]


def test_a_form_that_is_sent_twice_is_one_report(visitors: Visitors) -> None:
    stamp = visitors.stamp()
    answers = [visitors.post(stamp=stamp) for _ in range(2)]
    assert reference_of(answers[0]) == reference_of(answers[1])
    other = visitors.post(stamp=stamp, words="Something else.")
    assert other.status == 422
    assert "sent already, with something else in it" in visitors.said(other)
    anew = re.search(r'name="stamp" value="([^"]+)"', other.text)
    assert anew is not None
    assert anew[1] != stamp


@pytest.mark.parametrize(
    ("fields", "extra", "status", "said"),
    [
        ({"order": ""}, "", 422, "Write the public reference"),
        ({"order": "<b>"}, "", 422, "Write the public reference"),
        ({"name": "192.0.2.1"}, "", 422, "not the name of a site"),
        ({"name": "a b"}, "", 422, "not the name of a site"),
        ({"words": ""}, "", 422, "Write what is wrong"),
        ({"words": "x" * 4001}, "", 422, "Write what is wrong"),
        ({"words": "a\u202eb"}, "", 422, "U+202E"),
        ({"contact": "nobody"}, "", 422, "not an e-mail address"),
        ({"contact": "a@b.example\r\nBcc: c@d.example"}, "", 422, "not an e-mail address"),
        ({TRAP: "http://casino.example"}, "", 422, "A program filled in"),
        ({"stamp": "1.2.3"}, "", 422, "open for too long"),
        ({"stamp": ""}, "", 422, "open for too long"),
        ({}, "Sec-Fetch-Site: cross-site\r\n", 422, "from another site"),
        ({}, "Origin: http://evil.example\r\n", 422, "from another site"),
        ({}, "Origin: http://[secret-origin]\r\n", 422, "from another site"),
    ],
)
def test_what_is_wrong_is_told_and_nothing_kept(visitors: Visitors, fields: dict[str, str], extra: str, status: int, said: str) -> None:
    before = visitors.reports.pending()
    answer = visitors.post(extra=extra, **fields)
    assert (answer.status, said in visitors.said(answer)) == (status, True), visitors.said(answer)
    assert visitors.reports.pending() == before
    if not extra and "words" not in fields:
        assert "It is a bakery." in answer.text, "what was written is not lost"


def test_own_and_unknown_origins_are_let_in(visitors: Visitors) -> None:
    for extra in (f"Origin: http://{OWN}\r\n", "Origin: null\r\n", "Sec-Fetch-Site: same-origin\r\n", "Sec-Fetch-Site: none\r\n"):
        reference_of(visitors.post(extra=extra))


def test_a_program_is_slowed_down(visitors: Visitors) -> None:
    form = visitors.ask("/report?lang=en")
    stamp = re.search(r'name="stamp" value="([^"]+)"', form.text)
    assert stamp is not None
    answer = visitors.post(stamp=stamp[1])
    assert (answer.status, "sooner than anybody writes" in visitors.said(answer)) == (422, True)
    assert f'value="{stamp[1]}"' in answer.text, "the same form can be sent a moment later"
    old = visitors.post(stamp=visitors.stamp(stamps.LATEST + 60))
    assert "open for too long" in visitors.said(old)


def test_one_visitor_sends_so_many_and_others_go_on(visitors: Visitors) -> None:
    for _ in range(EACH_HOUR):
        reference_of(visitors.post(address="127.0.0.222"))
    refused = visitors.post(address="127.0.0.222")
    assert (refused.status, refused.status == 429 and int(refused["retry-after"]) > 3000) == (429, True)
    assert "It is a bakery." in refused.text
    reference_of(visitors.post(address="127.0.0.223"))


def test_what_a_form_brings_is_shown_as_text(visitors: Visitors) -> None:
    answer = visitors.post(order=HOSTILE, name=HOSTILE, words=HOSTILE, contact=HOSTILE)
    assert answer.status == 422
    assert "<script>alert" not in answer.text
    assert "<img" not in answer.text
    assert html.escape(HOSTILE[:20]) in answer.text.replace("&#34;", "&quot;")
    for target in (
        "/report?order=%3Cscript%3E&name=%22%3E%3Cimg",
        "/report/%3Cscript%3Ealert(1)",
        "/report/follow?reference=%3Cscript%3E",
        "/%3Cscript%3E",
    ):
        assert "<script>" not in visitors.ask(target).text


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [("text/plain", b"order=1", 422), ("multipart/form-data; boundary=x", b"--x--", 422), ("", b"", 422), ("application/json", b"{}", 422),
     ("application/x-www-form-urlencoded", b"words=%ff%fe", 422), ("application/x-www-form-urlencoded", b"\xff" * 100, 422),
     ("application/x-www-form-urlencoded", b"&".join(b"a=b" for _ in range(1000)), 422)],
)  # fmt: skip
def test_a_body_that_no_form_sends_is_refused(visitors: Visitors, kind: str, body: bytes, status: int) -> None:
    assert visitors.ask("/report", "POST", f"Content-Type: {kind}\r\n" if kind else "", body).status == status


def test_a_body_without_end_is_cut_off(visitors: Visitors) -> None:
    body = b"words=" + b"x" * 200_000
    answer = visitors.ask("/report?lang=en", "POST", "Content-Type: application/x-www-form-urlencoded\r\n", body)
    assert (answer.status, "in 1 to 4,000 characters" in visitors.said(answer)) == (413, True)


def test_who_leaves_within_a_form_is_no_fault(visitors: Visitors) -> None:
    before = visitors.landing.errors.read_bytes()
    with visitors.landing.client() as client:
        client.send(f"POST /report HTTP/1.1\r\nHost: {OWN}\r\nContent-Length: 1000\r\n\r\nwords=secret-words".encode())
        client.socket.shutdown(socket.SHUT_WR)
        while client.socket.recv(4096):
            pass
    assert visitors.landing.errors.read_bytes() == before


def test_a_fault_of_ours_is_logged_without_the_visitors_words(tmp_path: Path) -> None:
    put_in_force(tmp_path, order("blocked.example"))
    with Landing(tmp_path, own_name=OWN) as landing:
        visitors = Visitors(landing, tmp_path)
        reference = reference_of(visitors.post())
        (visitors.reports.followed).mkdir()
        (visitors.reports.followed / f"{reference}.json").write_text('{"secret-words": 1}')
        assert visitors.ask(f"/report/{reference}").status == 500
    said = landing.errors.read_text()
    assert "StoreError at reports.py" in said
    assert "secret-words" not in said
    assert reference not in said
    assert "Traceback" not in said


def test_a_connection_ends_with_the_own_page_that_it_brought(visitors: Visitors) -> None:
    """Or a program in between, which shares it among visitors, would be given own pages for blocked sites."""
    for target, method, status in (("/", "GET", 200), ("/elsewhere", "GET", 404), ("/report", "DELETE", 405)):
        with visitors.landing.client() as client:
            own, blocked = (f"{each} HTTP/1.1\r\nHost: {host}\r\n\r\n" for each, host in ((f"{method} {target}", OWN), ("GET /", "blocked.example")))
            client.send((blocked + own + blocked).encode())
            first, second = client.answer(), client.answer()
            assert (first.status, second.status, second["connection"], client.closed()) == (451, status, "close", True)


@pytest.mark.parametrize(
    ("target", "method", "status"),
    [("/", "GET", 200), ("/", "HEAD", 200), ("/report", "HEAD", 200), ("/elsewhere", "GET", 404), ("/report", "DELETE", 405),
     ("/report/", "GET", 404), ("/report/none", "GET", 404), ("/report/follow", "GET", 200),
     ("/report/follow?reference=none", "GET", 404), ("/openapi.json", "GET", 404)],
)  # fmt: skip
def test_each_path_answers_what_it_should(visitors: Visitors, target: str, method: str, status: int) -> None:
    answer = visitors.ask(target, method)
    assert answer.status == status
    assert answer["cache-control"] == "no-store"
    assert "script" not in answer["content-security-policy"]


def test_a_reference_is_found_however_it_is_typed(visitors: Visitors) -> None:
    reference = reference_of(visitors.post())
    for typed in (reference.lower(), reference.replace("-", ""), reference.replace("-", "%20%20")):
        answer = visitors.ask(f"/report/follow?reference={typed}&lang=en")
        assert (answer.status, answer["location"]) == (303, f"/report/{reference}?lang=en")


def test_the_answer_is_shown_in_the_authoritys_words_and_the_visitors_language(visitors: Visitors) -> None:
    reference = reference_of(visitors.post())
    assert "will pass it on" in visitors.said(visitors.ask(f"/report/{reference}?lang=en"))
    visitors.reports.note_taken(visitors.reports.read(reference), 1_790_000_000)
    assert "has not answered yet" in visitors.said(visitors.ask(f"/report/{reference}?lang=en"))
    said = {"number": 1, "reference": reference, "decision": "lifted", "answer": f"Right. {HOSTILE}", "language": "en", "at": 1_790_100_000}
    visitors.reports.note_outcome(Outcome.model_validate(said))
    english, french, arabic = (visitors.ask(f"/report/{reference}?lang={chosen}") for chosen in ("en", "fr", "ar"))
    assert "is lifting the order" in visitors.said(english)
    assert "fallback" not in english.text[english.text.index("<main") :]
    assert "va retirer sa décision" in visitors.said(french)
    assert 'class="fallback"' in french.text
    assert 'lang="en" dir="auto">Right.' in french.text
    assert 'dir="rtl"' in arabic.text
    assert "<script>alert" not in english.text


def test_no_more_are_taken_than_can_wait(visitors: Visitors) -> None:
    large = visitors.reports.waiting / "2222-2222-2222-2222.json"
    with large.open("wb") as file:
        file.truncate(MOST_OCTETS)
    answer = visitors.post()
    assert (answer.status, "retry-after" in answer, "It is a bakery." in answer.text) == (503, True, True)
    large.unlink()
    reference_of(visitors.post())


def test_killed_after_it_said_received_it_has_it_and_the_form_is_still_good(tmp_path: Path) -> None:
    put_in_force(tmp_path, order("blocked.example"))
    first = Landing(tmp_path, own_name=OWN)
    visitors = Visitors(first, tmp_path)
    stamp = visitors.stamp()
    reference = reference_of(visitors.post(stamp=stamp))
    first.process.send_signal(signal.SIGKILL)
    first.process.wait()
    assert isinstance(visitors.reports.status(reference), Waiting)
    with Landing(tmp_path, own_name=OWN) as second:
        visitors = Visitors(second, tmp_path)
        assert reference_of(visitors.post(stamp=stamp)) == reference
        assert len(visitors.reports.pending()) == 1
    first.process.stdout.close()  # type: ignore[union-attr]


def test_where_nobody_carries_reports_the_form_says_so(tmp_path: Path) -> None:
    put_in_force(tmp_path, order("blocked.example"))
    with Landing(tmp_path, own_name=OWN, carried=False) as landing:
        visitors = Visitors(landing, tmp_path)
        for answer in (visitors.ask("/report?lang=en"), visitors.post()):
            assert "cannot pass a report on" in visitors.said(answer)
            assert "<form" not in answer.text
        assert visitors.reports.pending() == []
        blocked = visitors.ask("/?lang=en", host="www.blocked.example")
        assert f"{OWN}/report" not in blocked.text, "no page leads to it"
        assert "If you think this site is blocked in error, tell Example Telecom" in visitors.said(blocked)


def test_a_disk_that_refuses_is_said_and_the_words_are_kept(tmp_path: Path) -> None:
    (tmp_path / "outbox").mkdir()
    (tmp_path / "outbox/reports").write_text("a file stands here")
    with TestClient(create_own(LandingSettings(own_name=OWN), tmp_path), f"http://{OWN}") as client:
        for answer in (client.get("/report"), client.post("/report", data=FORM)):
            assert (answer.status_code, "No report can be received just now" in answer.text) == (503, True)
        assert "It is a bakery." in answer.text


def test_a_flood_is_refused_from_what_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client = TestClient(create_own(LandingSettings(own_name=OWN), tmp_path), f"http://{OWN}")
    answers = [client.get("/?lang=fr") for _ in range(gate.EACH_MINUTE)]
    assert {answer.status_code for answer in answers} == {200}
    first = client.get("/?lang=fr")
    monkeypatch.setattr(Pages, "html", None)  # nothing is made any more for who floods
    again = client.get("/report?lang=fr")
    assert first.status_code == again.status_code == 429
    assert (again.headers["retry-after"], again.headers["connection"], again.headers["cache-control"]) == ("60", "close", "no-store")
    assert "Un instant" in again.text
    assert "script" not in again.headers["content-security-policy"]


def test_nobody_holds_more_than_some_requests_at_once() -> None:
    """Slow bodies of one visitor keep no other out, nor hold memory without end."""

    async def tried() -> tuple[int, int]:
        entered, end = [], asyncio.Event()

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            entered.append(scope["client"][0])
            await end.wait()

        async def send(message: Any) -> None:
            refused.append(message)

        refused: list[Any] = []
        found = Gate(app, lambda scope: ([], b"later"))

        def come(address: str) -> asyncio.Task[None]:
            scope = {"type": "http", "method": "POST", "client": (address, 1)}
            return asyncio.ensure_future(found(scope, None, send))  # type: ignore[arg-type]

        waits = [come("192.0.2.1") for _ in range(30)] + [come("192.0.2.2")]
        while len(entered) + len(refused) / 2 < 31:
            await asyncio.sleep(0)
        end.set()
        await asyncio.gather(*waits)
        await come("192.0.2.1")
        return entered.count("192.0.2.1"), entered.count("192.0.2.2")

    assert asyncio.run(tried()) == (gate.EACH_AT_ONCE + 1, 1)


# --- the pure parts

TEXTS = st.text(max_size=60) | st.sampled_from(["XX-1", "www.site.test", "https://www.site.test/x", "a@site.example", "", HOSTILE, "\u202e"])


@given(st.dictionaries(st.sampled_from(["order", "name", "words", "contact", "else"]), TEXTS))
def test_any_form_is_a_report_or_one_fault_of_a_field(given: dict[str, str]) -> None:
    found: Report | Fault
    try:
        found = read(given, "7K2M-QX4R-9DHT-WE5C", "en", 7205)
    except Fault as fault:
        found = fault
    if isinstance(found, Fault):
        assert found.field in FORM
    else:
        assert report.read(found.encode()) == found
        assert (found.order, found.words, found.at) == (given["order"], given["words"].strip(), 7200)


@given(st.binary(max_size=200))
def test_any_body_is_fields_or_a_fault(body: bytes) -> None:
    try:
        found = fields_of(body)
    except Fault:
        return
    assert all(value == value.strip() for value in found.values())


@given(st.text(max_size=100))
def test_any_link_fills_in_what_can_be_sent(query: str) -> None:
    given = {"words": "x", **prefilled(query)}
    if {"order", "name"} <= set(given):
        assert isinstance(read(given, "7K2M-QX4R-9DHT-WE5C", "en", 0), Report)


@given(st.text(max_size=200), st.integers(0, 1 << 40))
def test_no_stamp_can_be_made_up(tmp_path_factory: pytest.TempPathFactory, stamp: str, now: int) -> None:
    made = Stamps(tmp_path_factory.getbasetemp())
    with pytest.raises(TooOld):
        made.reference(stamp, now)
    good = made.make(now)
    with pytest.raises(TooSoon):
        made.reference(good, now + stamps.SOONEST - 1)
    assert report.reference_in(made.reference(good, now + stamps.SOONEST)) == good.split(".")[1]
    for late in (now - 1, now + stamps.LATEST + 1):
        with pytest.raises(TooOld):
            made.reference(good, late)


def test_a_home_is_one_visitor_and_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    limit = Limit(2, 3600, 1000)
    for address in ("2001:db8:1:ff00::1", "2001:db8:1:ff12::2"):
        limit.count(address, 10.0)
    with pytest.raises(TooMany) as told:
        limit.count("2001:db8:1:ffff::3", 20.0)
    assert told.value.seconds == 3591
    limit.count("2001:db8:1:fe00::1", 20.0)
    limit.count("::ffff:192.0.2.1", 20.0)
    limit.count("192.0.2.1", 20.0)
    with pytest.raises(TooMany):
        limit.count("192.0.2.1", 20.0)
    limit.count("192.0.2.1", 3700.0)
    monkeypatch.setattr(limits, "MOST_KEPT", 50)
    for number in range(300):
        limit.count(f"198.51.100.{number % 256}:{number}", 9000.0)
    assert len(limit._held) <= 51
    everybody = Limit(9, 3600, 5)
    for number in range(5):
        everybody.count(f"192.0.2.{number}", 10.0)
    with pytest.raises(TooMany):
        everybody.count("192.0.2.9", 30.0)
    everybody.count("192.0.2.9", 71.0)
