"""The report of a study: what it says, that it needs nothing but itself, and that anybody can read it."""

from __future__ import annotations

import csv
import json
import re
import struct
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright
from typer.testing import CliRunner

from porosity import estimates, parts
from porosity.cli import app
from porosity.plan import Trial
from porosity.report import curves, limits, matrix, page, shares, style, write
from porosity.report.found import NothingEstimated, percent, read, ways
from porosity.report.write import Written
from porosity.study import Study
from tests.landing.browsers import faults
from tests.porosity import judged, studies
from tests.tools import require


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """One that leaks by HTTPS records at every second name, and blocks three neighbours."""
    made = judged.made(tmp_path_factory.mktemp("report") / "study")
    estimates.make(made)
    return made


@pytest.fixture(scope="module")
def written(study: Study) -> Written:
    """Its report."""
    return write.write(study)


@pytest.fixture(scope="module")
def browser_page() -> Iterator[Page]:
    """A page of Chromium that may look into pages with a policy, as axe has to."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=require("chromium"), args=["--no-sandbox", "--disable-gpu"])
        try:
            yield browser.new_context(bypass_csp=True).new_page()
        finally:
            browser.close()


class _Reader(HTMLParser):
    """What a page points to, and what it is made of."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.points: list[str] = []
        self.ids: set[str] = set()
        self.pictures: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for key, value in attrs:
            if key in ("href", "src", "srcset", "action", "data", "poster"):
                self.points.append(value or "")
            if key == "id":
                self.ids.add(value or "")
            if key == "alt":
                self.pictures.append(value or "")

    def handle_data(self, data: str) -> None:
        self.text += data


def _read(path: Path) -> _Reader:
    reader = _Reader()
    reader.feed(path.read_text(encoding="utf-8"))
    return reader


def test_the_page_says_what_was_found_and_how_sure_that_is(written: Written) -> None:
    text = _read(written.page).text.replace("\u00a0", " ")
    for said in ("Porosity of orders", "50.0 %", "95 % interval 25.0 % to 75.0 %", "0.0 % when asked plainly", "type-https", "One vantage (local)"):
        assert said in text
    plan = written.found.study.plan
    for said in (plan.id, plan.names_sha256, str(plan.seed), "beside0.test", "beside2.test"):
        assert said in text


def test_the_page_needs_nothing_but_itself_and_what_lies_beside_it(written: Written) -> None:
    page = _read(written.page)
    assert not page.tags & {"script", "link", "iframe", "object", "embed", "form"}
    for each in page.points:
        if each.startswith("#"):
            assert each[1:] in page.ids
        elif not each.startswith("data:image/svg+xml;base64,"):
            assert (written.page.parent / each).is_file(), each
    assert all(page.pictures)
    assert len(page.pictures) == len(written.figures)


def test_texts_of_others_stay_texts(written: Written) -> None:
    assert judged.HOSTILE in _read(written.page).text
    assert judged.HOSTILE not in written.page.read_text(encoding="utf-8")


def test_anybody_can_read_the_page_and_it_asks_nobody(written: Written, browser_page: Page) -> None:
    asked: list[str] = []
    browser_page.on("request", lambda request: asked.append(request.url))
    browser_page.goto(written.page.as_uri())
    assert faults(browser_page) == []
    assert [each for each in asked if not each.startswith(("file:", "data:"))] == []


def test_the_page_is_read_by_night_and_printed_whole(written: Written, browser_page: Page) -> None:
    try:
        browser_page.emulate_media(color_scheme="dark")
        browser_page.goto(written.page.as_uri())
        assert browser_page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(22, 24, 26)"
        assert browser_page.evaluate("getComputedStyle(document.querySelector('figure div')).backgroundColor") == "rgb(255, 255, 255)"
        assert faults(browser_page) == []
        assert not browser_page.get_by_text("Rules red-hand", exact=False).is_visible()
        browser_page.emulate_media(media="print", color_scheme="light")
        assert browser_page.get_by_text("Rules red-hand", exact=False).is_visible()
        heights = browser_page.evaluate("[...document.images].map(each => each.getBoundingClientRect().height / 96 * 25.4)")
        assert max(heights) <= 215.5, "in mm: a figure and its caption are one page of A4"
    finally:
        browser_page.emulate_media(media="screen", color_scheme="light")


def test_a_cell_has_the_colour_that_the_legend_says(written: Written) -> None:
    assert [matrix.level(share) for share in (0, 0.1, 25, 74.9, 99.9, 100)] == ["none", "below 25", "25 to 50", "50 to 75", "75 and more", "all"]
    drawn = (written.page.parent / "figures" / "matrix.svg").read_text(encoding="utf-8")
    legend = {label: fill for fill, label in re.findall(r'role-legend-symbol.*?fill="(#\w+)".*?<text[^>]*>([^<]+)', drawn)}
    assert list(legend) == list(matrix.LEVELS)
    cells = re.findall(r'level: ([^"]+)"[^>]*rect mark"[^>]*fill="(#\w+)"', drawn)
    assert {"none", "50 to 75"} <= {level for level, _ in cells}
    assert all(legend[level] == fill for level, fill in cells)


@pytest.mark.parametrize("kind", ["svg", "png"])
def test_each_figure_is_a_file_fit_for_a_paper(written: Written, kind: str) -> None:
    assert {"reached", "told", "overblocked", "families", "matrix", "budget"} <= set(written.figures)
    for name in written.figures:
        data = (written.page.parent / "figures" / f"{name}.{kind}").read_bytes()
        if kind == "png":
            assert data.startswith(b"\x89PNG\r\n\x1a\n")
            across, down, unit = struct.unpack_from(">IIB", data, data.index(b"pHYs") + 4)
            assert (across, down, unit) == (11811, 11811, 1)  # 300 dots an inch
        else:
            assert ET.fromstring(data).tag == "{http://www.w3.org/2000/svg}svg"
            assert not re.search(rb'(?:href|src)="(?!#)|url\((?!#)', data)


def test_figures_say_their_units_and_how_many_there_were(written: Written) -> None:
    drawn = (written.page.parent / "figures" / "reached.svg").read_text(encoding="utf-8")
    assert "Ordered names reached, % (95 % interval)" in drawn
    assert "ours (n = 20)" in drawn


def test_tables_hold_the_estimates_and_csv_and_json_are_the_same(written: Written, study: Study) -> None:
    folder = written.page.parent / "tables"
    for name in written.tables:
        with open(folder / f"{name}.csv", newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        objects = json.loads((folder / f"{name}.json").read_bytes())
        assert [list(each) for each in rows] == [list(each) for each in objects]
    cells = {(each["resolver"], each["vector"]): each for each in json.loads((folder / "matrix.json").read_bytes())}
    assert cells["ours", "type-https"]["share"] == 0.5
    assert cells["ours", "type-a"]["share"] == 0


def test_the_same_estimates_give_the_same_report_and_what_an_earlier_one_had_beyond_goes(written: Written, study: Study) -> None:
    before = {each: each.read_bytes() for each in study.report.rglob("*") if each.is_file()}
    parts.replace(study.report / "figures" / "survival.svg", b"<svg/>")
    write.write(study)
    assert {each: each.read_bytes() for each in study.report.rglob("*") if each.is_file()} == before


def test_without_estimates_of_this_plan_it_says_how_to_make_them(tmp_path: Path) -> None:
    made = judged.made(tmp_path / "study", listed=2)
    with pytest.raises(NothingEstimated, match="redhand porosity estimate"):
        read(made)
    other = judged.made(tmp_path / "other", listed=3)
    estimates.make(other)
    other.estimates.rename(made.estimates)
    with pytest.raises(NothingEstimated, match="of another plan"):
        read(made)


def test_the_command_tells_the_headline_and_where_the_page_is(written: Written, study: Study) -> None:
    shown = CliRunner().invoke(app, ["report", str(study.directory)], catch_exceptions=False).stdout
    assert "ours: 50.0 % of 20 ordered names were still reached by a way that it can close itself (95 % interval 25.0 % to 75.0 %)" in shown
    assert "3 of 3" in shown
    assert str(written.page) in shown
    told = json.loads(CliRunner().invoke(app, ["report", str(study.directory), "--json"], catch_exceptions=False).stdout)
    assert told["headline"][0]["technical"]["share"] == 0.5


def test_many_resolvers_are_a_table_and_a_dead_one_fills_no_rows(tmp_path: Path) -> None:
    def state(of: Study, trial: Trial) -> str:
        resolver, vector = of.plan.resolvers[trial.resolver].id, of.plan.vectors[trial.vector].id
        if resolver == "dead":
            return "down"
        return "insufficient" if vector == "type-aaaa" else judged.leaky(of, trial)

    tested = [studies.resolver(id, "tested", port=5000 + number) for number, id in enumerate(("dead", "a", "b", "c", "d"))]
    made = judged.made(tmp_path / "study", state, listed=4, resolvers=[*tested, studies.resolver("one"), studies.resolver("two")])
    estimates.make(made)
    shown = CliRunner().invoke(app, ["report", str(made.directory)], catch_exceptions=False, env={"COLUMNS": "120"}).stdout
    assert "were still reached by a way" not in shown
    assert "50.0 % (0.0 % to 100.0 %)" in shown
    drawn = (made.report / "figures" / "matrix.svg").read_text(encoding="utf-8")
    assert ">type-https<" in drawn
    assert ">type-aaaa<" not in drawn


def test_ways_round_a_resolver_are_not_told_as_its_own(study: Study) -> None:
    vectors = tuple(replace(each, id=f"v{number}", family="name" if number else "other resolvers") for number, each in enumerate(study.plan.vectors))
    plan = replace(study.plan, vectors=vectors)
    assert ways(plan, ["v0", "v1", "v2"], 1) == "v1 and 1 more; round it by v0"
    assert ways(plan, ["v0"], 4) == "round it by v0"


def test_what_no_resolver_is_given_with_is_said_once() -> None:
    lacks = "no tested resolver is given with "
    told = limits.reasons(
        {"dot": f"{lacks}dot", "doq6": f"{lacks}doq; {lacks}an IPv6 address", "alias": "the zone is not ours", "doq": f"{lacks}doq"}
    )
    assert told == [(f"{lacks}dot, doq or an IPv6 address", ["dot", "doq6", "doq"]), ("the zone is not ours", ["alias"])]


@pytest.mark.parametrize(
    ("share", "text"), [(None, "-"), (0, "0.0 %"), (0.0001, "<0.1 %"), (0.125, "12.5 %"), (0.9999, ">99.9 %"), (1, "100.0 %")]
)  # fmt: skip
def test_some_is_never_written_as_none_or_all(share: float | None, text: str) -> None:
    assert percent(share) == text


def test_what_a_study_has_beyond_a_plain_one_is_drawn_too(study: Study) -> None:
    found = read(study)
    tables = dict(found.tables)
    technical = next(each for each in tables["estimates"] if each["scope"] == "technical")
    begins = [datetime(2026, 11, day, tzinfo=UTC) for day in (1, 2)]
    tables["estimates"] = [*tables["estimates"], *({**technical, "since": each} for each in begins)]
    tables["estimates"] += [{**technical, "list": each} for each in ("one", "other")] + [{**technical, "vantage": each} for each in ("here", "there")]
    step = {"resolver": "ours", "vector": "time-cached", "what": "enforced"}
    tables["survival"] = [
        {**step, "seconds": seconds, "at_risk": 2, "ended": 1, "survival": left, "low": 0.0, "high": 1.0}
        for seconds, left in ((0.0, 1.0), (2.5, 0.5))
    ]
    waited = {f"p{each}{end}": None for each in (50, 95, 99) for end in ("", "_low", "_high")}
    tables["delays"] = [{**step, "waits": 2, "ended": 1, "unseen": 0, "watched": 4.0, **waited}]
    path = {"list": "", "vantage": "", "source": "a survey", "resolver": "ours", "vectors": ["type-a"], "low": 0.1, "high": 0.3}
    tables["reach"] = [
        {**path, "path": "the provider's", "share": 1.0, "probability": 0.2, "reach": 0.2},
        {**path, "path": "", "share": 1.0, "probability": 0.2, "reach": 0.2},
    ]
    more = replace(found, tables=tables)
    drawn = {each.name: style.draw(each).svg.decode() for each in (*shares.figures(more), *curves.figures(more))}
    says = {"windows": "Window begins, UTC", "lists": "other", "vantages": "there", "survival": "Seconds since the instant", "reach": "20.0 of 100.0"}
    for name, said in says.items():
        assert said in drawn[name]
    assert "longer than was watched" in page.first(more, {"resolver": "ours", "technical": None})[1]
