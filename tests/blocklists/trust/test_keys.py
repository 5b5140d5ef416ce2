"""Keys: two kinds, one way to write each, none that verifies what nobody signed."""

from __future__ import annotations

import base64
import random
import textwrap
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from securesystemslib.signer import CryptoSigner

from blocklists.errors import BadDocument
from blocklists.trust.keys import load_key
from tests.blocklists.trust import office

P = 2**255 - 19
SMALL = [
    # The eight points of small order, and the other ways to write them (y beyond the field, a sign where x is 0).
    1,
    P - 1,
    0,
    2707385501144840649318225287225658788936804267575313519463743609750303021,
    P - 2707385501144840649318225287225658788936804267575313519463743609750303021,
    P,
    P + 1,
]
BASE = bytes.fromhex("5866666666666666666666666666666666666666666666666666666666666666")


def ed25519(encoded: bytes) -> dict[str, Any]:
    return {"keytype": "ed25519", "scheme": "ed25519", "keyval": {"public": encoded.hex()}}


def ecdsa(pem: str) -> dict[str, Any]:
    return {"keytype": "ecdsa", "scheme": "ecdsa-sha2-nistp256", "keyval": {"public": pem}}


def pem(der: bytes) -> str:
    return f"-----BEGIN PUBLIC KEY-----\n{textwrap.fill(base64.b64encode(der).decode(), 64)}\n-----END PUBLIC KEY-----\n"


@pytest.mark.parametrize("sign", [0, 1])
@pytest.mark.parametrize("y", SMALL)
def test_points_of_small_order_are_no_keys(y: int, sign: int) -> None:
    with pytest.raises(BadDocument, match=r"(?s)small order"):
        load_key(ed25519((y | sign << 255).to_bytes(32, "little")), "the key of officer-1")


def test_small_order_is_why_such_a_key_is_refused() -> None:
    """The library itself believes a signature that nobody made: R = identity, S = 0 under the key of order one."""
    identity = (1).to_bytes(32, "little")
    Ed25519PublicKey.from_public_bytes(identity).verify(identity + bytes(32), b"anything")
    with pytest.raises(BadDocument):
        load_key(ed25519(identity), "a key")


def test_a_sound_point_is_a_key_and_no_point_is_not() -> None:
    assert load_key(ed25519(BASE), "a key").document == ed25519(BASE)
    with pytest.raises(BadDocument):
        load_key(ed25519((2).to_bytes(32, "little")), "a key")


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1(), ec.SECP256K1()])
def test_of_the_curves_only_p_256_is_taken(curve: ec.EllipticCurve) -> None:
    text = ec.generate_private_key(curve).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    if curve.name == "secp256r1":
        assert load_key(ecdsa(text), "a key").document == ecdsa(text)
    else:
        with pytest.raises(BadDocument, match="a key is not a public key we can use"):
            load_key(ecdsa(text), "a key")


def test_one_key_is_written_in_one_way() -> None:
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    text = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    compressed = pem(
        bytes.fromhex("3039301306072a8648ce3d020106082a8648ce3d030107032200") + key.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    )
    assert load_key(ecdsa(text), "a key").document == ecdsa(text)
    for other in (text.replace("\n", "\r\n"), text + "\n", "x\n" + text, compressed, text.rstrip()):
        with pytest.raises(BadDocument, match=r"normal form|deserialize"):
            load_key(ecdsa(other), "a key")
    written = office.public("n1")
    with pytest.raises(BadDocument, match="normal form"):
        load_key(written | {"keyval": {"public": written["keyval"]["public"].upper()}}, "a key")


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        "x",
        {},
        {"keytype": [], "scheme": "ed25519", "keyval": {"public": BASE.hex()}},
        {"keytype": "ed25519", "scheme": "ecdsa-sha2-nistp256", "keyval": {"public": BASE.hex()}},
        {"keytype": "ed25519", "scheme": "ed25519", "keyval": BASE.hex()},
        {"keytype": "ed25519", "scheme": "ed25519", "keyval": {"public": 5}},
        {"keytype": "ed25519", "scheme": "ed25519", "keyval": {"public": BASE.hex(), "x": 1}},
        ed25519(BASE) | {"keyid": "0" * 64},
        ed25519(BASE[:31]),
        ed25519(BASE) | {"keyval": {"public": "\ud800"}},
    ],
)
def test_what_is_not_a_key_is_refused_by_our_own_error(document: Any) -> None:
    with pytest.raises(BadDocument, match=r"^a key is not a public key"):
        load_key(document, "a key")


@pytest.mark.parametrize("key", [rsa.generate_private_key(65537, 1024), ed448.Ed448PrivateKey.generate()])
def test_other_kinds_are_refused(key: rsa.RSAPrivateKey | ed448.Ed448PrivateKey) -> None:
    text = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    with pytest.raises(BadDocument):
        load_key(ecdsa(text), "a key")


def test_a_key_with_some_octets_changed_is_another_key_or_refused() -> None:
    """Octets of the structure around the point too: the library knows more kinds of refusal than one."""
    dice = random.Random(11)
    der = ec.generate_private_key(ec.SECP256R1()).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    whole = load_key(ecdsa(pem(der)), "a key")
    for _ in range(2000):
        changed = bytearray(der)
        changed[dice.randrange(27 if dice.random() < 0.8 else len(der))] = dice.randrange(256)
        try:
            found = load_key(ecdsa(pem(bytes(changed))), "a key")
        except BadDocument:
            continue
        assert (found.keyid == whole.keyid) == (bytes(changed) == der)


HARDWARE = CryptoSigner.generate_ecdsa()


@pytest.mark.parametrize("signer", [office.signer("n1"), HARDWARE], ids=["ed25519", "p-256"])
def test_a_signature_is_good_for_its_key_and_its_bytes_alone(signer: CryptoSigner) -> None:
    key = load_key(signer.public_key.to_dict(), "a key")
    signature = bytes.fromhex(signer.sign(b"order").signature)
    assert key.keyid == signer.public_key.keyid
    assert key.verifies(signature, b"order")
    assert not key.verifies(signature, b"Order")
    assert not office.key("n2").verifies(signature, b"order")


@given(st.binary(max_size=130), st.booleans())
def test_octets_that_nobody_signed_are_no_signature(signature: bytes, hardware: bool) -> None:
    key = load_key(HARDWARE.public_key.to_dict(), "a key") if hardware else office.key("n1")
    assert key.verifies(signature, b"order") is False
