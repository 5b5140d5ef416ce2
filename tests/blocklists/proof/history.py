"""A short history of orders, dated, that proofs are about: hours are counted from a day ago.

hour  0  XX-1 blocks .site.example                   0
hour  1  XX-2 blocks other.example                   1
hour  2  XX-3 blocks exact.example, one signature    2   (skipped: two are needed)
hour  3  XX-1 is suspended by the reviewer           3
hour  4  XX-2 is withdrawn                           4
hour  5  XX-4 blocks deep.site.example               5
hour  6  receipts were taken                         6
hour  7  the head of the desk's audit log             7
"""

from __future__ import annotations

import time
from datetime import UTC, datetime

from blocklists.directive import show_time
from blocklists.log.entry import Entry
from tests.blocklists.feed.authority import Authority, order
from tests.blocklists.trust import office

START = int(time.time()) - 86_400
HOUR = 3600


def at(hour: float) -> int:
    return int(START + hour * HOUR)


def text(hour: float) -> str:
    return show_time(datetime.fromtimestamp(at(hour), UTC))


def written() -> Authority:
    """The authority that wrote it; its offline keys have signed once before and once in the middle, root anew."""
    found = Authority()
    first = order("XX-1", ".site.example", effective_at=text(0), issued_at=text(0))
    second = order("XX-2", "other.example", effective_at=text(1), issued_at=text(1))
    third = order("XX-3", "exact.example", effective_at=text(2), issued_at=text(2))
    found.log(first, at=at(0))
    found.log(second, at=at(1))
    found.log(third, ("n1",), at=at(2))
    found.sign_offline()
    found.log(office.follow("suspend", first, issued_at=text(3), expires_at=text(4.5)), ("r1",), at=at(3))
    found.log(office.follow("withdraw", second, issued_at=text(4)), ("n3",), at=at(4))
    found.log(order("XX-4", "deep.site.example", effective_at=text(5), issued_at=text(5)), at=at(5))
    found.append(Entry(at(6), None, "sha256:" + "5" * 64, 3).encode())
    found.append(Entry(at(7), audit="sha256:" + "6" * 64, lines=40).encode())
    found.publish()
    return found
