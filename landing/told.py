"""From the rules that speak for a name to the orders that its page shows: each rule's basis, with what the policy says of it.

Reads the version's entries, so it is done once for a page and not for each visitor.
"""

from __future__ import annotations

from collections.abc import Sequence

from blocklists import store, suffixes, version
from blocklists.index import Rule
from landing import verdict
from landing.ground import NOTHING, Ground
from landing.verdict import Order


def told(found: store.Version, rules: Sequence[Rule], ground: Ground | None, now: int) -> list[Order]:
    """What the rules of one version tell a visitor at `now` (unix seconds), in their order; `ground`: the policy they were judged by."""
    orders = []
    for rule in rules:
        basis = found.basis(rule)
        words = ground.of(basis) if ground is not None else NOTHING
        orders.append(verdict.order_of(rule, basis, now, words, _of_one_owner(found, rule)))
    return orders


def _of_one_owner(found: store.Version, rule: Rule) -> bool:
    """Whether an order names nothing but names of the registrable domain that this name of it belongs to."""
    if rule.kind != "directive":
        return True
    _, marked = version.read_line(found.table[rule.number])
    return len({suffixes.registrable(version.unmark(text)[0]) for text in marked}) == 1
