"""A small authority for tests: real TUF roles and a real log, all files of its feed in memory, every date and key for a test to choose."""

from __future__ import annotations

import base64
import copy
import json
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from tuf.api.metadata import DelegatedRole, Delegations, Metadata, MetaFile, Role, Root, Signed, Snapshot, TargetFile, Targets, Timestamp

from blocklists.directive import show_time
from blocklists.log import merkle, tiles
from blocklists.log.entry import Entry
from blocklists.log.note import Checkpoint, sign_note
from blocklists.trust import policy, strict
from tests.blocklists.trust import office

DAY = 86_400
SUFFIXES = b"test\nexample\n"
ROLES = ("root", "targets", "snapshot", "timestamp", "checkpoint")


def date(seconds: float) -> datetime:
    return datetime.fromtimestamp(int(seconds), UTC)


def order(identity: str, *names: str, **fields: Any) -> dict[str, Any]:
    """A block in force since yesterday, for a hundred days."""
    now = time.time()
    times = {"issued_at": now - DAY, "effective_at": now - DAY, "expires_at": now + 100 * DAY}
    return office.block(identity, *names, **{**{name: show_time(date(at)) for name, at in times.items()}, **fields})


def withdrawal(before: dict[str, Any]) -> dict[str, Any]:
    return office.follow("withdraw", before, issued_at=show_time(date(time.time() - 60)))


class Authority:
    """`files` is what a mirror serves: content by path. Nothing changes there before `publish`."""

    def __init__(self, *, demonstration: bool = False, seed: str = "", epochs: Iterable[dict[str, Any]] = ()) -> None:
        self.seed = seed
        self.demonstration = demonstration
        self.entries: list[bytes] = []
        self.leaves: list[bytes] = []
        self.versions = dict.fromkeys(ROLES, 0)
        self.expires = {"root": 365 * DAY, "targets": 365 * DAY, "snapshot": 7 * DAY, "timestamp": DAY, "checkpoint": 7 * DAY}
        """Seconds from now, by role."""
        self.epochs = tuple(epochs) or (office.epoch(limits={"names_per_hour": 1_000_000, "names_per_day": 1_000_000}),)
        self.policy = policy.from_document(office.policy_document(*self.epochs))
        self.protected = ["kept.example"]
        self.files: dict[str, bytes] = {}
        self.note = b""
        self.signed: dict[str, Metadata[Any]] = {}
        self.keys: dict[str, str] = {}
        """Names of keys, where they are not the roles' own."""
        self.sign_offline()
        self.publish()

    def fork(self) -> Authority:
        """The same keys and the same past, from now on apart."""
        return copy.deepcopy(self)

    # --- the log

    def log(self, payload: dict[str, Any], names: Iterable[str] = ("n1", "n2"), at: float | None = None) -> None:
        """Takes what these people signed."""
        self.append(Entry(int(at or time.time()), office.sign(payload, *names)).encode())

    def append(self, *entries: bytes) -> None:
        self.entries += entries
        self.leaves += map(merkle.leaf_hash, entries)

    def root_hash(self) -> bytes:
        return merkle.root_of(self.leaves)

    def _log_files(self) -> dict[str, bytes]:
        found = {}
        size = len(self.entries)
        hashes = self.leaves
        for level in range(max(1, tiles.levels(size))):
            for number in range(-(-len(hashes) // tiles.WIDTH)):
                width = tiles.width_of(level, number, size)
                found[f"log/{tiles.tile_path(level, number, width)}"] = b"".join(hashes[number * 256 : number * 256 + width])
                if level == 0:
                    part = self.entries[number * 256 : number * 256 + width]
                    found[f"log/{tiles.bundle_path(number, width)}"] = tiles.write_bundle(part)
            hashes = [merkle.root_of(hashes[at : at + 256]) for at in range(0, len(hashes) // 256 * 256, 256)]
        return found

    # --- metadata

    def key(self, role: str) -> Any:
        return office.signer(f"{self.seed}{role}")

    def _online(self, role: str) -> str:
        return self.keys.get(role, role)

    def _pin(self) -> dict[str, Any]:
        pinned = {"root": base64.b64encode(self.root_hash()).decode(), "size": len(self.entries)}
        return {"pinned": pinned, "origin": office.ORIGIN, **({"demonstration": True} if self.demonstration else {})}

    def sign_offline(self, root: bool = True, signers: Iterable[str] = ("root",), keys: dict[str, str] | None = None, pin: Any = None) -> None:
        """Signs root and targets anew, pinning the log as it is; served by the next `publish`. `keys`: names of keys by role, for a rotation."""
        pin = pin or self._pin()
        by_role = {role: (keys or {}).get(role, role) for role in ROLES}
        if root:
            self.versions["root"] += 1
            public = {role: self.key(by_role[role]).public_key for role in ROLES}
            roles = {role: Role([public[role].keyid], 1) for role in ("root", "targets", "snapshot", "timestamp")}
            named = {public[role].keyid: public[role] for role in roles}
            made = Root(
                self.versions["root"],
                expires=date(time.time() + self.expires["root"]),
                keys=named,
                roles=roles,
                consistent_snapshot=True,
                unrecognized_fields={"redhand": pin},
            )
            self.signed["root"] = self._sign(made, *signers)
        self.versions["targets"] += 1
        content = {
            "policy.json": self.policy.encode(),
            "protected.json": strict.write({"names": self.protected, "type": "protected", "version": 1}),
            "suffixes.dat": SUFFIXES,
        }
        online = self.key(by_role["checkpoint"]).public_key
        delegated = DelegatedRole("checkpoint", [online.keyid], 1, terminating=True, paths=["checkpoint"])
        targets = Targets(
            self.versions["targets"],
            expires=date(time.time() + self.expires["targets"]),
            targets={name: TargetFile.from_data(name, data, ["sha256"]) for name, data in content.items()},
            delegations=Delegations({online.keyid: online}, {"checkpoint": delegated}),
            unrecognized_fields={"redhand": {"pinned": pin["pinned"]}},
        )
        self.signed["targets"] = self._sign(targets, by_role["targets"])
        self._content = content

    def _sign(self, signed: Signed, *names: str) -> Metadata[Any]:
        found: Metadata[Any] = Metadata(signed)
        for name in names:
            found.sign(self.key(name), append=True)
        return found

    def publish(self, at: float | None = None) -> None:
        """Signs the checkpoint, snapshot and timestamp, and serves it all; `at` is the time it takes it to be."""
        now = at or time.time()
        checkpoint = Checkpoint(office.ORIGIN, len(self.entries), self.root_hash(), int(now))
        self.publish_note(sign_note(checkpoint, lambda data: bytes.fromhex(office.signer("log").sign(data).signature), office.key("log")), now)

    def publish_note(self, note: bytes, now: float | None = None) -> None:
        """Publishes this as the checkpoint."""
        self.note, now = note, now or time.time()
        for role in ("checkpoint", "snapshot", "timestamp"):
            self.versions[role] += 1
        expires = {role: date(now + seconds) for role, seconds in self.expires.items()}
        target = TargetFile.from_data("checkpoint", self.note, ["sha256"])
        delegated = Targets(self.versions["checkpoint"], expires=expires["checkpoint"], targets={"checkpoint": target})
        self.signed["checkpoint"] = self._sign(delegated, self._online("checkpoint"))
        meta = {
            f"{role}.json": MetaFile.from_data(self.versions[role], self.signed[role].to_bytes(), ["sha256"]) for role in ("targets", "checkpoint")
        }
        self.signed["snapshot"] = self._sign(Snapshot(self.versions["snapshot"], expires=expires["snapshot"], meta=meta), self._online("snapshot"))
        named = MetaFile.from_data(self.versions["snapshot"], self.signed["snapshot"].to_bytes(), ["sha256"])
        timestamp = Timestamp(self.versions["timestamp"], expires=expires["timestamp"], snapshot_meta=named)
        self.signed["timestamp"] = self._sign(timestamp, self._online("timestamp"))
        self.serve()

    def serve(self) -> None:
        """Puts what is signed among the files; older files stay."""
        new = {f"metadata/{self.versions[role]}.{role}.json": signed.to_bytes() for role, signed in self.signed.items() if role != "timestamp"}
        new["metadata/timestamp.json"] = self.signed["timestamp"].to_bytes()
        for name, data in {**self._content, "checkpoint": self.note}.items():
            new[f"targets/{sha256(data).hexdigest()}.{name}"] = data
        new["log/checkpoint"] = self.note
        self.files = {**self.files, **self._log_files(), **new}

    def root_json(self) -> bytes:
        """What an operator is given: the first root."""
        return self.files["metadata/1.root.json"]


def tampered(data: bytes, change: Any) -> bytes:
    """Signed metadata with something else in it, and the signatures as they were."""
    document = json.loads(data)
    change(document["signed"])
    return json.dumps(document).encode()
