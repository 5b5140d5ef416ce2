"""The five TUF roles of an authority, built and read with python-tuf's metadata API; every error of the library becomes one of ours.

Offline, with thresholds: `root` (which keys count for what) and `targets` (policy, protected names, suffix data). Online: `snapshot`, `timestamp`,
and `checkpoint`, to which `targets` delegates the one target of that name. Consistent snapshots: every file but timestamp.json has its version or
its hash in its name and never changes.
"""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar, cast

from securesystemslib.exceptions import FormatError
from securesystemslib.signer import Key, Signature  # type: ignore[attr-defined]
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import DelegatedRole, Delegations, Metadata, MetaFile, Role, Root, Signed, Snapshot, TargetFile, Targets, Timestamp
from tuf.api.serialization import DeserializationError, SerializationError

from authority.errors import AuthorityError
from authority.keys import Holder, Signer
from blocklists.names import clip
from blocklists.trust.keys import PublicKey, load_key

OFFLINE_DAYS = 365
"""How long root and targets hold."""
SNAPSHOT_DAYS = 7
"""How long snapshot and the checkpoint role hold."""
TIMESTAMP_DAYS = 1
OURS = "redhand"
"""The field of root and targets that carries what TUF has no place for."""
FIXED = ("policy.json", "protected.json", "suffixes.dat")
"""The targets of the targets role."""
ONLINE = ("snapshot", "timestamp", "checkpoint")
CHECKPOINT = "checkpoint"
MAX_OCTETS = 8 << 20

T = TypeVar("T", Root, Targets, Snapshot, Timestamp)


def expiry(now: int, days: int) -> datetime:
    """So many days after `now` (unix seconds)."""
    return datetime.fromtimestamp(now, UTC) + timedelta(days=days)


def parse(data: bytes | Mapping[str, Any], kind: type[T], what: str) -> Metadata[T]:
    """The metadata in `data`, signatures unverified. Raises AuthorityError, naming `what`."""
    try:
        if not isinstance(data, bytes):
            data = json.dumps(data).encode()
        if len(data) > MAX_OCTETS:
            raise ValueError(f"it has {len(data)} octets, more than {MAX_OCTETS}")
        found: Metadata[Any] = Metadata.from_bytes(data)
        if not isinstance(found.signed, kind):
            raise ValueError(f"it is {found.signed.type}")
        for keyid, key in keys_of(found.signed).items():
            if load_key({"keytype": key.keytype, "scheme": key.scheme, "keyval": key.keyval}, f"{what}: key {keyid}").keyid != keyid:
                raise ValueError(f"the key {keyid} is not the one its id is computed from")
    except (DeserializationError, RepositoryError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise AuthorityError(f"{what} is not TUF {kind.type} metadata ({clip(str(error), 200)}); take a sound copy") from None
    return cast("Metadata[T]", found)


def keys_of(signed: Signed) -> dict[str, Key]:
    """The keys that root or targets metadata name, by id."""
    if isinstance(signed, Root):
        return signed.keys
    return signed.delegations.keys if isinstance(signed, Targets) and signed.delegations else {}


def signed_bytes(metadata: Metadata[Any]) -> bytes:
    """What signatures are made over: TUF's canonical JSON of `signed`."""
    try:
        return bytes(metadata.signed_bytes)
    except (SerializationError, FormatError) as error:
        raise AuthorityError(f"the {metadata.signed.type} metadata cannot be written ({clip(str(error))}); draft it again") from None


def encode(metadata: Metadata[Any]) -> bytes:
    """The file."""
    return bytes(metadata.to_bytes())


def tuf_key(key: PublicKey) -> Key:
    """Our key as TUF holds it."""
    return Key.from_dict(key.keyid, copy.deepcopy(key.document))


def add_signature(metadata: Metadata[Any], signer: Signer) -> None:
    """Adds the signer's signature, in place of an earlier one of its."""
    metadata.signatures[signer.key.keyid] = Signature(signer.key.keyid, signer.sign(signed_bytes(metadata)).hex())


def good(delegator: Root | Targets, role: str, metadata: Metadata[Any]) -> tuple[frozenset[str], int]:
    """The ids of the role's keys, in `delegator`, whose signature over the metadata is good, and how many are needed."""
    try:
        result = delegator.get_verification_result(role, signed_bytes(metadata), metadata.signatures)
    except ValueError as error:
        raise AuthorityError(f"the metadata does not say who signs {role} ({clip(str(error))}); draft it again") from None
    return frozenset(result.signed), result.threshold


def role(delegator: Root | Targets, name: str) -> Role:
    """Who signs a role. Raises AuthorityError."""
    try:
        return delegator.get_delegated_role(name)
    except ValueError as error:
        raise AuthorityError(f"the metadata does not say who signs {name} ({clip(str(error))}); draft it again") from None


def ours(signed: Signed) -> dict[str, Any]:
    """Our field of root or targets; empty when there is none of its kind."""
    found = signed.unrecognized_fields.get(OURS)
    return found if isinstance(found, dict) else {}


def people(signed: Signed) -> dict[str, str]:
    """Names of the holders that root says, by key id."""
    found = ours(signed).get("people", {})
    return {str(keyid): str(name) for keyid, name in found.items()} if isinstance(found, dict) else {}


def pinned(size: int, root: bytes) -> dict[str, Any]:
    """The state of the log at an offline signing, as it stands in the metadata."""
    return {"root": base64.b64encode(root).decode(), "size": size}


def new_root(
    version: int, now: int, holders: Mapping[str, tuple[Sequence[PublicKey], int]], names: Mapping[str, str], said: Mapping[str, Any]
) -> Metadata[Root]:
    """Root metadata: for each top-level role its keys and threshold; `names` of people by key id; `said` goes into the field `redhand`."""
    keys = {key.keyid: tuf_key(key) for found, _ in holders.values() for key in found}
    for name, (found, _) in holders.items():
        if len({key.keyid for key in found}) != len(found):
            raise AuthorityError(f"{name}: one key stands there twice; give each holder a key of its own")
    roles = {name: Role([key.keyid for key in found], threshold) for name, (found, threshold) in holders.items()}
    field = {**said, "people": {keyid: names[keyid] for keyid in sorted(keys) if keyid in names}}
    return Metadata(Root(version, None, expiry(now, OFFLINE_DAYS), keys, roles, True, {OURS: field}))


def new_targets(version: int, now: int, files: Mapping[str, bytes], checkpoint: PublicKey, said: Mapping[str, Any]) -> Metadata[Targets]:
    """Targets metadata over the FIXED files, with the delegation to the checkpoint role."""
    delegated = DelegatedRole(CHECKPOINT, [checkpoint.keyid], 1, True, [CHECKPOINT])
    delegations = Delegations({checkpoint.keyid: tuf_key(checkpoint)}, {CHECKPOINT: delegated})
    return Metadata(Targets(version, None, expiry(now, OFFLINE_DAYS), target_files(files), delegations, {OURS: dict(said)}))


def target_files(files: Mapping[str, bytes]) -> dict[str, TargetFile]:
    """Lengths and hashes of target files by name."""
    return {name: TargetFile.from_data(name, data, ["sha256"]) for name, data in files.items()}


def new_checkpoint_role(version: int, now: int, note: bytes) -> Metadata[Targets]:
    """The checkpoint role's metadata over the signed note."""
    return Metadata(Targets(version, None, expiry(now, SNAPSHOT_DAYS), target_files({CHECKPOINT: note})))


def new_snapshot(version: int, now: int, targets: Metadata[Targets], checkpoint: Metadata[Targets]) -> Metadata[Snapshot]:
    """Snapshot metadata that names targets and the checkpoint role, as signed, with their hashes.

    So the timestamp's hash is over all that one publication says: two of one version that say different things are seen to be two.
    """
    found = {
        f"{name}.json": MetaFile.from_data(each.signed.version, encode(each), ["sha256"])
        for name, each in (("targets", targets), (CHECKPOINT, checkpoint))
    }
    return Metadata(Snapshot(version, None, expiry(now, SNAPSHOT_DAYS), found))


def new_timestamp(version: int, now: int, snapshot: int, data: bytes) -> Metadata[Timestamp]:
    """Timestamp metadata that names the snapshot in `data`, with its hash."""
    return Metadata(Timestamp(version, None, expiry(now, TIMESTAMP_DAYS), MetaFile.from_data(snapshot, data, ["sha256"])))


def hashed_name(target: TargetFile) -> str:
    """What a target is called on disk: its hash, a dot, its name."""
    return f"{target.hashes['sha256']}.{target.path}"


def load_keys(keys: Iterable[Key]) -> list[PublicKey]:
    """TUF's keys as ours."""
    return [load_key({"keytype": key.keytype, "scheme": key.scheme, "keyval": dict(key.keyval)}, f"key {key.keyid}") for key in keys]


def holder_names(holders: Iterable[Holder]) -> dict[str, str]:
    """Names of people by key id."""
    return {each.key.keyid: each.person for each in holders}
