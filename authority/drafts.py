"""Drafts of what people must sign after the ceremony: orders, changes of the policy, new keys for a role, the end of a stolen key."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from tuf.api.metadata import Metadata, Root

from authority import checks, metadata, online, orders, repository
from authority.ceremony import ROOT, TARGETS, suffix_data, write_packet
from authority.errors import AuthorityError
from authority.judge import Judge
from authority.keys import Holder
from authority.packets import Kind, Packet, load
from authority.places import Places
from authority.spec import Ceremony
from blocklists.errors import BadDocument
from blocklists.log.tree import Tree
from blocklists.names import clip
from blocklists.trust import policy
from blocklists.trust.envelope import DIRECTIVE
from blocklists.trust.keys import PublicKey
from blocklists.trust.policy import Compromised, LogKey, Operator, Policy

P = ParamSpec("P")
R = TypeVar("R")

OFFLINE = ("root", "targets")
ROLES = (*OFFLINE, *online.ROLES)


class _Begun:
    """What a draft begins with: what is published, and over it what waits for signatures already, so that one draft does not undo another."""

    def __init__(self, directory: Path) -> None:
        self.places = Places(directory)
        self.present = repository.published(self.places)
        self.tree = Tree(self.places.log)
        self.root: Metadata[Root] = self._waiting(ROOT, self.present.root)
        targets = self._waiting(TARGETS, self.present.targets)
        self.files: Mapping[str, bytes] = self.present.files
        if targets is not self.present.targets:
            self.files = load(self.places.packets / TARGETS).files
            try:
                policy.check_follows(self.policy, self.present.policy, self.tree.size)
            except BadDocument:  # orders were published since, and it must be drafted again anyway
                self.files, targets = self.present.files, self.present.targets
        self.checkpoint: PublicKey = metadata.load_keys(metadata.keys_of(targets.signed).values())[0]

    @property
    def policy(self) -> Policy:
        return policy.load(self.files["policy.json"])

    def _waiting(self, name: str, present: Metadata[Any]) -> Metadata[Any]:
        path = self.places.packets / name
        if path.exists() and (found := load(path).tuf).signed.version == present.signed.version + 1:
            return found
        return present

    def targets(self, now: int, files: Mapping[str, bytes], checkpoint: PublicKey | None = None, root: Metadata[Root] | None = None) -> Packet:
        """The targets packet over these files, written to packets/."""
        root = root or self.root
        pinned = {"pinned": metadata.pinned(self.tree.size, self.tree.root)}
        made = metadata.new_targets(self.present.targets.signed.version + 1, now, files, checkpoint or self.checkpoint, pinned)
        checks.check(root, made, files)
        packet = Packet("targets", made, dict(files), (root,) if root is self.present.root else (self.present.root, root))
        write_packet(self.places.packets / TARGETS, packet)
        return packet

    def policy_packet(self, now: int, made: Policy) -> Packet:
        """The targets packet for another policy."""
        return self.targets(now, {**self.files, "policy.json": made.encode()})


def _alone(draft: Callable[Concatenate[Path, P], R]) -> Callable[Concatenate[Path, P], R]:
    """Runs it under the authority's lock: a publication meanwhile would forget the keys that a draft has made and not yet named."""

    @wraps(draft)
    def locked(directory: Path, /, *arguments: P.args, **named: P.kwargs) -> R:
        places = Places(directory)
        places.require()
        with places.locked():
            return draft(directory, *arguments, **named)

    return locked


def draft_order(directory: Path, document: Mapping[str, Any]) -> Packet:
    """The packet for an order or a reviewer's decision in a document whose scalars are texts. Raises AuthorityError, BadDocument."""
    places = Places(directory)
    present, tree = repository.published(places), Tree(places.log)
    newest: str | None = None
    if "follows" not in document and document.get("action") != "block":
        judge = Judge(present.files, False)
        judge.catch_up_on(tree, ids=[str(document.get("id"))])
        newest = judge.newest(str(document.get("id")))
    made = orders.drafted(document, present.policy.log.origin, newest, present.files)
    kind: Kind = "directive" if made.kind == DIRECTIVE else "review"
    orders.who_signs(orders.read(made, "the order"), present.policy.epochs[-1])
    return Packet(kind, made, present.files)


@_alone
def draft_policy(directory: Path, spec: Ceremony, now: int, begins: int | None = None) -> Packet:
    """The targets packet for the ceremony's file as it was edited, with today's public-suffix data; it waits in packets/ too.

    What judges orders (authorities, categories, officers, thresholds, limits) holds from log position `begins` on, by default the next one: orders
    published between this draft and its publication make it late, and it must then be drafted again. Nothing of the past changes.
    Holders of root and targets are changed by `rotate`; operators that the file does not name stay, until `operator remove`.
    """
    begun = _Begun(directory)
    old, size = begun.present.policy, begun.tree.size
    if spec.origin != old.log.origin:
        raise AuthorityError(f"the file is for the log {spec.origin}, and this one is {old.log.origin}; an origin never changes")
    for role, holders in (("root", spec.root), ("targets", spec.targets)):
        there = begun.root.signed.roles[role]
        if {one.key.keyid for one in holders.keys} != set(there.keyids) or holders.threshold != there.threshold:
            raise AuthorityError(
                f"{role}: the file names other holders or another threshold than root version {begun.root.signed.version}; write there "
                "those in force (redhand authority status shows them), or change them first with: redhand authority rotate"
            )
    at = size if begins is None else begins
    if at < size:
        raise AuthorityError(f"log position {at} is in the past: the log has {size} entries; give that or more")
    kept = [epoch.model_dump() for epoch in old.epochs if epoch.begins < max(at, 1)]
    fresh = spec.policy(old.log.key, [spec.epoch(0)]).epochs[0].model_dump()
    same = kept and {**kept[-1], "begins": 0} == {**fresh, "begins": 0}
    epochs = kept if same else [*([] if at == 0 else kept), {**fresh, "begins": at}]
    before = begun.policy
    made = spec.policy(before.log.key, epochs, before.compromised)
    made = Policy.model_validate({**dict(made), "operators": {**before.operators, **made.operators}})
    policy.check_follows(made, old, size)
    return begun.targets(now, {"policy.json": made.encode(), "protected.json": spec.protected_names(), "suffixes.dat": suffix_data()})


@_alone
def rotate(directory: Path, role: str, now: int, holders: Sequence[Holder] = (), threshold: int | None = None) -> list[Packet]:
    """The packets that give a role new keys; they wait in packets/ too. Online roles get a new key here; root and targets get `holders`.

    Without holders, root or targets stay with theirs and are only drafted anew, before they expire. What waits for signatures already is taken along,
    as in every draft here: it must then be signed again. Raises AuthorityError.
    """
    if role not in ROLES:
        raise AuthorityError(f"{clip(role)} is no role; give one of {', '.join(ROLES)}")
    if role not in OFFLINE and (holders or threshold):
        raise AuthorityError(f"{role} signs online: its key is made here, and has no holders; leave --key and --threshold out")
    begun = _Begun(directory)
    if role == "checkpoint":
        return [begun.targets(now, begun.files, online.make(begun.places.online, role).key)]
    if role == "log":
        key = online.make(begun.places.online, role).key
        return [begun.policy_packet(now, _changed(begun.policy, log=LogKey(origin=begun.policy.log.origin, key=key)))]
    if role == "targets" and not holders and threshold is None:
        return [begun.targets(now, begun.files)]
    keys = _holders_now(begun.root)
    if role in OFFLINE:
        given = [one.key for one in holders] or list(keys[role][0])
        keys[role] = (given, threshold if threshold is not None else min(keys[role][1], len(given)))
    else:
        keys[role] = ([online.make(begun.places.online, role).key], 1)
    present, tree = begun.present, begun.tree
    names = metadata.people(begun.root.signed) | metadata.holder_names(holders)
    said = {**metadata.ours(present.root.signed), "pinned": metadata.pinned(tree.size, tree.root)}
    root = metadata.new_root(present.root.signed.version + 1, now, keys, names, said)
    made = _with_people(begun.policy, root) if role in OFFLINE else begun.policy
    checks.check(root, present.targets, {**begun.files, "policy.json": made.encode()})
    packets = [Packet("root", root, {}, (present.root,))]
    if role == "targets" or made != begun.policy:
        packets.append(begun.targets(now, {**begun.files, "policy.json": made.encode()}, root=root))
    write_packet(begun.places.packets / ROOT, packets[0])
    return packets


@_alone
def revoke(directory: Path, who: str, since: int, now: int) -> Packet:
    """The targets packet that says an officer's or reviewer's key counts for nothing from log position `since` on; it waits in packets/ too.

    `who` is the key's id (or its first 16 digits), or the office id. Raises AuthorityError.
    """
    begun = _Begun(directory)
    before, size = begun.policy, begun.tree.size
    newest = before.epochs[-1].officers
    known = {office.key.keyid for epoch in before.epochs for office in epoch.officers.values()}
    found = [newest[who].key.keyid] if who in newest else [keyid for keyid in known if len(who) >= 16 and keyid.startswith(who)]
    if len(found) != 1:
        raise AuthorityError(
            f"{clip(who)} is no officer's or reviewer's key or office; the offices are {', '.join(sorted(newest))}. "
            "Keys of root, targets and online roles are replaced with: redhand authority rotate"
        )
    if not 0 <= since <= size:
        raise AuthorityError(f"log position {since} is beyond the log, which has {size} entries; give the first one that the thief may have signed")
    lines = (*before.compromised, Compromised(keyid=found[0], since=since))
    return begun.policy_packet(now, _changed(before, compromised=tuple(dict.fromkeys(lines))))


@_alone
def draft_operators(directory: Path, operators: Callable[[Mapping[str, Operator]], Mapping[str, Operator]], now: int) -> Packet:
    """The targets packet for the policy with other `operators`; it waits in packets/ too. Raises AuthorityError."""
    begun = _Begun(directory)
    return begun.policy_packet(now, _changed(begun.policy, operators=dict(operators(begun.policy.operators))))


def _holders_now(root: Metadata[Root]) -> dict[str, tuple[Sequence[PublicKey], int]]:
    signed = root.signed
    return {name: (metadata.load_keys(signed.keys[keyid] for keyid in role.keyids), role.threshold) for name, role in signed.roles.items()}


def _changed(old: Policy, **fields: Any) -> Policy:
    return Policy.model_validate({**dict(old), **fields})


def _with_people(old: Policy, root: Metadata[Root]) -> Policy:
    """The policy naming root's holders as root does."""
    names = metadata.people(root.signed)
    people = [names[keyid] for role in OFFLINE for keyid in root.signed.roles[role].keyids if keyid in names]
    return _changed(old, holders=old.holders.model_copy(update={"root": tuple(dict.fromkeys(people))}))
