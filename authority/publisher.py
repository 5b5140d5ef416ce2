"""Publishing: signed packets become entries of the log and TUF metadata, in an order such that no client ever meets a name of what is not there yet.

    log entries and tiles → checkpoint (target) → its role → targets → snapshot → timestamp.json

Whatever is killed on the way is completed by publishing again, with the same packets or with none: what is there already is found there, the log only
grows, and no version number is used twice. Where keys change, everything online is signed with the old keys and the new before the root that ends the
old ones appears, so that a client meets no gap.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tuf.api.metadata import Metadata, Root, Targets

from authority import checks, metadata, online, orders, packets, repository
from authority.ceremony import ROOT, TARGETS
from authority.errors import AuthorityError
from authority.judge import Judge
from authority.keys import KeyInMemory
from authority.packets import Packet
from authority.places import STILL, Places
from authority.repository import Repository
from blocklists.durable import explained, replace
from blocklists.log.entry import Entry
from blocklists.log.note import Checkpoint, sign_note
from blocklists.log.tree import Tree
from blocklists.trust import policy
from blocklists.trust.policy import Policy

CLOCKS_APART = 300
"""Seconds by which this machine's clock may be behind what was signed last."""
KEPT = 32
"""Snapshots and checkpoints kept behind the newest, for clients that have just been told of one."""


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


@dataclass(frozen=True)
class _Plan:
    """What the offline roles will be."""

    root: Metadata[Root]
    targets: Metadata[Targets]
    files: dict[str, bytes]
    policy: Policy
    new_root: bool
    new_targets: bool


class Publisher:
    """Publishes from one directory, again and again; it looks each time whether another process has done so meanwhile. One thread at a time."""

    def __init__(self, directory: Path) -> None:
        self.places = Places(directory)
        self.places.require()
        self._tree = Tree(self.places.log)
        self._judge: Judge | None = None
        self._signers: dict[tuple[str, str], KeyInMemory] = {}
        self._present: Repository | None = None
        self._seen = b""

    def publish(self, found: Iterable[Packet], now: int) -> Published:
        """Publishes the packets, or without any signs what is there afresh. `now` in unix seconds.

        Raises AuthorityError, before anything is changed, for a packet that lacks signatures or does not fit what is published; DiskError.
        """
        with self.places.locked():
            self._look()
            return self._publish(packets.merged(found), now)

    def is_due(self, now: int) -> bool:
        """Whether half of the timestamp's or another online role's time is over: publish without packets."""
        self._look()
        if self._present is None:
            return False
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
        try:
            seen = (self.places.metadata / "timestamp.json").read_bytes()
        except FileNotFoundError:
            seen = b""
        newest = self.places.metadata / f"{self._present.root.signed.version + 1 if self._present else 1}.root.json"
        if seen != self._seen or not seen or newest.exists():
            self._present = repository.load(self.places)
            self._seen = seen
            tree = Tree(self.places.log)
            if (tree.size, tree.root) != (self._tree.size, self._tree.root):
                self._tree = tree

    # --- deciding

    def _publish(self, found: Sequence[Packet], now: int) -> Published:
        plan = self._plan(found, now)
        signers = self._online(plan)
        now = self._time(now)
        given = [packet for packet in found if packet.kind in ("directive", "review")]
        logged, fresh = self._judged(given, plan, now)
        try:
            self._tree.append(fresh)
            self._write(plan, signers, now)
        except BaseException:
            self._seen, self._judge = b"", None
            self._tree = Tree(self.places.log)
            raise
        self._forget(plan, found)
        assert self._present is not None  # noqa: S101 - it was just written
        return Published(
            self._tree.size, self._present.timestamp.signed.version, plan.root.signed.version, plan.targets.signed.version, tuple(logged)
        )

    def _plan(self, found: Sequence[Packet], now: int) -> _Plan:
        roots = [packet for packet in found if packet.kind == "root"]
        targets = [packet for packet in found if packet.kind == "targets"]
        if len(roots) > 1 or len(targets) > 1:
            raise AuthorityError("several different packets are for one role; publish one of each kind at a time, the older first")
        present = self._present
        if present is None and not (roots and targets):
            raise AuthorityError("nothing is published yet: the first time needs the packets root and targets together")
        root, new_root = self._root(roots[0].tuf, now) if roots else (self._required().root, False)
        if targets:
            packet = targets[0]
            new_targets = self._is_new_targets(packet.tuf, root, now)
            plan = _Plan(root, packet.tuf, dict(packet.files), policy.load(packet.files["policy.json"]), new_root, new_targets)
            if not new_targets:
                plan = _Plan(root, self._required().targets, plan.files, plan.policy, new_root, False)
        else:
            there = self._required()
            plan = _Plan(root, there.targets, there.files, there.policy, new_root, False)
            if new_root:
                _require(root.signed, "targets", plan.targets, "the targets metadata that is published")
        if plan.new_root or plan.new_targets:
            checks.check(plan.root, plan.targets, plan.files)
            if present is not None:
                policy.check_follows(plan.policy, present.policy, self._tree.size)
        return plan

    def _required(self) -> Repository:
        if self._present is None:
            raise AuthorityError("nothing is published yet")
        return self._present

    def _root(self, offered: Metadata[Root], now: int) -> tuple[Metadata[Root], bool]:
        """The root after this, and whether it is new."""
        newest = repository.newest_root(self.places)
        if newest is not None and metadata.signed_bytes(newest) == metadata.signed_bytes(offered):
            return newest, self._present is None
        if newest is not None:
            if offered.signed.version != newest.signed.version + 1:
                raise AuthorityError(
                    f"the root packet is version {offered.signed.version}, and version {newest.signed.version} is published; draft it again"
                )
            _require(newest.signed, "root", offered, "the root packet, by the holders so far,")
        elif offered.signed.version != 1:
            raise AuthorityError(f"the root packet is version {offered.signed.version}, and no root is published; begin with version 1")
        _require(offered.signed, "root", offered, "the root packet")
        self._check_fresh(offered, "the root packet", now)
        if self._present is not None and _origin(offered) != _origin(self._present.root):
            raise AuthorityError(f"the root packet is for the log {_origin(offered)}, and this one is {_origin(self._present.root)}; draft it again")
        return offered, True

    def _is_new_targets(self, offered: Metadata[Targets], root: Metadata[Root], now: int) -> bool:
        present = self._present
        if present is not None and metadata.signed_bytes(present.targets) == metadata.signed_bytes(offered):
            return False
        version = present.targets.signed.version if present is not None else 0
        if offered.signed.version != version + 1:
            raise AuthorityError(f"the targets packet is version {offered.signed.version}, and version {version} is published; draft it again")
        _require(root.signed, "targets", offered, "the targets packet")
        self._check_fresh(offered, "the targets packet", now)
        return True

    def _check_fresh(self, offered: Metadata[Any], what: str, now: int) -> None:
        """It has not expired, and the state of the log that its signers saw is in the log's past."""
        if offered.signed.expires.timestamp() <= now:
            raise AuthorityError(f"{what} expired on {offered.signed.expires:%Y-%m-%d}; draft it again")
        pinned = offered.signed.unrecognized_fields.get(metadata.OURS, {}).get("pinned")
        try:
            size = int(pinned["size"])
            good = pinned == metadata.pinned(size, self._tree.root_at(size))
        except (TypeError, KeyError, ValueError):
            good = False
        if not good:
            raise AuthorityError(f"{what} names a state that this log never had ({pinned}); its signers saw another log: find out why")

    def _time(self, now: int) -> int:
        """`now`, or the last checkpoint's time while the clock is a little behind it. Raises AuthorityError when it is far behind."""
        last = self._present.checkpoint.time if self._present is not None else 0
        if now < last - CLOCKS_APART:
            raise AuthorityError(f"this machine's clock says {now}, and what is published was signed at {last} (unix seconds); set the clock")
        return max(now, last)

    def _judged(self, given: Sequence[Packet], plan: _Plan, now: int) -> tuple[list[Logged], list[bytes]]:
        """Places of the orders in the log, and the entries to be added for them."""
        demonstration = bool(plan.root.signed.unrecognized_fields.get(metadata.OURS, {}).get("demonstration"))
        if self._judge is None or not self._judge.follows(plan.files, demonstration):
            self._judge = Judge(plan.files, demonstration, self._judge)
        self._judge.catch_up(self._tree)
        logged: list[Logged] = []
        fresh: list[bytes] = []
        try:
            for packet in given:
                digest = orders.digest(packet.envelope)
                if (index := self._judge.index_of(digest)) is not None:
                    order = orders.read(packet.envelope, "the order")
                    logged.append(Logged(order.id, index, digest, already=index < self._tree.size))
                    continue
                for result in orders.guard(packet.envelope, plan.files):
                    if result.refusal:
                        raise AuthorityError(f"{result.name}: {result.refusal}")
                entry = Entry(max(now, self._judge.time), packet.envelope)
                verdict = self._judge.take(entry)
                logged.append(Logged(verdict.id, self._tree.size + len(fresh), digest, verdict.held))
                fresh.append(entry.encode())
        except BaseException:
            self._judge = Judge(plan.files, demonstration, self._judge)
            raise
        return logged, fresh

    # --- writing

    def _online(self, plan: _Plan) -> dict[str, list[KeyInMemory]]:
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

    def _write(self, plan: _Plan, signers: dict[str, list[KeyInMemory]], now: int) -> None:
        places = self.places
        log = signers["log"][0]
        note = sign_note(Checkpoint(plan.policy.log.origin, self._tree.size, self._tree.root, now), log.sign, log.key)
        role = metadata.new_checkpoint_role(self._next("checkpoint"), now, note)
        snapshot = metadata.new_snapshot(self._next("snapshot"), now, plan.targets.signed.version, role.signed.version)
        for made, by in ((role, "checkpoint"), (snapshot, "snapshot")):
            for signer in signers[by]:
                metadata.add_signature(made, signer)
        snapshot_data = metadata.encode(snapshot)
        version = self._present.timestamp.signed.version + 1 if self._present is not None else 1
        timestamp = metadata.new_timestamp(version, now, snapshot.signed.version, snapshot_data)
        for signer in signers["timestamp"]:
            metadata.add_signature(timestamp, signer)
        seamless = not plan.new_root or (self._present is not None and not _lacks(self._present.root.signed, "targets", plan.targets))
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
            if plan.new_root and not seamless:
                _write_once(*root)
            timestamp_data = metadata.encode(timestamp)
            replace(places.metadata / "timestamp.json", timestamp_data)
            if plan.new_root and seamless:
                _write_once(*root)
        self._present = Repository(plan.root, plan.targets, role, snapshot, timestamp, plan.files, note)
        self._seen = timestamp_data

    def _next(self, role: str) -> int:
        return repository.version_on_disk(self.places, role) + 1

    def _forget(self, plan: _Plan, found: Sequence[Packet]) -> None:
        """Removes what nobody needs any more: packets that are published, keys that were replaced, metadata long superseded."""
        with explained("tidying up", "all is published"):
            if plan.new_root or plan.new_targets:
                for packet, name in ((packet, name) for packet in found for name in (ROOT, TARGETS)):
                    path = self.places.packets / name
                    if path.exists() and packets.load(path).same == packet.same:
                        path.unlink()
                self._forget_keys(plan)
            for role in ("snapshot", "checkpoint"):
                newest = repository.version_on_disk(self.places, role)
                for path in self.places.metadata.glob(f"*.{role}.json"):
                    number = path.name.split(".")[0]
                    if number.isdigit() and int(number) <= newest - KEPT:
                        self._forget_metadata(path, role)

    def _forget_metadata(self, path: Path, role: str) -> None:
        if role == "checkpoint":
            for target in metadata.parse(path.read_bytes(), Targets, str(path)).signed.targets.values():
                (self.places.targets / metadata.hashed_name(target)).unlink(missing_ok=True)
        path.unlink()

    def _forget_keys(self, plan: _Plan) -> None:
        """Keys of online roles that neither what is published nor what waits for signatures names."""
        named = {role: set(plan.root.signed.roles[role].keyids) for role in ("snapshot", "timestamp")}
        named["checkpoint"] = set(metadata.role(plan.targets.signed, metadata.CHECKPOINT).keyids)
        named["log"] = {plan.policy.log.key.keyid}
        for waiting in (packets.load(path) for path in self.places.packets.glob("*.packet.json")):
            if waiting.kind == "root":
                for role in ("snapshot", "timestamp"):
                    named[role] |= set(waiting.tuf.signed.roles[role].keyids)
            elif waiting.kind == "targets":
                named["checkpoint"] |= set(metadata.role(waiting.tuf.signed, metadata.CHECKPOINT).keyids)
                named["log"].add(policy.load(waiting.files["policy.json"]).log.key.keyid)
        for role, keyids in named.items():
            kept = {online.path_of(self.places.online, role, keyid) for keyid in keyids}
            for path in self.places.online.glob(f"{role}-*.pem"):
                if path not in kept:
                    path.unlink()


def publish(directory: Path, found: Iterable[Packet], now: int) -> Published:
    """As `Publisher.publish`, once."""
    return Publisher(directory).publish(found, now)


def _origin(root: Metadata[Root]) -> object:
    return root.signed.unrecognized_fields.get(metadata.OURS, {}).get("origin")


def _lacks(delegator: Root, role: str, offered: Metadata[Any]) -> int:
    """How many signatures are missing."""
    good, needed = metadata.good(delegator, role, offered)
    return max(0, needed - len(good))


def _require(delegator: Root, role: str, offered: Metadata[Any], what: str) -> None:
    missing = _lacks(delegator, role, offered)
    if missing:
        needed = metadata.role(delegator, role).threshold
        raise AuthorityError(f"{what} needs {needed} signatures of the {role} role and lacks {missing}; pass it to those who have not signed")


def _write_once(path: Path, data: bytes) -> None:
    if not path.exists():
        replace(path, data)
