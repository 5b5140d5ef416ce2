"""What the desk refuses on purpose; each class is one answer of its pages and of its API."""

from __future__ import annotations

from authority.errors import AuthorityError


class DeskError(AuthorityError):
    """Something asked of the desk cannot be done."""

    status = 400
    """Of the HTTP answer."""


class SignInNeeded(DeskError):
    """Nobody is signed in, or the session has ended."""

    status = 401


class Forbidden(DeskError):
    """Who asks may not do this."""

    status = 403


class NotFound(DeskError):
    """It does not exist, or not for who asks."""

    status = 404


class Conflict(DeskError):
    """It cannot be done now: the case is in another state, somebody was faster, or a second person is missing."""

    status = 409


class BadField(DeskError):
    """A field is missing or impossible. `field` names it as the form and the API do."""

    status = 422

    def __init__(self, field: str, text: str) -> None:
        super().__init__(f"{field}: {text}")
        self.field = field
        self.text = text


class TooMany(DeskError):
    """More than is taken of one source in so short a time."""

    status = 429

    def __init__(self, text: str, seconds: int) -> None:
        super().__init__(text)
        self.seconds = seconds
        """After which it may be tried again."""
