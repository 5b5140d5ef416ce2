"""The key ceremony: from its file come the online keys and the two packets that people must sign, root and targets."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from publicsuffixlist import PSLFILE

from authority import checks, metadata, online
from authority.errors import AuthorityError
from authority.keys import KeyInMemory, generate, write_private
from authority.packets import Packet
from authority.places import STILL, Places
from authority.spec import Ceremony
from blocklists.durable import explained, replace, sync_directory
from blocklists.log.merkle import EMPTY

ROOT, TARGETS = "root.packet.json", "targets.packet.json"
"""What waits for signatures, under packets/."""


def suffix_data() -> bytes:
    """The public-suffix rules that this installation has."""
    return Path(PSLFILE).read_bytes()


def root_fields(spec: Ceremony, pinned: dict[str, Any]) -> dict[str, Any]:
    """What our field of root metadata says, people apart."""
    return {"origin": spec.origin, "pinned": pinned, **({"demonstration": True} if spec.demonstration else {})}


def ceremony(directory: Path, spec: Ceremony, now: int) -> tuple[Packet, Packet]:
    """Makes an authority's directory with its online keys, and returns the packets `root` and `targets`, which also lie in packets/.

    `now` in unix seconds. Raises AuthorityError when the file contradicts itself, or an authority is in the directory already; DiskError.
    """
    places = Places(directory)
    if places.online.exists():
        raise AuthorityError(f"{directory} is an authority's directory already; give another one, or draft changes: redhand authority draft")
    made = {role: generate() for role in online.ROLES}
    pinned = metadata.pinned(0, EMPTY)
    files = {
        "policy.json": spec.policy(made["log"].key, [spec.epoch(0)]).encode(),
        "protected.json": spec.protected_names(),
        "suffixes.dat": suffix_data(),
    }
    holders = {
        "root": ([one.key for one in spec.root.keys], spec.root.threshold),
        "targets": ([one.key for one in spec.targets.keys], spec.targets.threshold),
        "snapshot": ([made["snapshot"].key], 1),
        "timestamp": ([made["timestamp"].key], 1),
    }
    names = metadata.holder_names((*spec.root.keys, *spec.targets.keys))
    root = metadata.new_root(1, now, holders, names, root_fields(spec, pinned))
    targets = metadata.new_targets(1, now, files, made["checkpoint"].key, {"pinned": pinned})
    packets = Packet("root", root), Packet("targets", targets, files, (root,))
    checks.check(root, targets, files)
    _write(places, made, packets)
    return packets


def _write(places: Places, made: dict[str, KeyInMemory], packets: tuple[Packet, Packet]) -> None:
    """The directory; online/ comes last, at once, so that a ceremony that was cut short can be held again."""
    fresh = places.directory / ".online"
    with explained(f"making the authority's directory {places.directory}", "no authority is there"):
        for each in (places.metadata, places.targets, places.log, places.packets):
            each.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        for role, key in made.items():
            write_private(online.path_of(fresh, role, key.key.keyid), key, None)
        write_packet(places.packets / ROOT, packets[0])
        write_packet(places.packets / TARGETS, packets[1])
        fresh.rename(places.online)
        sync_directory(places.directory)


def write_packet(path: Path, packet: Packet) -> None:
    """Puts a packet into a file. Raises DiskError."""
    with explained(f"writing the packet {path}", STILL):
        replace(path, packet.encode())
        path.chmod(path.stat().st_mode | 0o200)
