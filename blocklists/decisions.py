"""What the operator decided about an order, by name and with a reason: hold it, release it, suspend it, resume it.

    state_dir/decisions/<number>.json    {"at":…,"by":"…","id":"…","reason":"…","what":"…"}, canonical, never changed

All of them in order are given to the docket (`Docket.decide`), recorded in the version that they lead to, and named in the receipt for it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import Field, ValidationError

from blocklists import numbered
from blocklists.directive import Id, Line, Part
from blocklists.errors import BadDocument, StoreError
from blocklists.names import clip
from blocklists.trust import strict

DIRECTORY = "decisions"
MAX_OCTETS = 4096

What = Literal["hold", "release", "suspend", "resume"]
WHATS: tuple[str, ...] = get_args(What)


class Decision(Part):
    """One decision. `release` ends a hold, the log's own included; `resume` ends a suspension of the operator's, never one that was ordered."""

    at: Annotated[int, Field(ge=0, lt=1 << 33)]
    """Unix seconds."""
    by: Line
    """Who answers for it: a person's name or service number."""
    id: Id
    """The order's public reference."""
    reason: Line
    what: What

    def document(self) -> dict[str, Any]:
        """As the docket and a manifest have it."""
        return self.model_dump(mode="json")


def make(what: str, identity: str, by: str, reason: str, at: int) -> Decision:
    """A decision taken at `at` (unix seconds). Raises BadDocument naming what is wrong with it."""
    return _valid({"at": at, "by": by, "id": identity, "reason": reason, "what": what}, "the decision")


def add(state_dir: Path, decision: Decision) -> int:
    """Records a decision; its number. It is on the disk when this returns. Raises DiskError."""
    directory = state_dir / DIRECTORY
    with numbered.alone(directory):
        number = (numbered.numbers(directory) or [0])[-1] + 1
        numbered.write(directory, number, strict.write(decision.document(), "the decision"))
    return number


def read(state_dir: Path) -> list[Decision]:
    """All decisions so far, in order. Raises StoreError naming a file that is not what was written, and DiskError."""
    return [read_one(state_dir, number) for number in numbered.numbers(state_dir / DIRECTORY)]


def read_one(state_dir: Path, number: int) -> Decision:
    """One decision. Raises StoreError when its file is not what was written."""
    path = numbered.path_of(state_dir / DIRECTORY, number)
    try:
        with path.open("rb") as file:
            return _valid(strict.read(file.read(MAX_OCTETS + 1), str(path), MAX_OCTETS), str(path))
    except OSError as error:
        raise StoreError(f"{path} cannot be read ({error.strerror}); mend its owner or mode") from None
    except BadDocument as error:
        raise StoreError(f"{error}; put the file back from a backup, or decide again and remove it") from None


def _valid(document: dict[str, Any], what: str) -> Decision:
    try:
        found = Decision.model_validate(document)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        place = ".".join(map(str, fault["loc"]))
        raise BadDocument(f"{what}: {place}: {clip(fault['msg'].removeprefix('Value error, '))}; mend it") from None
    return found
