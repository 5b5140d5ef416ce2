"""A bad line between two interfaces: it loses packets, delays them and lets them overtake one another, as a seed has it, whatever is in them.

`python -m porosity.lab.line SEED LOSS DELAY JITTER NEAR FAR` carries frames between the interfaces NEAR and FAR until it is ended; it says `ready`
first. The kernel has the same in a module (tc-netem(8)), which many kernels lack, and whose losses come from no seed. What finds neighbours (ARP,
ICMPv6) passes at once, so that no address is lost for seconds.
"""

from __future__ import annotations

import heapq
import select
import socket
import sys
import time
from random import Random

_EVERY = 3
"""ETH_P_ALL."""
_SOL_PACKET, _VNET_HDR, _HEADER = 263, 15, 10
"""With each frame comes what its sender left to the network card (packet(7)): checksums and pieces. It is handed on as it is."""
_OUTGOING = 4
_MOST = 1 << 17
_ARP, _IP6, _ICMP6 = b"\x08\x06", b"\x86\xdd", 58


def carry(seed: str, loss: float, delay: float, jitter: float, names: tuple[str, str]) -> None:
    """`loss`: of a hundred packets, each way; `delay`: milliseconds, each way; `jitter`: by how many more or less at most."""
    random = Random(seed)  # noqa: S311 - to be repeated, not secret
    ends = [_open(name) for name in names]
    others = {ends[0]: ends[1], ends[1]: ends[0]}
    waiting: list[tuple[float, int, socket.socket, bytes]] = []
    number = 0
    print("ready", flush=True)
    while True:
        patience = max(0.0, waiting[0][0] - time.monotonic()) if waiting else None
        for end in select.select(ends, [], [], patience)[0]:
            frame, where = end.recvfrom(_MOST)
            if where[2] == _OUTGOING:
                continue
            at = time.monotonic()
            if not _neighbours(frame):
                if random.random() * 100 < loss:
                    continue
                at += max(0.0, delay + random.uniform(-jitter, jitter)) / 1000
            number += 1
            heapq.heappush(waiting, (at, number, others[end], frame))
        while waiting and waiting[0][0] <= time.monotonic():
            _, _, end, frame = heapq.heappop(waiting)
            end.send(frame)


def _open(name: str) -> socket.socket:
    made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_EVERY))
    made.setsockopt(_SOL_PACKET, _VNET_HDR, 1)
    made.bind((name, 0))
    return made


def _neighbours(frame: bytes) -> bool:
    kind = frame[_HEADER + 12 : _HEADER + 14]
    return kind == _ARP or (kind == _IP6 and frame[_HEADER + 20] == _ICMP6)


if __name__ == "__main__":
    loss, delay, jitter = map(float, sys.argv[2:5])
    carry(sys.argv[1], loss, delay, jitter, (sys.argv[5], sys.argv[6]))
