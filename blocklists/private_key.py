"""The private key in a PEM file that an operator signs receipts with: Ed25519, or ECDSA on P-256. The authority knows its public half."""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from securesystemslib.signer import SSlibKey  # type: ignore[attr-defined]

from blocklists import durable
from blocklists.errors import ConfigurationError
from blocklists.names import clip
from blocklists.trust import strict
from blocklists.trust.keys import PublicKey, load_key

MAKE = "make one with: redhand receipts key FILE.pem"


class PrivateKey:
    """Signs, and says what it is verified with."""

    def __init__(self, private: Ed25519PrivateKey | EllipticCurvePrivateKey) -> None:
        self._private = private
        self.key: PublicKey = load_key(SSlibKey.from_crypto(private.public_key()).to_dict(), "the receipt key")

    def sign(self, data: bytes) -> bytes:
        """The signature: 64 octets, or ECDSA over SHA-256 in DER."""
        if isinstance(self._private, Ed25519PrivateKey):
            return self._private.sign(data)
        return self._private.sign(data, ECDSA(SHA256()))

    def introduction(self, person: str) -> str:
        """A line that gives the public half to the authority, as its key ceremony takes it (a .pub.json file)."""
        return strict.write({"key": self.key.document, "person": person, "type": "key", "version": 1}, "the public key").decode()


def load(path: Path) -> PrivateKey:
    """The key in a PEM file without a passphrase. Raises ConfigurationError."""
    try:
        private = load_pem_private_key(path.read_bytes(), None)
    except OSError as error:
        raise ConfigurationError(f"feed.receipt_key: {path} cannot be read ({error.strerror}); mend its path, owner or mode, or {MAKE}") from None
    except TypeError:
        raise ConfigurationError(f"feed.receipt_key: {path} needs a passphrase, and nobody is there to type one; keep it without, mode 600") from None
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ConfigurationError(f"feed.receipt_key: {path} holds no private key ({clip(str(error))}); {MAKE}") from None
    if isinstance(private, Ed25519PrivateKey) or (isinstance(private, EllipticCurvePrivateKey) and isinstance(private.curve, SECP256R1)):
        return PrivateKey(private)
    raise ConfigurationError(f"feed.receipt_key: {path} holds neither an Ed25519 nor a P-256 key; {MAKE}")


def make(path: Path) -> PrivateKey:
    """A new key in a new file that its owner alone may read. Raises ConfigurationError when there is a file already, DiskError."""
    private = Ed25519PrivateKey.generate()
    with durable.explained(f"writing the receipt key {path}", "no key was made"):
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except FileExistsError:
            raise ConfigurationError(f"{path} exists, and a private key is never overwritten; give another name, or move that file away") from None
        with open(descriptor, "wb") as file:
            file.write(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
            file.flush()
            os.fsync(descriptor)
        durable.sync_directory(path.absolute().parent)
    return PrivateKey(private)
