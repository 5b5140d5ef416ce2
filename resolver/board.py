"""A worker's figures in shared memory: copied there five times a second, read by the supervisor whenever somebody asks, also after the worker's end.

Which figures there are, and in which order, follows from the job alone (`layout`), so that only numbers are shared. The memory is an anonymous file
that the supervisor makes, one for each process: what stood there when a process was killed can still be read. Every number is eight octets, aligned,
and so is read whole; two numbers may be a fifth of a second apart.
"""

from __future__ import annotations

import fcntl
import math
import mmap
import os
import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from resolver.histogram import BOUNDS

Kind = Literal["counter", "gauge", "histogram"]
Labels = tuple[tuple[str, str], ...]

_MAGIC = b"redhand1"
_HEAD = struct.Struct("@8sqq")
"""The magic, how many numbers follow, and the beat: how often they were written."""
_BEAT = 16
"""Where the beat stands."""
_MOST = 1 << 16
"""Numbers on one board: of a configuration with thousands of upstreams, the last are not shown."""

FAMILIES: dict[str, tuple[Kind, str]] = {
    "queries": ("counter", "Queries received, by transport."),
    "cache_hits": ("counter", "Queries answered from the packet cache, by transport."),
    "waited": ("counter", "Queries whose answer waited for an upstream."),
    "blocked": ("counter", "Queries answered with a block."),
    "answers": ("counter", "Answers the engine composed, by kind; packet cache hits are not among them."),
    "dropped": ("counter", "Replies not sent, by reason: the network took no more (unsent), or a rate limit was met (limited)."),
    "slipped": ("counter", "Replies cut to an empty one that sends the client to TCP, because a rate limit was met."),
    "truncated": ("counter", "Replies cut to the size the client said it takes."),
    "capped": ("counter", "Queries refused because too many were in flight, by the cap that was met."),
    "lookups": ("counter", "Questions sent upstream for a client, each counted once however often it was tried."),
    "prefetched": ("counter", "Lookups begun for an answer about to expire."),
    "forwarding_loops": ("counter", "Queries of our own that came back to us."),
    "tcp_accepted": ("counter", "TCP connections accepted."),
    "tcp_turned_away": ("counter", "TCP connections closed at once, because a limit was met."),
    "tcp_connections": ("gauge", "TCP connections open."),
    "lookups_in_flight": ("gauge", "Questions that are upstream now."),
    "cache_entries": ("gauge", "Entries in a cache, by group and cache."),
    "cache_bytes": ("gauge", "Memory a cache's entries are counted for, by group and cache."),
    "list_serial": ("gauge", "Version of the block list in force."),
    "list_generation": ("gauge", "How often the verdicts of this process changed."),
    "upstream_sent": ("counter", "Questions sent to an upstream, tries, hedges and probes included."),
    "upstream_answers": ("counter", "Usable answers from an upstream."),
    "upstream_missed_tries": ("counter", "Tries that got no usable answer in time."),
    "upstream_errors": ("counter", "Answers that say the upstream failed (SERVFAIL, REFUSED, ...)."),
    "upstream_near_misses": ("counter", "Datagrams that nearly fit a question in flight: a liar, or an attacker who guesses."),
    "upstream_truncated": ("counter", "Truncated answers, asked for again over TCP."),
    "upstream_oversized": ("counter", "Answers larger than we said we take."),
    "upstream_by_tcp": ("counter", "Questions sent over TCP."),
    "upstream_hedges": ("counter", "Questions sent to a second upstream because the first took long."),
    "upstream_probes": ("counter", "Questions sent to see whether an upstream that was away is back."),
    "upstream_without_edns": ("counter", "Questions sent without EDNS, because the upstream does not take it."),
    "upstream_bad_answers": ("counter", "Answers that could not be read or did not answer the question."),
    "upstream_round_trip_seconds": ("gauge", "Smoothed round trip of an upstream; 0 before its first answer."),
    "upstream_away": ("gauge", "1 while an upstream does not answer and others are asked first."),
    "upstream_waiting": ("gauge", "Tries in flight to an upstream."),
    "answer_seconds": ("histogram", "From a datagram's arrival in our hands to its answer's leaving, for answers that did not wait."),
    "lookup_seconds": ("histogram", "From the begin of a lookup to its answer."),
}
"""What each series means; a counter's name gets `_total` where it is published, all get `redhand_`."""

UPSTREAM_COUNTERS = (
    "sent", "answers", "missed_tries", "errors", "near_misses", "truncated", "oversized", "by_tcp", "hedges", "probes", "without_edns", "bad_answers",
)  # fmt: skip
ANSWER_KINDS = ("answered", "local", "stale", "failed", "malformed", "prohibited")
CAPS = ("client", "domain", "total")
CACHES = ("udp", "tcp", "answers")
EVERYONE = "everyone"
"""The group of clients that no configured group names."""


class Series(NamedTuple):
    """One number on the board. A histogram's numbers have a label `le` (its bucket's upper bound in seconds), or `le=sum` for the sum."""

    name: str
    labels: Labels = ()


def layout(upstreams: Sequence[str], groups: Sequence[str]) -> tuple[Series, ...]:
    """The numbers of a worker with these upstream addresses and client groups, in their order on the board."""
    return tuple(_series(upstreams, groups))[:_MOST]


def of_job(job: Mapping[str, Any]) -> tuple[Series, ...]:
    """The layout for a worker's job."""
    settings = job["settings"]
    return layout(upstream_addresses(job), [EVERYONE, *(group["name"] for group in settings["groups"])])


def upstream_addresses(job: Mapping[str, Any]) -> list[str]:
    """Every upstream of a job, those of its zones included, each once."""
    usual = [upstream["address"] for upstream in job["upstreams"]]
    of_zones = [upstream["address"] for zone in job["settings"]["zones"] for upstream in zone["upstreams"]]
    return list(dict.fromkeys(usual + of_zones))


def _series(upstreams: Sequence[str], groups: Sequence[str]) -> Iterator[Series]:
    for name in ("queries", "cache_hits"):
        for transport in ("udp", "tcp"):
            yield Series(name, (("transport", transport),))
    yield Series("waited")
    yield Series("blocked")
    for kind in ANSWER_KINDS:
        yield Series("answers", (("kind", kind),))
    for reason in ("unsent", "limited"):
        yield Series("dropped", (("reason", reason),))
    yield Series("slipped")
    yield Series("truncated")
    for cap in CAPS:
        yield Series("capped", (("cap", cap),))
    for name in ("lookups", "prefetched", "forwarding_loops", "tcp_accepted", "tcp_turned_away"):
        yield Series(name)
    for name in ("tcp_connections", "lookups_in_flight", "list_serial", "list_generation"):
        yield Series(name)
    for name in ("answer_seconds", "lookup_seconds"):
        for bound in (*map(str, BOUNDS), "+Inf", "sum"):
            yield Series(name, (("le", bound),))
    for group in groups:
        for cache in CACHES:
            for name in ("cache_entries", "cache_bytes"):
                yield Series(name, (("group", group), ("cache", cache)))
    for upstream in upstreams:
        for name in (*UPSTREAM_COUNTERS, "round_trip_seconds", "away", "waiting"):
            yield Series(f"upstream_{name}", (("upstream", upstream),))


def make(series: Sequence[Series]) -> int:
    """A board with zeros on it: a descriptor for the worker and for `read`. The supervisor's."""
    size = _HEAD.size + 8 * len(series)
    file = os.memfd_create("redhand-board", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.truncate(file, size)
    # A worker gone wrong may write nonsense on its board, but not make it vanish.
    fcntl.fcntl(file, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW)
    return file


def read(file: int, series: Sequence[Series]) -> list[float]:
    """The numbers now. What no figure can be (not finite, or negative) counts as 0, as does the whole of a board that nobody has written yet."""
    count = len(series)
    octets = os.pread(file, _HEAD.size + 8 * count, 0)
    if len(octets) != _HEAD.size + 8 * count or _HEAD.unpack_from(octets)[:2] != (_MAGIC, count):
        return [0.0] * count
    return [value if 0 <= value < math.inf else 0.0 for value in struct.unpack_from(f"@{count}d", octets, _HEAD.size)]


def beat(file: int) -> int:
    """How often the numbers were written: while it grows, the worker's loop turns. 0 before the first time."""
    found: tuple[int] = struct.unpack("@q", os.pread(file, 8, _BEAT))
    return found[0]


class Board:
    """The worker's end. Writing is one copy of all numbers: no call to the kernel, nothing that could wait."""

    def __init__(self, file: int, series: Sequence[Series]) -> None:
        """Raises ValueError when the file is too small for these numbers."""
        self._numbers = struct.Struct(f"@{len(series)}d")
        self._map = mmap.mmap(file, 0)
        if len(self._map) < _HEAD.size + self._numbers.size:
            raise ValueError(f"a board of {len(self._map)} octets has no room for {len(series)} numbers")
        self._beat = 0
        _HEAD.pack_into(self._map, 0, _MAGIC, len(series), self._beat)

    def write(self, values: Sequence[float]) -> None:
        """Puts all numbers there, in the order of the layout.

        By copying them over the old ones: `pack_into` clears what it writes to first, and who reads in that moment, or ever after a kill, would
        see sums go down to nothing.
        """
        self._map[_HEAD.size : _HEAD.size + self._numbers.size] = self._numbers.pack(*values)
        self._beat += 1
        self._map[_BEAT : _BEAT + 8] = struct.pack("@q", self._beat)

    def close(self) -> None:
        """Ends writing; what was written stays for the supervisor."""
        self._map.close()
