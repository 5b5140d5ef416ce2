"""What the sign-in keeps in memory for one application: counts of tries, the key of known browsers, the provider."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from authority.desk.desk import Desk
from authority.desk.errors import DeskError
from authority.desk.people.browsers import Browsers
from authority.desk.people.limits import Limits

if TYPE_CHECKING:
    from authority.desk.people.oidc import Provider


class Door:
    """One for each application."""

    def __init__(self, desk: Desk) -> None:
        """Raises DeskError for sign-in settings that are none, or whose extra is not installed."""
        self.limits = Limits()
        self.browsers = Browsers(desk)
        self.provider: Provider | None = None
        if desk.settings.sign_in.issuer:
            try:
                oidc = importlib.import_module("authority.desk.people.oidc")
            except ImportError as error:
                raise DeskError(f"sign-in by a provider needs more ({error.name}); install it: pip install 'redhand[desk,oidc]'") from None
            self.provider = oidc.Provider(desk)
