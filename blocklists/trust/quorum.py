"""Whose signatures count for what: officers by authority, the reviewer, and keys that were compromised. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from typing import NamedTuple

from blocklists.names import clip
from blocklists.refusals import Refused
from blocklists.trust.envelope import Envelope
from blocklists.trust.policy import Category, Epoch, Policy


class Quorum(NamedTuple):
    """Who signed one envelope, at one position of the log."""

    epoch: Epoch
    offices: frozenset[str]
    """Office ids whose signature is good and counts."""
    stolen: frozenset[str]
    """Office ids whose signature is good, and does not count: the key was compromised by then."""

    def reviewers(self) -> Set[str]:
        """Those of the offices that review."""
        return {office for office in self.offices if self.epoch.officers[office].role == "reviewer"}

    def category(self, name: str) -> Category:
        """The category an order names. Raises Refused."""
        found = self.epoch.categories.get(name)
        if found is None:
            raise Refused("payload.category", f"the policy has no category {clip(name)}; the authority must add it, or order by another")
        return found

    def authority(self, name: str, among: Iterable[str]) -> str:
        """Which of the authorities `among` may order by this category, and has enough officers among those who signed. Raises Refused."""
        needed = self.category(name).threshold
        able = [authority for authority in self.category(name).authorities if authority in set(among)]
        counts = {authority: len(self._officers(authority, self.offices)) for authority in able}
        for authority in able:
            if counts[authority] >= needed:
                return authority
        best = max(counts.values(), default=0)
        if any(len(self._officers(authority, self.offices | self.stolen)) >= needed for authority in able):
            raise Refused("signature.compromised", f"{needed} officers must sign, and without compromised keys {best} did; it must be signed again")
        if not best and self.offices:
            raise Refused("signature.authority", f"{_names(self.offices)} signed, who may not order {clip(name)} here; its own officers must sign")
        raise Refused("signature.threshold", f"{needed} officers of one authority must sign it, and {best} did; collect the missing signatures")

    def spare(self, authority: str, name: str) -> int:
        """How many more officers of the authority signed than the category asks for."""
        return len(self._officers(authority, self.offices)) - self.category(name).threshold

    def check_withdraws(self, authority: str) -> None:
        """Raises Refused unless enough officers of the order's authority, or reviewers, signed its withdrawal."""
        needed = self.epoch.withdraw_threshold
        signed = len(self._officers(authority, self.offices) | self.reviewers())
        if signed < needed:
            rule = "signature.compromised" if signed + len(self._officers(authority, self.stolen)) >= needed else "signature.threshold"
            raise Refused(rule, f"{needed} officers of {authority} or reviewers must sign a withdrawal, and {signed} did; collect the rest")

    def check_suspends(self) -> None:
        """Raises Refused unless any one officer, or the reviewer, signed."""
        if not self.offices:
            raise Refused("signature.compromised", f"only {_names(self.stolen)} signed, whose key was compromised by then; another officer must sign")

    def check_reviews(self) -> None:
        """Raises Refused unless a reviewer signed."""
        if not self.reviewers():
            raise Refused("signature.reviewer", f"{_names(self.offices | self.stolen)} signed, who is no reviewer, or whose key counts no more")

    def _officers(self, authority: str, offices: frozenset[str]) -> frozenset[str]:
        return frozenset(office for office in offices if self.epoch.officers[office].authority == authority)


def quorum(envelope: Envelope, policy: Policy, index: int, known: Mapping[str, bool]) -> tuple[dict[str, bool], Quorum]:
    """Whose signatures are good, by key id, and who that is at a log position. Only keys of the epoch are tried, and those in `known` not again.

    Raises Refused when none is good.
    """
    epoch = policy.at(index)
    data = envelope.signed_bytes()
    tried = {
        keyid: known[keyid] if keyid in known else epoch.keys[keyid].verifies(signature, data)
        for keyid, signature in envelope.signatures
        if keyid in epoch.keys
    }
    if not any(tried.values()):
        raise Refused("signature.none", f"none of its {len(envelope.signatures)} signatures is good and an office's; its officers must sign it")
    good = {keyid for keyid, is_good in tried.items() if is_good}
    stolen = {keyid for keyid in good if policy.is_compromised(keyid, index)}
    return tried, Quorum(epoch, frozenset(epoch.by_key[keyid] for keyid in good - stolen), frozenset(epoch.by_key[keyid] for keyid in stolen))


def _names(offices: Iterable[str]) -> str:
    return ", ".join(sorted(offices)) or "nobody"
