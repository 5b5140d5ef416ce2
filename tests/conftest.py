"""How every test runs: Hypothesis draws fresh examples each time, prints what reproduces a failure, and judges no example by its time.

`make test` runs two at a time (pytest-xdist). Tests that start what serves clients, and look at how soon or how evenly it does, never run beside one
another: they are one group. The other process takes all the rest, a file at a time, and gives way to it.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

settings.register_profile("redhand", deadline=None, print_blob=True, derandomize=False)
settings.register_profile("ci", settings.get_profile("redhand"), suppress_health_check=[HealthCheck.too_slow], max_examples=200)
settings.load_profile("ci" if os.environ.get("REDHAND_CI") == "1" else "redhand")


HERE = Path(__file__).parent
SERVING = ("bench", "faults", "landing", "redhand", "resolver")
"""Folders of tests that are one group."""
GIVES_WAY = 10


class Groups(LoadScopeScheduling):
    """Which tests run in one process: those that serve in one, those of a file in one; the largest group first."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return "serving" if Path(file).parts[1] in SERVING else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Groups:
    """pytest-xdist asks here how to share tests out; its own groups are lost on pytest 9.2, which lets nobody rename a test."""
    return Groups(config, log)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """The process that runs what does not serve takes a lower priority, for good."""
    if "PYTEST_XDIST_WORKER" in os.environ and not _serves(item) and os.nice(0) < GIVES_WAY:
        os.nice(GIVES_WAY - os.nice(0))


def _serves(item: pytest.Item) -> bool:
    return item.path.relative_to(HERE).parts[0] in SERVING


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test's settings are its own: variables of the shell that runs it do not reach it."""
    for variable in list(os.environ):
        if variable.startswith("REDHAND_") and variable != "REDHAND_CI":
            monkeypatch.delenv(variable)
