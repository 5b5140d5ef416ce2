"""How the pages look: one style sheet with the operator's colours, its name in the security policy, and the operator's logo.

Read once, at the start. A logo that cannot be shown then is left out, with a warning: the page matters more than what stands at its head.
"""

from __future__ import annotations

import base64
import hashlib
import logging
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from markupsafe import Markup

from landing import logo
from landing.settings import LandingSettings

_log = logging.getLogger("redhand.landing")


@dataclass(frozen=True, slots=True)
class Look:
    """What every page of one operator has in common."""

    style: str
    """The text of the <style> element."""
    logo: str = ""
    """The operator's logo as a data: URI; empty for none."""

    @classmethod
    def of(cls, settings: LandingSettings, *, forms: bool = False) -> Look:
        """The look that the settings ask for. `forms`: of pages with forms too. Without their rules most pages of blocked sites go out in one round
        trip (ten segments, RFC 6928).
        """
        shown = ""
        if settings.logo:
            try:
                shown = logo.read(Path(settings.logo))
            except logo.BadLogo as error:
                _log.warning("the page is shown without the logo: landing.logo %s %s", settings.logo, error)
        colours = f":root {{ --operator: {settings.colour}; --operator-dark: {settings.colour_dark} }}\n"
        sheets = ("style.css", "forms.css") if forms else ("style.css",)
        rules = "".join(files("landing").joinpath("templates", sheet).read_text(encoding="utf-8") for sheet in sheets)
        return cls(colours + "\n".join(line.strip() for line in rules.splitlines() if line), shown)

    @property
    def source(self) -> str:
        """What `style-src` says to let this very style in, and no other (CSP Level 3, section 2.3.1)."""
        return f"'sha256-{base64.b64encode(hashlib.sha256(self.style.encode()).digest()).decode()}'"

    def names(self) -> dict[str, object]:
        """What base.html calls it by."""
        return {"style": Markup(self.style), "logo": self.logo}  # noqa: S704 - the package's own file and checked colours
