"""What a proof file shows, judged with nothing else than the authority's root file. Pure: no network, no state directory, no clock.

    root file → later roots → targets → policy → the log's key → checkpoint → entries included → officers' signatures by the policy of their position

Whoever made the file is not believed in anything. It is judged as of its own time: metadata that has expired since proves what was signed then. With
the whole log under the checkpoint, the docket of every operator is run over what was logged by the time asked about, and says what was in force.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from hashlib import sha256
from typing import Any, cast

from securesystemslib.exceptions import FormatError
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Root, Signed, Targets

from blocklists import directive, proof, review
from blocklists.directive import Directive
from blocklists.docket import Data, Docket
from blocklists.errors import BadDocument
from blocklists.finding import Finding, Judged, when
from blocklists.log import entry as entries
from blocklists.log import merkle
from blocklists.log.note import Checkpoint, verify_note
from blocklists.names import clip, visible
from blocklists.proof import Proof
from blocklists.refusals import Refused
from blocklists.replay import bearing, data_of, in_force
from blocklists.trust import lint, policy
from blocklists.trust.envelope import REVIEW, Envelope
from blocklists.trust.policy import Policy
from blocklists.trust.quorum import Quorum, quorum

PROTECTED, SUFFIXES, POLICY = "protected.json", "suffixes.dat", "policy.json"
_MEND = "the proof is not accepted; ask whoever gave it for a sound one, or check the root file"


def verify(data: bytes, root: bytes) -> Finding:
    """What the proof file proves to who trusts the root file. Raises BadDocument, saying what is wrong, unless all of it holds."""
    found = proof.read(data)
    try:
        trusted, targets = _metadata(found, root)
        _check_file(targets, POLICY, found.policy)
        origin, demonstration = _whose(trusted)
        pins = [_pin(trusted), _pin(targets)]
    except (RepositoryError, FormatError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BadDocument(f"the metadata does not verify ({clip(str(error) or type(error).__name__, 200)}); {_MEND}") from None
    judged_by = policy.load(found.policy)
    lint.check(trusted.to_dict(), targets.to_dict(), judged_by)
    if judged_by.log.origin != origin:
        raise BadDocument(f"the policy is for the log {clip(judged_by.log.origin)}, and the root for {clip(origin)}; {_MEND}")
    checkpoint = verify_note(found.checkpoint, judged_by.log.key, origin)
    _check_pins(found, pins, checkpoint)
    _check_included(found, checkpoint)
    orders: tuple[str, ...] = ()
    if found.prefix is None:
        judged = _judge_alone(found, judged_by)
        if all(each.rule for each in judged):
            raise BadDocument(f"no entry in the proof orders anything about {found.name}: it proves nothing; {_MEND}")
    else:
        judged, orders = _replay(found, judged_by, targets, checkpoint, demonstration)
    return Finding(
        name=found.name,
        at=found.at,
        origin=origin,
        size=checkpoint.size,
        root=checkpoint.root.hex(),
        signed_at=checkpoint.time,
        root_version=trusted.version,
        policy=sha256(found.policy).hexdigest(),
        demonstration=demonstration,
        entries=tuple(judged),
        in_force=None if found.prefix is None else bool(orders),
        orders=orders,
    )


# --- metadata


def _metadata(found: Proof, root: bytes) -> tuple[Root, Targets]:
    """The newest root, reached from the root file, and the targets it vouches for. TUF client workflow 5.3 and 5.6, expiry apart."""
    trusted = _parse(root, Root)
    trusted.signed.verify_delegate("root", trusted.signed_bytes, trusted.signatures)
    for each in found.roots:
        following = _parse(each, Root)
        if following.signed.version <= trusted.signed.version:
            continue  # the root file is newer than what the prover began with
        if following.signed.version != trusted.signed.version + 1:
            raise ValueError(f"root version {following.signed.version} does not follow version {trusted.signed.version}")
        for signer in (trusted, following):
            signer.signed.verify_delegate("root", following.signed_bytes, following.signatures)
        trusted = following
    targets = _parse(found.targets, Targets)
    trusted.signed.verify_delegate("targets", targets.signed_bytes, targets.signatures)
    return trusted.signed, targets.signed


def _parse(data: bytes, kind: type[Any]) -> Metadata[Any]:
    found: Metadata[Any] = Metadata.from_bytes(data)
    if not isinstance(found.signed, kind):
        raise ValueError(f"it is {found.signed.type} metadata where {kind.type} should stand")
    if isinstance(found.signed, Root):
        signed = found.signed.to_dict()
        lint.check_keys(signed["keys"], signed["roles"], "root")
    return found


def _check_file(targets: Targets, name: str, data: bytes) -> None:
    if name not in targets.targets:
        raise ValueError(f"the targets role vouches for no {name}")
    targets.targets[name].verify_length_and_hashes(data)


def _whose(root: Root) -> tuple[str, bool]:
    field = root.unrecognized_fields["redhand"]
    if not isinstance(field["origin"], str):
        raise ValueError("root does not say whose log it is for")
    return field["origin"], field.get("demonstration") is True


def _pin(signed: Signed) -> tuple[str, int, bytes]:
    pinned = signed.unrecognized_fields["redhand"]["pinned"]
    if not isinstance(pinned["size"], int):
        raise ValueError("a pinned state of the log has no size")
    return signed.type, pinned["size"], base64.b64decode(pinned["root"], validate=True)


# --- the log


def _check_pins(found: Proof, pins: Sequence[tuple[str, int, bytes]], checkpoint: Checkpoint) -> None:
    if [pin.by for pin in found.pins] != [by for by, _, _ in pins]:
        raise BadDocument(f"the proof does not show how the log goes on from what {' and '.join(by for by, _, _ in pins)} pinned; {_MEND}")
    for pin, (by, size, root) in zip(found.pins, pins, strict=True):
        if not merkle.verify_consistency(size, root, checkpoint.size, checkpoint.root, pin.proof):
            raise BadDocument(f"the log of the checkpoint does not go on from the one of {size} entries that {by} was signed with; {_MEND}")


def _check_included(found: Proof, checkpoint: Checkpoint) -> None:
    indexes = [each.position for each in found.entries]
    if indexes != sorted(set(indexes)):
        raise BadDocument(f"the entries are not in the order of the log, or one stands there twice; {_MEND}")
    for each in found.entries:
        if not merkle.verify_inclusion(merkle.leaf_hash(each.entry), each.position, checkpoint.size, each.proof, checkpoint.root):
            raise BadDocument(f"entry {each.position} is not in the log of the checkpoint, by its proof; {_MEND}")


# --- who signed


def _judge_alone(found: Proof, judged_by: Policy) -> list[Judged]:
    """Each entry by its signatures alone, as the policy's epoch of its position says."""
    data = [each.entry for each in found.entries]
    if bearing(data, found.name) != list(range(len(data))):
        raise BadDocument(f"the proof holds entries that do not concern {found.name}; {_MEND}")
    authorities: dict[str, str] = {}
    return [_judge(each.position, each.entry, judged_by, authorities) for each in found.entries]


def _judge(index: int, data: bytes, judged_by: Policy, authorities: dict[str, str]) -> Judged:
    """`authorities`: by id, which authority ordered it, as far as the entries before show it."""
    at, envelope, identity, action = _read(data)
    rule = why = ""
    signers: tuple[str, ...] = ()
    try:
        _, signed = quorum(envelope, judged_by, index, {})
        signers = _signers(signed)
        if envelope.kind == REVIEW:
            _formed(review.read, envelope.payload)
            signed.check_reviews()
        else:
            order = _formed(directive.read, envelope.payload)
            if order.log != judged_by.log.origin:
                raise Refused("replay.origin", f"it was signed for the log {clip(order.log or '')}")
            _check_signed(order, signed, authorities)
    except Refused as refused:
        rule, why = refused.rule, refused.why
    return Judged(index, at, identity, action, _digest(envelope), signers, rule, why)


def _check_signed(order: Directive, signed: Quorum, authorities: dict[str, str]) -> None:
    if order.action == "suspend":
        signed.check_suspends()
    elif order.action == "withdraw":
        if order.id not in authorities:
            raise Refused("order.unknown", "the order it withdraws is not among the entries before it")
        signed.check_withdraws(authorities[order.id])
    else:
        category = order.category or ""
        able = (authorities[order.id],) if order.id in authorities else signed.category(category).authorities
        authorities[order.id] = signed.authority(category, able)


def _formed(read: Any, payload: bytes) -> Any:
    try:
        return read(payload)
    except BadDocument as error:
        raise Refused("payload.form", str(error)) from None


def _signers(signed: Quorum) -> tuple[str, ...]:
    return tuple(f"{office} ({signed.epoch.officers[office].person})" for office in sorted(signed.offices))


def _read(data: bytes) -> tuple[int, Envelope, str, str]:
    """When it was logged, what was signed, the id it is about, and what it does. For an entry that `bearing` found."""
    document = json.loads(data)
    try:
        found = entries.read(data)
        at, envelope = found.logged_at, cast("Envelope", found.envelope)
    except BadDocument:
        dated = document.get("logged_at")
        at, envelope = dated if isinstance(dated, int) else 0, Envelope("", base64.b64decode(document["envelope"]["payload"]))
    payload = json.loads(envelope.payload)
    return at, envelope, str(payload["id"]), "review" if envelope.kind == REVIEW else visible(str(payload.get("action", "")), 20)


def _digest(envelope: Envelope) -> str:
    return "sha256:" + sha256(envelope.payload).hexdigest()


# --- what was in force


def _replay(found: Proof, judged_by: Policy, targets: Targets, checkpoint: Checkpoint, demonstration: bool) -> tuple[list[Judged], tuple[str, ...]]:
    """Each entry as the docket judges it, and the ids of the orders by which the name is in force at the time asked about."""
    log, protected, suffixes = found.prefix or [], found.protected or b"", found.suffixes or b""
    if len(log) != checkpoint.size or merkle.root_of([merkle.leaf_hash(data) for data in log]) != checkpoint.root:
        raise BadDocument(f"the log in the proof is not that of the checkpoint; {_MEND}")
    if [(each.position, each.entry) for each in found.entries] != [(index, log[index]) for index in bearing(log, found.name)]:
        raise BadDocument(f"the entries shown are not all those in the log that concern {found.name}; {_MEND}")
    if found.at > checkpoint.time:
        raise BadDocument(f"the log was signed at {when(checkpoint.time)}, and says nothing about {when(found.at)}; {_MEND}")
    data = _data(judged_by, targets, protected, suffixes, demonstration)
    whole = Docket(data)
    verdicts = [whole.take(index, each) for index, each in enumerate(log)]
    judged = []
    for each in found.entries:
        at, envelope, identity, action = _read(each.entry)
        signers: tuple[str, ...] = ()
        if (good := dict(verdicts[each.position].signatures)) and any(good.values()):
            signers = _signers(quorum(envelope, judged_by, each.position, good)[1])
        verdict = verdicts[each.position]
        judged.append(Judged(each.position, at, identity, action, _digest(envelope), signers, verdict.rule, verdict.why))
    return judged, in_force(log, data, found.name, found.at, verdicts)


def _data(judged_by: Policy, targets: Targets, protected: bytes, suffixes: bytes, demonstration: bool) -> Data:
    try:
        _check_file(targets, PROTECTED, protected)
        _check_file(targets, SUFFIXES, suffixes)
        return data_of(judged_by, protected, suffixes, demonstration)
    except (RepositoryError, ValueError) as error:
        raise BadDocument(
            f"the protected names or suffixes are not those that the targets role vouches for ({clip(str(error), 200)}); {_MEND}"
        ) from None
