"""Reports of errors that operators' visitors wrote, on their way to the desk, and what became of each on its way back.

    reports/incoming/<operator>/<reference>.json   {"at": when it was taken, "report": {…}}: on the disk before it is acknowledged
    reports/outcomes/<operator>/<number>.json      what became of one, for that operator alone

The server that strangers speak to adds to the first and reads the second; the desk takes from the first, once its database has it, and adds to the
second. A report that was taken and comes again is the same report. Nothing here knows who wrote one.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from authority.errors import AuthorityError
from authority.keys import Signer
from authority.places import Places
from blocklists import receipt, report
from blocklists.durable import explained, replace, sync_directory
from blocklists.errors import BadDocument, RedHandError, StoreError
from blocklists.names import clip
from blocklists.report import MOST_OUTCOMES, Outcome, Outcomes, Report
from blocklists.trust import strict
from blocklists.trust.envelope import ACKNOWLEDGEMENT, OUTCOMES, Envelope

MOST_OF_ONE = 1_000
"""Reports of one operator that wait for the desk; what is more waits with the operator."""
MOST_LISTED = 30_000
"""Octets of outcomes in one list, so that its envelope stays within what is read."""
KEEP_SECONDS = 400 * 86_400
"""For so long an outcome can be fetched."""
STILL = "the report is not taken, and the operator sends it again"

_NUMBER = re.compile(r"([1-9][0-9]{0,15})\.json")
_OPERATOR = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


class Full(RedHandError):
    """As many reports wait as are kept, or nobody is here to read them."""


class Differs(RedHandError):
    """Another report was taken under its reference."""


class Incoming(NamedTuple):
    """A report that was taken."""

    operator: str
    at: int
    """When, in unix seconds."""
    report: Report


def directory_of(places: Places) -> Path:
    """Where reports come in."""
    return places.directory / "reports" / "incoming"


def prepare(places: Places) -> Path:
    """The same, made if need be: the server, which confines itself, can make it only before."""
    directory_of(places).mkdir(mode=0o700, parents=True, exist_ok=True)
    return directory_of(places)


def take(places: Places, data: bytes, operator: str, now: int) -> tuple[Incoming, bool]:
    """Takes a report that an operator sent; and whether it is new. On the disk when this returns.

    Raises BadDocument for what is none, Differs, Full, DiskError.
    """
    found = report.read(data)
    path = directory_of(places) / operator / f"{found.reference}.json"
    there = _read(path, operator)
    if there is not None:
        if there.report != found:
            raise Differs(f"another report was taken under the reference {found.reference}; send this one under one of its own")
        return there, False
    if not (places.directory / "desk").is_dir():
        raise Full("this authority has no desk yet, which would read it; it waits with the operator")
    with explained(f"writing the report {path}", STILL):
        if not path.parent.is_dir():
            path.parent.mkdir(mode=0o700)
            sync_directory(path.parent.parent)
        if len(os.listdir(path.parent)) >= MOST_OF_ONE:
            raise Full(f"{MOST_OF_ONE} reports of this operator wait for the desk; see that redhand desk serve runs")
        replace(path, strict.write({"at": now, "report": found.model_dump(mode="json")}, "the report"))
    return Incoming(operator, now, found), True


def incoming(places: Places, most: int) -> Iterator[tuple[Path, Incoming | None]]:
    """Those that wait for the desk, at most so many, of each operator the oldest first; None for a file that is not what was written."""
    for directory in sorted(_directories(directory_of(places))):
        found = []
        with suppress(FileNotFoundError), os.scandir(directory) as entries:
            found = [(entry.stat().st_mtime_ns, entry.name) for entry in entries if not entry.name.startswith(".") and entry.name.endswith(".json")]
        for _, name in sorted(found)[:most]:
            most -= 1
            try:
                yield directory / name, _read(directory / name, directory.name)
            except StoreError:
                yield directory / name, None
        if most <= 0:
            return


def forget(path: Path) -> None:
    """The desk has it. Raises DiskError."""
    with explained(f"removing the report {path}", "it is taken once all the same"):
        path.unlink(missing_ok=True)


def set_aside(path: Path) -> None:
    """Leaves a file that cannot be read to a person, under another name. Raises DiskError."""
    with explained(f"setting {path} aside", "the others are taken"):
        path.rename(path.with_name(f"{path.name}.bad"))


def tell(places: Places, operator: str, now: int, **fields: str) -> int:
    """Has an operator learn what became of a report: `reference`, `decision`, `answer`, `language`. Its number; on the disk when this returns.

    A number is above all before it, also when a backup was put back: it is the time at least. Raises DiskError.
    """
    directory = places.directory / "reports" / "outcomes" / operator
    with explained(f"writing an outcome into {directory}", "the operator is told later"):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        numbers = _numbers(directory)
        number = max(numbers[-1] + 1 if numbers else 1, now)
        made = Outcome.model_validate({"number": number, "at": now, **fields})
        replace(directory / f"{number}.json", strict.write(made.model_dump(mode="json"), "the outcome"))
        for each in numbers:
            if each < now - KEEP_SECONDS:
                (directory / f"{each}.json").unlink(missing_ok=True)
    return number


def outcomes(places: Places, operator: str, after: int) -> list[Outcome]:
    """What became of an operator's reports after a number, the oldest first; as many as fit into one list. Raises StoreError."""
    directory = places.directory / "reports" / "outcomes" / operator
    found: list[Outcome] = []
    octets = 0
    for number in _numbers(directory):
        if number <= after:
            continue
        path = directory / f"{number}.json"
        try:
            data = path.read_bytes()
            each = report.read_outcome(data, str(path))
        except FileNotFoundError:
            continue
        except (OSError, BadDocument) as error:
            raise StoreError(f"{path} is not what was written ({error}); remove it, and have the case answered again") from None
        octets += len(data)
        if found and (octets > MOST_LISTED or len(found) >= MOST_OUTCOMES):
            break
        found.append(each)
    return found


def acknowledgement(taken: Incoming, origin: str, log: Signer) -> bytes:
    """The envelope that says that a report was taken, and when."""
    said = receipt.Acknowledgement(type="acknowledgement", version=1, log=origin, receipt=report.digest(taken.report.encode()), at=taken.at)
    return _signed(ACKNOWLEDGEMENT, said.encode(), log)


def listed(found: list[Outcome], operator: str, after: int, origin: str, log: Signer) -> bytes:
    """The envelope with the outcomes after a number."""
    return _signed(OUTCOMES, Outcomes(type="outcomes", version=1, log=origin, operator=operator, after=after, outcomes=found).encode(), log)


def after_in(query: bytes) -> int:
    """The number in `after=N`; 0 without one. Raises BadDocument."""
    name, _, number = query.partition(b"=")
    if not query:
        return 0
    if name != b"after" or not number.isdigit() or len(number) > 15:
        raise BadDocument(f"{clip(query.decode('latin-1'))} asks for no outcomes; write after=N, with the number of the last one that is known")
    return int(number)


def _signed(kind: str, payload: bytes, log: Signer) -> bytes:
    made = Envelope(kind, payload)
    return made.with_signature(log.key.keyid, log.sign(made.signed_bytes())).encode()


def _read(path: Path, operator: str) -> Incoming | None:
    """What stands in a file; None when there is none. Raises StoreError."""
    try:
        document = strict.read(path.read_bytes(), str(path), 2 * report.MAX_OCTETS)
        return Incoming(operator, int(document["at"]), Report.model_validate(document["report"]))
    except FileNotFoundError:
        return None
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise StoreError(f"{path} is not the report that was written ({error}); put it back from a backup, or remove it") from None


def _directories(directory: Path) -> list[Path]:
    try:
        return [path for path in directory.iterdir() if path.is_dir() and _OPERATOR.fullmatch(path.name)]
    except FileNotFoundError:
        return []


def _numbers(directory: Path) -> list[int]:
    try:
        return sorted(int(match[1]) for name in os.listdir(directory) if (match := _NUMBER.fullmatch(name)))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise AuthorityError(f"{directory} cannot be read ({error.strerror}); mend its owner or mode") from None
