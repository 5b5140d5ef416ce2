"""Orders in the public log that nobody drafted at this desk: keys are in use beside it, and those hear of it who can find out whose.

What the log has before the desk's first look is told in one line of the audit log, and alarms nobody: an authority may be older than its desk.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from authority import orders, repository
from authority.desk import alerts, audit
from authority.desk.desk import Desk
from authority.desk.outbox import hook
from authority.desk.roles import LOG
from authority.desk.tables import Order
from blocklists.directive import Directive
from blocklists.errors import BadDocument
from blocklists.trust.envelope import Envelope

LINES = 50
"""Orders that one message names."""
_log = logging.getLogger("authority.desk")


class Logged(NamedTuple):
    """An order or a reviewer's decision in the log."""

    at: int
    signed: Envelope


def note(session: Session, desk: Desk, logged: Mapping[str, Logged], now: int, *, first: bool) -> int:
    """Alarms those of these entries, by digest, that were not drafted here; how many. `first`: the log is looked at for the first time.

    A line of the audit log for each, and one message to administrators and the reviewer, in the transaction that says how far the log was read.
    """
    ours = set(session.scalars(select(Order.digest).where(Order.digest.in_(logged))))
    unknown = sorted((found for digest, found in logged.items() if digest not in ours), key=lambda found: found.at)
    if not unknown:
        return 0
    if first:
        audit.record(session, LOG, "log.before", "log", now, orders=len(unknown), first=unknown[0].at, last=unknown[-1].at)
        return 0
    lines = [_line(desk, found) for found in unknown]
    for line in lines:
        _log.error("ALARM %(order)s stands in the log as entry %(index)d, signed by %(signed)s, and was not drafted at the desk", line)
        details = {"index": line["index"], "what": line["action"], "signed": line["signed"], "digest": line["digest"]}
        audit.record(session, LOG, "order.beside", f"order:{line['order']}", now, **details)
    said = {"lines": lines[:LINES], "more": max(0, len(lines) - LINES), "url": desk.settings.url}
    alerts.tell(session, desk, "beside", alerts.people(session, ("administrator", "reviewer")), now, None, **said)
    hook(session, desk, "beside", now, None, orders=lines[:LINES])
    return len(unknown)


def _line(desk: Desk, found: Logged) -> dict[str, Any]:
    identity = action = "?"
    try:
        read = orders.read(found.signed, f"entry {found.at}")
        identity, action = read.id, str(read.action if isinstance(read, Directive) else "review")
    except BadDocument:
        _log.error("ALARM entry %d of the log cannot be read", found.at)
    by_key = repository.published(desk.places).policy.at(found.at).by_key
    offices = sorted({by_key.get(keyid, keyid[:16]) for keyid, _ in found.signed.signatures})
    return {"order": identity, "index": found.at, "action": action, "signed": ", ".join(offices), "digest": orders.digest(found.signed)}
