"""Takes receipts and reports of errors for the server, one after the other in a thread of its own, so that no answer waits: verifies, keeps,
acknowledges."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from authority import online, receipts, reports, repository
from authority.errors import AuthorityError
from authority.keys import KeyInMemory
from authority.places import Places
from authority.receipts import Book, OutOfOrder, WrongOperator
from blocklists.errors import BadDocument, RedHandError
from blocklists.log.tree import Tree
from blocklists.trust import policy
from blocklists.trust.policy import Policy

MOST_WAITING = 256
"""Receipts and reports in memory at a time."""
_log = logging.getLogger("authority")


class Clerk:
    """One for an authority's directory."""

    def __init__(self, places: Places, now: Callable[[], float] = time.time) -> None:
        """Raises what opening the book does."""
        self._places = places
        self._book = Book(places)
        self._now = now
        self._thread = ThreadPoolExecutor(1, "clerk")
        self._waiting = 0
        self._timestamp = b""
        self._policy: tuple[bytes, Policy] | None = None
        self._log_key: KeyInMemory | None = None

    async def take(self, data: bytes, operator: str) -> tuple[int, bytes]:
        """The HTTP status and the answer to a receipt: with 200 the acknowledgement, else words."""
        return await self._in_turn(self._take, data, operator)

    async def report(self, data: bytes, operator: str) -> tuple[int, bytes]:
        """As `take`, for a report of an error."""
        return await self._in_turn(self._report, data, operator)

    async def outcomes(self, query: bytes, operator: str) -> tuple[int, bytes]:
        """What became of an operator's reports, as its query asks."""
        return await self._in_turn(self._outcomes, query, operator)

    async def _in_turn(self, work: Callable[[bytes, str], tuple[int, bytes]], data: bytes, operator: str) -> tuple[int, bytes]:
        if self._waiting >= MOST_WAITING:
            return 503, b"Many are waiting to be served. Send it again in a minute.\n"
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work, data, operator)
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """Ends when what is in hand is taken."""
        self._thread.shutdown(cancel_futures=True)
        self._book.close()

    def _take(self, data: bytes, operator: str) -> tuple[int, bytes]:
        try:
            found, key = self._authority()
            taken, new = self._book.take(data, operator, found, lambda: Tree(self._places.log), int(self._now()))
            if new:
                _log.info("receipt %d of %s is taken: log size %d in force", taken.receipt.number, operator, taken.receipt.checkpoint.size)
            return 200, receipts.acknowledgement(taken, found.log.origin, key)
        except (BadDocument, WrongOperator, OutOfOrder) as error:
            status = 403 if isinstance(error, WrongOperator) else 409 if isinstance(error, OutOfOrder) else 400
            return status, f"{error}\n".encode()
        except RedHandError as error:
            _log.error("a receipt of %s cannot be taken: %s", operator, error)
            return 503, b"The receipt cannot be taken just now, which the authority has been told. Send it again in a minute.\n"

    def _report(self, data: bytes, operator: str) -> tuple[int, bytes]:
        try:
            found, key = self._authority()
            taken, new = reports.take(self._places, data, operator, int(self._now()))
            if new:
                _log.info("a report of an error came from %s", operator)
            return 200, reports.acknowledgement(taken, found.log.origin, key)
        except (BadDocument, reports.Differs) as error:
            return 409 if isinstance(error, reports.Differs) else 400, f"{error}\n".encode()
        except reports.Full as error:
            return 503, f"{error}\n".encode()
        except RedHandError as error:
            _log.error("a report of %s cannot be taken: %s", operator, error)
            return 503, b"The report cannot be taken just now, which the authority has been told. Send it again in a minute.\n"

    def _outcomes(self, query: bytes, operator: str) -> tuple[int, bytes]:
        try:
            found, key = self._authority()
            after = reports.after_in(query)
            return 200, reports.listed(reports.outcomes(self._places, operator, after), operator, after, found.log.origin, key)
        except BadDocument as error:
            return 400, f"{error}\n".encode()
        except RedHandError as error:
            _log.error("%s cannot be told what became of its reports: %s", operator, error)
            return 503, b"The outcomes cannot be read just now, which the authority has been told. Ask again in a minute.\n"

    def _authority(self) -> tuple[Policy, KeyInMemory]:
        """The policy in force and the log's key."""
        try:
            timestamp = (self._places.metadata / "timestamp.json").read_bytes()
        except OSError:
            timestamp = b""
        if self._policy is None or self._log_key is None or timestamp != self._timestamp:
            present = repository.load(self._places)
            if present is None:
                raise AuthorityError("nothing is published yet, so that no operator is registered; publish the ceremony's packets")
            data = present.files["policy.json"]
            if self._policy is None or self._policy[0] != data:
                self._policy = data, policy.load(data)
            self._log_key = online.load(self._places.online, "log", self._policy[1].log.key.keyid)
            self._timestamp = timestamp
        return self._policy[1], self._log_key
