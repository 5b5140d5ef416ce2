"""How often one visitor, and all together, may do something: held in memory, under a key of this process's own, and never written anywhere.

An IPv4 address is one visitor, or all behind one translator; an IPv6 address stands for its /56, which is what a home is given (RFC 6177). Pure but
for its lock: the caller gives the time.
"""

from __future__ import annotations

import hashlib
import ipaddress
import secrets
import threading
from collections import OrderedDict, deque

HOME = 56
"""Bits of an IPv6 address that tell visitors apart."""
MOST_KEPT = 20_000
"""Visitors remembered; beyond them the one longest unseen is forgotten."""


class TooMany(Exception):
    """More than may come in so short a time; `seconds` is when to try again."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"try again in {seconds} s")
        self.seconds = seconds


class Limit:
    """So many in a time from one, and so many in a minute from all. Threads share it."""

    def __init__(self, each: int, seconds: int, all_of_them: int) -> None:
        self._each, self._seconds, self._all = each, seconds, all_of_them
        self._recent: deque[float] = deque(maxlen=all_of_them)
        self._held: OrderedDict[bytes, deque[float]] = OrderedDict()
        self._key = secrets.token_bytes(32)
        self._lock = threading.Lock()

    def count(self, address: str, now: float) -> None:
        """Counts one at `now` (monotonic seconds). Raises TooMany, uncounted."""
        name = hashlib.blake2b(network(address), key=self._key, digest_size=16).digest()
        with self._lock:
            mine = self._held.get(name)
            if mine is not None and len(mine) == self._each and mine[0] > now - self._seconds:
                raise TooMany(int(mine[0] + self._seconds - now) + 1)
            if len(self._recent) == self._all and self._recent[0] > now - 60:
                raise TooMany(int(self._recent[0] + 60 - now) + 1)
            if mine is None:
                if len(self._held) >= MOST_KEPT:
                    self._held.popitem(last=False)
                mine = self._held[name] = deque(maxlen=self._each)
            self._held.move_to_end(name)
            mine.append(now)
            self._recent.append(now)


def network(address: str) -> bytes:
    """What tells one visitor from another; a text that is no address stands for itself."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address.encode(errors="replace")
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return found.ipv4_mapped.packed
        return found.packed[: HOME // 8]
    return found.packed
