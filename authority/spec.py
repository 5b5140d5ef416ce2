"""The ceremony's file: who holds which key, and what may be ordered, by whom, within which limits. People and rules stand in one place.

The policy is made from it; so is every later change of the policy, from the file as it was edited.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from authority import keys
from authority.errors import AuthorityError
from authority.keys import Holder
from authority.places import read
from blocklists import formats, names
from blocklists.directive import Line, Text
from blocklists.errors import BadName
from blocklists.trust import policy, strict
from blocklists.trust.keys import PublicKey
from blocklists.trust.policy import Authority, Category, Count, Limits, Name, Policy


class Section(BaseModel):
    """A part of the ceremony's file: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class Holders(Section):
    """Who signs one offline role, and how many of them must."""

    threshold: Count
    keys: Annotated[tuple[Holder, ...], Field(min_length=1, max_length=16)]


class Officer(Section):
    authority: Name
    key: Holder


class Operator(Section):
    name: Line
    key: Holder


class Ceremony(Section):
    """Everything an authority is made from."""

    origin: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9./_-]{2,199}$")]
    root: Holders
    targets: Holders
    authorities: dict[Name, Authority]
    officers: dict[Name, Officer]
    reviewers: dict[Name, Holder] = Field(default_factory=dict)
    categories: dict[Name, Category]
    withdraw_threshold: Count = 1
    limits: Limits = Limits()
    operators: dict[Name, Operator] = Field(default_factory=dict)
    administrators: tuple[Line, ...] = ()
    protected: tuple[str, ...] = ()
    note: Text | None = None
    demonstration: bool = False

    def epoch(self, begins: int) -> dict[str, Any]:
        """The policy's epoch that judges from a log position on."""
        offices: dict[str, Any] = {
            name: {"role": "officer", "authority": one.authority, "person": one.key.person, "key": one.key.key} for name, one in self.officers.items()
        }
        for name, one in self.reviewers.items():
            if name in offices:
                raise AuthorityError(f"the office {name!r} is an officer's and a reviewer's; give each an id of its own")
            offices[name] = {"role": "reviewer", "person": one.person, "key": one.key}
        return {
            "begins": begins,
            "authorities": self.authorities,
            "categories": self.categories,
            "officers": offices,
            "withdraw_threshold": self.withdraw_threshold,
            "limits": self.limits,
        }

    def policy(self, log_key: PublicKey, epochs: list[dict[str, Any]], compromised: tuple[policy.Compromised, ...] = ()) -> Policy:
        """The policy with these epochs. Raises BadDocument for one that contradicts itself."""
        found: dict[str, Any] = {
            "type": "policy",
            "version": 1,
            "log": {"origin": self.origin, "key": log_key},
            "epochs": epochs,
            "operators": {name: {"name": one.name, "key": one.key.key} for name, one in self.operators.items()},
            "compromised": compromised,
            "holders": {
                "root": tuple(dict.fromkeys(one.person for one in (*self.root.keys, *self.targets.keys))),
                "administrators": self.administrators,
            },
            "note": self.note,
        }
        try:
            made = Policy.model_validate(found)
        except ValidationError as error:
            raise AuthorityError(f"the ceremony: {_fault(error)}") from None
        return policy.load(made.encode())

    def protected_names(self) -> bytes:
        """The target protected.json. Raises AuthorityError for a text that is no name."""
        try:
            found = {names.to_text(names.listed(text)) for text in self.protected}
        except BadName as error:
            raise AuthorityError(f"protected: {error}") from None
        return strict.write({"names": sorted(found), "type": "protected", "version": 1}, "the protected names")


def load(path: Path) -> Ceremony:
    """The ceremony in a YAML file; paths of keys start at the file. Raises AuthorityError naming the first fault met."""
    return from_document(document_in(path, "the ceremony"), path.parent)


def document_in(path: Path, what: str) -> dict[str, Any]:
    """The one mapping in a YAML file, every scalar as text. Raises AuthorityError."""
    found, bad = formats.documents(read(path, what))
    if bad:
        raise AuthorityError(f"{path}, line {bad[0].line}: {bad[0].value}: {bad[0].reason}")
    if len(found) != 1:
        raise AuthorityError(f"{path} holds {len(found)} documents; {what} is one")
    return dict(found[0].data)


def from_document(document: Mapping[str, Any], base: Path) -> Ceremony:
    """As `load`, from what YAML gave."""
    data = dict(document)

    def taken(value: Any) -> Any:
        return keys.read_holder(base / value) if isinstance(value, str) else value

    try:
        for role in ("root", "targets"):
            data[role] = {**data[role], "keys": [taken(each) for each in data[role]["keys"]]}
        for group in ("officers", "operators"):
            data[group] = {name: {**each, "key": taken(each["key"])} for name, each in data.get(group, {}).items()}
        data["reviewers"] = {name: taken(each) for name, each in data.get("reviewers", {}).items()}
    except (KeyError, TypeError, AttributeError) as error:
        raise AuthorityError(f"the ceremony misses {error}, or writes it in another way; see: redhand authority init --example") from None
    try:
        return Ceremony.model_validate(data)
    except ValidationError as error:
        raise AuthorityError(f"the ceremony: {_fault(error)}; see: redhand authority init --example") from None


def _fault(error: ValidationError) -> str:
    fault = error.errors(include_url=False, include_context=False)[0]
    return f"{'.'.join(map(str, fault['loc']))}: {fault['msg'].removeprefix('Value error, ')[:400]}"
