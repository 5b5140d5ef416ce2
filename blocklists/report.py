"""A report that a block is an error, what the authority made of it, and the list in which it says so to an operator.

The report is what a visitor wrote, and nothing else of the visitor; the authority learns from the operator's token whose visitor it was. That it was
taken is an `Acknowledgement` of its digest. Pure: who sent or signed which is the caller's matter.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable
from typing import Annotated, Any, Literal, TypeVar, get_args

from pydantic import AfterValidator, Field, StringConstraints, ValidationError

from blocklists.directive import Id, Language, Line, Part
from blocklists.errors import BadDocument
from blocklists.names import clip
from blocklists.trust import strict

MOST_WORDS = 4_000
"""Characters of what a visitor writes, and of the answer."""
MOST_CONTACT = 254
"""RFC 5321 section 4.5.3.1.3, less the brackets."""
MAX_OCTETS = 24_000
"""Of one report."""
MOST_OUTCOMES = 20
"""In one list: with the longest answers they still fit an envelope."""

LETTERS = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
"""Of a reference: none that is taken for another when it is read out."""
GROUPS = 4
"""Of four letters each: nobody guesses one of 31**16."""

Decision = Literal["upheld", "lifted", "amended", "elsewhere", "unknown"]
"""The order stands; is lifted; is changed; has nothing to do with the fault; or is none that the authority knows."""
DECISIONS: tuple[Decision, ...] = get_args(Decision)

_REFERENCE = re.compile(rf"[{LETTERS}]{{4}}(-[{LETTERS}]{{4}}){{{GROUPS - 1}}}")
_ODD = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters, those that turn the direction of text after them, and halves of surrogate pairs."""
_CONTACT = re.compile(r"[^\s@<>,;:\"()\[\]\\]{1,64}@[^\s@<>,;:\"()\[\]\\]{1,189}")


def new_reference(draw: Callable[[int], int] = secrets.randbelow) -> str:
    """A reference such as `7K2M-QX4R-9DHT-WE5C`. `draw` gives a number below another; what is drawn by heart is no secret."""
    made = "".join(LETTERS[draw(len(LETTERS))] for _ in range(4 * GROUPS))
    return "-".join(made[start : start + 4] for start in range(0, 4 * GROUPS, 4))


def reference_in(text: str) -> str | None:
    """The reference that somebody typed, in its one form: letter case, blanks and hyphens do not matter. None when it is none."""
    if len(text) > 100:
        return None
    letters = "".join(text.replace("-", " ").split()).upper()
    found = "-".join(letters[start : start + 4] for start in range(0, len(letters), 4))
    return found if _REFERENCE.fullmatch(found) else None


def _reference(value: str) -> str:
    if not _REFERENCE.fullmatch(value):
        raise ValueError("write four groups of four letters and digits, such as 7K2M-QX4R-9DHT-WE5C")
    return value


def odd(text: str) -> str:
    """The first character of a text that no report may have; empty when there is none."""
    found = _ODD.search(text)
    return found[0] if found else ""


def is_contact(text: str) -> bool:
    """Whether it can be an e-mail address; whether it is one, only mail can tell."""
    return len(text) <= MOST_CONTACT and _CONTACT.fullmatch(text) is not None


def _plain(value: str) -> str:
    if found := odd(value):
        raise ValueError(f"leave out the character U+{ord(found):04X}")
    return value


def _contact(value: str) -> str:
    if value and not is_contact(value):
        raise ValueError("write one e-mail address, such as somebody@site.example, or none")
    return value


Reference = Annotated[str, AfterValidator(_reference)]
Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MOST_WORDS), AfterValidator(_plain)]
Contact = Annotated[str, AfterValidator(_contact), AfterValidator(_plain)]
Time = Annotated[int, Field(strict=True, ge=0, lt=1 << 33)]
"""Unix seconds."""


def digest(data: bytes) -> str:
    """What a report is named by when it is acknowledged."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Report(Part):
    """What a visitor wrote."""

    type: Literal["report"]
    version: Literal[1]
    reference: Reference
    """The visitor follows it by this; who knows it learns what became of it, and nothing that was written."""
    order: Id
    """The public reference of the order."""
    name: Annotated[str, StringConstraints(min_length=1, max_length=1024), AfterValidator(_plain)]
    """The site's, as the visitor meant to reach it: under the listed name, or an alias of it."""
    words: Words
    contact: Contact
    """An e-mail address, if one was given; else empty."""
    language: Language
    """Of the page on which it was written, in which the answer is looked for."""
    at: Time
    """When, to the hour."""

    def encode(self) -> bytes:
        """Its one form. Raises BadDocument when it has none, or is too large."""
        data = strict.write(self.model_dump(mode="json"), "the report")
        if len(data) > MAX_OCTETS:
            raise BadDocument(f"the report has {len(data)} octets, more than the {MAX_OCTETS} allowed; shorten it")
        return data


class Outcome(Part):
    """What became of one."""

    number: Annotated[int, Field(strict=True, ge=1, le=strict.MAX_INTEGER)]
    """Outcomes for one operator are numbered upwards, with gaps."""
    reference: Reference
    decision: Decision
    answer: Annotated[str, StringConstraints(strip_whitespace=True, max_length=MOST_WORDS), AfterValidator(_plain)]
    """The authority's words; empty where `decision` says it all."""
    language: Language
    """Of the answer."""
    at: Time


class Outcomes(Part):
    """Those after a number, the oldest first."""

    type: Literal["outcomes"]
    version: Literal[1]
    log: Line
    operator: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
    """Its id in the policy."""
    after: Annotated[int, Field(strict=True, ge=0, le=strict.MAX_INTEGER)]
    """What was asked for: an answer to another question is no answer."""
    outcomes: Annotated[list[Outcome], Field(max_length=MOST_OUTCOMES)]

    def encode(self) -> bytes:
        """What is signed."""
        return strict.write(self.model_dump(mode="json"), "the outcomes")


M = TypeVar("M", Report, Outcome, Outcomes)


def read(data: bytes, what: str = "the report") -> Report:
    """The report in these bytes. Raises BadDocument, naming `what`, unless `encode` gives the same again."""
    return _read(data, Report, what, MAX_OCTETS)


def read_outcome(data: bytes, what: str = "the outcome") -> Outcome:
    """As `read`, for one outcome by itself."""
    return _read(data, Outcome, what, MAX_OCTETS)


def read_outcomes(payload: bytes, what: str = "the outcomes") -> Outcomes:
    """As `read`, for a list. Its numbers rise, from above `after`."""
    found = _read(payload, Outcomes, what, strict.MAX_PAYLOAD)
    numbers = [found.after, *(each.number for each in found.outcomes)]
    if numbers != sorted(set(numbers)):
        raise BadDocument(f"{what}: the numbers do not rise from {found.after}; ask the authority")
    return found


def _read(data: bytes, model: type[M], what: str, most: int) -> M:
    document: dict[str, Any] = strict.read(data, what, most)
    try:
        found = model.model_validate(document)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        said = fault["msg"].removeprefix("Value error, ")
        raise BadDocument(f"{what}: {'.'.join(map(str, fault['loc']))}: {clip(said, 200)}; ask whoever wrote it") from None
    if found.model_dump(mode="json") != document:
        raise BadDocument(f"{what} spells a value otherwise than it is written; ask whoever wrote it")
    return found
