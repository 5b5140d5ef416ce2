"""Packets out, signatures in. Officers sign on machines of their own with keys that never come here; this verifies what they bring, and keeps that.

A packet that comes back adds signatures and nothing else: what it signs must be, octet for octet, what was drafted here, and the rest of it is not
looked at. Only a good signature by an office that counts for the order is taken, so that nobody displaces it with a bad one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

from sqlalchemy import select

from authority import orders, packets, repository, shown
from authority.desk import audit, composing, guarding, ordering, steps
from authority.desk.desk import Desk
from authority.desk.errors import BadField, Conflict, NotFound
from authority.desk.roles import Actor
from authority.desk.tables import Case, Order, Person
from authority.packets import Need, Packet
from authority.repository import Repository
from blocklists.directive import Directive
from blocklists.errors import RedHandError
from blocklists.log.tree import Tree
from blocklists.trust import envelope
from blocklists.trust.envelope import DIRECTIVE, Envelope
from blocklists.trust.policy import Epoch


@dataclass(frozen=True)
class Standing:
    """Who signed an order, who may, how many are missing."""

    needs: tuple[Need, ...]
    text: str
    """All that is signed, line by line, as the signer's own machine shows it."""

    @property
    def complete(self) -> bool:
        """Whether it may be published."""
        return not any(need.missing for need in self.needs)


class _Rules(NamedTuple):
    """What signatures of the next entry of the log are judged by."""

    present: Repository
    epoch: Epoch
    size: int

    def offices(self, found: Envelope) -> dict[str, str]:
        """Office by key id, of each good signature whose key counts."""
        good = envelope.signers(found, self.epoch.keys)
        return {keyid: self.epoch.by_key[keyid] for keyid in good if not self.present.policy.is_compromised(keyid, self.size)}


def packet(desk: Desk, actor: Actor, digest: str, now: int) -> tuple[str, bytes]:
    """A file's name and its octets: the packet to sign, with all signatures so far and what is published to judge it by. Raises Conflict."""
    actor.require("case.read")
    files = repository.published(desk.places).files
    with desk.store.writing() as session:
        order = ordering.find_order(session, digest)
        case = session.get_one(Case, order.case_id)
        if order.ended_at is not None:
            raise Conflict(f"this draft of {order.order_id} was dropped, or another took its place; sign that one")
        if order.what == "block" and order.log_index is None and case.state != "signing":
            raise Conflict(f"case {case.number} is {case.state}: nobody was asked to sign yet")
        ordering.check_guards(order)
        audit.record(session, actor, "order.packet", f"order:{order.order_id}", now, digest=digest)
    return name_of(order), replace(packet_of(order), files=files, wanted=_wanted(order)).encode()


def name_of(order: Order) -> str:
    """What the packet's file is called."""
    return f"{order.order_id}.{order.what}.{order.digest.removeprefix('sha256:')[:12]}.packet.json"


def take(desk: Desk, actor: Actor, data: bytes, now: int) -> Order:
    """Takes the signatures in a packet that came back. `brought` in the timeline says by whom; the signature says whose it is.

    Raises BadField for a packet that is none or has no new signature that counts, NotFound for one that was not drafted here, Conflict, Forbidden.
    """
    actor.require("case.sign")
    if b"PRIVATE KEY" in data:
        raise BadField(
            "packet",
            "this is a private key, which must never leave its machine. Nothing of it was kept, but it has travelled: have it replaced and revoked",
        )
    try:
        found = packets.read(data, "the packet", bare=True)
    except RedHandError as error:
        raise BadField("packet", str(error)) from None
    if found.kind not in ("directive", "review"):
        raise BadField("packet", f"it is for {found.kind}; here orders and reviews are signed")
    digest = orders.digest(found.envelope)
    rules = _rules(desk)
    with desk.store.writing() as session:
        try:
            order = ordering.find_order(session, digest)
        except NotFound:
            raise NotFound("what this packet signs was not drafted here, or was changed on its way; take the packet from here again") from None
        case = session.get_one(Case, order.case_id)
        kept = packet_of(order)
        if order.log_index is not None or order.ended_at is not None:
            said = "is published" if order.log_index is not None else "was dropped, or another took its place"
            raise Conflict(f"this draft of {order.order_id} {said}; nothing more is signed")
        if found.kind != kept.kind:
            raise BadField("packet", f"it was drafted as {kept.kind}, and this is {found.kind}; take the packet from here again")
        ordering.check_guards(order)
        counts = frozenset().union(*(offices for _, _, offices in _groups(order, rules)))
        before = {keyid for keyid, _ in kept.envelope.signatures}
        fresh = {keyid: office for keyid, office in rules.offices(found.envelope).items() if office in counts and keyid not in before}
        if not fresh:
            raise BadField("packet", _no_new(found.envelope, before, rules))
        signed, given = kept.envelope, dict(found.envelope.signatures)
        whose = session.scalar(select(Person.office).where(Person.id == actor.person)) if actor.person is not None else None
        for keyid, office in sorted(fresh.items(), key=lambda each: each[1]):
            signed = signed.with_signature(keyid, given[keyid])
            person = rules.epoch.officers[office].person
            why = f"{office} ({person}) signed; {'brought by the same' if office == whose else f'brought by {actor.name}'}"
            details = {"order": order.order_id, "office": office, "digest": digest, "own": office == whose}
            steps.take(session, case, "add_signature", actor, why, now, desk.procedure(session), **details)
        order.packet = ordering.bare(replace(kept, signed=signed))
        return order


def standing(desk: Desk, order: Order) -> Standing:
    """Who signed and who is missing, by the policy that is published."""
    rules = _rules(desk)
    found = packet_of(order)
    good = set(rules.offices(found.envelope).values())

    def people(names: frozenset[str]) -> tuple[str, ...]:
        return tuple(f"{name} ({rules.epoch.officers[name].person})" for name in sorted(names))

    needs = tuple(
        Need(whose, threshold, people(offices & frozenset(good)), people(offices - frozenset(good)))
        for whose, threshold, offices in _groups(order, rules)
    )
    return Standing(needs, shown.text(replace(found, files=rules.present.files, wanted=_wanted(order))))


def packet_of(order: Order) -> Packet:
    """The packet as it is kept: with all signatures that were taken, and without files."""
    return packets.read(order.packet, "the order", bare=True)


def _wanted(order: Order) -> int:
    """How many signatures the packet says are wanted here; 0 where the policy alone says how many."""
    return order.threshold if guarding.overridden(ordering.findings(order)) else 0


def _rules(desk: Desk) -> _Rules:
    present, size = repository.published(desk.places), Tree(desk.places.log).size
    return _Rules(present, present.policy.at(size), size)


def _groups(order: Order, rules: _Rules) -> list[tuple[str, int, frozenset[str]]]:
    """Groups of offices, of which so many must sign: officers of one authority, as operators count them; for silence the reviewer besides."""
    read = orders.read(packet_of(order).envelope, "the order")
    offices, threshold = orders.who_signs(read, rules.epoch)
    whose = "the reviewer"
    if isinstance(read, Directive):
        whose = "any one officer or reviewer"
        if read.action != "suspend":
            authority = composing.authority_of(read, rules.epoch)
            officers = rules.epoch.officers
            offices = frozenset(each for each in offices if officers[each].authority in (authority, None))
            whose = f"officers of {read.issuer.authority}" + (" or the reviewer" if read.action == "withdraw" else "")
    groups = [(whose, max(threshold, order.threshold), offices)]
    if also := orders.also_signs(read, rules.epoch):
        groups.append(("the reviewer, because it is not disclosed", 1, also))
    return groups


def _no_new(found: Envelope, before: set[str], rules: _Rules) -> str:
    """Why nothing of it was taken."""
    if not found.signatures:
        return "nobody has signed it; sign it on your own machine: redhand authority sign"
    said = []
    good = rules.offices(found)
    for keyid, _ in found.signatures:
        office = rules.epoch.by_key.get(keyid)
        if keyid in before:
            said.append(f"{office or keyid[:16]} has signed already")
        elif office is None:
            said.append(f"the key {keyid[:16]} is no office's in the policy")
        elif keyid not in good:
            said.append(f"the signature of {office} is not good, or its key counts no more")
        else:
            said.append(f"{office} may not sign this {'order' if found.kind == DIRECTIVE else 'review'}")
    return f"it has no new signature that counts: {'; '.join(said)}"
