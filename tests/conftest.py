"""How every test runs: Hypothesis draws fresh examples each time, prints what reproduces a failure, and judges no example by its time."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("redhand", deadline=None, print_blob=True, derandomize=False)
settings.register_profile("ci", settings.get_profile("redhand"), suppress_health_check=[HealthCheck.too_slow], max_examples=300)
settings.load_profile("ci" if os.environ.get("REDHAND_CI") == "1" else "redhand")


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test's settings are its own: variables of the shell that runs it do not reach it."""
    for variable in list(os.environ):
        if variable.startswith("REDHAND_") and variable != "REDHAND_CI":
            monkeypatch.delenv(variable)
