"""How an upstream is doing, by the numbers; which is asked first; how many copies of questions are allowed."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass

import pytest

from resolver.servers import ALIVE_SECONDS, BACK_OFF_SECONDS, CAPABILITY_SECONDS, DOUBT_SECONDS, FORGET_SECONDS, IN_TIME_SECONDS, Server
from resolver.strategies import Budget, fastest, ordered, weighted
from resolver.tries import Progress


def away(now: float = 100.0) -> Server:
    server = Server("192.0.2.1", 53)
    assert [server.missed(0.4, now, object()) for _ in range(3)] == [False, False, True]
    return server


def test_round_trips_are_smoothed_as_rfc_6298_says() -> None:
    server = Server("192.0.2.1", 53)
    server.heard(0.1, 1.0)
    assert (server.round_trip, server.variation) == (0.1, 0.05)
    server.heard(0.2, 2.0)
    assert server.variation == pytest.approx(0.75 * 0.05 + 0.25 * 0.1)  # before the round trip, by the old one
    assert server.round_trip == pytest.approx(0.875 * 0.1 + 0.125 * 0.2)
    server.heard(0.01, 2.0 + FORGET_SECONDS + 1)
    assert server.round_trip == 0.01, "what was measured long ago counts for nothing"


def test_a_try_is_old_after_three_times_the_usual_but_not_within_20_ms() -> None:
    server = Server("192.0.2.1", 53)
    assert server.hedge_after() == float("inf")
    for second in range(50):
        server.heard(0.001, second)
    assert server.hedge_after() == 0.02
    for second in range(50, 150):
        server.heard(0.05, second)
    assert 0.15 <= server.hedge_after() < 0.2


def test_one_question_counts_once_however_often_it_was_tried() -> None:
    server = Server("192.0.2.1", 53)
    question = object()
    assert not any(server.missed(0.4, 1.0, question) for _ in range(10))
    assert (server.missed_tries, server.away) == (10, False)
    assert [server.missed(0.4, 1.0, object()) for _ in range(2)] == [False, True]


def test_what_was_not_waited_for_as_long_as_usual_is_no_miss() -> None:
    server = Server("192.0.2.1", 53)
    for second in range(50):
        server.heard(0.7, second)
    assert not any(server.missed(0.4, 51.0, object()) for _ in range(10))
    assert [server.missed(1.0, 51.0, object()) for _ in range(3)] == [False, False, True]


def test_back_off_doubles_to_its_limit_and_begins_anew_after_steady_service() -> None:
    server = away()
    waits = []
    now = 100.0
    for _ in range(8):
        waits.append(server.away_until - now)
        assert not server.may_be_probed(server.away_until - 0.01)
        assert server.may_be_probed(server.away_until)
        now = server.away_until
        server.probe_failed(now)
    assert waits == [1, 2, 4, 8, 16, 30, 30, 30]
    assert (waits[0], waits[-1]) == BACK_OFF_SECONDS
    assert server.heard(0.01, now)
    assert not server.away
    for _ in range(3):
        server.missed(0.4, now + 1, object())
    assert server.away_until - (now + 1) == 30, "it was back for a moment only"
    server.heard(0.01, now + 2)
    for _ in range(3):
        server.missed(0.4, now + 100, object())
    assert server.away_until - (now + 100) == 1


def test_a_late_answer_says_it_lives_but_does_not_bring_it_back() -> None:
    server = away(100.0)
    assert not server.lives(100.1)
    assert not server.heard(IN_TIME_SECONDS + 1, 101.0)
    assert server.away
    assert server.lives(101.0)
    assert not server.lives(101.0 + ALIVE_SECONDS)
    assert server.round_trip == IN_TIME_SECONDS + 1
    assert server.heard(0.02, 102.0)
    assert not server.away


def test_what_it_cannot_do_is_forgotten_in_the_end() -> None:
    server = Server("192.0.2.1", 53)
    assert server.did_without_edns(1.0)
    assert not server.did_without_edns(2.0)
    assert [server.confirmed_case(1.0) for _ in range(4)] == [False, False, True, False]
    server.relearn(CAPABILITY_SECONDS)
    assert (server.edns, server.keeps_case) == (False, False)
    server.relearn(CAPABILITY_SECONDS + 1)
    assert (server.edns, server.keeps_case) == (True, True)


@dataclass
class Asked:
    """A first try, as far as a server looks at it."""

    sent_at: float
    waits: bool = True


def steady(seconds: float = 0.001) -> Server:
    """One that has answered fifty questions in so many seconds each, the last at 49."""
    server = Server("192.0.2.1", 53)
    for second in range(50):
        server.heard(seconds, second)
    return server


def test_a_server_seems_silent_when_nothing_at_all_was_heard_for_longer_than_usual() -> None:
    server = steady()
    asked = Asked(50.0)
    assert server.doubt_after() == DOUBT_SECONDS[0]
    assert [server.seems_silent(asked, now) for now in (50.02, 50.04)] == [None, None]
    assert server.seems_silent(None, 50.06) is asked, "it is remembered, though a copy of it was sent and it is young no more"
    server.heard(0.03, 50.07)
    assert server.seems_silent(None, 50.08) is None
    assert server.seems_silent(asked, 50.3) is None, "a name that takes it long, while it answers others"
    later = Asked(50.2)
    assert server.seems_silent(later, 50.3) is later
    later.waits = False
    assert server.seems_silent(None, 50.4) is None


def test_how_long_a_server_may_be_silent_goes_by_its_usual_time() -> None:
    assert Server("192.0.2.1", 53).doubt_after() == float("inf"), "nothing was measured"
    assert steady(0.09).doubt_after() == pytest.approx(0.09, abs=0.01)
    assert steady(0.9).doubt_after() == DOUBT_SECONDS[1]


def test_doubt_ends_when_a_server_is_heard() -> None:
    server = steady()
    server.doubt(until=50.4)
    assert (server.doubted, server.away) == (True, False)
    assert not server.heard(5.0, 50.1), "it never left"
    assert not server.doubted


def three() -> list[Server]:
    servers = [Server(f"192.0.2.{number}", 53, False, weight) for number, weight in ((1, 1), (2, 5), (3, 4))]
    for server, seconds in zip(servers, (0.03, 0.01, 0.02), strict=True):
        server.heard(seconds, 1.0)
    return servers


def test_orders() -> None:
    servers = first, second, third = three()
    assert ordered(servers) == [first, second, third]
    assert fastest(servers) == [second, third, first]
    fresh = Server("192.0.2.4", 53)
    assert fastest([fresh, *servers]) == [second, third, first, fresh]
    second.away = True
    assert ordered(servers) == [first, third, second]
    assert fastest(servers) == [third, first, second]
    third.away = third.looping = True
    assert ordered(servers) == [first, second], "one that sends our questions back is asked nothing"


def test_doubted_servers_come_after_others_and_before_those_that_are_away() -> None:
    servers = first, second, third = three()
    first.doubt(2.0)
    second.away = True
    assert ordered(servers) == fastest(servers) == [third, first, second]
    assert [weighted(servers) for _ in range(10)] == [[third, first, second]] * 10
    third.doubt(2.0)
    assert ordered(servers) == [first, third, second]
    assert fastest(servers) == [third, first, second], "all that are there are doubted: as usual"


def test_the_next_try_passes_over_who_is_doubted_or_away() -> None:
    first, second, third = three()
    progress = Progress([first, second, third], 1.0)
    assert progress.next_server() is first
    first.doubt(2.0)
    assert progress.next_server() is second
    second.away = True
    assert progress.next_server() is third
    third.away = True
    assert progress.next_server() is first
    first.away = True
    assert progress.next_server() is second, "away, but not doubted as well"
    second.doubt(2.0)
    third.doubt(2.0)
    assert progress.next_server() is first


def test_weights_are_kept_exactly_and_spread_evenly() -> None:
    servers = three()
    turns = [weighted(servers)[0] for _ in range(100)]
    assert [turns.count(server) for server in servers] == [10, 50, 40]
    for start in range(90):
        assert {server.address: count for server, count in Counter(turns[start : start + 10]).items()} == {
            "192.0.2.1": 1,
            "192.0.2.2": 5,
            "192.0.2.3": 4,
        }
    servers[1].away = True
    turns = [weighted(servers)[0] for _ in range(50)]
    assert [turns.count(server) for server in servers] == [10, 0, 40]
    assert weighted(servers)[-1] is servers[1]


def test_copies_are_never_more_than_a_twentieth_of_questions() -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    dice = random.Random(seed)
    budget = Budget()
    questions = copies = 0
    most_at_once = 0
    for _ in range(300):
        for _ in range(dice.randrange(400)):
            budget.earn()
            questions += 1
        at_once = 0
        while budget.spend():
            at_once += 1
            if dice.random() < 0.2:
                break
        copies += at_once
        most_at_once = max(most_at_once, at_once)
        assert copies * 20 <= questions
    assert 0 < most_at_once <= Budget.MOST
