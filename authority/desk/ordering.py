"""From a case to what officers sign: drafts of its orders, with what the guards say, what was overridden, and who must sign. Signs nothing.

An order is named by its digest. Whatever of it changes, an override too, is another order with another digest, so that nobody signs one thing and
publishes another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from authority import drafts, orders
from authority.desk import audit, composing, facts, guarding, states, steps
from authority.desk.asking import Resolves
from authority.desk.desk import Desk
from authority.desk.errors import BadField, Conflict, NotFound
from authority.desk.guarding import Finding
from authority.desk.roles import Action, Actor
from authority.desk.states import State
from authority.desk.tables import Case, Order
from authority.errors import AuthorityError
from authority.packets import Packet
from blocklists.directive import Directive
from blocklists.errors import BadDocument, BadName
from blocklists.trust.policy import Epoch

What = composing.What
WHATS = composing.WHATS
_MAY: dict[What, tuple[Action, ...]] = {
    "block": ("case.work",),
    "amend": ("case.work",),
    "renew": ("case.work",),
    "withdraw": ("case.work", "review.decide"),
    "suspend": ("case.work", "review.decide"),
    "confirm": ("review.decide",),
    "recommend": ("review.decide",),
}


def draft(
    desk: Desk,
    actor: Actor,
    number: str,
    what: What,
    why: str,
    now: int,
    *,
    reasons: Mapping[str, str] | None = None,
    version: int | None = None,
    resolves: Resolves | None = None,
) -> Order:
    """Drafts an order of a case; an earlier draft of the same kind ends. `reasons`: by language, for what is no whole order; by default `why`.

    Raises DeskError: BadField for what is missing, Conflict when a guard refuses what no officer may override, or the case changed meanwhile.
    """
    if what not in WHATS:
        raise BadField("what", f"{what!r} is none; take one of {', '.join(WHATS)}")
    if not any(actor.may(action) for action in _MAY[what]):
        actor.require(_MAY[what][-1])
    with desk.store.reading() as session:
        case = steps.find(session, number)
        steps.require_version(case, version)
        seen = case.version
        _check_step(case, what, actor, why)
        targets = [(each.name, each.match) for each in case.names]
        drafts_before = [row for row in orders_of(session, case) if row.what == what and row.ended_at is None and row.log_index is None]
        earlier = [each for row in drafts_before for each in findings(row)]
    found = guarding.look(desk, targets, resolves) if what in composing.WHOLE else []
    refused = [each for each in found if each.objection and not each.may_override]
    if refused:
        raise Conflict(f"{refused[0].name} {refused[0].objection}: no resolver would block it, and nobody here can override that; name others")
    found = [_kept(each, earlier) for each in found]
    return _make(desk, actor, number, what, why, now, found, seen, reasons)


def override(desk: Desk, actor: Actor, digest: str, guard: str, name: str, why: str, now: int, version: int | None = None) -> Order:
    """Overrides what one guard said of one name in a draft that nobody has been asked to sign: one officer more must sign the draft that follows.

    Raises Conflict when the guard does not object, or so many officers there are not.
    """
    actor.require("case.decide")
    if not why.strip():
        raise BadField("why", "say why the guard is overridden; it stands in the order")
    with desk.store.reading() as session:
        order = _open_order(session, digest)
        case = session.get_one(Case, order.case_id)
        steps.require_version(case, version)
        if order.what == "block" and case.state != "drafted":
            raise Conflict(f"case {case.number} is {case.state}: officers were asked to sign; draft it again first")
        seen, number, what, found, reasons = case.version, case.number, _what(order), findings(order), None
    hits = [each for each in found if each.stands and (each.guard, each.name) == (guard, name)]
    if not hits:
        raise Conflict(f"the guard {guard} has no objection to {name[:80]} that stands")
    if not all(each.may_override for each in hits):
        raise Conflict(f"{name[:80]} {hits[0].objection}: no resolver would block it, and nobody here can override that")
    said = facts.line(why)[:200]
    found = [replace(each, by=actor.name, why=said) if each in hits else each for each in found]
    return _make(desk, actor, number, what, why, now, found, seen, reasons, overridden=(guard, name))


def open_signing(desk: Desk, actor: Actor, digest: str, why: str, now: int, version: int | None = None) -> Order:
    """Asks officers to sign a block. Raises Conflict while an objection of a guard stands, or when one has come since it was drafted."""
    actor.require("case.decide")
    with desk.store.reading() as session:
        drafted = _open_order(session, digest)
    check_again(desk, drafted)
    with desk.store.writing() as session:
        order = _open_order(session, digest)
        case = session.get_one(Case, order.case_id)
        steps.require_version(case, version)
        check_guards(order)
        if order.what != "block":
            raise Conflict(f"{order.what} {order.order_id} may be signed since it was drafted")
        steps.take(session, case, "open_signing", actor, why, now, desk.procedure(session), order=order.order_id, digest=digest)
        return order


def abandon(desk: Desk, actor: Actor, digest: str, why: str, now: int, version: int | None = None) -> None:
    """Drops a draft. What officers have signed of it can no more be brought here, nor published from here."""
    if not actor.may("review.decide"):
        actor.require("case.decide")
    with desk.store.writing() as session:
        order = _open_order(session, digest)
        case = session.get_one(Case, order.case_id)
        steps.require_version(case, version)
        step = "abandon_draft" if order.what == "block" else "abandon_follower"
        steps.take(session, case, step, actor, why, now, desk.procedure(session), order=order.order_id, digest=digest)
        order.ended_at = now


def orders_of(session: Session, case: Case) -> list[Order]:
    """All that was drafted, the newest first."""
    return list(session.scalars(select(Order).where(Order.case_id == case.id).order_by(Order.id.desc())))


def find_order(session: Session, digest: str) -> Order:
    """The order with a digest. Raises NotFound."""
    found = session.scalar(select(Order).where(Order.digest == digest))
    if found is None:
        raise NotFound(f"no order was drafted here with the digest {digest[:80]}")
    return found


def findings(order: Order) -> list[Finding]:
    """What the guards said of it."""
    return guarding.load(order.guards)


def check_guards(order: Order) -> None:
    """Raises Conflict while an objection stands."""
    standing = [each for each in findings(order) if each.stands]
    if standing:
        first = standing[0]
        raise Conflict(f"{first.name} {first.objection} ({first.guard}); override it with a reason and one more signature, or name others")


def check_again(desk: Desk, order: Order) -> None:
    """Raises Conflict when a guard objects now to a name of the order, and did not when it was drafted."""
    read = composing.directive_of(order)
    if isinstance(read, Directive) and read.targets:
        guarding.check_again(desk, [(each.fqdn, each.match) for each in read.targets], findings(order))


def _what(order: Order) -> What:
    return next(each for each in WHATS if each == order.what)


def _open_order(session: Session, digest: str) -> Order:
    order = find_order(session, digest)
    if order.log_index is not None:
        raise Conflict(f"{order.order_id} is published, as entry {order.log_index} of the log")
    if order.ended_at is not None:
        raise Conflict(f"this draft of {order.order_id} was dropped, or another took its place")
    return order


def _check_step(case: Case, what: What, actor: Actor, why: str) -> None:
    """Raises what taking the step would raise, before anything is asked or made."""
    step = "draft" if what == "block" else "draft_follower"
    states.check(cast("State", case.state), step, actor, why, {"order": "a new one", "action": what})
    if what == "confirm" and not case.emergency:
        raise Conflict(f"{case.order_id} is no emergency that waits to be confirmed")


def _kept(found: Finding, earlier: Sequence[Finding]) -> Finding:
    """With the override of an earlier draft, if the guard still says the same by the same data."""
    for each in earlier:
        if each.by and replace(each, by="", why="") == found:
            return each
    return found


def _make(
    desk: Desk,
    actor: Actor,
    number: str,
    what: What,
    why: str,
    now: int,
    found: list[Finding],
    seen: int,
    reasons: Mapping[str, str] | None,
    overridden: tuple[str, str] | None = None,
) -> Order:
    with desk.store.reading() as session:
        document = composing.document(session, desk, steps.find(session, number), what, why, now, found, reasons)
    try:
        packet = drafts.draft_order(desk.places.directory, document)
    except (AuthorityError, BadDocument, BadName) as error:
        raise BadField("order", str(error)) from None
    rules = facts.policy(desk)
    read = orders.read(packet.envelope, "the order")
    threshold = orders.who_signs(read, rules.epochs[-1])[1] + guarding.overridden(found)
    _check_able(read, rules.epochs[-1], threshold)
    made = Order(
        order_id=str(document["id"]),
        action=composing.ACTION.get(what, what),
        what=what,
        digest=orders.digest(packet.envelope),
        packet=bare(packet),
        threshold=threshold,
        guards=[each.document() for each in found],
        made_at=now,
        made_by=actor.name,
    )
    with desk.store.writing() as session:
        case = steps.find(session, number)
        steps.require_version(case, seen)
        procedure = desk.procedure(session)
        if overridden is not None:
            guard, name = overridden
            steps.take(session, case, "override_guard", actor, why, now, procedure, guard=guard, name=name, threshold=threshold)
        step = "draft" if what == "block" else "draft_follower"
        details = {"order": made.order_id, "digest": made.digest, "action": what, "threshold": threshold}
        steps.take(session, case, step, actor, why, now, procedure, **details)
        for row in orders_of(session, case):
            if row.what == what and row.log_index is None and row.ended_at is None:
                row.ended_at = now
        made.case_id = case.id
        session.add(made)
        audit.record(session, actor, "order.draft", f"order:{made.order_id}", now, what=what, digest=made.digest, case=case.number)
    return made


def state_of(order: Order, case: Case) -> str:
    """Where an order stands: draft, waiting, published or dropped."""
    if order.log_index is not None:
        return "published"
    if order.ended_at is not None:
        return "dropped"
    return "draft" if order.what == "block" and case.state == "drafted" else "waiting"


def bare(packet: Packet) -> bytes:
    """The packet without its files, as the database keeps it: what it is judged by is what is published when it is given out."""
    return replace(packet, files={}).encode()


def _check_able(order: orders.Order, epoch: Epoch, threshold: int) -> None:
    offices = orders.who_signs(order, epoch)[0]
    if isinstance(order, Directive) and order.targets:
        offices = frozenset(each for each in offices if composing.authority_of(order, epoch) == epoch.officers[each].authority)
    if len(offices) < threshold:
        raise Conflict(f"{threshold} officers would have to sign it, and {len(offices)} may; name others, or have the policy name more officers")
