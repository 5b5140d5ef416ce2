"""An error that a visitor reports, all the way and back by real processes, each of them killed: form, feed client, authority's server, desk."""

from __future__ import annotations

import html
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from urllib.parse import urlencode

import pytest
import urllib3
from sqlalchemy import select

from authority.desk import error_reports
from authority.desk.tables import ErrorReport
from authority.places import Places
from blocklists.feed.job import FeedJob, write_job
from blocklists.reports import Reports, Taken
from blocklists.settings import FeedSettings
from landing.stamps import Stamps
from tests.authority.desk.orders.house import House
from tests.authority.feeding import Operator, Server, registered, serving
from tests.authority.test_serve_reports import front_of
from tests.landing.server import Landing
from tests.tools import wait_for

OWN, SITE = "report.operator.example", "www.bakery.test"


class Rig:
    """The operator's directory and the authority's."""

    def __init__(self, place: Path) -> None:
        self.house = House(place, int(time.time()))
        self.operator: Operator = registered(self.house.cast, self.house.directory, "isp-1", self.house.now)
        self.number, _ = self.house.ordered(SITE)
        self.state_dir = place / "var"
        self.state_dir.mkdir()
        self.token = place / "token"
        self.token.write_text(self.operator.bearer.removeprefix("Bearer "))
        self.root = place / "root.json"
        self.root.write_bytes((Places(self.house.directory).metadata / "1.root.json").read_bytes())
        self.reports = Reports(self.state_dir)
        self.log = (place / "log").open("ab")

    @contextmanager
    def process(self, module: str, job: str) -> Iterator[subprocess.Popen[bytes]]:
        """One of the processes, with its job; its standard input stays open. Killed afterwards."""
        made = subprocess.Popen([sys.executable, "-m", module], stdin=subprocess.PIPE, stdout=self.log, stderr=self.log)
        assert made.stdin is not None
        made.stdin.write(job.encode() + b"\n")
        made.stdin.flush()
        try:
            yield made
        finally:
            made.stdin.close()
            made.kill()
            made.wait()

    @contextmanager
    def feed(self, url: str) -> Iterator[subprocess.Popen[bytes]]:
        settings = FeedSettings(urls=(url,), root=str(self.root), token_file=str(self.token), operator="isp-1")
        with self.process("blocklists.feed.main", "") as made:
            made.stdin.write(write_job(FeedJob(settings, self.state_dir, (OWN,), 10, confined=True)).encode())  # type: ignore[union-attr]
            made.stdin.close()  # type: ignore[union-attr]
            yield made

    def worker(self) -> AbstractContextManager[subprocess.Popen[bytes]]:
        job = {"settings": self.house.desk.settings.model_dump(mode="json"), "base": str(self.house.desk.base)}
        return self.process("authority.desk.worker", json.dumps(job))

    def row(self) -> ErrorReport | None:
        with self.house.desk.store.reading() as session:
            return session.scalars(select(ErrorReport)).one_or_none()

    def outcome(self, reference: str) -> str:
        found = self.reports.status(reference)
        return found.outcome.decision if isinstance(found, Taken) and found.outcome else ""


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


def report(landing: Landing, rig: Rig) -> str:
    """A visitor follows the link of the blocked site's page and fills in the form; the reference."""
    page = landing.wait_for(SITE, 451)
    link = re.search(rf'href="http://{OWN}(/report\?[^"]+)"', page.text)
    assert link is not None
    form = landing.ask(OWN, html.unescape(link[1])).text
    given = dict(re.findall(r'name="(order|name)"[^>]* value="([^"]*)"', form))
    given |= {"words": "It is a bakery.", "contact": "", "stamp": Stamps(rig.reports.waiting).make(int(time.time()) - 60)}
    body = urlencode(given).encode()
    with landing.client() as client:
        head = (
            f"POST /report?lang=en HTTP/1.1\r\nHost: {OWN}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        client.send(head.encode() + body)
        answer = client.answer()
    assert answer.status == 303, answer.text
    return answer["location"].split("/")[2].partition("?")[0]


def killed(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()


def test_a_report_goes_to_the_desk_and_its_answer_comes_back_whatever_is_killed(rig: Rig) -> None:
    with serving(rig.house.directory) as server:
        with rig.feed(server.url) as feed, Landing(rig.state_dir, own_name=OWN) as landing:
            wait_for((rig.state_dir / "current").exists, "the list")
            killed(feed)  # nobody carries anything away
            reference = report(landing, rig)
            killed(landing.process)
        assert [each.reference for each in rig.reports.pending()] == [reference]
        with rig.feed(server.url) as feed, Landing(rig.state_dir, own_name=OWN) as landing:
            wait_for(lambda: not rig.reports.pending(), "the authority has it")
            killed(feed)
            os.kill(front_of(server), signal.SIGKILL)
            page = landing.ask(OWN, f"/report/{reference}?lang=en").text
            assert "has not answered yet" in page
            with rig.worker() as worker:
                wait_for(rig.row, "the desk has it")
                killed(worker)
            row = rig.row()
            assert row is not None
            assert (row.reference, row.operator, row.words, row.name) == (reference, "isp-1", "It is a bakery.", SITE)
            with rig.house.desk.store.writing() as session:
                error_reports.answer(
                    session, rig.house.desk, rig.house["officer"], rig.number, reference, "lifted", "A bakery it is.", "en", "looked", rig.house.now
                )
            with rig.worker():
                wait_for(lambda: getattr(rig.row(), "told_at", None), "the answer is laid out")
            wait_for(lambda: answers(server, rig.operator), "the server is back")
            with rig.feed(server.url):
                wait_for(lambda: rig.outcome(reference) == "lifted", "the answer has come")
            page = landing.ask(OWN, f"/report/{reference}?lang=en").text
            assert "A bakery it is." in page
            assert "is lifting the order" in page
    # Nothing that the visitor wrote is left at the operator, nor on its way.
    for path in (*rig.state_dir.rglob("*"), *(rig.house.directory / "reports").rglob("*")):
        assert not path.is_file() or b"It is a bakery." not in path.read_bytes(), path
    rig.log.close()


def answers(server: Server, operator: Operator) -> bool:
    try:
        return server.ask("authorize", Authorization=operator.bearer).status == 204
    except urllib3.exceptions.HTTPError:
        return False
