"""A DSSE envelope: a payload, what kind it is, and signatures over both (the Dead Simple Signing Envelope, version 1).

Reading never believes: `read` only says what is in the bytes. `signers` says whose signatures are good, among the keys given. Who those are, and
how many there must be, is `policy`.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from blocklists.errors import BadDocument
from blocklists.names import clip
from blocklists.trust import strict
from blocklists.trust.keys import PublicKey

MAX_OCTETS = 65_000
"""Of an envelope: an entry of the log that holds one must fit 65,535 (C2SP tlog-tiles)."""
MAX_SIGNATURES = 16
MAX_SIGNATURE = 128
"""Octets of one signature; Ed25519 has 64, P-256 up to 72."""

DIRECTIVE = "application/vnd.redhand.directive+json"
REVIEW = "application/vnd.redhand.review+json"
RECEIPT = "application/vnd.redhand.receipt+json"
ACKNOWLEDGEMENT = "application/vnd.redhand.acknowledgement+json"
OUTCOMES = "application/vnd.redhand.outcomes+json"
KINDS = (DIRECTIVE, REVIEW, RECEIPT, ACKNOWLEDGEMENT, OUTCOMES)


class Envelope(NamedTuple):
    """What was signed, and the signatures as they stand there, good or not."""

    kind: str
    """The payload's media type, which is signed too."""
    payload: bytes
    signatures: tuple[tuple[str, bytes], ...] = ()
    """Key id and signature of each, sorted by key id; no id twice."""

    def signed_bytes(self) -> bytes:
        """What a signature is made over (DSSE's PAE)."""
        kind = self.kind.encode()
        return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(self.payload), self.payload)

    def with_signature(self, keyid: str, signature: bytes) -> Envelope:
        """The same with this key's signature, in place of an earlier one of its."""
        return self._replace(signatures=tuple(sorted({**dict(self.signatures), keyid: signature}.items())))

    def document(self) -> dict[str, Any]:
        """As JSON knows it."""
        return {
            "payload": base64.b64encode(self.payload).decode(),
            "payloadType": self.kind,
            "signatures": [{"keyid": keyid, "sig": base64.b64encode(signature).decode()} for keyid, signature in self.signatures],
        }

    def encode(self) -> bytes:
        """Its one form. Raises BadDocument when it is too large to be logged."""
        data = strict.write(self.document(), "the envelope")
        if len(data) > MAX_OCTETS:
            raise BadDocument(f"the signed order has {len(data)} octets, and {MAX_OCTETS} fit into an entry of the log; split it into several orders")
        return data


def read(data: bytes, what: str = "the envelope", kinds: Sequence[str] = KINDS) -> Envelope:
    """The envelope in `data`, of one of these kinds, signatures unverified.

    Raises BadDocument, naming `what`, unless `encode` gives the same bytes again.
    """
    return from_document(strict.read(data, what, MAX_OCTETS), what, kinds)


def from_document(document: Any, what: str = "the envelope", kinds: Sequence[str] = KINDS) -> Envelope:
    """As `read`, from what JSON gave."""
    try:
        if set(document) != {"payload", "payloadType", "signatures"} or document["payloadType"] not in kinds:
            raise ValueError(f"it has the fields {', '.join(sorted(map(str, document)))}, or its payloadType is none of ours")
        signatures = [(str(each["keyid"]), base64.b64decode(each["sig"], validate=True)) for each in document["signatures"]]
        found = Envelope(document["payloadType"], base64.b64decode(document["payload"], validate=True), tuple(signatures))
        if len(signatures) > MAX_SIGNATURES or any(len(signature) > MAX_SIGNATURE for _, signature in signatures):
            raise ValueError(f"it has more than {MAX_SIGNATURES} signatures, or one of more than {MAX_SIGNATURE} octets")
        if [keyid for keyid, _ in signatures] != sorted({keyid for keyid, _ in signatures}):
            raise ValueError("its signatures are not sorted by key id, or one key id stands there twice")
        if found.document() != document:
            raise ValueError("it is not written in its normal form")
    except (TypeError, KeyError, ValueError, binascii.Error) as error:
        raise BadDocument(f"{what} is not a DSSE envelope of ours ({clip(str(error))}); ask whoever wrote it for a sound copy") from None
    return found


def signers(envelope: Envelope, keys: Mapping[str, PublicKey]) -> frozenset[str]:
    """The ids of the keys, among `keys` by id, whose signature in the envelope is good."""
    data = envelope.signed_bytes()
    return frozenset(keyid for keyid, signature in envelope.signatures if (key := keys.get(keyid)) is not None and key.verifies(signature, data))
