"""The authority's policy: who may order what, with how many signatures, within which limits, by epoch of log position.

The root and targets holders sign it offline (TUF's targets role). It only grows: an epoch that has begun is never changed, so that the same entry of
the log is judged alike today and in ten years; the one thing that reaches back is `compromised`, which takes away what a stolen key signed.
Pure: it verifies no signature and reads no clock.
"""

from __future__ import annotations

import unicodedata
from bisect import bisect_right
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PlainSerializer, ValidationError, WithJsonSchema, model_validator

from blocklists.directive import Line, Part, Text, Texts
from blocklists.errors import BadDocument
from blocklists.names import clip, visible
from blocklists.trust import strict
from blocklists.trust.keys import PublicKey, load_key

MAX_OCTETS = 4 << 20
MAX_EPOCHS = 10_000

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
"""An id within the policy, such as officer-1."""
Index = Annotated[int, Field(ge=0, le=2**48)]
Count = Annotated[int, Field(ge=1, le=16)]


KEY_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "keytype": {"enum": ["ed25519", "ecdsa"]},
        "scheme": {"enum": ["ed25519", "ecdsa-sha2-nistp256"]},
        "keyval": {"type": "object", "properties": {"public": {"type": "string"}}, "required": ["public"], "additionalProperties": False},
    },
    "required": ["keytype", "scheme", "keyval"],
    "additionalProperties": False,
}


def _key(value: Any) -> PublicKey:
    return value if isinstance(value, PublicKey) else load_key(value, "a key of the policy")


class Keyed(Part):
    """Whoever has a key."""

    key: Annotated[Any, BeforeValidator(_key), PlainSerializer(lambda key: key.document), WithJsonSchema(KEY_SCHEMA)]
    """A PublicKey."""


class LogKey(Keyed):
    """Who keeps the log: its origin is its name, and its key signs its checkpoints."""

    origin: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9./_-]{2,199}$")]


class Authority(Part):
    name: Line
    contact: Line
    register_url: Annotated[str, Field(pattern=r"^https?://[!#$%&'()*+,./0-9:;=?@A-Z_a-z~-]{1,500}$")] | None = None
    """Where it publishes its orders, each on a page of its own: this address with the order's reference behind it. Visitors' pages lead there."""


class Clocks(Part):
    """How long each step may take, in hours."""

    owner_hours: Annotated[int, Field(ge=0, le=8784)] = 24
    operator_hours: Annotated[int, Field(ge=0, le=8784)] = 24
    review_hours: Annotated[int, Field(ge=1, le=87_840)] = 24 * 92
    grace_hours: Annotated[int, Field(ge=0, le=8784)] = 24 * 14
    """By how much an order may outlast the day on which its review is due: one that nobody reviewed ends by itself."""
    restore_hours: Annotated[int, Field(ge=0, le=8784)] = 24


class Category(Part):
    """One ground for blocking."""

    authorities: Annotated[tuple[Name, ...], Field(min_length=1, max_length=100)]
    """Whose officers may order it."""
    threshold: Count = 2
    """Distinct officers who must sign a block or an amendment."""
    max_days: Annotated[int, Field(ge=1, le=3660)] = 366
    """An order of this category ends within so many days of its beginning."""
    texts: Texts
    """What visitors are told, by language, such as: provokes acts of terrorism or publicly apologises for them."""
    clocks: Clocks = Clocks()


class Officer(Keyed):
    """Somebody who signs: an officer of one authority, or the independent reviewer."""

    role: Literal["officer", "reviewer"]
    authority: Name | None = None
    """Of an officer; a reviewer has none."""
    person: Line
    """The holder's own name or service number: nobody holds two offices that check each other."""

    @model_validator(mode="after")
    def _belongs(self) -> Officer:
        if (self.role == "officer") != (self.authority is not None):
            raise ValueError("authority: an officer belongs to one, a reviewer to none")
        return self


class Limits(Part):
    """How many names may newly be blocked, over logged time; what goes beyond is held by every operator until a person releases it."""

    names_per_hour: Annotated[int, Field(ge=1)] = 1_000
    names_per_day: Annotated[int, Field(ge=1)] = 5_000


class Epoch(Part):
    """What holds from one log position on, until the next epoch begins."""

    begins: Index
    """The first log position (from 0) it judges."""
    authorities: Annotated[dict[Name, Authority], Field(min_length=1, max_length=100)]
    categories: Annotated[dict[Name, Category], Field(min_length=1, max_length=1000)]
    officers: Annotated[dict[Name, Officer], Field(min_length=1, max_length=1000)]
    """By office id."""
    withdraw_threshold: Count = 1
    """Distinct officers (or the reviewer, who counts as one) who must sign a withdrawal."""
    limits: Limits = Limits()

    @model_validator(mode="after")
    def _coherent(self) -> Epoch:
        for name, category in self.categories.items():
            for authority in category.authorities:
                if authority not in self.authorities:
                    raise ValueError(f"categories.{name}: names the authority {authority!r}, which the epoch does not have; add it")
            able = sum(officer.authority in category.authorities for officer in self.officers.values())
            if able < category.threshold:
                raise ValueError(f"categories.{name}: needs {category.threshold} officers, and {able} may order it; add officers")
        ids = [officer.key.keyid for officer in self.officers.values()]
        if len(set(ids)) != len(ids):
            raise ValueError("officers: two offices have the same key, so that one person would count as two; give each a key of its own")
        people = [same_person(officer.person) for officer in self.officers.values()]
        if len(set(people)) != len(people):
            twice = next(officer.person for officer in self.officers.values() if people.count(same_person(officer.person)) > 1)
            raise ValueError(f"officers: {twice!r} holds two offices, and would count as two; give one to somebody else")
        return self

    @cached_property
    def by_key(self) -> dict[str, str]:
        """Office ids by key id."""
        return {officer.key.keyid: name for name, officer in self.officers.items()}

    @cached_property
    def keys(self) -> dict[str, PublicKey]:
        """Officers' and reviewers' keys by key id."""
        return {officer.key.keyid: officer.key for officer in self.officers.values()}


class Operator(Keyed):
    """An internet provider that carries orders out, and the key its receipts are signed with."""

    name: Line


class Compromised(Part):
    """A key that counts for nothing from a log position on, in whatever epoch."""

    keyid: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    since: Index


class Holders(Part):
    """People who hold offices outside the epochs, by name or service number."""

    root: tuple[Line, ...] = ()
    administrators: tuple[Line, ...] = ()


class Policy(Part):
    """The whole policy."""

    type: Literal["policy"]
    version: Literal[1]
    log: LogKey
    epochs: Annotated[tuple[Epoch, ...], Field(min_length=1, max_length=MAX_EPOCHS)]
    operators: Annotated[dict[Name, Operator], Field(max_length=100_000)] = Field(default_factory=dict)
    compromised: Annotated[tuple[Compromised, ...], Field(max_length=10_000)] = ()
    holders: Holders = Holders()
    note: Text | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Policy:
        begins = [epoch.begins for epoch in self.epochs]
        if begins[0] != 0 or begins != sorted(set(begins)):
            raise ValueError("epochs: the first begins at log position 0, and each later one after the one before; put them in order")
        return self

    def at(self, index: int) -> Epoch:
        """What judges the entry at a log position."""
        return self.epochs[bisect_right(self.epochs, index, key=lambda epoch: epoch.begins) - 1]

    def is_compromised(self, keyid: str, index: int) -> bool:
        """Whether a key counts for nothing at a log position, whatever office it has there."""
        return self._since.get(keyid, index + 1) <= index

    @cached_property
    def _since(self) -> dict[str, int]:
        """The first position at which each compromised key counts no more."""
        return {each.keyid: each.since for each in sorted(self.compromised, key=lambda each: -each.since)}

    def document(self) -> dict[str, Any]:
        """Its fields as JSON knows them, absent ones left out; `load`'s inverse."""
        return self.model_dump(mode="json", exclude_none=True)

    def encode(self) -> bytes:
        """Its one form."""
        return strict.write(self.document(), "the policy")


def same_person(name: str) -> str:
    """Equal for two ways to write one name: letter case, white space and ways to write a letter apart."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def load(data: bytes) -> Policy:
    """The policy in a target's bytes. Raises BadDocument naming the first fault met."""
    return from_document(strict.read(data, "the policy", MAX_OCTETS))


def from_document(document: dict[str, Any]) -> Policy:
    """As `load`, from what JSON gave; every field must stand there as `Policy.document` writes it."""
    try:
        found = Policy.model_validate(document)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        place = visible(".".join(map(str, fault["loc"])))
        reason = clip(fault["msg"].removeprefix("Value error, "))
        raise BadDocument(f"the policy: {place}: {reason}; the authority must mend and sign it again") from None
    if found.encode() != strict.write(document, "the policy"):  # bytes, because Python takes true for 1
        raise BadDocument(
            "the policy leaves out a default, or spells a value otherwise than it is written; the authority must mend and sign it again"
        )
    return found


def check_follows(new: Policy, old: Policy, size: int) -> None:
    """Raises BadDocument unless `new` judges all entries below log size `size` as `old` does, compromised keys apart."""
    if new.log.origin != old.log.origin:
        raise BadDocument(f"the new policy is for the log {new.log.origin}, and ours is {old.log.origin}; the authority must not change it")
    past = [epoch for epoch in old.epochs if epoch.begins < size]
    if list(new.epochs[: len(past)]) != past or any(epoch.begins < size for epoch in new.epochs[len(past) :]):
        raise BadDocument(f"the new policy changes an epoch that began before log position {size}; the authority must add an epoch instead")
    known = {(each.keyid, each.since) for each in new.compromised}
    if any((each.keyid, each.since) not in known for each in old.compromised):
        raise BadDocument("the new policy takes back that a key was compromised; the authority must leave such lines in")
