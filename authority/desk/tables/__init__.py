"""The desk's tables, by room. Times are unix seconds; details and bodies are JSON; what is public, signed or logged elsewhere is only referred to.

`event`, `audit` and `anchor` only grow. Everything a person did stands in both: in its case's timeline, and in the audit log. What operators owe
and did has tables of its own (`enforcement.tables`).
"""

from __future__ import annotations

from authority.desk.tables.base import Base, Name, Seconds, backwards
from authority.desk.tables.cases import Case, CaseName, Clock, Counter, Event
from authority.desk.tables.decided import Document, Proposal
from authority.desk.tables.evidence import Evidence
from authority.desk.tables.log import Anchor, Audit
from authority.desk.tables.messages import Message
from authority.desk.tables.objections import Appeal, ErrorReport, Recommendation
from authority.desk.tables.orders import Order
from authority.desk.tables.people import ApiToken, Grant, Invitation, Person, SignedIn
from authority.desk.tables.referrals import Import, ImportFault, Referral

__all__ = [
    "Anchor",
    "ApiToken",
    "Appeal",
    "Audit",
    "Base",
    "Case",
    "CaseName",
    "Clock",
    "Counter",
    "Document",
    "ErrorReport",
    "Event",
    "Evidence",
    "Grant",
    "Import",
    "ImportFault",
    "Invitation",
    "Message",
    "Name",
    "Order",
    "Person",
    "Proposal",
    "Recommendation",
    "Referral",
    "Seconds",
    "SignedIn",
    "backwards",
]
