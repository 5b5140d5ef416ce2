"""What an authority has published, as it stands on its disk: the newest root, and what timestamp.json leads to. Reads only."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from tuf.api.metadata import Metadata, Root, Snapshot, Targets, Timestamp

from authority import metadata
from authority.errors import AuthorityError
from authority.places import Places, read
from blocklists.log.note import Checkpoint, verify_note
from blocklists.trust import policy
from blocklists.trust.policy import Policy


@dataclass(frozen=True)
class Repository:
    """One published state."""

    root: Metadata[Root]
    targets: Metadata[Targets]
    checkpoint_role: Metadata[Targets]
    snapshot: Metadata[Snapshot]
    timestamp: Metadata[Timestamp]
    files: dict[str, bytes]
    """policy.json, protected.json, suffixes.dat."""
    note: bytes
    """The signed checkpoint."""

    @cached_property
    def policy(self) -> Policy:
        """The policy in force."""
        return policy.load(self.files["policy.json"])

    @cached_property
    def checkpoint(self) -> Checkpoint:
        """The state of the log that clients are given."""
        return verify_note(self.note, self.policy.log.key, self.policy.log.origin)


def newest_root(places: Places) -> Metadata[Root] | None:
    """The last root of the chain that begins with 1.root.json; None before the first."""
    version = 0
    while (places.metadata / f"{version + 1}.root.json").exists():
        version += 1
    path = places.metadata / f"{version}.root.json"
    return metadata.parse(read(path, "the root"), Root, str(path)) if version else None


def load(places: Places) -> Repository | None:
    """What is published; None before the first time. Raises AuthorityError naming what is missing or damaged."""
    if not (places.metadata / "timestamp.json").exists():
        return None
    root = newest_root(places)
    if root is None:
        raise AuthorityError(f"{places.metadata} has a timestamp and no root; put the files back from a mirror")
    timestamp = metadata.parse(read(places.metadata / "timestamp.json", "the timestamp"), Timestamp, "the timestamp")
    path = places.metadata / f"{timestamp.signed.snapshot_meta.version}.snapshot.json"
    snapshot = metadata.parse(read(path, "the snapshot"), Snapshot, str(path))
    named: dict[str, Metadata[Targets]] = {}
    for role in ("targets", metadata.CHECKPOINT):
        try:
            path = places.metadata / f"{snapshot.signed.meta[f'{role}.json'].version}.{role}.json"
        except KeyError:
            raise AuthorityError(f"{path} does not name {role}.json; put the file back from a mirror") from None
        named[role] = metadata.parse(read(path, f"the {role} metadata"), Targets, str(path))
    contents: dict[str, bytes] = {}
    for signed in named.values():
        for name, target in signed.signed.targets.items():
            path = places.targets / metadata.hashed_name(target)
            contents[name] = read(path, "the target")
            if metadata.target_files({name: contents[name]})[name] != target:
                raise AuthorityError(f"{path} is not what was published; put it back from a mirror")
    note = contents.pop(metadata.CHECKPOINT, b"")
    if set(contents) != set(metadata.FIXED) or not note:
        raise AuthorityError(f"{places.targets} does not hold {', '.join(metadata.FIXED)} and a checkpoint; put the files back from a mirror")
    return Repository(root, named["targets"], named[metadata.CHECKPOINT], snapshot, timestamp, contents, note)


def published(places: Places) -> Repository:
    """As `load`; raises AuthorityError before the first time."""
    places.require()
    found = load(places)
    if found is None:
        raise AuthorityError(
            f"nothing is published in {places.directory} yet; have packets/root.packet.json and packets/targets.packet.json signed, then: "
            f"redhand authority publish {places.directory} packets/*.packet.json"
        )
    return found


def version_on_disk(places: Places, role: str) -> int:
    """The highest version of a role's file there is, named by anything or not: no version is ever used twice."""
    found = [int(path.name.split(".")[0]) for path in places.metadata.glob(f"*.{role}.json") if path.name.split(".")[0].isdigit()]
    return max(found, default=0)
