"""One source of the operator's, read whole: what it lists, by which right, and what of it was skipped and why.

This is the thin shell around the pure readers of `formats` and `directive`: it opens files, and leaves every judgement on their bytes to them.
It refuses a source whole, with SourceError, rather than put half of one in force: the version before stays.
"""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from blocklists import formats
from blocklists.directive import BadDirective, Directive, fold, load
from blocklists.durable import PIECE
from blocklists.errors import SourceError
from blocklists.formats import Document
from blocklists.guards import Guards, Match
from blocklists.names import visible
from blocklists.places import files_of, identify
from blocklists.settings import FileSource

LAYER = "local"
"""The operator's own files, transcriptions of orders included; the layer of the signed log is another."""

MAX_LIST_BYTES = 1 << 30
MAX_DIRECTIVE_BYTES = 16 << 20
"""Of one file; a directory may hold many."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """One record that is not in force."""

    where: str
    """Name of the file, without its directories."""
    line: int
    """Its line, from 1."""
    value: str
    """What stood there, clipped to 80 characters, odd characters escaped."""
    reason: str
    """Why it was skipped and what to do about it."""


@dataclass(frozen=True)
class Basis:
    """By what right names are listed: the terms of one directive for one stretch of time, or one plain list.

    An amendment or a suspension gives one directive several stretches, each a basis of its own under the same reference.
    """

    kind: Literal["directive", "own", "pass"]
    mode: str
    """The source's mode: redirect, nxdomain, nodata or refused."""
    reference: str
    """A directive's public id; for a list, its source's id."""
    starts: int
    """Unix seconds, inclusive; 0 for always."""
    ends: int
    """Unix seconds, exclusive; 0 for never."""
    layer: str
    """`local`: the operator's own files, transcriptions included."""
    document: dict[str, Any]
    """Text, integers, booleans, lists and dicts only, so that it has one canonical JSON form: a directive without its targets, or what a list is;
    with `source`, `layer` and, for a directive, `verified` (false: a transcription) and `digest` (`sha256:` and 64 hex digits)."""
    listed: list[tuple[bytes, bool]]
    """Keys, each with True for exact and False for subtree, in the order met; a name may stand there twice."""


@dataclass(frozen=True)
class Content:
    """What one source says, after the guards."""

    source: FileSource
    bases: list[Basis]
    skipped: list[Skipped]
    records: int
    """Records met, skipped ones included: names for a list, directives for directive files."""
    sha256: str
    """64 hex digits over the file's bytes; for a directory, over its files' names and digests."""
    withdrawn: tuple[str, ...] = ()
    """Ids of directives withdrawn, whether or not what they withdraw was met."""
    cut: bool = False
    """Whether a list ends inside a line, as one that is half-written does."""


def read(source: FileSource, path: Path, guards: Guards, max_bad_share: float, as_of: int) -> Content:
    """Everything the source at `path` (see `locate`) puts in force at `as_of` (unix seconds) or later.

    A record that cannot be read counts towards `max_bad_share` (0 to 1), unless it is the only one; one that the guards refuse, or that changes
    nothing, is skipped without counting, because it is legible: protecting one more name must not cost the operator the rest of a list. A pass
    entry blocks nothing, so the guards do not judge it.

    Raises SourceError when the source cannot be read, is empty, too large or cut before its first record, or has a larger share of bad records;
    the error still carries what the source legibly withdraws.
    """
    try:
        if source.format == "directives":
            return _read_directives(source, path, guards, max_bad_share, as_of)
        return _read_list(source, path, guards, max_bad_share)
    except OSError as error:
        raise SourceError(f"source {source.id}: {path} cannot be read ({error.strerror}); check that it exists and that we may read it") from error


def _read_list(source: FileSource, path: Path, guards: Guards, max_bad_share: float) -> Content:
    if path.is_dir():
        raise SourceError(f"source {source.id}: {path} is a directory, which only a source of directives may be; name one file")
    data = _load(source, path, MAX_LIST_BYTES)
    judge = guards.refusal if source.action == "block" else _pass_all
    found = (formats.domains if source.format == "domains" else formats.hosts)(data, judge)
    skipped = [Skipped(path.name, *bad) for bad in found.skipped]
    _refuse_bad(f"source {source.id}: {path}", found.bad, found.records, max_bad_share, [Skipped(path.name, *bad) for bad in found.first_bad])
    if found.cut and not found.listed:
        raise SourceError(f"source {source.id}: {path} holds one line and no end of it, so it may have been cut; end the line with a newline")
    more = found.bad + found.refused + found.cut - len(skipped)
    if more > 0:
        skipped.append(
            Skipped(path.name, skipped[-1].line + 1, "", f"{more} more records were skipped from here on; mend the first and build again to see them")
        )
    basis = Basis(
        kind="own" if source.action == "block" else "pass",
        mode=source.mode,
        reference=source.id,
        starts=0,
        ends=0,
        layer=LAYER,
        document={"source": source.id, "layer": LAYER, "list": source.action, "format": source.format},
        listed=found.listed,
    )
    return Content(source, [basis] if found.listed else [], skipped, found.records, hashlib.sha256(data).hexdigest(), cut=found.cut)


def _read_directives(source: FileSource, path: Path, guards: Guards, max_bad_share: float, as_of: int) -> Content:
    if source.action == "pass":
        raise SourceError(f"source {source.id}: directives cannot pass names; set action: block, or format: domains or hosts")
    files = files_of(path)
    if not files:
        raise SourceError(f"source {source.id}: {path} holds no .yaml file; if you mean to unlist everything leave one that has a comment line")
    digests = hashlib.sha256()
    bad = 0
    directives: list[Directive] = []
    places: list[tuple[str, Document]] = []
    skipped: list[Skipped] = []
    for file in files:
        data = _load(source, file, MAX_DIRECTIVE_BYTES)
        digests.update(data if file == path else f"{file.name}\0{hashlib.sha256(data).hexdigest()}\n".encode())
        documents, unreadable = formats.documents(data)
        bad += len(unreadable)
        skipped += [Skipped(file.name, *one) for one in unreadable]
        for document in documents:
            try:
                directives.append(load(document.data))
                places.append((file.name, document))
            except BadDirective as error:
                bad += 1
                name = document.data.get("id")
                skipped.append(Skipped(file.name, document.line_of(error.field), visible(name) if isinstance(name, str) else "", str(error)))
    records = len(directives) + bad
    folded = fold(directives, as_of)
    _refuse_bad(f"source {source.id}: {path}", bad, records, max_bad_share, skipped, folded.withdrawn)
    skipped += [Skipped(places[at][0], places[at][1].line, visible(directives[at].id), reason) for at, reason in folded.without_effect]
    listed: dict[int, list[tuple[bytes, bool]]] = {}
    for (name, document), directive in zip(places, directives, strict=True):
        listed[id(directive)] = taken = []
        for position, target in enumerate(directive.targets or ()):
            refusal = guards.refusal(target.key, target.match)
            if refusal is None:
                taken.append((target.key, target.match == "exact"))
            else:
                skipped.append(Skipped(name, document.line_of(("targets", position)), visible(target.fqdn), refusal))
    bases = [
        Basis(
            kind="directive",
            mode=source.mode,
            reference=term.directive.id,
            starts=term.starts,
            ends=term.ends,
            layer=LAYER,
            document=_describe(term.directive, source),
            listed=listed[id(term.directive)],
        )
        for term in folded.terms
        if listed[id(term.directive)]
    ]
    return Content(source, bases, skipped, records, digests.hexdigest(), folded.withdrawn)


def _describe(directive: Directive, source: FileSource) -> dict[str, Any]:
    document = directive.document()
    del document["targets"]
    return {**document, "source": source.id, "layer": LAYER, "verified": False, "digest": directive.digest()}


def _refuse_bad(place: str, bad: int, records: int, max_bad_share: float, unread: list[Skipped], withdrawn: tuple[str, ...] = ()) -> None:
    """One bad record among good ones is skipped, however short the list: it says nothing of the others."""
    if bad <= max_bad_share * records or (bad == 1 and records > 1):
        return
    first = "; ".join(f"{one.where} line {one.line}: '{one.value}': {one.reason}" for one in unread[: formats.FIRST_BAD])
    raise SourceError(
        f"{place}: {bad} of its {records} records are bad, a larger share than blocklists.max_bad_share allows ({max_bad_share}); it is refused "
        f"whole: mend them, or raise the share. First: {first}",
        withdrawn,
    )


def _pass_all(_key: bytes, _match: Match) -> None:
    return None


def _load(source: FileSource, path: Path, limit: int) -> bytes:
    """The whole file as it stood at one time; one that is being written, or is no plain file, is refused."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # without O_NONBLOCK a named pipe would hold us up for ever
    with open(descriptor, "rb") as file:
        before = os.fstat(descriptor)
        if not stat.S_ISREG(before.st_mode):
            raise SourceError(f"source {source.id}: {path} is not a plain file; name one")
        if before.st_size > limit:
            raise SourceError(f"source {source.id}: {path} has {before.st_size} bytes, more than the {limit} we read; split it into several sources")
        pieces = []
        left = before.st_size + 1  # one more shows that it has grown
        while left and (piece := file.read(min(PIECE, left))):
            pieces.append(piece)
            left -= len(piece)
        after = os.fstat(descriptor)
    data = b"".join(pieces)
    if len(data) != before.st_size or identify("", before) != identify("", after):
        raise SourceError(f"source {source.id}: {path} changed while it was read; write a new file beside it and rename that over it")
    if not data.strip():
        raise SourceError(f"source {source.id}: {path} is empty; if you mean to unlist everything leave one comment line")
    return data
