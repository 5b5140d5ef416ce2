"""Why an entry of the log is skipped: a rule id that stays the same in manifests, receipts and alarms, beside words that may be improved."""

from __future__ import annotations

RULES = {
    "entry.form": "it is no entry of ours in its one form",
    "signature.none": "no key that the policy knows at its log position has signed it",
    "signature.authority": "those who signed are not officers of one authority that may order this",
    "signature.threshold": "too few distinct officers have signed it",
    "signature.compromised": "enough have signed it only if a key is counted that was compromised by then",
    "signature.reviewer": "the reviewer has not signed it",
    "payload.form": "what was signed is not in its one form, or a field is missing or impossible",
    "payload.category": "the policy has no such category at its log position",
    "payload.duration": "it would last longer than its category may",
    "payload.review": "it would last longer after its review is due than its category allows",
    "replay.origin": "it was signed for another log",
    "replay.nonce": "its nonce was used before: it is a copy, or made with a bad source of randomness",
    "replay.id": "its id blocks already, and an id blocks once",
    "replay.follows": "it does not follow the newest order of its id: it is late, or a copy",
    "order.unknown": "no order of its id is known here",
    "order.withdrawn": "its id was withdrawn, and a withdrawal is final",
    "order.over": "the emergency it confirms is over, or never was one",
    "guard.refused": "one name of it may not be blocked: protected, a public suffix, or our own; its other names stand",
}
"""What each rule means. The operator's guide shows this table."""


class Refused(Exception):
    """An entry has no effect, by one of RULES."""

    def __init__(self, rule: str, why: str) -> None:
        super().__init__(why)
        self.rule = rule
        self.why = why
        """With the values met, and the remedy."""
