"""A real Chromium for which every name leads to one landing page, as a resolver that redirects would have it; and what axe finds there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from axe_playwright_python.base import AXE_FILE_PATH
from fastapi import FastAPI
from fastapi.testclient import TestClient
from playwright.sync_api import Browser, BrowserContext, Page, Route, sync_playwright

from tests.tools import require

AXE = AXE_FILE_PATH.read_text(encoding="utf-8")
PHONE, SCREEN = {"width": 320, "height": 640}, {"width": 1280, "height": 800}


@contextmanager
def chromium(port: int) -> Iterator[Browser]:
    """The browser, each name in which leads to this port of 127.0.0.1."""
    with sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-gpu", f"--host-resolver-rules=MAP * 127.0.0.1:{port}"]
        browser = playwright.chromium.launch(executable_path=require("chromium"), args=flags)
        try:
            yield browser
        finally:
            browser.close()


def answer_for(context: BrowserContext, name: str, app: FastAPI) -> None:
    """Lets an application answer for a name, without a process of its own."""
    client = TestClient(app, base_url=f"http://{name}", follow_redirects=False)

    def fulfil(route: Route) -> None:
        asked = route.request
        fields = {field: value for field, value in asked.headers.items() if field != "host"}
        answer = client.request(asked.method, asked.url, content=asked.post_data_buffer, headers=fields)
        route.fulfill(status=answer.status_code, headers=dict(answer.headers), body=answer.content)

    context.route(f"http://{name}/**", fulfil)


def faults(page: Page) -> list[tuple[str, ...]]:
    """What is wrong with a page: in the light, on a phone, all that axe looks at; in the dark, on a screen, what changes with that: colours. And
    whatever runs over the edge of either."""
    found = []
    page.evaluate(AXE)
    # The one rule of axe for what WCAG 2.2 adds in AA is off by itself.
    for scheme, size, rules in (("light", PHONE, ", rules: {'target-size': {enabled: true}}"), ("dark", SCREEN, ", runOnly: ['color-contrast']")):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        page.set_viewport_size(size)  # type: ignore[arg-type]
        wide = page.evaluate("document.documentElement.scrollWidth")
        if wide > size["width"]:
            found.append((page.url, scheme, f"{wide} px wide on {size['width']}"))
        run = f"axe.run(document, {{resultTypes: ['violations']{rules}}}).then(found => found.violations.map(each => [each.id, each.nodes[0].html]))"
        found += [(page.url, scheme, rule, where[:200]) for rule, where in page.evaluate(run)]
    return found
