"""Decides every answer: policy, answer cache, local names, or a lookup upstream. Pure: bytes and the time in, bytes or lookups out.

The order is the law's order: what a directive names is blocked before any flag, cache or upstream is consulted; a chain that leads to a
listed name is blocked before its answer is sent. This module opens no socket and reads no clock; `upstreams` carries out its lookups and hands back
what came of them.
"""

from __future__ import annotations

from collections.abc import Sequence

from blocklists.index import Rule
from resolver.authored import any_reply
from resolver.fairness import MOST_LOOKUPS, MOST_WAITING, Share, domain_of
from resolver.groups import Front, Group, Lookup, footprint
from resolver.packetcache import Clock
from resolver.policy import Listed, Policy
from resolver.prefixes import client_of
from resolver.records import Answer
from resolver.replies import fresh_reply, stale_reply
from resolver.special import special_reply
from resolver.structured import Explanations, Form, Unexplained, bare
from resolver.tally import Counters, Tally
from resolver.wire import (
    ANY,
    AXFR,
    CD,
    IXFR,
    MAILA,
    MAILB,
    NOTIMP,
    OPT,
    RD,
    REFUSED,
    SERVFAIL,
    STRUCTURED_ERRORS,
    TKEY,
    TSIG,
    Query,
    Silence,
    Unreadable,
    ede,
    error_reply,
    read_query,
    truncated_reply,
)

EDE_OTHER, EDE_PROHIBITED = 0, 18
EDE_NO_REACHABLE_AUTHORITY, EDE_NETWORK_ERROR = 22, 23

FAILURE_SECONDS = 5
FAILURE_MOST_SECONDS = 30
"""How long a failed lookup is remembered: doubling from the first to the second (RFC 9520 section 3.2)."""
PREFETCH_SHARE = 10
"""An answer met in the last tenth of its life is fetched again before it is missed ..."""
PREFETCH_LEAST_SECONDS = 20
"""... if its life is at least this long."""
MAX_WAITERS = 512
"""Queries that wait for one lookup; one more is told SERVFAIL.

Right after a start, hundreds ask for the most popular name while a slow upstream answers it. To answer so many at once takes 10 ms on a busy
machine."""

TALLIES_AT_ONCE = 2000
"""References whose blocks are taken at once: 0.1 ms."""

_NOT_DATA = {AXFR: REFUSED, IXFR: REFUSED, OPT: NOTIMP, TKEY: NOTIMP, TSIG: NOTIMP, MAILA: NOTIMP, MAILB: NOTIMP}
"""Question types that no name has data of, and what is said of them."""
_PROHIBITED = ede(EDE_PROHIBITED)
_CLIENT_HAS_TOO_MANY = ede(EDE_OTHER, b"too many questions in flight from this client")
_DOMAIN_HAS_TOO_MANY = ede(EDE_OTHER, b"too many questions in flight for this domain")
_TOO_MANY = ede(EDE_OTHER, b"too many questions in flight")
_FLAGS = tuple(bytes((number,)) for number in range(4))


class Engine:
    """One worker's decisions. Call `ask` for each query the packet cache did not answer, then carry out `take_lookups`."""

    def __init__(
        self,
        policy: Policy,
        clock: Clock,
        zones: Sequence[bytes] = (),
        stale_seconds: int = 86400,
        caps: tuple[int, int] = (MOST_WAITING, MOST_LOOKUPS),
        option: int = STRUCTURED_ERRORS,
    ) -> None:
        """`caps`: queries that one client, and lookups that one registrable domain, may have in flight; `option`: see `read_query`."""
        self.policy = policy
        self.clients = Share(MOST_WAITING, caps[0])
        self.domains = Share(MOST_LOOKUPS, caps[1])
        self.tallies: dict[str, Tally] = {}
        """Blocks carried out, by reference. One is kept for ever, because ready replies may count on it: as many as orders were ever carried out."""
        self.blocks = 0
        """Blocks carried out in all, so far as `take_tallies` has seen them."""
        self._references: list[str] = []
        self._taken_up_to = 0
        self.clock = clock
        self.counters = Counters()
        self._zones = frozenset(zones)
        self._stale_seconds = stale_seconds
        self._new: list[Lookup] = []
        self._option = option
        self.explanations: Explanations = Unexplained()
        self.turn(0, policy.now)

    @property
    def in_flight(self) -> int:
        """Lookups that are on their way."""
        return self.domains.total

    def take_tallies(self) -> dict[str, int]:
        """Blocks by reference since they were last taken. With very many references, a part of them each time, in turn."""
        taken = {}
        references = self._references
        begin = self._taken_up_to if self._taken_up_to < len(references) else 0
        self._taken_up_to = begin + TALLIES_AT_ONCE
        for reference in references[begin : self._taken_up_to]:
            tally = self.tallies[reference]
            if tally.count:
                taken[reference] = tally.count
                self.blocks += tally.count
                tally.count = 0
        return taken

    def turn(self, second: int, now: int) -> None:
        """The time: `second` of the monotonic clock, `now` in agreed unix seconds. To be called when the second turns."""
        self.policy.tick(now)
        self.clock.set(second, self.policy.generation)

    def switch(self, index: Listed, serial: int, second: int, now: int) -> None:
        """Puts another version in force; the times as for `turn`, which may be nearly a second old: an order may begin in this very second."""
        self.policy.switch(index, serial, now)
        self.clock.set(second, self.policy.generation)

    def take_lookups(self) -> list[Lookup]:
        """The lookups to start now; each is handed out once."""
        started = self._new
        if started:
            self._new = []
        return started

    def ask(self, data: bytes, front: Front | None, via: object, address: object) -> bytes | None:
        """All of the reply but its ID; None when there is none, or when it will come through `via` once a lookup is answered.

        `front` is None for a client that may not ask; `address` is the client's as its socket gives it, its host first.
        """
        try:
            query = read_query(data, self._option)
        except Silence:
            return None
        except Unreadable as refusal:
            self.counters.malformed += 1
            return refusal.reply
        if front is None:
            self.counters.prohibited += 1
            return error_reply(query, REFUSED, _PROHIBITED)
        query.limit = front.most_octets or query.limit
        query.front = front
        query.via = via
        query.address = address
        qtype = query.qtype
        if qtype in _NOT_DATA:
            return error_reply(query, _NOT_DATA[qtype])
        rule = self.policy.judge(query.key)
        if rule is not None and self.policy.now >= front.group.access_until:
            return self._block(query, rule, of_question=True)
        if not query.flags & RD:
            return error_reply(query, REFUSED)
        if qtype == ANY:
            return self._local(query, front, any_reply(query))
        group = front.group
        key = query.name + query.question[-4:-2] + _FLAGS[(2 if query.do else 0) | (query.flags & CD) >> 4]
        answer = group.answers.get(key)
        second = self.clock.second
        if answer is not None and second < answer.expires:
            return self._answer(query, front, answer, key)
        zone = self._zone_of(query.key) if self._zones else b""
        if not zone:
            local = special_reply(query)
            if local is not None:
                return self._local(query, front, local)
        if answer is not None and second >= answer.expires + (FAILURE_MOST_SECONDS if answer.rcode == SERVFAIL else self._stale_seconds):
            answer = None
        if answer is not None and second < answer.failed_until:
            return self._stale(query, answer)
        return self._look_up(query, group, key, zone, answer)

    def _zone_of(self, key: bytes) -> bytes:
        """The key of the longest forwarded zone a name is in; empty when it goes to the usual upstreams."""
        zones = self._zones
        found = b""
        if zones:
            end = 0
            while end < len(key):
                end += key[end] + 1
                if key[:end] in zones:
                    found = key[:end]
        return found

    def _block(self, query: Query, rule: Rule, *, of_question: bool) -> bytes | None:
        """The block answer; None when it comes through `via` once its explanation was read.

        One for the question itself is kept until the list changes; one for an alias holds only as long as the alias.
        """
        front = query.front
        self.counters.blocked += 1
        tally = self.tallies.get(rule.reference)
        if tally is None:
            tally = self.tallies[rule.reference] = Tally()
            self._references.append(rule.reference)
        tally.count += 1
        forms = None
        if query.structured and (forms := self.explanations.forms(rule)) is None:
            if self.explanations.wait(query, rule):
                self.counters.waited += 1
                return None
            return self.explained(query, rule, bare(rule))
        reply: bytes | None = front.group.blocks.fitting(query, rule, forms)
        if reply is None:
            return self._truncated(query)
        if of_question and query.constant and rule.mode != "refused":
            front.packets.put(query.raw[2:], reply, tally=tally)
        return reply

    def explained(self, query: Query, rule: Rule, forms: tuple[Form, ...]) -> bytes:
        """The block answer, all but its ID, to a query that waited for these texts."""
        reply: bytes | None = query.front.group.blocks.fitting(query, rule, forms)
        return self._truncated(query) if reply is None else reply

    def _local(self, query: Query, front: Front, reply: bytes) -> bytes:
        self.counters.local += 1
        if query.constant:
            front.packets.put(query.raw[2:], reply)
        return reply

    def _answer(self, query: Query, front: Front, answer: Answer, key: bytes) -> bytes | None:
        """The reply from a fresh answer, unless its chain is blocked."""
        if answer.chain:
            rule = self._chain_verdict(query, answer)
            if rule is not None:
                return self._block(query, rule, of_question=False)
        self.counters.answered += 1
        second = self.clock.second
        until = answer.expires
        if answer.lifetime >= PREFETCH_LEAST_SECONDS and answer.rcode != SERVFAIL:
            until -= answer.lifetime // PREFETCH_SHARE
            if second >= until and second >= answer.failed_until and key not in front.group.in_flight:
                self._prefetch(query, key, answer)
        reply = fresh_reply(query, answer, second)
        if len(reply) + 2 > query.limit:
            return self._truncated(query)
        if query.constant and second < until and answer.rcode != SERVFAIL:
            front.packets.put(query.raw[2:], reply, answer, until)
        return reply

    def _prefetch(self, query: Query, key: bytes, answer: Answer) -> None:
        domain = domain_of(query.key)
        if self.domains.enter(domain):
            self.counters.prefetched += 1
            self._start(Lookup(query.front.group, query, key, self._zone_of(query.key), answer, domain))

    def _chain_verdict(self, query: Query, answer: Answer) -> Rule | None:
        policy = self.policy
        if answer.judged != policy.generation:
            # An answer is one group's, and the end of its access changes the generation.
            rule = policy.judge_chain(query.key, answer.chain) if policy.now >= query.front.group.access_until else None
            self.clock.set(self.clock.second, policy.generation)  # holding an entry changes the generation
            answer.blocked_by = rule
            answer.judged = policy.generation
        return answer.blocked_by

    def _truncated(self, query: Query) -> bytes:
        self.counters.truncated += 1
        return truncated_reply(query)

    def _stale(self, query: Query, answer: Answer) -> bytes | None:
        """An expired answer while no upstream answers (RFC 8767), unless its chain is blocked."""
        if answer.chain:
            rule = self._chain_verdict(query, answer)
            if rule is not None:
                return self._block(query, rule, of_question=False)
        self.counters.stale += 1
        reply = stale_reply(query, answer)
        return reply if len(reply) + 2 <= query.limit else self._truncated(query)

    def _look_up(self, query: Query, group: Group, key: bytes, zone: bytes, stale: Answer | None) -> bytes | None:
        counters = self.counters
        client = query.client = client_of(query.address[0]) if query.address else ""
        if not self.clients.enter(client):
            if self.clients.is_full():
                return self._no_room(query)
            counters.capped_client += 1
            return self._failure(query, _CLIENT_HAS_TOO_MANY)
        lookup = group.in_flight.get(key)
        if lookup is None:
            domain = domain_of(query.key)
            if not self.domains.enter(domain):
                self.clients.leave(client)
                if self.domains.is_full():
                    return self._no_room(query)
                counters.capped_domain += 1
                return self._failure(query, _DOMAIN_HAS_TOO_MANY)
            lookup = Lookup(group, query, key, zone, stale, domain)
            self._start(lookup)
        elif len(lookup.waiters) >= MAX_WAITERS:
            self.clients.leave(client)
            return self._no_room(query)
        lookup.waiters.append(query)
        counters.waited += 1
        return None

    def _no_room(self, query: Query) -> bytes:
        self.counters.capped_total += 1
        return self._failure(query, _TOO_MANY)

    def _start(self, lookup: Lookup) -> None:
        """Of a lookup that its domain has room for, and has entered."""
        lookup.generation = self.policy.generation
        lookup.group.in_flight[lookup.key] = lookup
        self.counters.lookups += 1
        self._new.append(lookup)

    def _failure(self, query: Query, options: bytes) -> bytes:
        self.counters.failed += 1
        return error_reply(query, SERVFAIL, options)

    def _finish(self, lookup: Lookup) -> list[Query]:
        lookup.done = True
        if lookup.group.in_flight.pop(lookup.key, None) is not None:
            self.domains.leave(lookup.domain)
        return self._let_go(lookup)

    def _let_go(self, lookup: Lookup) -> list[Query]:
        """Those who waited, who do so no more."""
        waiters, lookup.waiters = lookup.waiters, []
        for query in waiters:
            self.clients.leave(query.client)
        return waiters

    def answered(self, lookup: Lookup, answer: Answer) -> list[tuple[Query, bytes]]:
        """Keeps what an upstream said and gives every waiter's reply (all but its ID), each with its own case, flags, OPT and size."""
        second = self.clock.second
        if lookup.forgotten and lookup.was_flushed(answer.chain):
            answer.lifetime = 0
        answer.stored = answer.aged = second
        answer.expires = second + answer.lifetime
        if answer.lifetime:
            lookup.group.answers.put(lookup.key, answer, footprint(answer))
        waiters = self._finish(lookup)
        if lookup.generation != self.policy.generation:
            rule = self._listed_since(lookup)
            if rule is not None:
                return self._blocked(waiters, rule)
        return [(query, reply) for query in waiters if (reply := self._answer(query, query.front, answer, lookup.key)) is not None]

    def _listed_since(self, lookup: Lookup) -> Rule | None:
        """The rule that blocks the question by now, if the list has changed while the answer was on its way."""
        if lookup.generation == self.policy.generation or self.policy.now < lookup.group.access_until:
            return None
        return self.policy.judge(lookup.name_key)

    def failed(self, lookup: Lookup, code: int | None) -> list[tuple[Query, bytes]]:
        """Every waiter's reply when no upstream gave an answer: stale if there is one, else SERVFAIL with EDE `code` (None for none).

        The failure is remembered, so that the same question does not go out again at once (RFC 9520).
        """
        second = self.clock.second
        stale = lookup.stale
        options = b"" if code is None else ede(code)
        if stale is not None and stale.rcode != SERVFAIL and second < stale.expires + self._stale_seconds:
            stale.failed_until = second + FAILURE_SECONDS
            return self._stale_to(lookup, stale, self._finish(lookup))
        before = 0 if stale is None or stale.rcode != SERVFAIL else stale.lifetime
        seconds = min(2 * before, FAILURE_MOST_SECONDS) or FAILURE_SECONDS
        failure = Answer(SERVFAIL, b"", (0, 0), (), seconds)
        failure.options = options
        failure.stored = failure.aged = second
        failure.expires = second + seconds
        if not lookup.was_flushed():
            lookup.group.answers.put(lookup.key, failure, footprint(failure))
        return [(query, self._failure(query, options)) for query in self._finish(lookup)]

    def overdue(self, lookup: Lookup) -> list[tuple[Query, bytes]]:
        """Stale replies for those who have waited long enough while the lookup goes on (RFC 8767 section 5); nothing without a stale answer."""
        stale = lookup.stale
        if stale is None or stale.rcode == SERVFAIL or self.clock.second >= stale.expires + self._stale_seconds:
            return []
        return self._stale_to(lookup, stale, self._let_go(lookup))

    def _stale_to(self, lookup: Lookup, stale: Answer, waiters: list[Query]) -> list[tuple[Query, bytes]]:
        rule = self._listed_since(lookup)
        if rule is not None:
            return self._blocked(waiters, rule)
        return [(query, reply) for query in waiters if (reply := self._stale(query, stale)) is not None]

    def _blocked(self, waiters: list[Query], rule: Rule) -> list[tuple[Query, bytes]]:
        return [(query, reply) for query in waiters if (reply := self._block(query, rule, of_question=True)) is not None]
