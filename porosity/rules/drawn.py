"""docs/rules.md, made from the rules themselves: `python -m porosity.rules.drawn > docs/rules.md`. A test holds them equal."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from porosity.rules import ooni, signals
from porosity.rules.ours import VERSION, Rule

_HEAD = f"""\
# How verdicts are made

<!-- Made from the program: python -m porosity.rules.drawn > docs/rules.md -->

`redhand porosity classify` judges each trial by numbered rules, in this order; the first that holds decides. An id is never given to another rule.
What no rule can tell is *insufficient*, and no rate counts it.

Of several asks of a trial, one that reached the target decides; else one that was blocked; else one that was down. A watch over time ends as its last
telling ask did, and its evidence (`watch`) says when its state changed. A verdict keeps its rule and evidence, and `covered`: whether an order covers
the name that was asked for. What is *ok* and not covered is the order's reach, and what is *blocked* and not covered is over-blocking.

## {VERSION}

Data (R01 to R25), signals (R41 to R47: *ok* means that the signal is there, *blocked* that the resolver kept it back), other resolvers (R50, R51).

"""

_OONI = """\

## OONI's, to compare with

Its DNS rules, written anew from its specification and source. It fetches pages and we do not: what it would decide by the page stands as its DNS
verdict. They look at A and AAAA alone.
"""


def document() -> str:
    """The whole of docs/rules.md."""
    text = _HEAD + _table(signals.RULES) + _OONI
    for each in ooni.ALL:
        text += f"\n### {each.version}\n\n" + _table(each.rules)
    return text


def _table(rules: Iterable[Rule]) -> str:
    return "".join(["| rule | state | because |\n|---|---|---|\n", *(f"| {each.id} | {each.state} | {each.says} |\n" for each in rules)])


if __name__ == "__main__":
    sys.stdout.write(document())
