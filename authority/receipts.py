"""The authority's book of receipts: each operator's chain, whole, on the disk before it is acknowledged.

    receipts/<operator>/<number>.json   {"at": when it was taken, "envelope": {…}}
    receipts/taken                      a line for each in the order taken: operator, number, its leaf hash (RFC 6962)

A line that was begun and not ended when the machine stopped is cut, and a receipt without a line gets one, when the book is opened. One process
writes (a lock on the directory); others may read.
"""

from __future__ import annotations

import base64
import fcntl
import logging
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from authority.errors import AuthorityError
from authority.keys import Signer
from authority.places import Places
from blocklists import receipt
from blocklists.durable import explained, replace, sync_directory
from blocklists.errors import BadDocument, RedHandError, StoreError
from blocklists.log.merkle import leaf_hash
from blocklists.log.tree import Tree
from blocklists.receipt import Receipt
from blocklists.trust import envelope, strict
from blocklists.trust.envelope import ACKNOWLEDGEMENT, RECEIPT, Envelope
from blocklists.trust.policy import Policy

STILL = "the receipt is not taken, and the operator sends it again"
_LINE = re.compile(rb"([a-z0-9][a-z0-9._-]{0,63}) ([1-9][0-9]{0,15}) ([0-9a-f]{64})\n")
_log = logging.getLogger("authority")


class Refused(RedHandError):
    """A receipt that is not taken."""


class WrongOperator(Refused):
    """It is another's than the one who sends it, or nobody's."""


class OutOfOrder(Refused):
    """It does not follow the last one."""


class Kept(NamedTuple):
    """A receipt in the book."""

    receipt: Receipt
    digest: str
    at: int
    """When it was taken, in unix seconds."""


class Line(NamedTuple):
    """What the order in which receipts were taken says of one."""

    operator: str
    number: int
    leaf: bytes


def directory_of(places: Places) -> Path:
    """The book."""
    return places.directory / "receipts"


def lines(places: Places, start: int = 0) -> Iterator[Line]:
    """Receipts in the order taken, from the one numbered `start` (from 0). Raises StoreError for damage."""
    try:
        with (directory_of(places) / "taken").open("rb") as file:
            for number, line in enumerate(file):
                if number >= start and line.endswith(b"\n"):
                    yield _line(line, number)
    except FileNotFoundError:
        return
    except OSError as error:
        raise StoreError(f"{directory_of(places) / 'taken'} cannot be read ({error.strerror}); mend its owner or mode") from None


def _line(line: bytes, number: int) -> Line:
    match = _LINE.fullmatch(line)
    if match is None:
        raise StoreError(f"line {number + 1} of receipts/taken is not what was written; put the file back from a backup")
    return Line(match[1].decode(), int(match[2]), bytes.fromhex(match[3].decode()))


def path_of(places: Places, operator: str, number: int) -> Path:
    """Where a receipt is kept."""
    return directory_of(places) / operator / f"{number}.json"


def kept(places: Places, operator: str, number: int) -> Kept | None:
    """A receipt in the book; None when it is not there. Raises StoreError for damage."""
    read = _read(path_of(places, operator, number))
    return None if read is None else _kept(*read)


def _kept(at: int, found: Envelope) -> Kept:
    return Kept(receipt.read(found.payload), receipt.digest(found.payload), at)


def _read(path: Path) -> tuple[int, Envelope] | None:
    try:
        document = strict.read(path.read_bytes(), str(path), 2 * envelope.MAX_OCTETS)
        return int(document["at"]), envelope.from_document(document["envelope"], str(path))
    except FileNotFoundError:
        return None
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise StoreError(f"{path} is not the receipt that was written ({error}); put it back from a backup") from None


class Book:
    """The book, open for writing. One thread at a time."""

    def __init__(self, places: Places) -> None:
        """Opens it, and completes what was begun. Raises AuthorityError when another process has it open, StoreError, DiskError."""
        self._places = places
        self._last: dict[str, int] = {}
        directory = directory_of(places)
        with explained(f"opening the book of receipts {directory}", STILL):
            directory.mkdir(mode=0o700, exist_ok=True)
            self._lock = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(self._lock)
                raise AuthorityError(f"{directory} is being written by another process; one server for an authority's directory is enough") from None
            self._taken = os.open(directory / "taken", os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            sync_directory(directory)
            self._cut()
        for line in lines(places):
            self._last[line.operator] = max(self._last.get(line.operator, 0), line.number)
        for each in sorted(path.name for path in directory.iterdir() if path.is_dir()):
            self._complete(each)

    def close(self) -> None:
        """Lets another process write."""
        os.close(self._taken)
        os.close(self._lock)

    def take(self, data: bytes, operator: str, policy: Policy, tree: Callable[[], Tree], now: int) -> tuple[Kept, bool]:
        """Takes the receipt in an envelope that `operator` sent; what is kept of it, and whether it is new. On the disk when this returns.

        Raises BadDocument for what is no receipt, WrongOperator, OutOfOrder, DiskError.
        """
        found = envelope.read(data, "the receipt's envelope")
        made = self._believed(found, operator, policy)
        digest = receipt.digest(found.payload)
        last = self._last.get(operator, 0)
        if made.number <= last:
            there = kept(self._places, operator, made.number)
            if there is None or there.digest != digest:
                raise self._fork(operator, made.number, digest, f"it signed {there.digest if there else 'another'} under the same number")
            return there, False
        if made.number > last + 1:
            raise OutOfOrder(f"the receipt has the number {made.number}, and the last one taken is {last}; send those between first")
        before = kept(self._places, operator, last) if last else None
        if made.previous != (before.digest if before else None):
            raise self._fork(operator, made.number, digest, f"it follows {made.previous}, and receipt {last} is {before.digest if before else None}")
        self._look(made, tree)
        self._write(operator, made.number, found, now)
        return Kept(made, digest, now), True

    def _believed(self, found: Envelope, operator: str, policy: Policy) -> Receipt:
        if found.kind != RECEIPT:
            raise BadDocument(f"the envelope holds {found.kind}, not {RECEIPT}; send receipts here, and nothing else")
        made = receipt.read(found.payload)
        if made.log != policy.log.origin:
            raise BadDocument(f"the receipt is for the log {made.log}, and this is {policy.log.origin}; look at feed.urls")
        if made.operator != operator:
            raise WrongOperator(f"the receipt is of {made.operator}, and the token is {operator}'s; look at feed.operator and feed.token_file")
        registered = policy.operators.get(operator)
        if registered is None:
            raise WrongOperator(f"{operator} is not in the policy's registry of operators; ask the authority to publish its registration")
        if not envelope.signers(found, {registered.key.keyid: registered.key}):
            raise WrongOperator(f"the receipt is not signed by the key registered for {operator}, {registered.key.keyid}; look at feed.receipt_key")
        return made

    def _fork(self, operator: str, number: int, digest: str, why: str) -> OutOfOrder:
        """An operator that signs two chains says different things to different people."""
        _log.error("ALARM receipts of %s fork at number %d: it now sends %s, but %s; ask the operator which is true", operator, number, digest, why)
        return OutOfOrder(f"the receipt {number} is not the one of that chain: {why}; the chain that was begun must go on")

    def _look(self, made: Receipt, tree: Callable[[], Tree]) -> None:
        """Sounds an alarm for a state that our log never had. The receipt is taken all the same: it is the evidence."""
        claimed = made.checkpoint
        if not names_our_log(made, tree()):
            _log.error(
                "ALARM %s has a log of size %d and root %s in force, which this log never had: somebody shows it another one; find out who signed it",
                made.operator, claimed.size, claimed.root,
            )  # fmt: skip

    def _write(self, operator: str, number: int, found: Envelope, now: int) -> None:
        path = path_of(self._places, operator, number)
        with explained(f"writing the receipt {path}", STILL):
            if number == 1:
                path.parent.mkdir(mode=0o700, exist_ok=True)
                sync_directory(path.parent.parent)
            replace(path, strict.write({"at": now, "envelope": found.document()}, "the receipt"))
            self._note(operator, number, found)

    def _note(self, operator: str, number: int, found: Envelope) -> None:
        """The line, whole and on the disk. Raises OSError, with no half of it left."""
        line = f"{operator} {number} {leaf_hash(found.encode()).hex()}\n".encode()
        size = os.fstat(self._taken).st_size
        try:
            if os.write(self._taken, line) != len(line):
                raise OSError(28, "No space left on device")
            os.fsync(self._taken)
        except OSError:
            os.ftruncate(self._taken, size)
            raise
        self._last[operator] = number

    def _cut(self) -> None:
        size = os.fstat(self._taken).st_size
        tail = os.pread(self._taken, 256, max(0, size - 256))
        if tail and not tail.endswith(b"\n"):
            os.ftruncate(self._taken, size - len(tail) + tail.rfind(b"\n") + 1)

    def _complete(self, operator: str) -> None:
        number = self._last.get(operator, 0) + 1
        read = _read(path_of(self._places, operator, number))
        if read is not None:
            with explained("completing the book of receipts", STILL):
                self._note(operator, number, read[1])


def names_our_log(made: Receipt, tree: Tree) -> bool:
    """Whether the state of the log in a receipt is one that the log had."""
    return made.checkpoint.size <= tree.size and tree.root_at(made.checkpoint.size) == base64.b64decode(made.checkpoint.root)


def acknowledgement(taken: Kept, origin: str, log: Signer) -> bytes:
    """The envelope that says the receipt was taken, and when; the same each time, as Ed25519 signatures are."""
    said = receipt.Acknowledgement(type="acknowledgement", version=1, log=origin, receipt=taken.digest, at=taken.at)
    made = Envelope(ACKNOWLEDGEMENT, said.encode())
    return made.with_signature(log.key.keyid, log.sign(made.signed_bytes())).encode()
