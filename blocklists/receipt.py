"""A receipt: an operator's signed word on what it has in force, chained to the one before; and the authority's acknowledgement that it has it.

Pure: who signed which is the caller's matter (`trust.envelope`).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, Field, ValidationError

from blocklists.directive import Digest, Id, Line, Part, Text
from blocklists.errors import BadDocument
from blocklists.log.merkle import HASH
from blocklists.log.note import MAX_SIZE, MAX_TIME
from blocklists.names import clip
from blocklists.trust import strict
from blocklists.trust.policy import Name

MAX_EXCEPTIONS = 1_000


def _root(value: str) -> str:
    try:
        decoded = base64.b64decode(value, validate=True)
    except (ValueError, binascii.Error):
        decoded = b""
    if len(decoded) != HASH or base64.b64encode(decoded).decode() != value:
        raise ValueError("write the root of the log's tree: 32 octets in base64")
    return value


Time = Annotated[int, Field(strict=True, ge=0, le=MAX_TIME)]
"""Unix seconds."""


class State(Part):
    """A state of the log, as its checkpoint says."""

    size: Annotated[int, Field(strict=True, ge=0, le=MAX_SIZE)]
    root: Annotated[str, AfterValidator(_root)]
    time: Time


class Exempt(Part):
    """An order that is in the log and not in force here."""

    id: Id
    what: Literal["held", "refused", "suspended", "skipped"]
    why: Text


class Receipt(Part):
    """What an operator has in force."""

    type: Literal["receipt"]
    version: Literal[1]
    log: Line
    operator: Name
    number: Annotated[int, Field(strict=True, ge=1, le=strict.MAX_INTEGER)]
    """The operator's receipts count from 1 without a gap."""
    previous: Digest | None
    """Digest of its receipt before; null in the first."""
    checkpoint: State
    serial: Annotated[int, Field(strict=True, ge=0, le=strict.MAX_INTEGER)]
    """The version's number on the operator's machine."""
    identity: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    """The version's identity, the same on every machine."""
    exceptions: Annotated[tuple[Exempt, ...], Field(max_length=MAX_EXCEPTIONS)]
    at: Time

    def document(self) -> dict[str, Any]:
        """Its fields as JSON knows them; `read`'s inverse."""
        return self.model_dump(mode="json")

    def encode(self) -> bytes:
        """What is signed."""
        return strict.write(self.document(), "the receipt")


class Acknowledgement(Part):
    """The authority has a receipt since `at`."""

    type: Literal["acknowledgement"]
    version: Literal[1]
    log: Line
    receipt: Digest
    at: Time

    def document(self) -> dict[str, Any]:
        """Its fields as JSON knows them; `read_acknowledgement`'s inverse."""
        return self.model_dump(mode="json")

    def encode(self) -> bytes:
        """What is signed."""
        return strict.write(self.document(), "the acknowledgement")


M = TypeVar("M", Receipt, Acknowledgement)


def digest(payload: bytes) -> str:
    """What a receipt is named by: the digest of what was signed."""
    return "sha256:" + hashlib.sha256(payload).hexdigest()


def read(payload: bytes, what: str = "the receipt") -> Receipt:
    """The receipt in what was signed. Raises BadDocument, naming `what`, unless it is one in its one form."""
    found = _read(payload, Receipt, what)
    if (found.number == 1) != (found.previous is None):
        raise BadDocument(f"{what}: previous: the first receipt follows none, and each later one names the one before; mend and sign it again")
    return found


def read_acknowledgement(payload: bytes, what: str = "the acknowledgement") -> Acknowledgement:
    """As `read`, for the authority's answer."""
    return _read(payload, Acknowledgement, what)


def _read(payload: bytes, model: type[M], what: str) -> M:
    document = strict.read(payload, what, strict.MAX_PAYLOAD)
    try:
        found = model.model_validate(document)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        raise BadDocument(f"{what}: {'.'.join(map(str, fault['loc']))}: {clip(fault['msg'])}; mend it and have it signed again") from None
    if found.document() != document:
        raise BadDocument(f"{what} spells a value otherwise than it is written; mend and sign it again")
    return found
