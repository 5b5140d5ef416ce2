"""Rate limits: nobody is counted exactly before a sample says so, whoever is over meets TC and silence in turn, all tables are bounded."""

from __future__ import annotations

import ipaddress
from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resolver.prefixes import client_of, site_of
from resolver.rates import MOST_SAMPLED, MOST_WATCHED, STRANGER_ANSWERS, WATCH_SECONDS, Fate, Rates, Watched
from tests.resolver.rig import Rig, basis, question


@pytest.mark.parametrize(
    ("address", "client", "site"),
    [
        ("192.0.2.77", "192.0.2.77", "192.0.2"),
        ("::ffff:192.0.2.77", "192.0.2.77", "192.0.2"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2", "2001:db8:1"),
        ("2001:db8:1:a2b3::1", "2001:db8:1:a2b3", "2001:db8:1:a2"),
        ("2001:db8::1", "2001:db8:0:0", "2001:db8:0"),
        ("2001:db8:0:0:1::", "2001:db8:0:0", "2001:db8:0"),
        ("::1", "0:0:0:0", "0:0:0"),
        ("fe80::1%eth0", "fe80:0:0:0", "fe80:0:0"),
    ],
)
def test_who_is_one_client(address: str, client: str, site: str) -> None:
    assert client_of(address) == client
    assert site_of(address) == site


@given(st.integers(0, 2**128 - 1), st.integers(0, 2**128 - 1), st.integers(0, 128))
def test_clients_are_equal_exactly_when_their_networks_are(one: int, other: int, same: int) -> None:
    """Against `ipaddress`, for addresses with runs of zeros and common beginnings of every length."""
    other = one >> (128 - same) << (128 - same) | other & (1 << 128 - same) - 1 if same else other
    addresses = [ipaddress.IPv6Address(number & mask) for number in (one, other) for mask in (2**128 - 1, ~(0xFFFFFFFF << 64), ~0xFFFFFF)]
    for first in addresses:
        for second in addresses:
            if first.ipv4_mapped or second.ipv4_mapped:
                continue
            assert (client_of(str(first)) == client_of(str(second))) == (int(first) >> 64 == int(second) >> 64)
            assert (site_of(str(first)) == site_of(str(second))) == (int(first) >> 72 == int(second) >> 72)


def test_the_sample_finds_who_floods_and_nobody_else() -> None:
    """Drains of mixed traffic: 2,000 clients at 5 queries a second each, and one at 3,000; the limit is 500."""
    dice = Random(20260301)
    rates = Rates(2000, 500, ())
    light = [f"198.51.100.{number % 256}" if number < 256 else f"10.0.{number >> 8}.{number & 255}" for number in range(2000)]
    for second in range(100, 110):
        traffic = [dice.choice(light) for _ in range(10_000)] + ["192.0.2.66"] * 3000
        dice.shuffle(traffic)
        while traffic:
            drained = [traffic.pop() for _ in range(min(len(traffic), dice.choice([1, 4, 40, 128])))]
            rates.sample(drained[-1], len(drained), second)
    assert set(rates.watched) == {"192.0.2.66"}


def test_a_network_without_limits_is_never_watched() -> None:
    rates = Rates(10, 10, ("192.0.2.0/24", "2001:db8::/32"))
    for address in ("192.0.2.1", "2001:db8::1", "198.51.100.1", "2001:db9:0:0:5::1"):
        rates.sample(address, 1000, 1)
    assert set(rates.watched) == {"198.51.100.1", "2001:db9:0:0"}


def test_the_watch_ends_after_ten_quiet_seconds() -> None:
    rates = Rates(10, 10, ())
    assert rates.sample("192.0.2.1", 1000, 100) == "192.0.2.1"
    watched = rates.watched["192.0.2.1"]
    for second in range(101, 105):
        for _ in range(20):
            watched.asks(second, 10)
        rates.sample("198.51.100.1", 1, second)
    for second in range(105, 104 + WATCH_SECONDS):
        for _ in range(10):  # as much as is allowed
            assert watched.asks(second, 10) is Fate.ANSWER
        rates.sample("198.51.100.1", 1, second)
        assert rates.watched
    rates.sample("198.51.100.1", 1, 104 + WATCH_SECONDS)
    assert not rates.watched


def test_of_what_is_over_every_second_one_slips() -> None:
    watched = Watched(7)
    fates = Counter(watched.asks(7, 100) for _ in range(300))
    assert fates == {Fate.ANSWER: 100, Fate.DROP: 100, Fate.SLIP: 100}
    assert watched.asks(8, 100) is Fate.ANSWER, "a new second, a new count"


def reply(name: str, rig: Rig, kind: str = "A") -> bytes:
    return (rig.ask(question(name, kind, edns=True)) or b"")[2:]


def test_answers_that_say_the_same_are_one_whatever_was_asked() -> None:
    rig = Rig([basis("own", "house", "listed.example", mode="nxdomain")])
    watched = Watched(1)
    fates = [watched.hears(reply(f"n{number:03}.listed.example.", rig), 1, 5) for number in range(20)]
    assert fates[:5] == [Fate.ANSWER] * 5
    assert Counter(fates[5:]) == {Fate.DROP: 8, Fate.SLIP: 7}
    assert watched.hears(reply("localhost.", rig), 1, 5) is Fate.ANSWER, "another content has a count of its own"
    assert watched.hears(reply("n000.listed.example.", rig), 2, 5) is Fate.ANSWER
    assert watched.hears(b"\x81\x81" + bytes(8), 2, 5) is Fate.ANSWER, "FORMERR without a question"


def test_a_stranger_hears_five_refusals_and_then_nothing() -> None:
    rates = Rates(1000, 1000, ())
    answered = [rates.answers_stranger(f"192.0.2.{number}", 5) for number in range(50)]
    assert answered == [True] * STRANGER_ANSWERS + [False] * (50 - STRANGER_ANSWERS)
    assert rates.answers_stranger("198.51.100.1", 5)
    assert rates.answers_stranger("192.0.2.1", 6)
    assert [rates.answers_stranger(f"2001:db8:0:ab{number:02x}::1", 6) for number in range(6)] == [True] * 5 + [False]


def test_tables_are_bounded() -> None:
    rates = Rates(1, 1, ())
    for number in range(5000):
        address = str(ipaddress.IPv4Address(0x0A000000 + 256 * number))
        rates.sample(address, 1000, number // 3000)
        rates.answers_stranger(address, 1)
    assert len(rates.watched) == MOST_WATCHED
    assert len(rates._samples) == MOST_SAMPLED
    assert sum(rates.answers_stranger(str(ipaddress.IPv4Address(0x0B000000 + 256 * number)), 1) for number in range(100)) == 0
    watched = Watched(1)
    for number in range(2000):
        watched.hears(bytes(10) + number.to_bytes(4, "big"), 1, 5)
    assert len(watched._contents) <= 256
