"""What a person sees of a run."""

from __future__ import annotations

import io
from collections import Counter

import pytest
from rich.console import Console

from porosity import progress
from porosity.probe import Tally
from porosity.progress import Shown, clock


class Time:
    """A clock that a test winds."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr(progress, "monotonic", lambda: self.now)


def tally(done: int, **failures: int) -> Tally:
    return Tally(1000, done, done + sum(failures.values()), done, Counter(failures))


def test_without_a_terminal_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    """With how far it is, how fast, how long still, and what came; what was on record before is no speed of this run."""
    time, out = Time(monkeypatch), io.StringIO()
    with Shown(Console(file=out, width=60)) as shown:
        for second in range(21):
            time.now = 100.0 + second
            shown.see(tally(200 + 10 * second, timeout=2, refused=1))
    lines = out.getvalue().splitlines()
    assert lines == [
        "300 of 1,000 trials (30.0%), 30 questions/s, 0:01:10 left; 300 answered, 2 timeout, 1 refused",
        "400 of 1,000 trials (40.0%), 20 questions/s, 0:01:00 left; 400 answered, 2 timeout, 1 refused",
    ]
    assert shown.line(tally(1000)) == "1,000 of 1,000 trials (100.0%), 50 questions/s; 1,000 answered"


def test_on_a_terminal_a_bar() -> None:
    out = io.StringIO()
    with Shown(Console(file=out, force_terminal=True, width=120)) as shown:
        shown.see(tally(10))
        shown.see(tally(500, timeout=3))
    said = out.getvalue()
    assert "500/1000" in said
    assert "500 answered, 3 timeout" in said


def test_time_left_of_long_studies() -> None:
    assert [clock(seconds) for seconds in (0.4, 59.6, 3661, 200_000)] == ["0:00:00", "0:01:00", "1:01:01", "55:33:20"]


def test_each_vantage_has_a_line_or_a_bar_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    time = Time(monkeypatch)
    for terminal, wanted in ((False, "home: 500 of 1,000 trials (50.0%), 50 questions/s"), (True, "home")):
        time.now, out = 100.0, io.StringIO()
        with Shown(Console(file=out, width=200, force_terminal=terminal)) as shown:
            shown.see_many({"office": tally(0)})
            time.now = 110.0
            shown.see_many({"office": tally(300), "home": tally(500)})
        said = out.getvalue()
        assert wanted in said
        assert said.index("office") < said.rindex("home")
        assert "300" in said
