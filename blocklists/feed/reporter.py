"""Carries reports of errors to the authority, and brings back what became of them, in a thread of its own.

They go to the first of `feed.urls` alone, with this operator's token: what a visitor wrote is for the authority, and no mirror sees it. What waits
stands on the disk (blocklists.reports) until the log's key has signed that it was taken; a kill, or days without the authority, loses nothing. The
authority is asked for outcomes only while somebody may be waiting for one.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

from blocklists import receipt, report
from blocklists.alarms import Alarms
from blocklists.errors import BadDocument, ConfigurationError, FeedError, StoreError
from blocklists.feed.faults import Refused
from blocklists.feed.fetch import Client
from blocklists.report import Outcomes, Report
from blocklists.reports import Reports, Waiting
from blocklists.settings import FeedSettings
from blocklists.sync import read_token
from blocklists.trust import envelope
from blocklists.trust.envelope import ACKNOWLEDGEMENT, OUTCOMES, Envelope
from blocklists.trust.policy import Policy

LOOK_SECONDS = 0.5
"""Between two looks at whether a report waits."""
FIRST_SECONDS, LAST_SECONDS = 5.0, 900.0
"""Between two attempts that fail: the first wait, doubled up to the last."""
HEAR_SECONDS = 60.0
"""Between two questions for outcomes."""
TIDY_SECONDS = 3600.0
PATIENCE = 3600
"""Seconds after which a report that the authority has not is an alarm."""
PIECE = 32
"""Reports sent at one go."""
ANSWER_OCTETS = envelope.MAX_OCTETS

log = logging.getLogger("redhand.feed")


class Reporter:
    """Of one operator. `start` begins; nothing is sent before `believe` has said whose answers count."""

    def __init__(self, state_dir: Path, settings: FeedSettings, alarms: Alarms) -> None:
        """Its own `alarms`: it runs in a thread of its own."""
        self._settings = settings
        self._alarms = alarms
        self._reports = Reports(state_dir)
        self._policy: Policy | None = None
        self._client: Client | None = None
        self._leave: set[str] = set()
        """Reports that the authority refused; they are tried again when all else went."""
        self._wrong = False
        """Whether something here is spoilt, as far as it is known since the last time that all was tried."""
        self._why = ""
        self._pause = FIRST_SECONDS
        self._due = self._hear_at = self._tidy_at = self._again_at = 0.0

    def start(self) -> None:
        """Begins to carry; ends with the process."""
        threading.Thread(target=self._run, name="reports", daemon=True).start()

    def believe(self, policy: Policy) -> None:
        """Whose signature answers must have. Any thread; never waits."""
        self._policy = policy

    def _run(self) -> None:
        while True:
            self.step(time.time())
            time.sleep(LOOK_SECONDS)

    def step(self, now: float) -> None:
        """Sends what waits and hears what became of others, if it is time to, and says what is wrong. `now`: unix seconds. Never raises."""
        self._alarms.retell()
        at = time.monotonic()
        if self._policy is None or at < self._due:
            return
        try:
            if at >= self._tidy_at:
                self._reports.tidy(now)
                self._tidy_at = at + TIDY_SECONDS
            pending = self._reports.pending()
            asks = at >= self._hear_at and self._reports.open()
            if pending or asks:
                self._speak(self._policy, at, asks)
            self._watch(pending, now)
        except (ConfigurationError, StoreError) as error:
            self._alarms.sound("reports", str(error), "reports of errors wait meanwhile; what is in force does not")
            self._wrong = True
            self._due = at + FIRST_SECONDS
        else:
            if not self._wrong:
                self._alarms.clear("reports")

    def _speak(self, policy: Policy, at: float, asks: bool) -> None:
        if self._client is None:
            self._client = Client(read_token(self._settings.token_file))
        if at >= self._again_at:
            self._leave.clear()
            self._wrong = False
            self._again_at = at + LAST_SECONDS
        client, url = self._client, self._settings.urls[0]
        try:
            if taken := deliver(self._reports, policy, lambda data: client.post(f"{url}reports", data, ANSWER_OCTETS), self._leave):
                log.info("reports of errors that the authority took: %d", taken)
            if asks or taken:

                def ask(after: int) -> bytes:
                    return client.get(f"{url}reports/outcomes?after={after}", ANSWER_OCTETS, authorized=True)

                hear(self._reports, self._settings.operator, policy, ask)
                self._hear_at = at + HEAR_SECONDS
        except FeedError as error:
            self._why = str(error)
            self._due = at + self._pause
            self._pause = min(LAST_SECONDS, self._pause * 2)
        else:
            self._pause = FIRST_SECONDS
            if not self._leave:
                self._why = ""

    def _watch(self, pending: list[Waiting], now: float) -> None:
        if not pending or now - pending[0].since < PATIENCE:
            self._alarms.clear("reports undelivered")
            return
        self._alarms.sound(
            "reports undelivered",
            f"{len(pending)} reports of errors wait for the authority, the oldest for more than {PATIENCE // 60} minutes"
            + (f"; the last attempt: {self._why}" if self._why else ""),
            "see whether the first address in feed.urls is the authority's own, and is up; nothing is lost, and they are sent again by themselves",
        )


def deliver(reports: Reports, policy: Policy, post: Callable[[bytes], bytes], leave: set[str]) -> int:
    """Sends what waits, the oldest first, at most PIECE of them; how many the authority took. Those in `leave` are left; what it refuses joins them.

    `post` sends a report and returns the answer's body. Raises what it raises, BadDocument for an answer that acknowledges nothing, StoreError for
    damage. What was not acknowledged still waits.
    """
    done = 0
    for each in [each for each in reports.pending() if each.reference not in leave][:PIECE]:
        try:
            found = reports.read(each.reference)
            reports.note_taken(found, _acknowledged(post(found.encode()), found, policy))
            done += 1
        except (Refused, StoreError):
            leave.add(each.reference)
            raise
    return done


def _acknowledged(data: bytes, found: Report, policy: Policy) -> int:
    """When the authority took it. Raises BadDocument unless the log's key signed that, of this report."""
    what = f"the answer to the report {found.reference}"
    answer = envelope.read(data, what)
    _require_signed(answer, ACKNOWLEDGEMENT, policy, what)
    said = receipt.read_acknowledgement(answer.payload, what)
    if (said.log, said.receipt) != (policy.log.origin, report.digest(found.encode())):
        raise BadDocument(f"{what} acknowledges something else; it is sent again")
    return said.at


def hear(reports: Reports, operator: str, policy: Policy, get: Callable[[int], bytes]) -> int:
    """Fetches what became of reports since the last time; how many outcomes came. All are on the disk when this returns.

    `get` asks for those after a number. `operator`: our id in the policy; empty: whichever the token is of. Raises what `get` raises, BadDocument,
    StoreError.
    """
    came = 0
    while True:
        after = reports.heard
        found = _outcomes(get(after), after, operator, policy)
        for each in found.outcomes:
            reports.note_outcome(each)
        if not found.outcomes:
            return came
        came += len(found.outcomes)
        reports.note_heard(found.outcomes[-1].number)


def _outcomes(data: bytes, after: int, operator: str, policy: Policy) -> Outcomes:
    what = "the list of outcomes"
    answer = envelope.read(data, what)
    _require_signed(answer, OUTCOMES, policy, what)
    found = report.read_outcomes(answer.payload, what)
    if (found.log, found.after) != (policy.log.origin, after) or operator not in ("", found.operator):
        raise BadDocument(f"{what} answers another question than ours, or another operator's; it is asked for again")
    return found


def _require_signed(answer: Envelope, kind: str, policy: Policy, what: str) -> None:
    key = policy.log.key
    if answer.kind != kind or key.keyid not in envelope.signers(answer, {key.keyid: key}):
        raise BadDocument(f"{what} is not signed by the log's key {key.keyid}; name the authority's own address first in feed.urls")
