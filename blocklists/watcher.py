"""Looks at an authority's feed from elsewhere, as an operator does, and says what an operator alone might never notice.

Each address is followed into a state directory of its own by the operators' own client: every signature and proof is verified, nothing is put in
force. Then the heads are compared: of two logs that were both signed, one must begin with the other, or the authority's key tells two histories
(equivocation). Both notes are kept then: with the root file they convince anybody. And orders that officers say they signed must be in the log within
a time.

    DIR/<16 hex digits>/     trust/ and log/ of one address (SHA-256 of the address)
    DIR/evidence/<…>.note    signed checkpoints that contradict each other
    DIR/expected.json        when each expected order was first seen
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from blocklists import durable
from blocklists.agreed import Timekeeper
from blocklists.errors import BadDocument, ConfigurationError
from blocklists.feed import metadata
from blocklists.feed.faults import Fault, Forked, RolledBack
from blocklists.feed.fetch import Client
from blocklists.feed.job import FeedJob
from blocklists.feed.trusted import Believed
from blocklists.finding import when
from blocklists.log import entry as entries
from blocklists.log.note import MAX_OCTETS, verify_note
from blocklists.log.tree import Tree
from blocklists.settings import FeedSettings
from blocklists.sync import Sync
from blocklists.trust import envelope

_ASK = "ask the authority, by another way than the feed, and tell other operators what you saw"


class Alarm(NamedTuple):
    """One thing that is wrong, as long as it is."""

    name: str
    """`feed` and the kind of fault, `heads differ`, or `order missing`."""
    about: str
    """An address, two of them, or an order."""
    what: str
    remedy: str
    evidence: tuple[str, ...] = ()
    """Files kept."""


class Expected(NamedTuple):
    """An order that somebody signed."""

    digest: str
    id: str


class Watcher:
    """Of some addresses of one feed."""

    def __init__(self, directory: Path, settings: FeedSettings, within: int = 3600) -> None:
        """`within`: seconds in which an expected order must come.

        Raises ConfigurationError for a root or token file that cannot be used, DiskError.
        """
        self._directory = directory
        self._within = within
        root = metadata.root_file(settings.root)
        demonstration = json.loads(root)["signed"].get("redhand", {}).get("demonstration") is True
        self._feeds: list[_Followed] = []
        for url in settings.urls:
            place = directory / sha256(url.encode()).hexdigest()[:16]
            alone = settings.model_copy(update={"urls": (url,)})
            self._feeds.append(_Followed(url, place, FeedJob(alone, place, (), 0, demonstration)))
        with durable.explained(f"preparing {directory}"):
            (directory / "evidence").mkdir(parents=True, exist_ok=True)

    def look(self, now: int, expected: Iterable[Expected] = ()) -> list[Alarm]:
        """What is wrong at `now` (unix seconds), after a look at every address. Raises StoreError when our own disk fails."""
        found = []
        for feed in self._feeds:
            fault = feed.look()
            if fault is not None:
                found.append(Alarm(f"feed {fault.kind}", feed.url, fault.what, fault.remedy, self._evidence(feed, fault)))
        found += self._compare()
        return found + self._missing(now, list(expected))

    def _evidence(self, feed: _Followed, fault: Fault) -> tuple[str, ...]:
        """Of a log that does not go on from the one we hold: both notes, if theirs is signed too."""
        believed = feed.believed
        if believed is None or not isinstance(fault, Forked | RolledBack):
            return ()
        try:
            theirs = feed.client.get(f"{feed.url}log/checkpoint", MAX_OCTETS)
            verify_note(theirs, believed.policy.log.key, believed.policy.log.origin)
        except (Fault, BadDocument):
            return ()
        return tuple(self._keep(note) for note in (feed.note(), theirs))

    def _compare(self) -> list[Alarm]:
        """Of every two addresses: whether the shorter log is the beginning of the longer one."""
        found = []
        known = sorted((feed for feed in self._feeds if feed.believed is not None), key=lambda feed: feed.head()[0])
        for number, longer in enumerate(known):
            tree = Tree(longer.place / "log")
            for shorter in known[:number]:
                size, root = shorter.head()
                if tree.root_at(size) == root:
                    continue
                what = (
                    f"{shorter.url} gives a log of {size} entries and {longer.url} one of {longer.head()[0]}, both signed by the log's key, and "
                    "neither begins with the other: two histories are told"
                )
                notes = tuple(self._keep(each.note()) for each in (shorter, longer))
                found.append(
                    Alarm("heads differ", f"{shorter.url} {longer.url}", what, "the notes kept as evidence prove it to anybody; " + _ASK, notes)
                )
        return found

    def _missing(self, now: int, expected: list[Expected]) -> list[Alarm]:
        seen = self._first_seen(now, expected)
        found = []
        for order in expected:
            for feed in self._feeds:
                waited = now - seen[order.digest]
                if feed.believed is None or order.digest in feed.digests() or waited < self._within:
                    continue
                what = f"{order.id} ({order.digest}), expected since {when(seen[order.digest])}, is not in the log that {feed.url} gives"
                found.append(Alarm("order missing", f"{order.id} {feed.url}", what, "whoever publishes has not logged it, or withholds it: " + _ASK))
        return found

    def _first_seen(self, now: int, expected: list[Expected]) -> dict[str, int]:
        path = self._directory / "expected.json"
        try:
            kept = {str(digest): int(at) for digest, at in json.loads(path.read_bytes()).items()}
        except (OSError, ValueError, TypeError, AttributeError):
            kept = {}
        seen = {order.digest: kept.get(order.digest, now) for order in expected}
        if seen != kept:
            with durable.explained(f"writing {path}"):
                durable.replace(path, json.dumps(seen).encode())
        return seen

    def _keep(self, note: bytes) -> str:
        path = self._directory / "evidence" / f"{sha256(note).hexdigest()[:32]}.note"
        if not path.exists():
            with durable.explained(f"keeping {path}"):
                durable.replace(path, note)
        return str(path)

    def close(self) -> None:
        """Closes connections."""
        for feed in self._feeds:
            feed.close()


class _Followed:
    """One address."""

    def __init__(self, url: str, place: Path, job: FeedJob) -> None:
        self.url = url
        self.place = place
        self.client = Client()
        self._sync = Sync(job, Timekeeper(place), lambda *_: None)
        self._digests: set[str] = set()
        self._read = 0

    @property
    def believed(self) -> Believed | None:
        """What was verified last."""
        return self._sync.believed

    def look(self) -> Fault | None:
        """What is wrong with it, if anything."""
        return self._sync.look().faults.get(self.url)

    def head(self) -> tuple[int, bytes]:
        """Size and root of the log that was verified last."""
        assert self.believed is not None  # noqa: S101 - asked only then
        return self.believed.checkpoint.size, self.believed.checkpoint.root

    def note(self) -> bytes:
        """The signed checkpoint that was verified last."""
        return (self.place / "trust" / "checkpoint").read_bytes()

    def digests(self) -> set[str]:
        """Of all that was signed and is in the log."""
        size = self.head()[0]
        for data in Tree(self.place / "log").entries(self._read, size):
            try:
                found = entries.read(data).envelope
            except BadDocument:
                continue
            if found is not None:
                self._digests.add(_digest(found.payload))
        self._read = size
        return self._digests

    def close(self) -> None:
        self._sync.close()
        self.client.close()


def read_expected(path: Path) -> list[Expected]:
    """The orders in a file of signed envelopes, one a line. Raises ConfigurationError."""
    found = []
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise ConfigurationError(f"--expect: {path} cannot be read ({error.strerror}); name a file of signed envelopes, one a line") from None
    for number, line in enumerate(lines, 1):
        if not line:
            continue
        try:
            payload = envelope.read(line, f"line {number}").payload
            document: Any = json.loads(payload)
            found.append(Expected(_digest(payload), str(document["id"])))
        except (BadDocument, ValueError, KeyError, TypeError) as error:
            raise ConfigurationError(f"--expect: {path}, line {number} is no signed envelope of an order ({error}); remove or mend it") from None
    return found


def _digest(payload: bytes) -> str:
    return "sha256:" + sha256(payload).hexdigest()
