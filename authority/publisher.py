"""Publishing: signed packets become entries of the log and TUF metadata, in an order such that no client ever meets a name of what is not there yet.

    log entries and tiles → checkpoint (target) → its role → targets → snapshot → timestamp.json

Whatever is killed on the way is completed by publishing again, with the same packets or with none: what is there already is found there, the log only
grows, and no version number is used twice. Where keys change, everything online is signed with the old keys and the new before the root that ends the
old ones appears, so that a client meets no gap.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tuf.api.metadata import Metadata, Root

from authority import anchors, batches, metadata, online, orders, packets, repository
from authority.errors import AuthorityError
from authority.judge import Judge, cannot_be_held, lifts
from authority.keys import KeyInMemory
from authority.packets import Packet
from authority.places import STILL, Places
from authority.plan import Plan, Planner
from authority.repository import Repository
from authority.tidying import tidy
from blocklists.durable import explained, replace
from blocklists.log import entry as entries
from blocklists.log.entry import Entry
from blocklists.log.note import Checkpoint, sign_note
from blocklists.log.tree import Tree
from blocklists.trust import envelope
from blocklists.trust.envelope import Envelope
from blocklists.trust.policy import Policy

LOGGED = ("directive", "review")
"""Kinds of packets that become entries."""
FEW = 16
"""Entries that are sooner judged than the whole log is looked through."""
CLOCKS_APART = 300
"""Seconds by which this machine's clock may be behind what was signed last."""
LONG_SECONDS = 30 * 86_400
"""After so long without a signature a person must say that the clock is right: a log that was once dated ahead takes nothing until that day comes."""


@dataclass(frozen=True)
class Logged:
    """An order's place in the log."""

    id: str
    index: int
    digest: str
    """What later orders name it by."""
    held: bool = False
    """Whether operators hold it until a person releases it, because it goes beyond the policy's limits."""
    already: bool = False
    """Whether it was there before."""


@dataclass(frozen=True)
class Published:
    """What is public now."""

    size: int
    """Entries of the log."""
    timestamp: int
    """Version of timestamp.json."""
    root: int
    targets: int
    orders: tuple[Logged, ...] = field(default_factory=tuple)
    """Of the packets given, in their order."""


class Publisher:
    """Publishes from one directory, again and again; it looks each time whether another process has done so meanwhile. One thread at a time."""

    def __init__(self, directory: Path) -> None:
        self.places = Places(directory)
        self.places.require()
        self._tree = Tree(self.places.log)
        self._judge: Judge | None = None
        self._signers: dict[tuple[str, str], KeyInMemory] = {}
        self._present: Repository | None = None
        self._seen = (b"", b"")
        self._room: tuple[tuple[bytes, bytes, int, list[orders.Order]], bool] | None = None
        self._full_at = -1
        """The log's size at which some orders could have been held: looked at once, for whoever asks again waits for the log to be read."""

    def publish(self, found: Iterable[Packet], now: int, *, sure: bool = False) -> Published:
        """Publishes the packets, or without any signs what is there afresh; `now` in unix seconds. It takes along receipts and the audit log's head
        that the log lacks.

        `sure`: a person says that the clock is right, though nothing was signed for LONG_SECONDS.

        Raises AuthorityError, before anything is changed, for a packet that lacks signatures or does not fit what is published; DiskError.
        """
        with self.places.locked():
            self._look()
            self._check_log()
            if not sure:
                self._check_clock(now)
            return self._publish(packets.merged(found), now)

    def unread(self, found: Sequence[Packet] | None = None, now: int = 0) -> int:
        """How many entries of the log must be judged before these packets can be (None: any): none for those that cannot be held, or sign anew.

        `now`: when they are to be published, in unix seconds; without it, just after what was published last.
        """
        self._look()
        present = self._present
        if present is None:
            return 0
        left = self._tree.size - self._whole(present.files, present.root).size
        if not left or found is None:
            return left
        if not any(_blocks(packet) for packet in found):
            return 0
        if any(packet.kind not in LOGGED for packet in found) or self._full_at == self._tree.size:
            return left
        if self._cannot_be_held(_read(found), present.files, present.policy, max(now, self._newest())):
            return 0
        self._full_at = self._tree.size
        return left

    def read_on(self, most: int) -> None:
        """Judges the next `most` of them. Raises StoreError for damage of the log."""
        self._look()
        if self._present is not None:
            self._whole(self._present.files, self._present.root).catch_up(self._tree, most)

    def is_due(self, now: int) -> bool:
        """Whether a publication was cut short, or half of an online role's time is over: publish without packets."""
        self._look()
        if self._present is None:
            return False
        if self._tree.size != self._present.checkpoint.size:
            return True
        roles: tuple[tuple[Metadata[Any], int], ...] = (
            (self._present.timestamp, metadata.TIMESTAMP_DAYS),
            (self._present.snapshot, metadata.SNAPSHOT_DAYS),
            (self._present.checkpoint_role, metadata.SNAPSHOT_DAYS),
        )
        return any(role.signed.expires.timestamp() - now < days * 43_200 for role, days in roles)

    @property
    def present(self) -> Repository | None:
        """What is public; None before the first time."""
        self._look()
        return self._present

    def _look(self) -> None:
        """Reads what another process has changed since, if anything."""
        timestamp, size = self._records()
        newest = self.places.metadata / f"{self._present.root.signed.version + 1 if self._present else 1}.root.json"
        if timestamp != self._seen[0] or not timestamp or newest.exists():
            self._present = repository.load(self.places)
        if size != self._seen[1]:
            self._tree = Tree(self.places.log)
        self._seen = (timestamp, size)

    def _records(self) -> tuple[bytes, bytes]:
        """The two files that change with every publication: the timestamp, and the log's size."""
        found = []
        for path in (self.places.metadata / "timestamp.json", self.places.log / "size"):
            try:
                found.append(path.read_bytes())
            except FileNotFoundError:
                found.append(b"")
            except OSError as error:
                raise AuthorityError(f"{path} cannot be read ({error.strerror}); check its mode") from None
        return found[0], found[1]

    def _check_log(self) -> None:
        """Raises AuthorityError when the log does not go on from the checkpoint signed last: what was added now would be a second log."""
        if self._present is None:
            return
        signed = self._present.checkpoint
        if self._tree.size < signed.size or self._tree.root_at(signed.size) != signed.root:
            raise AuthorityError(
                f"the log in {self.places.log} has {self._tree.size} entries and is not the one of {signed.size} that was signed last: was a part of"
                f" {self.places.directory} put back from a backup? Put the newest log back, from a mirror or an operator; nothing is published"
            )

    # --- deciding

    def _publish(self, found: Sequence[Packet], now: int) -> Published:
        plan = Planner(self.places, self._present, self._tree, now).plan(found)
        signers = self._online(plan)
        now = self._time(now)
        given = [packet for packet in found if packet.kind in LOGGED]
        logged, fresh = self._judged(given, plan, now)
        try:
            self._tree.append(fresh)
            self._write(plan, signers, now)
        except BaseException:
            self._seen = (b"", b"")
            self._tree = Tree(self.places.log)
            self._forget(plan)
            raise
        tidy(self.places, plan, found)
        assert self._present is not None  # noqa: S101 - it was just written
        return Published(
            self._tree.size, self._present.timestamp.signed.version, plan.root.signed.version, plan.targets.signed.version, tuple(logged)
        )

    def _check_clock(self, now: int) -> None:
        last = self._present.checkpoint.time if self._present is not None else now
        if now > last + LONG_SECONDS:
            today, then = (datetime.fromtimestamp(each, UTC).date().isoformat() for each in (now, last))
            raise AuthorityError(
                f"this machine's clock says {today}, and nothing was signed since {then}; set the clock, or, if that is right, say so with:"
                f" redhand authority refresh {self.places.directory} --today {today}"
            )

    def _time(self, now: int) -> int:
        """`now`, or the last checkpoint's time while the clock is a little behind it. Raises AuthorityError when it is far behind."""
        last = self._present.checkpoint.time if self._present is not None else 0
        if now < last - CLOCKS_APART:
            raise AuthorityError(f"this machine's clock says {now}, and what is published was signed at {last} (unix seconds); set the clock")
        return max(now, last)

    def _judged(self, given: Sequence[Packet], plan: Plan, now: int) -> tuple[list[Logged], list[bytes]]:
        """Places of the orders in the log, and the entries to be added for them."""
        now = max(now, self._newest())
        judge = self._whole(plan.files, plan.root)
        read = _read(given)
        if given and self._tree.size - judge.size > FEW and self._cannot_be_held(read, plan.files, plan.policy, now):
            judge = Judge(plan.files, _demonstration(plan.root))  # what lifts waits for nothing, not even for the log to be read
            judge.catch_up_on(self._tree, [order.id for order in read], [order.nonce for order in read if order.nonce])
        elif given:
            judge.catch_up(self._tree)
        logged: list[Logged] = []
        fresh: list[bytes] = []
        try:
            for packet in given:
                digest = orders.digest(packet.envelope)
                if (index := judge.index_of(digest)) is not None:
                    order = orders.read(packet.envelope, "the order")
                    logged.append(Logged(order.id, index, digest, already=index < self._tree.size))
                    continue
                for result in orders.guard(packet.envelope, plan.files):
                    if result.refusal:
                        raise AuthorityError(f"{result.name}: {result.refusal}")
                entry = Entry(now, _counting(packet.envelope, plan))
                verdict = judge.take(entry)
                logged.append(Logged(verdict.id, self._tree.size + len(fresh), digest, verdict.held))
                fresh.append(entry.encode())
            for made in (batches.unlogged(self.places, self._tree, now), anchors.unlogged(self.places, self._tree, now)):
                if made is not None:
                    fresh.append(made.encode())
        except BaseException:
            self._forget(plan)
            raise
        return logged, fresh

    def _cannot_be_held(self, read: list[orders.Order], files: Mapping[str, bytes], rules: Policy, now: int) -> bool:
        """As the judge says; asked the same again at once, it is not counted again."""
        asked = (self._tree.root, files["policy.json"], now, read)
        if self._room is None or self._room[0] != asked:
            self._room = asked, cannot_be_held(read, self._tree, rules, now)
        return self._room[1]

    def _forget(self, plan: Plan) -> None:
        """Begins the judge again when it took what was not logged after all."""
        if self._judge is not None and self._judge.size > self._tree.size:
            self._judge = Judge(plan.files, _demonstration(plan.root), self._judge)

    def _whole(self, files: Mapping[str, bytes], root: Metadata[Root]) -> Judge:
        """The judge of the whole log by these files, as far as it has read."""
        if self._judge is None or not self._judge.follow(files, _demonstration(root)):
            self._judge = Judge(files, _demonstration(root), self._judge)
        return self._judge

    def _newest(self) -> int:
        """When the log took its last entry, in unix seconds; 0 when it has none."""
        size = self._tree.size
        return entries.read(self._tree.entry(size - 1), f"entry {size - 1}").logged_at if size else 0

    # --- writing

    def _online(self, plan: Plan) -> dict[str, list[KeyInMemory]]:
        """Who signs each online role: the keys that count now, and those that will."""
        roots = [plan.root] if self._present is None else [self._present.root, plan.root]
        found = {role: dict.fromkeys(keyid for root in roots for keyid in root.signed.roles[role].keyids) for role in ("snapshot", "timestamp")}
        found["checkpoint"] = dict.fromkeys(metadata.role(plan.targets.signed, metadata.CHECKPOINT).keyids)
        found["log"] = dict.fromkeys([plan.policy.log.key.keyid])
        return {role: [self._signer(role, keyid) for keyid in keyids] for role, keyids in found.items()}

    def _signer(self, role: str, keyid: str) -> KeyInMemory:
        if (role, keyid) not in self._signers:
            self._signers[role, keyid] = online.load(self.places.online, role, keyid)
        return self._signers[role, keyid]

    def _write(self, plan: Plan, signers: dict[str, list[KeyInMemory]], now: int) -> None:
        places = self.places
        log = signers["log"][0]
        note = sign_note(Checkpoint(plan.policy.log.origin, self._tree.size, self._tree.root, now), log.sign, log.key)
        role = metadata.new_checkpoint_role(self._next("checkpoint"), now, note)
        for signer in signers["checkpoint"]:
            metadata.add_signature(role, signer)
        snapshot = metadata.new_snapshot(self._next("snapshot"), now, plan.targets, role)
        for signer in signers["snapshot"]:
            metadata.add_signature(snapshot, signer)
        snapshot_data = metadata.encode(snapshot)
        version = self._present.timestamp.signed.version + 1 if self._present is not None else 1
        timestamp = metadata.new_timestamp(version, now, snapshot.signed.version, snapshot_data)
        for signer in signers["timestamp"]:
            metadata.add_signature(timestamp, signer)
        root = (places.metadata / f"{plan.root.signed.version}.root.json", metadata.encode(plan.root))
        with explained("publishing", STILL + "; publish again to complete it"):
            if plan.new_targets:
                for name, target in plan.targets.signed.targets.items():
                    _write_once(places.targets / metadata.hashed_name(target), plan.files[name])
            (target,) = role.signed.targets.values()
            _write_once(places.targets / metadata.hashed_name(target), note)
            _write_once(places.metadata / f"{role.signed.version}.checkpoint.json", metadata.encode(role))
            if plan.new_targets:
                replace(places.metadata / f"{plan.targets.signed.version}.targets.json", metadata.encode(plan.targets))
            _write_once(places.metadata / f"{snapshot.signed.version}.snapshot.json", snapshot_data)
            replace(places.log / "checkpoint", note)
            if plan.new_root and not plan.seamless:
                _write_once(*root)
            timestamp_data = metadata.encode(timestamp)
            replace(places.metadata / "timestamp.json", timestamp_data)
            if plan.new_root and plan.seamless:
                _write_once(*root)
        self._present = Repository(plan.root, plan.targets, role, snapshot, timestamp, plan.files, note)
        self._seen = self._records()

    def _next(self, role: str) -> int:
        return repository.version_on_disk(self.places, role) + 1


def publish(directory: Path, found: Iterable[Packet], now: int) -> Published:
    """As `Publisher.publish`, once."""
    return Publisher(directory).publish(found, now)


def _read(found: Iterable[Packet]) -> list[orders.Order]:
    return [orders.read(packet.envelope, "the order") for packet in found]


def _blocks(packet: Packet) -> bool:
    return packet.kind == "directive" and not lifts(orders.read(packet.envelope, "the order"))


def _counting(found: Envelope, plan: Plan) -> Envelope:
    """With those signatures alone that are good and an office's: what a stranger has put beside them takes no room from these."""
    good = envelope.signers(found, plan.policy.epochs[-1].keys)
    return found._replace(signatures=tuple(each for each in found.signatures if each[0] in good)) if good else found


def _demonstration(root: Metadata[Root]) -> bool:
    return bool(metadata.ours(root.signed).get("demonstration"))


def _write_once(path: Path, data: bytes) -> None:
    if not path.exists():
        replace(path, data)
