"""What would be owed: by the rule, to the hour begun, with a working that ends in the amount."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authority.desk.enforcement.penalty import Facts, amount, money, working
from authority.desk.procedure import Penalty
from authority.desk.web.compliance import said

HOUR = 3600
DUE = 1_790_000_000
RULE = Penalty(free_hours=2, per_hour=10_000, most=100_000, restore_factor=1.5)


@pytest.mark.parametrize(
    ("facts", "comes_to", "words"),
    [
        (Facts("block", "block", DUE, DUE, None, ()), 0, "It was not late: nothing."),
        (Facts("block", "block", DUE, DUE + HOUR, None, ()), 0, "Hours begun: 0 at 100.00 EUR each: 0.00 EUR."),
        (Facts("block", "block", DUE, DUE + 5 * HOUR + 1, None, ()), 40_000, "Hours begun: 4 at 100.00 EUR each: 400.00 EUR."),
        (Facts("lift", "withdraw", DUE, DUE + 5 * HOUR + 1, None, ()), 60_000, "Names not restored count 1.5 times: 600.00 EUR."),
        (Facts("lift", "withdraw", DUE, DUE + 10 * HOUR, None, ()), 100_000, "At most, for one order: 1000.00 EUR."),
        (Facts("block", "block", DUE, None, DUE + 3 * HOUR, ()), 10_000, "Owed until 21 September 2026, 17:13 UTC, when it bound no more."),
        (Facts("block", "block", DUE, None, None, ()), 80_000, "Not done yet; counted until 22 September 2026, 00:13 UTC."),
        (Facts("block", "block", DUE, None, None, ("refused",)), 0, "Excused by the rule (refused): nothing."),
        (Facts("block", "block", DUE, None, None, ("held", "refused")), 80_000, "Late by 10 h (due 21 September 2026, 14:13 UTC)."),
        (Facts("lift", "expire", DUE, None, None, ()), 0, "It ended by its own terms, for which no receipt is owed: nothing."),
    ],
)
def test_the_working_says_how_the_amount_came_about(facts: Facts, comes_to: int, words: str) -> None:
    found = working(facts, RULE, DUE + 10 * HOUR)
    lines = [said(line, "en", "EUR").replace("\N{NO-BREAK SPACE}", " ") for line in found.lines]
    assert found.amount == comes_to
    assert words in lines
    assert not comes_to or lines[-1].endswith(f"{money(comes_to, 'EUR')}.")


TIMES = st.one_of(st.none(), st.integers(DUE - 90_000, DUE + 900_000))
RULES = st.builds(
    Penalty,
    free_hours=st.integers(0, 30),
    per_hour=st.integers(0, 10**9),
    most=st.integers(0, 10**10),
    restore_factor=st.sampled_from([0, 0.5, 1, 2.25]),
)


@given(rule=RULES, taken=TIMES, ends=TIMES, now=st.integers(DUE - 90_000, DUE + 900_000), kind=st.sampled_from(["block", "lift"]))
def test_later_never_costs_less_and_nothing_costs_more_than_the_most(rule: Penalty, taken: int | None, ends: int | None, now: int, kind: str) -> None:
    facts = Facts(kind, "block" if kind == "block" else "withdraw", DUE, taken, ends, ())
    found = working(facts, rule, now).amount
    assert found >= 0
    assert not rule.most or found <= rule.most
    assert found <= working(facts, rule, now + 5000).amount
    if taken is not None:
        assert found <= working(facts._replace(taken_at=taken + 5000), rule, now).amount


@given(
    rule=RULES, taken=TIMES, ends=TIMES, now=st.integers(DUE - 90_000, DUE + 900_000),
    action=st.sampled_from(["block", "withdraw", "expire", "lapse"]),
    said=st.sets(st.sampled_from(["held", "refused", "suspended", "skipped", "unnamed"])),
)  # fmt: skip
def test_the_amount_alone_is_what_the_working_comes_to(
    rule: Penalty, taken: int | None, ends: int | None, now: int, action: str, said: set[str]
) -> None:
    facts = Facts("block" if action == "block" else "lift", action, DUE, taken, ends, said)
    assert amount(facts, rule, now) == working(facts, rule, now).amount


def test_money_has_its_currencys_own_digits() -> None:
    assert [money(123_456, each) for each in ("EUR", "JPY", "TND")] == ["1234.56 EUR", "123456 JPY", "123.456 TND"]
