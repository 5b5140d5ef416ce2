"""Carries receipts to the authority, in a thread of its own: whatever a server does with its time, no order and no withdrawal waits for it.

A receipt is written once every living reader has the version; then it is sent, and sent again until the authority acknowledges it, ever more seldom
while that fails. What waits stands on the disk (blocklists.receipts): a kill, or days without the authority, loses nothing.
"""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path

from blocklists import private_key, readers, receipts
from blocklists.alarms import Alarms
from blocklists.errors import BadDocument, ConfigurationError, FeedError, StoreError
from blocklists.feed.fetch import Client
from blocklists.log import entry as entries
from blocklists.log.tree import Tree
from blocklists.receipts import InForce, Outbox
from blocklists.settings import FeedSettings
from blocklists.sync import read_token
from blocklists.trust.policy import Policy

LOOK_SECONDS = 0.5
"""Between two looks at whether all readers have the version."""
FIRST_SECONDS, LAST_SECONDS = 5.0, 900.0
"""Between two attempts that fail: the first wait, doubled up to the last."""
PATIENCE = 3600
"""Seconds after which a receipt that nobody acknowledged is an alarm."""
ANSWER_OCTETS = 8192

log = logging.getLogger("redhand.feed")


class Courier:
    """Of one operator. `start` begins; what the feed put in force is handed to `in_force`."""

    def __init__(self, state_dir: Path, settings: FeedSettings, alarms: Alarms) -> None:
        """Its own `alarms`: it runs in a thread of its own."""
        self._state_dir = state_dir
        self._settings = settings
        self._signer: private_key.PrivateKey | None = None
        self._client: Client | None = None
        self._alarms = alarms
        self._outbox = Outbox(state_dir)
        self._state: tuple[InForce, Policy] | None = None
        self._done: InForce | None = None
        """The last state that needs no receipt any more."""
        self._due = 0.0
        self._pause = FIRST_SECONDS
        self._turn = 0
        self._why = ""

    def start(self) -> None:
        """Begins to carry; ends with the process."""
        threading.Thread(target=self._run, name="receipts", daemon=True).start()

    def in_force(self, state: InForce, policy: Policy) -> None:
        """Says what is in force now. Any thread; never waits."""
        self._state = state, policy

    def _run(self) -> None:
        while True:
            self.step(int(time.time()))
            time.sleep(LOOK_SECONDS)

    def step(self, now: int) -> None:
        """Writes the receipt that is due, sends what waits if it is time to, and says what is wrong. `now`: unix seconds. Never raises."""
        self._alarms.retell()
        if self._state is None:
            return
        state, policy = self._state
        try:
            if self._signer is None or self._client is None:
                self._signer = private_key.load(Path(self._settings.receipt_key))
                self._client = Client(read_token(self._settings.token_file))
            if state is not self._done and self._is_everywhere(state):
                kept = receipts.write(self._outbox, self._settings.operator, self._signer, state, self._has_orders, now)
                self._done = state
                if kept is not None:
                    log.info("receipt %d is written: the log of %d entries is in force", kept.receipt.number, kept.receipt.checkpoint.size)
                    self._due = self._due if self._why else 0.0
            if time.monotonic() >= self._due:
                self._deliver(policy, self._client)
            self._watch(now)
        except (ConfigurationError, StoreError) as error:
            self._alarms.sound("receipts", str(error), "receipts wait meanwhile; what is in force does not")
            self._due = time.monotonic() + LAST_SECONDS
        else:
            self._alarms.clear("receipts")

    def _is_everywhere(self, state: InForce) -> bool:
        serving = readers.live(self._state_dir)
        return bool(serving) and all(serial >= state.serial for serial in serving.values())

    def _has_orders(self, start: int, stop: int) -> bool:
        for data in Tree(self._state_dir / "log").entries(start, stop):
            try:
                if entries.read(data).envelope is not None:
                    return True
            except BadDocument:
                return True
        return False

    def _deliver(self, policy: Policy, client: Client) -> None:
        """One piece; a server that does not acknowledge is asked again later, and the next address instead of it."""
        if not self._outbox.pending():
            self._due = time.monotonic() + self._pause
            return
        url = self._settings.urls[self._turn % len(self._settings.urls)]
        try:
            receipts.deliver(self._outbox, policy, lambda data: client.post(f"{url}receipts", data, ANSWER_OCTETS))
        except FeedError as error:
            self._why = str(error)
            self._turn += 1
            self._due = time.monotonic() + self._pause
            self._pause = min(LAST_SECONDS, self._pause * 2)
        else:
            self._why, self._pause, self._due = "", FIRST_SECONDS, time.monotonic() + LOOK_SECONDS

    def _watch(self, now: int) -> None:
        pending = self._outbox.pending()
        waits = now - self._outbox.read(pending[0]).receipt.at if pending else 0
        if waits < PATIENCE:
            self._alarms.clear("receipts unacknowledged")
            return
        self._alarms.sound(
            "receipts unacknowledged",
            f"{len(pending)} receipts wait for the authority, from number {pending[0]} on, for more than {PATIENCE // 60} minutes"
            + (f"; the last attempt: {self._why}" if self._why else ""),
            "see whether it is reachable and knows our receipt key (redhand receipts key); nothing is lost, and they are sent again by themselves",
        )
