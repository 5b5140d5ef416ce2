"""One entry of the log: what somebody signed, a batch of receipts, or the head of the desk's audit log, with the time at which the log took it.

The bytes of an entry are its canonical JSON; a leaf of the tree is their hash. `logged_at` is the log's word, bound by the tree: it never goes back
from one entry to the next. Three kinds:

    {"envelope":{…},"logged_at":1763800000}                              a directive or a reviewer's decision
    {"logged_at":1763800000,"receipts":"sha256:…","taken":12}            receipts taken since the last such entry: how many, and their tree's root
    {"audit":"sha256:…","lines":1200,"logged_at":1763800000}             the head of the authority's audit log after so many lines, salted and hashed

Only the first kind changes what is in force.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from blocklists.errors import BadDocument
from blocklists.log.tiles import MAX_ENTRY
from blocklists.names import clip
from blocklists.trust import envelope, strict
from blocklists.trust.envelope import DIRECTIVE, REVIEW, Envelope

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class Entry(NamedTuple):
    """One entry; one of `envelope`, `receipts` and `audit` is there."""

    logged_at: int
    """Unix seconds."""
    envelope: Envelope | None = None
    receipts: str = ""
    """`sha256:` and the root (RFC 6962) over the receipts' envelopes in the order taken."""
    taken: int = 0
    audit: str = ""
    """`sha256:` and a digest over a salt and the audit log's last hash: the log's readers cannot try out what the lines say."""
    lines: int = 0
    """Of the audit log so far."""

    def encode(self) -> bytes:
        """Its bytes in the log."""
        if self.envelope is not None:
            document = {"envelope": self.envelope.document(), "logged_at": self.logged_at}
        elif self.audit:
            document = {"audit": self.audit, "lines": self.lines, "logged_at": self.logged_at}
        else:
            document = {"taken": self.taken, "logged_at": self.logged_at, "receipts": self.receipts}
        data = strict.write(document, "the entry")
        if len(data) > MAX_ENTRY:
            raise BadDocument(f"the entry has {len(data)} octets, and {MAX_ENTRY} fit; split the order into several")
        return data


def read(data: bytes, what: str = "the entry") -> Entry:
    """The entry in `data`, its signatures unverified. Raises BadDocument, naming `what`, unless `encode` gives the same bytes again."""
    document = strict.read(data, what, MAX_ENTRY)
    at = document.get("logged_at")
    if not isinstance(at, int) or isinstance(at, bool) or not 0 <= at < 1 << 33:
        raise BadDocument(f"{what} has no time at which it was logged, in unix seconds; the log that gave it is not one of ours")
    if set(document) == {"envelope", "logged_at"}:
        found = envelope.from_document(document["envelope"], what)
        if found.kind not in (DIRECTIVE, REVIEW):
            raise BadDocument(f"{what} holds {found.kind}, which is not logged; the log that gave it is not one of ours")
        return Entry(at, found)
    for number, digest in (("taken", "receipts"), ("lines", "audit")):
        if set(document) == {number, "logged_at", digest} and _counts(document[number]) and _is_digest(document[digest]):
            return Entry(at, **{number: document[number], digest: document[digest]})
    raise BadDocument(f"{what} has the fields {clip(', '.join(sorted(document)))}, as no entry has; the log that gave it is not one of ours")


def _counts(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= strict.MAX_INTEGER


def _is_digest(value: object) -> bool:
    return isinstance(value, str) and _DIGEST.fullmatch(value) is not None
