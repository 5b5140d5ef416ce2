"""The names of a study, from lists as they are kept: text or hosts files, directives, a Citizen Lab list, or what a state directory has in force.

Lists are read by `blocklists`, as an operator's resolver reads them, but for its guards: what must not be blocked is measured like all else. A name
that several lists or orders have is measured once, under the first that has it in force. Canaries and neighbours are added, so that a resolver that
is down, and one that blocks too much, show.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import NamedTuple

import dns.name

from blocklists import directive as orders
from blocklists import formats, names, places, store, suffixes
from blocklists.errors import SourceError, StoreError
from blocklists.version import unmark
from porosity.plan import BadPlan, Listing
from porosity.words import Group, Name

MAX_BAD_SHARE = 0.05
"""Share of records that cannot be read above which a list is refused, as an operator's own is by default."""

NEIGHBOURS = 1000
"""Neighbours of a study, unless it says otherwise."""

_MOST_BYTES = 1 << 30
_PREFIXES = ("not", "my", "the")
_CHILDREN = ("www", "mail", "news", "shop")


class Listed(NamedTuple):
    """What a list holds."""

    listing: Listing
    names: list[Name]
    skipped: list[str]
    """Records that were not taken, each with its place and reason; the first thousand."""


def read(path: Path, as_of: int, identity: str = "") -> list[Listed]:
    """The lists at a path: of several sources, if it is a state directory. `identity`: the list's id; without one, the file's name tells it.

    A directory with versions is a state directory; another one, or .yaml and .yml, holds directives; .csv is a Citizen Lab list; a file whose first
    record begins with an address is a hosts file; all else is one name a line. Raises SourceError, StoreError.
    """
    if (path / "current").exists():
        return of_state(path, as_of)
    identity = identity or path.stem
    if path.is_dir() or path.suffix in (".yaml", ".yml"):
        return [of_directives(path, identity, as_of)]
    if path.suffix == ".csv":
        from porosity.interchange import citizenlab  # noqa: PLC0415 - it makes these lists

        return [citizenlab.read(path, identity)]
    return [of_text(path, identity)]


def of_text(file: Path, identity: str) -> Listed:
    """A list of names, each with all below it, or a hosts file, whose names stand for themselves. Raises SourceError."""
    data = _load(file)
    # A list that is measured need not fear a half-written file as one that blocks must: its last line counts.
    whole = data if data.endswith(b"\n") else data + b"\n"
    found = formats.hosts(whole, _take_all) if _is_hosts(whole) else formats.domains(whole, _take_all)
    _refuse_bad(file, found.bad, found.records, [f"line {bad.line}: '{bad.value}' {bad.reason}" for bad in found.first_bad])
    taken = dict(reversed(found.listed))
    listed = [_name(key, "listed", identity, "", exact) for key, exact in sorted(taken.items())]
    skipped = [f"{file.name} line {bad.line}: '{bad.value}' {bad.reason}" for bad in found.skipped]
    return Listed(Listing(identity, file.name, hashlib.sha256(data).hexdigest(), len(listed)), listed, skipped)


def of_directives(path: Path, identity: str, as_of: int) -> Listed:
    """YAML directives in a file or a directory. A name is in force if, at `as_of` (unix seconds), some order that names it is. Raises SourceError."""
    digest = hashlib.sha256()
    read: list[orders.Directive] = []
    skipped: list[str] = []
    files = places.files_of(path)
    if not files:
        raise SourceError(f"{path} holds no .yaml file; name a directory of directives, or a list")
    for file in files:
        data = _load(file)
        digest.update(f"{file.name}\0{hashlib.sha256(data).hexdigest()}\n".encode())
        documents, bad = formats.documents(data)
        skipped += [f"{file.name} line {each.line}: '{each.value}' {each.reason}" for each in bad]
        for document in documents:
            try:
                read.append(orders.load(document.data))
            except orders.BadDirective as error:
                skipped.append(f"{file.name} line {document.line_of(error.field)}: {error}")
    _refuse_bad(path, len(skipped), len(skipped) + len(read), skipped[: formats.FIRST_BAD])
    standing = {id(term.directive) for term in orders.fold(read, as_of).terms if term.starts <= as_of < term.ends}
    found: dict[bytes, Name] = {}
    for each in sorted(read, key=lambda each: (id(each) not in standing, each.id)):
        for target in each.targets or ():
            name = _name(target.key, "listed", identity, each.id, target.match == "exact", id(each) in standing)
            found.setdefault(target.key, name)
    listed = [found[key] for key in sorted(found)]
    return Listed(Listing(identity, path.name, digest.hexdigest(), len(listed)), listed, skipped)


def of_state(state_dir: Path, as_of: int) -> list[Listed]:
    """What the version in force in a state directory lists at `as_of` (unix seconds), by source; as not in force, what older ones on disk listed.

    What an older version had and this one has not was lifted: who still blocks it blocks too much. Raises StoreError when there is no sound version.
    """
    version = store.open_current(state_dir)
    found: dict[str, dict[bytes, Name]] = {}
    listed_now: set[bytes] = set()
    older = [serial for serial in store.serials(state_dir) if serial < version.serial]
    for each in [version, *_sound(state_dir, reversed(older))]:
        for basis, marked in store.entries_of(each):
            if basis["kind"] == "pass":
                continue
            source = str(basis["document"].get("source", "list"))
            directive = basis["reference"] if basis["kind"] == "directive" else ""
            standing = each is version and basis["starts"] <= as_of and not 0 < basis["ends"] <= as_of
            of_source = found.setdefault(source, {})
            for text in marked:
                key, exact = unmark(text)
                if each is version:
                    listed_now.add(key)
                elif key in listed_now:
                    continue
                if key not in of_source or (standing and not of_source[key].in_force):
                    of_source[key] = _name(key, "listed", source, directive, exact, standing)
    about = f"version {version.serial}"
    taken = {source: [of_source[key] for key in sorted(of_source)] for source, of_source in sorted(found.items())}
    return [Listed(Listing(source, about, version.identity, len(listed)), listed, []) for source, listed in taken.items()]


def merge(lists: Iterable[Listed]) -> list[Name]:
    """The names of all lists, each once: under the first list that has it in force, else under the first that has it."""
    found: dict[dns.name.Name, Name] = {}
    for each in lists:
        for name in each.names:
            if name.name not in found or (name.in_force and not found[name.name].in_force):
                found[name.name] = name
    return list(found.values())


def canaries(texts: Iterable[str], listed: Sequence[Name]) -> list[Name]:
    """Names that everybody answers and nobody blocks. Raises BadName for what is none, BadPlan for one that a list covers."""
    cover = _Cover(listed)
    found: dict[bytes, Name] = {}
    for text in texts:
        key = names.key(names.listed(text))
        if cover.covers(key):
            raise BadPlan(f"the canary {text} is on a list, so that a resolver that blocks it does right; choose another")
        found[key] = _name(key, "canary")
    return list(found.values())


def neighbours(listed: Sequence[Name], most: int, random: Random) -> list[Name]:
    """At most so many names close to listed ones and on no list, drawn from `random`: what no order covers, and careless blocking takes too.

    Of a listed name: its parent, unless that is a public suffix; beside it, or below one that is listed exactly; and one that only ends in the same
    letters (`notone.test` for `one.test`). Each bears the order and the list of the name it is close to.
    """
    cover = _Cover(listed)
    found: dict[bytes, Name] = {}
    for place in random.sample(range(len(listed)), len(listed)):
        near = listed[place]
        for key in _close(_key(near.name), near.match == "exact", random):
            if len(found) >= most:
                return list(found.values())
            if key not in found and not cover.covers(key):
                found[key] = _name(key, "neighbour", near.list, near.directive)
    return list(found.values())


def below(listed: Sequence[Name], label: str = "www") -> list[Name]:
    """A name below each that is listed with all below it, where that is not itself listed."""
    seen = {each.name for each in listed}
    found = []
    for each in listed:
        with suppress(dns.name.NameTooLong):
            name = dns.name.from_text(label, each.name)
            if each.match == "subtree" and name not in seen:
                found.append(Name(name, "below", each.domain, each.list, each.directive, each.match, each.in_force))
    return found


def make(text: str, group: Group = "listed", **more: str | bool) -> Name:
    """A name as people write it, with its registrable domain; `more` as the fields of words.Name. Raises BadName."""
    key = names.key(names.listed(text))
    return Name(_dns(key), group, names.key_text(suffixes.registrable(key)), **more)  # type: ignore[arg-type]


class _Cover:
    """Which keys some listed names cover."""

    def __init__(self, listed: Iterable[Name]) -> None:
        self._exact: set[bytes] = set()
        self._subtrees: set[bytes] = set()
        for each in listed:
            (self._subtrees if each.match == "subtree" else self._exact).add(_key(each.name))

    def covers(self, key: bytes) -> bool:
        return key in self._exact or any(above in self._subtrees for above in _upwards(key))


def _upwards(key: bytes) -> Iterator[bytes]:
    """The keys of all names above this one and its own, top-level domain first."""
    position = 0
    while position < len(key):
        position += key[position] + 1
        yield key[:position]


def _close(key: bytes, exact: bool, random: Random) -> Iterator[bytes]:
    *above, _ = _upwards(key)
    parent = above[-1] if above else b""
    own = key[len(parent) + 1 :]
    if suffixes.owned(parent) is not None:
        yield parent
        yield parent + _label(random.choice(_CHILDREN).encode())
    if exact:
        yield from _legal(key + _label(random.choice(_CHILDREN).encode()))
    yield from _legal(parent + _label(random.choice(_PREFIXES).encode() + own))


def _label(text: bytes) -> bytes:
    return bytes((min(len(text), names.MAX_LABEL),)) + text[: names.MAX_LABEL]


def _legal(key: bytes) -> Iterator[bytes]:
    if len(key) < names.MAX_WIRE:
        yield key


def _name(key: bytes, group: Group, identity: str = "", directive: str = "", exact: bool | None = None, in_force: bool = True) -> Name:
    match = "" if exact is None else "exact" if exact else "subtree"
    return Name(_dns(key), group, names.key_text(suffixes.registrable(key)), identity, directive, match, in_force)  # type: ignore[arg-type]


def _key(name: dns.name.Name) -> bytes:
    return names.key(name.to_digestable())


def _dns(key: bytes) -> dns.name.Name:
    return dns.name.from_wire(names.from_key(key), 0)[0]


def _sound(state_dir: Path, serials: Iterable[int]) -> Iterator[store.Version]:
    for serial in serials:
        with suppress(StoreError):
            yield store.open_version(state_dir, serial)


def _is_hosts(data: bytes) -> bool:
    for line in data.splitlines():
        if words := line.partition(b"#")[0].split():
            try:
                ipaddress.ip_address(words[0].decode("ascii", "replace"))
            except ValueError:
                return False
            return len(words) > 1
    return False


def _take_all(_key: bytes, _match: object) -> None:
    return None


def _refuse_bad(path: Path, bad: int, records: int, first: list[str]) -> None:
    if bad and (bad == records or (bad > 1 and bad > MAX_BAD_SHARE * records)):
        raise SourceError(f"{path}: {bad} of its {records} records cannot be read; mend them, or name another list. First: {'; '.join(first)}")


def _load(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            data = opened.read(_MOST_BYTES + 1)
    except OSError as error:
        raise SourceError(f"{file} cannot be read ({error.strerror}); check that it exists and that we may read it") from None
    if len(data) > _MOST_BYTES:
        raise SourceError(f"{file} has more than {_MOST_BYTES} octets; split it")
    return data
