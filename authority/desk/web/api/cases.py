"""Cases: lists, search, one case with its timeline, steps, and what its next order says."""

from __future__ import annotations

from typing import Annotated, Any, cast

from fastapi import APIRouter, Query
from sqlalchemy import select

from authority.desk import clocks, delivery, error_reports, facts, queues, reading, recommendations, referrals, search, states, steps
from authority.desk.desk import Desk
from authority.desk.errors import BadField
from authority.desk.evidence import keeping
from authority.desk.roles import Actor
from authority.desk.states import State
from authority.desk.tables import Case, Event, Person
from authority.desk.web import acts, labels, view
from authority.desk.web.api import review
from authority.desk.web.api.shapes import cases as shapes
from authority.desk.web.api.shapes.common import After, Number
from authority.desk.web.api.shapes.review import Recommendation, Report
from authority.desk.web.forms import FORMS
from authority.desk.web.who import SignedIn, TheDesk, Who

router = APIRouter(tags=["cases"])
EVENTS = 200


@router.get("/queues")
def counts(who: SignedIn, desk: TheDesk) -> dict[str, int]:
    """How many cases each queue holds."""
    with desk.store.reading() as session:
        return queues.counts(session, who.actor, desk.now())


@router.get("/cases")
def cases(
    who: SignedIn,
    desk: TheDesk,
    queue: Annotated[str, Query(description=f"One of {', '.join(queues.QUEUES)}.")] = "new",
    after: After = "",
    limit: Annotated[int, Query(ge=1, le=200)] = queues.LIMIT,
) -> shapes.Rows:
    """A page of a queue."""
    with desk.store.reading() as session:
        found = queues.page(session, who.actor, queue, desk.now(), after, limit)
    return shapes.Rows(cases=[shapes.Row.model_validate(row) for row in found.rows], after=found.after)


@router.get("/search")
def find(who: SignedIn, desk: TheDesk, q: Annotated[str, Query(min_length=1, max_length=search.LONGEST)]) -> list[shapes.Hit]:
    """Cases that a text points to: a number, an order, a reference, a name. What is searched for is logged."""
    return hits(desk, who.actor, q)


@router.get("/cases/{number}")
def case(who: SignedIn, desk: TheDesk, number: Number) -> shapes.Case:
    """A case. That it was read is logged before the answer."""
    return shown(desk, who.actor, reading.opened(desk, who.actor, number))


@router.get("/cases/{number}/events")
def events(
    who: SignedIn, desk: TheDesk, number: Number, after: Annotated[int, Query(ge=0, lt=1 << 31)] = 0
) -> list[shapes.Event]:  # fmt: skip
    """Its timeline, from after the event of a number, at most 200 at a time."""
    found = reading.opened(desk, who.actor, number)
    with desk.store.reading() as session:
        chosen = select(Event).where(Event.case_id == found.id, Event.number > after).order_by(Event.number).limit(EVENTS)
        return [shapes.Event.model_validate(each) for each in session.scalars(chosen)]


def _said() -> str:
    lines = ["Take a step of a case, by name. Every value in `details` is a text, written as on the desk's forms:", ""]
    for name, form in FORMS.items():
        asked = ", ".join(f"`{each.name}`{'' if each.needed else ' (may be left out)'}" for each in form.fields)
        lines.append(f"- `{name}`: {asked or 'nothing more'}")
    return "\n".join(lines)


@router.post("/cases/{number}/steps/{step}", description=_said())
def take(who: SignedIn, desk: TheDesk, number: Number, step: str, given: shapes.Step) -> shapes.Case:
    """Take a step of a case."""
    who.actor.require("case.read")  # flaggers may refer, and reach no case by its number
    if odd := sorted(given.details.keys() & {"why", "version"}):
        raise BadField(odd[0], "it stands beside the details, not in them")
    fields = {name: value.strip() for name, value in given.details.items()}
    version = {} if given.version is None else {"version": str(given.version)}
    acts.act(desk, who.actor, number, step, {**fields, "why": given.why.strip(), **version})
    return _after(desk, who, number)


@router.patch("/cases/{number}/facts")
def write(who: SignedIn, desk: TheDesk, number: Number, given: shapes.Facts) -> shapes.Case:
    """Say what its next order says."""
    with desk.store.writing() as session:
        facts.set_facts(session, desk, who.actor, number, given.facts, given.why, desk.now(), given.version)
    # Facts that stand already change nothing, and leave no line: that the case was read has one of its own.
    return shown(desk, who.actor, reading.opened(desk, who.actor, number))


@router.get("/cases/{number}/forms")
def forms(who: SignedIn, desk: TheDesk, number: Number) -> shapes.Forms:
    """What whose token it is can do with a case now: steps, what each asks for, and what may be chosen; orders that may be drafted."""
    return forms_of(desk, who.actor, reading.opened(desk, who.actor, number))


@router.get("/cases/{number}/referrals")
def referred(
    who: SignedIn, desk: TheDesk, number: Number, before: Annotated[int | None, Query(ge=1, lt=1 << 31)] = None
) -> list[shapes.Referral]:  # fmt: skip
    """Its referrals, the newest first, at most 100 at a time; `before`: the id of the last one seen."""
    found = reading.opened(desk, who.actor, number)
    with desk.store.reading() as session:
        return [shapes.Referral.model_validate(each) for each in referrals.of_case(session, found, before=before)]


@router.get("/cases/{number}/recommendations")
def recommended(who: SignedIn, desk: TheDesk, number: Number) -> list[Recommendation]:
    """What the reviewer recommended, the newest first, at most 100."""
    found = reading.opened(desk, who.actor, number)
    with desk.store.reading() as session:
        return [review.recommendation(each, found) for each in recommendations.of_case(session, found)]


@router.get("/cases/{number}/reports")
def reported(who: SignedIn, desk: TheDesk, number: Number) -> list[Report]:
    """Visitors' reports of an error, those that wait first, at most 50."""
    found = reading.opened(desk, who.actor, number)
    with desk.store.reading() as session:
        return [Report.model_validate(each) for each in error_reports.of_case(session, found)]


@router.get("/cases/{number}/messages")
def messages(who: SignedIn, desk: TheDesk, number: Number) -> list[shapes.Message]:
    """Mail about it, sent or not, the newest first, at most 100."""
    found = reading.opened(desk, who.actor, number)
    with desk.store.reading() as session:
        return [shapes.Message.model_validate(each) for each in delivery.of_case(session, found)]


@router.get("/cases/{number}/times")
def times(who: SignedIn, desk: TheDesk, number: Number) -> list[shapes.Took]:
    """How long it was in each state, in order."""
    found = reading.opened(desk, who.actor, number)
    with desk.store.reading() as session:
        return [shapes.Took.model_validate(each) for each in clocks.took(session, found, desk.now())]


def hits(desk: Desk, actor: Actor, text: str) -> list[shapes.Hit]:
    """What a search finds; it is logged. Raises Forbidden."""
    found = reading.searched(desk, actor, text)
    return [shapes.Hit(case=shapes.Row.model_validate(hit.case), by=hit.by, found=hit.found) for hit in found]


def forms_of(desk: Desk, actor: Actor, found: Case) -> shapes.Forms:
    """What the actor can do with a case now, as its page offers it."""
    with desk.store.reading() as session:
        seen = view.look(session, desk, actor, found, desk.now())
    made = []
    for step, form in [*seen.main.items(), *seen.more.items()]:
        fields = []
        for each in form.fields:
            own = [] if isinstance(each.choices, str) else [(value, labels.CHOICES.get(value, value)) for value in each.choices]
            named = seen.choices[each.choices] if isinstance(each.choices, str) else own
            choices = [shapes.Choice(value=value, label=label) for value, label in named]
            fields.append(shapes.Field_(name=each.name, label=each.label, kind=each.kind, hint=each.hint, needed=each.needed, choices=choices))
        made.append(shapes.Form(step=step, title=form.title, says=form.says, why=form.why, main=form.main, fields=fields))
    return shapes.Forms(version=found.version, forms=made, drafts=seen.drafts, missing=seen.missing, facts=seen.may_write)


def shown(desk: Desk, actor: Actor, found: Case) -> shapes.Case:
    """A case, opened by who asks."""
    now = desk.now()
    with desk.store.reading() as session:
        timed = clocks.shown(session, found, now)
        missing = facts.missing(session, desk, found)
        forbidden = keeping.forbidden(found, desk.procedure(session))
        officer = session.get(Person, found.officer_id) if found.officer_id is not None else None
    fields: dict[str, Any] = {name: getattr(found, name) for name in shapes.Case.model_fields if hasattr(found, name) and name != "clocks"}
    fields["names"] = [shapes.Name.model_validate(each) for each in found.names]
    return shapes.Case(
        **fields, missing=missing, steps=states.open_to(cast(State, found.state), actor),
        clocks=[shapes.Clock.model_validate(each) for each in timed], officer=officer.login if officer else None, content_forbidden=forbidden,
    )  # fmt: skip


def _after(desk: Desk, who: Who, number: str) -> shapes.Case:
    """As it is after what was done, which is logged itself."""
    with desk.store.reading() as session:
        found = steps.find(session, number)
    return shown(desk, who.actor, found)
