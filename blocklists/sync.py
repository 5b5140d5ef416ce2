"""From the authority's feed to the list in force: one look at a time, everything verified, in an order that a kill at any instant cannot harm.

    metadata → checkpoint → entries, each piece proven → our copy of the log → journal of what is believed → list → files of what is believed

A mirror is asked after another until one gives what verifies, and each look begins with the next one, so that a mirror that lags is noticed. What is
found wrong is an alarm and changes nothing. Entries are judged by the docket; nothing here judges one.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from blocklists.agreed import Timekeeper
from blocklists.docket import RULES, SHOWN, Orders
from blocklists.errors import BadDocument, BadName, ConfigurationError, StoreError
from blocklists.feed import judging, metadata
from blocklists.feed.faults import Distrusted, Fault, Forked, Lagging, Refused, RolledBack
from blocklists.feed.fetch import Client
from blocklists.feed.job import FeedJob
from blocklists.feed.judging import ByHand, Judge
from blocklists.feed.metadata import Announced
from blocklists.feed.mirrored import MirroredLog, Progress, forked
from blocklists.feed.trusted import MARK, ROOT, Believed, Trusted, understand
from blocklists.finding import when
from blocklists.log.tree import Tree
from blocklists.names import clip
from blocklists.trust import lint
from blocklists.trust.policy import check_follows

LOCK_SECONDS = 30.0
"""How long another process that looks at the feed is waited for."""
TURN_SECONDS = 120.0
"""How long one mirror of several may take in all: one that answers each request just in time must not keep the others' news from us."""
AHEAD_SECONDS = 86_400
"""By how much the log's clock may be ahead of ours: a rate over logged time means nothing to who may date what it signs as it likes."""
TOLD = 5
"""Orders that an alarm names."""

NEWEST, STALE, REFUSED = 0, 3, 4
"""Exit codes of one look: the newest is in force; it could not be had; what came was refused. Of the last two, the last verified list stays."""

_TELL = "tell the authority, by the contact its policy names; it is tried again by itself"

Publish = Callable[[dict[str, Any], Orders], object]
"""Puts a state of the docket in force, with these facts in the version's manifest (`orders.OrderLines.put_in_force`). Raises StoreError."""


@dataclass
class Outcome:
    """What came of one look."""

    url: str = ""
    """The mirror whose word was taken; empty when none was."""
    news: bool = False
    """Whether more is believed than before."""
    faults: dict[str, Fault] = field(default_factory=dict)
    """By address."""

    @property
    def code(self) -> int:
        """For whoever looks once."""
        if self.url:
            return NEWEST
        return REFUSED if any(isinstance(fault, Distrusted) for fault in self.faults.values()) else STALE

    def alarms(self, mirrors: int) -> dict[str, tuple[str, str]]:
        """By name: what is so, and what to do. Two histories are one alarm, whatever another mirror says."""
        found = {}
        for url, fault in self.faults.items():
            alone = mirrors == 1 or isinstance(fault, Forked)
            found[f"feed {fault.kind}" if alone or not self.url else f"feed mirror {url} {fault.kind}"] = (fault.what, fault.remedy)
        return found


class Sync:
    """Follows one feed into one state directory. For one thread."""

    def __init__(self, job: FeedJob, clock: Timekeeper, publish: Publish, progress: Progress = lambda *_: None) -> None:
        """Raises ConfigurationError when the root file or the token file cannot be used."""
        self._job = job
        self._clock = clock
        self._publish = publish
        self._progress = progress
        self._bootstrap = metadata.root_file(job.settings.root)
        self._client = Client(read_token(job.settings.token_file))
        self._trusted = Trusted(job.state_dir)
        self._judge = Judge(job.own_names, progress)
        self._tree: Tree | None = None
        self._stamp: tuple[object, ...] = ()
        self._seen: dict[str, int] = {}
        """The highest version that each mirror has given."""
        self._turn = 0
        self.believed: Believed | None = None
        self.alarms: dict[str, tuple[str, str]] = {}
        """What a person must know of what is believed, whatever a look comes to."""

    def look(self, hinted: str = "") -> Outcome:
        """Asks the mirrors, `hinted` first, and puts in force what verifies. Raises StoreError and Busy; what was in force stays.

        While mirrors are waited for, another process may `settle`: what an operator decides waits for none of them.
        """
        with self._trusted.fetching(LOCK_SECONDS):
            with self._trusted.locked(LOCK_SECONDS):
                tree = self._open()
            outcome = Outcome()
            several = len(self._job.settings.urls) > 1
            for url in self._in_turn(hinted):
                self._client.until = time.monotonic() + TURN_SECONDS if several else math.inf
                try:
                    outcome.news = self._accept(url, tree)
                except Fault as fault:
                    outcome.faults[url] = self._unless_lagging(url, fault)
                except BadDocument as error:
                    outcome.faults[url] = Refused(f"{url}: {error}", _TELL)
                else:
                    outcome.url = url
                    break
            if outcome.news or self._stamp != self._now_stamped():
                with self._trusted.locked(LOCK_SECONDS):
                    self._settle(tree)
            return outcome

    def settle(self) -> None:
        """Puts in force what is believed already, and what was decided or lifted by hand. Raises StoreError and Busy."""
        with self._trusted.locked(LOCK_SECONDS):
            self._settle(self._open())

    @property
    def dockets(self) -> int:
        """How many times all orders were judged from the first entry on: what that leaves in memory is large, and stays."""
        return self._judge.made

    def stirred(self) -> bool:
        """Whether another process has believed more, or somebody decided or lifted something by hand: a few stat calls."""
        return self._now_stamped() != self._stamp

    # --- one mirror

    def _in_turn(self, hinted: str) -> Iterator[str]:
        urls = list(self._job.settings.urls)
        begin = urls.index(hinted) if hinted in urls else self._turn % len(urls)
        self._turn = begin + 1
        return iter(urls[begin:] + urls[:begin])

    def _unless_lagging(self, url: str, fault: Fault) -> Fault:
        """A mirror that is merely behind what another one gave has done nothing wrong."""
        others = len(self._job.settings.urls) > 1
        if others and isinstance(fault, RolledBack) and fault.version > 0 and self._seen.get(url, 0) <= fault.version:
            return Lagging(
                f"{url} gives version {fault.version} of the feed, and another mirror gave a newer one",
                "tell who keeps this mirror; the others are used meanwhile",
            )
        return fault

    def _accept(self, url: str, tree: Tree) -> bool:
        """Takes a mirror's word, or raises Fault or BadDocument for why not; whether it was news."""
        found = metadata.poll(url, self._trusted.directory, self._bootstrap, self._client, self._clock.now())
        self._seen[url] = max(found.version, self._seen.get(url, 0))
        if self.believed is not None and not self._trusted.differing({**found.targets, **found.files}):
            return False
        new = understand(found.targets, found.demonstration, self.believed)
        self._check_whose(url, found, new)
        if self.believed is None or new.digest() != self.believed.digest() or found.offline_changed:
            self._check_offline(found, new)
        log = MirroredLog(url, self._client, new.checkpoint)
        self._check_log(url, found, log, tree)
        log.bring(tree, self._progress)
        mark = json.dumps({"demonstration": new.demonstration, "origin": found.origin}).encode()
        with self._trusted.locked(LOCK_SECONDS):
            self._trusted.commit(self._trusted.differing({**found.targets, **found.files, MARK: mark, ROOT: self._bootstrap}))
        before, self.believed = self.believed, new
        return before is None or new.checkpoint.size > before.checkpoint.size or new.digest() != before.digest()

    def _check_whose(self, url: str, found: Announced, new: Believed) -> None:
        """It is the authority that the settings mean, by all it says of itself."""
        if found.demonstration and not self._job.demonstration:
            raise Refused(
                f"{url} is the feed of a demonstration authority, whose keys are nobody's",
                "name a real authority's feed and root file; a demonstration runs with feed.urls: [builtin:demo] alone",
            )
        if self._job.demonstration and not found.demonstration:
            raise Refused(f"{url} is the feed of a real authority, and this is the demonstration", "name it in feed.urls, with its root file")
        origin = new.policy.log.origin
        if found.origin != origin:
            raise Refused(f"{url}: its root is for the log {clip(found.origin)}, and its policy for {clip(origin)}", _TELL)

    def _check_offline(self, found: Announced, new: Believed) -> None:
        """What was signed offline can be judged by, and does not rewrite the past. Raises BadDocument."""
        lint.check(*found.offline, new.policy)
        if self.believed is not None:
            # Our copy may have more entries, of a fetch that was cut short: nothing was judged by those yet.
            check_follows(new.policy, self.believed.policy, self.believed.checkpoint.size)
        try:
            judging.make(new, self._job.own_names)
        except (BadName, ValueError) as error:
            raise BadDocument(f"the feed's protected names or public suffixes are not such ({error}); {_TELL}") from None

    def _check_log(self, url: str, found: Announced, log: MirroredLog, tree: Tree) -> None:
        """The checkpoint continues our copy, and both continue what was pinned offline."""
        size = log.checkpoint.size
        if log.checkpoint.time > max(self._clock.now(), int(time.time())) + AHEAD_SECONDS:  # whichever of our clocks is right
            raise Refused(
                f"{url} gives a log that says it was signed at {when(log.checkpoint.time)}, more than a day from now",
                "see that this machine's clock is right; if it is, " + _TELL,
            )
        if self.believed is not None and size < (before := self.believed.checkpoint.size):
            raise RolledBack(f"{url} gives a log of {size} entries, and one of {before} was signed before", _TELL)
        if size <= tree.size and tree.root_at(size) != log.checkpoint.root:
            raise forked(url, size, tree.size)
        for pin in found.pins:
            if pin.size > size:
                raise RolledBack(f"{url} gives a log of {size} entries, and the feed's {pin.by} was signed offline when it had {pin.size}", _TELL)
            if not (tree.root_at(pin.size) == pin.root if pin.size <= tree.size else log.begins_with(pin.size, pin.root)):
                raise Forked(
                    f"{url}: the log is not the one that the feed's {pin.by} names, which was signed offline when it had {pin.size} entries",
                    "whoever keeps the log has changed it, or offline keys were used for another: " + _TELL,
                )

    # --- what is believed, and the list in force

    def _now_stamped(self) -> tuple[object, ...]:
        return (*self._trusted.stamp(), *judging.stamp(self._job.state_dir))

    def _open(self) -> Tree:
        """Our copy of the log; what is on disk is read if this is the first time or another process has changed it. Raises StoreError."""
        if self._tree is not None and self._trusted.stamp() == self._stamp[: len(self._trusted.stamp())]:
            return self._tree
        self.alarms = {}
        try:
            self.believed = self._trusted.load()
        except StoreError as error:
            self.believed = None
            self.alarms["feed state"] = (str(error), "see whether the disk is sound")
        self._tree = Tree(self._job.state_dir / "log")
        if self.believed is not None and self.believed.checkpoint.size > self._tree.size:
            raise StoreError(
                f"the copy of the log in {self._tree.directory} has {self._tree.size} entries, and {self.believed.checkpoint.size} were verified "
                f"before; move it and {self._trusted.directory} out of the state directory, and both are fetched and verified again"
            )
        return self._tree

    def _settle(self, tree: Tree) -> None:
        if self.believed is None:
            self._stamp = self._now_stamped()
            return
        self._stamp = ()  # until all is done: whatever fails below is begun again
        held = self._judge.judge(self.believed, tree)
        by_hand = self._judge.by_hand(held, self._job.state_dir)
        state = held.state(self._clock.now())
        self._publish(_facts(self.believed, state, by_hand), state)
        self._trusted.spread()
        self._stamp = (*self._trusted.stamp(), *by_hand.stamp)
        self.alarms = _alarms(state, by_hand)

    def close(self) -> None:
        """Closes connections."""
        self._client.close()


def _facts(believed: Believed, state: Orders, by_hand: ByHand) -> dict[str, Any]:
    """What a version says of the orders in it (its manifest's `orders`)."""
    checkpoint = believed.checkpoint
    return {
        "origin": checkpoint.origin,
        "size": checkpoint.size,
        "root": checkpoint.root.hex(),
        "policy": believed.policy_sha256,
        "epochs": len(believed.policy.epochs),
        "protected": believed.protected_sha256,
        "suffixes": believed.suffixes_sha256,
        "as_of": state.as_of,
        "rules": RULES,
        "skipped": state.skipped,
        "skipped_in_all": state.skipped_in_all,
        "held": state.held[:SHOWN],
        "held_in_all": len(state.held),
        "withdrawn": state.withdrawn,
        "decisions": by_hand.decisions,
        "lifted": by_hand.lifted,
        "demonstration": believed.demonstration,
    }


def _alarms(state: Orders, by_hand: ByHand) -> dict[str, tuple[str, str]]:
    found = {}
    if state.skipped:
        shown = "; ".join(f"entry {row['index']}{' of ' + row['id'] if row.get('id') else ''}: {row['rule']}" for row in state.skipped[-TOLD:])
        found["feed entries skipped"] = (
            f"{state.skipped_in_all} entries or names of the log are not in force, by rules that hold for everybody; the latest: {shown}",
            "the authority must mend and log them again; the rules are in the operator's guide",
        )
    if state.held:
        shown = "; ".join(f"{row['id']}: {row['why']}" for row in state.held[:TOLD])
        found["feed orders held"] = (
            f"{len(state.held)} orders wait for a person here: {shown}",
            "ask the authority whether they are meant, then: redhand decide release ID",
        )
    if by_hand.refused:
        found["feed files refused"] = (
            f"{len(by_hand.refused)} files put here by hand have no effect: {'; '.join(by_hand.refused[:TOLD])}",
            "mend or remove them",
        )
    return found


def read_token(path: str) -> str:
    """The token in a file. Raises ConfigurationError."""
    if not path:
        return ""
    try:
        text = Path(path).read_text("ascii").strip()
        if not text or not text.isprintable() or " " in text or len(text) > 4096:
            raise ValueError("it is not one word of ASCII letters, digits and signs")
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"feed.token_file: {path} holds no token ({error}); write there what the authority gave this operator") from None
    return text
