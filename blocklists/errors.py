"""Errors that say whose fault it is.

One base, one class a culprit. Every message names the thing, the value that was met and what to do about it; callers show it as it is.
"""

from __future__ import annotations

REBUILD = "run: redhand blocklist build"
"""The remedy for what is not sound on disk."""


class RedHandError(Exception):
    """Anything Red Hand refuses on purpose."""


class ConfigurationError(RedHandError):
    """The operator's settings are wrong: the message locates and mends them."""


class BadName(RedHandError, ValueError):
    """A text is not a domain name that could be listed or looked up."""


class SourceError(RedHandError):
    """A block-list source is refused whole; the last good version stays in force.

    `withdrawn` are the ids of directives that it legibly withdraws: lifting never waits for the rest of a file to be mended.
    """

    def __init__(self, message: str, withdrawn: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.withdrawn = withdrawn


class FeedError(RedHandError):
    """What the authority's feed, or somebody in its place, gave us is not believed, or nothing came; the last verified list stays in force."""


class BadDocument(FeedError, ValueError):
    """A signed document is not one: not JSON, not in its one form, not what it says it is."""


class StoreError(RedHandError):
    """A version on disk is missing, torn or altered, and is not put in force."""


class DiskError(StoreError):
    """The disk refuses a change. `what` could not be done and why, `remedy` says what to do about it, `still` what holds meanwhile."""

    def __init__(self, what: str, remedy: str, still: str) -> None:
        super().__init__(f"{what}; {remedy}; {still}")
        self.what = what
        self.remedy = remedy


class Busy(RedHandError):
    """Another process holds the state directory's builder lock."""
