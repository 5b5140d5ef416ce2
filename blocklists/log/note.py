"""Checkpoints of the log as signed notes (C2SP signed-note and tlog-checkpoint): what the log's tree is, and when it said so. Pure.

    orders.authority.example/2026
    20852163
    CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=
    time 1763800000

    — orders.authority.example/2026 Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=

The log signs with Ed25519 (signature type 1) under its origin's name. Signatures of others, such as witnesses, are read and ignored. A note is
accepted only when writing what was read gives the same bytes again; nothing is believed before `verify_note` has said so.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from hashlib import sha256
from typing import NamedTuple

from blocklists.errors import BadDocument
from blocklists.log.merkle import EMPTY, HASH
from blocklists.names import clip
from blocklists.trust.keys import PublicKey

MAX_OCTETS = 1 << 17
"""Of a note: 16 signatures of 5 kB each, the largest there are, fit."""
MAX_SIGNATURES = 16
"""C2SP signed-note: at least 16 must be accepted."""
MAX_SIZE = 1 << 48
"""Leaves; as many as a policy can name."""
MAX_TIME = 1 << 33
"""Unix seconds, as for entries."""

_ED25519 = b"\x01"
_DASH = "\u2014 "
_NUMBER = re.compile("0|[1-9][0-9]{0,15}")
_MEND = "fetch it again, or from another mirror"


class Checkpoint(NamedTuple):
    """A state of the log: the tree of its first `size` entries."""

    origin: str
    """The log's name."""
    size: int
    root: bytes
    time: int
    """When it was signed, in unix seconds."""

    def body(self) -> bytes:
        """What is signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\ntime {self.time}\n".encode()


class NoteSignature(NamedTuple):
    """One signature line, good or not."""

    name: str
    """Of the key."""
    key_hash: bytes
    """Four octets, by which keys of one name are told apart."""
    signature: bytes

    def line(self) -> str:
        """As it stands in a note."""
        return f"{_DASH}{self.name} {base64.b64encode(self.key_hash + self.signature).decode()}\n"


def key_hash(name: str, key: PublicKey) -> bytes:
    """The four octets that tell the key. Raises BadDocument unless it is an Ed25519 key."""
    if key.document["keytype"] != "ed25519":
        raise BadDocument(
            f"the key {key.keyid} of {clip(name)} is of type {key.document['keytype']}, and checkpoints are signed with ed25519; make one"
        )
    return sha256(name.encode() + b"\n" + _ED25519 + bytes.fromhex(key.document["keyval"]["public"])).digest()[:4]


def read_note(data: bytes) -> tuple[str, tuple[NoteSignature, ...]]:
    """Text and signatures of any signed note. Raises BadDocument unless they make up the same bytes again."""
    if len(data) > MAX_OCTETS:
        raise BadDocument(f"the note has {len(data)} octets, more than the {MAX_OCTETS} allowed; {_MEND}")
    try:
        whole = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadDocument(f"the note is not UTF-8 at octet {error.start}; {_MEND}") from None
    if any(character < " " and character != "\n" for character in whole):
        raise BadDocument(f"the note has a control character; {_MEND}")
    text, found, lines = whole.rpartition("\n\n")
    if not found or not lines.endswith("\n"):
        raise BadDocument(f"the note has no blank line with signature lines after it; {_MEND}")
    signatures = tuple(_signature(line) for line in lines[:-1].split("\n"))
    if len(signatures) > MAX_SIGNATURES:
        raise BadDocument(f"the note has {len(signatures)} signatures, more than the {MAX_SIGNATURES} allowed; {_MEND}")
    return text + "\n", signatures


def _signature(line: str) -> NoteSignature:
    name, _, encoded = line.removeprefix(_DASH).partition(" ")
    try:
        decoded = base64.b64decode(encoded, validate=True)
        found = NoteSignature(name, decoded[:4], decoded[4:])
        if len(decoded) <= 4 or found.line() != line + "\n":
            raise ValueError
        _check_name(name)
    except (ValueError, binascii.Error):
        raise BadDocument(f"the note has the line {clip(line)}, which is no signature; {_MEND}") from None
    return found


def _check_name(name: str) -> None:
    """A key's name, and so the origin of a log (C2SP signed-note)."""
    if not name or "+" in name or any(character.isspace() for character in name):
        raise ValueError("it is empty, or has a space or a plus sign")


def parse_note(data: bytes) -> tuple[Checkpoint, tuple[NoteSignature, ...]]:
    """The checkpoint in a note, unverified, and its signatures. Raises BadDocument unless they make up the same bytes again."""
    text, signatures = read_note(data)
    lines = text.split("\n")
    try:
        origin, size, root, time, _ = lines
        if not _NUMBER.fullmatch(size) or not _NUMBER.fullmatch(time.removeprefix("time ")):
            raise ValueError("the size or the time is no number")
        found = Checkpoint(origin, int(size), base64.b64decode(root, validate=True), int(time.removeprefix("time ")))
        _check(found)
        if found.body() != text.encode():
            raise ValueError("it is not written in its normal form")
    except (ValueError, binascii.Error) as error:
        raise BadDocument(f"the checkpoint is not origin, size, root and time, a line each ({clip(str(error))}); {_MEND}") from None
    return found, signatures


def _check(checkpoint: Checkpoint) -> None:
    _check_name(checkpoint.origin)
    if not 0 <= checkpoint.size <= MAX_SIZE or not 0 <= checkpoint.time <= MAX_TIME:
        raise ValueError(f"its size or time is beyond {MAX_SIZE} leaves or {MAX_TIME} seconds")
    if len(checkpoint.root) != HASH or (checkpoint.size == 0) != (checkpoint.root == EMPTY):
        raise ValueError("its root is no SHA-256, or not that of its size")


def verify_note(data: bytes, key: PublicKey, origin: str) -> Checkpoint:
    """The checkpoint in a note signed by the log's key. Raises BadDocument for another log's, and when a signature of the key is missing or bad."""
    found, signatures = parse_note(data)
    if found.origin != origin:
        raise BadDocument(f"the checkpoint is of the log {clip(found.origin)}, and ours is {clip(origin)}; look at the mirror's address")
    ours = key_hash(origin, key)
    mine = [each.signature for each in signatures if (each.name, each.key_hash) == (origin, ours)]
    if not mine:
        raise BadDocument(f"the checkpoint of {clip(origin)} is not signed by the log's key {key.keyid}; {_MEND}")
    if not all(key.verifies(signature, found.body()) for signature in mine):
        raise BadDocument(f"the checkpoint of {clip(origin)} has a signature that the log's key {key.keyid} did not make; {_MEND}")
    return found


def sign_note(checkpoint: Checkpoint, sign: Callable[[bytes], bytes], key: PublicKey) -> bytes:
    """The note of a checkpoint. Raises BadDocument when it cannot be one, or `sign` does not sign with `key`: nobody would believe it."""
    body = checkpoint.body()
    line = NoteSignature(checkpoint.origin, key_hash(checkpoint.origin, key), sign(body)).line()
    data = body + b"\n" + line.encode()
    verify_note(data, key, checkpoint.origin)
    return data
