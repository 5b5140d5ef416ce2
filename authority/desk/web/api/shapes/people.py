"""What goes in and out of people, one's own account, and tokens."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from authority.desk.people import tokens
from authority.desk.roles import Role
from authority.desk.web.api.shapes.common import In, Line, Out
from authority.desk.web.api.shapes.proposals import Proposal


class Person(Out):
    login: str
    name: str
    email: str
    roles: list[Role]
    office: Annotated[str | None, Field(description="The office in the signed policy whose key the person holds.")]
    operator: Annotated[str | None, Field(description="For the role operator: the provider's id in the policy.")]
    signs_in_by: Annotated[list[Literal["password", "provider"]], Field(description="Nothing yet: the person was invited.")]
    made_at: int
    ended_at: int | None


class People(Out):
    people: list[Person]
    after: Annotated[str | None, Field(description="Where the next page begins; null: this is the last.")]


class Known(Person):
    """A person, with what is proposed about them and waits."""

    proposals: list[Proposal]


class Office(Out):
    id: str
    role: str
    person: Annotated[str, Field(description="Who holds it, by the policy.")]
    authority: str | None


class Account(Person):
    """One's own."""

    language: Annotated[str, Field(description="In which pages and mail come; empty: as the browser asks.")]


class Change(In):
    """What is given changes; what is left out stays."""

    email: Annotated[str | None, Field(max_length=254)] = None
    language: Literal["", "en", "fr"] | None = None


class Token(Out):
    id: int
    label: str
    flagger: Annotated[str | None, Field(description="Whose it is, when it is a trusted flagger's.")]
    made_at: int
    ends_at: int


class MakeToken(In):
    label: Annotated[str, Field(min_length=1, max_length=200, description="What it is for.")]
    days: Annotated[int, Field(ge=1, le=tokens.MOST_DAYS)] = 90
    password: Annotated[Line, Field(description="Yours: a token that was stolen makes no other.")]


class Made(Token):
    token: Annotated[str, Field(description="It is shown only now.")]
