"""Drafts of what people must sign after the ceremony: orders, changes of the policy, new keys for a role, the end of a stolen key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tuf.api.metadata import Metadata, Root

from authority import checks, metadata, online, orders, repository
from authority.ceremony import ROOT, TARGETS, suffix_data, write_packet
from authority.errors import AuthorityError
from authority.judge import Judge
from authority.keys import Holder
from authority.packets import Kind, Packet
from authority.places import Places
from authority.repository import Repository
from authority.spec import Ceremony
from blocklists.log.tree import Tree
from blocklists.names import clip
from blocklists.trust import policy
from blocklists.trust.envelope import DIRECTIVE
from blocklists.trust.keys import PublicKey
from blocklists.trust.policy import Compromised, LogKey, Policy

OFFLINE = ("root", "targets")
ROLES = (*OFFLINE, *online.ROLES)


def _opened(directory: Path) -> tuple[Places, Repository, Tree]:
    places = Places(directory)
    return places, repository.published(places), Tree(places.log)


def draft_order(directory: Path, document: Mapping[str, Any]) -> Packet:
    """The packet for an order or a reviewer's decision in a document whose scalars are texts. Raises AuthorityError, BadDocument."""
    _, present, tree = _opened(directory)
    newest: str | None = None
    if "follows" not in document and document.get("action") != "block":
        judge = Judge(present.files, False)
        judge.catch_up(tree)
        newest = judge.newest(str(document.get("id")))
    made = orders.drafted(document, present.policy.log.origin, newest, present.files)
    kind: Kind = "directive" if made.kind == DIRECTIVE else "review"
    orders.who_signs(orders.read(made, "the order"), present.policy.epochs[-1])
    return Packet(kind, made, present.files)


def draft_policy(directory: Path, spec: Ceremony, now: int, begins: int | None = None) -> Packet:
    """The targets packet for the ceremony's file as it was edited, with today's public-suffix data; it waits in packets/ too.

    What judges orders (authorities, categories, officers, thresholds, limits) holds from log position `begins` on, by default the next one: orders
    published between this draft and its publication make it late, and it must then be drafted again. Nothing of the past changes.
    Holders of root and targets are changed by `rotate`.
    """
    places, present, tree = _opened(directory)
    old = present.policy
    if spec.origin != old.log.origin:
        raise AuthorityError(f"the file is for the log {spec.origin}, and this one is {old.log.origin}; an origin never changes")
    for role, holders in (("root", spec.root), ("targets", spec.targets)):
        there = present.root.signed.roles[role]
        if {one.key.keyid for one in holders.keys} != set(there.keyids) or holders.threshold != there.threshold:
            raise AuthorityError(
                f"{role}: the file names other holders or another threshold than the root; change them with: redhand authority rotate"
            )
    at = tree.size if begins is None else begins
    if at < tree.size:
        raise AuthorityError(f"log position {at} is in the past: the log has {tree.size} entries; give that or more")
    kept = [epoch.model_dump() for epoch in old.epochs if epoch.begins < max(at, 1)]
    fresh = spec.policy(old.log.key, [spec.epoch(0)]).epochs[0].model_dump()
    same = kept and {**kept[-1], "begins": 0} == {**fresh, "begins": 0}
    epochs = kept if same else [*([] if at == 0 else kept), {**fresh, "begins": at}]
    made = spec.policy(old.log.key, epochs, old.compromised)
    policy.check_follows(made, old, tree.size)
    files = {"policy.json": made.encode(), "protected.json": spec.protected_names(), "suffixes.dat": suffix_data()}
    return _targets(places, present, tree, now, files, present.root, _checkpoint_key(present))


def rotate(directory: Path, role: str, now: int, holders: Sequence[Holder] = (), threshold: int | None = None) -> list[Packet]:
    """The packets that give a role new keys; they wait in packets/ too. Online roles get a new key here; root and targets get `holders`.

    Without holders, root or targets stay with theirs and are only drafted anew, before they expire. Raises AuthorityError.
    """
    if role not in ROLES:
        raise AuthorityError(f"{clip(role)} is no role; give one of {', '.join(ROLES)}")
    if role not in OFFLINE and (holders or threshold):
        raise AuthorityError(f"{role} signs online: its key is made here, and has no holders; leave --key and --threshold out")
    places, present, tree = _opened(directory)
    if role in ("checkpoint", "log"):
        key = online.make(places.online, role).key
        if role == "checkpoint":
            return [_targets(places, present, tree, now, present.files, present.root, key)]
        files = {**present.files, "policy.json": _with_log_key(present.policy, key).encode()}
        return [_targets(places, present, tree, now, files, present.root, _checkpoint_key(present))]
    if role == "targets" and not holders and threshold is None:
        return [_targets(places, present, tree, now, present.files, present.root, _checkpoint_key(present))]
    keys = _holders_now(present.root)
    if role in OFFLINE:
        given = [one.key for one in holders] or list(keys[role][0])
        keys[role] = (given, threshold if threshold is not None else min(keys[role][1], len(given)))
    else:
        keys[role] = ([online.make(places.online, role).key], 1)
    names = metadata.people(present.root.signed) | metadata.holder_names(holders)
    ours = {**present.root.signed.unrecognized_fields[metadata.OURS], "pinned": metadata.pinned(tree.size, tree.root)}
    root = metadata.new_root(present.root.signed.version + 1, now, keys, names, ours)
    files = present.files
    if role in OFFLINE:
        files = {**files, "policy.json": _with_people(present.policy, root).encode()}
    packets = [Packet("root", root, {}, (present.root,))]
    checks.check(root, present.targets, files)
    if role == "targets" or files != present.files:
        packets.append(_targets(places, present, tree, now, files, root, _checkpoint_key(present)))
    write_packet(places.packets / ROOT, packets[0])
    return packets


def revoke(directory: Path, who: str, since: int, now: int) -> Packet:
    """The targets packet that says an officer's or reviewer's key counts for nothing from log position `since` on; it waits in packets/ too.

    `who` is the key's id (or its first 16 digits), or the office id. Raises AuthorityError.
    """
    places, present, tree = _opened(directory)
    known = {office.key.keyid: name for epoch in present.policy.epochs for name, office in epoch.officers.items()}
    newest = present.policy.epochs[-1].officers
    found = [newest[who].key.keyid] if who in newest else [keyid for keyid in known if len(who) >= 16 and keyid.startswith(who)]
    if len(found) != 1:
        raise AuthorityError(
            f"{clip(who)} is no officer's or reviewer's key or office; see: redhand authority status. "
            "Keys of root, targets and online roles are replaced with: redhand authority rotate"
        )
    if not 0 <= since <= tree.size:
        raise AuthorityError(
            f"log position {since} is beyond the log, which has {tree.size} entries; give the first one that the thief may have signed"
        )
    lines = (*present.policy.compromised, Compromised(keyid=found[0], since=since))
    made = Policy.model_validate({**dict(present.policy), "compromised": tuple(dict.fromkeys(lines))})
    files = {**present.files, "policy.json": made.encode()}
    return _targets(places, present, tree, now, files, present.root, _checkpoint_key(present))


def _targets(
    places: Places, present: Repository, tree: Tree, now: int, files: Mapping[str, bytes], root: Metadata[Root], checkpoint: PublicKey
) -> Packet:
    pinned = {"pinned": metadata.pinned(tree.size, tree.root)}
    made = metadata.new_targets(present.targets.signed.version + 1, now, files, checkpoint, pinned)
    checks.check(root, made, files)
    packet = Packet("targets", made, dict(files), (present.root,) if root is present.root else (present.root, root))
    write_packet(places.packets / TARGETS, packet)
    return packet


def _checkpoint_key(present: Repository) -> PublicKey:
    assert present.targets.signed.delegations is not None  # noqa: S101 - what is published was checked
    return metadata.load_keys(present.targets.signed.delegations.keys.values())[0]


def _holders_now(root: Metadata[Root]) -> dict[str, tuple[Sequence[PublicKey], int]]:
    signed = root.signed
    return {name: (metadata.load_keys(signed.keys[keyid] for keyid in role.keyids), role.threshold) for name, role in signed.roles.items()}


def _with_log_key(old: Policy, key: PublicKey) -> Policy:
    return Policy.model_validate({**dict(old), "log": LogKey(origin=old.log.origin, key=key)})


def _with_people(old: Policy, root: Metadata[Root]) -> Policy:
    """The policy naming root's holders as root does."""
    names = metadata.people(root.signed)
    people = [names[keyid] for role in OFFLINE for keyid in root.signed.roles[role].keyids if keyid in names]
    return Policy.model_validate({**dict(old), "holders": old.holders.model_copy(update={"root": tuple(dict.fromkeys(people))})})
