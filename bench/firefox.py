"""The main visits of `bench.https` in Firefox: `python -m bench.firefox`, as root, with firefox-esr. Not part of any test.

Firefox is asked nothing: the title of its window says what it shows, the page's own or one of Firefox's errors. So its errors have no names here, and
seconds are those until the title changes. What is there after six seconds is what a visitor sees; an empty title says that Firefox still waits.
"""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import typer

from bench import machine
from bench.https import newest
from bench.machine import BenchError
from bench.screen import Screen
from bench.visits import BLOCKED, Network
from porosity.lab.spaces import end

RUNS = 3
PATIENCE = 6.0
STARTS_WITHIN = 30.0
LOOKED_AT = ("refused", "own", "silent")
"""Of `bench.https.PORTS`."""
VISITS = {"typed": "{}", "http": "http://{}/", "https": "https://{}/"}
"""What is typed, with the name in it."""
PREFERENCES = {
    "browser.aboutwelcome.enabled": False,
    "browser.preonboarding.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "browser.startup.homepage_override.mstone": "ignore",
    "datareporting.policy.dataSubmissionEnabled": False,
    "termsofuse.bypassNotification": True,
}
"""Without the questions of a first start; nothing about https."""
NAME = "Mozilla Firefox"


def _title(screen: Screen) -> str:
    """What the window's title says of the page in it."""
    return screen.keys("search", "--onlyvisible", "--name", NAME, "getwindowname").strip().removesuffix(NAME).rstrip(" —")


def _visit(screen: Screen, text: str) -> tuple[str, float]:
    """What the title says at last, and when it said so first."""
    screen.type_address("about:blank")
    screen.keys("key", "Return", "sleep", "1")
    screen.type_address(text)
    begun = time.monotonic()
    screen.keys("key", "Return")
    said, since = _title(screen), 0.0
    while (now := time.monotonic() - begun) < PATIENCE:
        if (title := _title(screen)) != said:
            said, since = title, now
        time.sleep(0.02)
    return (said, since) if since else ("", PATIENCE)


def _look(network: Network, port: str) -> list[dict[str, Any]]:
    """Every visit, with one browser, while port 443 does one of LOOKED_AT."""
    network.port_443(port)
    home = network.directory / f"firefox-{port}"
    screen = Screen(network.visitor, home, "firefox-esr")
    profile = home / "profile"
    profile.mkdir()
    (profile / "user.js").write_text("".join(f'user_pref("{name}", {json.dumps(value)});\n' for name, value in PREFERENCES.items()))
    browser = network.visitor.start("firefox-esr", "--profile", str(profile), "--no-remote", "about:blank", env=screen.environment)
    ends = time.monotonic() + STARTS_WITHIN
    while not _shown(screen):
        if time.monotonic() > ends:
            raise BenchError(f"Firefox showed no window within {STARTS_WITHIN:.0f} s")
        time.sleep(0.1)
    time.sleep(3)  # it goes on starting behind its window
    found = []
    for key, form in VISITS.items():
        seen = [_visit(screen, form.format(f"{key}{number}.{BLOCKED}")) for number in range(RUNS)]
        titles = {title.partition(":")[0] for title, _ in seen}
        found.append({"visit": key, "port": port, "titles": sorted(titles), "seconds": median(seconds for _, seconds in seen)})
        print(f"{port:9} {key:6} {found[-1]['titles']} {found[-1]['seconds']:.1f} s", flush=True)
    end(browser)
    screen.close()
    return found


def _shown(screen: Screen) -> bool:
    try:
        return bool(screen.keys("search", "--onlyvisible", "--name", NAME))
    except BenchError:
        return False


def run() -> None:
    """Make the visits and put what was seen beside the newest record of Chromium's."""
    found: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="redhand-https-") as scratch, Network(Path(scratch)) as network:
        for port in LOOKED_AT:
            found += _look(network, port)
    whole = {"firefox": machine.output(["firefox-esr", "--version"]).strip(), "machine": machine.facts(), "runs": RUNS, "seen": found}
    (newest() / "firefox.json").write_text(json.dumps(whole, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    typer.run(run)
