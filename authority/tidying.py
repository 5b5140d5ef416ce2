"""After a publication: what nobody needs any more goes. Packets that are published, keys that were replaced, metadata long superseded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tuf.api.metadata import Targets

from authority import metadata, online, packets, repository
from authority.ceremony import ROOT, TARGETS
from authority.packets import Packet
from authority.places import Places
from authority.plan import Plan
from blocklists.durable import explained
from blocklists.errors import RedHandError
from blocklists.trust import policy

KEPT = 32
"""Snapshots and checkpoints kept behind the newest, for clients that have just been told of one."""


def tidy(places: Places, plan: Plan, found: Sequence[Packet]) -> None:
    """Does it. Raises DiskError."""
    with explained("tidying up", "all is published"):
        for packet, name in ((packet, name) for packet in found for name in (ROOT, TARGETS)):
            path = places.packets / name
            if packet.kind in ("root", "targets") and path.exists() and _is(path, packet):
                path.unlink()
        if any(packet.kind in ("root", "targets") for packet in found):
            _forget_keys(places, plan)
        for directory in (places.metadata, places.targets, places.log):
            for left in directory.glob(".*.new"):  # by a process that was killed; `replace` writes there first
                if left.is_file():
                    left.unlink()
        for role in ("snapshot", "checkpoint"):
            newest = repository.version_on_disk(places, role)
            for path in places.metadata.glob(f"*.{role}.json"):
                number = path.name.split(".")[0]
                if number.isdigit() and int(number) <= newest - KEPT:
                    if role == "checkpoint":
                        _forget_targets(places, path, places.metadata / f"{newest}.checkpoint.json")
                    path.unlink()


def _forget_targets(places: Places, path: Path, newest: Path) -> None:
    """The checkpoint that old metadata name, unless the newest name the same: signed in the same second, of a log that had not grown."""
    old, new = (metadata.parse(each.read_bytes(), Targets, str(each)).signed.targets.values() for each in (path, newest))
    for name in {metadata.hashed_name(target) for target in old} - {metadata.hashed_name(target) for target in new}:
        (places.targets / name).unlink(missing_ok=True)


def _forget_keys(places: Places, plan: Plan) -> None:
    """Keys of online roles that neither what is published nor what waits for signatures names."""
    named = {role: set(plan.root.signed.roles[role].keyids) for role in ("snapshot", "timestamp")}
    named["checkpoint"] = set(metadata.role(plan.targets.signed, metadata.CHECKPOINT).keyids)
    named["log"] = {plan.policy.log.key.keyid}
    for path in (places.packets / name for name in (ROOT, TARGETS)):
        if not path.exists():
            continue
        try:
            waiting = packets.load(path)
        except RedHandError:
            return  # whoever spoilt the packet may mend it, and then needs the keys it names
        if waiting.kind == "root":
            for role in ("snapshot", "timestamp"):
                named[role] |= set(waiting.tuf.signed.roles[role].keyids)
        elif waiting.kind == "targets":
            named["checkpoint"] |= set(metadata.role(waiting.tuf.signed, metadata.CHECKPOINT).keyids)
            named["log"].add(policy.load(waiting.files["policy.json"]).log.key.keyid)
    for role, keyids in named.items():
        kept = {online.path_of(places.online, role, keyid) for keyid in keyids}
        for path in places.online.glob(f"{role}-*.pem"):
            if path not in kept:
                path.unlink()


def _is(path: Path, packet: Packet) -> bool:
    try:
        return packets.load(path).same == packet.same
    except RedHandError:
        return False
