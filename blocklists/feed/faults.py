"""What can be wrong with a feed, one class each: it names the alarm, says what is so, and what to do.

Whatever it is, the last verified list stays in force. Two families: a feed that is not there or not fresh (`Stale`) may be nobody's fault and passes;
one that gives what cannot be (`Distrusted`) is broken, attacked or dishonest.
"""

from __future__ import annotations

from typing import ClassVar

from blocklists.errors import FeedError


class Fault(FeedError):
    """One fault of one address, for one alarm."""

    kind: ClassVar[str] = "refused"
    """`feed` and this are the alarm's name."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(f"{what}; {remedy}")
        self.what = what
        self.remedy = remedy


class Stale(Fault):
    """Nothing new can be had, or what is had is no longer vouched for."""


class Away(Stale):
    """Nothing comes, or not in time, or not all of it."""

    kind = "away"

    def __init__(self, what: str, remedy: str, status: int = 0) -> None:
        super().__init__(what, remedy)
        self.status = status
        """The HTTP status that was answered; 0 when none was."""


class Frozen(Stale):
    """What the authority signs again and again to say "this is the newest" is too old."""

    kind = "frozen"


class Expired(Stale):
    """What the authority signs offline has run out."""

    kind = "expired"


class Lagging(Stale):
    """A mirror gives what was the newest some time ago; another one has newer."""

    kind = "lags"


class Distrusted(Fault):
    """What came cannot be what the authority gives out."""


class Refused(Distrusted):
    """A signature, a hash, a form, a size or a key is wrong."""


class RolledBack(Distrusted):
    """Older than what was believed before."""

    kind = "rolled back"

    def __init__(self, what: str, remedy: str, version: int = 0) -> None:
        super().__init__(what, remedy)
        self.version = version
        """What it gives, when that is an earlier version of the whole feed and nothing worse."""


class Forked(Distrusted):
    """Signed, and not a continuation of what was signed before: two histories."""

    kind = "forked"
