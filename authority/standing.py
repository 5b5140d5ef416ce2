"""What each operator has in force, by its last receipt: for `redhand authority status`."""

from __future__ import annotations

from bisect import bisect_left
from typing import NamedTuple

from authority import batches, receipts, tokens
from authority.places import Places
from blocklists.log.tree import Tree
from blocklists.receipt import Exempt
from blocklists.trust.policy import Policy


class Standing(NamedTuple):
    """One operator, as it was last heard of."""

    operator: str
    name: str
    """Of the company; empty when the policy does not know it."""
    token: bool
    """Whether it has a token."""
    number: int = 0
    """Of its last receipt; 0: it sent none."""
    size: int = 0
    """Of the log it has in force."""
    since: int = 0
    """When it said so, in unix seconds."""
    taken: int = 0
    """When we took it."""
    behind: int = 0
    """Orders and reviews of the log that it does not have yet. It owes no receipt for entries that only say that receipts were taken."""
    ours: bool = True
    """Whether the state of the log that it names is one that our log had."""
    exceptions: tuple[Exempt, ...] = ()
    """Orders that are in its log and not in force there."""


def standings(places: Places, policy: Policy, tree: Tree) -> list[Standing]:
    """Every operator that the policy, the tokens or the receipts know, by id. Raises StoreError for damage."""
    known = tokens.read(tokens.path_of(places))
    last: dict[str, int] = {}
    for line in receipts.lines(places):
        last[line.operator] = line.number
    found = []
    for operator in sorted({*policy.operators, *known, *last}):
        name = policy.operators[operator].name if operator in policy.operators else ""
        standing = Standing(operator, name, operator in known)
        kept = receipts.kept(places, operator, last[operator]) if operator in last else None
        if kept is not None:
            made = kept.receipt
            standing = standing._replace(
                number=made.number,
                size=made.checkpoint.size,
                since=made.at,
                taken=kept.at,
                ours=receipts.names_our_log(made, tree),
                exceptions=made.exceptions,
            )
        found.append(standing)
    sizes = [each.size for each in found if each.number and each.size < tree.size]
    taken = batches.positions(tree, min(sizes)) if sizes else []
    return [
        each._replace(behind=tree.size - each.size - (len(taken) - bisect_left(taken, each.size))) if each.number and each.size < tree.size else each
        for each in found
    ]
