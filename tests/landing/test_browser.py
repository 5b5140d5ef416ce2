"""The page in a real Chromium: as it is meant, in every language and scheme, by eye, by keyboard and on paper, asking nothing of anyone else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from landing.own import create_own
from landing.settings import LandingSettings
from landing.texts import LANGUAGES, TEXTS
from tests.landing.browsers import PHONE, SCREEN, answer_for, chromium, faults
from tests.landing.server import Landing
from tests.landing.test_logo import png

HOSTS = ("www.blocked.example", "deep.blocked.example", "own.example", "hostile.example", "limited.example", "alias.example", "unlisted.example")
"""One of each kind of page: an order, two and the operator's own, its own alone, hostile words, limited disclosure, an alias, nothing blocked."""

OWN = "report.operator.example"


@pytest.fixture(scope="module")
def browser(landing: Landing) -> Iterator[Browser]:
    with chromium(landing.port) as found:
        yield found


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    with browser.new_context(viewport=PHONE, locale="en") as found:  # type: ignore[arg-type]
        found.set_default_timeout(15_000)
        yield found


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()


def test_axe_finds_nothing_on_any_kind_of_page_nor_in_any_language_and_all_fits(page: Page) -> None:
    """The browser complains of nothing either, and is sent nowhere else."""
    said, asked, found = list[str](), list[str](), list[tuple[str, ...]]()
    page.on("console", lambda message: said.append(message.text))
    page.on("request", lambda request: asked.append(request.url))
    kinds = [(host, LANGUAGES[at % len(LANGUAGES)]) for at, host in enumerate(HOSTS)] + [(HOSTS[1], "ar")]
    assert {language for _, language in kinds} == set(LANGUAGES)
    for host, language in kinds:
        page.goto(f"http://{host}/?lang={language}")
        assert page.locator("html").get_attribute("lang") == language
        found += faults(page)
    assert found == []
    assert [text for text in said if not any(status in text for status in ("451", "403", "404"))] == []
    assert {url for url in asked if not url.startswith("data:")} == {f"http://{host}/?lang={language}" for host, language in kinds}


def test_nor_on_the_operators_own_pages(context: BrowserContext, page: Page, tmp_path: Path) -> None:
    """They wear the operator's logo and colours here, as the others may."""
    (tmp_path / "logo.png").write_bytes(png(40, 10))
    dressed = LandingSettings(operator="Example Telecom", own_name=OWN, logo=str(tmp_path / "logo.png"), colour="#7a0f4e", colour_dark="#ffb3da")
    answer_for(context, OWN, create_own(dressed, tmp_path))
    found = []
    for at, path in enumerate(
        ("/", "/report?order=XX-2026-000123&name=www.blocked.example", "/report/follow?reference=none", "/report/none", "/elsewhere")
    ):
        page.goto(f"http://{OWN}{path}{'&' if '?' in path else '?'}lang={LANGUAGES[-1 - at % len(LANGUAGES)]}")
        found += faults(page)
    page.goto(f"http://{OWN}/report?lang=en")
    assert page.locator(".operator img").evaluate("image => image.naturalWidth") == 40, "the security policy keeps the logo out"
    assert page.locator("main a").first.evaluate("link => getComputedStyle(link).color") == "rgb(255, 179, 218)"
    page.get_by_role("button", name=TEXTS["en"]["report_send"]).evaluate("button => { button.form.noValidate = true; button.form.submit() }")
    page.wait_for_selector("[role=alert]")
    found += faults(page)
    assert found == []


def test_the_style_is_let_in_and_follows_the_visitors_colours(page: Page) -> None:
    page.goto("http://www.blocked.example/")
    drawn = "() => [getComputedStyle(document.body).backgroundColor, getComputedStyle(document.querySelector('.hand')).color]"
    assert page.evaluate(drawn) == ["rgb(253, 252, 250)", "rgb(179, 19, 31)"]
    page.emulate_media(color_scheme="dark")
    assert page.evaluate(drawn) == ["rgb(23, 22, 20)", "rgb(216, 54, 63)"]
    page.emulate_media(color_scheme="light", forced_colors="active")
    paper, hand = page.evaluate(drawn)
    assert page.evaluate("() => getComputedStyle(document.querySelector('.crease')).stroke") == paper != hand


def test_text_twice_as_large_is_neither_cut_nor_scrolled_sideways(page: Page) -> None:
    """WCAG 2.2, 1.4.4 and 1.4.10: text at 200 % on 320 px, which asks more than either."""
    for language in LANGUAGES:
        page.goto(f"http://www.blocked.example/?lang={language}")
        page.evaluate("document.documentElement.style.fontSize = '200%'")
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], language
        hidden = page.evaluate(
            "() => [...document.querySelectorAll('body *')].filter(each => each.scrollWidth > each.clientWidth + 1 && each.clientWidth"
            " && getComputedStyle(each).overflowX !== 'visible' && !each.closest('svg')).map(each => each.outerHTML.slice(0, 80))"
        )
        assert hidden == [], language
        assert page.locator("h1").bounding_box()["width"] > 200, f"{language}: squeezed beside the hand"  # type: ignore[index]


def test_everything_is_reached_by_tab_in_the_order_it_is_read_and_seen_to_be(page: Page) -> None:
    page.goto("http://www.blocked.example/")
    count = page.locator("a[href], button, input, textarea, select, summary").count()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.innerText") == "To the content"
    assert page.evaluate("document.activeElement.getBoundingClientRect().left") >= 0, "nobody sees where the focus is"
    reached = []
    for _ in range(count):
        reached.append(
            page.evaluate("[...document.querySelectorAll('a[href], button, input, textarea, select, summary')].indexOf(document.activeElement)")
        )
        style = page.evaluate("() => { const s = getComputedStyle(document.activeElement); return [s.outlineStyle, parseFloat(s.outlineWidth)] }")
        assert style == ["solid", 3], page.evaluate("document.activeElement.outerHTML")
        page.keyboard.press("Tab")
    assert reached == list(range(count))
    page.locator(".skip").focus()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('main') !== null")


def test_the_switch_changes_the_language_and_arabic_runs_from_right_to_left(page: Page) -> None:
    page.goto("http://www.blocked.example/")
    page.get_by_role("link", name="Français").click()
    assert "bloqué" in page.inner_text("h1")
    if "ar" in LANGUAGES:
        page.get_by_role("link", name="العربية").click()
        assert page.locator("html").get_attribute("dir") == "rtl"
        page.set_viewport_size(SCREEN)  # type: ignore[arg-type]
        hand, heading = (page.locator(each).bounding_box() for each in (".hand", "h1"))
        assert hand is not None
        assert heading is not None
        assert hand["x"] > heading["x"] + heading["width"] - 1, "the hand stands where reading begins"


def test_on_paper_there_is_what_is_needed_and_no_more(page: Page) -> None:
    page.goto("http://www.blocked.example/")
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert not page.locator("nav").is_visible()
    assert not page.locator(".skip").is_visible()
    assert page.locator(".hand").is_visible()
    assert "https://authority.example/appeal" in page.inner_text("main")


ELSEWHERE = """<!doctype html><meta charset="utf-8"><title>Another site</title>
<style>@font-face { font-family: Blocked; src: url(http://blocked.example/f.woff2) } p { font-family: Blocked }</style>
<p>Words</p>
<img id="image" src="http://blocked.example/logo.png">
<script>
const told = window.told = {};
const note = name => ({ onload: () => { told[name] = "load" }, onerror: () => { told[name] = "error" } });
const add = (tag, name, fields) => document.body.append(Object.assign(document.createElement(tag), note(name), fields));
add("script", "script", { src: "http://blocked.example/app.js" });
add("link", "style", { rel: "stylesheet", href: "http://blocked.example/theme.css" });
add("video", "media", { src: "http://blocked.example/v.mp4" });
fetch("http://blocked.example/items").catch(() => { told.fetch = "error" });
fetch("http://blocked.example/items", { method: "PUT" }).catch(() => { told.preflight = "error" });
document.fonts.ready.then(() => { told.font = document.fonts.check("1em Blocked") ? "load" : "error" });
</script>"""


def test_what_another_site_asks_of_a_blocked_one_is_refused_in_kind(browser: Browser) -> None:
    """A picture becomes a hand; nothing is run, applied or read; and a developer sees status 451 of all that needs no leave to be read.

    The other site stands where the landing page does: a browser lets no public site ask anything of a private address.
    """
    answers: dict[str, tuple[int, str]] = {}
    with browser.new_context(bypass_csp=True) as context:
        page = context.new_page()
        page.on("response", lambda answer: answers.update({answer.url.rpartition("/")[2]: (answer.status, answer.headers.get("content-type", ""))}))
        page.goto("http://elsewhere.example/")
        page.set_content(ELSEWHERE)
        page.wait_for_function("Object.keys(told).length === 6")
        assert page.evaluate("told") == dict.fromkeys(("script", "style", "media", "fetch", "preflight", "font"), "error")
        assert page.locator("#image").evaluate("image => image.naturalWidth") == 64
    del answers[""]
    assert answers == {
        "logo.png": (451, "image/svg+xml"),
        "app.js": (451, "text/javascript; charset=utf-8"),
        "theme.css": (451, "text/css; charset=utf-8"),
        "v.mp4": (451, "video/mp4"),
    }
