"""Browsers that somebody signed in from before: a cookie, made under a key of the desk's, that gives its person tries of their own.

Without it, whoever knows a login could keep its holder out by wrong passwords. It opens nothing by itself.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets

from authority.desk.desk import Desk

SECONDS = 180 * 86_400


class Browsers:
    """Makes and knows such cookies."""

    def __init__(self, desk: Desk) -> None:
        """Its key is a file, made at the first need: a cookie outlives the process."""
        path = desk.directory / "browsers.key"
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(secrets.token_bytes(32))
        except FileExistsError:
            pass
        self._key = path.read_bytes()

    def make(self, login: str) -> str:
        """A cookie's value for a browser that a person just signed in from."""
        name = secrets.token_urlsafe(12)
        return f"{name}.{self._sign(login, name)}"

    def known(self, login: str, cookie: str) -> str:
        """What the browser's tries are counted under; empty unless it has this person's cookie."""
        name, _, signature = cookie.partition(".")
        if name and hmac.compare_digest(signature.encode(), self._sign(login, name).encode()):
            return name
        return ""

    def _sign(self, login: str, name: str) -> str:
        return hmac.new(self._key, f"{login}\n{name}".encode(errors="surrogatepass"), hashlib.sha256).hexdigest()
