"""A proof about one name: one file that shows to anybody, who has only the authority's root file, what its officers signed and its log took.

Here is the file's form, and nothing is believed: `proving` makes one from an operator's state directory, `verification` judges one. Its bytes are
canonical JSON (trust.strict), all that was signed or hashed stands there in base64:

    name, at               the question: a name, and a time in unix seconds
    roots                  root metadata after the first, in order
    targets                the metadata that vouches for the three files
    policy                 policy.json
    checkpoint             the signed note
    pins                   {"by","proof"}: that the log goes on from the state that root and targets name, which people signed offline
    entries                {"position","entry","proof"}: all that bears on the name, each with its inclusion
    protected, suffixes    with a prefix only: the two files that the docket judges by besides
    prefix                 all entries of the log under the checkpoint, or null
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from blocklists import names
from blocklists.errors import BadDocument, BadName
from blocklists.log.merkle import HASH
from blocklists.names import clip
from blocklists.trust import strict

MAX_OCTETS = 1 << 30
"""Of a proof with its prefix: half a million orders."""
MAX_TIME = 1 << 33
_MEND = "ask whoever gave it for a sound copy"
_FIELDS = frozenset(
    ("type", "version", "name", "at", "roots", "targets", "policy", "checkpoint", "pins", "entries", "protected", "suffixes", "prefix")
)

T = TypeVar("T")


class Pin(NamedTuple):
    """How the log goes on from what was signed offline."""

    by: str
    """root or targets."""
    proof: list[bytes]
    """Consistency, from the pinned state to the checkpoint."""


class Shown(NamedTuple):
    """One entry of the log."""

    position: int
    entry: bytes
    proof: list[bytes]
    """Inclusion under the checkpoint."""

    def document(self) -> dict[str, Any]:
        """As JSON knows it."""
        return {"position": self.position, "entry": _text(self.entry), "proof": [_text(node) for node in self.proof]}


class Proof(NamedTuple):
    """The content of a proof file, unverified."""

    name: str
    """A-labels, lower case, no final dot."""
    at: int
    roots: list[bytes]
    targets: bytes
    policy: bytes
    checkpoint: bytes
    pins: list[Pin]
    entries: list[Shown]
    protected: bytes | None = None
    suffixes: bytes | None = None
    prefix: list[bytes] | None = None

    def encode(self) -> bytes:
        """Its one form."""
        document: dict[str, Any] = {
            **self._asdict(),
            "type": "proof",
            "version": 1,
            "roots": [_text(each) for each in self.roots],
            "targets": _text(self.targets),
            "policy": _text(self.policy),
            "checkpoint": _text(self.checkpoint),
            "pins": [{"by": pin.by, "proof": [_text(each) for each in pin.proof]} for pin in self.pins],
            "entries": [each.document() for each in self.entries],
            "protected": None if self.protected is None else _text(self.protected),
            "suffixes": None if self.suffixes is None else _text(self.suffixes),
            "prefix": None if self.prefix is None else [_text(each) for each in self.prefix],
        }
        return strict.write(document, "the proof")


def read(data: bytes, what: str = "the proof") -> Proof:
    """The proof in a file. Raises BadDocument, naming `what`, unless `encode` gives the same bytes again."""
    document = strict.read(data, what, MAX_OCTETS)
    try:
        if set(document) != _FIELDS or document["type"] != "proof" or document["version"] != 1 or isinstance(document["version"], bool):
            raise ValueError("it has other fields than a proof of version 1")
        found = Proof(
            name=_name(document["name"]),
            at=_number(document["at"], MAX_TIME),
            roots=_list(document["roots"], _octets),
            targets=_octets(document["targets"]),
            policy=_octets(document["policy"]),
            checkpoint=_octets(document["checkpoint"]),
            pins=_list(document["pins"], lambda pin: Pin(_text_of(_fields(pin, "by", "proof")["by"]), _list(pin["proof"], _node))),
            entries=_list(document["entries"], _shown),
            protected=_maybe(document["protected"], _octets),
            suffixes=_maybe(document["suffixes"], _octets),
            prefix=_maybe(document["prefix"], lambda prefix: _list(prefix, _octets)),
        )
        if len({found.protected is None, found.suffixes is None, found.prefix is None}) != 1:
            raise ValueError("it has only some of protected, suffixes and prefix, which are of use together")
    except (ValueError, TypeError, KeyError, binascii.Error) as error:
        raise BadDocument(f"{what} is not one ({clip(str(error))}); {_MEND}") from None
    return found


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _octets(value: Any) -> bytes:
    data = base64.b64decode(_text_of(value), validate=True)
    if _text(data) != value:
        raise ValueError("a value is not base64 in its one form")
    return data


def _node(value: Any) -> bytes:
    data = _octets(value)
    if len(data) != HASH:
        raise ValueError("a proof holds what is no hash")
    return data


def _shown(value: Any) -> Shown:
    fields = _fields(value, "position", "entry", "proof")
    return Shown(_number(fields["position"], strict.MAX_INTEGER), _octets(fields["entry"]), _list(fields["proof"], _node))


def _fields(value: Any, *expected: str) -> dict[str, Any]:
    if not isinstance(value, dict) or set(value) != set(expected):
        raise ValueError(f"where {', '.join(expected)} should stand is something else")
    return value


def _list(value: Any, each: Callable[[Any], T]) -> list[T]:
    if not isinstance(value, list):
        raise ValueError("where a list should stand is something else")
    return [each(item) for item in value]


def _maybe(value: Any, each: Callable[[Any], T]) -> T | None:
    return None if value is None else each(value)


def _text_of(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("where a text should stand is something else")
    return value


def _number(value: Any, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
        raise ValueError(f"where a number up to {most} should stand is something else")
    return value


def _name(value: Any) -> str:
    try:
        if names.to_text(names.parse(_text_of(value))) != value:
            raise ValueError("the name is not written in A-labels, in lower case")
    except BadName as error:
        raise ValueError(str(error)) from None
    return str(value)
