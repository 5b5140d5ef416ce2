"""Rules for what is no data of the target's: signals to go round the resolver, and other resolvers that are gone to. Pure.

Of a signal, `ok` means that it is there, and `blocked` that the resolver kept it back. Names of the family `namespace` are judged as data are.
"""

from __future__ import annotations

from porosity.readings import ADDRESSES
from porosity.rules.facts import packed
from porosity.rules.ours import RULES as DATA_RULES
from porosity.rules.ours import Case, Rule, judge


def _never(case: Case) -> bool:
    raise AssertionError("these rules are looked up by their ids")


def _rule(id: str, state: str, says: str) -> Rule:
    return Rule(id, state, says, _never)  # type: ignore[arg-type]


THERE = _rule("R41", "ok", "The signal is there: records of what was asked for.")
KEPT = _rule("R42", "blocked", "The signal is kept back: a control gives it, and the resolver gives none.")
NEITHER = _rule("R43", "insufficient", "No signal, and none from controls that would show what the resolver keeps back.")
ITSELF = _rule("R44", "blocked", "The signal leads to the resolver itself.")
BOGUS = _rule("R48", "ok", "A block without signatures, where the name has good ones: a validating stub takes it for forged.")
UNSIGNED = _rule("R49", "blocked", "A block that a validating stub has nothing against: a control's answer has no signatures either.")
UNKNOWN = _rule(
    "R52", "insufficient", "A block, and no control shows whether the name is signed, or its signatures are bad or vouched for by nobody."
)
NO_BLOCK = _rule("R47", "insufficient", "Not blocked, so that nothing can be bogus.")
ELSEWHERE = _rule("R50", "ok", "The target's data, from another resolver than the one that blocks.")
ENDED = _rule("R51", "blocked", "The resolver's answer ends the search: a stub asks no other one.")
RULES = (*DATA_RULES, THERE, KEPT, NEITHER, ITSELF, NO_BLOCK, BOGUS, UNSIGNED, ELSEWHERE, ENDED, UNKNOWN)
"""All of ours."""

_FAILING = frozenset((1, 2, 4, 5))
"""FORMERR, SERVFAIL, NOTIMP and REFUSED: after these stubs ask the next resolver (RFC 1035, section 7.2; resolv.conf(5))."""


def signal(case: Case) -> Rule:
    """The rule for one ask of a vector of kind `signal`."""
    family = case.trial.vector.family
    if family == "namespace":
        return judge(case)
    if family == "dnssec":
        return _bogus(case)
    if case.reading.failure:
        return judge(case)
    if case.items:
        return ITSELF if _itself(case) else THERE
    return KEPT if case.having else NEITHER


def fails(case: Case) -> bool:
    """Whether a stub goes on to its next resolver after this."""
    return bool(case.reading.failure) or case.reading.rcode in _FAILING


def ended(case: Case) -> Rule:
    """The rule for an answer after which no other resolver is asked."""
    found = judge(case)
    return ENDED if found.state == "blocked" else found


def reached_elsewhere(case: Case) -> Rule:
    """The rule for what another resolver answered."""
    found = judge(case)
    return ELSEWHERE if found.state == "ok" and found.id != "R05" else found


def _itself(case: Case) -> bool:
    """Whether a designation (RFC 9462) leads to the resolver: it has addresses, and all are its own."""
    if case.seen.asked.types <= ADDRESSES or not case.reading.addresses:
        return False
    return case.reading.addresses <= packed(endpoint.address for endpoint in case.trial.resolver.endpoints)


def _bogus(case: Case) -> Rule:
    """Three zones are told apart: signed and good, unsigned, and those whose own signatures fail, at which nobody's stub arrives."""
    found = judge(case)
    if found.state != "blocked":
        return NO_BLOCK if found.state == "ok" else found
    answered = [each for each in case.controls if each.reading.rcode == 0]
    if not answered:
        return UNKNOWN
    if case.reading.failure or not any(each.reading.signed for each in answered):
        return UNSIGNED
    if not case.scene.secure:
        return UNKNOWN
    return found if case.reading.signed else BOGUS
