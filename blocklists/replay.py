"""The log gone through again, from its entries alone: which of them bear on a name, and by which orders it was in force at a time. Pure."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Sequence

from blocklists import names
from blocklists.docket import Data, Docket, Verdict
from blocklists.errors import BadDocument
from blocklists.guards import read_suffixes
from blocklists.log import entry as entries
from blocklists.trust import strict
from blocklists.trust.policy import Policy


def bearing(log: Iterable[bytes], name: str) -> list[int]:
    """Places, in these entries, of all that bear on the name: orders that list it or a name above with all below, and all that has their ids.

    Reads leniently, so that what is skipped for its form is shown too.
    """
    key = names.key(names.parse(name))
    of: dict[str, list[int]] = {}
    concerned: set[str] = set()
    for index, data in enumerate(log):
        identity, covers = _subject(data, key)
        of.setdefault(identity, []).append(index)
        if covers:
            concerned.add(identity)
    return sorted(index for identity in concerned for index in of[identity])


def about(data: bytes) -> str:
    """The id that an entry is about, signed or not; empty when it is about none."""
    return _subject(data, b"")[0]


def _subject(data: bytes, key: bytes) -> tuple[str, bool]:
    """The id an entry is about, and whether it names the key or what is above it."""
    try:
        payload = json.loads(base64.b64decode(json.loads(data)["envelope"]["payload"]))
        identity = payload["id"]
        if not isinstance(identity, str):
            return "", False
        return identity, any(_covers(target["fqdn"], target["match"], key) for target in payload.get("targets", ()))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return "", False


def _covers(fqdn: str, match: str, key: bytes) -> bool:
    found = names.key(names.parse(fqdn))
    return key == found or (match == "subtree" and bool(found) and key.startswith(found))


def data_of(judged_by: Policy, protected: bytes, suffixes: bytes, demonstration: bool) -> Data:
    """What a docket judges by, from the three files. Raises BadDocument or ValueError."""
    listed = strict.read(protected, "the list of protected names", 4 << 20)["names"]
    data = Data(judged_by, tuple(map(str, listed)), read_suffixes(suffixes.decode("utf-8")), demonstration)
    Docket(data)  # raises BadName for one that is none
    return data


def in_force(log: Iterable[bytes], data: Data, name: str, at: int, verdicts: Sequence[Verdict] = ()) -> tuple[str, ...]:
    """Ids, sorted, of the orders by which a name is in force at `at`, by what the log dates until then.

    `verdicts`: of a docket over the same log, whose verified signatures are not verified again.
    """
    key = names.key(names.parse(name))
    held = Docket(data)
    for index, each in enumerate(_until(log, at)):
        held.take(index, each, verdicts[index] if index < len(verdicts) else None)
    found = set()
    for basis in held.state(at):
        if basis.starts <= at < basis.ends and any(key == listed or (not exact and key.startswith(listed)) for listed, exact in basis.listed):
            found.add(basis.reference)
    return tuple(sorted(found))


def _until(log: Iterable[bytes], at: int) -> Iterator[bytes]:
    """The entries before the first that was logged after `at`."""
    for data in log:
        try:
            if entries.read(data).logged_at > at:
                return
        except BadDocument:
            pass  # the docket skips it
        yield data
