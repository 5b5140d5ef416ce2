"""However a client's octets are cut up, and however slowly it takes its answers, it is told the same.

The connection here is of paper: it keeps what is sent, takes no more now and then, and hands on
octets only while they are wanted, as the real one does.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from itertools import pairwise
from typing import Any, NamedTuple, cast

from hypothesis import given
from hypothesis import strategies as st
from uvicorn.server import ServerState

from landing import reply
from landing.front import SMALL_BODY, TURN, Front, Hall
from landing.head import Head
from landing.reply import Reply

LONG = bytes(range(256)) * 1024


def answer(asked: Head) -> Reply | Awaitable[Reply]:
    return reply.make(451, [(b"x-target", asked.target)], LONG if asked.target == b"/long" else b"page")


class Loop:
    """An event loop's clock, which stands, and what is to be called soon."""

    def __init__(self) -> None:
        self.soon: list[Callable[[], None]] = []

    def time(self) -> float:
        return 0.0

    def call_soon(self, callback: Callable[[], None]) -> None:
        self.soon.append(callback)


class Paper:
    """A connection, and whoever speaks with it."""

    def __init__(self, fills: list[bool]) -> None:
        self.hall = Hall(answer, connections=10, head_seconds=1, idle_seconds=1)
        self.loop = Loop()
        self.hall.loop = cast(Any, self.loop)
        self.hall.state = ServerState()
        self.hall.date = b"date: today\r\n"
        self.sent = b""
        self.open = self.wanted = True
        self.full = self.ended = False
        self._fills = fills
        self.front = Front(self.hall)
        self.front.begin(cast(Any, self))

    def send(self, octets: bytes) -> None:
        assert not self.full, "nothing is sent to a connection that takes no more"
        assert not self.ended, "nothing is sent after the end"
        self.sent += octets
        self.full = bool(self._fills) and self._fills.pop()

    def listen(self, wanted: bool) -> None:
        self.wanted = wanted

    def mute(self) -> None:
        self.ended = True

    def close(self) -> None:
        self.ended, self.open = True, False

    abort = close

    def hears(self, octets: bytes) -> None:
        """Hands this on as soon as it is wanted; not at all once the connection is closed."""
        while self.open and not self.wanted and self._goes_on():
            pass
        if self.open and self.wanted:
            self.front.heard(octets)

    def _goes_on(self) -> bool:
        """Lets happen what would happen next of itself: the other side takes octets, or the loop has its turn. False: nothing would."""
        if self.full:
            self.full = False
            self.front.ready()
        elif self.loop.soon:
            self.loop.soon.pop(0)()
        else:
            return False
        return True

    def rests(self) -> None:
        while self._goes_on():
            pass


def told(pieces: list[bytes], fills: list[bool]) -> tuple[bytes, bool, bool]:
    paper = Paper(fills)
    for piece in pieces:
        paper.hears(piece)
    paper.rests()
    hall = paper.hall
    assert (paper.front in hall.occupied) + (paper.front in hall.silent) == 1, "every connection's time runs in one list"
    assert hall.unfinished <= sum(map(len, pieces))
    return paper.sent, paper.ended, paper.open


class Asked(NamedTuple):
    """One request, and what it is told: `head` octets of it are enough for that. `last`: nothing is told after it."""

    head: int
    octets: bytes
    answer: bytes
    last: bool


def request(kind: str, size: int, target: str) -> Asked:
    body = b"GET /never HTTP/1.1\r\n\r\n"[:size]
    heads = {
        "get": "GET {} HTTP/1.1\r\nHost: a\r\n\r\n",
        "head": "HEAD {} HTTP/1.1\r\nHost: a\r\n\r\n",
        "old": "GET {} HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
        "post": f"POST {{}} HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n\r\n",
        "upload": f"POST {{}} HTTP/1.1\r\nHost: a\r\nContent-Length: {SMALL_BODY + 1}\r\n\r\n",
        "chunked": "POST {} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
        "last": "GET {} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        "bad": "GET {}\r\n\r\n",
    }
    head = heads[kind].format(target).encode()
    page = LONG if target == "/long" else b"page"
    said = b"HTTP/1.1 451 Unavailable For Legal Reasons\r\nx-target: %s\r\ncontent-length: %d\r\n" % (target.encode(), len(page))
    last = kind in {"upload", "chunked", "last", "bad"}
    said += b"date: today\r\n" + (b"connection: close\r\n" if last else b"connection: keep-alive\r\n" if kind == "old" else b"")
    said += b"\r\n" + (b"" if kind == "head" else page)
    if kind == "bad":
        refused = reply.refusal(400)
        said = refused.head + b"date: today\r\nconnection: close\r\n\r\n" + refused.body
    return Asked(len(head), head + (body if kind in {"post", "upload", "chunked"} else b""), said, last)


def expected(requests: list[Asked], heard: int) -> bytes:
    """What a client is told that has sent so many octets of these, one after the other."""
    said, begin = b"", 0
    for each in requests:
        if heard < begin + each.head:
            break
        said += each.answer
        if each.last:
            break
        begin += len(each.octets)
    return said


KINDS = st.sampled_from(["get", "get", "get", "head", "old", "post", "post", "post", "upload", "chunked", "last", "bad"])
REQUESTS = st.builds(request, KINDS, st.integers(0, 22), st.sampled_from(["/", "/a?b=c", "/long"]))
MANY = st.integers(TURN - 1, TURN + 2).map(lambda count: [request("get", 0, "/")] * count)


@given(
    st.lists(REQUESTS.map(lambda one: [one]) | MANY, max_size=6),
    st.lists(st.floats(0, 1), max_size=12),
    st.lists(st.booleans(), max_size=20),
    st.booleans(),
)
def test_every_request_is_answered_once_in_its_order(groups: list[list[Asked]], cuts: list[float], fills: list[bool], whole: bool) -> None:
    requests = [each for group in groups for each in group]
    octets = b"".join(each.octets for each in requests)
    octets = octets if whole else octets[:-1]
    places = sorted({0, len(octets), *(int(cut * len(octets)) for cut in cuts)})
    sent, ended, _ = told([octets[begin:end] for begin, end in pairwise(places)], fills)
    assert sent == expected(requests, len(octets))
    assert ended == (b"connection: close" in sent)
