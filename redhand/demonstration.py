"""What the demonstration is to the rest of the program: where it lies, which feed it comes to, and what must never be mixed with it.

Who runs Red Hand without settings is shown what it does: an authority made on this machine, whose keys lie beside it and are nobody's, orders two
invented names to be blocked, and its feed is followed as any other is. `demo_process` makes it and serves it.
"""

from __future__ import annotations

import json
from pathlib import Path

from blocklists import store
from blocklists.errors import RedHandError
from blocklists.names import key, parse
from blocklists.settings import DEMONSTRATION, FeedSettings

NAME = "blocked.redhand.example"
"""A name that the demonstration's orders (blocklists/sample) block, with everything under it."""
OPERATOR = "operator-1"
"""Who we are to the demonstration authority."""
ADDRESS = "127.0.0.1"
MOST_SECONDS = 10
"""Between two looks at a feed on this machine: one that failed, because a start took long, is soon made good."""
WORDS = "orders come from an authority made on this machine, whose keys are nobody's; for real ones, set feed.urls and feed.root"
_MOST = 1 << 20


def is_meant(feed: FeedSettings) -> bool:
    """Whether these settings follow the demonstration."""
    return feed.urls == (DEMONSTRATION,)


def directory(state_dir: Path) -> Path:
    """The demonstration authority's directory, as `redhand authority` takes it."""
    return state_dir / "demo"


def url(state_dir: Path) -> str:
    """Where its feed is served, or was last; empty when it never was."""
    try:
        return (directory(state_dir) / "url").read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def settings(feed: FeedSettings, state_dir: Path, address: str) -> FeedSettings:
    """The settings of an operator who follows the demonstration's feed at `address`."""
    place = directory(state_dir)
    return FeedSettings(
        urls=(address,),
        root=str(place / "root.json"),
        token_file=str(place / "token"),
        poll_seconds=min(feed.poll_seconds, MOST_SECONDS),
        operator=OPERATOR,
        receipt_key=str(place / "receipts.pem"),
    )


def followed(state_dir: Path) -> bool | None:
    """Whether what was verified in a state directory is a demonstration's; None when nothing was ever verified there."""
    try:
        return json.loads((state_dir / "trust" / "authority").read_bytes())["demonstration"] is True
    except (OSError, ValueError, KeyError, TypeError):
        return None


def is_its_root(path: Path) -> bool:
    """Whether a root file is a demonstration authority's. False for one that cannot be read, which others complain of."""
    try:
        with path.open("rb") as file:
            return json.loads(file.read(_MOST))["signed"]["redhand"]["demonstration"] is True
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False


def blocks(state_dir: Path, now: int) -> bool:
    """Whether the list on disk blocks the demonstration's name at `now` (unix seconds)."""
    try:
        return store.open_current(state_dir).index.find(key(parse(NAME)), now) is not None
    except (RedHandError, OSError):
        return False
