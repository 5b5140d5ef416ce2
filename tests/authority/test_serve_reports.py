"""Reports of errors at the authority's server: taken once, acknowledged by the log's key, for the desk alone; outcomes for their operator alone."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import threading
import time
from pathlib import Path

import pytest
import urllib3

from authority import reports
from authority.places import Places
from blocklists import receipt, report
from blocklists.report import Report
from blocklists.trust import envelope
from blocklists.trust.envelope import ACKNOWLEDGEMENT, OUTCOMES
from tests.authority.cast import ORIGIN
from tests.authority.conftest import Feed
from tests.authority.feeding import Operator, Server, registered
from tests.blocklists.test_reports import REFERENCE, made
from tests.tools import wait_for


@pytest.fixture(scope="module")
def other(feed: Feed) -> Operator:
    return registered(feed.cast, feed.directory, "operator-2", int(time.time()))


@pytest.fixture
def desk(feed: Feed) -> Path:
    """That there is a desk; afterwards it has taken all."""
    (feed.directory / "desk").mkdir(exist_ok=True)
    for path, _ in reports.incoming(Places(feed.directory), 10_000):
        path.unlink()
    return feed.directory / "reports" / "incoming"


def send(server: Server, operator: Operator, data: bytes) -> tuple[int, bytes]:
    wait_for(lambda: server.ask("authorize", Authorization=operator.bearer).status == 204, "the token is taken")
    answer = server.ask("reports", "POST", data, Authorization=operator.bearer)
    return answer.status, answer.body


def key_of(feed: Feed) -> tuple[str, dict[str, object]]:
    assert feed.publisher.present is not None
    key = feed.publisher.present.policy.log.key
    return key.keyid, {key.keyid: key}


def test_a_report_waits_with_the_operator_until_there_is_a_desk(feed: Feed) -> None:
    assert send(feed.server, feed.operator, made().encode())[0] == 503
    assert list(reports.incoming(Places(feed.directory), 10)) == []


def test_it_is_acknowledged_by_the_log_the_same_each_time(feed: Feed, desk: Path) -> None:
    data = made().encode()
    answers = [send(feed.server, feed.operator, data) for _ in range(2)]
    assert answers[0] == answers[1]
    assert answers[0][0] == 200
    found = envelope.read(answers[0][1])
    keyid, keys = key_of(feed)
    assert found.kind == ACKNOWLEDGEMENT
    assert envelope.signers(found, keys) == {keyid}  # type: ignore[arg-type]
    said = receipt.read_acknowledgement(found.payload)
    assert (said.log, said.receipt) == (ORIGIN, report.digest(data))
    ((path, kept),) = reports.incoming(Places(feed.directory), 10)
    assert kept is not None
    assert (kept.operator, kept.report, path.parent.parent) == ("operator-1", made(), desk)
    status, body = send(feed.server, feed.operator, made(words="Something else.").encode())
    assert (status, b"another report was taken" in body) == (409, True)


def test_what_is_none_or_comes_from_nobody_is_refused_and_kept_nowhere(feed: Feed, desk: Path) -> None:
    spoilt = json.loads(made().encode())
    for data in (b"", b"{}", b"\xff" * 100, json.dumps({**spoilt, "reference": "../../../x"}).encode(), json.dumps(spoilt, indent=1).encode()):
        assert send(feed.server, feed.operator, data)[0] == 400
    assert send(feed.server, feed.operator, b"x" * 70_000)[0] == 413
    assert feed.server.ask("reports", "POST", made().encode()).status == 401
    assert feed.server.ask("reports", "POST", made().encode(), Authorization="Bearer nobody").status == 401
    assert feed.server.ask("reports/outcomes").status == 401
    assert feed.server.ask("reports").status == feed.server.ask("reports/outcomes", "POST").status == 405
    assert feed.server.ask("reports/incoming/operator-1/x.json", Authorization=feed.operator.bearer).status == 404
    assert list(reports.incoming(Places(feed.directory), 10)) == []


def test_no_more_of_one_operator_wait_than_are_kept(feed: Feed, other: Operator, desk: Path) -> None:
    place = desk / "operator-1"
    place.mkdir(exist_ok=True)
    for number in range(reports.MOST_OF_ONE):
        (place / f"{number}.x").touch()
    assert send(feed.server, feed.operator, made().encode())[0] == 503
    assert send(feed.server, other, made().encode())[0] == 200
    for path in place.iterdir():
        path.unlink()
    assert send(feed.server, feed.operator, made().encode())[0] == 200


def test_each_operator_learns_what_became_of_its_own(feed: Feed, other: Operator) -> None:
    places = Places(feed.directory)
    now = int(time.time())
    numbers = [reports.tell(places, "operator-1", now, reference=name, decision="upheld", answer="é" * 4000, language="fr") for name in names(30)]
    assert numbers == sorted(set(numbers))
    assert reports.tell(places, "operator-1", now - 9000, reference=REFERENCE, decision="lifted", answer="", language="en") > numbers[-1], (
        "a clock set back"
    )
    keyid, keys = key_of(feed)
    after, heard = 0, []
    while True:
        answer = feed.server.ask(f"reports/outcomes?after={after}", Authorization=feed.operator.bearer)
        assert answer.status == 200
        found = envelope.read(answer.body)
        assert (found.kind, envelope.signers(found, keys)) == (OUTCOMES, {keyid})  # type: ignore[arg-type]
        listed = report.read_outcomes(found.payload)
        assert (listed.log, listed.operator, listed.after) == (ORIGIN, "operator-1", after)
        if not listed.outcomes:
            break
        heard += [each.reference for each in listed.outcomes]
        after = listed.outcomes[-1].number
    assert heard == [*names(30), REFERENCE]
    answer = feed.server.ask("reports/outcomes?after=0", Authorization=other.bearer)
    assert report.read_outcomes(envelope.read(answer.body).payload).outcomes == []
    for query in ("?after=-1", "?after=x", "?before=1", "?after=" + "9" * 40):
        assert feed.server.ask(f"reports/outcomes{query}", Authorization=feed.operator.bearer).status == 400


def names(count: int) -> list[str]:
    return [report.new_reference(random.Random(number).randrange) for number in range(count)]


def test_killed_at_any_instant_what_was_acknowledged_is_there_and_whole(feed: Feed, desk: Path) -> None:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    draw = random.Random(seed)
    taken: dict[str, Report] = {}
    for _ in range(3):
        threading.Timer(draw.uniform(0.02, 0.15), os.kill, (front_of(feed.server), signal.SIGKILL)).start()
        with contextlib.suppress(urllib3.exceptions.HTTPError):
            while True:
                found = made(report.new_reference(), words=draw.choice("abc") * draw.randrange(1, 4000))
                if feed.server.ask("reports", "POST", found.encode(), Authorization=feed.operator.bearer).status == 200:
                    taken[found.reference] = found
        waiting = {kept.report.reference: kept.report for _, kept in reports.incoming(Places(feed.directory), 10_000) if kept is not None}
        assert taken.items() <= waiting.items()
        assert wait_for(lambda: answers(feed), "the server is started again")
    assert len(taken) > 3


def answers(feed: Feed) -> bool:
    try:
        return feed.server.ask("authorize", Authorization=feed.operator.bearer).status == 204
    except urllib3.exceptions.HTTPError:
        return False


def front_of(server: Server) -> int:
    """The process that speaks to strangers."""
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    return next(int(each) for each in children if b"authority.front" in Path(f"/proc/{each}/cmdline").read_bytes())
