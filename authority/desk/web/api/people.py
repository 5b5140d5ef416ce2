"""People, one's own account, and tokens. Who comes, goes or becomes something else is a proposal; passwords and sessions are for the pages alone."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from sqlalchemy.orm import Session

from authority.desk.desk import Desk
from authority.desk.errors import Forbidden
from authority.desk.people import accounts, offices, tokens
from authority.desk.people import proposals as proposing
from authority.desk.people.sessions import roles_of
from authority.desk.roles import ROLES, Actor
from authority.desk.tables import ApiToken
from authority.desk.tables import Person as Row
from authority.desk.web import account
from authority.desk.web.api import proposals
from authority.desk.web.api.shapes import people as shapes
from authority.desk.web.api.shapes.common import Id
from authority.desk.web.api.shapes.proposals import Proposal
from authority.desk.web.who import SignedIn, TheDesk

router = APIRouter(tags=["people"])
LIMIT = 100
Login = Annotated[str, Path(max_length=63)]


@router.get("/people")
def everybody(
    who: SignedIn,
    desk: TheDesk,
    after: Annotated[str, Query(max_length=63, description="The login that the page before ended with.")] = "",
    limit: Annotated[int, Query(ge=1, le=200)] = LIMIT,
) -> shapes.People:
    """Who works here, and who did, by login."""
    with desk.store.reading() as session:
        return people(session, who.actor, after, limit)


@router.get("/people/{login}")
def one(who: SignedIn, desk: TheDesk, login: Login) -> shapes.Known:
    """One person, with what is proposed about them."""
    with desk.store.reading() as session:
        return known(session, desk, who.actor, login)


@router.get("/offices")
def held(who: SignedIn, desk: TheDesk) -> list[shapes.Office]:
    """Offices of the signed policy, and who holds their keys."""
    return all_offices(desk, who.actor)


@router.get("/account")
def own(who: SignedIn) -> shapes.Account:
    """Whose token it is."""
    return account_of(_person(who.person))


@router.patch("/account")
def change(who: SignedIn, desk: TheDesk, given: shapes.Change) -> shapes.Account:
    """Change where you are written to, and in what language."""
    person = _person(who.person)
    with desk.store.writing() as session:
        email = person.email if given.email is None else given.email.strip()
        language = person.language if given.language is None else given.language
        return account_of(accounts.change_own(session, who.actor, email, language, desk.now()))


@router.get("/tokens")
def mine(who: SignedIn, desk: TheDesk) -> list[shapes.Token]:
    """Your own tokens that hold."""
    person = _person(who.person)
    with desk.store.reading() as session:
        return [shapes.Token.model_validate(each) for each in tokens.of_person(session, person.id, desk.now())]


@router.get("/tokens/flaggers")
def flaggers(who: SignedIn, desk: TheDesk) -> list[shapes.Token]:
    """Trusted flaggers' tokens that hold. A new one is proposed, of the kind `flagger`."""
    accounts.require_reader(who.actor)
    with desk.store.reading() as session:
        return [shapes.Token.model_validate(each) for each in tokens.of_flaggers(session, desk.now())]


@router.post("/tokens", status_code=201)
def make(request: Request, who: SignedIn, desk: TheDesk, given: shapes.MakeToken) -> shapes.Made:
    """Make a token of your own, shown once. It takes your password; who has none makes one on the page of the account."""
    if _person(who.person).password is None:
        raise Forbidden(f"{who.actor.name} has no password to prove it by; make the token on the page of the account")
    account.require_password(request, who, given.password, "password")
    with desk.store.writing() as session:
        made = tokens.make(session, who.actor, given.label, given.days, desk.now())
        return shapes.Made(**token_of(made.row).model_dump(), token=made.token)


@router.post("/tokens/{id}/end")
def end(who: SignedIn, desk: TheDesk, id: Id) -> shapes.Token:
    """End a token of your own at once; for an administrator, a flagger's."""
    with desk.store.writing() as session:
        return token_of(tokens.end(session, who.actor, id, desk.now()))


def people(session: Session, actor: Actor, after: str, limit: int) -> shapes.People:
    """A page of them. Raises Forbidden."""
    accounts.require_reader(actor)
    found = accounts.everybody(session, after, limit + 1)
    return shapes.People(people=[_shape(each) for each in found[:limit]], after=found[limit - 1].login if len(found) > limit else None)


def known(session: Session, desk: Desk, actor: Actor, login: str) -> shapes.Known:
    """One, with what waits about them. Raises Forbidden, NotFound."""
    accounts.require_reader(actor)
    found = _shape(accounts.find(session, login))
    return shapes.Known(**found.model_dump(), proposals=about(session, actor, login, desk.now()))


def about(session: Session, actor: Actor, login: str, now: int) -> list[Proposal]:
    """What waits about a person, for who may see proposals; else nothing."""
    if not (actor.may("proposal.make") or actor.may("proposal.confirm")):
        return []
    return proposals.shaped(session, actor, proposing.about(session, actor, login, now))


def all_offices(desk: Desk, actor: Actor) -> list[shapes.Office]:
    """Those of the policy. Raises Forbidden."""
    accounts.require_reader(actor)
    return [shapes.Office(id=id, role=each.role, person=each.person, authority=each.authority) for id, each in sorted(offices.known(desk).items())]


def account_of(person: Row) -> shapes.Account:
    """One's own."""
    return shapes.Account(**_shape(person).model_dump(), language=person.language)


def token_of(row: ApiToken) -> shapes.Token:
    """Without the token itself, which nobody has."""
    return shapes.Token.model_validate(row)


def _shape(person: Row) -> shapes.Person:
    names = ("login", "name", "email", "office", "operator", "made_at", "ended_at")
    ways = [*(["password"] if person.password else []), *(["provider"] if person.subject else [])]
    return shapes.Person.model_validate(
        {**{name: getattr(person, name) for name in names}, "roles": sorted(roles_of(person), key=ROLES.index), "signs_in_by": ways}
    )


def _person(found: Row | None) -> Row:
    if found is None:
        raise Forbidden("this is for people; a flagger's token has no account")
    return found
