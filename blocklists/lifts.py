"""A withdrawal or suspension in a file, carried in by any way: verified against the policy that was believed last, and in force at once.

It waits for no feed, no lock of the feed's, no fresh metadata and no build. What it may do is what the docket lets it do (`Docket.lift`): the same
signatures by the policy's newest epoch, of officers of the authority that ordered the block, which the log says. The file is kept in
state_dir/lifts/, where the docket finds it again, also for an order that the log has not brought yet.
"""

from __future__ import annotations

import json
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from blocklists import directive, durable, lifting, store
from blocklists.builder import Built
from blocklists.directive import Directive
from blocklists.errors import BadDocument, FeedError, StoreError
from blocklists.finding import when
from blocklists.log import entry as entries
from blocklists.log.note import MAX_SIZE
from blocklists.log.tree import Tree
from blocklists.names import clip
from blocklists.refusals import Refused
from blocklists.replay import about
from blocklists.trust import envelope, policy
from blocklists.trust.envelope import DIRECTIVE, Envelope
from blocklists.trust.policy import Policy
from blocklists.trust.quorum import quorum

DIRECTORY = "lifts"
LAYER = "orders"
MAX_PACKET = 1 << 24
"""Octets of a packet, as the authority's commands read it: it carries the protected names and the public-suffix data along."""


class Lifted(NamedTuple):
    """What came of a file."""

    id: str
    action: str
    """withdraw or suspend."""
    until: int | None
    """When a suspension ends, in unix seconds."""
    built: Built | None
    """The version in force by it; None when the log has brought no order of that id, and the file is kept for when it does."""


def lift(state_dir: Path, data: bytes, as_of: int, keep: int) -> Lifted:
    """Verifies an envelope's bytes, keeps them, and puts what they order in force at `as_of`, the agreed time in unix seconds.

    A packet, which is the file that the authority's people sign, is taken for the envelope in it: nothing else of it is read.
    `keep`: as `blocklists.keep_versions`. Raises BadDocument or FeedError for a file that may not lift anything here, StoreError.
    """
    found = _envelope(data)
    believed = _policy(state_dir)
    order = _order(found, believed)
    until = order.ends if order.action == "suspend" else None
    if until is not None and until <= as_of:
        raise FeedError(f"the suspension of {order.id} ended at {when(until)}; ask for a new one")
    position = _position(state_dir, order.id, believed)
    _check(found, order, believed, state_dir, position)
    _keep(state_dir, found)
    if position is None:
        return Lifted(order.id, order.action, until, None)
    if order.action == "withdraw":
        built = lifting.lift(state_dir, order.id, "withdraw", as_of, keep)
    else:
        built = lifting.lift(state_dir, order.id, "suspend", as_of, keep, order.starts, order.ends)
    return Lifted(order.id, order.action, until, built)


def _envelope(data: bytes) -> Envelope:
    """Raises BadDocument."""
    try:
        document = json.loads(data) if len(data) <= MAX_PACKET else None
    except (ValueError, RecursionError):
        document = None
    if isinstance(document, dict) and document.get("type") == "packet" and document.get("kind") == "directive":
        data = envelope.from_document(document.get("signed"), "the order in the packet").encode()
    return envelope.read(data.removesuffix(b"\n"), "the file")


def _policy(state_dir: Path) -> Policy:
    path = state_dir / "trust" / "policy.json"
    try:
        return policy.load(path.read_bytes())
    except OSError as error:
        raise FeedError(
            f"{path} cannot be read ({error.strerror}): no authority's policy was ever verified here, so nobody may lift an order by a file; "
            "run: redhand sync --once"
        ) from None


def _order(found: Envelope, believed: Policy) -> Directive:
    if found.kind != DIRECTIVE:
        raise BadDocument(f"the file holds {found.kind}; a file by hand may withdraw or suspend, as {DIRECTIVE}")
    order = directive.read(found.payload, "the order in the file")
    if order.action not in ("withdraw", "suspend"):
        raise BadDocument(f"the file would {order.action} {order.id}; by hand an order is only lifted, and it comes in force by the log alone")
    if order.log != believed.log.origin:
        raise BadDocument(f"the file is for the log {clip(order.log or '')}, and the one we follow is {believed.log.origin}")
    return order


def _position(state_dir: Path, identity: str, believed: Policy) -> int | None:
    """Where the log has an order that stands under an id: by the version in force, or else by the log itself. None when it has none."""
    with suppress(StoreError):
        version = store.open_current(state_dir)
        for number, line in enumerate(version.layer(LAYER)):
            if line.reference == identity:
                return int(version.document(number)["index"])
    tree = Tree(state_dir / "log")
    for position, data in enumerate(tree.entries(0, tree.size)):
        if about(data) == identity:
            with suppress(Refused, BadDocument):
                _authority(believed, tree, position)
                return position
    return None


def _check(found: Envelope, order: Directive, believed: Policy, state_dir: Path, position: int | None) -> None:
    """Raises BadDocument unless enough of those who may have signed."""
    try:
        _, signed = quorum(found, believed, MAX_SIZE, {})
        if order.action == "suspend":
            signed.check_suspends()
        elif position is not None:
            signed.check_withdraws(_authority(believed, Tree(state_dir / "log"), position))
        elif not signed.offices:
            signed.check_suspends()
    except Refused as refused:
        raise BadDocument(f"the file does not {order.action} {order.id}: {refused.why} ({refused.rule})") from None


def _authority(believed: Policy, tree: Tree, position: int) -> str:
    """Whose officers ordered what stands at a position of the log. Raises Refused, BadDocument, StoreError."""
    logged = entries.read(tree.entry(position), f"entry {position}").envelope
    if logged is None:
        raise BadDocument(f"entry {position} of our copy of the log is no order; run: redhand sync --once")
    _, signed = quorum(logged, believed, position, {})
    category = directive.read(logged.payload).category or ""
    return signed.authority(category, signed.category(category).authorities)


def _keep(state_dir: Path, found: Envelope) -> None:
    data = found.encode()
    directory = state_dir / DIRECTORY
    with durable.explained(f"keeping the file in {directory}", "nothing was lifted"):
        directory.mkdir(parents=True, exist_ok=True)
        durable.replace(directory / f"{sha256(data).hexdigest()}.json", data)
