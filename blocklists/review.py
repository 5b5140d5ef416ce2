"""A reviewer's decision on an order: an entry of its own, because it cannot sit in what was signed before it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ValidationError

from blocklists.directive import Digest, Id, Instant, Line, Nonce, Part, Texts, canonical
from blocklists.errors import BadDocument
from blocklists.names import clip, visible
from blocklists.trust import strict


class Review(Part):
    """One decision. `confirm` lets an emergency order last beyond its 72 hours; `recommend_withdrawal` is on record, and asks the authority."""

    type: Literal["review"]
    version: Literal[1]
    log: Line
    """Origin of the log it was published in."""
    nonce: Nonce
    id: Id
    """The order's public reference."""
    follows: Digest
    """Digest of the directive that was reviewed."""
    decision: Literal["confirm", "recommend_withdrawal"]
    reasons: Texts
    """By language."""
    issued_at: Instant

    def document(self) -> dict[str, Any]:
        """Its fields as JSON knows them; `read`'s inverse."""
        return self.model_dump(mode="json")


def read(payload: bytes, what: str = "the review") -> Review:
    """The review in what was signed. Raises BadDocument, naming `what`, unless it is one in its one form."""
    document = strict.read(payload, what, strict.MAX_PAYLOAD)
    try:
        found = Review.model_validate(document)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        raise BadDocument(f"{what}: {visible('.'.join(map(str, fault['loc'])))}: {clip(fault['msg'])}; mend it and have it signed again") from None
    if canonical(found.document()) != payload:
        raise BadDocument(f"{what} spells a value otherwise than it is written (a time in UTC, a trimmed text); mend and sign it again")
    return found
