"""Keys on a hardware token, through its PKCS#11 module: Ed25519 where the token has it, ECDSA on P-256 where it does not.

The private key stays in the token. securesystemslib's HSMSigner knows ECDSA alone, so this is a signer of our own over python-pkcs11.
A key is named by its URI (RFC 7512): `pkcs11:token=TOKEN;object=LABEL?module-path=/usr/lib/…/module.so`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple
from urllib.parse import unquote

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from authority.errors import AuthorityError
from authority.keys import public_of
from blocklists.names import clip
from blocklists.trust.keys import PublicKey

SCHEME = "pkcs11:"
_HELP = "write pkcs11:token=TOKEN;object=LABEL?module-path=/path/of/the/module.so"


class Address(NamedTuple):
    """Where a key is."""

    module: str
    token: str
    label: str


def parse(uri: str) -> Address:
    """The key's place. Raises AuthorityError for a URI that does not name one, or that gives away a PIN."""
    path, _, query = uri.removeprefix(SCHEME).partition("?")
    fields: dict[str, str] = {}
    for part in [*path.split(";"), *query.split("&")] if uri.startswith(SCHEME) else ():
        name, separator, value = part.partition("=")
        if part and (not separator or name in fields or name not in ("token", "object", "module-path")):
            remedy = "leave the PIN out, it is asked for" if name in ("pin-value", "pin-source") else _HELP
            raise AuthorityError(f"{clip(name)} in the key's URI has no use here; {remedy}")
        if part:
            fields[name] = unquote(value)
    if len(fields) != 3 or not all(fields.values()):
        raise AuthorityError(f"{clip(uri)} does not name a key on a token; {_HELP}")
    return Address(fields["module-path"], fields["token"], fields["object"])


class KeyOnToken:
    """Signs with a key that a token keeps. Raises AuthorityError when the token, the key or the PIN is not what was said."""

    def __init__(self, uri: str, pin: bytes | None) -> None:
        self._address = parse(uri)
        self._pin = pin
        self.key = _public(self._address)

    def sign(self, data: bytes) -> bytes:
        """The signature, verified before it is given away."""
        pkcs11 = _library()
        with _session(self._address, (self._pin or b"").decode("utf-8", "replace")) as session:
            private = session.get_key(object_class=pkcs11.ObjectClass.PRIVATE_KEY, label=self._address.label)
            if self.key.document["keytype"] == "ed25519":
                signature = bytes(private.sign(data, mechanism=pkcs11.Mechanism.EDDSA))
            else:
                raw = bytes(private.sign(hashlib.sha256(data).digest(), mechanism=pkcs11.Mechanism.ECDSA))
                half = len(raw) // 2
                signature = encode_dss_signature(int.from_bytes(raw[:half]), int.from_bytes(raw[half:]))
        if not self.key.verifies(signature, data):
            raise AuthorityError(f"the key {clip(self._address.label)} of the token does not belong to its public key; make both anew, as one pair")
        return signature


def _library() -> Any:
    try:
        import pkcs11  # noqa: PLC0415 - an extra that only hardware tokens need
    except ModuleNotFoundError:
        raise AuthorityError("keys on a token need python-pkcs11; install it with: pip install 'redhand[pkcs11]'") from None
    return pkcs11


@contextmanager
def _session(address: Address, pin: str | None) -> Iterator[Any]:
    pkcs11 = _library()
    try:
        token = pkcs11.lib(address.module).get_token(token_label=address.token)
        with token.open(user_pin=pin) as session:
            yield session
    except (pkcs11.PKCS11Error, RuntimeError, OSError) as error:
        reasons = {
            "PinIncorrect": "the PIN is wrong; a token locks itself after a few wrong ones",
            "PinLenRange": "the PIN is missing, or too short or too long",
            "PinLocked": "the PIN is locked; the token's security officer can set a new one",
            "NoSuchToken": "no such token is there; check its label, and that it is plugged in",
            "NoSuchKey": "no key of that label is on it; check the label",
            "MultipleObjectsReturned": "several keys have that label; give the one that is meant a label of its own",
        }
        said = reasons.get(type(error).__name__) or f"{type(error).__name__} {clip(str(error))}: check module-path, token and object"
        raise AuthorityError(f"the key {clip(address.label)} on the token {clip(address.token)}: {said}") from None


def _public(address: Address) -> PublicKey:
    pkcs11 = _library()
    with _session(address, None) as session:
        found = session.get_key(object_class=pkcs11.ObjectClass.PUBLIC_KEY, label=address.label)
        kind, point = found.key_type, bytes(found[pkcs11.Attribute.EC_POINT])
    point = point[2:] if len(point) in (34, 67) else point  # a DER octet string, or the bare point: tokens differ (PKCS#11 3.0, 2.3.3)
    try:
        if kind == pkcs11.KeyType.EC_EDWARDS:
            return public_of(Ed25519PublicKey.from_public_bytes(point))
        return public_of(EllipticCurvePublicKey.from_encoded_point(SECP256R1(), point))
    except ValueError as error:
        raise AuthorityError(
            f"the key {clip(address.label)} on the token {clip(address.token)} is neither Ed25519 nor P-256 ({clip(str(error))}); make one that is"
        ) from None
