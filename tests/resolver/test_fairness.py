"""Room for questions in flight: whoever fills it loses first, whoever is light always finds some; and whose domain a name is."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blocklists.suffixes import registrable
from resolver.fairness import Share, domain_of
from tests.resolver.rig import key


@pytest.mark.parametrize("heavy", [1, 2, 5, 20])
def test_heavy_sources_share_and_leave_room(heavy: int) -> None:
    share = Share(1000, 1000)
    for _ in range(2000):
        for source in range(heavy):
            share.enter(str(source))
    left = share.room - share.total
    assert left >= 1000 // (heavy + 1) - heavy
    assert share.has_room("new")


@settings(max_examples=60)
@given(st.integers(0, 2**32), st.integers(1, 40), st.integers(1, 40))
def test_what_is_held_is_what_came_and_has_not_left(seed: int, room: int, most: int) -> None:
    """Against a plain count; and whoever is refused holds at least as much as is left, or its fixed bound."""
    dice = Random(seed)
    share = Share(room, most)
    held: Counter[str] = Counter()
    for _ in range(300):
        source = dice.choice("abcdefgh")
        if dice.random() < 0.4 and held[source]:
            share.leave(source)
            held[source] -= 1
        elif (had_room := share.has_room(source)) == share.enter(source) and had_room:
            held[source] += 1
            assert held[source] <= most
        else:
            assert not had_room
            assert held[source] >= min(most, room - held.total())
        assert share.total == held.total() <= room
        assert len(share) == len(+held)
        assert share.is_full() == (held.total() >= room)


@pytest.mark.parametrize(
    ("name", "domain"),
    [
        ("www.shop.example", "shop.example"),
        ("a.b.c.shop.example", "shop.example"),
        ("shop.example", "shop.example"),
        ("www.shop.co.uk", "shop.co.uk"),
        ("co.uk", "co.uk"),
        ("x.y.someone.github.io", "someone.github.io"),
        ("com", "com"),
        ("1.2.0.192.in-addr.arpa", "192.in-addr.arpa"),
        ("www.city.kobe.jp", "city.kobe.jp"),
        ("a.b.c.kobe.jp", "b.c.kobe.jp"),
        ("x.bo.telemark.no", "telemark.no"),  # a public suffix below a registered domain: all of it counts together
    ],
)
def test_whose_domain_a_name_is(name: str, domain: str) -> None:
    assert domain_of(key(name)) == key(domain)


KEY = st.lists(st.binary(min_size=1, max_size=12), max_size=8).map(lambda labels: b"".join(bytes((len(label),)) + label for label in labels))


@settings(max_examples=300)
@given(KEY)
def test_any_labels_have_a_domain_which_is_a_part_of_the_name(name: bytes) -> None:
    """Dots, backslashes and octets that are no text are labels like any other."""
    for domain in (domain_of(name), registrable(name)):
        assert name.startswith(domain)
        assert domain or not name
        position = 0
        while position < len(domain):
            position += domain[position] + 1
        assert position == len(domain), "it ends where a label ends"
