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

One answer that did not come shows nothing: packets are lost and servers stumble. R26 and R27 want a *streak*: the same fault by the same
vector in each repeat, {faults.TWICE} at least; or at half of all asks for the name at that endpoint. And chance must not explain it. Of all
other asks at the endpoint (canaries', and those of names and vectors without a streak) s of n had the same fault; the chance of k or more
in m asks is then the beta-binomial one after Jeffreys' prior, and among all names and vectors that could have had a streak there, corrected
by Holm, it must be {faults.LEVEL:g} or less. So one such verdict or more comes of chance at an endpoint in one study of a hundred. The
evidence (`streak`) has k, m, s, n and the chance, and `about.json` what each endpoint's faults are like. An ask counts with all its tries,
since bad seconds hit them all. In a watch, the asks of a streak follow one another. Vectors by which no canary is ever answered are left
out; where nearly all neighbours have a streak, none counts; silence counts for nothing where a control's answer has more than {PASSES:,}
octets, which are lost for their size; and SERVFAIL counts for nothing where the name is signed and no control found that good: who
validates fails there.
"""

_LIMITS = """\

### What these rules cannot tell

- **Reached is what came, not what works.** R06 and R07 want the target's data, and nothing is fetched. Where a site shares its address with
  others, what is blocked beyond DNS counts as reached; and a page that stands at the very address of the site is not told from it. Records that
  carry no address and are the same for many sites (a bare `1 . alpn=h2`, a host's NS) count as the target's, if a control has them.
- **The word of who answers is taken.** R09 does not ask who set the Extended DNS Error, nor for which list: a parental filter, or a resolver
  behind the tested one, says 15 as well. R08 and R10 rest on addresses that somebody gave. Give neighbours and lifted names, and see what else
  is blocked.
- **Absence is compared, not explained.** R19 and R20 rest on two controls that have what is denied. A name that is new, expires, or is answered
  by place denies itself here and there: look whether it is so in each repeat. What a resolver gives to nobody is no block (R33), if canaries
  have it; so choose canaries that have IPv6 addresses and HTTPS records.
- **A streak says that it is the name, and not why.** R26 and R27 exclude chance, sizes that paths lose, and signatures that fail. They do not
  exclude a name whose own servers turn this resolver away, and two controls not. Where nearly all neighbours fail, none is counted; without
  neighbours in a study, a resolver that reaches nobody and answers canaries from its cache looks like one that blocks.
- **Several machines behind one address.** Where one of them blocks and another does not, verdicts are right ask by ask, and rates are of the
  mixture; silence by some is insufficient.
- **Content networks.** R31 and R32 take an address in the control's network, or behind its alias, for the target's. A page that stands there,
  for fewer than three unrelated domains, counts as reached: name it (`--landing`). Without a table of networks (`--networks`) a network is a /24
  or /48.
- **Who stands on the way.** Answers that are put in between, and not by the resolver, count as the resolver's; where they hit controls as well,
  nothing is told. Controls by DoT or DoH are not hit so.
- **SERVFAIL and signatures.** Whether a name is signed is seen by vectors that set DO. A plan without any, a resolver that validates and
  controls that do not, and a name that is bogus at its source: that is a block to R27.
- **DS beside RRSIG** (R48) shows a chain where the zone above has it, and not that it reaches the root.
"""

_OONI = """\

## OONI's, to compare with

Its DNS rules, written anew from its specification and source. It fetches pages and we do not: what it would decide by the page stands as its DNS
verdict. They look at A and AAAA alone.
"""


def document() -> str:
    """The whole of docs/rules.md."""
    text = _HEAD + _table(signals.RULES) + _FAULTS + _LIMITS + _OONI
    for each in ooni.ALL:
        text += f"\n### {each.version}\n\n" + _table(each.rules)
    return text


def _table(rules: Iterable[Rule]) -> str:
    return "".join(["| rule | state | because |\n|---|---|---|\n", *(f"| {each.id} | {each.state} | {each.says} |\n" for each in rules)])


if __name__ == "__main__":
    sys.stdout.write(document())
