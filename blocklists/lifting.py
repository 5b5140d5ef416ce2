"""A lift: what one signed document ends, out of force at once, whether or not a feed, a builder or anybody else runs.

Whoever calls this has verified the document. It is recorded with the version, so that neither a transcription, nor a build, nor a feed that has not
heard of it yet puts the order back: a withdrawal for ever, a suspension until it ends.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Literal

from blocklists import store
from blocklists.builder import Built, built
from blocklists.directive import SUSPENSION_SECONDS
from blocklists.errors import StoreError
from blocklists.standing import Lifts, standing
from blocklists.succession import Next, Place, carried
from blocklists.version import LAYERS, Layer, entries_of


def lift(
    state_dir: Path, identifier: str, kind: Literal["withdraw", "suspend"], as_of: int, keep: int, starts: int | None = None, ends: int | None = None
) -> Built:
    """Puts a version in force without that id's lines, or with `starts` to `ends` (unix seconds) taken out of their stretches.

    A suspension begins at `as_of`, the agreed time, and lasts as long as one may, unless it says otherwise. No build is waited for, no source
    read.
    `keep`: as `blocklists.keep_versions`. Raises StoreError when the disk refuses or nothing on it is sound.
    """
    started = time.monotonic()
    begins = as_of if starts is None else starts
    over = begins + SUSPENSION_SECONDS if ends is None else min(ends, begins + SUSPENSION_SECONDS)
    place = Place(state_dir, keep)

    def compose(previous: store.Version | None) -> Next:
        if previous is None and place.alarms:
            raise StoreError(f"{place.alarms[0]}; lift it once that is done")
        facts = carried(previous)
        lifts = Lifts.of(facts)
        lifts = lifts.withdraw([identifier]) if kind == "withdraw" else lifts.suspend(identifier, begins, over)
        lines, known = [], {}
        for layer in LAYERS if previous is not None else ():
            assert previous is not None  # noqa: S101 - for the type checker
            stood = previous.layer(layer)
            left = standing(stood, lifts, as_of)
            lines += left
            if left == stood:
                known[layer] = Layer(**previous.manifest["layers"][layer])
        entries = entries_of(lines, known)
        news = {"lifted": lifts.record(as_of), "as_of": as_of}
        changed = previous is None or previous.identity != entries.identity or facts["lifted"] != news["lifted"]
        return Next(entries, {**facts, **news}, changed, urgent=True)

    return built(place.advance(compose), place.alarms, started)
