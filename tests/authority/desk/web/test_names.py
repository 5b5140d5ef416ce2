"""Internationalised names on the desk: read as their owners write them where that is safe, with the A-labels always beside; found by either form."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

import pytest

from authority import shown
from authority.desk import ordering, steps
from blocklists.names import parse, to_text
from tests.authority.desk.orders.house import FACTS
from tests.authority.desk.web.pages import Pages, plain, reported

PLAIN, TURNED, DOUBTFUL = "www.bücher.test", "ישראל.test", "\u0430\u0440\u0440\u04cf\u0435.test"
A_LABELS = {name: to_text(parse(name)) for name in (PLAIN, TURNED, DOUBTFUL)}


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    made = Pages(tmp_path_factory.mktemp("names"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def number(pages: Pages) -> str:
    """A case that came by the form with all three names, its order published."""
    page = pages.by("clerk").do("/cases/new", "/cases/new", names=f"{PLAIN}\n{TURNED}\n{DOUBTFUL}", words="It calls to kill.")
    number = re.search(r"2026-\d{6}", page)[0]  # type: ignore[index]
    here = f"/cases/{number}"
    pages.by("officer").do(here, f"{here}/steps/assess", why="seen", category="terrorism", finding="It does.")
    pages.step(number, "owner_unidentifiable", "officer", why="Nobody answers.")
    pages.state(number, **FACTS)
    order = pages.opened(number)
    pages.bring(order, "north-1", "north-2")
    pages.publish(order)
    reported(pages, "7K2M-QX4R-9DHT-WE5C", pages.row(number).order_id or "", name=A_LABELS[PLAIN])
    return number


def both(name: str) -> str:
    """As a page has it: two forms, each kept to itself."""
    return f'<bdi dir="ltr">{name}</bdi> <bdi class="alabels">({A_LABELS[name]})</bdi>'


def test_every_page_shows_both_forms_and_a_doubtful_name_in_a_labels_alone(pages: Pages, number: str) -> None:
    with pages.desk.store.reading() as session:
        digest = ordering.orders_of(session, steps.find(session, number))[0].digest
    case = pages.by("officer").get(f"/cases/{number}")
    title = re.search(r"<title>(.*?)</title>", case, re.DOTALL)[1]  # type: ignore[index]
    assert f"{PLAIN} ({A_LABELS[PLAIN]}) ({number})" in html.unescape(title)
    assert f"<h1>{both(PLAIN)}" in case
    listed = case.partition('<h2 id="names">')[2].partition("</section>")[0]
    assert both(PLAIN) in listed
    assert both(TURNED) in listed
    assert f"<code>{A_LABELS[DOUBTFUL]}</code>" in listed
    assert f"<dt>Names</dt><dd>{both(PLAIN)}, {both(TURNED)}, {A_LABELS[DOUBTFUL]}</dd>" in case  # in the timeline
    assert f"<code>{both(PLAIN)}</code>" in case.partition('<h2 id="reports">')[2]
    for who, path in (
        ("officer", "/cases?queue=in_force"),
        ("officer", f"/orders/{digest}"),
        ("officer", f"/cases/{number}/evidence"),
        ("officer", "/reports"),
        ("reviewer", "/review"),
    ):
        assert both(PLAIN) in pages.by(who).get(path), path
    for path in (f"/cases/{number}", "/cases?queue=in_force", f"/orders/{digest}"):
        assert DOUBTFUL not in pages.by("officer").get(path), path


@pytest.mark.parametrize(
    "text",
    [
        PLAIN, PLAIN.upper(), A_LABELS[PLAIN], f"https://{PLAIN}/page", f"{PLAIN} ({A_LABELS[PLAIN]})", "bücher.test",
        f"{TURNED} ({A_LABELS[TURNED]})", DOUBTFUL,
    ],
)  # fmt: skip
def test_a_name_is_found_by_either_form_and_by_a_copy_of_both(pages: Pages, number: str, text: str) -> None:
    page = pages.by("clerk").http.get("/search", params={"q": text}).text
    assert number in plain(page)
    assert both(PLAIN) in page


def test_what_officers_sign_names_the_sites_in_both_forms(pages: Pages) -> None:
    case = pages.case(A_LABELS[TURNED], A_LABELS[DOUBTFUL])
    order = pages.opened(case)
    text = shown.text(pages.packet(order))
    assert f"\n  {A_LABELS[TURNED]}\n    {TURNED}\n" in text  # each on a line of its own, which no direction of writing leaves
    assert DOUBTFUL not in text
    assert TURNED in pages.by("officer").get(f"/orders/{order.digest}")
