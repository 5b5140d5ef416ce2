"""Reviewers' access in the engine: who hears what a blocked name resolves to, until when, and that nobody else hears anything of it."""

from __future__ import annotations

import gc
from typing import Any

from resolver.access import MOST_GRANTS, Access, Granted
from resolver.caches import Kept
from resolver.clients import Clients
from resolver.groups import Front, Group
from tests.resolver.rig import AS_OF, LANDING, Rig, basis, errors, question, read, records, upstream_says

SITE, REVIEWER, NEIGHBOUR = "192.0.2.8/29", "192.0.2.9", "192.0.2.77"
FOR_REAL = ["www.site.example. 300 A 198.51.100.7"]
BASES = [basis("directive", "XX-1", "site.example"), basis("own", "house", "own.example", mode="nxdomain")]


class House:
    """A rig whose clients may have access."""

    def __init__(self, *bases: Any, **more: Any) -> None:
        self.rig = Rig(bases or BASES, **more)
        rig = self.rig
        self.udp: Clients[Front] = Clients(["192.0.2.0/24", "2001:db8::/32"], {"192.0.2.0/25": rig.udp}, rig.udp)
        self.tcp: Clients[Front] = Clients(["192.0.2.0/24"], {}, rig.tcp)
        self.kept = [Kept(rig.group, rig.udp, rig.tcp)]
        self.access = Access(rig.policy, rig.clock, (self.udp, self.tcp), self.kept, self._make)

    def _make(self, name: str) -> tuple[Group, Front, Front]:
        group = Group(name, LANDING, 30, 1 << 20)
        return group, Front(group, 1 << 20, self.rig.clock), Front(group, 1 << 20, self.rig.clock, 65535)

    def grant(self, *grants: Granted) -> None:
        self.access.take(grants, self.rig.unix, sound=True)

    def front(self, address: str = REVIEWER, clients: Clients[Front] | None = None) -> Front:
        found = (clients or self.udp).classify(address)
        assert found is not None
        return found

    def verdict(self, name: str = "www.site.example", front: Front | None = None, **more: Any) -> str:
        """What a reviewer hears: for real, blocked, or that it went upstream and what came of that."""
        front = front or self.front()
        asked = question(name, edns=True, **more)
        reply = self.rig.ask(asked, front)
        if reply is None:
            lookup = self.rig.lookups.pop()
            self.rig.answered(lookup, upstream_says(lookup.question, [f"{name}. 300 A 198.51.100.7"]))
            ((_, reply),) = self.rig.mailbox.take()
        message = read(reply)
        return (
            "blocked"
            if any(each.startswith(("15 ", "16 ")) for each in errors(message))
            else "for real"
            if "198.51.100.7" in "".join(records(message.answer))
            else "other"
        )


def granted(*networks: str, until: int = AS_OF + 100, reference: str = "access-1") -> Granted:
    return Granted(reference, networks or (SITE,), until)


def test_a_granted_client_hears_what_is_blocked_for_all_others_and_no_cache_is_shared() -> None:
    house = House()
    house.grant(granted())
    neighbour = house.front(NEIGHBOUR)
    for _ in range(3):
        assert [house.verdict(), house.verdict(front=neighbour)] == ["for real", "blocked"]
        assert [house.verdict("own.example"), house.verdict("free.example")] == ["for real", "for real"]
    assert house.rig.cached(question("free.example"), house.front()).answer, "kept in the group's own cache"
    assert house.rig.ask(question("free.example"), neighbour) is None, "which is nobody else's"


def test_access_ends_with_its_second_in_every_cache_and_on_open_connections() -> None:
    house = House()
    house.grant(granted(until=AS_OF + 100))
    udp, tcp = house.front(), house.front(clients=house.tcp)
    for front in (udp, tcp):
        assert [house.verdict(front=front) for _ in range(3)] == ["for real"] * 3, "the second is met, the third comes from the packet cache"
    house.rig.advance(99)
    assert {house.verdict(front=udp), house.verdict(front=tcp)} == {"for real"}
    house.rig.advance(1)
    assert {house.verdict(front=udp), house.verdict(front=tcp), house.verdict("own.example", tcp)} == {"blocked"}
    house.access.settle(house.rig.unix, sound=True)
    assert house.front() is house.rig.udp, "and then they are as everybody"
    assert len(house.kept) == 1


def test_a_lookup_that_was_under_way_when_access_ended_is_blocked() -> None:
    house = House()
    house.grant(granted(until=AS_OF + 1))
    assert house.rig.ask(question("www.site.example", edns=True), house.front()) is None
    lookup = house.rig.lookups.pop()
    house.rig.advance(1)
    house.rig.answered(lookup, upstream_says(lookup.question, FOR_REAL))
    ((_, reply),) = house.rig.mailbox.take()
    assert "16 XX-1 site.example" in errors(read(reply))


def test_revoked_it_ends_at_once_also_for_a_connection_that_was_open() -> None:
    house = House()
    house.grant(granted(), granted("192.0.2.128/29", reference="access-2"))
    connection = house.front(clients=house.tcp)
    assert house.verdict(front=connection) == "for real"
    house.grant(granted("192.0.2.128/29", reference="access-2"))
    assert house.verdict(front=connection) == "blocked"
    assert house.verdict() == "blocked"
    assert house.verdict(front=house.front("192.0.2.130")) == "for real", "the other grant stands"


def test_an_alias_that_leads_to_a_blocked_name_is_answered_and_counts_for_no_hold() -> None:
    house = House(basis("directive", "XX-1", "site.example"), chain_limit=2)
    house.grant(granted())
    for number in range(5):
        asked = question(f"alias.free{number}.example", edns=True)
        assert house.rig.ask(asked, house.front()) is None
        lookup = house.rig.lookups.pop()
        told = [f"alias.free{number}.example. 300 CNAME site.example.", "site.example. 300 A 198.51.100.7"]
        house.rig.answered(lookup, upstream_says(lookup.question, told))
        ((_, reply),) = house.rig.mailbox.take()
        assert not errors(read(reply))
    assert not house.rig.policy.held, "what a reviewer looks at changes nobody's verdict"
    house.rig.advance(100)
    assert "16 XX-1 site.example" in errors(house.rig.cached(question("alias.free0.example", edns=True), house.front()))


def test_a_new_list_and_stale_answers_make_no_difference_to_who_has_access() -> None:
    house = House()
    house.grant(granted(until=AS_OF + 2000))
    assert house.verdict() == "for real"
    house.rig.switch([*BASES, basis("directive", "XX-2", "free.example")])
    assert [house.verdict(), house.verdict("free.example")] == ["for real", "for real"]
    house.rig.advance(1000)
    assert house.rig.ask(question("www.site.example", edns=True), house.front()) is None
    house.rig.failed(house.rig.lookups.pop())
    ((_, reply),) = house.rig.mailbox.take()
    assert "198.51.100.7" in "".join(records(read(reply).answer)), "stale, while no upstream answers"
    house.rig.advance(1000)
    assert "16 XX-1 site.example" in errors(read(house.rig.ask(question("www.site.example", edns=True), house.front())))


def test_a_clock_that_is_wrong_gives_access_to_nobody_until_it_is_right() -> None:
    house = House()
    house.grant(granted())
    connection = house.front(clients=house.tcp)
    house.access.settle(house.rig.unix, sound=False)
    assert [house.verdict(), house.verdict(front=connection)] == ["blocked", "blocked"]
    house.access.settle(house.rig.unix, sound=True)
    assert house.verdict() == "for real"


def test_networks_within_one_another_and_the_same_twice() -> None:
    house = House()
    short = granted("192.0.2.8/29", until=AS_OF + 10, reference="access-b")
    house.grant(
        granted("192.0.2.0/24", until=AS_OF + 50, reference="access-a"), short, granted("192.0.2.8/29", until=AS_OF + 30, reference="access-c")
    )
    assert house.front("192.0.2.9").group.name == "access-c", "of the same network the longest stands"
    assert house.front("192.0.2.200").group.name == "access-a"
    house.rig.advance(30)
    house.access.settle(house.rig.unix, sound=True)
    assert house.front("192.0.2.9").group.name == "access-a"
    assert house.udp.classify("198.51.100.1") is None, "who may not ask may not by a grant either"


def test_addresses_are_taken_for_what_they_are_however_a_socket_writes_them() -> None:
    house = House()
    house.grant(granted(SITE, "2001:db8:7::/64"))
    inside, others = ("::ffff:192.0.2.9", "2001:db8:7::1", "2001:db8:7:0:ffff::1"), ("2001:db8:7:1::1", NEIGHBOUR)
    assert {house.front(text).group.name for text in inside} == {"access-1"}
    assert {house.front(text).group.name for text in others} == {"everyone"}


def test_what_is_unchanged_keeps_its_caches_and_their_number_is_bounded() -> None:
    house = House()
    many = [granted(f"192.0.2.{number}/32", reference=f"access-{number:02}") for number in range(1, MOST_GRANTS + 5)]
    house.grant(*many)
    assert len(house.kept) == 1 + MOST_GRANTS
    last = many[-1]
    group = house.front(last.networks[0].removesuffix("/32")).group
    house.grant(last)
    assert house.front(last.networks[0].removesuffix("/32")).group is group
    generation = house.rig.policy.generation
    house.grant(last)
    house.access.settle(house.rig.unix, sound=True)
    assert house.rig.policy.generation == generation, "telling the same again costs nobody a cached answer"


def test_what_has_ended_is_gone_though_no_collector_runs() -> None:
    """Workers run without one."""
    house = House()
    gc.collect()
    gc.disable()
    try:
        before = sum(isinstance(each, Group | Front) for each in gc.get_objects())
        for number in range(20):
            house.grant(granted(reference=f"access-{number}"))
            assert house.verdict() == "for real"
        house.grant()
        house.verdict()
        assert sum(isinstance(each, Group | Front) for each in gc.get_objects()) == before
    finally:
        gc.enable()
