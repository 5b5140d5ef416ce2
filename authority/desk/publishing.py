"""From signed to published: the packet goes to whoever publishes, the log takes it, and the case takes its step.

The log is the truth. What it has moves the case, once, whoever handed it over and whatever was killed between log and database: `follow_log` reads
what is new there and does what is missing here.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any, cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from authority import handover, orders, publisher
from authority.desk import anchoring, audit, beside, composing, notices, ordering, recommendations, signing, states, steps
from authority.desk.beside import Logged
from authority.desk.desk import Desk
from authority.desk.errors import Conflict, DeskError
from authority.desk.roles import LOG, Actor
from authority.desk.states import State
from authority.desk.tables import Case, Counter, Order, Recommendation
from authority.errors import AuthorityError
from blocklists.directive import Directive
from blocklists.errors import BadDocument
from blocklists.log import entry as entries
from blocklists.log.tree import Tree

READ = "log-read"
"""The counter that says how many entries of the log were followed."""
PIECE = 500
STEP = {"block": "publish", "amend": "amend", "renew": "renew", "withdraw": "withdraw", "suspend": "suspend", "confirm": "confirm_emergency"}
_log = logging.getLogger("authority.desk")


def publish(desk: Desk, actor: Actor, digest: str, why: str, now: int, say: Callable[[str], None] = lambda _: None) -> Order:
    """Publishes a fully signed order; doing it again changes nothing.

    `say`: a word now and then while the server has entries to judge before. Raises Conflict while signatures are missing or its time is over,
    Forbidden, and DeskError with the refusal of who publishes.
    """
    actor.require("case.publish")
    with desk.store.reading() as session:
        order = ordering.find_order(session, digest)
        if order.log_index is not None:
            return order
        case = session.get_one(Case, order.case_id)
    _check(desk, order, case, actor, why, now)
    with desk.store.writing() as session:  # before anything is done, so that the log never has what nobody here asked for
        audit.record(session, actor, "order.publish", f"order:{order.order_id}", now, digest=digest, why=why.strip())
    packet = signing.packet_of(order)
    try:
        anchoring.prepare(desk, now)
        done = handover.hand_over(desk.places.directory, [packet], say) or publisher.publish(desk.places.directory, [packet], now)
    except (AuthorityError, BadDocument) as error:
        raise Conflict(f"{order.order_id} is not published: {error}") from None
    (logged,) = done.orders
    with desk.store.writing() as session:
        order = ordering.find_order(session, digest)
        settle(session, desk, order, logged.index, actor, why, now, held=logged.held)
    anchoring.settle(desk)
    return order


def follow_log(desk: Desk, now: int) -> list[str]:
    """Does for every order of ours in the log what was not done for it here; says which. Alarms those not ours. For the worker, each look."""
    if not desk.places.log.is_dir():
        return []
    tree, found = Tree(desk.places.log), list[str]()
    with desk.store.reading() as session:
        counter = session.get(Counter, READ)
        start, first = (counter.value, False) if counter is not None else (0, True)
    while start < tree.size:
        stop = min(tree.size, start + PIECE)
        places = _digests(tree, start, stop)
        with desk.store.writing() as session:
            counter = session.get(Counter, READ)
            if (counter.value if counter is not None else 0) < stop:
                beside.note(session, desk, places, now, first=counter is None or first)
            ours = session.scalars(select(Order).where(Order.digest.in_(places), Order.log_index.is_(None))).all()
            for order in sorted(ours, key=lambda each: places[each.digest].at):
                index = places[order.digest].at
                settle(session, desk, order, index, LOG, f"found in the log as entry {index}", now)
                found.append(order.order_id)
            if counter is None:
                session.add(Counter(name=READ, value=stop))
            else:
                counter.value = max(counter.value, stop)
        start = stop
    anchoring.settle(desk)
    return found


def settle(session: Session, desk: Desk, order: Order, index: int, actor: Actor, why: str, now: int, held: bool = False) -> None:
    """What an order's place in the log does to its case. Once: for one that was settled nothing happens."""
    if order.log_index is not None:
        return
    case = session.get_one(Case, order.case_id)
    read = composing.directive_of(order)
    details = _details(order, read, index)
    if held:
        details["held"] = True
    expected = order.ended_at is None
    if isinstance(read, Directive) and read.targets:
        case.emergency = read.emergency is not None
    if order.what == "confirm" and case.state == "lapsed":  # it came in time, or the log would not have it: the order stands
        details |= _details(order, composing.directive_of(_followed(session, case)), index)
    step, actor, why = _able(case, order, expected, actor, why, details)
    if order.what == "recommend" and expected and _is_new(session, case):
        recommendations.recommend(session, desk, actor if actor.may("review.decide") else LOG, case.number, why, now, index=index)
    else:
        steps.take(session, case, step, actor, why, now, desk.procedure(session), **details)
    order.log_index, order.published_at, order.ended_at = index, now, None  # what the log has was not dropped, whoever dropped it here meanwhile
    if isinstance(read, Directive) and read.targets:
        case.order_id, case.ends_at = order.order_id, details["expires_at"]
    notices.follow(session, desk, case, step, now)
    if not expected or step == "published_elsewhere":
        _log.error("ALARM order %s stands in the log as entry %d, and was not published from here", order.order_id, index)
        audit.record(session, LOG, "order.unexpected", f"order:{order.order_id}", now, index=index, digest=order.digest)


def _able(case: Case, order: Order, expected: bool, actor: Actor, why: str, details: dict[str, Any]) -> tuple[str, Actor, str]:
    """The step that the case can take, and who takes it: what stands in the log is so, even if the desk expected something else."""
    state, step = cast(State, case.state), STEP.get(order.what, "note")
    asked = f"{why} (asked for by {actor.name})" if actor != LOG else why
    able = [(step, actor, why)] if expected else []
    if expected or order.what != "block":
        able.append((step, LOG, asked))
    if order.what in composing.WHOLE or order.what == "confirm":
        able.append(("published_elsewhere", LOG, asked))
    for name, who, said in able:
        with suppress(DeskError):
            states.check(state, name, who, said, dict(details))
            return name, who, said
    return "note", LOG, asked


def _followed(session: Session, case: Case) -> Order:
    """The newest whole order of the case in the log."""
    query = select(Order).where(Order.case_id == case.id, Order.log_index.is_not(None), Order.action.in_(("block", "amend")))
    return session.scalars(query.order_by(Order.log_index.desc()).limit(1)).one()


def _is_new(session: Session, case: Case) -> bool:
    """Whether no recommendation of the case waits for an answer yet: the reviewer's signed entry then is it."""
    if case.state not in states.ORDERED:
        return False
    waiting = select(Recommendation.id).where(Recommendation.case_id == case.id, Recommendation.answered_at.is_(None))
    return session.scalar(waiting.limit(1)) is None


def _details(order: Order, read: orders.Order, index: int) -> dict[str, Any]:
    details: dict[str, Any] = {"order": order.order_id, "digest": order.digest, "index": index, "what": order.what}
    if not isinstance(read, Directive):
        return details
    if read.action == "suspend":
        details["ends_at"] = read.ends
    if read.targets:
        dated = {"enforce_by": read.enforce_by, "expires_at": read.expires_at, "review_due": read.review_due}
        details |= {name: int(when.timestamp()) for name, when in dated.items() if when is not None}
        if (lapses := composing.lapses_at(read)) is not None:
            details["lapses_at"] = lapses
    return details


def _check(desk: Desk, order: Order, case: Case, actor: Actor, why: str, now: int) -> None:
    """Raises DeskError unless it may be published now."""
    if order.ended_at is not None:
        raise Conflict(f"this draft of {order.order_id} was dropped, or another took its place")
    ordering.check_guards(order)
    read = composing.directive_of(order)
    if order.what in ("block", "amend", "renew", "withdraw", "suspend"):
        states.check(cast(State, case.state), STEP[order.what], actor, why, _details(order, read, 0))
    elif case.state not in states.ORDERED:
        raise Conflict(f"case {case.number} is {case.state}; no order stands")
    found = signing.standing(desk, order)
    if not found.complete:
        missing = "; ".join(f"{need.missing} of {need.whose}" for need in found.needs if need.missing)
        raise Conflict(f"{order.order_id} lacks signatures: {missing}")
    if isinstance(read, Directive) and read.targets:
        ordering.check_again(desk, order)
        if read.ends <= now:
            raise Conflict(f"{order.order_id} has ended by its own terms; draft it again")
        if read.enforce_by is not None and read.enforce_by.timestamp() <= now:
            raise Conflict(f"{order.order_id} had to be carried out by {read.enforce_by:%Y-%m-%d %H:%M} UTC, which is over; draft it again")


def _digests(tree: Tree, start: int, stop: int) -> dict[str, Logged]:
    found: dict[str, Logged] = {}
    for index, data in enumerate(tree.entries(start, stop), start):
        try:
            signed = entries.read(data, f"entry {index}").envelope
        except BadDocument:
            continue
        if signed is not None:
            found.setdefault(orders.digest(signed), Logged(index, signed))
    return found
