"""The authority's own judge of orders before they are logged: the docket that every operator runs, over the whole log.

What no operator would put in force is not logged. What they would hold (beyond the policy's limits) is, and is said.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping

from authority import orders
from authority.errors import AuthorityError
from blocklists.directive import Directive
from blocklists.docket import Data, Docket, Verdict
from blocklists.log import entry as entries
from blocklists.log.entry import Entry
from blocklists.log.tree import Tree
from blocklists.trust import policy


def lifts(order: orders.Order) -> bool:
    """Whether the order blocks nothing more: a withdrawal, a suspension, a review. What became of its own id is all that it is judged by."""
    return not isinstance(order, Directive) or order.targets is None


class Judge:
    """The docket over the log so far. `before`: another judge of the same log, whose verified signatures are not verified again."""

    def __init__(self, files: Mapping[str, bytes], demonstration: bool, before: Judge | None = None) -> None:
        self._files = dict(files)
        self._demonstration = demonstration
        self._docket = Docket(_data(files, demonstration))
        self._verdicts: list[Verdict] = []
        self._known = before._verdicts if before is not None else []
        self._index: dict[str, int] = {}
        self._newest: dict[str, str] = {}
        self.time = 0
        """When the log took its last entry, in unix seconds."""

    def follow(self, files: Mapping[str, bytes], demonstration: bool) -> bool:
        """Judges by these files from now on, if all it has judged comes out the same by them; whether it does. Else another judge is due."""
        if self._files == files and self._demonstration == demonstration:
            return True
        if not self._docket.renew(_data(files, demonstration)):
            return False
        self._files, self._demonstration = dict(files), demonstration
        return True

    @property
    def size(self) -> int:
        """How many entries it has judged."""
        return self._docket.size

    def catch_up(self, tree: Tree, most: int | None = None) -> None:
        """Takes the entries that it has not seen, or the next `most` of them. About 0.4 ms each."""
        start = self._docket.size
        stop = tree.size if most is None else min(tree.size, start + most)
        for index, data in enumerate(tree.entries(start, stop), start):
            self._judge(index, data)

    def catch_up_on(self, tree: Tree, ids: Iterable[str], nonces: Iterable[str] = ()) -> None:
        """Takes those entries alone by which orders that only lift are judged: of the same id, or with the same nonce. About 0.03 ms an entry.

        Nothing else may be asked of this judge. Whatever the entries between were, they change nothing for these ids but how full the hours are, and
        what lifts is never held.
        """
        wanted = [_field("id", each) for each in ids] + [_field("nonce", each) for each in nonces]
        for index, data in enumerate(tree.entries(0, tree.size)):
            if any(each in _payload(data) for each in wanted):
                self._docket.size = index
                self._judge(index, data)
        self._docket.size = tree.size

    def take(self, entry: Entry) -> Verdict:
        """Judges what is to be logged next. Raises AuthorityError when no operator would put it in force: it counts as not taken then."""
        index = self._docket.size
        verdict = self._docket.take(index, entry.encode())
        if verdict.rule:
            self._docket.size = index  # what the docket skips changes none of its cases
            raise AuthorityError(f"the order {verdict.id or ''} is not published: {verdict.why} ({verdict.rule})")
        self._took(entry, index, verdict)
        return verdict

    def index_of(self, digest: str) -> int | None:
        """Where the log has what was signed; None when it does not."""
        return self._index.get(digest)

    def newest(self, identity: str) -> str | None:
        """The digest of the newest block or amendment of an id that stands."""
        return self._newest.get(identity)

    def _judge(self, index: int, data: bytes) -> None:
        verdict = self._docket.take(index, data, self._known[index] if index < len(self._known) else None)
        self._took(entries.read(data, f"entry {index}"), index, verdict)

    def _took(self, entry: Entry, index: int, verdict: Verdict) -> None:
        self._verdicts.append(verdict)
        self.time = max(self.time, entry.logged_at)
        if entry.envelope is not None:
            digest = orders.digest(entry.envelope)
            self._index.setdefault(digest, index)
            payload = json.loads(entry.envelope.payload)
            if payload.get("action") in ("block", "amend") and not verdict.rule:
                self._newest[payload["id"]] = digest


def _data(files: Mapping[str, bytes], demonstration: bool) -> Data:
    return Data(
        policy.load(files["policy.json"]), orders.protected_names(files["protected.json"]), orders.suffixes(files["suffixes.dat"]), demonstration
    )


def _payload(data: bytes) -> bytes:
    """What was signed, of an entry of our own log; nothing of a batch of receipts."""
    return base64.b64decode(json.loads(data).get("envelope", {}).get("payload", ""))


def _field(name: str, value: str) -> bytes:
    """A field as it stands in canonical JSON, and nowhere else: within a text, its quotation marks would have backslashes."""
    return f'"{name}":{json.dumps(value, ensure_ascii=False)}'.encode()
