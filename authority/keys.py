"""Private keys in encrypted files, and the files that introduce their public halves with the person who holds them.

A signer is whatever has a public key and signs octets; a hardware token's is in `hardware`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple, Protocol

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from securesystemslib.signer import SSlibKey  # type: ignore[attr-defined]

from authority.errors import AuthorityError
from authority.places import STILL, read
from blocklists.durable import explained, sync_directory
from blocklists.errors import BadDocument
from blocklists.names import clip, visible
from blocklists.trust import strict
from blocklists.trust.keys import PublicKey, load_key

MAX_PERSON = 200
MAX_OCTETS = 16_384
"""Of a file that introduces a public key."""


class Signer(Protocol):
    """Signs with a private key that it keeps to itself."""

    @property
    def key(self) -> PublicKey:
        """Its public half."""

    def sign(self, data: bytes) -> bytes:
        """The signature: 64 octets of Ed25519, or ECDSA over SHA-256 in DER."""


class Holder(NamedTuple):
    """A public key, and the person who holds the private one."""

    key: PublicKey
    person: str

    def encode(self) -> bytes:
        """The file that introduces the key to others."""
        return strict.write({"key": self.key.document, "person": self.person, "type": "key", "version": 1}, "the public key") + b"\n"


class KeyInMemory:
    """Signs with a key that this process holds."""

    def __init__(self, private: Ed25519PrivateKey | EllipticCurvePrivateKey) -> None:
        self._private = private
        self.key = public_of(private.public_key())

    def sign(self, data: bytes) -> bytes:
        if isinstance(self._private, Ed25519PrivateKey):
            return self._private.sign(data)
        return self._private.sign(data, ECDSA(SHA256()))

    def pem(self, passphrase: bytes | None) -> bytes:
        """As a file: PKCS#8, encrypted under the passphrase unless it is None."""
        encryption: KeySerializationEncryption = NoEncryption() if passphrase is None else BestAvailableEncryption(passphrase)
        return self._private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


def public_of(public: object) -> PublicKey:
    """What `cryptography` calls a public key, as ours. Raises BadDocument for one we do not use."""
    try:
        document = SSlibKey.from_crypto(public).to_dict()  # type: ignore[arg-type]
    except (ValueError, TypeError) as error:
        raise BadDocument(f"the key is of a kind we do not use ({clip(str(error))}); make an Ed25519 or a P-256 key") from None
    return load_key(document, "the key")


def generate() -> KeyInMemory:
    """A new Ed25519 key."""
    return KeyInMemory(Ed25519PrivateKey.generate())


def write_private(path: Path, signer: KeyInMemory, passphrase: bytes | None) -> None:
    """Puts a key into a new file that its owner alone may read. Raises AuthorityError when there is a file already, DiskError."""
    with explained(f"writing the private key {path}", STILL):
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except FileExistsError:
            raise AuthorityError(f"{path} exists, and a private key is never overwritten; give another name, or move that file away") from None
        with open(descriptor, "wb") as file:
            file.write(signer.pem(passphrase))
            file.flush()
            os.fsync(descriptor)
        sync_directory(path.parent)


def is_encrypted(path: Path) -> bool:
    """Whether a private key's file takes a passphrase. Raises AuthorityError when it cannot be read."""
    return b"ENCRYPTED" in read(path, "the private key")


def read_private(path: Path, passphrase: bytes | None) -> KeyInMemory:
    """The key in a PEM file. Raises AuthorityError for a wrong passphrase or another kind of file."""
    data = read(path, "the private key")
    try:
        private = load_pem_private_key(data, passphrase)
    except TypeError:
        said = "is encrypted: give its passphrase" if passphrase is None else "is not encrypted, so it takes no passphrase: encrypt it"
        raise AuthorityError(f"{path} {said}") from None
    except (ValueError, UnsupportedAlgorithm) as error:
        raise AuthorityError(f"{path} gives no private key ({clip(str(error))}); check the passphrase, and that it is a PEM file") from None
    if isinstance(private, Ed25519PrivateKey) or (isinstance(private, EllipticCurvePrivateKey) and isinstance(private.curve, SECP256R1)):
        return KeyInMemory(private)
    raise AuthorityError(f"{path} holds neither an Ed25519 nor a P-256 key; make one with: redhand authority key")


def holder(key: PublicKey, person: str) -> Holder:
    """The key and its holder. Raises AuthorityError for a name that cannot be printed on a line."""
    if not person.strip() or person != visible(person.strip()) or len(person) > MAX_PERSON:
        raise AuthorityError(f"{clip(person)!r} is not the name of a person; write a name or service number of at most {MAX_PERSON} characters")
    return Holder(key, person)


def read_holder(path: Path) -> Holder:
    """The public key in a file that `Holder.encode` wrote. Raises AuthorityError, BadDocument."""
    document = strict.read(read(path, "the public key").removesuffix(b"\n"), str(path), MAX_OCTETS)
    if set(document) != {"key", "person", "type", "version"} or document["type"] != "key" or document["version"] != 1:
        raise AuthorityError(f"{path} does not introduce a public key; take the .pub.json file that `redhand authority key` wrote")
    if not isinstance(document["key"], dict) or not isinstance(document["person"], str):
        raise AuthorityError(f"{path} names no key or no person; take the .pub.json file that `redhand authority key` wrote")
    return holder(load_key(document["key"], str(path)), document["person"])
