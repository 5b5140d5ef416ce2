"""The desk in a real Chromium: the main paths by keyboard and without scripts, on a phone, in both languages and colour schemes, under axe."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from authority import packets
from authority.desk import imports, recommendations
from authority.desk.evidence import keeping
from blocklists.names import parse, to_text
from tests.authority.desk.compliance.served import watched
from tests.authority.desk.people.house import PASSWORD, House, furnished
from tests.authority.desk.web.pages import Pages, reported
from tests.tools import require

PHONE, SCREEN = {"width": 320, "height": 640}, {"width": 1280, "height": 800}
SHELL = (
    "/account", "/people", "/people/new", "/people/dan", "/proposals", "/proposals/1", "/documents", "/documents/protected",
    "/documents/procedure",
)  # fmt: skip


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    made = Pages(tmp_path_factory.mktemp("browser"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    made = watched(tmp_path_factory.mktemp("fleet"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    made = furnished(tmp_path_factory.mktemp("house"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=require("chromium"), args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


def as_(pages: Pages, chromium: Browser, login: str, language: str = "en", **how: Any) -> BrowserContext:
    """Somebody's browser, signed in."""
    context = chromium.new_context(locale=language, base_url=pages.url, reduced_motion="reduce", **how)
    context.set_default_timeout(15_000)
    context.add_cookies([{"name": "desk", "value": pages.tokens[login], "url": pages.url}, {"name": "language", "value": language, "url": pages.url}])
    return context


def paths(pages: Pages) -> dict[str, list[str]]:
    """Every page of cases, with something on it, by who looks at it."""
    pages.document("popular", "www.shop.example\n")
    shop = pages.draft(pages.case("www.shop.example")).digest
    signing = pages.opened(pages.case("www.signing.test"))
    pages.bring(signing, "north-1")
    number, order = pages.ordered("www.a-rather-long-name-that-must-wrap-somewhere-on-a-phone.example.test")
    both_ways = [to_text(parse(name)) for name in ("www.bücher-und-zeitschriften-für-alle.test", "ישראל-ולילדים.test")]
    emergency, _ = pages.ordered(*both_ways, until="emergency")
    with pages.desk.store.writing() as session:
        recommendations.recommend(session, pages.desk, pages["reviewer"], number, "It goes too far.", pages.now)
    keeping.add(pages.desk, pages["clerk"], number, [b"x"], "Screenshot", "image/png", "as seen", pages.now)
    for reference in ("2222-2222-2222-2222", "3333-3333-3333-3333"):
        reported(pages, reference, order.order_id, words="هذا خطأ." if reference[0] == "2" else "It is a bakery.")
    clerk = pages.by("clerk")
    clerk.do(f"/cases/{number}", f"/cases/{number}/steps/file_appeal", standing="owner", words="It was a quotation.", why="a letter")
    clerk.do("/cases/new", "/cases/new", location="https://live.test/1", words="He says he will shoot.", threat="yes")
    file = imports.begin(pages.desk, pages["clerk"], b"names,words\nwww.imported.test,x\nno name at all,\n", "Hotline", pages.now)
    imports.go_on(pages.desk, file.id, pages.now)
    new = re.search(r"/cases/(2026-\d{6})", clerk.get("/cases?queue=urgent"))[1]  # type: ignore[index]
    cases = ["/cases", "/cases?queue=urgent", "/cases?queue=in_force", "/search?q=test", "/search?q=nothing.example", "/cases/new", f"/cases/{new}"]
    order_pages = [f"/orders/{each}" for each in (shop, signing.digest, order.digest)]
    return {
        "officer": [
            *cases,
            f"/cases/{number}",
            f"/cases/{number}/order",
            f"/cases/{number}/evidence",
            *order_pages,
            "/packets",
            "/appeals",
            "/reports",
            "/imports",
            f"/imports/{file.id}",
        ],
        "reviewer": ["/review", "/review?only=waiting", f"/cases/{emergency}", f"/cases/{number}"],
        "auditor": [f"/cases/{number}"],
    }


def walk(context: BrowserContext, url: str, paths: Sequence[str]) -> list[tuple[Any, ...]]:
    """What is wrong with these pages, in turn in French and English: on a phone in the light all that axe looks at, then on a screen in the dark
    what changes with that: colours, and whether all fits."""
    axe, page, faults = Axe(), context.new_page(), list[tuple[Any, ...]]()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    for number, path in enumerate(paths):
        language = ("fr", "en")[number % 2]
        context.add_cookies([{"name": "language", "value": language, "url": url}])
        page.emulate_media(color_scheme="light")
        page.set_viewport_size(PHONE)  # type: ignore[arg-type]
        answer = page.goto(url + path)
        assert answer is not None
        if answer.status >= 400:
            faults.append((path, answer.status))
            said.clear()  # the browser says so too
        page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
        for scheme, size, options in (
            ("light", PHONE, {"resultTypes": ["violations"]}),
            ("dark", SCREEN, {"resultTypes": ["violations"], "runOnly": ["color-contrast"]}),
        ):
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            page.set_viewport_size(size)  # type: ignore[arg-type]
            wide = page.evaluate("document.documentElement.scrollWidth")
            if wide > size["width"]:
                faults.append((path, language, f"{wide} px wide on {size['width']}"))
            found = axe.run(page, options=options).response["violations"]
            faults += [(path, language, scheme, fault["id"], fault["nodes"][0]["html"][:200]) for fault in found]
    return faults + [(each,) for each in said]


def test_axe_finds_nothing_on_the_pages_of_cases_and_all_fits(pages: Pages, chromium: Browser) -> None:
    faults = []
    for login, each in paths(pages).items():
        with as_(pages, chromium, login) as context:
            faults += walk(context, pages.url, each)
    assert faults == []


def test_nor_on_those_of_compliance(fleet: Pages, chromium: Browser) -> None:
    index = re.search(r"/compliance/orders/(\d+)", fleet.by("officer").get("/compliance/operators/op-2"))[1]  # type: ignore[index]
    faults = []
    for login, each in {
        "officer": [
            "/compliance", "/compliance/operators/op-2", "/compliance/operators/op-1?show=all", f"/compliance/orders/{index}",
            "/compliance/operators/op-2/penalty?month=2026-09", "/compliance?weeks=52",
        ],
        "op-1-account": ["/compliance/operators/op-1"],
    }.items():  # fmt: skip
        with as_(fleet, chromium, login) as context:
            faults += walk(context, fleet.url, each)
    assert faults == []


def test_nor_on_those_of_people_and_of_everybody(house: House, chromium: Browser) -> None:
    faults = []
    for login, each in {
        "": ["/sign-in", "/invitation", "/report", "/report/status", "/appeal", "/appeal/status"],
        "ada": SHELL,
        "cora": ["/audit", "/proposals/3"],
    }.items():  # fmt: skip
        with chromium.new_context(reduced_motion="reduce") as context:
            context.set_default_timeout(15_000)
            if login:
                context.add_cookies([{"name": "desk", "value": house.browser(login).http.cookies["desk"], "url": house.url}])
            faults += walk(context, house.url, each)
    assert faults == []


def test_a_person_signs_in_and_decides_by_keyboard_alone(house: House, chromium: Browser) -> None:
    """Without script, without a mouse; what has the focus is seen to have it."""
    with chromium.new_context(java_script_enabled=False, locale="en", reduced_motion="reduce") as context:
        page = context.new_page()
        page.goto(house.url + "/sign-in")
        page.keyboard.press("Tab")
        assert page.locator(":focus").inner_text() == "To the content"
        page.locator("#login").focus()
        page.keyboard.type("eve")
        page.keyboard.press("Tab")
        page.keyboard.type(PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_url(re.compile(r"/(cases|account|proposals)"))
        page.goto(house.url + "/proposals/3")
        press(page, "Agree, and do it", most=40)


def press(page: Page, label: str, *, exact: bool = True, most: int = 200) -> None:
    """Goes on by the Tab key until what has the focus says so."""
    for _ in range(most):
        page.keyboard.press("Tab")
        said = page.evaluate("() => (document.activeElement.labels?.[0] ?? document.activeElement).innerText?.trim() ?? ''")
        if said == label or (not exact and said.startswith(label)):
            outline = page.evaluate("() => getComputedStyle(document.activeElement).outlineStyle")
            assert outline != "none", f"{label}: nobody sees the focus"
            return
    raise AssertionError(f"{label!r} is not reached by Tab on {page.url}")


def test_a_case_is_opened_assessed_and_ordered_by_keyboard_alone_and_without_scripts(pages: Pages, chromium: Browser, tmp_path: Path) -> None:
    with as_(pages, chromium, "officer", java_script_enabled=False, accept_downloads=True) as context:
        page = context.new_page()
        page.goto("/cases/new")
        page.get_by_label("Where exactly").focus()
        page.keyboard.type("https://www.keyboard.test/a")
        page.get_by_label("What it is").focus()
        page.keyboard.type("It calls to kill.")
        page.get_by_role("button", name="Open the case").focus()
        page.keyboard.press("Enter")
        page.wait_for_url(re.compile(r"/cases/2026-\d+\?done=opened"))
        assert "www.keyboard.test" in page.inner_text("h1")

        page.locator("#do-assess summary").focus()
        page.keyboard.press("Enter")
        page.get_by_label("Category").focus()
        page.keyboard.type("terr")
        page.locator("#assess-finding").fill("A call to kill.")
        page.locator("#assess-why").fill("Seen by me.")
        page.locator("#do-assess button").focus()
        page.keyboard.press("Enter")
        page.wait_for_url(re.compile("done=assess"))
        page.locator("#do-owner_unidentifiable summary").press("Enter")
        page.locator("#owner_unidentifiable-why").fill("Nobody answers.")
        page.locator("#do-owner_unidentifiable button").press("Enter")
        page.wait_for_url(re.compile("done=owner_unidentifiable"))

        page.get_by_role("link", name="Write it").press("Enter")
        for label, text in (
            ("Legal basis", "Law 1"), ("Reasons, in English", "It calls to kill."), ("Address where redress is explained", "https://authority.example/"),
            ("Days to object", "60"), ("Court", "Court"), ("Why", "as assessed"),
        ):  # fmt: skip
            page.get_by_label(label, exact=False).first.fill(text)
        page.get_by_role("button", name="Keep it").press("Enter")
        page.wait_for_url(re.compile("done=written"))
        page.locator("#do-draft-block summary").press("Enter")
        page.locator("#why-draft-block").fill("Nothing else is left.")
        page.locator("#do-draft-block button").press("Enter")
        page.wait_for_url(re.compile("/orders/sha256:"))
        page.locator("#do-signing summary").press("Enter")
        page.locator("#why-signing").fill("Two must sign.")
        page.locator("#do-signing button").press("Enter")
        page.wait_for_url(re.compile("done=signing"))

        with page.expect_download() as download:
            page.get_by_role("link", name="Take the packet away").press("Enter")
        away = tmp_path / "away.json"
        download.value.save_as(away)
        signed = tmp_path / "signed.json"
        signed.write_bytes(pages.cast.sign(packets.read(away.read_bytes(), "the packet"), "north-1", "north-2").encode())
        page.get_by_label("Signed packet").set_input_files(signed)
        page.get_by_role("button", name="Bring it in").press("Enter")
        page.wait_for_url(re.compile("done=signed"))
        page.locator("#why-publish").fill("Both have signed.")
        page.get_by_role("button", name="Publish", exact=True).press("Enter")
        page.wait_for_url(re.compile("done=published"))
        assert "Published" in page.inner_text("main")
    assert "www.keyboard.test" in pages.blocked()


def test_everything_on_a_case_is_reached_by_tab_and_a_refusal_leads_to_its_form(pages: Pages, chromium: Browser) -> None:
    number = pages.case("www.tab.test", until="assessed")
    with as_(pages, chromium, "officer") as context:
        page = context.new_page()
        page.goto(f"/cases/{number}")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.innerText") == "To the content"
        page.keyboard.press("Enter")
        press(page, "Dismiss")
        page.keyboard.press("Enter")
        press(page, "Why")
        page.keyboard.type(" ")
        press(page, "Record it")
        page.keyboard.press("Enter")
        page.wait_for_selector("[role=alert]")
        assert page.locator("#do-dismiss").get_attribute("open") is not None
        press(page, "To the form")
        page.keyboard.press("Enter")
        press(page, "Why")
        page.keyboard.type("It is satire.")
        press(page, "Record it")
        page.keyboard.press("Enter")
        page.wait_for_url(re.compile("done=dismiss"))
        assert page.locator("[role=status]").inner_text() == "Done: Dismissed"


def test_a_hostile_name_of_a_file_or_a_word_runs_nothing(pages: Pages, chromium: Browser) -> None:
    clerk = pages.by("clerk")
    nasty = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
    clerk.do("/cases/new", "/cases/new", location=f"https://www.hostile.test/{nasty}", words=nasty)
    number = re.search(r"/cases/(2026-\d{6})", clerk.get("/cases?queue=received"))
    with as_(pages, chromium, "officer") as context:
        page = context.new_page()
        page.goto("/search?q=www.hostile.test")
        page.get_by_role("link", name="www.hostile.test").click()
        assert number is not None
        assert "owned" not in page.title()
        assert page.locator("main script, main img").count() == 0
