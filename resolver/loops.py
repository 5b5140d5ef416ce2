"""Finds forwarding loops at run time: a question that only we would ask comes back to us.

Each worker now and then asks each upstream for TXT of `NONCE-INDEX-NUMBER.loop.redhand.example.`: the nonce is the same for all workers of one Red
Hand and nobody else's, so whoever of them receives the question knows that the upstream sends our questions back, through however many forwarders.
The number keeps caches on the way from answering. RFC 2606 reserves `example`, so no name of anybody's is asked for. Pure: no socket, no clock.
"""

from __future__ import annotations

from collections.abc import Callable

from resolver.authored import reply
from resolver.wire import NOERROR, Query

ZONE_KEY = b"\7example\7redhand\4loop"
"""The index key of `loop.redhand.example`."""
_ZONE = b"\4loop\7redhand\7example\0"
_TXT = 16
_SAID = b"forwarding loop"
_RECORD = b"\xc0\x0c\0\x10\0\1\0\0\0\0" + (len(_SAID) + 1).to_bytes(2, "big") + bytes((len(_SAID),)) + _SAID
"""The answer, TTL 0: nobody is to keep it."""


def probe(nonce: str, index: int, number: int) -> bytes:
    """The question section that asks upstream `index`; `number` 0..65535 is new each time. `nonce` is hexadecimal, at most 32 digits."""
    label = f"{nonce}-{index}-{number:04x}".encode()
    return bytes((len(label),)) + label + _ZONE + _TXT.to_bytes(2, "big") + b"\0\1"


def says_loop(data: bytes) -> bool:
    """Whether an answer to a probe, its question already compared, comes from one of us."""
    return _SAID in data[12:]


class Probe:
    """A question of ours for upstream `index`, in the place of a lookup that nobody waits for any more."""

    __slots__ = ("question", "state")
    done = True
    cd = do = False

    def __init__(self, nonce: str, index: int, number: int) -> None:
        self.question = probe(nonce, index, number)
        self.state = None


class Loops:
    """Recognises this Red Hand's own probes among clients' questions; `heard(index)` is told which upstream sent one back."""

    __slots__ = ("_heard", "_nonce")

    def __init__(self, nonce: str, heard: Callable[[int], None]) -> None:
        self._nonce = nonce.encode()
        self._heard = heard

    def answer(self, query: Query) -> bytes | None:
        """The reply to a question under the zone; None for one of somebody else's, which goes on upstream like any other."""
        label = query.name[1 : 1 + query.name[0]]
        nonce, _, rest = label.partition(b"-")
        if nonce != self._nonce:
            return None
        index = rest.partition(b"-")[0]
        if index.isdigit() and len(index) < 4:
            self._heard(int(index))
        return reply(query, NOERROR, _RECORD, 1) if query.qtype == _TXT else reply(query, NOERROR, b"", 0)
