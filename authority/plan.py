"""What root and targets will be after a publication: those that are published, or those that packets bring, once all that must have signed them.

Signatures are judged by the roots that are published, never by those that a packet brings along.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tuf.api.metadata import Metadata, Root, Targets

from authority import checks, metadata, repository
from authority.errors import AuthorityError
from authority.packets import Packet
from authority.places import Places
from authority.repository import Repository
from blocklists.log.tree import Tree
from blocklists.trust import policy
from blocklists.trust.policy import Policy


@dataclass(frozen=True)
class Plan:
    """What the offline roles will be."""

    root: Metadata[Root]
    targets: Metadata[Targets]
    files: dict[str, bytes]
    policy: Policy
    new_root: bool
    new_targets: bool
    seamless: bool
    """Whether the timestamp may come before the new root, because who goes by the root so far accepts all that it leads to."""


class Planner:
    """Decides it for one publication. `present` is what is published, `tree` the log as it stands."""

    def __init__(self, places: Places, present: Repository | None, tree: Tree, now: int) -> None:
        self._places = places
        self._present = present
        self._tree = tree
        self._now = now

    def plan(self, found: Sequence[Packet]) -> Plan:
        """What the packets come to. Raises AuthorityError or BadDocument when one lacks signatures, or does not fit what is published."""
        roots = [packet for packet in found if packet.kind == "root"]
        targets = [packet for packet in found if packet.kind == "targets"]
        if len(roots) > 1 or len(targets) > 1:
            raise AuthorityError("several different packets are for one role; publish one of each kind at a time, the older first")
        present = self._present
        if present is None and not (roots and targets):
            raise AuthorityError("nothing is published yet: the first time needs the packets root and targets together")
        root, new_root = self._root(roots[0].tuf) if roots else (self._required().root, False)
        if targets and self._is_new_targets(targets[0].tuf, root):
            made, files, new_targets = targets[0].tuf, dict(targets[0].files), True
        else:
            made, files, new_targets = self._required().targets, self._required().files, False
            if new_root:
                _require(root.signed, "targets", made, "the targets metadata that is published")
        found_policy = policy.load(files["policy.json"])
        if new_root or new_targets:
            checks.check(root, made, files)
            if present is not None:
                policy.check_follows(found_policy, present.policy, self._tree.size)
        seamless = not new_root or (present is not None and not _lacks(present.root.signed, "targets", made))
        return Plan(root, made, files, found_policy, new_root, new_targets, seamless)

    def _required(self) -> Repository:
        if self._present is None:
            raise AuthorityError("nothing is published yet")
        return self._present

    def _root(self, offered: Metadata[Root]) -> tuple[Metadata[Root], bool]:
        """The root after this, and whether it is new."""
        newest = repository.newest_root(self._places)
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
        self._check_fresh(offered, "the root packet")
        if self._present is not None and _origin(offered) != _origin(self._present.root):
            raise AuthorityError(f"the root packet is for the log {_origin(offered)}, and this one is {_origin(self._present.root)}; draft it again")
        return offered, True

    def _is_new_targets(self, offered: Metadata[Targets], root: Metadata[Root]) -> bool:
        present = self._present
        if present is not None and metadata.signed_bytes(present.targets) == metadata.signed_bytes(offered):
            return False
        version = present.targets.signed.version if present is not None else 0
        if offered.signed.version != version + 1:
            raise AuthorityError(f"the targets packet is version {offered.signed.version}, and version {version} is published; draft it again")
        _require(root.signed, "targets", offered, "the targets packet")
        self._check_fresh(offered, "the targets packet")
        return True

    def _check_fresh(self, offered: Metadata[Any], what: str) -> None:
        """It has not expired, and the state of the log that its signers saw is in the log's past."""
        if offered.signed.expires.timestamp() <= self._now:
            raise AuthorityError(f"{what} expired on {offered.signed.expires:%Y-%m-%d}; draft it again")
        pinned: Any = metadata.ours(offered.signed).get("pinned")
        try:
            size = int(pinned["size"])
            good = pinned == metadata.pinned(size, self._tree.root_at(size))
        except (TypeError, KeyError, ValueError):
            good = False
        if not good:
            raise AuthorityError(f"{what} names a state that this log never had ({pinned}); its signers saw another log: find out why")


def _origin(root: Metadata[Root]) -> object:
    return metadata.ours(root.signed).get("origin")


def _lacks(delegator: Root, role: str, offered: Metadata[Any]) -> int:
    """How many signatures are missing."""
    good, needed = metadata.good(delegator, role, offered)
    return max(0, needed - len(good))


def _require(delegator: Root, role: str, offered: Metadata[Any], what: str) -> None:
    missing = _lacks(delegator, role, offered)
    if missing:
        needed = metadata.role(delegator, role).threshold
        raise AuthorityError(f"{what} needs {needed} signatures of the {role} role and lacks {missing}; pass it to those who have not signed")
