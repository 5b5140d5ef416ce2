"""A directive: one order to block, amend, suspend or withdraw, typed; and the fold of many into what is in force.

Pure: dictionaries and `now` in, models and stretches of time out. Nothing is verified here (signatures are the feed's matter) and nothing is
repaired: a field that is missing, misspelt or impossible is refused with BadDirective, which names it.

The digest of a directive is the SHA-256 of its canonical JSON: UTF-8, keys sorted, no white space, integers only, absent fields left out. For the
field names and language tags that stand here, that is RFC 8785.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, NamedTuple, Protocol, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PlainSerializer,
    StringConstraints,
    ValidationError,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import CoreSchema, core_schema

from blocklists import names
from blocklists.errors import BadDocument, RedHandError
from blocklists.trust import strict

SUSPENSION_SECONDS = 72 * 3600
"""How long one suspension lasts at most, from its effective time."""

EMERGENCY_SECONDS = 72 * 3600
"""How long an emergency order lasts, from its effective time, unless the reviewer has confirmed it."""

NEVER = 1 << 32
"""Later than any time a directive can name (they end with the year 2105), in unix seconds."""

_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


class BadDirective(RedHandError, ValueError):
    """A document is not a directive. `field` says where, as a path of keys and positions; the text says why and what to do."""

    def __init__(self, field: tuple[str | int, ...], text: str) -> None:
        super().__init__(f"{names.visible('.'.join(map(str, field)), 200)}: {text}" if field else text)
        self.field = field


def _instant(value: object) -> object:
    if isinstance(value, datetime):
        value = value.isoformat()
    if not isinstance(value, str) or not _INSTANT.fullmatch(value):
        raise ValueError("write the time with its zone and without fractions, such as 2026-03-01T09:00:00Z")
    instant = datetime.fromisoformat(value.upper())
    if not 1971 <= instant.year <= 2105:
        raise ValueError("write a year from 1971 to 2105")
    return instant.astimezone(UTC)


def _true(value: object) -> object:
    return True if value == "true" else value


@dataclass(frozen=True)
class _like:
    """Refuses a text that does not match the whole pattern, and says what would; the schema shows the pattern."""

    pattern: str
    remedy: str

    def __get_pydantic_core_schema__(self, source: type[Any], handler: GetCoreSchemaHandler) -> CoreSchema:
        compiled = re.compile(self.pattern, re.ASCII)

        def check(value: str) -> str:
            if not compiled.fullmatch(value):
                raise ValueError(self.remedy)
            return value

        return core_schema.no_info_after_validator_function(check, handler(source))

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {**handler(core), "pattern": f"^(?:{self.pattern})$"}


def _fqdn(value: str) -> str:
    if value.isascii() and (key := names.plain_key(value.encode())) is not None and not names.ends_in_number(key):
        return value.lower().removesuffix(".")  # what the line below gives for so plain a name, in a third of the time
    return names.to_text(names.listed(value))


def show_time(instant: datetime) -> str:
    """`2026-03-01T09:00:00Z`."""
    return instant.strftime("%Y-%m-%dT%H:%M:%SZ")


Instant = Annotated[
    datetime,
    BeforeValidator(_instant),
    PlainSerializer(show_time),
    WithJsonSchema({"type": "string", "format": "date-time", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$"}),
]
Line = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=500),
    _like(r"[^\x00-\x1f\x7f-\x9f]*", "write it on one line, without control characters"),
]
Text = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=20_000),
    _like(r"[^\x00-\x08\x0b-\x1f\x7f-\x9f]*", "leave out control characters"),
]
Language = Annotated[str, _like(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}", "write a language tag, such as fr, en or pt-BR")]
Texts = Annotated[dict[Language, Text], Field(min_length=1, max_length=32)]
Id = Annotated[str, _like(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", "write 1 to 64 ASCII letters, digits, dots, - or _, such as FR-2026-000123")]
Digest = Annotated[str, _like(r"sha256:[0-9a-f]{64}", "write sha256: and 64 hex digits in lower case")]
Nonce = Annotated[str, _like(r"[0-9a-f]{32}", "write 32 hex digits in lower case")]


class Timed(Protocol):
    """What begins and ends by its own terms."""

    @property
    def starts(self) -> int:
        """Unix seconds, inclusive."""

    @property
    def ends(self) -> int:
        """Unix seconds, exclusive."""


Order = TypeVar("Order", bound=Timed)


class Part(BaseModel):
    """A directive or a part of one: unknown fields are refused, nothing changes after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Target(Part):
    fqdn: Annotated[str, Field(max_length=names.MAX_TEXT), AfterValidator(_fqdn)]
    """The name in A-labels, lower case, without the final dot; a U-label is turned into its A-label."""
    match: Literal["exact", "subtree"]
    """Only this name, or with everything under it."""

    @property
    def key(self) -> bytes:
        return names.plain_key(self.fqdn.encode()) or names.key(names.parse(self.fqdn))


class Issuer(Part):
    authority: Line
    contact: Line
    """Where the authority answers for its order: an address of any kind."""
    signers: Annotated[tuple[Line, ...], Field(min_length=1, max_length=16)] | None = None
    """Office ids of those who signed."""


class RemovalRequest(Part):
    """What was asked of the host or publisher before."""

    sent_at: Instant
    recipient: Line
    deadline: Instant
    outcome: Line


class GuardResult(Part):
    """What a guard said before the order was signed."""

    guard: Literal["protected_name", "public_suffix", "popularity", "shared_hosting", "other_names", "resolution"]
    """other_names: how many more names the order catches; resolution: whether its names exist."""
    result: Line
    tool: Line
    data_version: Line


class Redress(Part):
    """How those concerned can have the order reviewed."""

    url: Line
    deadline_days: Annotated[int, Field(ge=1, le=3660)]
    court: Line
    text: Texts | None = None


class Nondisclosure(Part):
    until: Instant
    basis: Line
    judge: Line | None = None
    """The court's decision that orders it; without one, the reviewer signs the order too."""


class Emergency(Part):
    """Why no removal was asked for first."""

    ground: Line
    confirmed_at: Instant | None = None
    """When the reviewer confirmed it: in a transcription only, because a signed order cannot carry what is decided after it."""


class Directive(Part):
    """One order. An amendment restates the whole order; a suspension or a withdrawal concerns all of an id, so it has no targets."""

    type: Literal["directive"] = "directive"
    version: Annotated[Literal[1], BeforeValidator(lambda value: 1 if value == "1" else value)] = 1
    log: Line | None = None
    """Origin of the log it was published in; absent in a transcription."""
    nonce: Nonce | None = None
    """128 random bits, which hide the entry behind its leaf hash; absent in a transcription."""
    id: Id
    """Public reference, the same for an order and all that follows it. It blocks once."""
    action: Literal["block", "amend", "suspend", "withdraw"]
    follows: Digest | None = None
    """Digest of the directive that this one amends, suspends or withdraws."""
    issuer: Issuer
    targets: Annotated[tuple[Target, ...], Field(min_length=1, max_length=1000)] | None = None
    category: Line | None = None
    legal_basis: Line | None = None
    reasons: Texts
    """By language."""
    evidence: Annotated[tuple[Line, ...], Field(min_length=1, max_length=1000)] | None = None
    """Salted commitments to what was seen."""
    removal_request: RemovalRequest | None = None
    owner_unidentifiable: Annotated[Literal[True], BeforeValidator(_true)] | None = None
    owner_unidentifiable_why: Line | None = None
    issued_at: Instant
    effective_at: Instant | None = None
    """A suspension or withdrawal without one takes effect when it is issued."""
    enforce_by: Instant | None = None
    review_due: Instant | None = None
    reviewer: Line | None = None
    """Who reviews, as the page says it."""
    expires_at: Instant | None = None
    guards: Annotated[tuple[GuardResult, ...], Field(min_length=1, max_length=64)] | None = None
    redress: Redress | None = None
    territorial_scope: Line | None = None
    nondisclosure: Nondisclosure | None = None
    emergency: Emergency | None = None

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        blocks = self.action in {"block", "amend"}
        if (self.action == "block") != (self.follows is None):
            raise ValueError(
                "follows: a block follows nothing; any other action needs the sha256:… digest of what it follows, as `redhand check` prints it"
            )
        if blocks:
            for field in ("targets", "category", "legal_basis", "effective_at", "expires_at", "redress"):
                if getattr(self, field) is None:
                    raise ValueError(f"{field}: is missing; to {self.action} needs it")
        elif self.targets is not None:
            raise ValueError(f"targets: to {self.action} concerns the whole id; remove the targets, or amend to drop some of them")
        if self.expires_at is not None and self.begins > self.expires_at:
            raise ValueError(f"expires_at: {show_time(self.expires_at)} is before the order takes effect at {show_time(self.begins)}; correct one")
        if bool(self.owner_unidentifiable) != bool(self.owner_unidentifiable_why):
            raise ValueError("owner_unidentifiable: true and owner_unidentifiable_why go together; give both or neither")
        if self.owner_unidentifiable and self.removal_request:
            raise ValueError("owner_unidentifiable: contradicts removal_request; keep the one that is so")
        return self

    @property
    def begins(self) -> datetime:
        return self.effective_at or self.issued_at

    @property
    def starts(self) -> int:
        """Unix seconds from which it has effect."""
        return int(self.begins.timestamp())

    @property
    def ends(self) -> int:
        """Unix seconds at which its effect is over by its own terms; NEVER for a withdrawal."""
        if self.action == "withdraw":
            return NEVER
        limits = [int(self.expires_at.timestamp())] if self.expires_at else []
        if self.action == "suspend":
            limits.append(self.starts + SUSPENSION_SECONDS)
        if self.emergency and not self.emergency.confirmed_at:
            limits.append(self.starts + EMERGENCY_SECONDS)
        return min(limits)

    def document(self) -> dict[str, Any]:
        """Its fields as JSON knows them, absent ones left out; the input of the digest, and `load`'s inverse."""
        return self.model_dump(mode="json", exclude_none=True)

    def digest(self) -> str:
        """`sha256:` and 64 hex digits over the canonical JSON of `document`."""
        return "sha256:" + hashlib.sha256(canonical(self.document())).hexdigest()


def canonical(document: Mapping[str, Any]) -> bytes:
    """Canonical JSON of a document without floats."""
    return json.dumps(document, ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":")).encode()


def load(document: Mapping[str, Any]) -> Directive:
    """The directive in a document (from JSON, or from YAML with every scalar left as text). Raises BadDirective, for the first fault met."""
    try:
        return Directive.model_validate(document)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
    field, text, value = fault["loc"], fault["msg"].removeprefix("Value error, "), fault["input"]
    if not field and ": " in text:
        name, _, text = text.partition(": ")
        field = (name,)
    if fault["type"] == "missing":
        raise BadDirective(field, "is missing; a directive needs it")
    if fault["type"] == "extra_forbidden":
        raise BadDirective(field, "is not a field of a directive; remove it or mend its spelling")
    if isinstance(value, Mapping | list | tuple):
        raise BadDirective(field, text)
    raise BadDirective(field, f"{names.clip(str(value))}: {text}")


def read(payload: bytes, what: str = "the order") -> Directive:
    """The directive in what was signed. Raises BadDocument, naming `what`, unless it is one in its one form, and carries what a signed one must."""
    document = strict.read(payload, what, strict.MAX_PAYLOAD)
    try:
        found = load(document)
        check_signable(found)
    except BadDirective as error:
        raise BadDocument(f"{what}: {error}") from None
    if canonical(found.document()) != payload:  # bytes, because Python takes true for 1
        raise BadDocument(f"{what} spells a value otherwise than it is written (a name in A-labels, a time in UTC); write it so, and sign it again")
    return found


def check_signable(directive: Directive) -> None:
    """Raises BadDirective for what a transcription may lack, or carry, and a signed order may not."""
    for field in ("log", "nonce"):
        if getattr(directive, field) is None:
            raise BadDirective((field,), "is missing; a signed order needs it, or it could be played again elsewhere")
    if directive.action not in {"block", "amend"}:
        return
    if directive.emergency and directive.emergency.confirmed_at:
        raise BadDirective(("emergency", "confirmed_at"), "is not known when an order is signed; the reviewer's decision is an entry of its own")
    if not (directive.removal_request or directive.owner_unidentifiable or directive.emergency):
        raise BadDirective(("removal_request",), "is missing; say what was asked of the owner before, or give owner_unidentifiable or emergency")


class Term(NamedTuple):
    """What a directive says for one stretch of time."""

    directive: Directive
    starts: int
    """Unix seconds, inclusive."""
    ends: int
    """Unix seconds, exclusive."""


class Folded(NamedTuple):
    """What many directives come to."""

    terms: list[Term]
    """In force or yet to come, in the order of their blocks and then of time."""
    withdrawn: tuple[str, ...]
    """Ids that no block may use any more, sorted."""
    without_effect: list[tuple[int, str]]
    """Positions of directives that change nothing, with the reason."""


def fold(directives: Sequence[Directive], now: int) -> Folded:
    """What is in force at `now` (unix seconds) or yet to come.

    An `id` blocks once, the first time it does. An amendment takes the place, from its effective time on, of the directive that it follows, which
    must be the newest of its id. A suspension opens a gap. A withdrawal ends its id for ever. These last two go by `id`, whatever they follow:
    what they follow may not have reached us, and unblocking outranks blocking.
    """
    cases: dict[str, list[int]] = {}
    for position, directive in enumerate(directives):
        cases.setdefault(directive.id, []).append(position)
    terms: list[Term] = []
    idle: dict[int, str] = {}
    for identity, positions in cases.items():
        chain = _chain(identity, positions, directives, idle)
        followers = [directives[position] for position in positions]
        gaps = [(one.starts, one.ends) for one in followers if one.action == "suspend"]
        over = min((one.starts for one in followers if one.action == "withdraw"), default=NEVER)
        terms += [Term(*stretch) for stretch in stretches(chain, gaps, over) if stretch[2] > now]
    withdrawn = {directive.id for directive in directives if directive.action == "withdraw" and directive.starts <= now}
    return Folded(terms, tuple(sorted(withdrawn)), sorted(idle.items()))


def _chain(identity: str, positions: list[int], directives: Sequence[Directive], idle: dict[int, str]) -> list[Directive]:
    """The block of an id and its amendments, each following the one before; says in `idle` why the others are not among them."""
    block: int | None = None
    amendments: dict[str | None, int] = {}
    for position in positions:
        directive = directives[position]
        if directive.action == "block":
            if block is not None:
                idle[position] = f"{identity} blocks already, and an id blocks once; remove the copy, amend the first, or use the order's own id"
            block = position if block is None else block
        elif directive.action == "amend" and amendments.setdefault(directive.follows, position) != position:
            idle[position] = f"another amendment of {identity} follows the same directive; let this one follow that other"
    if block is None:
        idle.update((position, f"no block of {identity} is here; check the id, or remove this as the block was removed") for position in positions)
        return []
    chain = [directives[block]]
    while (following := amendments.pop(chain[-1].digest(), None)) is not None:
        chain.append(directives[following])
    idle.update((stray, f"it does not follow the newest directive of {identity}, which is {chain[-1].digest()}") for stray in amendments.values())
    return chain


def stretches(chain: Sequence[Order], gaps: Iterable[tuple[int, int]], over: int) -> list[tuple[Order, int, int]]:
    """Which order of a chain (a block and its amendments, oldest first) is in force from when until when, in the order of time.

    Each takes the place of the one before when it starts; `gaps` are suspensions, from when until when; all ends at `over`. Unix seconds.
    """
    found: list[tuple[Order, int, int]] = []
    for order in reversed(chain):
        pieces = [(order.starts, min(order.ends, over))]
        for opens, closes in gaps:
            pieces = [cut for starts, ends in pieces for cut in ((starts, min(ends, opens)), (max(starts, closes), ends)) if cut[0] < cut[1]]
        found[:0] = [(order, starts, ends) for starts, ends in pieces if starts < ends]
        over = min(over, order.starts)
    return found
