"""What the comparison's fairness rests on: names that must be new are new, names that must be listed are listed, Zipf is Zipf."""

from collections import Counter
from itertools import chain

import dns.message
import dns.rdatatype
import dns.zone

from bench import data

LISTED = data.listed_names(2_000)


def test_names_meant_to_be_new_repeat_neither_in_a_round_nor_across_rounds() -> None:
    asked = [*chain.from_iterable(data.never_seen(20_000, number) for number in range(5))]
    asked += chain.from_iterable(data.block_new(20_000, LISTED, number) for number in range(5))
    assert len(set(asked)) == len(asked)


def test_new_names_under_a_block_are_below_listed_names() -> None:
    listed = set(LISTED)
    assert all(name.split(".", 1)[1] in listed for name in data.block_new(5_000, LISTED, 1))


def test_a_mix_keeps_its_shares_and_never_repeats_a_miss() -> None:
    listed, hits = set(LISTED), set(data.every_hit())
    first, second = (list(data.mix(50_000, LISTED, number)) for number in (0, 1))
    kinds = Counter("hit" if name in hits else "block" if name.removeprefix("www.") in listed else "miss" for name in first)
    misses = [name for name in first + second if name.endswith(f".miss.{data.ZONE}")]
    assert len(set(misses)) == len(misses)
    assert all(name in misses for name in first[:500] if name not in hits and name.removeprefix("www.") not in listed)
    assert {kind: round(times / len(first), 2) for kind, times in kinds.items()} == {"hit": 0.8, "block": 0.1, "miss": 0.1}


def test_the_same_seed_asks_the_same_questions() -> None:
    assert list(data.mix(1_000, LISTED, 3)) == list(data.mix(1_000, LISTED, 3))
    assert data.listed_names(2_000) == LISTED
    assert data.listed_names(100_000)[:2_000] == LISTED


def test_zipf_halves_with_the_rank_and_reaches_far_down() -> None:
    count = 300_000
    counts = [times for _, times in Counter(data.zipf(count)).most_common()]
    harmonic = sum(1 / rank for rank in range(1, data.ZIPF_NAMES + 1))
    for rank in (1, 2, 4, 8, 16):
        assert abs(counts[rank - 1] / (count / rank / harmonic) - 1) < 0.1
    assert len(counts) > 50_000


def test_lists_hold_distinct_names_and_a_later_one_shares_most_of_them() -> None:
    later = data.listed_names(2_000, generation=1)
    assert len(set(LISTED)) == len(LISTED) == len(set(later)) == len(later)
    assert len(set(LISTED) & set(later)) == 1_980
    assert later[:1_980] == LISTED[:1_980]


def test_no_two_cookie_queries_are_the_same_bytes_and_each_is_a_good_query() -> None:
    messages = [message for number in range(2) for message in data.cookie_hits(5_000, number)]
    assert len(set(messages)) == len(messages)
    for message in messages[::500]:
        assert int.from_bytes(message[:2], "big") == len(message) - 2
        query = dns.message.from_wire(message[2:])
        assert query.question[0].rdtype == dns.rdatatype.A
        assert query.question[0].name.to_text().removesuffix(".") in set(data.every_hit())
        (option,) = query.options
        assert (int(option.otype), len(option.to_wire() or b"")) == (10, 8)


def test_the_upstream_knows_every_name_a_hit_asks_for() -> None:
    zone = dns.zone.from_text("".join(line for line in data.zone() if not line.startswith("z") or line.startswith("z7 ")), origin=data.ZONE)
    for name, address in (
        (data.hit_name(999), data.hit_address(999)),
        (f"z7.{data.ZONE}", data.hit_address(7)),
        (f"*.miss.{data.ZONE}", data.MISS_ADDRESS),
    ):
        assert [str(record) for record in zone.find_rdataset(f"{name}.", "A")] == [address]


def test_every_form_of_a_list_covers_a_name_and_its_subdomains() -> None:
    name = LISTED[0]
    assert list(data.as_domains([name], 1)) == [f"{name}\n"]
    assert list(data.as_dnsmasq([name], 1)) == [f"address=/{name}/{data.LANDING}\n"]
    rpz = dns.zone.from_text("".join(data.as_rpz([name], 7)), origin="rpz.")
    assert {str(owner) for owner in rpz.nodes} == {"@", name, f"*.{name}"}
    soa = rpz.get_soa()
    assert soa.serial == 7
