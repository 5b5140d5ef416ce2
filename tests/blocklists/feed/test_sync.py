"""A look at the feed, end to end over HTTP: what is signed comes in force, what is withdrawn goes, and little is transferred."""

from __future__ import annotations

from tests.blocklists.feed.authority import Authority, order, withdrawal
from tests.blocklists.feed.mirror import Mirror
from tests.blocklists.feed.operator import Operator


def test_orders_come_in_force_and_go(authority: Authority, operator: Operator) -> None:
    first = order("XX-1", ".site.example", "other.test")
    authority.log(first)
    authority.publish()
    assert operator.look().news
    assert operator.blocked() == {".site.example", "other.test"}
    authority.log(withdrawal(first), ["n1"])
    authority.log(order("XX-2", "next.test"))
    authority.publish()
    assert operator.look().news
    assert operator.blocked() == {"next.test"}
    outcome = operator.look()
    assert (outcome.news, outcome.code, outcome.faults) == (False, 0, {})


def test_a_poll_without_news_and_one_order_transfer_little(authority: Authority, mirror: Mirror, operator: Operator) -> None:
    for number in range(300):
        authority.log(order(f"XX-{number}", f"n{number}.test"))
    authority.publish()
    operator.look()
    operator.look()
    before = mirror.octets
    assert not operator.look().news
    poll = mirror.octets - before
    authority.log(order("XX-new", "new.test"))
    authority.publish()
    before = mirror.octets
    assert operator.look().news
    news = mirror.octets - before
    print(f"a poll without news: {poll} octets; one new order: {news} octets")
    assert 200 < poll <= 1000
    assert 2000 < news <= 20_000
    assert "new.test" in operator.blocked()
