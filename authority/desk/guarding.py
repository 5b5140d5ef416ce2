"""Guards before anybody signs: what speaks against blocking an order's names, by which tool and which version of its data.

What operators refuse whatever the desk says (the signed policy's protected names, public suffixes, reserved names) cannot be overridden here.
What the regulator's own lists say can: by an officer, with a reason, and one signature more; all of it stands in the order that is signed.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any, Literal, NamedTuple, cast, get_args

from sqlalchemy import select
from sqlalchemy.orm import Session

from authority import orders, repository
from authority.desk import asking, steps
from authority.desk.asking import Resolves
from authority.desk.desk import Desk, Kind
from authority.desk.errors import BadField, Conflict
from authority.desk.facts import line
from authority.desk.tables import CaseName, backwards
from blocklists import names
from blocklists.errors import BadName
from blocklists.guards import Match

Guard = Literal["protected_name", "public_suffix", "popularity", "shared_hosting", "other_names", "resolution"]
GUARDS: tuple[Guard, ...] = get_args(Guard)
TOOL = "redhand desk"
NOT_ASKED = "not asked"
MOST_COUNTED = 10_000
"""Of the desk's own names under a target; more are counted as so many."""

Target = tuple[str, str]
"""A name, and exact or subtree."""


@dataclass(frozen=True)
class Finding:
    """What one guard says: of one name, if it objects; else of the whole order."""

    guard: Guard
    name: str
    """Empty: it is about all of them."""
    match: str
    objection: str
    """Empty: none; `note` then says what was found."""
    note: str = ""
    may_override: bool = True
    by: str = ""
    """Who overrode it."""
    why: str = ""
    tool: str = TOOL
    data_version: str = "none"

    @property
    def stands(self) -> bool:
        """Whether it still keeps the order from being signed."""
        return bool(self.objection) and not self.by

    def document(self) -> dict[str, Any]:
        """As the database has it."""
        return asdict(self)


class Lists(NamedTuple):
    """What the guards go by."""

    files: Mapping[str, bytes]
    """policy.json, protected.json, suffixes.dat, as operators have them."""
    protected: str
    popular: str
    shared_hosting: str
    catches_most: int


def examine(desk: Desk, number: str, resolves: Resolves | None = None) -> list[Finding]:
    """What the guards say of a case's names now; nothing is written. `resolves`: by default by the resolver in the settings."""
    with desk.store.reading() as session:
        case = steps.find(session, number)
        targets = [(each.name, each.match) for each in case.names]
    return look(desk, targets, resolves)


def look(desk: Desk, targets: Sequence[Target], resolves: Resolves | None = None) -> list[Finding]:
    """As `examine`, of any names. The resolver is asked outside every transaction."""
    asked = resolves or asking.resolver(desk.settings.resolver)
    answers = asking.ask((name for name, _ in targets), asked) if asked is not None else None
    files = repository.published(desk.places).files
    with desk.store.reading() as session:
        lists = lists_of(session, desk, files)
        ours = {name: _ours(session, name, targets) for name, match in targets if match == "subtree"}
    return judge(targets, lists, ours, answers)


def lists_of(session: Session, desk: Desk, files: Mapping[str, bytes]) -> Lists:
    """The lists in force."""
    return Lists(
        files,
        desk.document(session, "protected"),
        desk.document(session, "popular"),
        desk.document(session, "shared_hosting"),
        desk.procedure(session).catches_most,
    )


def check_again(desk: Desk, targets: Sequence[Target], known: Iterable[Finding]) -> None:
    """Raises Conflict when a guard objects now to what it did not when the order was drafted: a list has changed since. No resolver is asked."""
    before = {(each.guard, each.name) for each in known if each.objection}
    for each in look(desk, targets, lambda _: None):
        if each.objection and (each.guard, each.name) not in before:
            raise Conflict(f"{each.name} {each.objection} ({each.guard}), since the order was drafted; draft it again")


def judge(targets: Sequence[Target], lists: Lists, ours: Mapping[str, set[bytes]], answers: Mapping[str, bool | None] | None) -> list[Finding]:
    """What each guard says. `ours`: keys of other names of the desk under each subtree; `answers`: whether names exist; None: nobody was asked."""
    found = [*_signed(targets, lists)]
    found += _listed("protected_name", targets, lists.protected, "is on the regulator's list of protected names", "would cover {}, a protected name")
    found += _listed("popularity", targets, lists.popular, "is a popular name", "would cover {}, a popular name")
    found += _listed("shared_hosting", targets, lists.shared_hosting, "holds sites of many owners", "would cover {}, with sites of many owners")
    found += _others(targets, lists, ours)
    found.append(_resolution(targets, answers))
    return found


def check_list(kind: Kind, text: str) -> int:
    """How many names a list has; it is read as the guards read it. Raises BadField with the line."""
    return len(_names(kind, text)[0])


def results(found: Iterable[Finding]) -> list[dict[str, str]]:
    """The findings as a directive has them: one result a guard and version of its data."""
    grouped: dict[tuple[str, str, str], list[str]] = {}
    for each in found:
        said = each.note or "no objection"
        if each.objection:
            said = f"{each.name} {each.objection}"
            said += f"; overridden by {each.by}: {each.why}" if each.by else ""
        grouped.setdefault((each.guard, each.tool, each.data_version), []).append(said)
    return [
        {"guard": guard, "result": _short(said), "tool": tool, "data_version": version} for (guard, tool, version), said in sorted(grouped.items())
    ]


def load(rows: Iterable[Mapping[str, Any]]) -> list[Finding]:
    """Findings as the database has them."""
    return [Finding(**row) for row in rows]


def overridden(found: Iterable[Finding]) -> int:
    """How many signatures the overrides add: one for each guard."""
    return len({each.guard for each in found if each.objection and each.by})


# --- each guard


def _signed(targets: Sequence[Target], lists: Lists) -> Iterator[Finding]:
    guards = orders.guards_of(lists.files)
    refused: set[Guard] = set()
    versions: dict[Guard, str] = {
        "protected_name": _version(lists.files["protected.json"]),
        "public_suffix": _version(lists.files["suffixes.dat"]),
    }
    for name, match in targets:
        key = names.key(names.parse(name))
        if why := guards.refusal(key, cast("Match", match)):
            guard: Guard = "public_suffix" if "public suffix" in why else "protected_name"
            refused.add(guard)
            yield Finding(guard, name, match, why.partition(";")[0], may_override=False, data_version=versions[guard])
    for each, version in versions.items():
        if each not in refused:
            yield Finding(each, "", "", "", "no objection", data_version=version)


def _listed(kind: Guard, targets: Sequence[Target], text: str, same: str, covers: str) -> Iterator[Finding]:
    document: Kind = {"protected_name": "protected", "popularity": "popular"}.get(kind, "shared_hosting")  # type: ignore[assignment]
    if not text.strip():
        yield Finding(kind, "", "", "", f"{NOT_ASKED}: there is no list {document!r}")
        return
    known, notes = _names(document, text)
    version, objected = _version(text.encode()), False
    for name, match in targets:
        key = names.key(names.parse(name))
        said = ""
        bare = _bare(key)
        if (hit := key if _has(known, key) else bare if bare and _has(known, bare) else None) is not None:
            said = same + (f" ({notes[hit]})" if hit in notes else "")
        elif match == "subtree" and (under := _under(known, key)):
            said = f"with its subdomains {covers.format(names.key_text(under[0]))}" + (f" and {len(under) - 1} more" if len(under) > 1 else "")
        if said:
            objected = True
            yield Finding(kind, name, match, said, data_version=version)
    if not objected:
        yield Finding(kind, "", "", "", "no objection", data_version=version)


def _others(targets: Sequence[Target], lists: Lists, ours: Mapping[str, set[bytes]]) -> Iterator[Finding]:
    kinds: tuple[tuple[Kind, str], ...] = (
        ("protected", lists.protected), ("popular", lists.popular), ("shared_hosting", lists.shared_hosting)
    )  # fmt: skip
    tables = [_names(kind, text)[0] for kind, text in kinds if text.strip()]
    version = _version("\n".join(text for _, text in kinds).encode())
    caught, objected = 0, False
    for name, match in targets:
        if match != "subtree":
            continue
        key = names.key(names.parse(name))
        under = set(ours.get(name, ())).union(*(_under(table, key) for table in tables)) - {key}
        caught += len(under)
        if len(under) > lists.catches_most:
            objected = True
            yield Finding("other_names", name, match, f"with its subdomains catches {len(under)} other known names", data_version=version)
    if not objected:
        some = any(match == "subtree" for _, match in targets)
        note = f"catches {caught} other known names" if some else "no name with its subdomains"
        yield Finding("other_names", "", "", "", note, data_version=version)


def _resolution(targets: Sequence[Target], answers: Mapping[str, bool | None] | None) -> Finding:
    """What the resolver said is no objection: content may answer abroad alone. The officers see it."""
    if answers is None:
        return Finding("resolution", "", "", "", NOT_ASKED)
    asked = list(dict.fromkeys(name for name, _ in targets))
    gone = [name for name in asked if answers[name] is False]
    silent = [name for name in asked if answers[name] is None]
    said = f"{len(asked) - len(gone) - len(silent)} of {len(asked)} names resolve"
    said += f"; not: {', '.join(gone)}" if gone else ""
    said += f"; no answer about: {', '.join(silent)}" if silent else ""
    return Finding("resolution", "", "", "", _short([said]))


def _ours(session: Session, name: str, targets: Sequence[Target]) -> set[bytes]:
    """Other names of the desk's cases under a name."""
    start = backwards(name)
    found = session.scalars(
        select(CaseName.name).where(CaseName.backwards > start, CaseName.backwards < start + "\U0010ffff").distinct().limit(MOST_COUNTED)
    )
    return {names.key(names.parse(each)) for each in set(found) - {target for target, _ in targets}}


# --- lists


@lru_cache(maxsize=6)
def _names(kind: Kind, text: str) -> tuple[list[bytes], dict[bytes, str]]:
    """The keys in a list, sorted, and what is noted of some. One name a line; `#` begins a remark; a rank before the name, or a note after it."""
    found: dict[bytes, str] = {}
    for number, written in enumerate(text.splitlines(), 1):
        said = written.partition("#")[0].strip()
        if not said:
            continue
        first, _, rest = (part.strip() for part in said.partition(","))
        name, note = (rest, "") if first.isdigit() else (first, rest)
        try:
            found[names.plain_key(name.encode()) or names.key(names.listed(name))] = line(note)
        except (BadName, UnicodeEncodeError) as error:
            raise BadField(kind, f"line {number}: {error}") from None
    return sorted(found), {key: note for key, note in found.items() if note}


def _has(table: list[bytes], key: bytes) -> bool:
    place = bisect_left(table, key)
    return place < len(table) and table[place] == key


def _under(table: list[bytes], key: bytes) -> list[bytes]:
    """Keys below one, itself left out."""
    start, stop = bisect_left(table, key), bisect_left(table, key + b"\xff")
    return [each for each in table[start:stop] if each != key]


def _bare(key: bytes) -> bytes | None:
    """The key without a last label `www`: people know both by one name."""
    return key.removesuffix(b"\x03www") if key.endswith(b"\x03www") else None


def _version(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def _short(said: Sequence[str]) -> str:
    whole = line("; ".join(said))
    return whole if len(whole) < 500 else whole[:480] + " … and more"
