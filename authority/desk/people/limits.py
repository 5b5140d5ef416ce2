"""How often somebody may try to sign in: by account and by address, in memory alone.

An address is kept as a hash under a key that this process made for itself and never wrote anywhere; for IPv6 it is the /64, of which one household
has all. An account that is tried too often waits longer each time, whether it exists or not; who has signed in from a browser before is counted by
that browser, so that a stranger who knows a login cannot keep its holder out.
"""

from __future__ import annotations

import hashlib
import ipaddress
import secrets
import threading
from collections import OrderedDict
from dataclasses import dataclass

from authority.desk.errors import TooMany

FREE = 5
"""Tries of one account before it has to wait."""
FIRST_WAIT = 15
"""Seconds after these; twice as many after each further try, up to MOST_WAIT."""
MOST_WAIT = 900
FROM_ONE_ADDRESS = 30
"""Tries from one address in WINDOW seconds, of whatever accounts: an office may be behind one address."""
WINDOW = 900
MOST_KEPT = 50_000
"""Accounts, and addresses, that are remembered; the one not tried for longest is forgotten first."""


@dataclass
class _Tried:
    count: int = 0
    last: int = 0
    first: int = 0


class Limits:
    """Counts tries. Threads share it."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._lock = threading.Lock()
        self._accounts: OrderedDict[bytes, _Tried] = OrderedDict()
        self._addresses: OrderedDict[bytes, _Tried] = OrderedDict()

    def try_once(self, account: str, address: str, now: int) -> None:
        """Counts one try before it is known whether it is right, so that those that come at once count too. Raises TooMany, uncounted."""
        with self._lock:
            by_account = _held(self._accounts, self._hash("account", account))
            wait = by_account.last + _wait(by_account.count) - now
            if wait > 0:
                raise TooMany(f"too many tries; try again in {wait} s", wait)
            self._count_address(address, now)
            if now >= by_account.last + 24 * 3600:
                by_account.count = 0
            by_account.count, by_account.last = by_account.count + 1, now

    def from_address(self, address: str, now: int) -> None:
        """Counts something that is done before anybody is named. Raises TooMany, uncounted."""
        with self._lock:
            self._count_address(address, now)

    def right(self, account: str, address: str) -> None:
        """The try was right: the account begins anew, and its address has one try less."""
        with self._lock:
            self._accounts.pop(self._hash("account", account), None)
            held = self._addresses.get(self._hash("address", network(address)))
            if held is not None and held.count:
                held.count -= 1

    def _count_address(self, address: str, now: int) -> None:
        held = _held(self._addresses, self._hash("address", network(address)))
        if now >= held.first + WINDOW:
            held.count, held.first = 0, now
        if held.count >= FROM_ONE_ADDRESS:
            wait = held.first + WINDOW - now
            raise TooMany(f"too many tries; try again in {wait} s", wait)
        held.count += 1

    def _hash(self, kind: str, text: str) -> bytes:
        return hashlib.blake2b(f"{kind}:{text}".encode(errors="surrogatepass"), key=self._key, digest_size=16).digest()


def _wait(count: int) -> int:
    return 0 if count < FREE else int(min(MOST_WAIT, FIRST_WAIT * 2 ** min(count - FREE, 16)))


def _held(table: OrderedDict[bytes, _Tried], key: bytes) -> _Tried:
    held = table.get(key)
    if held is None:
        if len(table) >= MOST_KEPT:
            table.popitem(last=False)
        held = table[key] = _Tried()
    else:
        table.move_to_end(key)
    return held


def network(address: str) -> str:
    """What one address is counted as: itself, or for IPv6 the /64, of which one household has all."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return "none"
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ipaddress.IPv6Network((found, 64), strict=False))
    return str(found)
