"""Draws the pictures of the page that the guides show: `python -m tests.landing.pictures`, into docs/images/.

Each is what a real Chromium shows of a real landing process over an order that came by a real feed, or of the operator's own pages. The fonts are
those of the machine it is run on.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from landing.own import create_own
from landing.settings import LandingSettings
from landing.texts import LANGUAGES, TEXTS
from tests.blocklists.feed.authority import Authority, order
from tests.blocklists.feed.mirror import Mirror
from tests.blocklists.feed.operator import Operator
from tests.blocklists.trust import office
from tests.landing.browsers import answer_for, chromium
from tests.landing.server import Landing

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
BLOCKED, OWN = "www.blocked.example", "report.operator.example"
NAME = "Office for the Protection of the Public"

SCREEN: dict[str, Any] = {"viewport": {"width": 1100, "height": 1240}}
PICTURES: dict[str, tuple[str, dict[str, Any]]] = {
    "landing-desktop": (f"http://{BLOCKED}/?lang=en", SCREEN),
    "landing-phone": (f"http://{BLOCKED}/?lang=fr", {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 1.5}),
    "landing-dark": (f"http://{BLOCKED}/?lang=de", {**SCREEN, "color_scheme": "dark"}),
    "landing-arabic": (f"http://{BLOCKED}/?lang=ar", SCREEN),
    "landing-report": (f"http://{OWN}/report?order=XX-2026-000123&name={BLOCKED}&lang=en", SCREEN),
}


def authority() -> Authority:
    """One that has ordered one block, in good form."""
    epoch = office.epoch(limits={"names_per_hour": 10, "names_per_day": 10})
    epoch["authorities"]["north"] = {"name": NAME, "contact": "orders@authority.example", "register_url": "https://authority.example/orders/"}
    epoch["categories"]["terrorism"]["texts"] = {language: TEXTS[language]["category_terrorism"] for language in LANGUAGES}
    found = Authority(epochs=(epoch,))
    found.log(
        order(
            "XX-2026-000123",
            ".blocked.example",
            category="terrorism",
            issuer={"authority": NAME, "contact": "orders@authority.example"},
            legal_basis="Public Safety Act 2015, section 6-1",
            reasons={
                "en": "The site praises those who attacked a market, and calls on its readers to do the same.",
                "fr": "Le site loue ceux qui ont attaqué un marché, et appelle ses lecteurs à les imiter.",
            },
            redress={"url": "https://authority.example/appeal", "deadline_days": 60, "court": "Administrative Court of Exampleville"},
            territorial_scope="FR",
            reviewer="Independent Reviewer of Orders",
        )
    )
    found.publish()
    return found


@contextmanager
def page(place: Path, settings: LandingSettings) -> Iterator[Landing]:
    """A landing process at an operator who follows that authority."""
    orders = authority()
    mirror = Mirror(lambda: orders.files)
    operator = Operator(place, orders.root_json(), mirror.url)
    try:
        if fault := operator.fault():
            raise AssertionError(fault)
        with Landing(operator.state_dir, **settings.model_dump(mode="json")) as landing:
            landing.wait_for(BLOCKED, 451)
            yield landing
    finally:
        operator.close()
        mirror.stop()


def main(folder: Path) -> None:
    """Writes each picture over the one before."""
    settings = LandingSettings(operator="Example Telecom", own_name=OWN)
    with tempfile.TemporaryDirectory() as temporary, page(Path(temporary), settings) as landing, chromium(landing.port) as browser:
        for name, (url, how) in PICTURES.items():
            with browser.new_context(**how) as context:
                answer_for(context, OWN, create_own(settings, Path(temporary)))
                shown = context.new_page()
                shown.goto(url)
                shown.screenshot(path=folder / f"{name}.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else IMAGES)
