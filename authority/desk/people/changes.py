"""What a proposed document would change of the one in force, line by line. Pure but for the reading of that one."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import cast

from sqlalchemy.orm import Session

from authority.desk.desk import Desk, Kind
from authority.desk.tables import Proposal

MOST_LINES = 2000
MOST_PAIRS = 1_000_000
"""Lines before by lines after, of which the shortest difference is looked for: half a second at the worst."""


def of(desk: Desk, session: Session, proposal: Proposal) -> list[str]:
    """For a document that waits: what would change, line by line; one line more than MOST_LINES when there are more. Else nothing."""
    if proposal.kind != "document" or proposal.decided_at is not None:
        return []
    before, after = desk.document(session, cast(Kind, proposal.body["kind"])).splitlines(), proposal.body["body"].splitlines()
    return [line for _, line in zip(range(MOST_LINES + 1), changed(before, after), strict=False)]


def changed(before: list[str], after: list[str]) -> Iterator[str]:
    """The lines that went, with a minus, and that came, with a plus. The shortest such list where it is soon found: to find it takes a time that
    grows with the square of the lines, and who proposes a long list has chosen them."""
    same = 0
    while same < min(len(before), len(after)) and before[same] == after[same]:
        same += 1
    rest = 0
    while rest < min(len(before), len(after)) - same and before[-1 - rest] == after[-1 - rest]:
        rest += 1
    if (len(before) - same - rest) * (len(after) - same - rest) <= MOST_PAIRS:
        yield from difflib.unified_diff(before, after, "in force", "proposed", lineterm="", n=2)
        return
    yield from (f"-{line}" for line in before[same : len(before) - rest])
    yield from (f"+{line}" for line in after[same : len(after) - rest])
