"""Looks at the feed for as long as the process lives: at its start, every so often, when a mirror hints, and when somebody decided something here."""

from __future__ import annotations

import gc
import logging
import random
import time
from collections.abc import Callable
from typing import Any

from blocklists.agreed import Timekeeper
from blocklists.alarms import Alarms
from blocklists.docket import Orders
from blocklists.errors import Busy, ConfigurationError, DiskError, StoreError
from blocklists.feed.courier import Courier
from blocklists.feed.hints import Hints
from blocklists.feed.job import FeedJob
from blocklists.feed.reporter import Reporter
from blocklists.logs import fields
from blocklists.orders import OrderLines
from blocklists.receipts import InForce
from blocklists.sync import Outcome, Publish, Sync
from blocklists.tell import tell

STIRRED_SECONDS = 0.25
"""Between two looks at whether somebody decided or lifted something by hand."""
JITTER = 0.2
"""Share by which a poll comes earlier or later, so that an authority's thousand operators do not come at once."""
RETRY_SECONDS = 10.0
"""Before a look that our own disk failed is tried again."""
TOLD_SECONDS = 1.0
"""Between two words of progress."""

COUNTED = frozenset({"feed entries skipped", "feed orders held"})
"""Alarms that may be on for long, and whose words change with what is in the log alone: each change is a line of its own, or one hides the next."""

Tell = Callable[[dict[str, Any]], bool]

log = logging.getLogger("redhand.feed")


class Pace:
    """Says how a long piece of work goes, at most once a second and at its end: what is done, how much of how much, and how much a second."""

    def __init__(self, say: Callable[[str, int, int, int], None]) -> None:
        self._say = say
        self._what, self._first, self._began, self._told = "", 0, 0.0, 0.0

    def __call__(self, what: str, done: int, whole: int) -> None:
        now = time.monotonic()
        if what != self._what or done < self._first:
            self._what, self._first, self._began = what, done, now
        if now - self._told >= TOLD_SECONDS or done == whole:
            self._told = now
            self._say(what, done, whole, round((done - self._first) / max(now - self._began, 0.01)))


class Told:
    """What the supervisor is told: how the feed stands, and alarms."""

    def __init__(self, urls: tuple[str, ...], tell: Tell) -> None:
        self._tell = tell
        self.alarms = Alarms(tell)
        self._on: dict[str, tuple[str, str]] = {}
        self._of_look: dict[str, tuple[str, str]] = {}
        self._state: dict[str, Any] = {"urls": list(urls), "url": None, "looked": None, "newest": None, "progress": None}

    def progress(self, what: str, done: int, whole: int, rate: int) -> None:
        """How a long piece of work goes."""
        self.say(progress={"what": what, "done": done, "of": whole, "rate": rate})
        if done < whole:
            log.info("%s %d of %d entries", what, done, whole, extra=fields(a_second=rate))

    def say(self, **changes: Any) -> None:
        """Tells the state with these changes."""
        self._state |= changes
        self._tell({"feed": self._state})

    def looked(self, outcome: Outcome | None, following: Sync, disk: dict[str, tuple[str, str]]) -> None:
        """What came of a look, or of settling without one (`outcome` is None: what the last look found wrong still is)."""
        now = int(time.time())
        believed = following.believed
        changes: dict[str, Any] = {"progress": None}
        if outcome is not None:
            self._of_look = outcome.alarms(len(self._state["urls"]))
            changes["looked"] = now
            if outcome.url:
                changes |= {"newest": now, "url": outcome.url}
        if believed is not None:
            checkpoint = believed.checkpoint
            changes |= {
                "origin": checkpoint.origin,
                "size": checkpoint.size,
                "signed": checkpoint.time,
                "demonstration": believed.demonstration,
                "policy": believed.policy_sha256,
            }
        self.say(**changes)
        alarms = {**self._of_look, **following.alarms, **disk}
        for name, (what, remedy) in alarms.items():
            self.alarms.sound(name, what, remedy)
            if name in COUNTED and name in self._on and self._on[name] != (what, remedy):
                log.warning("%s: %s; %s", name, what, remedy)
        for name in set(self._on) - set(alarms):
            self.alarms.clear(name)
        self._on = alarms


def follow(job: FeedJob, tell: Tell = tell) -> None:
    """Never returns. `tell` is given what a supervisor is told."""
    told = Told(job.settings.urls, tell)
    lines = OrderLines(job.state_dir, job.keep_versions)
    courier = Courier(job.state_dir, job.settings, Alarms(tell)) if job.settings.operator and job.settings.receipt_key else None
    reporter = Reporter(job.state_dir, job.settings, Alarms(tell)) if job.settings.token_file and not job.demonstration else None
    for carrier in (courier, reporter):
        if carrier is not None:
            carrier.start()

    def publish(facts: dict[str, Any], state: Orders) -> None:
        built = lines.put_in_force(facts, state)
        if built.swollen:
            tell({"swollen": True})
        if courier is not None and (believed := following.believed) is not None:
            courier.in_force(InForce(facts, believed.checkpoint.time, built.serial, built.identity), believed.policy)

    tell({"ready": True})
    told.say()
    following = _begun(job, publish, told)
    hints = Hints()
    for url in job.settings.urls:
        hints.listen(url)
    seed = random.Random()  # noqa: S311 - nobody must not guess it
    hinted = ""
    while True:
        before = following.believed
        pause = attempt(following, told, hinted) or job.settings.poll_seconds * seed.uniform(1 - JITTER, 1 + JITTER)
        if following.believed is not before:
            hints.was_true()
        if reporter is not None and following.believed is not None:
            reporter.believe(following.believed.policy)
        due = time.monotonic() + pause
        while not (hinted := hints.wait(min(STIRRED_SECONDS, max(0.0, due - time.monotonic())))) and time.monotonic() < due:
            told.alarms.retell()
            if following.stirred():
                attempt(following, told, None)


def _begun(job: FeedJob, publish: Publish, told: Told) -> Sync:
    """Waits until the files that the settings name can be used."""
    while True:
        try:
            found = Sync(job, Timekeeper(job.state_dir), publish, Pace(told.progress))
        except ConfigurationError as error:
            told.alarms.sound("feed settings", str(error), "the last verified list stays in force, and it is tried again by itself")
            time.sleep(RETRY_SECONDS)
        else:
            told.alarms.clear("feed settings")
            return found


def attempt(following: Sync, told: Told, hinted: str | None) -> float:
    """One look, or with None one settling of what is here; seconds after which to try again when our own disk failed, else 0."""
    outcome, disk = None, {}
    dockets = following.dockets
    try:
        if hinted is None:
            following.settle()
        else:
            outcome = following.look(hinted)
            if outcome.news and following.believed is not None:
                log.info("orders up to entry %d are in force", following.believed.checkpoint.size, extra=fields(mirror=outcome.url))
    except Busy as error:
        disk["feed busy"] = (str(error), "it is tried again by itself")
    except DiskError as error:
        disk["feed disk"] = (error.what, error.remedy + "; it is tried again by itself")
    except StoreError as error:
        disk["feed state"] = (str(error), "it is tried again by itself")
    if following.dockets != dockets:
        # Hundreds of thousands of objects that stay: no later collection may go through them while an order or a withdrawal waits.
        gc.collect()
        gc.freeze()
    told.looked(outcome, following, disk)
    return RETRY_SECONDS if disk else 0.0


def once(job: FeedJob, say: Callable[[str], None]) -> int:
    """One look; `say` takes each line for a person. The exit code (see `sync`). Raises ConfigurationError, StoreError and Busy."""
    lines = OrderLines(job.state_dir, job.keep_versions)

    def progress(what: str, done: int, whole: int, rate: int) -> None:
        say(f"{what} {done:,} of {whole:,} entries{f', {rate:,} a second' if rate else ''}")

    following = Sync(job, Timekeeper(job.state_dir), lines.put_in_force, Pace(progress))
    try:
        outcome = following.look()
    finally:
        following.close()
    for url, fault in outcome.faults.items():
        say(f"{url}: {fault.kind}: {fault.what}; {fault.remedy}")
    for name, (what, remedy) in following.alarms.items():
        say(f"{name}: {what}; {remedy}")
    if following.believed is None:
        say("nothing was ever verified from this feed, and nothing of it is in force")
    else:
        checkpoint = following.believed.checkpoint
        stands = "is in force" if outcome.url else "stays in force, as last verified"
        say(f"{checkpoint.origin}: what its first {checkpoint.size:,} entries order {stands}{', and is news' if outcome.news else ''}")
    return outcome.code
