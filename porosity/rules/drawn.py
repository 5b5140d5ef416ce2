"""docs/rules.md, made from the rules themselves: `python -m porosity.rules.drawn > docs/rules.md`. A test holds them equal."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from porosity.rules import faults, ooni, signals
from porosity.rules.ours import PASSES, VERSION, Rule

_HEAD = f"""\
# How verdicts are made

<!-- Made from the program: python -m porosity.rules.drawn > docs/rules.md -->

`redhand porosity classify` judges each trial by numbered rules, in this order; the first that holds decides. An id is never given to another rule.
What no rule can tell is *insufficient*, and no rate counts it.

Of several asks of a trial, one that reached the target decides; else one that was blocked; else one that was down. A watch over time ends as its last
telling ask did, and its evidence (`watch`) says when its state changed. A verdict keeps its rule and evidence, and `covered`: whether an order covers
the name that was asked for. What is *ok* and not covered is the order's reach, and what is *blocked* and not covered is over-blocking.

## {VERSION}

Data (R01 to R32), signals (R41 to R49 and R52: *ok* means that the signal is there, *blocked* that the resolver kept it back), other resolvers (R50,
R51). R03, R12, R17, R22, R23, R45 and R46 were rules of red-hand-1, and are not used again.

"""

_FAULTS = f"""\

### When silence or an error is a block

One answer that did not come shows nothing: packets are lost and servers stumble.
R26 and R27 want a *streak*: the same fault by the same vector in each repeat, {faults.TWICE} at least; or at half of all asks for the name
at that endpoint. And chance must not explain it. Of all other asks at the endpoint (canaries', and those of names and vectors without a
streak) s of n had the same fault; the chance of k or more in m asks is then the beta-binomial one after Jeffreys' prior, and among all
names and vectors that could have had a streak there, corrected by Holm, it must be {faults.LEVEL:g} or less. So one such verdict or more
comes of chance at an endpoint in one study of a hundred. The evidence (`streak`) has k, m, s, n and the chance, and `about.json` what each
endpoint's faults are like. An ask counts with all its tries, since bad seconds hit them all. In a watch, the asks of a streak follow one
another. Vectors by which no canary is ever answered are left out; silence counts for nothing where a control's answer has more than
{PASSES:,} octets, which are lost for their size; and SERVFAIL counts for nothing where the name is signed and no control found that good:
who validates fails there.
"""

_OONI = """\

## OONI's, to compare with

Its DNS rules, written anew from its specification and source. It fetches pages and we do not: what it would decide by the page stands as its DNS
verdict. They look at A and AAAA alone.
"""


def document() -> str:
    """The whole of docs/rules.md."""
    text = _HEAD + _table(signals.RULES) + _FAULTS + _OONI
    for each in ooni.ALL:
        text += f"\n### {each.version}\n\n" + _table(each.rules)
    return text


def _table(rules: Iterable[Rule]) -> str:
    return "".join(["| rule | state | because |\n|---|---|---|\n", *(f"| {each.id} | {each.state} | {each.says} |\n" for each in rules)])


if __name__ == "__main__":
    sys.stdout.write(document())
