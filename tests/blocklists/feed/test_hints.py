"""Hints: any of them causes a look at once, and none more than that, however many come, in whatever order, from whomever."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable

import pytest

from blocklists.feed import hints
from blocklists.feed.hints import Hints
from tests.blocklists.feed.authority import Authority
from tests.blocklists.feed.mirror import Mirror
from tests.tools import DEADLINE as SOON
from tests.tools import in_time, wait_for

Mirrors = Callable[[Authority], Mirror]


def listening(mirror: Mirror) -> Hints:
    found = Hints()
    found.listen(mirror.url)
    wait_for(lambda: mirror.url in found.connected, "a connection for hints")
    assert found.wait(SOON) == mirror.url  # what was missed before is looked for
    return found


@pytest.mark.parametrize("text", [b"data: 12\n\n", b"event: log\r\ndata: 3\r\n\r\n", b"data\n\n", b"data: " + b"9" * 9000 + b"\n\n"])
def test_any_event_is_a_hint(text: bytes, mirror: Mirror) -> None:
    found = listening(mirror)
    mirror.hint(text)
    assert found.wait(SOON) == mirror.url


def test_comments_and_odd_lines_are_none(mirror: Mirror) -> None:
    found = listening(mirror)
    mirror.hint(b": still here\n\nretry: 1\n\nid: 5\n\n\x00\xff\n\n")
    assert found.wait(1.5) == ""


def test_hints_doubled_forged_and_out_of_order_cause_a_look_a_second_at_most(mirror: Mirror) -> None:
    began = time.monotonic()
    found = listening(mirror)
    over = threading.Event()

    def forge() -> None:
        for number in itertools.count(1000, -1):
            if over.is_set():
                return
            mirror.hint(b"data: %d\n\n" % number)
            time.sleep(0.001)

    forger = threading.Thread(target=forge)
    forger.start()
    looks = [found.wait(SOON) for _ in range(3)]
    took = time.monotonic() - began
    over.set()
    forger.join()
    assert looks == [mirror.url] * 3
    assert took >= 3 * hints.APART_SECONDS


def test_a_hint_after_one_that_was_true_waits_for_nothing(mirror: Mirror) -> None:
    found = listening(mirror)

    def look(_: int) -> float:
        mirror.hint()
        assert found.wait(SOON) == mirror.url
        found.was_true()
        began = time.monotonic()
        mirror.hint()
        assert found.wait(SOON) == mirror.url
        return time.monotonic() - began

    assert in_time(look, hints.APART_SECONDS)


def test_a_flood_costs_little(mirror: Mirror) -> None:
    """A hub that sends as fast as it can meets a reader that does not."""
    began = time.monotonic()
    found = listening(mirror)
    piece = b"data: 1\n\n" * 5000
    sent = []

    def pour() -> None:
        for _ in range(2000):
            mirror.hint(piece)
            sent.append(len(piece))

    threading.Thread(target=pour, daemon=True).start()
    busy, poured = time.process_time(), time.monotonic()
    assert [found.wait(SOON) for _ in range(2)] == [mirror.url] * 2
    now = time.monotonic()
    assert now - began >= 2 * hints.APART_SECONDS
    assert time.process_time() - busy < 0.6 * (now - poured)
    assert sum(sent) < 64 << 20


def test_it_comes_back(mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hub that goes away is tried again, and what it would have hinted meanwhile is looked for then."""
    monkeypatch.setattr(hints, "FIRST_SECONDS", 0.05)
    found = listening(mirror)
    mirror.stop()
    wait_for(lambda: mirror.url not in found.connected, "the loss of the connection")
    mirror.start()
    assert found.wait(SOON) == mirror.url


def test_the_mirror_that_hints_is_the_one_returned(authority: Authority, mirrors: Mirrors, mirror: Mirror) -> None:
    second = mirrors(authority)
    found = Hints()
    found.listen(mirror.url)
    found.listen(second.url)
    wait_for(lambda: found.connected == {mirror.url, second.url}, "both connections")
    while found.wait(1.2):
        pass
    second.hint()
    assert found.wait(SOON) == second.url
