"""Private keys: encrypted files and hardware tokens (SoftHSM's), and the files that introduce their public halves."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP384R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as generate_ec
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from authority import hardware, keys, packets
from authority.ceremony import ceremony
from authority.drafts import draft_order
from authority.errors import AuthorityError
from authority.publisher import publish
from authority.spec import from_document
from blocklists.errors import BadDocument, RedHandError
from blocklists.trust import strict
from tests.authority.cast import NOW, Cast, order
from tests.authority.commands import redhand
from tests.tools import require


def test_a_private_key_is_encrypted_its_owners_alone_and_never_overwritten(tmp_path: Path) -> None:
    path, signer = tmp_path / "officer.pem", keys.generate()
    keys.write_private(path, signer, b"correct horse")
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_text().startswith("-----BEGIN ENCRYPTED PRIVATE KEY-----")
    again = keys.read_private(path, b"correct horse")
    assert again.key == signer.key
    assert signer.key.verifies(again.sign(b"data"), b"data")
    with pytest.raises(AuthorityError, match="exists, and a private key is never overwritten"):
        keys.write_private(path, keys.generate(), b"x")
    assert keys.read_private(path, b"correct horse").key == signer.key


@pytest.mark.parametrize(("passphrase", "why"), [(b"wrong", "gives no private key"), (None, "is encrypted: give its passphrase")])
def test_a_wrong_passphrase_is_said(tmp_path: Path, passphrase: bytes | None, why: str) -> None:
    path = tmp_path / "officer.pem"
    keys.write_private(path, keys.generate(), b"right")
    with pytest.raises(AuthorityError, match=why):
        keys.read_private(path, passphrase)


def test_other_files_and_other_kinds_of_keys_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    with pytest.raises(AuthorityError, match="cannot be read"):
        keys.read_private(path, None)
    for private in (generate_rsa(65537, 2048), generate_ec(SECP384R1())):
        path.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        with pytest.raises(AuthorityError, match=r"neither an Ed25519 nor a P-256 key"):
            keys.read_private(path, None)
        with pytest.raises(BadDocument):
            keys.public_of(private.public_key())
    path.write_bytes(b"nothing")
    with pytest.raises(AuthorityError, match="gives no private key"):
        keys.read_private(path, None)


def test_a_public_key_goes_with_its_person(tmp_path: Path) -> None:
    path = tmp_path / "officer.pub.json"
    held = keys.holder(keys.generate().key, "A. Martin")
    path.write_bytes(held.encode())
    assert keys.read_holder(path) == held
    document = strict.read(held.encode().removesuffix(b"\n"), "it", 10_000)
    for change in (
        {"type": "policy"},
        {"person": "two\nlines"},
        {"person": ""},
        {"person": 3},
        {"key": {"keytype": "rsa"}},
        {"key": None},
        {"more": 1},
    ):
        path.write_bytes(strict.write({**document, **change}))
        with pytest.raises(RedHandError):
            keys.read_holder(path)


# --- tokens

PIN = "123456"


@pytest.fixture(scope="module")
def token(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A SoftHSM token of its own, with an Ed25519 key `ed` and a P-256 key `ec`; its URI without the object. The PIN locks nothing here."""
    tool = require("softhsm2-util")
    directory = tmp_path_factory.mktemp("token")
    (directory / "tokens").mkdir()
    configuration = directory / "softhsm2.conf"
    configuration.write_text(f"directories.tokendir = {directory / 'tokens'}\nobjectstore.backend = file\nlog.level = ERROR\n")
    os.environ["SOFTHSM2_CONF"] = str(configuration)
    subprocess.run([tool, "--init-token", "--free", "--label", "red", "--so-pin", "87654321", "--pin", PIN], check=True, capture_output=True)
    module = next(path for path in map(Path, MODULES) if path.exists())
    make = f"""
import pkcs11
from pkcs11 import Attribute, KeyType, Mechanism
from pkcs11.util.ec import encode_named_curve_parameters
from asn1crypto.core import PrintableString
token = pkcs11.lib({str(module)!r}).get_token(token_label="red")
with token.open(rw=True, user_pin={PIN!r}) as session:
    for label, kind, mechanism, parameters in (
        ("ed", KeyType.EC_EDWARDS, Mechanism.EC_EDWARDS_KEY_PAIR_GEN, PrintableString("edwards25519").dump()),
        ("ec", KeyType.EC, Mechanism.EC_KEY_PAIR_GEN, encode_named_curve_parameters("secp256r1")),
        ("p384", KeyType.EC, Mechanism.EC_KEY_PAIR_GEN, encode_named_curve_parameters("secp384r1")),
    ):
        domain = session.create_domain_parameters(kind, {{Attribute.EC_PARAMS: parameters}}, local=True)
        domain.generate_keypair(mechanism=mechanism, label=label, store=True)
"""
    subprocess.run([sys.executable, "-c", make], check=True, capture_output=True, text=True)
    return f"pkcs11:token=red;object={{}}?module-path={module}"


MODULES = ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/softhsm/libsofthsm2.so", "/usr/local/lib/softhsm/libsofthsm2.so")


@pytest.mark.parametrize(("label", "kind"), [("ed", "ed25519"), ("ec", "ecdsa")])
def test_a_token_signs_and_its_key_is_one_of_ours(token: str, label: str, kind: str) -> None:
    signer = hardware.KeyOnToken(token.format(label), PIN.encode())
    assert signer.key.document["keytype"] == kind
    for data in (b"", b"data", bytes(100_000)):
        assert signer.key.verifies(signer.sign(data), data)
    assert not signer.key.verifies(signer.sign(b"data"), b"date")


def test_officers_with_tokens_sign_an_order_that_is_published(token: str, tmp_path: Path) -> None:
    """By the command line: the token's public half is handed over, the order is signed with the PIN; Ed25519 and P-256 count alike."""
    cast, here = Cast(), tmp_path / "authority"
    document = cast.document()
    for office, label in (("north-1", "ed"), ("north-2", "ec")):
        redhand("key", tmp_path / office, "--person", office, "--pkcs11", token.format(label))
        document["officers"][office]["key"] = keys.read_holder(tmp_path / f"{office}.pub.json")
    root, targets = ceremony(here, from_document(document, tmp_path), NOW)
    publish(here, [cast.sign(root, "root-1", "root-2"), cast.sign(targets, "targets-1", "targets-2")], NOW)
    file = tmp_path / "order.packet.json"
    file.write_bytes(draft_order(here, order()).encode())
    with pytest.raises(AuthorityError, match="the PIN is wrong"):
        redhand("sign", file, "--key", token.format("ed"), "--yes-typed", "www.site.test", passphrase="000000")
    for label in ("ed", "ec"):
        redhand("sign", file, "--key", token.format(label), "--yes-typed", "www.site.test", passphrase=PIN)
    assert publish(here, [packets.load(file)], NOW).size == 1


def test_the_public_half_needs_no_pin(token: str) -> None:
    assert hardware.KeyOnToken(token.format("ed"), None).key == hardware.KeyOnToken(token.format("ed"), PIN.encode()).key


def test_what_a_token_refuses_is_said(token: str) -> None:
    with pytest.raises(AuthorityError, match="the PIN is wrong; a token locks itself"):
        hardware.KeyOnToken(token.format("ed"), b"999999").sign(b"data")
    with pytest.raises(AuthorityError, match=r"'none' on the token 'red': no key of that label"):
        hardware.KeyOnToken(token.format("none"), None)
    with pytest.raises(AuthorityError, match="neither Ed25519 nor P-256"):
        hardware.KeyOnToken(token.format("p384"), None)
    with pytest.raises(AuthorityError, match="no such token is there"):
        hardware.KeyOnToken(token.format("ed").replace("token=red", "token=blue"), None)
    with pytest.raises(AuthorityError, match="check module-path, token and object"):
        hardware.KeyOnToken("pkcs11:token=red;object=ed?module-path=/nowhere.so", None)


@pytest.mark.parametrize(
    ("uri", "why"),
    [
        ("pkcs11:token=a", "does not name a key on a token"),
        ("pkcs11:token=a;object=b?module-path=/m.so&pin-value=1", "leave the PIN out, it is asked for"),
        ("pkcs11:token=a;token=b;object=b?module-path=/m.so", "'token' in the key's URI has no use here"),
        ("file:/x", "does not name a key on a token"),
    ],
)
def test_a_uri_that_names_no_key(uri: str, why: str) -> None:
    with pytest.raises(AuthorityError, match=re.escape(why)):
        hardware.parse(uri)


def test_a_uri_is_read_as_rfc_7512_writes_it() -> None:
    assert hardware.parse("pkcs11:object=b%20c;token=a%3b?module-path=/m.so") == hardware.Address("/m.so", "a;", "b c")
