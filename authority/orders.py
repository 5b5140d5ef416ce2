"""Orders on their way to signature: what an envelope says, who signs it, what the guards say of its names, and drafts of new ones."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from pydantic import ValidationError

from authority.errors import AuthorityError
from blocklists import directive, review
from blocklists.directive import BadDirective, Directive
from blocklists.errors import BadDocument, BadName
from blocklists.guards import Guards, Suffixes, read_suffixes
from blocklists.names import clip
from blocklists.review import Review
from blocklists.trust import envelope, strict
from blocklists.trust.envelope import DIRECTIVE, REVIEW, Envelope
from blocklists.trust.policy import Epoch

Order = Directive | Review
TOOL = "redhand authority"


class Guarded(NamedTuple):
    """What the guards say of one name."""

    name: str
    match: str
    refusal: str | None
    """Why it may not be blocked; None when it may."""


def read(found: Envelope, what: str) -> Order:
    """The order in an envelope, read strictly; its signatures are not looked at. Raises BadDocument."""
    if found.kind == DIRECTIVE:
        return directive.read(found.payload, what)
    if found.kind == REVIEW:
        return review.read(found.payload, what)
    raise BadDocument(f"{what} holds {found.kind}, which officers do not sign; make it with: redhand authority draft")


def digest(found: Envelope) -> str:
    """What later orders name this one by: the digest of what was signed."""
    return "sha256:" + hashlib.sha256(found.payload).hexdigest()


def who_signs(order: Order, epoch: Epoch) -> tuple[frozenset[str], int]:
    """The offices whose signatures count for an order in an epoch, and how many of them are needed. Raises AuthorityError for an unknown category."""
    reviewers = frozenset(name for name, office in epoch.officers.items() if office.role == "reviewer")
    officers = frozenset(epoch.officers) - reviewers
    if isinstance(order, Review):
        return reviewers, 1
    if order.action == "suspend":
        return officers | reviewers, 1
    if order.action == "withdraw":
        return officers | reviewers, epoch.withdraw_threshold
    category = epoch.categories.get(order.category or "")
    if category is None:
        known = ", ".join(sorted(epoch.categories))
        raise AuthorityError(f"the order's category {order.category!r} is not in the policy, which has {known}; correct it")
    return frozenset(name for name in officers if epoch.officers[name].authority in category.authorities), category.threshold


def also_signs(order: Order, epoch: Epoch) -> frozenset[str]:
    """The reviewers, of whom one must sign too, for an order that is not disclosed and that no court has decided not to disclose; else nobody."""
    if isinstance(order, Review) or order.nondisclosure is None or order.nondisclosure.judge is not None:
        return frozenset()
    return frozenset(name for name, office in epoch.officers.items() if office.role == "reviewer")


def protected_names(data: bytes) -> tuple[str, ...]:
    """The names in protected.json. Raises BadDocument."""
    document = strict.read(data, "protected.json", 4 << 20)
    found = document.get("names")
    if set(document) != {"names", "type", "version"} or not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise BadDocument("protected.json does not list names; draft the policy again")
    return tuple(found)


@lru_cache(maxsize=2)
def suffixes(data: bytes) -> Suffixes:
    """The rules in suffixes.dat. Raises AuthorityError."""
    try:
        return read_suffixes(data.decode())
    except (BadName, UnicodeDecodeError, IndexError) as error:
        raise AuthorityError(f"the public-suffix data cannot be read ({clip(str(error))}); draft the policy again") from None


@lru_cache(maxsize=2)
def _guards(protected: bytes, suffix_data: bytes) -> Guards:
    try:
        return Guards((), protected_names(protected), suffixes(suffix_data))
    except BadName as error:
        raise AuthorityError(f"protected.json: {error}; draft the policy again") from None


def guards_of(files: Mapping[str, bytes]) -> Guards:
    """The guards by a packet's protected names and suffix data."""
    return _guards(files["protected.json"], files["suffixes.dat"])


def guard(found: Envelope, files: Mapping[str, bytes]) -> list[Guarded]:
    """What the guards say of each name that an order would block."""
    order = read(found, "the order")
    if not isinstance(order, Directive):
        return []
    guards = guards_of(files)
    return [Guarded(target.fqdn, target.match, guards.refusal(target.key, target.match)) for target in order.targets or ()]


def typed(order: Order) -> str:
    """What a signer must type: the name when the order has one, its id when it has several or none."""
    targets = order.targets if isinstance(order, Directive) else None
    return targets[0].fqdn if targets and len(targets) == 1 else order.id


def drafted(document: Mapping[str, Any], origin: str, newest: str | None, files: Mapping[str, bytes]) -> Envelope:
    """An unsigned envelope for the order in a document (every scalar as text), with log origin, nonce and what the guards said filled in.

    `newest` is the digest of the newest directive of its id in the log, which a follower without `follows` is taken to follow.
    Raises AuthorityError for an order that says something else of these, or that is none.
    """
    data = dict(document)
    kind = REVIEW if "decision" in data else DIRECTIVE
    data.setdefault("type", "review" if kind == REVIEW else "directive")
    data.setdefault("version", 1)
    if data.setdefault("log", origin) != origin:
        raise AuthorityError(f"log: {clip(str(data['log']))}: this log is {origin}; leave the field out")
    data.setdefault("nonce", secrets.token_hex(16))
    if (kind == REVIEW or data.get("action") != "block") and "follows" not in data:
        if newest is None:
            raise AuthorityError(f"the log has no order {clip(str(data.get('id')))} to follow; check the id")
        data["follows"] = newest
    if kind == DIRECTIVE and data.get("targets") and "guards" not in data:
        data["guards"] = [
            {
                "guard": name,
                "result": "no objection",
                "tool": TOOL,
                "data_version": "sha256:" + hashlib.sha256(files[file]).hexdigest(),
            }
            for name, file in (("protected_name", "protected.json"), ("public_suffix", "suffixes.dat"))
        ]
    try:
        if kind == REVIEW:
            payload = strict.write(_review(data).document(), "the review")
        else:
            payload = strict.write(directive.load(data).document(), "the order")
    except BadDirective as error:
        raise AuthorityError(f"the order: {error}") from None
    except ValidationError as error:
        fault = error.errors(include_url=False, include_context=False)[0]
        raise AuthorityError(f"the review: {'.'.join(map(str, fault['loc']))}: {clip(fault['msg'])}; correct it") from None
    made = envelope.Envelope(kind, payload)
    read(made, "the order")
    for result in guard(made, files):
        if result.refusal:
            raise AuthorityError(f"{result.name}: {result.refusal}; no resolver would block it")
    made.encode()
    return made


def _review(data: Mapping[str, Any]) -> Review:
    """The review in a document, whose scalars may all be texts."""
    return Review.model_validate({**data, "version": 1 if data["version"] == "1" else data["version"]})
