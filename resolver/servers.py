"""One upstream as it is doing: how long it takes (RFC 6298), whether it answers at all, what it can do. Pure: every method is told the time.

A server that misses three questions in a row is *away*: clients' questions go to others. After its back-off, copies of live questions probe it, and
one answer in time brings it back. An answer that comes late says that the server lives, and how slow it is, but does not bring it back.

Long before that a server may be *doubted*: it has said nothing at all for longer than it usually takes. What it was asked is asked of another at
once, and it is asked after the others, until it is heard or the try that raised the doubt has been waited for in full and counts as missed.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Protocol

from blocklists.endpoints import show_endpoint

BACK_OFF_AFTER = 3
"""Questions in a row without an answer, after which a server is away."""
BACK_OFF_SECONDS = (1.0, 30.0)
"""How long a server is left alone: the first of these, doubling to the second with every probe that fails, or when it leaves again soon."""
STEADY_SECONDS = 30.0
"""A server that was back for less than this and leaves again is left alone for longer than the last time."""
IN_TIME_SECONDS = 1.0
"""An answer slower than this does not bring a server back: no try waits longer."""
ALIVE_SECONDS = 3.0
"""A server that is away and was heard within this time is no black hole."""
FORGET_SECONDS = 30.0
"""Measurements older than this say nothing about now: the next one begins anew."""
MEASURE_SECONDS = 10.0
"""A server not measured for so long is measured again, where the order goes by measured times."""
CAPABILITY_SECONDS = 900.0
"""How long we remember that a server knows no EDNS, or changes the case of letters; then it may have been mended."""
CASE_AFTER = 3
"""Answers in a row in other letter case, each confirmed by TCP, after which a server is taken to change it."""
NEAR_MISS_SECONDS = 60.0
"""An alarm about near misses is over when there were none for this long."""
CHECK_SECONDS = 60.0
"""How often we look whether a server that is away or looping sends our questions back (`watch`)."""
DOUBT_SECONDS = (0.05, 0.4)
"""The least and the most that a server must have been silent to be doubted. RFC 6298 section 2.4 has a second at least, for data that is sent again
over a busy network; one question more costs little."""
HEDGE_TIMES, HEDGE_LEAST_SECONDS = 3.0, 0.02
"""A try is old when it has waited this many times the usual time, and not less than this."""


class Line(Protocol):
    """What questions are sent by: `ports.Ports` or `streams.Stream`."""

    def send(self, packet: bytes, attempt: Any, /) -> None:
        """Sends a packet, all but its ID."""

    def close(self) -> None:
        """Closes every socket."""


class Datagrams(Line, Protocol):
    """`ports.Ports`, as far as others use it."""

    def fileno(self) -> int:
        """What to watch."""

    def drain(self) -> None:
        """Reads what came."""

    def retire(self, now: float, /) -> None:
        """Closes what is past use."""


class Server:
    """One upstream. Times in seconds; `round_trip` and `variation` are smoothed; `weight` 1..100.

    Counters, all since the start: `sent` questions; `answers` that were used; `missed_tries` without an answer in time; `errors`, answers whose RCODE
    says that it could or would not; `near_misses`, datagrams that came to the right port but did not fit a question; `truncated` answers; `oversized`
    ones; `by_tcp` questions asked over TCP; `hedges` and `probes`, extra copies sent here; `without_edns` questions asked without OPT;
    `bad_answers`, malformed ones. Gauges: `round_trip`, `away`, `waiting` (tries in flight).
    """

    __slots__ = (
        "address", "answers", "asked", "away", "away_at", "away_until", "back_at", "back_off", "bad_answers", "by_tcp", "case_strikes", "check_at",
        "credit", "doubted", "doubted_until", "edns", "errors", "heard_at", "hedges", "keeps_case", "last_domain", "last_missed", "looping",
        "measured_at", "missed_tries", "misses", "near_at", "near_misses", "oversized", "port", "ports", "probed_at", "probes", "probing", "refuses",
        "relearn_case_at", "relearn_edns_at", "round_trip", "sent", "stream", "truncated", "trusted_ad", "unheard", "variation", "waiting", "weight",
        "without_edns",
    )  # fmt: skip

    def __init__(self, address: str, port: int, trusted_ad: bool = False, weight: int = 1) -> None:
        self.address = address
        self.port = port
        self.trusted_ad = trusted_ad
        self.weight = weight
        self.credit = 0
        self.round_trip = self.variation = 0.0
        self.measured_at = self.heard_at = self.probed_at = self.back_at = float("-inf")
        self.misses = 0
        self.last_missed: object = None
        self.last_domain: bytes | None = None
        self.refuses = False
        self.away = self.probing = self.looping = False
        self.back_off = BACK_OFF_SECONDS[0]
        self.away_at = self.away_until = 0.0
        self.doubted = False
        self.doubted_until = 0.0
        self.check_at = 0.0
        """When to look next whether it sends our questions back to us (`loops`); infinite: not before something happens."""
        self.edns = self.keeps_case = True
        self.relearn_edns_at = self.relearn_case_at = 0.0
        self.case_strikes = 0
        self.near_at = float("-inf")
        self.sent = self.answers = self.missed_tries = self.errors = self.near_misses = self.truncated = self.oversized = 0
        self.by_tcp = self.hedges = self.probes = self.without_edns = self.bad_answers = 0
        self.waiting = 0
        self.asked: deque[Any] = deque()
        """First tries in order of sending, while they are young: what a hedge may be due for. Empty where there is no other server."""
        self.unheard: Any = None
        """The first of them that nothing was heard after, as far as `seems_silent` was told."""
        self.ports: Datagrams
        self.stream: Line

    def __str__(self) -> str:
        return show_endpoint(self.address, self.port)

    @property
    def measured(self) -> bool:
        """Whether it has ever answered."""
        return self.measured_at > float("-inf")

    def hedge_after(self) -> float:
        """The age at which a try is old; infinite while nothing was measured."""
        if not self.measured:
            return float("inf")
        return max(HEDGE_LEAST_SECONDS, HEDGE_TIMES * (self.round_trip + 2 * self.variation))

    def doubt_after(self) -> float:
        """For how long it must say nothing to be doubted: RFC 6298's time-out, within bounds; infinite while nothing was measured."""
        if not self.measured:
            return float("inf")
        return min(max(DOUBT_SECONDS[0], self.round_trip + 4 * self.variation), DOUBT_SECONDS[1])

    def seems_silent(self, oldest: Any, now: float) -> Any:
        """A try to it that has waited long enough to doubt it, if nothing at all was heard since that was sent; else None.

        `oldest`: the oldest of its first tries that are open, or None. To be told at every tick.
        """
        unheard = self.unheard
        if unheard is None or not unheard.waits or unheard.sent_at <= self.heard_at:
            unheard = self.unheard = oldest if oldest is not None and oldest.sent_at > self.heard_at else None
        return unheard if unheard is not None and now - unheard.sent_at >= self.doubt_after() else None

    def doubt(self, until: float) -> None:
        """It is asked after the others from now on, until it is heard, or else until the time given."""
        self.doubted = True
        self.doubted_until = until

    def heard(self, seconds: float, now: float) -> bool:
        """A message that fits a question came `seconds` after that left. True if this brings the server back."""
        if now - self.measured_at > FORGET_SECONDS or self.away:
            self.round_trip = seconds
            self.variation = seconds / 2
        else:  # RFC 6298 section 2.3
            error = seconds - self.round_trip
            self.variation += 0.25 * ((error if error > 0 else -error) - self.variation)
            self.round_trip += 0.125 * error
        self.measured_at = self.heard_at = now
        self.misses = 0
        self.doubted = False
        if not self.away:
            self.probing = False
            return False
        if self.looping or seconds > IN_TIME_SECONDS:
            return False
        self.away = self.probing = False
        self.back_at = now
        self.last_missed = None
        return True

    def missed(self, waited: float, now: float, question: object, *, refused: bool = False, domain: bytes | None = None) -> bool:
        """A try got nothing in `waited` seconds, or was `refused` by the network. True if with this the server is away.

        What was not waited for longer than the server usually takes says nothing, and one question counts once, however often it was tried: it may be
        the name that nobody can resolve. While the server answers others, so may all names of one `domain` be, which somebody floods.
        """
        self.missed_tries += 1
        self.refuses = refused
        if not refused and waited < min(self.round_trip + 4 * self.variation, IN_TIME_SECONDS):
            return False
        if self.away:
            if now >= self.away_until:
                self._wait_longer(now)
            return False
        if question is self.last_missed:
            return False
        if domain is not None and domain == self.last_domain and not refused and now - self.heard_at < IN_TIME_SECONDS:
            return False
        self.last_missed = question
        self.last_domain = domain
        self.misses += 1
        if self.misses < BACK_OFF_AFTER:
            return False
        self.away = True
        self.away_at = now
        self.back_off = min(2 * self.back_off, BACK_OFF_SECONDS[1]) if now - self.back_at < STEADY_SECONDS else BACK_OFF_SECONDS[0]
        self.away_until = now + self.back_off
        return True

    def probe_failed(self, now: float) -> bool:
        """A copy of a question, sent to see how it is doing, got no answer in time. True if with this the server is away."""
        self.probing = False
        self.probed_at = now
        if not self.away:
            return self.missed(IN_TIME_SECONDS, now, object())
        self.missed_tries += 1
        self._wait_longer(now)
        return False

    def _wait_longer(self, now: float) -> None:
        self.back_off = min(2 * self.back_off, BACK_OFF_SECONDS[1])
        self.away_until = now + self.back_off

    def lives(self, now: float) -> bool:
        """Whether it was heard lately, though it is away: it is slow or loses much, but is no black hole."""
        return self.heard_at > self.away_at and now - self.heard_at < ALIVE_SECONDS

    def may_be_probed(self, now: float) -> bool:
        """Whether its back-off has ended and no probe is on its way."""
        return self.away and not self.looping and not self.probing and now >= self.away_until

    def is_old_news(self, now: float) -> bool:
        """Whether it was long ago that a server which should be there was measured."""
        return not self.away and not self.probing and now - max(self.measured_at, self.probed_at) > MEASURE_SECONDS

    def confirmed_case(self, now: float) -> bool:
        """TCP confirmed what UDP answered in other letters. True if this shows that the server changes them."""
        self.case_strikes += 1
        if self.case_strikes < CASE_AFTER or not self.keeps_case:
            return False
        self.keeps_case = False
        self.relearn_case_at = now + CAPABILITY_SECONDS
        return True

    def did_without_edns(self, now: float) -> bool:
        """It answered a question without OPT that it had refused with one. True if that is news."""
        if not self.edns:
            return False
        self.edns = False
        self.relearn_edns_at = now + CAPABILITY_SECONDS
        return True

    def relearn(self, now: float) -> None:
        """Forgets what it could not do, when that was long ago."""
        if not self.edns and now >= self.relearn_edns_at:
            self.edns = True
        if not self.keeps_case and now >= self.relearn_case_at:
            self.keeps_case = True
            self.case_strikes = 0
