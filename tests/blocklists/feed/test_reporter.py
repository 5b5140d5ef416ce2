"""Reports carried to an authority that is up, away, wrong or lying, and what became of them brought back: nothing lost, nothing believed unsigned."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from blocklists import report
from blocklists.alarms import Alarms
from blocklists.errors import StoreError
from blocklists.feed.reporter import PATIENCE, Reporter
from blocklists.report import Outcome
from blocklists.reports import Reports, Taken
from blocklists.settings import FeedSettings
from blocklists.trust.envelope import ACKNOWLEDGEMENT, OUTCOMES
from tests.blocklists.test_reports import made, outcome
from tests.blocklists.trust import office
from tests.tools import wait_for

NAMES = [f"{digit * 4}-7777-7777-7777" for digit in "23456"]


class Authority(ThreadingHTTPServer):
    """Takes reports as an authority does, or as it is told."""

    daemon_threads = True

    def __init__(self) -> None:
        self.taken: list[bytes] = []
        self.outcomes: list[Outcome] = []
        self.asked: list[str] = []
        self.tokens: set[str] = set()
        self.status = 200
        self.signer = "log"
        self.refused = ""
        self.changes: dict[str, Any] = {}
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=lambda: self.serve_forever(0.01), daemon=True).start()


class Handler(BaseHTTPRequestHandler):
    server: Authority
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        refused = bool(self.server.refused) and self.server.refused.encode() in body
        if self.server.status == 200 and not refused:
            self.server.taken.append(body)
        said = {"type": "acknowledgement", "version": 1, "log": office.ORIGIN, "receipt": report.digest(body), "at": 5000, **self.server.changes}
        self._answer(400 if refused else self.server.status, office.sign(said, self.server.signer, kind=ACKNOWLEDGEMENT).encode())

    def do_GET(self) -> None:
        after = int(self.path.rpartition("=")[2])
        self.server.asked.append(self.path)
        found = [each.model_dump() for each in self.server.outcomes if each.number > after][:2]
        said = {"type": "outcomes", "version": 1, "log": office.ORIGIN, "operator": "isp-1", "after": after, "outcomes": found, **self.server.changes}
        self._answer(self.server.status, office.sign(said, self.server.signer, kind=OUTCOMES).encode())

    def _answer(self, status: int, body: bytes) -> None:
        self.server.tokens.add(self.headers.get("Authorization", ""))
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class House:
    """An operator's reports and who carries them, step by step."""

    def __init__(self, place: Path, url: str) -> None:
        self.place = place
        self.kept = Reports(place)
        self.on: dict[str, str] = {}
        settings = FeedSettings(urls=(url, "http://127.0.0.1:9/"), root=str(place / "root.json"), token_file=str(place / "token"), operator="isp-1")
        self.carrier = Reporter(place, settings, Alarms(self._told))
        self.carrier.believe(office.make_policy())

    def _told(self, message: dict[str, Any]) -> bool:
        if "alarm" in message:
            self.on[message["alarm"]["name"]] = f"{message['alarm']['what']}; {message['alarm']['remedy']}"
        self.on.pop(message.get("clear", ""), None)
        return True

    def step(self, later: float = 0) -> None:
        """As if all pauses were over."""
        self.carrier._due = self.carrier._hear_at = self.carrier._again_at = 0
        self.carrier.step(time.time() + later)

    def outcome(self, reference: str) -> str:
        found = self.kept.status(reference)
        return found.outcome.decision if isinstance(found, Taken) and found.outcome else ""


@pytest.fixture
def authority() -> Iterator[Authority]:
    found = Authority()
    yield found
    found.shutdown()
    found.server_close()


@pytest.fixture
def house(tmp_path: Path, authority: Authority) -> House:
    (tmp_path / "token").write_text("secret-token\n")
    return House(tmp_path, f"http://127.0.0.1:{authority.server_port}/")


def test_a_report_goes_once_and_its_outcome_comes_back(house: House, authority: Authority) -> None:
    for name in NAMES:
        house.kept.keep(made(name))
    house.step()
    assert sorted(report.read(body).reference for body in authority.taken) == NAMES
    assert authority.tokens == {"Bearer secret-token"}
    assert house.kept.pending() == []
    authority.outcomes = [outcome(10 * (number + 1), name) for number, name in enumerate(NAMES[:4])]
    house.step()
    assert [house.outcome(name) for name in NAMES] == ["lifted"] * 4 + [""]
    assert house.kept.heard == 40
    authority.outcomes.append(outcome(50, NAMES[4], decision="unknown", answer=""))
    house.step()
    asked = len(authority.asked)
    assert house.outcome(NAMES[4]) == "unknown"
    house.step()
    assert len(authority.asked) == asked, "nobody waits for an outcome, so that nobody is asked"
    assert house.on == {}


def test_nothing_is_asked_where_nothing_was_reported(house: House, authority: Authority) -> None:
    (house.place / "token").unlink()
    house.step()
    assert (authority.asked, authority.tokens, house.on) == ([], set(), {})


def test_days_without_the_authority_lose_nothing_and_are_an_alarm(house: House, authority: Authority) -> None:
    authority.status = 503
    for name in NAMES:
        house.kept.keep(made(name))
        house.step()
    assert len(house.kept.pending()) == len(NAMES)
    assert house.on == {}
    house.step(PATIENCE + 1)
    assert "5 reports of errors wait" in house.on["reports undelivered"]
    assert "HTTP 503" in house.on["reports undelivered"]
    authority.status = 200
    house.step()
    house.step(PATIENCE + 1)
    assert house.on == {}
    assert sorted(report.read(body).reference for body in authority.taken) == NAMES


def test_one_that_is_refused_keeps_back_no_other(house: House, authority: Authority) -> None:
    authority.refused = NAMES[0]
    for number, name in enumerate(NAMES):
        house.kept.keep(made(name))
        os.utime(house.kept.waiting / f"{name}.json", (1000 + number, 1000 + number))
    for _ in range(3):
        house.carrier._due = 0
        house.carrier.step(2000)
    assert [each.reference for each in house.kept.pending()] == NAMES[:1]
    house.carrier._due = 0
    house.carrier.step(2000 + PATIENCE)
    assert "refuses what was sent" in house.on["reports undelivered"]
    authority.refused = ""
    house.step()
    assert house.kept.pending() == []


@pytest.mark.parametrize(
    "changes", [{"receipt": "sha256:" + "0" * 64}, {"log": "another.test/log"}, {"type": "receipt"}, {"at": -1}], ids=["digest", "log", "type", "at"]
)
def test_who_only_says_that_it_was_taken_is_not_believed(house: House, authority: Authority, changes: dict[str, Any]) -> None:
    house.kept.keep(made())
    authority.changes = changes
    house.step()
    assert len(house.kept.pending()) == 1
    authority.changes, authority.signer = {}, "n1"
    house.step(PATIENCE + 1)
    assert "not signed by the log's key" in house.on["reports undelivered"]
    assert len(house.kept.pending()) == 1


@pytest.mark.parametrize("changes", [{"operator": "isp-2"}, {"log": "another.test/log"}, {"after": 3}], ids=["operator", "log", "question"])
def test_what_became_of_it_is_believed_of_nobody_else(house: House, authority: Authority, changes: dict[str, Any]) -> None:
    house.kept.keep(made())
    house.step()
    authority.outcomes = [outcome(9)]
    authority.changes = changes
    house.step()
    authority.changes, authority.signer = {}, "n1"
    house.step()
    assert house.outcome(made().reference) == ""
    authority.signer = "log"
    house.step()
    assert house.outcome(made().reference) == "lifted"


def test_a_report_that_is_damaged_is_an_alarm_and_keeps_back_no_other(house: House, authority: Authority) -> None:
    for number, name in enumerate(NAMES):
        house.kept.keep(made(name))
        os.utime(house.kept.waiting / f"{name}.json", (1000 + number, 1000 + number))
    spoilt = house.kept.waiting / f"{NAMES[0]}.json"
    spoilt.chmod(0o600)
    spoilt.write_bytes(b"{")
    with pytest.raises(StoreError):
        house.kept.read(NAMES[0])
    house.step()
    assert NAMES[0] in house.on["reports"]
    house.carrier._due = 0
    house.carrier.step(time.time())
    assert sorted(report.read(body).reference for body in authority.taken) == NAMES[1:]


def test_it_carries_by_itself_once_started(house: House, authority: Authority) -> None:
    house.carrier.start()
    house.kept.keep(made())
    wait_for(lambda: authority.taken, "the report to arrive")
    wait_for(lambda: isinstance(house.kept.status(made().reference), Taken), "it to be noted")
