"""A real Chromium for which every name leads to one landing page, as a resolver that redirects would have it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

from tests.tools import require

PHONE, SCREEN = {"width": 320, "height": 640}, {"width": 1280, "height": 800}


@contextmanager
def chromium(port: int, elsewhere: Mapping[str, int] = {}) -> Iterator[Browser]:
    """The browser; `elsewhere`: names that lead to another port of 127.0.0.1."""
    rules = ", ".join([*(f"MAP {name} 127.0.0.1:{other}" for name, other in elsewhere.items()), f"MAP * 127.0.0.1:{port}"])
    with sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-gpu", f"--host-resolver-rules={rules}"]
        browser = playwright.chromium.launch(executable_path=require("chromium"), args=flags)
        try:
            yield browser
        finally:
            browser.close()
