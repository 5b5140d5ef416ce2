"""Clients that attack, over real sockets: whatever one of them does, the others are served, and memory and answers stay small."""

from __future__ import annotations

import resource
import select
import socket
import statistics
import struct
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import dns.flags
import dns.message
import dns.rdatatype
import psutil
import pytest

from resolver.rates import STRANGER_ANSWERS
from resolver.settings import Group
from tests.resolver import quick
from tests.resolver.servers import HOST, PATIENCE, Asked, Lists, Resolver, Scripted, ask, data, domains, errors, query, rcode, resolver, says
from tests.tools import wait_for

RIGHT = "A 192.0.2.1"
FLOOD = 3000
"""Queries a second."""
UDP_LARGEST = 1232


@pytest.fixture(scope="module")
def lists(tmp_path_factory: pytest.TempPathFactory) -> Lists:
    return domains(tmp_path_factory.mktemp("lists"), "blocked.example")


class Prober:
    """An honest client: asks one question after another and notes how long each took; `refused` counts answers that are none.

    A question that nobody answers at all fails the test.
    """

    def __init__(self, port: int, source: str = HOST) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.settimeout(PATIENCE)
        self._socket.bind((source, 0))
        self._socket.connect((HOST, port))
        self._number = 0
        self.refused = 0

    def ask(self, name: str) -> tuple[bytes, float]:
        self._number += 1
        asked = (self._number & 0xFFFF).to_bytes(2, "big") + b"\x01\0\0\x01\0\0\0\0\0\0" + quick.wire(name) + b"\0\x01\0\x01"
        begun = time.perf_counter()
        self._socket.send(asked)
        reply = self._socket.recv(4096)
        assert reply[:2] == asked[:2]
        return reply, time.perf_counter() - begun

    def times(self, count: int) -> tuple[list[float], list[float]]:
        """Of names asked again and again, and of names never asked before, in many domains; 300 of each a second."""
        hot, cold = [], []
        for number in range(count):
            for name, times in ((f"hot{number % 20}.popular.example", hot), (f"c{self._number}.d{number % 50}.example", cold)):
                reply, seconds = self.ask(name)
                self.refused += reply[3] & 15 != 0
                times.append(seconds)
            time.sleep(0.003)
        return hot, cold

    def close(self) -> None:
        self._socket.close()


def p99(times: list[float]) -> float:
    return statistics.quantiles(times, n=100)[98]


@pytest.mark.parametrize("mode", ["silent", "nxdomain"])
def test_a_flood_of_random_subdomains_is_felt_by_nobody_else(lists: Lists, tmp_path: Path, mode: str) -> None:
    """Its domain's authority is silent, or says NXDOMAIN. Best of three: a shared machine may stop the upstream itself for a second."""
    measured = []
    with quick.upstream() as upstream, resolver(tmp_path, lists, upstream.upstream, stale_seconds=0) as worker:
        upstream.mode(mode)
        prober = Prober(worker.port)
        prober.times(100)
        for seed in range(3):
            prober.refused = 0
            calm = [p99(times) for times in prober.times(200)]
            with quick.flooding(worker.port, FLOOD, 3.2, "flooded.example", seed) as met:
                time.sleep(0.8)  # in which 2,400 questions pile up before the others come
                stormy = [p99(times) for times in prober.times(400)]
            p99s = [round(1000 * seconds, 2) for seconds in (*calm, *stormy)]
            measured.append((dict(zip(("calm hit", "calm miss", "hit", "miss"), p99s, strict=True)), f"{prober.refused} refused"))
            print(f"seed {seed}, p99 in ms: {measured[-1]}, {met}")
            assert met["sent"] > 0.9 * FLOOD * 3.2, "the flood did not keep its pace"
            if mode == "silent":
                assert set(met["codes"]) == {"2"}, "SERVFAIL, for what was too much at once and for what nobody answered"
            else:
                assert met["codes"]["3"] > 0.9 * met["sent"]
            if not prober.refused and stormy[0] < 3 * calm[0] + 0.002 and stormy[1] < 3 * calm[1] + 0.004:
                break
        else:
            pytest.fail(f"the flood was felt each time: {measured}")
        prober.close()


def test_a_flood_pushes_no_name_in_use_out_of_the_caches(lists: Lists, tmp_path: Path) -> None:
    """12,000 names that do not exist, in a cache with room for some 7,000 answers, while ten names are used the two ways there are."""
    with quick.upstream() as upstream, resolver(tmp_path, lists, upstream.upstream, cache_mb=8) as worker:
        upstream.mode("nxdomain")
        names = [f"kept{number}.popular.example" for number in range(10)]
        plain, cookie = Prober(worker.port), 0
        for name in names * 3:
            plain.ask(name)
        with quick.flooding(worker.port, 4000, 3.0, "flooded.example", 7) as met:
            for _ in range(60):
                for name in names[:5]:
                    plain.ask(name)  # by the packet cache
                for name in names[5:]:
                    cookie += 1
                    option = dns.edns.GenericOption(10, cookie.to_bytes(8, "big"))
                    assert data(worker.ask(name, options=[option])) == [RIGHT]  # by the answer cache: its octets are new each time
                time.sleep(0.04)
        assert met["codes"]["3"] > 10_000
        assert {name: upstream.asked_for(name) for name in names} == dict.fromkeys(names, 1)
        plain.close()


def test_caps_are_told_by_an_extended_error_and_never_kept(lists: Lists, tmp_path: Path) -> None:
    silent = {"yes": True}

    def script(asked: Asked) -> None:
        if not silent["yes"]:
            asked.send(asked.answer(RIGHT))

    with Scripted(script) as upstream, resolver(tmp_path, lists, upstream, most_lookups_per_client=30, most_lookups_per_domain=20) as worker:

        def ask_many(source: str, names: list[str]) -> dict[str, str]:
            """The text of each error that comes at once; the others wait."""
            found = {}
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
                client.bind((source, 0))
                client.connect((HOST, worker.port))
                for name in names:
                    client.send(query(name).to_wire())
                while select.select([client], [], [], 0.3)[0]:
                    answer = dns.message.from_wire(client.recv(4096))
                    assert rcode(answer) == "SERVFAIL"
                    found[answer.question[0].name.to_text(True)] = errors(answer)[0]
            return found

        of_domain = ask_many("127.0.0.2", [f"n{number}.one.example" for number in range(25)])
        assert set(of_domain.values()) == {"too many questions in flight for this domain"}
        assert len(of_domain) == 5
        of_client = ask_many("127.0.0.2", [f"www.d{number}.example" for number in range(25)])
        assert set(of_client.values()) == {"too many questions in flight from this client"}
        assert len(of_client) == 15, "ten more, with the twenty that wait"
        silent["yes"] = False
        assert data(worker.ask("www.other.example", source="127.0.0.3")) == [RIGHT], "another client, another domain"
        for name in (*list(of_client)[:3], *list(of_domain)[:1]):
            wait_for(lambda name=name: data(worker.ask(name)) == [RIGHT], "the same question again, which nothing remembers as failed", 6)


def test_rates(lists: Lists, tmp_path: Path) -> None:
    """4,000 queries a second from one client where 200 are allowed: it gets those, of the rest half is sent to TCP. Its neighbours get theirs."""
    limit = 200
    with (
        Scripted(says(RIGHT)) as upstream,
        resolver(
            tmp_path, lists, upstream, unlimited=("127.0.0.5/32",), queries_per_second=2 * limit, identical_answers_per_second=limit, tcp_per_client=8
        ) as worker,
    ):
        for source, name in (("127.0.0.2", "abused.example"), ("127.0.0.3", "others.example"), ("127.0.0.5", "forwarder.example")):
            for _ in range(3):
                assert data(worker.ask(name, source=source)) == [RIGHT]

        def flood(source: str, name: str, seconds: float, other: Callable[[], None]) -> Counter[str]:
            """Full answers of each second and all there were of "cut" and "sent"."""
            found: Counter[str] = Counter()
            asked = query(name).to_wire()[2:]
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
                client.bind((source, 0))
                client.connect((HOST, worker.port))
                client.setblocking(False)
                begun = time.monotonic()
                while (passed := time.monotonic() - begun) < seconds:
                    while found["sent"] < 4000 * passed:
                        client.send((found["sent"] & 0xFFFF).to_bytes(2, "big") + asked)
                        found["sent"] += 1
                    other()
                    with suppress(BlockingIOError):
                        while True:
                            reply = client.recv(4096)
                            cut = reply[2] & 2
                            assert not (cut and len(reply) > len(asked) + 2), "what is cut is no larger than what was asked"
                            found["cut" if cut else f"answers {passed >= 1}"] += 1
                    time.sleep(0.002)
            return found

        asked_at = [0.0]

        def neighbour() -> None:
            """Asks a hundred times a second at most: less than it may."""
            if time.monotonic() > asked_at[0] + 0.01:
                asked_at[0] = time.monotonic()
                assert data(worker.ask("others.example", source="127.0.0.3")) == [RIGHT]

        found = flood("127.0.0.2", "abused.example", 3.0, neighbour)
        print(dict(found))
        assert found["answers True"] <= 3.2 * limit, "two seconds, and parts of the ones before and behind"
        assert found["answers True"] >= 1.5 * limit
        over = found["sent"] - found["answers True"] - found["answers False"]
        assert 0.4 * over < found["cut"] < 0.6 * over
        assert data(worker.ask("abused.example", source="127.0.0.2", tcp=True)) == [RIGHT], "a real client comes back over TCP"
        found = flood("127.0.0.5", "forwarder.example", 1.0, lambda: None)
        assert (found["cut"], found["answers False"] + found["answers True"] > 0.9 * found["sent"]) == (0, True), (
            "a forwarder that is named has no limit"
        )


def test_strangers_are_refused_a_few_times_and_then_not_answered(lists: Lists, tmp_path: Path) -> None:
    with Scripted(says(RIGHT)) as upstream, resolver(tmp_path, lists, upstream, allow=("127.0.0.1/32",)) as worker:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.bind(("127.0.0.9", 0))
            stranger.connect((HOST, worker.port))
            stranger.setblocking(False)
            wire = query("blocked.example").to_wire()
            begun = time.monotonic()
            refused = sent = 0
            while (passed := time.monotonic() - begun) < 2:
                while sent < 10_000 * passed:
                    stranger.send(wire)
                    sent += 1
                assert data(worker.ask("www.example")) == [RIGHT]
                with suppress(BlockingIOError):
                    while True:
                        answer = dns.message.from_wire(stranger.recv(4096))
                        assert (rcode(answer), errors(answer)) == ("REFUSED", {18: ""})
                        refused += 1
                time.sleep(0.001)
            seconds = int(passed) + 2
        print(f"{sent} queries of a stranger at {sent / passed:.0f}/s, {refused} refused")
        assert sent / passed > 9000, "the stranger did not keep its pace"
        assert STRANGER_ANSWERS <= refused <= STRANGER_ANSWERS * seconds


def test_no_answer_over_udp_is_larger_than_the_client_can_take(lists: Lists, tmp_path: Path) -> None:
    """An upstream with much to say: 1,232 octets at most, 512 without EDNS; ANY gets one small record. The bound is asserted for every question."""

    def script(asked: Asked) -> None:
        octets = asked.message.question[0].name.labels[0][-3:]
        count = int(octets) if octets.isdigit() else 20
        records = [f'TXT "{number:03} {"x" * 90}"' for number in range(count)]
        asked.send(asked.answer(*records) if asked.tcp or count < 11 else asked.answer(flags=dns.flags.TC))

    worst = 0.0
    with Scripted(script) as upstream, resolver(tmp_path, lists, upstream) as worker, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(PATIENCE)
        client.connect((HOST, worker.port))
        for count in (1, 4, 5, 10, 11, 12, 80):
            for kind in ("TXT", "ANY", "DNSKEY", "A"):
                for payload in (None, 0, 511, 512, 513, 700, 1231, 1232, 4096, 65535):
                    for name in (f"l{count:03}.example", "blocked.example", "a." * 100 + "blocked.example", "localhost"):
                        message = query(name, kind, edns=payload is not None)
                        if payload is not None:
                            message.use_edns(0, dns.flags.DO, payload)
                        wire = message.to_wire()
                        client.send(wire)
                        reply = client.recv(65535)
                        assert len(reply) <= (512 if payload is None else min(UDP_LARGEST, max(512, payload)))
                        answer = dns.message.from_wire(reply)
                        if kind == "ANY":
                            assert len(reply) <= len(wire) + 100, "ANY"
                            assert not answer.flags & dns.flags.TC
                        if answer.flags & dns.flags.TC:
                            assert len(reply) <= len(wire), "what is cut is not larger than what was asked"
                        worst = max(worst, len(reply) / len(wire))
        # Of names of at least eight letters; the least a question with EDNS can be is 28 octets, so the bound is 1,232 / 28 = 44.
        assert 15 < worst <= UDP_LARGEST / 28
        print(f"largest answer over question: {worst:.1f}")


# TCP


class Connections:
    """Many connections from one address."""

    def __init__(self, port: int, source: str, count: int) -> None:
        self.all: list[socket.socket] = []
        for _ in range(count):
            made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            made.settimeout(PATIENCE)
            made.bind((source, 0))
            made.connect((HOST, port))
            self.all.append(made)

    def __enter__(self) -> list[socket.socket]:
        return self.all

    def __exit__(self, *_: object) -> None:
        for each in self.all:
            each.close()


def is_closed(connection: socket.socket) -> bool:
    if not select.select([connection], [], [], 0)[0]:
        return False
    with suppress(ConnectionResetError):
        return connection.recv(1, socket.MSG_PEEK) == b""
    return True


@pytest.fixture
def brief(lists: Lists, tmp_path: Path) -> Iterator[Resolver]:
    with Scripted(says(RIGHT)) as upstream, resolver(tmp_path, lists, upstream, tcp_idle_seconds=1, tcp_per_client=5) as worker:
        yield worker


def test_one_client_has_so_many_connections_and_another_its_own(brief: Resolver) -> None:
    with Connections(brief.port, "127.0.0.2", 5) as first, Connections(brief.port, "127.0.0.3", 5) as second:
        with Connections(brief.port, "127.0.0.2", 3) as more:
            wait_for(lambda: all(map(is_closed, more)), "those too many to be turned away", 3)
        for connection in (*first, *second):
            wire = query("blocked.example").to_wire()
            connection.sendall(struct.pack(">H", len(wire)) + wire)
            assert len(connection.recv(4096)) > 20
        first[0].close()
        wait_for(lambda: rcode(ask(brief.port, "blocked.example", source="127.0.0.2", tcp=True)) == "NOERROR", "room for another", 3)


def rest(brief: Resolver) -> int:
    """Connections the worker has."""
    return sum(each.status == "ESTABLISHED" for each in psutil.Process(brief.process.pid).net_connections("tcp"))


def test_who_says_no_whole_query_is_let_go(brief: Resolver) -> None:
    """Nothing, a length, half a message, much of a long one: all the same, and none is waited for longer than the idle time."""
    with Connections(brief.port, "127.0.0.2", 4) as slow:
        for connection, said in zip(slow, (b"", b"\0\x20", b"\0\x20\x12\x34", b"\xff\xff" + bytes(3000)), strict=True):
            connection.sendall(said)
        wait_for(lambda: all(map(is_closed, slow)), "the end of those who say nothing", 4)


def test_clients_whose_machine_is_gone_are_let_go(brief: Resolver) -> None:
    """No FIN, no RST: a socket in repair mode leaves without a word (tcp(7))."""
    repair = 19
    with Connections(brief.port, "127.0.0.2", 5) as gone:
        wait_for(lambda: rest(brief) == 5, "the connections")
        for connection in gone:
            connection.sendall(b"\0\x20")
        try:
            for connection in gone:
                connection.setsockopt(socket.IPPROTO_TCP, repair, 1)
        except PermissionError:
            pytest.skip("closing without a word needs CAP_NET_ADMIN")
        for connection in gone:
            connection.close()
        assert rest(brief) == 5, "it was told"
        wait_for(lambda: rest(brief) == 0, "half-open connections to be closed", 4)


MANY = 10_000


def test_ten_thousand_idle_connections_cost_bounded_memory_and_nobody_an_answer(lists: Lists, tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MANY + 500
    if hard != resource.RLIM_INFINITY and hard < wanted:
        pytest.skip(f"this process may open {hard} files, and {wanted} are needed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    try:
        with (
            Scripted(says(RIGHT)) as upstream,
            resolver(tmp_path, lists, upstream, tcp_connections=MANY, tcp_per_client=MANY // 2, tcp_idle_seconds=600) as worker,
        ):
            prober = Prober(worker.port)
            prober.times(60)
            before = worker.resident()
            peaks, lefts, slowest = [], [], 0.0
            for _ in range(2):
                with ExitStack() as opened:
                    for source in ("127.0.0.2", "127.0.0.3"):
                        for _ in range(10):
                            opened.enter_context(Connections(worker.port, source, MANY // 20))
                            hot, cold = prober.times(5)
                            slowest = max(slowest, *hot, *cold)
                    wait_for(lambda: rest(worker) == MANY, "all connections")
                    peaks.append(worker.resident())
                    calm = [p99(times) for times in prober.times(100)]
                wait_for(lambda: rest(worker) == 0, "all connections to end")
                prober.times(5)
                lefts.append(worker.resident())
            each = (peaks[0] - before) / MANY
            print(f"{each / 1024:.1f} KiB a connection; peaks {peaks}, left {lefts} of {before}; slowest {1000 * slowest:.1f} ms; p99 {calm}")
            assert each < 4 * 1024
            assert peaks[1] < peaks[0] + (4 << 20), "the second time it takes what the first gave back"
            assert lefts[1] < lefts[0] + (2 << 20)
            assert slowest < 0.5
            assert not prober.refused
            prober.close()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


# Groups


@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
def test_what_one_group_was_told_another_is_not(lists: Lists, tmp_path: Path, tcp: bool) -> None:
    counts: Counter[str] = Counter()

    def script(asked: Asked) -> None:
        counts[asked.name.lower()] += 1
        asked.send(asked.answer(f"A 192.0.2.{counts[asked.name.lower()]}"))

    groups = (
        Group(name="school", networks=("127.0.0.2/32",), landing_addresses=("192.0.2.90",)),
        Group(name="library", networks=("127.0.0.3/32",)),
    )
    with Scripted(script) as upstream, resolver(tmp_path, lists, upstream, groups=groups) as worker:
        told: dict[str, set[str]] = {}
        for _ in range(4):
            for source in ("127.0.0.1", "127.0.0.2", "127.0.0.3"):
                told.setdefault(source, set()).update(data(worker.ask("www.example", source=source, tcp=tcp)))
                landing = "192.0.2.90" if source == "127.0.0.2" else "192.0.2.80"
                assert data(worker.ask("blocked.example", source=source, tcp=tcp)) == [f"A {landing}"]
        assert sorted(map(sorted, told.values())) == [["A 192.0.2.1"], ["A 192.0.2.2"], ["A 192.0.2.3"]]
        assert counts["www.example."] == 3
