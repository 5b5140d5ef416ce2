"""What the list says of one question, now (invariants 1 and 5 of the architecture).

Holds the version in force and a generation number that changes whenever a verdict could: when another version is put in force, and when a
directive's start or end is passed. Whoever keeps a verdict keeps the generation beside it. No flag, option or letter case reaches this module.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from blocklists.index import Rule
from blocklists.suffixes import registrable

MOST_WATCHED = 4096
"""Listed names whose chains are counted at once; beyond, the one counted for longest is forgotten, so that hostile aliases cannot fill memory."""


class Listed(Protocol):
    """What the policy needs of an index (`blocklists.index.Index`)."""

    def find(self, key: bytes, now: int) -> Rule | None: ...

    def next_boundary(self, now: int) -> int: ...


class Policy:
    """Verdicts over the index in force. `now` is unix seconds as agreed by the clock; `generation` counts changes of any verdict."""

    __slots__ = ("_boundary", "_index", "_led_from", "_others", "chain_limit", "generation", "held", "now", "serial")

    def __init__(self, index: Listed, serial: int, now: int, chain_limit: int) -> None:
        self.generation = 0
        self.chain_limit = chain_limit
        self.held: set[bytes] = set()
        self._led_from: dict[bytes, set[int]] = {}
        self._others: tuple[int, ...] = ()
        self.switch(index, serial, now)

    def switch(self, index: Listed, serial: int, now: int) -> None:
        """Puts another version in force as of `now`: one pointer and one number. A hold ends when its name is no longer listed."""
        self.now = now
        self._index = index
        self.serial = serial
        self._boundary = self._next_boundary(self.now)
        self.held = {key for key in self.held if index.find(key, self.now) is not None}
        self.generation += 1

    def tick(self, now: int) -> None:
        """Says what time it is; passing a start or an end changes the generation."""
        if now >= self._boundary or now < self.now:
            self._boundary = self._next_boundary(now)
            self.generation += 1
        self.now = now

    def also_at(self, moments: Iterable[int]) -> None:
        """Verdicts change at these times, too, whatever the list says (unix seconds; in place of those said before), and have just changed."""
        self._others = tuple(moments)
        self._boundary = self._next_boundary(self.now)
        self.generation += 1

    def _next_boundary(self, now: int) -> int:
        return min((self._index.next_boundary(now), *(moment for moment in self._others if moment > now)))

    def judge(self, key: bytes) -> Rule | None:
        """The rule that blocks the name with this index key, or None."""
        return self._index.find(key, self.now)

    def judge_chain(self, question: bytes, chain: Iterable[bytes]) -> Rule | None:
        """The rule that blocks an answer to `question` because of a name it leads to, or None.

        A listed name that blocks the chains of more than `chain_limit` unrelated domains is more likely shared infrastructure than
        a target: chain matching by it is then held, and the caller sees it in `held`. The name itself stays blocked.
        """
        for key in chain:
            rule = self._index.find(key, self.now)
            if rule is not None and rule.key not in self.held and not self._is_too_broad(rule, question):
                return rule
        return None

    def _is_too_broad(self, rule: Rule, question: bytes) -> bool:
        domain = registrable(question)
        if domain == registrable(rule.key):
            return False
        domains = self._led_from.get(rule.key)
        if domains is None:
            if len(self._led_from) >= MOST_WATCHED:
                del self._led_from[next(iter(self._led_from))]
            domains = self._led_from[rule.key] = set()
        domains.add(hash(domain))  # salted by the process: a number, not a name that somebody looked up
        if len(domains) <= self.chain_limit:
            return False
        self.held.add(rule.key)
        del self._led_from[rule.key]
        self.generation += 1
        return True
