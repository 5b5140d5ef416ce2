"""The UDP loop over real sockets, its clock moved by the test: who is watched, who is not, and when the watch ends."""

from __future__ import annotations

import ipaddress
import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress

import dns.flags
import dns.message
import dns.rcode
import pytest

from resolver.clients import Clients
from resolver.groups import Front, Lookup
from resolver.rates import STRANGER_ANSWERS, WATCH_SECONDS, Rates
from resolver.udp import UdpListener
from tests.resolver.rig import Rig, basis, question, upstream_says
from tests.resolver.servers import needs_ipv6

LIMIT = 100
"""Queries, and equal answers, that a client may have in a second."""


class House:
    """One listener over a rig, and as many clients as a test likes. Nothing runs beside the test: it says when to drain."""

    def __init__(self, address: str = "127.0.0.1", unlimited: tuple[str, ...] = ()) -> None:
        self.rig = Rig([basis("directive", "XX-1", "listed.example")])
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        bound = socket.socket(family, socket.SOCK_DGRAM)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        bound.bind((address, 0))
        bound.setblocking(False)
        self.family = family
        self.place = bound.getsockname()
        self.allowed: Clients[Front] = Clients(("127.0.0.0/29", "::1/128"), {}, self.rig.udp)
        self.rates = Rates(LIMIT, LIMIT, unlimited)
        self.lookups: list[Lookup] = []
        self.listener = UdpListener(bound, self.rig.engine, self.allowed, self.turn, self.lookups.extend, self.rates)
        self.sockets: dict[str, socket.socket] = {}

    def turn(self) -> float:
        return float(self.rig.second)

    def client(self, host: str) -> socket.socket:
        if host not in self.sockets:
            self.sockets[host] = made = socket.socket(self.family, socket.SOCK_DGRAM)
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
            made.bind((host, 0))
            made.connect(self.place)
            made.setblocking(False)
        return self.sockets[host]

    def ask(self, host: str, count: int, name: str = "localhost.") -> Counter[str]:
        """What so many questions get: "answer", "cut" (TC), "refused" or "silence"."""
        client = self.client(host)
        before = self.listener.received
        for start in range(0, count, 100):
            for number in range(start, min(start + 100, count)):
                client.send(question(name, edns=True, identifier=number & 0xFFFF))
            while self.listener.received < before + min(start + 100, count):
                self.listener.drain()
        return self.heard(host, count)

    def heard(self, host: str, count: int) -> Counter[str]:
        found: Counter[str] = Counter()
        with suppress(BlockingIOError):
            while True:
                message = dns.message.from_wire(self.client(host).recv(4096))
                cut = bool(message.flags & dns.flags.TC)
                found["cut" if cut else "refused" if message.rcode() == dns.rcode.REFUSED else "answer"] += 1
                assert not (cut and (message.answer or message.authority))
        found["silence"] = count - found.total()
        return +found

    def close(self) -> None:
        for each in (self.listener.socket, *self.sockets.values()):
            each.close()


@pytest.fixture
def house() -> Iterator[House]:
    made = House()
    yield made
    made.close()


def watch(house: House, host: str) -> None:
    """Has a client be noticed, in a second of its own."""
    house.ask(host, 4 * LIMIT)
    assert house.rates.watched
    house.rig.advance(1)


def test_below_twice_the_limit_nobody_is_counted(house: House) -> None:
    for _ in range(5):
        assert house.ask("127.0.0.2", LIMIT + 50) == {"answer": LIMIT + 50}
        house.rig.advance(1)
    assert not house.rates.watched


def test_who_is_over_gets_his_limit_and_then_cuts_and_silence_in_turn(house: House) -> None:
    watch(house, "127.0.0.2")
    before = house.listener.dropped, house.listener.slipped
    found = house.ask("127.0.0.2", LIMIT + 200)
    assert found == {"answer": LIMIT, "cut": 100, "silence": 100}
    assert (house.listener.dropped - before[0], house.listener.slipped - before[1]) == (100, 100)
    assert house.ask("127.0.0.3", 50) == {"answer": 50}, "another client is not his neighbour's keeper"


def test_the_watch_ends_and_the_fast_path_is_back(house: House) -> None:
    watch(house, "127.0.0.2")
    for _ in range(WATCH_SECONDS + 1):
        assert house.ask("127.0.0.2", LIMIT // 2) == {"answer": LIMIT // 2}
        house.rig.advance(1)
    assert not house.rates.watched
    assert house.ask("127.0.0.2", LIMIT // 2) == {"answer": LIMIT // 2}
    asked = house.listener.asked
    assert house.ask("127.0.0.2", LIMIT // 2) == {"answer": LIMIT // 2}
    assert house.listener.asked == asked, "from the packet cache, not beside the loop"


def test_who_was_watched_is_no_stranger_when_the_table_of_clients_has_been_set_aside(house: House) -> None:
    """That happens whenever it is full, and when a client of IPv6 is watched."""
    watch(house, "127.0.0.2")
    house.allowed.set_aside()
    for _ in range(WATCH_SECONDS + 1):
        house.ask("127.0.0.2", LIMIT // 2)
        house.rig.advance(1)
    assert not house.rates.watched
    assert house.ask("127.0.0.2", LIMIT // 2) == {"answer": LIMIT // 2}


def test_answers_that_had_to_wait_are_limited_too(house: House) -> None:
    watch(house, "127.0.0.2")
    house.rates.queries = 1000
    client = house.client("127.0.0.2")
    names = [f"m{number:03}.example." for number in range(LIMIT + 60)]
    for name in names:
        client.send(question(name))
    while house.listener.received < 4 * LIMIT + len(names):
        house.listener.drain()
    assert len(house.lookups) == len(names)
    for lookup in house.lookups:
        house.rig.answered(lookup, upstream_says(lookup.question, rcode="NXDOMAIN", authority=["example. 60 SOA ns.example. h.example. 1 2 3 4 60"]))
    assert house.heard("127.0.0.2", len(names)) == {"answer": LIMIT, "cut": 30, "silence": 30}, "negative answers of one zone say the same"


def test_a_network_without_limits_has_none() -> None:
    house = House(unlimited=("127.0.0.0/8",))
    assert house.ask("127.0.0.2", 1000) == {"answer": 1000}
    house.close()


def test_a_stranger_is_told_five_times_a_second_and_never_watched(house: House) -> None:
    for _ in range(3):
        assert house.ask("127.0.0.9", 500) == {"refused": STRANGER_ANSWERS, "silence": 500 - STRANGER_ANSWERS}
        assert house.ask("127.0.0.3", 20) == {"answer": 20}
        house.rig.advance(1)
    assert not house.rates.watched
    assert "127.0.0.9" not in house.allowed.known


@needs_ipv6
def test_a_client_of_ipv6_is_its_whole_network() -> None:
    """Its addresses that are known already are looked up anew, once a second at most, and other clients stay what they were."""
    house = House("::1")
    for number in range(300):
        house.allowed.remember(str(ipaddress.IPv4Address(0x7F000000 + number)), house.rig.udp)
    watch(house, "::1")
    assert set(house.rates.watched) == {"0:0:0:0"}
    assert house.ask("::1", LIMIT + 20) == {"answer": LIMIT, "cut": 10, "silence": 10}
    assert house.allowed.classify("127.0.0.5") is house.rig.udp
    for _ in range(WATCH_SECONDS + 1):
        house.rig.advance(1)
        house.ask("::1", 40)
    assert house.ask("::1", LIMIT // 2) == {"answer": LIMIT // 2}
    assert "::1" in house.allowed.known
    house.close()


def test_blocks_from_the_packet_cache_are_counted_in_the_loop(house: House) -> None:
    house.ask("127.0.0.2", 50, "listed.example.")
    assert house.listener.asked < 5
    assert house.rig.engine.take_tallies() == {"XX-1": 50}


def test_each_datagram_is_in_the_histogram_once(house: House) -> None:
    house.ask("127.0.0.2", 77)
    house.client("127.0.0.3").send(b"short")
    while house.listener.received < 78:
        house.listener.drain()
    house.listener.drain()  # a wake for nothing
    assert sum(house.listener.answer_times.counts) == 78
