"""The authority's own judge of orders before they are logged: the docket that every operator runs, over the whole log.

What no operator would put in force is not logged. What they would hold (beyond the policy's limits) is, and is said.

Of the entries before it, an order is judged by those with its id and those with its nonce, and held by how full the last hour and day were. So one
that cannot be held, because it only lifts or because there is room in any case, need not wait until the whole log was judged.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

from authority import orders
from authority.errors import AuthorityError
from authority.sought import Sought, payload, traces
from blocklists.directive import Directive
from blocklists.docket import Data, Docket, Verdict
from blocklists.log import entry as entries
from blocklists.log.entry import Entry
from blocklists.log.tree import Tree
from blocklists.rate import DAY, HOUR
from blocklists.trust import policy
from blocklists.trust.policy import Policy

_BUNDLE = 256
"""Entries that are read at once."""
_NAME = b'"fqdn":"'
"""How each target of an order begins in canonical JSON, and nothing else: within a text, its quotation marks would have backslashes."""


def lifts(order: orders.Order) -> bool:
    """Whether the order blocks nothing more: a withdrawal, a suspension, a review. What became of its own id is all that it is judged by."""
    return not isinstance(order, Directive) or order.targets is None


def cannot_be_held(found: Sequence[orders.Order], tree: Tree, rules: Policy, now: int) -> bool:
    """Whether none of the orders, logged next at `now` (unix seconds) or later, would be held: they lift, or the limits have room for all their names
    even if every name that was logged within the last hour and day had newly been blocked.
    """
    amount = sum(len(order.targets or ()) for order in found if isinstance(order, Directive))
    if not amount:
        return True
    limits = [rules.at(index).limits for index in range(tree.size, tree.size + len(found))]
    return all(
        amount + _named_since(tree, now - seconds, most - amount) <= most
        for seconds, most in ((HOUR, min(each.names_per_hour for each in limits)), (DAY, min(each.names_per_day for each in limits)))
    )


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
        """Takes those entries alone by which orders that cannot be held are judged: of the same id, or with the same nonce. About 0.004 ms an entry.

        Nothing else may be asked of this judge. Whatever the entries between were, they change nothing for these ids but how full the hours are.
        A nonce counts as used when what used it stands, which the entries of its own id say: then the log is looked through a second time.
        """
        ids, nonces = set(ids), set(nonces)
        found = list(Sought(ids, nonces).among(tree.entries(0, tree.size)))
        if others := {json.loads(payload(data))["id"] for _, data in found} - ids:
            found = list(Sought(ids | others, nonces).among(tree.entries(0, tree.size)))
        for index, data in found:
            self._docket.size = index
            self._judge(index, data)
        self._docket.size = tree.size

    def take(self, entry: Entry) -> Verdict:
        """Judges what is to be logged next. Raises AuthorityError when no operator would put it in force: it counts as not taken then."""
        index = self._docket.size
        verdict = self._docket.take(index, entry.encode())
        if verdict.rule:
            self._docket.size = index  # what the docket skips changes none of its cases
            named = f"the order {verdict.id}" if verdict.id else "the order"
            raise AuthorityError(f"{named} is not published: {verdict.why} ({verdict.rule})")
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


def _named_since(tree: Tree, since: int, most: int) -> int:
    """How many names stand in the orders logged after `since` (unix seconds), or a few more; some number above `most` when that is passed.

    None stands before an older entry, for the log's time never goes back. Where a whole bundle is late enough, it is not decoded.
    """
    found, stop = 0, tree.size
    while stop and found <= most:
        start = (stop - 1) // _BUNDLE * _BUNDLE
        late = list(tree.entries(start, stop))
        if is_whole := _logged_at(late[0]) > since:
            together = b"".join(late)
            found += sum(together.count(trace) for trace in traces(_NAME))
        else:
            found += sum(payload(data).count(_NAME) for data in late if _logged_at(data) > since)
        stop = start if is_whole else 0
    return found


def _logged_at(data: bytes) -> int:
    return int(json.loads(data)["logged_at"])
