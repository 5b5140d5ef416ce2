"""What an operator would owe for one order carried out late, by the procedure's rule, with its working line by line. Pure.

It is arithmetic for an officer's decision, not the decision: nothing here is sent to anybody.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from fractions import Fraction
from typing import NamedTuple

from authority.desk.enforcement.fulfilment import SELF_ENDING, late_seconds
from authority.desk.procedure import Penalty

HOUR = 3600


class Facts(NamedTuple):
    """One operator, one obligation. Times in unix seconds."""

    kind: str
    action: str
    due_at: int
    taken_at: int | None
    end_at: int | None
    """When it bound no more, by the log or because the operator left."""
    exceptions: Collection[str]
    """What its newest receipt says of the order: held, refused, suspended, skipped, unnamed."""


class Line(NamedTuple):
    """One line of the working. Values whose names end in _at are times, in _seconds lengths of time, in _money amounts."""

    text: str
    values: dict[str, int | str]


class Working(NamedTuple):
    """The amount, in the currency's smallest unit, and how it came about."""

    lines: tuple[Line, ...]
    amount: int


def facts(
    kind: str, action: str, due_at: int, taken_at: int | None, end_at: int | None, exceptions: Sequence[Mapping[str, str]] | None, left: int | None
) -> Facts:
    """Of a row and its obligation; `left`: when the operator left."""
    ends = min((each for each in (end_at, left) if each is not None), default=None)
    return Facts(kind, action, due_at, taken_at, ends, {each["what"] for each in exceptions or ()})


def working(facts: Facts, rule: Penalty, now: int) -> Working:
    """Of one obligation, as of `now`."""
    late = late_seconds(facts.due_at, facts.taken_at, facts.end_at, now)
    lines = [_until(facts, now)]
    if facts.action in SELF_ENDING:
        return Working((*lines, Line("It ended by its own terms, for which no receipt is owed: nothing.", {})), 0)
    if not late:
        return Working((*lines, Line("It was not late: nothing.", {})), 0)
    lines.append(Line("Late by {late_seconds} (due {due_at}).", {"late_seconds": late, "due_at": facts.due_at}))
    if facts.taken_at is None and facts.exceptions and set(facts.exceptions) <= set(rule.excuses):
        return Working((*lines, Line("Excused by the rule ({what}): nothing.", {"what": ", ".join(sorted(facts.exceptions))})), 0)
    free = round(rule.free_hours * HOUR)
    counted = max(0, late - free)
    if free:
        lines.append(Line("Free of charge: {free_seconds}; counted: {counted_seconds}.", {"free_seconds": free, "counted_seconds": counted}))
    hours = -(-counted // HOUR)
    amount = hours * rule.per_hour
    values: dict[str, int | str] = {"hours": hours, "each_money": rule.per_hour, "sum_money": amount}
    lines.append(Line("Hours begun: {hours} at {each_money} each: {sum_money}.", values))
    if facts.kind == "lift" and rule.restore_factor != 1:
        factor = Fraction(str(rule.restore_factor))
        amount = math.floor(amount * factor + Fraction(1, 2))
        lines.append(Line("Names not restored count {factor} times: {sum_money}.", {"factor": f"{rule.restore_factor:g}", "sum_money": amount}))
    if rule.most and amount > rule.most:
        amount = rule.most
        lines.append(Line("At most, for one order: {sum_money}.", {"sum_money": amount}))
    return Working(tuple(lines), amount)


def amount(facts: Facts, rule: Penalty, now: int) -> int:
    """What `working` comes to, without its lines: for sums over thousands."""
    late = late_seconds(facts.due_at, facts.taken_at, facts.end_at, now)
    if not late or facts.action in SELF_ENDING or (facts.taken_at is None and facts.exceptions and set(facts.exceptions) <= set(rule.excuses)):
        return 0
    found = -(-max(0, late - round(rule.free_hours * HOUR)) // HOUR) * rule.per_hour
    if facts.kind == "lift" and rule.restore_factor != 1:
        found = math.floor(found * Fraction(str(rule.restore_factor)) + Fraction(1, 2))
    return min(found, rule.most) if rule.most else found


def _until(facts: Facts, now: int) -> Line:
    if facts.taken_at is not None and (facts.end_at is None or facts.taken_at <= facts.end_at):
        return Line("Done: we took the receipt that says so {taken_at}.", {"taken_at": facts.taken_at})
    if facts.end_at is not None and facts.end_at <= now:
        return Line("Owed until {end_at}, when it bound no more.", {"end_at": facts.end_at})
    return Line("Not done yet; counted until {now_at}.", {"now_at": now})


def money(amount: int, currency: str) -> str:
    """An amount in the currency's smallest unit, as people write it (ISO 4217's minor units)."""
    digits = 0 if currency in _WHOLE else 3 if currency in _THOUSANDTHS else 2
    if not digits:
        return f"{amount} {currency}"
    return f"{amount // 10**digits}.{amount % 10**digits:0{digits}} {currency}"


_WHOLE = frozenset({"BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF"})
_THOUSANDTHS = frozenset({"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"})
