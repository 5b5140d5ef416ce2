"""The pages for everybody in a real Chromium: on a phone, in both languages and colour schemes, under axe; filled in by keyboard, without scripts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, sync_playwright

from tests.authority.desk.outside.programs import Programs
from tests.tools import require

PATHS = ("/report", "/report/status", "/appeal", "/appeal/status", "/report/status?reference=AAAA-BBBB-CCCC-DDDD")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=require("chromium"), args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


def test_axe_finds_nothing_and_nothing_is_wider_than_a_phone(house: Programs, chromium: Browser) -> None:
    axe, faults = Axe(), []
    for language, scheme, width in (("fr", "light", 320), ("en", "dark", 1280)):
        how = {"color_scheme": scheme, "viewport": {"width": width, "height": 700}, "reduced_motion": "reduce"}
        with chromium.new_context(locale=language, base_url=house.url, **how) as context:
            page = context.new_page()
            page.on("console", lambda message: faults.append(message.text) if "status of 4" not in message.text else None)

            def look(where: str, width: int = width, language: str = language, page: object = page) -> None:
                wide = page.evaluate("document.documentElement.scrollWidth")  # type: ignore[attr-defined]
                faults.extend([(where, language, f"{wide} px wide")] if wide > width else [])
                found = axe.run(page, options={"resultTypes": ["violations"]}).response["violations"]
                faults.extend((where, language, each["id"], each["nodes"][0]["html"][:200]) for each in found)

            for path in PATHS:
                page.goto(path)
                look(path)
            page.goto("/report")
            page.fill("#location", "nothing")
            house.now += 10
            page.click("main form button")
            look("a report that is refused")
            assert page.evaluate("document.activeElement.id") == "location"
    assert not faults


def test_a_site_is_referred_and_an_order_objected_to_by_keyboard_without_scripts(house: Programs, chromium: Browser) -> None:
    _, order = house.ordered("keyboard.test")
    with chromium.new_context(base_url=house.url, java_script_enabled=False, reduced_motion="reduce") as context:
        context.set_default_timeout(15_000)
        page = context.new_page()
        page.goto("/report")
        house.now += 10
        page.locator("#location").focus()
        page.keyboard.type("https://typed.test/page")
        for _ in range(2):
            page.keyboard.press("Tab")
        page.keyboard.type("It calls for murder.")
        page.keyboard.press("Tab")
        page.keyboard.press("Tab")
        page.keyboard.press("Space")
        page.keyboard.press("Tab")  # past the field that nobody sees
        page.keyboard.press("Enter")
        page.wait_for_url("**/report/status?reference=*")
        assert page.get_by_role("status").inner_text().startswith("We have it")
        page.goto(f"/appeal?order={order.order_id}")
        house.now += 10
        page.get_by_role("radio", name="The owner or publisher of the site").focus()
        page.keyboard.press("Space")
        page.keyboard.press("Tab")
        page.keyboard.type("It is a newspaper.")
        page.keyboard.press("Tab")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.wait_for_url("**/appeal/status?reference=*")
    assert "typed.test" in [each["title"] for each in house.ask("officer", "GET", "/cases", params={"queue": "urgent"})["cases"]]
