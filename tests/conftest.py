"""How every test runs: Hypothesis draws fresh examples each time, prints what reproduces a failure, and judges no example by its time.

`make test` runs two at a time (pytest-xdist). Tests that start what serves clients, and look at how soon or how evenly it does, never run beside one
another: they are one group. The other process takes all the rest, a file at a time, and gives way to it.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("redhand", deadline=None, print_blob=True, derandomize=False)
settings.register_profile("ci", settings.get_profile("redhand"), suppress_health_check=[HealthCheck.too_slow], max_examples=300)
settings.load_profile("ci" if os.environ.get("REDHAND_CI") == "1" else "redhand")


HERE = Path(__file__).parent
SERVING = ("bench", "faults", "landing", "redhand", "resolver")
"""Folders of tests that are one group."""
GIVES_WAY = 10


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Says which tests run in one process: those that serve in one, those of a file in one."""
    for item in items:
        item.add_marker(pytest.mark.xdist_group("serving" if _serves(item) else str(item.path.relative_to(HERE))))


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
