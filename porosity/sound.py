"""Whether a study is one that could have been made here, before anything of it is believed: studies are published, and handed on by strangers.

A plan says whom to ask and how fast, what is shown on terminals and in reports, and how large things are; a directory may hold links that lead out of
it. What a study of ours never has is refused. Nothing is repaired, and nothing here asks or writes.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

import pyarrow as pa
import pyarrow.compute as pc

from blocklists.errors import StoreError
from porosity import ethics, resolvers
from porosity.order import RULE
from porosity.plan import BadPlan, Plan
from porosity.words import Group, Role

MOST_TRIALS = 10_000_000_000
"""One bit of memory each: more would be a gigabyte before anything is asked."""
MOST_REPEATS = (1 << 15) - 1
"""As observations count them."""
MOST_SECONDS = 253_402_300_799
"""The last of the year 9999."""
MOST_SEED = 1 << 64

_UNPRINTED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""What moves a terminal's cursor, or turns the direction of the text around it (UAX #9): no text of a plan needs it."""
_HEX = re.compile(r"[0-9a-f]{64}", re.ASCII)
_NAME = "^[!-~]+$"
"""A name's presentation form (RFC 1035, section 5.1)."""
_ODD = r"[\x{00}-\x{08}\x{0b}-\x{1f}\x{7f}-\x{9f}\x{061c}\x{200e}\x{200f}\x{2028}-\x{202e}\x{2066}-\x{2069}]"


def plan(found: Plan) -> None:
    """Raises BadPlan for one that `plan.make` could not have made."""
    try:
        wrong = next(_wrong(found), None)
    except (TypeError, ValueError, AttributeError) as error:  # something of another type than any that a plan has there
        wrong = "a value", str(error)
    if wrong is not None:
        remedy = "take the study from where it was made, or plan anew"
        raise BadPlan(f"plan.json, {wrong[0]}: {wrong[1]}; it was not made by `redhand porosity plan`: {remedy}")


def directory(path: Path) -> None:
    """Raises StoreError when something in a study's directory is neither a file nor a directory: it may lead anywhere.

    Sockets and pipes may stand in the folders of a lab's servers (`lab/NAME/`), from which nothing of a study is read.
    """
    servers = os.path.join(path, "lab", "")
    for base, folders, files in os.walk(path):
        for each in (*folders, *files):
            try:
                mode = os.lstat(os.path.join(base, each)).st_mode
            except FileNotFoundError:
                continue  # of somebody who works on it meanwhile
            theirs = base.startswith(servers) and (stat.S_ISSOCK(mode) or stat.S_ISFIFO(mode))
            if not stat.S_ISDIR(mode) and not stat.S_ISREG(mode) and not theirs:
                what = "a symbolic link" if stat.S_ISLNK(mode) else "no file"
                raise StoreError(f"{os.path.join(base, each)} is {what}, and a study has files and folders of its own; put there what is meant")


def names(path: Path, table: pa.Table, of: Plan) -> None:
    """Raises StoreError for a table of names that is not this plan's, or holds what is no name or no text of ours."""
    remedy = "take the file that was written with it"
    if table.num_rows != of.names or any(column.null_count for column in table.columns):
        raise StoreError(f"{path} has other names than the plan: {table.num_rows}, of {of.names}; {remedy}")
    if not pc.all(pc.match_substring_regex(table.column("name"), _NAME), min_count=0).as_py():
        raise StoreError(f"{path} has a name that is none; {remedy}")
    for field, allowed in (("group", get_args(Group)), ("match", ("exact", "subtree", ""))):
        if not pc.all(pc.is_in(table.column(field), pa.array(allowed)), min_count=0).as_py():
            raise StoreError(f"{path} has a {field} that there is not; {remedy}")
    for field in ("domain", "list", "directive"):
        if pc.any(pc.match_substring_regex(table.column(field), _ODD), min_count=0).as_py():
            raise StoreError(f"{path} has a {field} with control characters; {remedy}")


def _wrong(found: Plan) -> Iterator[tuple[str, str]]:
    """Where something is wrong, and what."""
    yield from _counts(found)
    for where, text in (("names_sha256", found.names_sha256), *((f"list {each.id!r}, sha256", each.sha256) for each in found.lists)):
        if not isinstance(text, str) or not _HEX.fullmatch(text):
            yield where, f"{text!r} is no SHA-256"
    if found.order != RULE:
        yield "order", f"{found.order!r} is not known here, where it is {RULE!r}"
    for listing in found.lists:
        yield from _texts("lists", (listing.id, listing.source))
    for vector in found.vectors:
        yield from _texts("vectors", (vector.id, vector.family, vector.sends, vector.leak, vector.source, vector.kind, *vector.needs))
        if not _HEX.fullmatch(vector.sha256):
            yield "vectors", f"{vector.sha256!r} is no SHA-256"
    for where, said in (("left_out", found.left_out), ("software", found.software)):
        if not isinstance(said, Mapping):
            yield where, "it is no mapping"
        else:
            yield from _texts(where, (*said, *said.values()))
    yield from _resolvers(found)
    yield from _ethics(found.ethics)


def _counts(found: Plan) -> Iterator[tuple[str, str]]:
    whole = {"seed": (-MOST_SEED, MOST_SEED), "as_of": (0, MOST_SECONDS), "repeats": (1, MOST_REPEATS), "canaries": (1, MOST_TRIALS)}
    whole |= {"names": (2, MOST_TRIALS)}
    for field, (least, most) in whole.items():
        value = getattr(found, field)
        if type(value) is not int or not least <= value <= most:
            yield field, f"{value!r} is no whole number from {least} to {most}"
    for listing in found.lists:
        if type(listing.names) is not int or listing.names < 0:
            yield "lists", f"{listing.names!r} is no number of names"
    if found.canaries >= found.names or not found.vectors or not found.measured or found.trials > MOST_TRIALS:
        yield "names", f"they make no trials, or more than {MOST_TRIALS:,}"


def _texts(where: str, given: tuple[Any, ...]) -> Iterator[tuple[str, str]]:
    for text in given:
        if not isinstance(text, str):
            yield where, f"{text!r} is no text"
        elif odd := _UNPRINTED.search(text):
            yield where, f"{text[:80]!r} has the control character U+{ord(odd[0]):04X}"


def _resolvers(found: Plan) -> Iterator[tuple[str, str]]:
    ids: set[str] = set()
    for each in found.resolvers:
        yield from _texts("resolvers", (each.id,))
        if not each.id or each.id in ids or each.role not in get_args(Role) or not each.endpoints:
            yield "resolvers", f"{each.id!r} has no id of its own, no role or no endpoint"
        ids.add(each.id)
        for endpoint in each.endpoints:
            try:
                if resolvers.endpoint(str(endpoint)) != endpoint:
                    yield "resolvers", f"{str(endpoint)!r} is not how its endpoint is written"
            except (BadPlan, KeyError, TypeError) as error:
                yield "resolvers", str(error)


def _ethics(said: Any) -> Iterator[tuple[str, str]]:
    if not isinstance(said, Mapping):
        yield "ethics", "it is no mapping"
        return
    rates = said.get("rates", {})
    if not isinstance(rates, Mapping):
        yield "ethics", "rates is no mapping"
        return
    yield from _texts("ethics", (*said, *(value for key, value in said.items() if key != "rates"), *rates))
    for address, rate in rates.items():
        if type(rate) is not int or not 0 <= rate <= ethics.MOST_RATE:
            yield "ethics", f"{rate!r} questions a second to {address} is no rate"
