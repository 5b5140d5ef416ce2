"""Who may do what at the desk, and which offices one person never holds together. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, get_args

from authority.desk.errors import Forbidden

Role = Literal["clerk", "officer", "reviewer", "operator", "administrator", "auditor"]
ROLES: tuple[Role, ...] = get_args(Role)

TOGETHER: frozenset[frozenset[Role]] = frozenset({frozenset({"clerk", "officer"})})
"""The one pair that a person may hold: who prepares a case may also be one of those who sign it. Every other pair checks one another."""

CONFIRMS: dict[Role, Role] = {
    "clerk": "administrator",
    "officer": "administrator",
    "operator": "administrator",
    "administrator": "auditor",
    "auditor": "reviewer",
    "reviewer": "auditor",
}
"""Whose second signature a grant of the role, or its end, needs. An administrator proposes; for reviewer, auditor and administrator no administrator
confirms, so that those who run the server can neither make nor unmake who watches them."""

Action = Literal[
    "case.list", "case.read", "case.open", "case.work", "case.decide", "case.sign", "case.publish", "review.read", "review.decide", "evidence.read",
    "evidence.add", "evidence.delete", "proposal.make", "proposal.confirm", "person.manage", "document.propose", "compliance.read", "compliance.own",
    "audit.read", "report.read",
]  # fmt: skip

MAY: dict[Action, frozenset[Role]] = {
    "case.list": frozenset({"clerk", "officer", "reviewer", "auditor"}),
    "case.read": frozenset({"clerk", "officer", "reviewer", "auditor"}),
    "case.open": frozenset({"clerk", "officer"}),
    "case.work": frozenset({"clerk", "officer"}),
    "case.decide": frozenset({"officer"}),
    "case.sign": frozenset({"officer", "reviewer"}),
    "case.publish": frozenset({"clerk", "officer", "reviewer"}),
    "review.read": frozenset({"reviewer", "auditor"}),
    "review.decide": frozenset({"reviewer"}),
    "evidence.read": frozenset({"officer", "reviewer"}),
    "evidence.add": frozenset({"clerk", "officer"}),
    "evidence.delete": frozenset({"officer", "reviewer"}),
    "proposal.make": frozenset({"officer", "reviewer", "administrator", "auditor"}),
    "proposal.confirm": frozenset({"officer", "reviewer", "administrator", "auditor"}),
    "person.manage": frozenset({"administrator"}),
    "document.propose": frozenset({"administrator", "officer"}),
    "compliance.read": frozenset({"clerk", "officer", "reviewer", "administrator", "auditor"}),
    "compliance.own": frozenset({"operator"}),
    "audit.read": frozenset({"auditor", "reviewer"}),
    "report.read": frozenset({"clerk", "officer", "reviewer", "administrator", "auditor"}),
}
"""Administrators run the machine and the accounts; no case and no evidence opens for them."""


def clash(roles: Iterable[Role]) -> tuple[Role, Role] | None:
    """Two of these roles that check one another; None when one person may hold them all."""
    held = sorted(set(roles), key=ROLES.index)
    for number, one in enumerate(held):
        for other in held[number + 1 :]:
            if frozenset({one, other}) not in TOGETHER:
                return one, other
    return None


@dataclass(frozen=True)
class Actor:
    """Who does something at the desk, as the audit log and the timeline name it."""

    name: str
    """A person's login; or `clock`, `log`, `public`, `flagger:<name>`, `setup`."""
    roles: frozenset[Role] = frozenset()
    person: int | None = None
    """The person's row; None for what no person does."""
    operator: str | None = None
    """For the role operator: the id in the policy whose record it may see."""
    way: str = field(default="", compare=False)
    """How it acts, as the audit log says: `page`, `command`, `api token 7`; empty for what no person or program does."""

    def may(self, action: Action) -> bool:
        """Whether the action is open to it."""
        return bool(self.roles & MAY[action])

    def require(self, action: Action) -> None:
        """Raises Forbidden unless it is."""
        if not self.may(action):
            able = ", ".join(sorted(MAY[action], key=ROLES.index))
            raise Forbidden(f"{self.name} may not do this ({action}); it is open to: {able}")


CLOCK = Actor("clock")
"""What the passing of time does."""
LOG = Actor("log")
"""What operators' receipts in the authority's book do, and what stands in the log though the desk was not told."""
SETUP = Actor("setup")
"""What is done at the command line of the server before there are people."""
