"""Chromium, as a visitor has it: with its window on a screen that nobody sees, typed at with real keys, and watched through its debugging pipe.

It is started with none of the switches that test drivers give it (those turn off, among others, what it does about https, which is what we look at);
only what lets it run as root, and without the questions of a first start. What it sees it says by the DevTools protocol, over two pipes.
"""

from __future__ import annotations

import base64
import json
import os
import select
import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from bench.machine import BenchError
from bench.screen import Screen
from porosity.lab.spaces import Machine, end

FLAGS = (
    "--no-sandbox",  # it runs as root, on a machine of its own
    "--no-first-run",
    "--no-default-browser-check",
    "--password-store=basic",
    "--disable-gpu",
    "--disable-background-networking",  # nothing of its maker's is asked for meanwhile
    "--disable-component-update",
    "--disable-sync",
    "--test-type",  # no bar below the address that warns of --no-sandbox
    "--window-size=1000,800",
    "--window-position=0,0",
)
ANSWER_SECONDS = 20.0
BUTTON_SECONDS = 1.0
"""A warning's buttons do nothing at first, so that nobody presses one that he has not seen."""

LOOK = """[
    location.href,
    performance.getEntriesByType('navigation')[0]?.responseStatus,
    (document.querySelector('.error-code, #error-code') || {}).textContent || document.title,
    document.body.innerText,
]"""
"""Asked of what stands in a tab: its address, its HTTP status, the browser's word for its error, its text."""

Event = Mapping[str, Any]


class Shown(NamedTuple):
    """What stands in the window at last, and how long it took from the visitor's last key or click, in seconds."""

    what: str
    """`page` and its HTTP status, such as `page 451`; or the browser's own word for its error, such as `ERR_CONNECTION_REFUSED`; `warning`: that the
    site has no https, with a button to go on."""
    seconds: float
    url: str
    text: str


class Chromium:
    """One browser with a profile of its own, on one machine."""

    def __init__(self, machine: Machine, directory: Path) -> None:
        self._directory = directory
        self.screen = Screen(machine, directory, "chromium")
        to_them, ours = os.pipe()
        ours_in, from_them = os.pipe()
        for each in (to_them, from_them):
            os.set_inheritable(each, True)
        flags = (*FLAGS, f"--user-data-dir={directory / 'profile'}", "--remote-debugging-pipe")
        with (directory / "chromium.log").open("ab") as log:
            self.process = machine.start(
                "bash", "-c", f'exec chromium "$@" 3<&{to_them} 4>&{from_them}', "chromium", *flags, "about:blank",
                log=log, pass_fds=(to_them, from_them), env=self.screen.environment,
            )  # fmt: skip
        for each in (to_them, from_them):
            os.close(each)
        self._out, self._in = ours, ours_in
        self._unread = b""
        self._number = 0
        self.events: deque[Event] = deque()
        self.call("Target.setDiscoverTargets", discover=True)

    def __enter__(self) -> Chromium:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends it, and its screen."""
        end(self.process)
        self.screen.close()
        os.close(self._out)
        os.close(self._in)

    def call(self, method: str, session: str = "", **parameters: Any) -> dict[str, Any]:
        """One command of the protocol and its result. Raises BenchError when it is refused, or not answered in time."""
        self._number += 1
        number = self._number
        message = {"id": number, "method": method, "params": parameters} | ({"sessionId": session} if session else {})
        os.write(self._out, json.dumps(message).encode() + b"\0")
        ends = time.monotonic() + ANSWER_SECONDS
        while True:
            found = self._read(ends - time.monotonic())
            if found is None:
                raise BenchError(f"Chromium did not answer {method} within {ANSWER_SECONDS:.0f} s")
            if found.get("id") == number:
                if "error" in found:
                    raise BenchError(f"Chromium refused {method}: {found['error'].get('message')}")
                return dict(found["result"])
            if "method" in found:
                self.events.append(found)

    def wait(self, wanted: Callable[[Event], bool], seconds: float) -> Event | None:
        """The next event that is wanted, those since the last look included; None when none comes in time. Others are dropped."""
        ends = time.monotonic() + seconds
        while True:
            while self.events:
                event = self.events.popleft()
                if wanted(event):
                    return event
            found = self._read(ends - time.monotonic())
            if found is None:
                return None
            self.events.append(found)

    def _read(self, seconds: float) -> dict[str, Any] | None:
        ends = time.monotonic() + seconds
        while b"\0" not in self._unread:
            left = ends - time.monotonic()
            if left <= 0 or not select.select([self._in], [], [], left)[0]:
                return None
            octets = os.read(self._in, 1 << 20)
            if not octets:
                log = (self._directory / "chromium.log").read_text(errors="replace")[-2000:]
                raise BenchError(f"Chromium ended. It said:\n{log}")
            self._unread += octets
        message, _, self._unread = self._unread.partition(b"\0")
        return dict(json.loads(message)) | {"at": time.monotonic()}

    def forget_addresses(self) -> None:
        """Has it ask for every name anew: by itself it keeps what a name server said for a minute at least, whatever its time to live."""
        tab = self.tab()
        tab.open("chrome://net-internals/#dns")
        tab.evaluate("chrome.send('clearHostResolverCache')")
        tab.close()

    def tab(self) -> Tab:
        """A new tab, in front."""
        return Tab(self, self.call("Target.createTarget", url="about:blank")["targetId"])


class Tab:
    """One tab: what is typed, clicked and seen in it."""

    def __init__(self, browser: Chromium, target: str) -> None:
        self._browser, self._target = browser, target
        self._session = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network"):
            self._call(f"{domain}.enable")
        self._call("Page.setLifecycleEventsEnabled", enabled=True)

    def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        return self._browser.call(method, self._session, **parameters)

    def close(self) -> None:
        """Closes it."""
        self._browser.call("Target.closeTarget", targetId=self._target)

    def evaluate(self, script: str) -> Any:
        """The value of an expression in the page, JSON's kinds only."""
        return self._call("Runtime.evaluate", expression=script, returnByValue=True)["result"].get("value")

    def type(self, text: str, seconds: float) -> Shown:
        """Typed into the address bar, with Return behind it; what is shown then."""
        self._browser.call("Target.activateTarget", targetId=self._target)
        self._browser.screen.type_address(text)
        self._browser.events.clear()
        begun = time.monotonic()
        self._browser.screen.keys("key", "Return")
        return self._shown(begun, seconds)

    def click(self, selector: str, seconds: float) -> Shown:
        """A click on an element; what is shown then."""
        place = self.evaluate(
            f"(r => [r.x + r.width / 2, r.y + r.height / 2])(document.querySelector({json.dumps(selector)}).getBoundingClientRect())"
        )
        self._browser.events.clear()
        how = {"x": place[0], "y": place[1], "button": "left", "clickCount": 1}
        self._call("Input.dispatchMouseEvent", type="mousePressed", **how)
        begun = time.monotonic()
        # Not waited for: its answer comes only when the page has dealt with it, which may be gone by then.
        self._call("Input.dispatchMouseEvent", type="mouseReleased", **how)
        return self._shown(begun, seconds)

    def open(self, url: str, seconds: float = ANSWER_SECONDS) -> Shown:
        """Goes to an address as a program does, not a visitor: to make things ready."""
        self._browser.events.clear()
        begun = time.monotonic()
        self._call("Page.navigate", url=url)
        return self._shown(begun, seconds)

    def picture(self, path: Path) -> None:
        """What stands in the tab, as PNG."""
        path.write_bytes(base64.b64decode(self._call("Page.captureScreenshot")["data"]))

    def _shown(self, begun: float, seconds: float) -> Shown:
        """The first page that is drawn after `begun`, or the browser's own word instead; `nothing` when there is neither in time.

        Of what the browser says itself, loaded is what it tells: not of each it tells that it is drawn.
        """
        committed, warned, awaited = "", False, ""

        def drawn(event: Event) -> bool:
            nonlocal committed, warned, awaited
            if event.get("sessionId") != self._session:
                return False
            details = event["params"]
            if event["method"] == "Network.loadingFailed" and details["type"] == "Document":
                warned = details["errorText"] == "net::ERR_BLOCKED_BY_CLIENT"
            elif event["method"] == "Page.frameNavigated" and "parentId" not in details["frame"]:
                committed = details["frame"]["loaderId"]
                awaited = "load" if details["frame"]["url"].startswith("chrome") else "firstContentfulPaint"
            return event["method"] == "Page.lifecycleEvent" and (details["loaderId"], details["name"]) == (committed, awaited)

        event = self._browser.wait(drawn, seconds - (time.monotonic() - begun))
        if event is None:
            return Shown("nothing", seconds, "", "")
        self._call("Page.stopLoading")  # of its own errors some are tried again at once, and meanwhile nothing could be asked
        url, status, code, text = self.evaluate(LOOK)
        what = str(code).strip() if url.startswith("chrome-error:") else f"page {status}"
        return Shown("warning" if warned else what, event["at"] - begun, url, text)

    def go_on(self, seconds: float) -> Shown:
        """What is shown after the way on that a warning leaves: its button beside the one that leads back."""
        time.sleep(BUTTON_SECONDS)
        self._browser.screen.keys("key", "shift+Tab")
        self._browser.events.clear()
        begun = time.monotonic()
        self._browser.screen.keys("key", "Return")
        return self._shown(begun, seconds)

    def loaded(self, url: str, seconds: float) -> dict[str, Any]:
        """Goes to a page of another site, and says how long it and what it holds took: {seconds, parts: {address: status or error}}."""
        self._browser.events.clear()
        begun = time.monotonic()
        self._call("Page.navigate", url=url)
        asked: dict[str, str] = {}
        found: dict[str, str] = {}

        def ready(event: Event) -> bool:
            if event.get("sessionId") != self._session:
                return False
            details = event["params"]
            if event["method"] == "Network.requestWillBeSent":
                asked[details["requestId"]] = details["request"]["url"]
            elif event["method"] == "Network.responseReceived":
                found[details["response"]["url"]] = str(details["response"]["status"])
            elif event["method"] == "Network.loadingFailed":
                found.setdefault(asked.get(details["requestId"], "?"), details["errorText"].removeprefix("net::"))
            return bool(event["method"] == "Page.loadEventFired")

        event = self._browser.wait(ready, seconds)
        return {"seconds": (event["at"] if event else time.monotonic()) - begun, "parts": found if event else {}}
