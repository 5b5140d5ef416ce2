"""What the operator sees: what listens where, three commands to try, and a status that shows what is wrong."""

from __future__ import annotations

import time
from typing import Any

import pytest

from redhand.screen import Style, ago, blocked, first, status

PLAIN = Style(False)


def report(**changes: Any) -> dict[str, Any]:
    """A supervisor's report of two workers and a landing page."""
    children = [
        {"name": name, "state": "ready", "pid": pid, "restarts": 0, "last_end": None}
        for name, pid in (("worker-0", 11), ("worker-1", 12), ("landing", 13))
    ]
    return {
        "pid": 10,
        "version": "1.2.3",
        "state": "serving",
        "started": time.time() - 600,
        "state_dir": "/var/lib/redhand",
        "settings": "/etc/redhand/config.yaml",
        "dns": ["127.0.0.1:5300", "[::1]:5300"],
        "landing": ["0.0.0.0:8080"],
        "upstreams": ["192.0.2.53:53"],
        "list": {"serial": 4, "names": 1234567},
        "build_error": None,
        "children": children,
        "warnings": [],
    } | changes


def test_first_screen_says_what_listens_where_and_three_commands_to_try() -> None:
    lines = [line.strip() for line in first(report(), PLAIN, "redhand", demonstrated=True).splitlines() if line.strip()]
    assert lines == [
        "Red Hand 1.2.3",
        "DNS       127.0.0.1:5300  [::1]:5300  (UDP and TCP, 2 workers)",
        "Landing   http://0.0.0.0:8080/",
        "Blocked   1,234,567 names, version 4",
        "Upstream  192.0.2.53:53",
        "State     /var/lib/redhand",
        "Settings  /etc/redhand/config.yaml",
        "Try",
        "dig @127.0.0.1 -p 5300 blocked.redhand.example",
        "curl -i -H 'Host: blocked.redhand.example' http://127.0.0.1:8080/",
        "redhand check www.blocked.redhand.example",
        "Ctrl-C stops it.",
    ]


def test_a_demonstration_is_called_one_on_the_first_screen_and_in_the_status() -> None:
    shown = first(report(demonstration=True), PLAIN, "redhand", demonstrated=True)
    assert "  Orders    DEMONSTRATION: orders come from an authority made on this machine, whose keys are nobody's" in shown
    assert "dig @127.0.0.1 -p 5300 blocked.redhand.example" in shown
    missing = first(report(demonstration=True), PLAIN, "redhand", demonstrated=False)
    assert "They are not in force yet; what keeps them: redhand status" in missing
    assert "blocked.redhand.example" not in missing
    assert status([report(demonstration=True)], {}, None, PLAIN).splitlines()[1].startswith("  DEMONSTRATION: orders come from")
    assert "DEMONSTRATION" not in first(report(demonstration=False), PLAIN, "redhand", False) + status([report()], {}, None, PLAIN)


def test_commands_to_try_fit_what_runs() -> None:
    own = first(report(dns=["[2001:db8::53]:53"], landing=["[::]:80"]), PLAIN, "redhand", demonstrated=False)
    assert "dig @2001:db8::53 example.com\n" in own
    assert "curl -i -H 'Host: example.com' http://[::1]:80/" in own
    resolver = first(report(landing=[]), PLAIN, "redhand", demonstrated=True)
    assert "curl" not in resolver
    assert "Landing" not in resolver
    landing = first(report(dns=[], list=None), PLAIN, "redhand", demonstrated=True)
    assert "dig" not in landing
    assert "redhand status" in landing


def test_colours_only_on_a_terminal_that_wants_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[1;31mRed Hand\x1b[0m" in first(report(), Style.of(True), "redhand", True)
    assert not Style.of(False).on
    monkeypatch.setenv("NO_COLOR", "")
    assert not Style.of(True).on


def test_status_shows_each_child_and_what_is_wrong() -> None:
    troubled = report(warnings=["queues are short"], build_error="the disk is full")
    troubled["children"][1] |= {"state": "waiting", "pid": None, "restarts": 3, "last_end": "killed by SIGKILL"}
    lines = status([troubled], {"worker-0": 4, "landing": 4}, None, PLAIN).splitlines()
    assert lines[0] == "Red Hand 1.2.3 is serving (process 10, started 10 min ago)"
    assert "  worker-0  ready, process 11, list version 4" in lines
    assert "  worker-1  waiting, restarted 3x, last end: killed by SIGKILL" in lines
    assert "  landing   ready, process 13, list version 4" in lines
    assert "  warning   queues are short" in lines
    assert "  warning   block list not built: the disk is full" in lines


def test_status_shows_the_list_in_force_and_what_is_wrong_with_it() -> None:
    listed = {
        "serial": 7,
        "identity": "00",
        "names": 3,
        "held": ["house"],
        "pinned": {"serial": 5, "reason": "6 names a bank", "at": int(time.time()) - 600},
        "refused": [
            {"source": "house", "reason": "source house: /lists/house.txt is empty", "held": True},
            {"source": "orders", "reason": "source orders: /lists/orders cannot be read", "held": False},
        ],
        "skipped": 1200,
    }
    lines = status([report()], {"worker-0": 7, "worker-1": 6}, listed, PLAIN).splitlines()
    assert "  worker-0  ready, process 11, list version 7" in lines
    assert "  worker-1  ready, process 12, list version 6, not 7" in lines
    assert "  Blocked   3 names, version 7" in lines, "what is on disk, whoever built it, not the supervisor's own last build"
    assert [line.removeprefix("  warning   ") for line in lines if "warning" in line] == [
        "pinned to version 5 (10 min ago: 6 names a bank); what changes in the sources waits for: redhand blocklist unpin",
        "block list: source house: /lists/house.txt is empty (what it last said stays in force)",
        "block list: source orders: /lists/orders cannot be read (nothing of it is in force)",
        "block list: 1,200 records are skipped; to see which, and why, run: redhand blocklist build",
    ]


def test_status_shows_figures_standby_and_alarms_of_what_could_be_asked() -> None:
    series = [
        ("queries", {"transport": "udp"}, 950.0), ("queries", {"transport": "tcp"}, 50.0), ("waited", {}, 100.0), ("blocked", {}, 7.0),
        ("answer_seconds", {"le": "0.0001"}, 900.0), ("answer_seconds", {"le": "0.05"}, 100.0), ("answer_seconds", {"le": "sum"}, 1.0),
        ("upstream_sent", {"upstream": "192.0.2.53:53"}, 200.0), ("upstream_missed_tries", {"upstream": "192.0.2.53:53"}, 50.0),
        ("upstream_round_trip_seconds", {"upstream": "192.0.2.53:53"}, 0.0123), ("upstream_away", {"upstream": "192.0.2.53:53"}, 1.0),
    ]  # fmt: skip
    alarm = {"name": "clock", "what": "it jumped", "remedy": "set it", "since": time.time() - 600}
    asked = report(
        figures={"worker-0": series},
        memory={"worker-0": 64 << 20},
        standby={"state": "waiting", "pid": 15},
        alarms=[{**alarm, "source": worker} for worker in ("worker-0", "worker-1")],
    )
    lines = status([asked], {"worker-0": 4}, None, PLAIN).splitlines()
    assert "  Queries   1,000, 50 of them by TCP; 90.0 % from cache, 7 blocked, 0 dropped; half within 0.1 ms, 99 % within 50 ms" in lines
    assert "            192.0.2.53:53: round trip 12.3 ms, asked 200 times, 25.0 % lost, AWAY: others are asked first" in lines
    assert "  worker-0  ready, process 11, list version 4, 1,000 queries, 64 MiB" in lines
    assert "  standby   waiting, process 15, takes over at once from a worker that ends" in lines
    assert lines[-2:] == ["  ALARM     clock, for 10 min, says worker-0, worker-1: it jumped", "            set it"]


def test_words() -> None:
    assert blocked(None) == "the last good version"
    assert blocked({"serial": 2, "names": 1}) == "1 name, version 2"
    assert [ago(seconds) for seconds in (0, 119, 120, 7199, 7200, 172800)] == ["0 s", "119 s", "2 min", "119 min", "2 h", "2 days"]
