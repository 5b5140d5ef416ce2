"""What a version *is*: the sorted canonical entries of every basis, the layers' hashes over them, and one identity.

Pure: bases and an as-of time in, bytes and digests out. The same bases give the same bytes on every machine and in any order; nothing of the
machine (a path, a clock, a library's version) can enter here. It opens no file, judges no name, and repairs nothing.

One line of entries is one basis and what it lists:

    {"basis":{"document":{…},"ends":0,"kind":"own","layer":"local","mode":"redirect","reference":"own-list","starts":0},"names":[".blocked.test","www.one.test"]}

A name with a leading dot is listed with everything under it (*subtree*), one without for itself alone (*exact*). No name's own text begins with
a dot, because `names.to_text` escapes dots inside labels, so the mark is never ambiguous.
"""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from blocklists import names
from blocklists.errors import StoreError

if TYPE_CHECKING:  # what serves maps versions and makes none: it need not load the readers of sources
    from blocklists.sources import Basis

LAYERS = ("orders", "local")
"""In the order in which they stand in the entries, and in which equals are preferred: what is verified before what is only transcribed."""

KINDS = ("directive", "own", "pass")
MODES = ("redirect", "nxdomain", "nodata", "refused")

_OPENING = b'{"basis":'
_BETWEEN = b',"names":['
_CLOSING = b"]}\n"
_PLAIN = b"abcdefghijklmnopqrstuvwxyz0123456789-_"
_CHUNK = 50_000
_TOGETHER = 64
"""Lines hashed by one call: each alone costs as much in calls as in hashing."""
_EMPTY_LAYER = hashlib.sha256().hexdigest()


def canonical(value: Any) -> bytes:
    """The one JSON form of text, integers, booleans, None, lists and dicts with text keys: keys sorted, no spaces, UTF-8.

    Raises ValueError for anything else, floats and lone surrogates included: they have no form that every machine agrees on.
    """
    _refuse_ambiguous(value)
    try:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"a text has half a surrogate pair ({error}), which is not Unicode; remove it") from None


def _refuse_ambiguous(value: Any) -> None:
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise ValueError(f"{key!r} is not a text, and only texts name fields; quote it")
            _refuse_ambiguous(item)
    elif isinstance(value, list):
        for item in value:
            _refuse_ambiguous(item)
    elif value is not None and not isinstance(value, str | int):
        raise ValueError(f"{value!r} is a {type(value).__name__}, which has no canonical JSON form; use text, an integer, true or false")


class Line:
    """One basis as it stands in the entries, with the keys the index is made of. Never changed once made.

    A line of a version on disk stays there until its bytes are asked for (`held`); names are only taken apart when a delta or an index needs them.
    """

    __slots__ = ("_encoded", "_listed", "_names", "_source", "basis_length", "ends", "held", "kind", "layer", "mode", "reference", "starts")

    basis_start = len(_OPENING)

    def __init__(
        self,
        terms: tuple[str, str, str, str, int, int],
        basis_length: int,
        encoded: bytes | None,
        listed: Sequence[tuple[bytes, bool]] | None = None,
        held: tuple[Sequence[bytes], int] | None = None,
    ) -> None:
        self.kind, self.mode, self.layer, self.reference, self.starts, self.ends = terms
        self.basis_length = basis_length
        """Octets of the basis' JSON, which stands at `basis_start` in the line."""
        self.held = held
        """The lines of a version and this one's number there, if it came from one."""
        self._encoded = encoded
        self._listed = listed
        self._names: int | None = None
        self._source: str | None = None

    def light(self) -> Line:
        """The same without the keys it was made from, which can be had from its bytes again: for who keeps a million of them."""
        terms = (self.kind, self.mode, self.layer, self.reference, self.starts, self.ends)
        found = Line(terms, self.basis_length, self._encoded, held=self.held)
        found._names = self.names
        return found

    @property
    def encoded(self) -> bytes:
        """The whole line, newline included."""
        if self._encoded is not None:
            return self._encoded
        assert self.held is not None  # noqa: S101 - a line has its bytes or a place where they stand
        return self.held[0][self.held[1]]

    @property
    def listed(self) -> Sequence[tuple[bytes, bool]]:
        """Keys, with True for exact; unsorted, and a name may stand there twice."""
        return self._listed if self._listed is not None else [unmark(text) for text in self.marked]

    @property
    def basis(self) -> bytes:
        """The basis' canonical JSON."""
        return self.encoded[self.basis_start : self.basis_start + self.basis_length]

    @property
    def source(self) -> str:
        """Id of the source it is from."""
        if self._source is None:
            self._source = str(json.loads(self.basis)["document"].get("source", ""))
        return self._source

    @property
    def marked(self) -> list[str]:
        """The names as they stand in the line, sorted, with their marks."""
        found: list[str] = json.loads(self.encoded)["names"]
        return found

    @property
    def names(self) -> int:
        """How many names it lists."""
        if self._names is None:
            encoded = self.encoded
            start = self.basis_start + self.basis_length + len(_BETWEEN)
            # Without an escape every quotation mark bounds a name: counting is fifty times as quick as taking apart.
            self._names = len(self.marked) if encoded.find(b"\\", start) >= 0 else encoded.count(b'","', start) + 1
        return self._names

    @property
    def place(self) -> tuple[int, str, str, bytes]:
        """By which lines are sorted."""
        return LAYERS.index(self.layer), self.kind, self.reference, self.basis


@dataclass(frozen=True)
class Layer:
    """One layer's share of the entries."""

    sha256: str
    """64 hex digits over its lines."""
    rules: int
    names: int
    """Entries: a name listed by two bases counts twice."""


@dataclass(frozen=True)
class Entries:
    """Everything a version lists, in canonical order."""

    lines: list[Line]
    layers: dict[str, Layer]
    identity: str
    """64 hex digits: equal exactly when the lines are."""

    @property
    def names(self) -> int:
        """How many names stand in the lines; one listed by two bases counts twice."""
        return sum(layer.names for layer in self.layers.values())


def assemble(bases: Iterable[Basis], as_of: int) -> Entries:
    """The entries these bases make at `as_of` (unix seconds): without what has ended, with what is yet to start, whatever order they come in.

    Two bases alike in all but their names become one. Raises ValueError for a document without a canonical form.
    """
    merged: dict[tuple[int, str, str, bytes], list[Basis]] = {}
    for basis in bases:
        if (basis.ends and basis.ends <= as_of) or not basis.listed:
            continue
        merged.setdefault(_place(basis), []).append(basis)
    return entries_of([_line(merged[place], place[3]) for place in sorted(merged)])


def entries_of(lines: list[Line], known: Mapping[str, Layer] | None = None) -> Entries:
    """The entries that these lines, sorted, are. `known`: layers whose lines were counted and hashed before, and are not again."""
    layers = dict(known or {})
    for layer in LAYERS:
        if layer not in layers:
            own = of_layer(lines, layer)
            digest = hashlib.sha256()
            for at in range(0, len(own), _TOGETHER):
                digest.update(b"".join([line.encoded for line in own[at : at + _TOGETHER]]))
            layers[layer] = Layer(digest.hexdigest(), len(own), sum([line.names for line in own]))
    return Entries(lines, layers, identity({layer: layers[layer].sha256 for layer in LAYERS}))


def of_layer(lines: Sequence[Line], layer: str) -> Sequence[Line]:
    """The lines of one layer, of sorted ones."""
    place = LAYERS.index(layer)
    first = bisect_left(lines, place, key=lambda line: LAYERS.index(line.layer))
    return lines[first : bisect_left(lines, place + 1, first, key=lambda line: LAYERS.index(line.layer))]


def identity(layers: dict[str, str]) -> str:
    """The version's identity: SHA-256 over its layers' names and hashes (hex), in the layers' order; an absent layer counts as an empty one."""
    text = "".join(f"{layer} {layers.get(layer, _EMPTY_LAYER)}\n" for layer in LAYERS)
    return hashlib.sha256(b"redhand version 1\n" + text.encode()).hexdigest()


def _place(basis: Basis) -> tuple[int, str, str, bytes]:
    encoded = canonical(
        {
            "document": basis.document,
            "ends": basis.ends,
            "kind": basis.kind,
            "layer": basis.layer,
            "mode": basis.mode,
            "reference": basis.reference,
            "starts": basis.starts,
        }
    )
    return LAYERS.index(basis.layer), basis.kind, basis.reference, encoded


def _line(alike: list[Basis], encoded: bytes) -> Line:
    first = alike[0]
    listed = first.listed if len(alike) == 1 else [pair for basis in alike for pair in basis.listed]
    marked = sorted({(text_of(key) if exact else "." + text_of(key)) for key, exact in listed})
    # By chunks: one list of a million names is one line, and the encoder should not hold its text twice.
    chunks = [json.dumps(marked[at : at + _CHUNK], separators=(",", ":"))[1:-1].encode() for at in range(0, len(marked), _CHUNK)]
    whole = b"".join((_OPENING, encoded, _BETWEEN, b",".join(chunks), _CLOSING))
    terms = (first.kind, first.mode, first.layer, first.reference, first.starts, first.ends)
    return Line(terms, len(encoded), whole, listed)


def text_of(key: bytes) -> str:
    """The same text as `names.key_text`, by a fast path for plain names: a million of them are turned for every new list."""
    parts = []
    position, end = 0, len(key)
    while position < end:
        after = position + 1 + key[position]
        parts.append(key[position + 1 : after])
        position = after
    parts.reverse()
    joined = b".".join(parts)
    # What is left after the plain octets can only be the dots between the labels; one more is an odd octet or a dot inside a label.
    if len(joined.translate(None, _PLAIN)) != len(parts) - 1:
        return names.key_text(key)
    return joined.decode("ascii")


def unmark(marked: str) -> tuple[bytes, bool]:
    """The key behind a name as it stands in an entries line, and whether it is exact."""
    exact = not marked.startswith(".") or marked == "."
    text = marked if exact else marked[1:]
    if "\\" in text or text == ".":
        return names.key(names.parse(text)), exact
    # What `text_of` wrote without an escape is labels and dots alone.
    return b"".join([bytes((len(label),)) + label for label in reversed(text.encode().split(b"."))]), exact


def read_line(encoded: bytes) -> tuple[dict[str, Any], list[str]]:
    """The basis and the marked names of one entries line. Raises StoreError when it is none."""
    try:
        found = json.loads(encoded)
        basis, listed = found["basis"], found["names"]
        if not isinstance(basis, dict) or not isinstance(basis["document"], dict) or not isinstance(listed, list):
            raise TypeError("its fields have the wrong types")
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(f"entries line {encoded[:60]!r} is not a basis with names ({error}); run: redhand blocklist build") from None
    return basis, listed
