"""Caching, ageing, prefetch, stale answers, failures, AD, sizes, joined questions: what the engine promises beside verdicts."""

from __future__ import annotations

import gc

import dns.edns
import dns.flags
import dns.message
import dns.rcode
import pytest

from resolver.engine import FAILURE_MOST_SECONDS, FAILURE_SECONDS, MAX_WAITERS
from resolver.records import BadAnswer, Limits
from resolver.replies import STALE_TTL
from tests.resolver.rig import AS_OF, Rig, basis, errors, key, question, read, records, upstream_says

ASKED = question("www.example.")
ANSWER = ["www.example. 300 A 198.51.100.1"]
SOA = ["example. 300 SOA ns.example. h.example. 1 2 3 4 60"]


def ttl(message: dns.message.Message) -> int:
    return message.answer[0].ttl


@pytest.mark.parametrize("asked", [ASKED, question("www.example.", options=[dns.edns.GenericOption(10, bytes(8))])])
def test_ttls_age_by_the_second(asked: bytes) -> None:
    """From the answer cache (the cookie keeps it there) and from the packet cache alike."""
    rig = Rig()
    assert ttl(rig.resolve(asked, ANSWER)) == 300
    for age in range(1, 260):
        rig.advance(1)
        assert ttl(rig.cached(asked)) == 300 - age
        assert ttl(rig.cached(asked)) == 300 - age
    assert rig.lookups == []


def test_every_ttl_of_an_answer_ages_on_its_own_and_none_below_zero() -> None:
    rig = Rig(limits=Limits(0))
    rig.resolve(question("www.example."), ["www.example. 100 CNAME a.example.", "a.example. 40 A 198.51.100.1"])
    rig.advance(35)
    assert [each.ttl for each in rig.cached(ASKED).answer] == [65, 5]
    rig.advance(5)
    assert rig.ask(ASKED) is None, "the shortest TTL is over"


def test_an_answer_of_no_lifetime_is_given_and_not_kept() -> None:
    rig = Rig()
    for _ in range(3):
        assert rig.ask(ASKED) is None
        rig.answered(rig.lookups.pop(), upstream_says(ASKED[12:], ["www.example. 0 A 198.51.100.1"]))
        ((_, reply),) = rig.mailbox.take()
        assert ttl(read(reply)) == 0


def test_an_answer_met_in_its_last_tenth_is_fetched_again_before_it_is_missed() -> None:
    rig = Rig()
    rig.resolve(ASKED, ANSWER)
    rig.advance(269)
    assert ttl(rig.cached(ASKED)) == 31
    assert rig.lookups == []
    rig.advance(1)
    assert ttl(rig.cached(ASKED)) == 30
    assert [lookup.question for lookup in rig.lookups] == [ASKED[12:]]
    assert rig.engine.counters.prefetched == 1
    for _ in range(3):
        assert ttl(rig.cached(ASKED)) == 30
    assert len(rig.lookups) == 1, "one is enough"
    rig.answered(rig.lookups.pop(), upstream_says(ASKED[12:], ANSWER))
    assert rig.mailbox.take() == []
    assert ttl(rig.cached(ASKED)) == 300


def test_a_short_life_is_not_prefetched() -> None:
    rig = Rig()
    rig.resolve(ASKED, ["www.example. 19 A 198.51.100.1"])
    rig.advance(18)
    assert ttl(rig.cached(ASKED)) == 1
    assert rig.lookups == []


def test_a_prefetch_that_fails_is_not_repeated_at_once_and_the_answer_serves_on() -> None:
    rig = Rig()
    rig.resolve(ASKED, ANSWER)
    rig.advance(270)
    rig.cached(ASKED)
    rig.failed(rig.lookups.pop())
    rig.advance(FAILURE_SECONDS - 1)
    assert ttl(rig.cached(ASKED)) == 30 - FAILURE_SECONDS + 1
    assert rig.lookups == []
    rig.advance(1)
    rig.cached(ASKED)
    assert len(rig.lookups) == 1


@pytest.mark.parametrize(("upstream", "code"), [((ANSWER, [], "NOERROR"), "3"), (([], SOA, "NXDOMAIN"), "19"), (([], SOA, "NOERROR"), "3")])
def test_stale_answers_while_nobody_answers(upstream: tuple[list[str], list[str], str], code: str) -> None:
    """RFC 8767: an expired answer for 30 s, marked; and no new attempt for a while."""
    rig = Rig()
    asked = question("www.example.", edns=True)
    first = rig.resolve(asked, *upstream)
    rig.advance(400)
    assert rig.ask(asked) is None
    rig.failed(rig.lookups.pop())
    ((_, reply),) = rig.mailbox.take()
    stale = read(reply)
    assert stale.rcode() == first.rcode()
    assert [each.ttl for each in (*stale.answer, *stale.authority)] == [STALE_TTL]
    assert errors(stale) == [code]
    rig.advance(FAILURE_SECONDS - 1)
    assert rig.ask(asked) == reply
    assert errors(rig.cached(question("www.example."))) == [], "who sent no OPT gets none"
    rig.advance(1)
    assert rig.ask(asked) is None, "now it is tried again"
    rig.answered(rig.lookups.pop(), upstream_says(asked[12:-11], *upstream))
    ((_, reply),) = rig.mailbox.take()
    assert errors(read(reply)) == []


def test_who_waits_too_long_gets_the_stale_answer_while_the_lookup_goes_on() -> None:
    rig = Rig()
    rig.resolve(ASKED, ANSWER)
    rig.advance(400)
    assert rig.ask(ASKED) is None
    (lookup,) = rig.lookups
    rig.overdue(lookup)
    ((_, reply),) = rig.mailbox.take()
    assert ttl(read(reply)) == STALE_TTL
    assert rig.engine.in_flight == 1
    rig.answered(lookup, upstream_says(ASKED[12:], ANSWER))
    assert rig.mailbox.take() == []
    assert ttl(rig.cached(ASKED)) == 300


def test_without_a_stale_answer_nobody_is_answered_early() -> None:
    rig = Rig()
    assert rig.ask(ASKED) is None
    rig.overdue(rig.lookups[0])
    assert rig.mailbox.take() == []


@pytest.mark.parametrize("kept", [0, 100])
def test_stale_only_for_as_long_as_the_operator_says(kept: int) -> None:
    rig = Rig(stale_seconds=kept)
    rig.resolve(ASKED, ANSWER)
    rig.advance(300 + kept)
    assert rig.ask(ASKED) is None
    rig.failed(rig.lookups.pop())
    ((_, reply),) = rig.mailbox.take()
    assert read(reply).rcode() == dns.rcode.SERVFAIL


def test_a_stale_answer_whose_chain_is_listed_since_is_blocked() -> None:
    rig = Rig()
    rig.resolve(ASKED, ["www.example. 300 CNAME a.other.test1."], SOA)
    rig.advance(400)
    rig.switch([basis("directive", "XX-1", "other.test1")])
    assert rig.ask(ASKED) is None
    rig.failed(rig.lookups.pop())
    ((_, reply),) = rig.mailbox.take()
    assert records(read(reply).answer) == ["www.example. 30 a 192.0.2.80"]


@pytest.mark.parametrize("stale_seconds", [0, 86400])
def test_failures_are_remembered_each_twice_as_long(stale_seconds: int) -> None:
    """RFC 9520 section 3.2, whether or not the operator wants stale answers."""
    rig = Rig(stale_seconds=stale_seconds)
    asked = question("www.example.", edns=True)
    for seconds in (5, 10, 20, 30, 30):
        assert rig.ask(asked) is None
        rig.failed(rig.lookups.pop(), 23)
        ((_, reply),) = rig.mailbox.take()
        assert (read(reply).rcode(), errors(read(reply))) == (dns.rcode.SERVFAIL, ["23"])
        rig.advance(seconds - 1)
        again = rig.ask(asked)
        assert again == reply, "the failure is remembered, its reason too"
        assert rig.lookups == []
        rig.advance(1)
    assert rig.hits == 0, "a failure never enters the packet cache"
    rig.advance(FAILURE_MOST_SECONDS)
    assert rig.ask(asked) is None
    rig.failed(rig.lookups.pop())
    rig.mailbox.take()
    rig.advance(FAILURE_SECONDS)
    assert rig.ask(asked) is None, "a failure long ago does not make the next one worse"


def test_a_failure_after_the_stale_time_counts_as_the_first() -> None:
    """The answer stayed usable while the question went out and was too old when it came back empty."""
    rig = Rig(stale_seconds=10)
    rig.resolve(ASKED, ANSWER)
    rig.advance(309)
    assert rig.ask(ASKED) is None
    rig.advance(1)
    rig.failed(rig.lookups.pop())
    assert read(rig.mailbox.take()[0][1]).rcode() == dns.rcode.SERVFAIL
    rig.advance(FAILURE_SECONDS)
    assert rig.ask(ASKED) is None


def test_a_success_ends_the_memory_of_failures() -> None:
    rig = Rig()
    assert rig.ask(ASKED) is None
    rig.failed(rig.lookups.pop())
    rig.mailbox.take()
    rig.advance(FAILURE_SECONDS)
    assert records(rig.resolve(ASKED, ANSWER).answer) == ["www.example. 300 a 198.51.100.1"]


@pytest.mark.parametrize("trusted", [True, False])
@pytest.mark.parametrize("said", [True, False])
@pytest.mark.parametrize(
    ("words", "wants"), [({}, False), ({"ad": True}, True), ({"do": True}, True), ({"edns": True}, False), ({"cd": True, "ad": True}, True)]
)
def test_ad_only_from_trusted_upstreams_and_only_to_who_understands_it(trusted: bool, said: bool, words: dict[str, bool], wants: bool) -> None:
    """RFC 6840 sections 5.7 and 5.8."""
    rig = Rig()
    asked = question("www.example.", **words)  # type: ignore[arg-type]
    for reply in (rig.resolve(asked, ANSWER, ad=said, trusted=trusted), rig.cached(asked), rig.cached(asked), rig.cached(asked)):
        assert bool(reply.flags & dns.flags.AD) == (trusted and said and wants)


def test_ad_is_not_set_on_what_is_stale_or_blocked() -> None:
    rig = Rig()
    asked = question("www.example.", do=True)
    rig.resolve(asked, ANSWER, ad=True, trusted=True)
    rig.advance(400)
    assert rig.ask(asked) is None
    rig.failed(rig.lookups.pop())
    assert not read(rig.mailbox.take()[0][1]).flags & dns.flags.AD
    rig.switch([basis("directive", "XX-1", "example")])
    assert not rig.cached(asked).flags & dns.flags.AD


MANY = [f"www.example. 300 TXT {'x' * 90}{number:02}" for number in range(20)]
"""About 2,100 octets."""


@pytest.mark.parametrize(("size", "room"), [(None, 512), (0, 512), (400, 512), (512, 512), (900, 900), (1232, 1232), (1400, 1232), (65535, 1232)])
@pytest.mark.parametrize("count", range(1, 12))
def test_udp_replies_keep_to_the_client_s_size(size: int | None, room: int, count: int) -> None:
    rig = Rig()
    asked = question("www.example.", "TXT") if size is None else question("www.example.", "TXT", edns=True, size=size)
    full = len(asked) + count * (12 + 93)
    for _ in range(3):
        reply = rig.ask(asked)
        if reply is None:
            rig.answered(rig.lookups.pop(), upstream_says(asked[12 : 12 + len(ASKED) - 12], MANY[:count]))
            ((_, reply),) = rig.mailbox.take()
        message = read(reply)
        cut = full > room
        assert bool(message.flags & dns.flags.TC) == cut
        assert len(message.answer) == (0 if cut else count)
        assert len(reply) == (len(asked) if cut else full) <= room
        assert (message.opt is None) == (size is None)
    assert rig.hits == 0 or not cut, "a truncated reply never enters the packet cache"


def test_tcp_replies_have_room() -> None:
    rig = Rig()
    asked = question("www.example.", "TXT")
    assert len(rig.resolve(asked, MANY, front=rig.tcp).answer) == 20
    assert rig.cached(asked).flags & dns.flags.TC, "and UDP is cut all the same"


def test_identical_questions_wait_for_one_lookup_each_with_a_reply_of_its_own() -> None:
    rig = Rig()
    clients = {
        "plain": ASKED,
        "capitals": question("WWW.Example.", identifier=1),
        "edns": question("www.example.", edns=True, identifier=2),
        "cookie": question("www.example.", options=[dns.edns.GenericOption(10, bytes(8))], identifier=3),
        "ad": question("www.example.", ad=True, identifier=4),
    }
    for name, asked in clients.items():
        assert rig.ask(asked, address=name) is None
    assert rig.ask(question("www.example.", identifier=5), rig.tcp, "tcp") is None
    (lookup,) = rig.lookups
    assert lookup.question == ASKED[12:]
    rig.answered(lookup, upstream_says(ASKED[12:], ANSWER), trusted=True)
    replies = dict(rig.mailbox.take())
    assert list(replies) == [*clients, "tcp"]
    for name, asked in clients.items():
        assert replies[name][:2] == asked[:2]
        assert replies[name][12:].startswith(asked[12 : len(ASKED)])
        assert (read(replies[name]).opt is not None) == (name in ("edns", "cookie"))
        assert records(read(replies[name]).answer) == ["www.example. 300 a 198.51.100.1"]
    assert rig.engine.in_flight == 0


def test_do_cd_type_group_and_zone_are_kept_apart() -> None:
    rig = Rig()
    for do in (False, True):
        for cd in (False, True):
            for kind in ("A", "AAAA"):
                assert rig.ask(question("www.example.", kind, do=do, cd=cd)) is None
    other = Rig()
    assert len(rig.lookups) == 8
    assert len({lookup.key for lookup in rig.lookups}) == 8
    assert {(lookup.do, lookup.cd) for lookup in rig.lookups} == {(False, False), (False, True), (True, False), (True, True)}
    lookup = next(each for each in rig.lookups if (each.do, each.cd, each.question[-3]) == (True, False, 1))
    rig.answered(lookup, upstream_says(ASKED[12:], ANSWER))
    rig.mailbox.take()
    assert rig.ask(question("www.example.", do=True)) is not None
    assert rig.ask(question("www.example.", do=True, cd=True)) is None
    assert rig.ask(ASKED) is None
    assert other.ask(ASKED) is None, "another group has caches of its own"


def test_the_longest_forwarded_zone_is_asked() -> None:
    rig = Rig(zones=["corp.example", "lab.corp.example"])
    asked = {"www.example.": b"", "corp.example.": key("corp.example"), "a.corp.example.": key("corp.example"), "xcorp.example.": b""}
    asked |= {"b.lab.corp.example.": key("lab.corp.example"), "lab.corp.example.": key("lab.corp.example")}
    for name, zone in asked.items():
        assert rig.ask(question(name)) is None
        assert rig.lookups.pop().zone == zone


def test_waiters_of_one_lookup_are_bounded() -> None:
    rig = Rig()
    for number in range(MAX_WAITERS):
        assert rig.ask(question("www.example.", identifier=number)) is None
    reply = rig.ask(question("www.example.", identifier=999))
    assert read(reply).rcode() == dns.rcode.SERVFAIL
    rig.answered(rig.lookups.pop(), upstream_says(ASKED[12:], ANSWER))
    assert [int.from_bytes(reply[:2], "big") for _, reply in rig.mailbox.take()] == list(range(MAX_WAITERS))
    assert rig.lookups == []


def test_questions_in_flight_are_bounded() -> None:
    """Ten clients, a domain each, share all the room there is; when it is full, nobody finds more until a lookup ends."""
    rig = Rig()
    rig.engine.domains.room = 10
    for number in range(10):
        assert rig.ask(question(f"www.n{number}.example."), address=(f"192.0.2.{number}",)) is None
    reply = read(rig.ask(question("www.n10.example.", edns=True), address=("192.0.2.10",)))
    assert (reply.rcode(), errors(reply)) == (dns.rcode.SERVFAIL, ["0 too many questions in flight"])
    assert rig.engine.counters.capped_total == 1
    rig.failed(rig.lookups.pop())
    assert rig.ask(question("www.n10.example."), address=("192.0.2.10",)) is None
    assert rig.engine.in_flight == 10


def test_who_may_not_ask_is_refused_before_any_cache_or_verdict() -> None:
    rig = Rig([basis("directive", "XX-1", "listed.example")])
    rig.resolve(ASKED, ANSWER)
    for name in ("www.example.", "listed.example.", "localhost."):
        reply = rig.engine.ask(question(name, edns=True), None, rig.mailbox, None)
        assert reply is not None
        message = read(b"\x12\x34" + reply)
        assert (message.rcode(), errors(message), message.answer) == (dns.rcode.REFUSED, ["18"], [])
    assert rig.engine.counters.prohibited == 3


def test_an_answer_kept_before_the_list_changed_is_judged_again() -> None:
    rig = Rig()
    chain = ["www.example. 300 CNAME a.other.test1.", "a.other.test1. 300 A 198.51.100.1"]
    for _ in range(3):
        assert len(rig.resolve(ASKED, chain).answer) == 2
    rig.switch([basis("own", "adverts", "other.test1", mode="nxdomain")])
    for _ in range(3):
        assert rig.cached(ASKED).rcode() == dns.rcode.NXDOMAIN
    rig.switch([])
    for _ in range(3):
        assert len(rig.cached(ASKED).answer) == 2
    assert rig.lookups == []


def test_a_list_that_changes_while_an_answer_is_on_its_way() -> None:
    rig = Rig([basis("directive", "XX-1", "later.test1", starts=AS_OF + 1)])
    assert rig.ask(ASKED) is None
    assert rig.ask(question("plain.example.")) is None
    rig.advance(1)
    first, second = rig.lookups
    rig.answered(first, upstream_says(first.question, ["www.example. 300 CNAME later.test1.", "later.test1. 300 A 198.51.100.1"]))
    rig.answered(second, upstream_says(second.question, ["plain.example. 300 A 198.51.100.1"]))
    assert [records(read(reply).answer) for _, reply in rig.mailbox.take()] == [
        ["www.example. 30 a 192.0.2.80"],
        ["plain.example. 300 a 198.51.100.1"],
    ]


@pytest.mark.parametrize("how", ["answered", "failed", "overdue"])
def test_a_name_listed_while_its_answer_is_on_its_way_is_blocked(how: str) -> None:
    """The answer once went out, and into the packet cache under the new list's number, where it stayed for as long as it lived."""
    rig = Rig()
    asked = question("www.example.", edns=True)
    if how != "answered":
        rig.resolve(asked, ANSWER)
        rig.advance(400)
    for _ in range(3):
        assert rig.ask(asked) is None
    rig.switch([basis("directive", "XX-1", "example")])
    lookup = rig.lookups.pop()
    if how == "answered":
        rig.answered(lookup, upstream_says(lookup.question, ANSWER))
    elif how == "failed":
        rig.failed(lookup)
    else:
        rig.overdue(lookup)
    replies = [reply for _, reply in rig.mailbox.take()]
    assert len(replies) == 3
    for reply in (*replies, *(rig.ask(asked) for _ in range(4))):
        assert (records(read(reply).answer), errors(read(reply))) == (["www.example. 30 a 192.0.2.80"], ["4", "16 XX-1 example"])
    rig.switch([])
    if how == "answered":
        assert records(rig.cached(asked).answer) == ["www.example. 300 a 198.51.100.1"], "the answer was kept all the same"


def test_queries_leave_nothing_for_the_collector() -> None:
    """Workers switch it off: what is in a cycle would stay for ever."""
    rig = Rig(
        [basis("directive", "XX-1", "listed.example", "listed.test1"), basis("own", "adverts", "ads.example", mode="refused")], stale_seconds=1000
    )
    kinds = [
        b"short", bytes(12), b"\x12\x34\x80" + ASKED[3:], b"\x12\x34\x20" + ASKED[3:], ASKED + b"\0", ASKED[:-3],
        question("www.example.", of_class="CH"),
        question("www.example.", "AXFR"), question("www.example.", "ANY"), question("www.example.", rd=False),
        question("www.example.", edns=True)[:-4] + b"\xff\0\0\0", question("www.example.", edns=True)[:-6] + b"\0\1\0\0\0\0",
        question("a.listed.example.", edns=True), question("a.ads.example."), question("x.localhost."), question("x.invalid.", do=True),
    ]  # fmt: skip
    asked = {
        "a.fresh.example.": ["a.fresh.example. 300 A 198.51.100.1"],
        "a.chained.example.": ["a.chained.example. 300 CNAME b.example.", "b.example. 300 A 198.51.100.1"],
        "a.blocked.example.": ["a.blocked.example. 300 CNAME listed.test1."],
        "a.unkept.example.": ["a.unkept.example. 0 A 198.51.100.1"],
        "a.broken.example.": [],
    }

    def run() -> None:
        for data in kinds:
            for _ in range(3):
                rig.ask(data)
        for name, answer in asked.items():
            for number in range(3):
                data = question(name, edns=number > 0)
                if rig.ask(data) is None:
                    lookup = rig.lookups.pop()
                    message = upstream_says(lookup.question, answer)
                    try:
                        rig.answered(lookup, message[:-1])  # cut off, or refused for what it says
                    except BadAnswer:
                        rig.overdue(lookup)
                        if answer:
                            rig.answered(lookup, message)
                        else:
                            rig.failed(lookup)
        rig.mailbox.take()
        rig.engine.ask(ASKED, None, rig.mailbox, None)
        rig.advance(290)  # into the last tenth, and past it
        rig.ask(question("a.fresh.example."))
        rig.advance(100)
        for lookup in rig.lookups:
            rig.failed(lookup)
        rig.lookups.clear()
        rig.advance(FAILURE_SECONDS)
        assert rig.ask(question("a.fresh.example.")) is None
        rig.overdue(rig.lookups[0])
        rig.failed(rig.lookups.pop())
        rig.mailbox.take()
        rig.advance(4000)

    run()
    gc.collect()
    enabled = gc.isenabled()
    gc.disable()
    try:
        for _ in range(5):
            run()
        found = gc.collect()
    finally:
        if enabled:
            gc.enable()
    assert found == 0, f"{found} objects were in cycles"


def test_blocks_are_counted_by_order_also_those_from_the_packet_cache() -> None:
    rig = Rig([basis("directive", "XX-1", "listed.example"), basis("own", "house", "other.example", mode="nxdomain")])
    for _ in range(5):
        rig.cached(question("www.listed.example."))
    for front in (rig.udp, rig.tcp):
        for _ in range(3):
            rig.cached(question("other.example."), front)
    rig.resolve(question("alias.example."), ["alias.example. 300 CNAME www.listed.example.", "www.listed.example. 300 A 198.51.100.1"])
    for _ in range(9):
        rig.cached(question("localhost."))
    assert rig.hits > 9
    assert rig.engine.take_tallies() == {"XX-1": 6, "house": 6}
    assert rig.engine.take_tallies() == {}
    rig.switch([])
    rig.resolve(question("www.listed.example."), ["www.listed.example. 300 A 198.51.100.1"])
    rig.switch([basis("directive", "XX-1", "listed.example")])
    rig.cached(question("www.listed.example."))
    assert rig.engine.take_tallies() == {"XX-1": 1}
    assert rig.engine.blocks == 13


def test_with_very_many_orders_blocks_are_taken_in_turns() -> None:
    rig = Rig([basis("directive", f"XX-{number}", f"n{number}.example") for number in range(2500)])
    for number in range(2500):
        rig.cached(question(f"n{number}.example."))
    first, second, third = (rig.engine.take_tallies() for _ in range(3))
    assert (len(first), len(second), len(third)) == (2000, 500, 0)
    assert len(first | second) == 2500


@pytest.mark.parametrize("of_alias", [False, True])
def test_a_block_answer_loses_its_text_before_it_is_cut(of_alias: bool) -> None:
    """What a client can take decides how much it is told, and at 512 octets the longest names leave no room for the reason."""
    label = "x" * 60
    listed = f"{label}.{label}.{label}.example."
    rig = Rig([basis("directive", "FR-2026-" + "9" * 80, listed)], landing=[f"192.0.2.{number}" for number in range(10)])
    asked = question("alias.example." if of_alias else listed, edns=True, size=512)
    answer = ["alias.example. 300 CNAME " + listed, listed + " 300 A 198.51.100.1"] if of_alias else ()
    reply = rig.resolve(asked, answer) if of_alias else rig.cached(asked)
    long = rig.cached(question("alias.example." if of_alias else listed, edns=True, size=1232))
    assert len(long.to_wire()) > 512 or of_alias
    assert not reply.flags & dns.flags.TC
    assert len(reply.answer) == 10
    assert errors(reply) == (["4", f"16 FR-2026-{'9' * 80} {listed[:-1]}"] if of_alias else ["4", "16"])


def test_one_client_cannot_take_up_all_the_room_and_a_new_one_finds_some() -> None:
    rig = Rig()
    engine = rig.engine
    engine.clients.room = engine.domains.room = 100
    heavy = {"flood": 0, "other": 0, "third": 0}
    for number in range(200):  # three clients ask for as much as they get, each of many domains
        for client in heavy:
            reply = rig.ask(question(f"www.{client}-{number}.example.", edns=True), address=(client,))
            heavy[client] += reply is None
            assert reply is None or errors(read(reply)) == ["0 too many questions in flight from this client"]
    assert all(23 <= held <= 26 for held in heavy.values()), heavy
    for number in range(5):
        assert rig.ask(question(f"www.light-{number}.example."), address=(f"192.0.2.{number}",)) is None
    assert engine.counters.capped_client == 600 - sum(heavy.values())
    assert engine.counters.capped_total == engine.counters.capped_domain == 0


def test_one_domain_cannot_take_up_all_the_room() -> None:
    rig = Rig()
    rig.engine.domains.most = 10
    refused = 0
    for number in range(50):  # each from a client of its own, as forged sources are
        reply = rig.ask(question(f"{number}.a.b.flooded.example.", edns=True), address=(f"2001:db8:0:{number:x}::1",))
        if reply is not None:
            assert read(reply).rcode() == dns.rcode.SERVFAIL
            assert errors(read(reply)) == ["0 too many questions in flight for this domain"]
            refused += 1
    assert refused == rig.engine.counters.capped_domain == 40
    assert rig.ask(question("www.other.example."), address=("192.0.2.1",)) is None
    for lookup in rig.lookups[:10]:
        rig.failed(lookup)
    rig.mailbox.take()
    assert rig.ask(question("49.a.b.flooded.example."), address=("192.0.2.1",)) is None, "the refusal was kept"


def test_whoever_joins_a_lookup_counts_for_its_client() -> None:
    rig = Rig()
    rig.engine.clients.most = 3
    asked = question("www.example.", edns=True)
    for host in ("2001:db8::1", "2001:db8::2", "2001:db8::ffff:3"):  # one /64
        assert rig.ask(asked, address=(host,)) is None
    assert errors(read(rig.ask(asked, address=("2001:db8::4",)))) == ["0 too many questions in flight from this client"]
    assert rig.ask(asked, address=("2001:db8:0:1::1",)) is None
    (lookup,) = rig.lookups
    rig.answered(lookup, upstream_says(ASKED[12:], ANSWER))
    assert len(rig.mailbox.take()) == 4
    assert (rig.engine.clients.total, len(rig.engine.clients), rig.engine.domains.total, len(rig.engine.domains)) == (0, 0, 0, 0)


def test_stale_answers_give_the_room_back_while_the_lookup_goes_on() -> None:
    rig = Rig()
    rig.resolve(ASKED, ANSWER)
    rig.advance(400)
    assert rig.ask(ASKED, address=("192.0.2.1",)) is None
    (lookup,) = rig.lookups
    rig.overdue(lookup)
    assert (len(rig.engine.clients), len(rig.engine.domains)) == (0, 1)
    rig.failed(lookup)
    assert (len(rig.engine.clients), len(rig.engine.domains)) == (0, 0)
