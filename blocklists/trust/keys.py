"""Public keys as they are believed here: Ed25519, or ECDSA on P-256 for hardware that has no other. Nothing else is a key.

A key's id is computed from the key, never taken on trust, so that one key cannot have two. A key that a small set of messages is always valid for
(a point of small order) is refused, wherever it stands.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from securesystemslib.exceptions import UnverifiedSignatureError, VerificationError
from securesystemslib.signer import Signature, SSlibKey  # type: ignore[attr-defined]

from blocklists.errors import BadDocument
from blocklists.names import clip

SCHEMES = {"ed25519": "ed25519", "ecdsa": "ecdsa-sha2-nistp256"}
"""The one scheme of each key type."""

_P = 2**255 - 19
_D = -121665 * pow(121666, -1, _P) % _P


@dataclass(frozen=True)
class PublicKey:
    """A key that signatures are checked with."""

    keyid: str
    """64 hex digits, computed from the key (securesystemslib's way: SHA-256 over its canonical JSON)."""
    document: dict[str, Any] = field(compare=False)
    """As it is written: keytype, scheme, keyval."""
    _key: SSlibKey = field(compare=False, repr=False)

    def verifies(self, signature: bytes, data: bytes) -> bool:
        """Whether this is its signature over `data`. Never raises."""
        try:
            self._key.verify_signature(Signature(self.keyid, signature.hex()), data)
        except (UnverifiedSignatureError, VerificationError, ValueError, TypeError):
            return False
        return True


def load_key(document: Mapping[str, Any], what: str) -> PublicKey:
    """The key in `{"keytype", "scheme", "keyval": {"public"}}`. Raises BadDocument, naming `what`, for anything else or a weak key."""
    try:
        found = {"keytype": document["keytype"], "scheme": document["scheme"], "keyval": {"public": document["keyval"]["public"]}}
        if found != document or SCHEMES.get(found["keytype"]) != found["scheme"]:
            raise ValueError("it is neither ed25519 nor ecdsa-sha2-nistp256, or has other fields")
        copied = {**found, "keyval": dict(found["keyval"])}
        loaded = SSlibKey.from_crypto(SSlibKey.from_dict("", copied)._crypto_key())
        if loaded.to_dict() != found:
            raise ValueError(f"it is not written in its normal form, which is {loaded.to_dict()}")
    except (KeyError, TypeError, ValueError, AttributeError, UnsupportedAlgorithm) as error:
        raise BadDocument(f"{what} is not a public key we can use ({clip(str(error))}); make one with: redhand authority key") from None
    if found["keytype"] == "ed25519" and _is_small_order(bytes.fromhex(found["keyval"]["public"])):
        raise BadDocument(
            f"{what} is no sound Ed25519 key (of small order, so that anybody could sign, or no point); make one: redhand authority key"
        )
    return PublicKey(loaded.keyid, found, loaded)


def _is_small_order(encoded: bytes) -> bool:
    """Whether eight times the point is the identity (RFC 8032 section 5.1): such a key verifies what nobody signed.

    What is no point at all counts too, and a point written as no sound key is (section 5.1.3): that one would have a second id.
    """
    y = int.from_bytes(encoded, "little") & ((1 << 255) - 1)
    if y >= _P:
        return True
    square = (y * y - 1) * pow(_D * y * y + 1, -1, _P) % _P
    x = pow(square, (_P + 3) // 8, _P)
    if x * x % _P != square:
        x = x * pow(2, (_P - 1) // 4, _P) % _P
    if x * x % _P != square:
        return True
    point = (x, y % _P)
    for _ in range(3):
        point = _double(point)
    return point == (0, 1)


def _double(point: tuple[int, int]) -> tuple[int, int]:
    x, y = point
    product = _D * x * x * y * y % _P
    return 2 * x * y * pow(1 + product, -1, _P) % _P, (y * y + x * x) * pow(1 - product, -1, _P) % _P
