"""Checkpoints: signed notes as C2SP has them, read exactly or refused."""

from __future__ import annotations

import base64
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from securesystemslib.signer import SSlibKey

from blocklists.errors import BadDocument
from blocklists.log import note
from blocklists.log.merkle import EMPTY
from blocklists.log.note import Checkpoint, NoteSignature
from blocklists.trust.keys import PublicKey, load_key

ORIGIN = "orders.authority.example/2026"
ROOT = bytes(range(32))
CHECKPOINT = Checkpoint(ORIGIN, 20_852_163, ROOT, 1_763_800_000)

# The key pair and the note of Go's golang.org/x/mod/sumdb/note, which C2SP signed-note describes (note_test.go there).
GO_NAME = "PeterNeumann"
GO_SEED = base64.b64decode("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")[1:]
GO_PUBLIC = base64.b64decode("ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")[1:]
GO_TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
GO_LINE = "\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"


def public(octets: bytes) -> PublicKey:
    return load_key({"keytype": "ed25519", "scheme": "ed25519", "keyval": {"public": octets.hex()}}, "a key")


def pair(seed: int) -> tuple[Callable[[bytes], bytes], PublicKey]:
    private = Ed25519PrivateKey.from_private_bytes(seed.to_bytes(32, "big"))
    return private.sign, public(private.public_key().public_bytes_raw())


SIGN, KEY = pair(1)
OTHER_SIGN, OTHER_KEY = pair(2)
NOTE = note.sign_note(CHECKPOINT, SIGN, KEY)


def line(name: str, sign: Callable[[bytes], bytes], key: PublicKey, checkpoint: Checkpoint = CHECKPOINT) -> bytes:
    return NoteSignature(name, note.key_hash(name, key), sign(checkpoint.body())).line().encode()


def test_the_reference_note_has_our_key_hash_our_signature_and_reads_back() -> None:
    key = public(GO_PUBLIC)
    assert note.key_hash(GO_NAME, key).hex() == "c74f20a3"
    private = Ed25519PrivateKey.from_private_bytes(GO_SEED)
    made = NoteSignature(GO_NAME, note.key_hash(GO_NAME, key), private.sign(GO_TEXT.encode()))
    assert made.line() == GO_LINE, "Ed25519 signatures are deterministic"
    assert note.read_note(f"{GO_TEXT}\n{GO_LINE}".encode()) == (GO_TEXT, (made,))
    with pytest.raises(BadDocument, match="not origin, size, root and time"):
        note.parse_note(f"{GO_TEXT}\n{GO_LINE}".encode())


def test_the_form_of_a_checkpoint() -> None:
    text, _, lines = NOTE.decode().partition("\n\n")
    assert text == f"{ORIGIN}\n20852163\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\ntime 1763800000"
    assert lines.startswith(f"\u2014 {ORIGIN} ")
    assert lines.count("\n") == 1
    blob = base64.b64decode(lines.split()[2])
    assert blob[:4] == note.key_hash(ORIGIN, KEY)
    assert len(blob) == 4 + 64
    assert note.verify_note(NOTE, KEY, ORIGIN) == CHECKPOINT


def test_signatures_of_others_are_ignored_wherever_they_stand() -> None:
    body, own = NOTE.split(b"\n\n")
    witness = line("witness.example/w", OTHER_SIGN, OTHER_KEY)
    same_name = line(ORIGIN, OTHER_SIGN, OTHER_KEY)
    same_hash = NoteSignature("other.example", note.key_hash(ORIGIN, KEY), b"x" * 64).line().encode()
    large = NoteSignature("quantum.example", b"1234", b"x" * 5_000).line().encode()
    many = [witness, same_name, same_hash, *[large] * 12]
    assert note.verify_note(body + b"\n\n" + b"".join(many) + own, KEY, ORIGIN) == CHECKPOINT
    assert note.verify_note(body + b"\n\n" + own + b"".join(many), KEY, ORIGIN) == CHECKPOINT
    assert len(note.parse_note(body + b"\n\n" + own + b"".join(many))[1]) == note.MAX_SIGNATURES
    with pytest.raises(BadDocument, match="17 signatures, more than the 16 allowed"):
        note.parse_note(body + b"\n\n" + own + b"".join([*many, witness]))


def test_a_note_is_refused_when_the_logs_key_did_not_sign_it() -> None:
    body, own = NOTE.split(b"\n\n")
    with pytest.raises(BadDocument, match="is not signed by the log's key"):
        note.verify_note(body + b"\n\n" + line(ORIGIN, OTHER_SIGN, OTHER_KEY), KEY, ORIGIN)
    with pytest.raises(BadDocument, match="is not signed by the log's key"):
        note.verify_note(NOTE, OTHER_KEY, ORIGIN)
    forged = NoteSignature(ORIGIN, note.key_hash(ORIGIN, KEY), OTHER_SIGN(CHECKPOINT.body())).line().encode()
    for lines in (forged, forged + own, own + forged):
        with pytest.raises(BadDocument, match=r"has a signature that the log's key .* did not make"):
            note.verify_note(body + b"\n\n" + lines, KEY, ORIGIN)
    with pytest.raises(BadDocument, match=r"is of the log 'orders.authority.example/2026', and ours is 'other.example/log'"):
        note.verify_note(NOTE, KEY, "other.example/log")


def test_one_octet_changed_or_left_out_anywhere_is_refused() -> None:
    for at in range(len(NOTE)):
        for changed in (NOTE[:at] + bytes([NOTE[at] ^ 1]) + NOTE[at + 1 :], NOTE[:at] + NOTE[at + 1 :], NOTE[:at]):
            with pytest.raises(BadDocument):
                note.verify_note(changed, KEY, ORIGIN)
    for more in (b"\n", b" ", b"x", b"\r\n", b"\n\n"):
        with pytest.raises(BadDocument):
            note.verify_note(NOTE + more, KEY, ORIGIN)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (f"{ORIGIN}\n020\n{{root}}\ntime 5\n", "not origin, size, root and time"),
        (f"{ORIGIN}\n+20\n{{root}}\ntime 5\n", "not origin, size, root and time"),
        (f"{ORIGIN}\n\u0662\n{{root}}\ntime 5\n", "not origin, size, root and time"),
        (f"{ORIGIN}\n{2**48 + 1}\n{{root}}\ntime 5\n", "beyond 281474976710656 leaves"),
        (f"{ORIGIN}\n20\n{{root}}\ntime {2**33 + 1}\n", "beyond 281474976710656 leaves or 8589934592 seconds"),
        (f"{ORIGIN}\n20\n{{root}}\ntime 05\n", "not origin, size, root and time"),
        (f"{ORIGIN}\n20\n{{root}}\n5\n", "normal form"),
        (f"{ORIGIN}\n20\n{{root}}\n", "not origin, size, root and time"),
        (f"{ORIGIN}\n20\n{{root}}\ntime 5\nmore\n", "not origin, size, root and time"),
        (f"{ORIGIN}\n20\n{{root}}\n\ntime 5\n", "not origin, size, root and time"),
        (f"{ORIGIN}\n0\n{{root}}\ntime 5\n", "not that of its size"),
        (f"{ORIGIN}\n20\n{{empty}}\ntime 5\n", "not that of its size"),
        (f"{ORIGIN}\n20\n{{short}}\ntime 5\n", "its root is no SHA-256"),
        (f"{ORIGIN}\n20\n{{loose}}\ntime 5\n", "normal form"),
        ("a b\n20\n{root}\ntime 5\n", "a space or a plus"),
        ("a+b\n20\n{root}\ntime 5\n", "a space or a plus"),
        ("a\u00a0b\n20\n{root}\ntime 5\n", "a space or a plus"),
        ("\n20\n{root}\ntime 5\n", "it is empty"),
        (f"{ORIGIN}\r\n20\n{{root}}\ntime 5\n", "control character"),
    ],
)
def test_a_checkpoint_has_one_form(text: str, reason: str) -> None:
    encoded = base64.b64encode(ROOT).decode()
    loose = encoded[:-2] + chr(ord(encoded[-2]) + 1) + "="
    assert base64.b64decode(loose) == ROOT, "another spelling of the same octets"
    filled = text.format(root=encoded, empty=base64.b64encode(EMPTY).decode(), short=encoded[4:], loose=loose).encode()
    data = filled + b"\n" + NoteSignature(ORIGIN, note.key_hash(ORIGIN, KEY), SIGN(filled)).line().encode()
    with pytest.raises(BadDocument, match=reason):
        note.verify_note(data, KEY, ORIGIN)


@pytest.mark.parametrize(
    "broken",
    [
        "- a QUJDREU=",
        "\u2014 a QUJDRA==",
        "\u2014 a QUJDREV=",
        "\u2014 a QUJDREU",
        "\u2014  QUJDREU=",
        "\u2014 a+b QUJDREU=",
        "\u2014 a QUJDREU= ",
        "",
    ],
)
def test_a_line_that_is_no_signature_spoils_the_note(broken: str) -> None:
    with pytest.raises(BadDocument, match=r"which is no signature|no blank line|not origin"):
        note.parse_note(NOTE + broken.encode() + b"\n")


def test_a_note_too_large_is_not_read() -> None:
    with pytest.raises(BadDocument, match="has 131073 octets, more than the 131072 allowed"):
        note.parse_note(b"x" * 131_073)


NAMES = st.text(st.characters(exclude_characters="+", exclude_categories=["Zs", "Zl", "Zp", "Cc", "Cs"]), min_size=1, max_size=20)
CHECKPOINTS = st.builds(
    Checkpoint, NAMES, st.integers(1, 2**48), st.binary(min_size=32, max_size=32).filter(lambda root: root != EMPTY), st.integers(0, 2**33)
) | st.builds(Checkpoint, NAMES, st.just(0), st.just(EMPTY), st.integers(0, 2**33))
SIGNATURES = st.lists(st.builds(NoteSignature, NAMES, st.binary(min_size=4, max_size=4), st.binary(min_size=1, max_size=80)), min_size=1, max_size=16)


def written(checkpoint: Checkpoint, signatures: tuple[NoteSignature, ...]) -> bytes:
    return checkpoint.body() + b"\n" + "".join(each.line() for each in signatures).encode()


@given(CHECKPOINTS, SIGNATURES)
def test_what_was_written_reads_back(checkpoint: Checkpoint, signatures: list[NoteSignature]) -> None:
    assert note.parse_note(written(checkpoint, tuple(signatures))) == (checkpoint, tuple(signatures))


@given(CHECKPOINTS)
def test_what_was_signed_verifies_and_under_no_other_name_or_key(checkpoint: Checkpoint) -> None:
    data = note.sign_note(checkpoint, SIGN, KEY)
    assert note.verify_note(data, KEY, checkpoint.origin) == checkpoint
    for key, origin in ((OTHER_KEY, checkpoint.origin), (KEY, checkpoint.origin + "x")):
        with pytest.raises(BadDocument):
            note.verify_note(data, key, origin)


@given(CHECKPOINTS, SIGNATURES, st.data())
def test_any_bytes_are_exactly_a_note_or_refused(checkpoint: Checkpoint, signatures: list[NoteSignature], data: st.DataObject) -> None:
    """Notes with pieces cut out, doubled and replaced; whatever is accepted is written as it was read."""
    octets = bytearray(written(checkpoint, tuple(signatures)))
    pieces = st.binary(max_size=4) | st.sampled_from([b"\n", b"\n\n", "\u2014 ".encode(), b" ", b"=", b"0", b"+", b"time ", b"\xff"])
    for _ in range(data.draw(st.integers(0, 3))):
        start = data.draw(st.integers(0, len(octets)))
        octets[start : start + data.draw(st.integers(0, 6))] = data.draw(pieces)
    try:
        found = note.parse_note(bytes(octets))
    except BadDocument as error:
        refusal = str(error)
    else:
        assert written(*found) == octets
        return
    assert refusal.startswith(("the note ", "the checkpoint "))
    assert refusal.endswith("; fetch it again, or from another mirror")


@given(st.binary(max_size=200))
def test_any_bytes_at_all_are_a_note_or_refused(data: bytes) -> None:
    try:
        text, signatures = note.read_note(data)
    except BadDocument:
        return
    assert text.encode() + b"\n" + "".join(each.line() for each in signatures).encode() == data


def test_what_nobody_would_believe_is_not_signed() -> None:
    with pytest.raises(BadDocument, match="did not make"):
        note.sign_note(CHECKPOINT, OTHER_SIGN, KEY)
    for broken in (
        CHECKPOINT._replace(origin="a b"),
        CHECKPOINT._replace(root=b"short"),
        CHECKPOINT._replace(size=-1),
        CHECKPOINT._replace(time=2**40),
    ):
        with pytest.raises(BadDocument):
            note.sign_note(broken, SIGN, KEY)


def test_only_an_ed25519_key_signs_checkpoints() -> None:
    document = SSlibKey.from_crypto(ec.generate_private_key(ec.SECP256R1()).public_key()).to_dict()
    with pytest.raises(BadDocument, match="of type ecdsa, and checkpoints are signed with ed25519; make one"):
        note.verify_note(NOTE, load_key(document, "the log's key"), ORIGIN)
