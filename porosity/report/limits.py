"""What a study cannot say, and what it would take: said in its report, from its plan and its figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from porosity.report.found import Found, percent

MANY = 0.1
"""A share of trials that tells of trouble when they are not known or were down."""

FEW = 30
"""Registrable domains below which a share alone misleads."""

_ALIKE = "no tested resolver is given with "

ALWAYS = (
    "What goes round DNS altogether (addresses typed in, hosts files, VPN, Tor) is not measured.",
    "A name counts as reached when any of its data came, such as leads no browser there as well (MX, TXT, DNSKEY): see vector by vector what it was.",
    "Names were resolved and no page was fetched: that a name resolves does not show that its site answers, nor what is on it.",
    "A verdict says what came of an ask, not why nor by whose hand; docs/rules.md tells what each rule cannot tell. Trials that are not known are in "
    "no rate: if most of them were blocked, the shares reached are too high, and if most were reached, too low.",
    "Intervals say how far such names, drawn anew, would differ. They hold no error of the rules, and nothing about other lists, vantages or times.",
)


def of(found: Found) -> Iterator[str]:
    """The limits, one sentence or two each."""
    plan, said = found.study.plan, found.said
    controls = sum(each.role == "control" for each in plan.resolvers)
    if controls < 2:
        yield f"Only {controls} control{'s were' if controls != 1 else ' was'} asked: where it matters, trials stay undecided. Give two or more."
    if plan.repeats < 3:
        yield f"Only {plan.repeats} repeat{'s' if plan.repeats > 1 else ''}: what fails once in a while may be missed. Three or more are usual."
    if len(said["vantages"]) < 2:
        yield f"One vantage ({', '.join(said['vantages'])}): elsewhere the same resolvers may answer otherwise."
    trials = said["trials"]
    judged = trials["judged"] or 1
    if trials["judged"] < trials["planned"]:
        yield f"{trials['judged']:,} of {trials['planned']:,} planned trials are judged; the rest was not asked."
    for state, means in (("insufficient", "are not known (state insufficient), and in no rate"), ("down", "found the resolver or its way down")):
        share = trials.get(state, 0) / judged
        if share > MANY:
            yield f"{percent(share)} of all trials, of controls too, {means}."
    small = [each for each in said["headline"] if each["technical"] and each["technical"]["domains"] < FEW]
    if small:
        yield (
            "Few registrable domains were measured: read the intervals, not the shares ("
            + ", ".join(f"{each['resolver']}: {each['technical']['domains']}" for each in small)
            + ")."
        )
    for why, vectors in reasons(said["left_out"]):
        yield f"Not measured, since {why}: {', '.join(vectors)}."
    if said["delays"]:
        yield (
            "Names whose orders began together wait together: intervals of waits take each for a case of its own, and are too narrow where one "
            "update of a list brought many."
        )
    if found.tables["reach"]:
        yield "Effective reach rests on shares of users that were given, not measured."
    yield from ALWAYS


def reasons(left_out: Mapping[str, str]) -> list[tuple[str, list[str]]]:
    """Why vectors are left out of a plan, and which: what a resolver is not given with, in one."""
    found: dict[str, list[str]] = {}
    lacking: dict[str, None] = {}
    for vector, why in left_out.items():
        parts = why.split("; ")
        alike = all(part.startswith(_ALIKE) for part in parts)
        if alike:
            lacking |= dict.fromkeys(part.removeprefix(_ALIKE) for part in parts)
        found.setdefault(_ALIKE if alike else why, []).append(vector)
    *most, last = lacking or ("",)
    named = " or ".join([", ".join(most), last] if most else [last])
    return [(why + named if why == _ALIKE else why, vectors) for why, vectors in found.items()]
