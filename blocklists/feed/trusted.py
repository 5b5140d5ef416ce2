"""What is believed, on disk: the authority's policy, protected names, suffix data, the last checkpoint, and the metadata that vouched for them.

    state_dir/trust/policy.json · protected.json · suffixes.dat · checkpoint · metadata/ · root.json (where trust began) · lock · journal

They change together or not at all: what is new goes into `journal`, one file put there by a rename; only then are the files themselves replaced. Who
is killed in between completes it at the next start. One process at a time changes them: who holds `lock`, which is never held while a server is
waited for. One process at a time asks servers, and adds to the copy of the log: who holds `fetching`.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

from blocklists import durable
from blocklists.errors import BadDocument, Busy, StoreError
from blocklists.feed.metadata import CHECKPOINT, DIRECTORY, POLICY, PROTECTED, SUFFIXES
from blocklists.log.note import Checkpoint, verify_note
from blocklists.trust import policy, strict
from blocklists.trust.policy import Policy

JOURNAL = "journal"
ROOT = "root.json"
MARK = "authority"
"""Whose: `{"demonstration": bool, "origin": text}`."""
_LOOK_SECONDS = 0.02
_METADATA = re.compile(rf"{DIRECTORY}/(?:root_history/)?[A-Za-z0-9_-][A-Za-z0-9._%-]*\.json")


@dataclass(frozen=True)
class Believed:
    """What the list in force is judged by."""

    policy: Policy
    policy_sha256: str
    protected: tuple[str, ...]
    protected_sha256: str
    suffixes: bytes
    suffixes_sha256: str
    checkpoint: Checkpoint
    demonstration: bool

    def digest(self) -> str:
        """Of all that verdicts depend on but the log."""
        return sha256(f"{self.policy_sha256} {self.protected_sha256} {self.suffixes_sha256}".encode()).hexdigest()


def understand(targets: Mapping[str, bytes], demonstration: bool, before: Believed | None = None) -> Believed:
    """The targets as what they are. Raises BadDocument for one that is not; every signature on metadata was verified before, the note's is here.

    What is the same as in `before` is not read again: all but the checkpoint seldom changes, and a policy may be large.
    """
    digests = {name: sha256(targets[name]).hexdigest() for name in (POLICY, PROTECTED, SUFFIXES)}
    if before is not None and (before.policy_sha256, before.protected_sha256, before.suffixes_sha256) == tuple(digests.values()):
        log = before.policy.log
        return replace(before, checkpoint=verify_note(targets[CHECKPOINT], log.key, log.origin), demonstration=demonstration)
    found = policy.load(targets[POLICY])
    checkpoint = verify_note(targets[CHECKPOINT], found.log.key, found.log.origin)
    document = strict.read(targets[PROTECTED], "the list of protected names", 4 << 20)
    names = document.get("names")
    if set(document) != {"names", "type", "version"} or document["type"] != "protected" or not isinstance(names, list):
        raise BadDocument("the list of protected names is not one; the authority must mend and sign it again")
    if not all(isinstance(name, str) for name in names):
        raise BadDocument("the list of protected names holds something else than names; the authority must mend and sign it again")
    return Believed(
        found, digests[POLICY], tuple(names), digests[PROTECTED], targets[SUFFIXES], digests[SUFFIXES], checkpoint, demonstration
    )  # fmt: skip


class Trusted:
    """The trust directory of one state directory."""

    def __init__(self, state_dir: Path) -> None:
        self.directory = state_dir / "trust"

    def locked(self, wait_seconds: float = 0.0) -> AbstractContextManager[None]:
        """The one process that changes what is believed. Raises Busy when another does for longer than `wait_seconds`, and DiskError."""
        return self._alone("lock", wait_seconds)

    def fetching(self, wait_seconds: float = 0.0) -> AbstractContextManager[None]:
        """The one process that asks servers, and adds to the copy of the log. Raises as `locked`; taken before it."""
        return self._alone("fetching", wait_seconds)

    @contextmanager
    def _alone(self, name: str, wait_seconds: float) -> Iterator[None]:
        path = self.directory / name
        with durable.explained(f"preparing {self.directory}"):
            self.directory.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            deadline = time.monotonic() + wait_seconds
            while True:
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() >= deadline:
                        raise Busy(f"{path} is held: another process follows the feed; wait for it, or stop it") from None
                time.sleep(_LOOK_SECONDS)
            yield
        finally:
            os.close(descriptor)

    def stamp(self) -> tuple[int, ...]:
        """Changes whenever another checkpoint or policy is believed, by a few stat calls."""
        found: list[int] = []
        for name in (JOURNAL, CHECKPOINT, POLICY, PROTECTED, SUFFIXES):
            try:
                status = (self.directory / name).stat()
            except OSError:
                found += (0, 0)
            else:
                found += (status.st_ino, status.st_mtime_ns)
        return tuple(found)

    def differing(self, files: Mapping[str, bytes]) -> dict[str, bytes]:
        """Those that stand here otherwise, or not at all."""
        found = {}
        for name, data in files.items():
            try:
                same = (self.directory / name).read_bytes() == data
            except OSError:
                same = False
            if not same:
                found[name] = data
        return found

    def load(self) -> Believed | None:
        """What is believed; None when nothing is yet. Completes what was begun, so to be called under the lock. Raises StoreError."""
        self.spread()
        if not (self.directory / CHECKPOINT).exists():
            return None
        try:
            targets = {name: (self.directory / name).read_bytes() for name in (POLICY, PROTECTED, SUFFIXES, CHECKPOINT)}
            mark = json.loads((self.directory / MARK).read_bytes())
            return understand(targets, mark["demonstration"] is True)
        except (OSError, BadDocument, ValueError, KeyError, TypeError) as error:
            raise StoreError(
                f"what {self.directory} holds cannot be used ({error}); it is fetched and verified again by itself, and the list in force stays"
            ) from None

    def commit(self, files: Mapping[str, bytes]) -> None:
        """These files, by path below the directory, are to be believed from now on, whatever happens. Raises DiskError, and then they are not."""
        content = json.dumps({name: base64.b64encode(data).decode() for name, data in files.items()}).encode()
        with durable.explained(f"writing {self.directory / JOURNAL}"):
            durable.replace(self.directory / JOURNAL, content)

    def spread(self) -> None:
        """Puts what was committed in its places. Raises DiskError, and is completed the next time."""
        journal = self.directory / JOURNAL
        with durable.explained(f"reading {journal}"):
            try:
                files = _in_journal(journal.read_bytes())
            except FileNotFoundError:
                return
        with durable.explained(f"writing in {self.directory}", "it is completed by itself"):
            for name, data in files.items():
                path = self.directory / name
                path.parent.mkdir(parents=True, exist_ok=True)
                durable.replace(path, data)
            journal.unlink()
            durable.sync_directory(self.directory)


def _in_journal(data: bytes) -> dict[str, bytes]:
    """Content by path, of a journal of ours; nothing of another file: ours is whole or not there, and names nothing outside its directory."""
    try:
        found = {str(name): base64.b64decode(content, validate=True) for name, content in json.loads(data).items()}
    except (ValueError, TypeError, AttributeError, RecursionError):
        return {}
    known = (CHECKPOINT, POLICY, PROTECTED, SUFFIXES, MARK, ROOT)
    return found if all(name in known or _METADATA.fullmatch(name) for name in found) else {}
