"""Draws the pictures of the page that the guides show: `python -m tests.landing.pictures`, into docs/images/.

Each is what a real Chromium shows of a real landing process. The fonts are those of the machine it is run on.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.landing.browsers import chromium
from tests.landing.samples import order, put_in_force
from tests.landing.server import Landing

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
HOST = "www.blocked.example"

PICTURES: dict[str, tuple[str, dict[str, Any]]] = {
    "landing-desktop": (f"http://{HOST}/?lang=en", {"viewport": {"width": 1100, "height": 1000}}),
    "landing-phone": (f"http://{HOST}/?lang=fr", {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2}),
    "landing-dark": (f"http://{HOST}/?lang=de", {"viewport": {"width": 1100, "height": 1000}, "color_scheme": "dark"}),
    "landing-arabic": (f"http://{HOST}/?lang=ar", {"viewport": {"width": 1100, "height": 1000}}),
}


def main(folder: Path) -> None:
    """Writes each picture over the one before."""
    with tempfile.TemporaryDirectory() as temporary:
        state_dir = Path(temporary)
        put_in_force(state_dir, order("blocked.example"))
        with Landing(state_dir) as landing:
            landing.wait_for(HOST, 451)
            with chromium(landing.port) as browser:
                for name, (url, how) in PICTURES.items():
                    with browser.new_context(**how) as context:
                        page = context.new_page()
                        page.goto(url)
                        page.screenshot(path=folder / f"{name}.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else IMAGES)
