"""What a proof showed, and what it did not, as data and in words. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, NamedTuple


class Judged(NamedTuple):
    """One entry that bears on the name."""

    position: int
    logged_at: int
    id: str
    action: str
    """block, amend, suspend, withdraw, or review."""
    digest: str
    """Of what was signed."""
    signers: tuple[str, ...]
    """Offices and their holders, by the policy of the entry's position."""
    rule: str
    """Why it has no effect, one of `refusals.RULES`; empty when enough of the right people signed."""
    why: str


class Finding(NamedTuple):
    """What is proved."""

    name: str
    at: int
    origin: str
    size: int
    root: str
    """Hex."""
    signed_at: int
    """When the log signed the checkpoint, in unix seconds."""
    root_version: int
    policy: str
    """SHA-256 of the policy, hex."""
    demonstration: bool
    entries: tuple[Judged, ...]
    in_force: bool | None
    """At `at`, by the log; None when the file does not hold the whole log."""
    orders: tuple[str, ...]
    """Ids of the orders by which it is, when it is."""

    def proved(self) -> list[str]:
        """In words, a sentence each."""
        found = [
            f"Inclusion: each entry below is in the log {self.origin} of {self.size} entries (root {self.root}), as the log signed at "
            f"{when(self.signed_at)} with the key that the authority's policy names (SHA-256 {self.policy}). The holders of the authority's targets "
            f"role signed that policy, and root version {self.root_version}, reached from your root file, names them. The log goes on from the state "
            "that they signed offline."
        ]
        for each in self.entries:
            line = f"entry {each.position}, logged at {when(each.logged_at)}: {each.action} {each.id} ({each.digest})"
            if each.rule:
                found.append(f"No effect: {line}: {each.why} ({each.rule}).")
            else:
                found.append(f"Signature: {line} is signed by {', '.join(each.signers)}, enough of those who may by the policy of that position.")
        if self.in_force is not None:
            by = f"is in force by {', '.join(self.orders)}" if self.in_force else "is blocked by no order"
            found.append(f"In force: by all that the log dates until {when(self.at)}, replayed from its first entry, {self.name} {by} at that time.")
        return found

    def not_proved(self) -> list[str]:
        """What a reader might take for proved, and is not."""
        found = [
            "That anybody enforced it: operators decide and guard their own names, and say what they do in their receipts.",
            "That the log gave everybody the same history: compare its root with what others hold (redhand watch). Its dates are its own word.",
            f"That this policy is the newest: one signed since may say that a key above was stolen, and what it signed then counts no more. Compare "
            f"{self.policy} with SHA-256 of the policy.json that the authority publishes now.",
        ]
        if self.in_force is None:
            found.insert(0, f"That {self.name} was in force at {when(self.at)}: another entry may withdraw or suspend it; that takes --full.")
        if self.demonstration:
            found.insert(0, "Anything in law: this is a demonstration authority, whose keys are nobody's.")
        return found

    def document(self) -> dict[str, Any]:
        """As JSON knows it."""
        listed = [{**each._asdict(), "signers": list(each.signers)} for each in self.entries]
        words = {"proved": self.proved(), "not_proved": self.not_proved()}
        return {**self._asdict(), "entries": listed, "orders": list(self.orders), **words}


def when(seconds: int) -> str:
    """A time as people read it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
