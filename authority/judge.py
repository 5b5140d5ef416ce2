"""The authority's own judge of orders before they are logged: the docket that every operator runs, over the whole log.

What no operator would put in force is not logged. What they would hold (beyond the policy's limits) is, and is said.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from authority import orders
from authority.errors import AuthorityError
from blocklists.docket import Data, Docket, Verdict
from blocklists.log import entry as entries
from blocklists.log.entry import Entry
from blocklists.log.tree import Tree
from blocklists.trust import policy


class Judge:
    """The docket over the log so far. `before`: another judge of the same log, whose verified signatures are not verified again."""

    def __init__(self, files: Mapping[str, bytes], demonstration: bool, before: Judge | None = None) -> None:
        self._files = dict(files)
        self._demonstration = demonstration
        suffixes = orders.suffixes(files["suffixes.dat"])
        self._docket = Docket(Data(policy.load(files["policy.json"]), orders.protected_names(files["protected.json"]), suffixes, demonstration))
        self._verdicts: list[Verdict] = []
        self._known = before._verdicts if before is not None else []
        self._index: dict[str, int] = {}
        self._newest: dict[str, str] = {}
        self.time = 0
        """When the log took its last entry, in unix seconds."""

    def follows(self, files: Mapping[str, bytes], demonstration: bool) -> bool:
        """Whether it judges by these files."""
        return self._files == files and self._demonstration == demonstration

    def catch_up(self, tree: Tree) -> None:
        """Takes the entries that it has not seen."""
        start = self._docket.size
        for index, data in enumerate(tree.entries(start, tree.size), start):
            verdict = self._docket.take(index, data, self._known[index] if index < len(self._known) else None)
            self._took(entries.read(data, f"entry {index}"), index, verdict)

    def take(self, entry: Entry) -> Verdict:
        """Judges what is to be logged next. Raises AuthorityError when no operator would put it in force; the judge is of no use then."""
        index = self._docket.size
        verdict = self._docket.take(index, entry.encode())
        if verdict.rule:
            raise AuthorityError(f"the order {verdict.id or ''} is not published: {verdict.why} ({verdict.rule})")
        self._took(entry, index, verdict)
        return verdict

    def index_of(self, digest: str) -> int | None:
        """Where the log has what was signed; None when it does not."""
        return self._index.get(digest)

    def newest(self, identity: str) -> str | None:
        """The digest of the newest block or amendment of an id that stands."""
        return self._newest.get(identity)

    def _took(self, entry: Entry, index: int, verdict: Verdict) -> None:
        self._verdicts.append(verdict)
        self.time = max(self.time, entry.logged_at)
        if entry.envelope is not None:
            digest = orders.digest(entry.envelope)
            self._index.setdefault(digest, index)
            payload = json.loads(entry.envelope.payload)
            if payload.get("action") in ("block", "amend") and not verdict.rule:
                self._newest[payload["id"]] = digest
