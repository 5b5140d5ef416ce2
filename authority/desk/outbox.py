"""The outbox: a message is a row of the transaction that it belongs to; `mail` sends it afterwards."""

from __future__ import annotations

import json
import secrets
from email.errors import MessageError
from email.headerregistry import Address
from typing import Any, NamedTuple

from sqlalchemy.orm import Session

from authority.desk.desk import Desk
from authority.desk.errors import BadField
from authority.desk.tables import Case, Message
from blocklists import names
from blocklists.errors import BadName

FIRST_AGAIN = 30
"""Seconds until what failed is tried again; twice as long each time."""
LAST_AGAIN = 3600
BY_HAND = 1 << 52
"""When a message is tried again that is a file now, and waits until a person says that it was posted (`delivery.posted`): never."""
OUTSIDE = frozenset({"removal_request", "owner_block", "owner_amend", "owner_suspend", "owner_lift", "appeal_filed", "appeal_decided"})
"""Kinds that go to people outside the house: as a file, each has yet to be posted. A file for people of the house is all there is."""


class Sent(NamedTuple):
    """What became of one message."""

    done: bool
    proof: str
    """What the mail server answered, the file it became, or why it failed."""
    for_good: bool = False
    """Whether trying again is in vain."""
    by_hand: bool = False
    """Whether a person must post it now."""


def address(text: str, field: str = "recipient") -> str:
    """A mail address as it is kept: one, in ASCII, its domain in A-labels. Raises BadField."""
    text = text.strip()
    local, _, domain = text.rpartition("@")
    try:
        made = Address(username=local, domain=names.to_text(names.listed(domain))).addr_spec if "." in domain else ""
    except (ValueError, IndexError, MessageError, BadName):
        made = ""
    if not local or not made.isascii() or not 0 < len(made) <= 254 or any(each in made for each in "\r\n\0<>, \\"):
        raise BadField(field, f"{text[:80]!r} is no mail address; write one, such as abuse@host.example")
    return made


def post(
    session: Session, desk: Desk, kind: str, recipient: str, subject: str, body: str, now: int, *, case: Case | None = None, channel: str = "mail"
) -> Message:
    """Will send a message once the transaction is committed."""
    domain = desk.settings.mail.sender.rpartition("@")[2] or "desk.invalid"
    message = Message(
        case_id=case.id if case else None,
        kind=kind,
        channel=channel,
        recipient=address(recipient) if channel == "mail" else recipient,
        subject=subject,
        body=body,
        identity=f"<{secrets.token_hex(16)}@{domain[:80]}>",
        made_at=now,
        again_at=now,
        tries=0,
        proof="",
    )
    session.add(message)
    session.flush()
    return message


def hook(session: Session, desk: Desk, kind: str, now: int, case: Case | None = None, /, **said: Any) -> None:
    """Will run the house's own program, `desk.hook`, with this as JSON on its standard input; without one, nothing."""
    if desk.settings.hook:
        body = json.dumps({"kind": kind, "at": now, **said}, ensure_ascii=False, sort_keys=True)
        post(session, desk, kind, "hook", "", body, now, case=case, channel="hook")


def again_after(tries: int) -> int:
    """Seconds until a message that failed so often is tried again."""
    return int(min(LAST_AGAIN, FIRST_AGAIN * 2 ** min(tries - 1, 10)))
