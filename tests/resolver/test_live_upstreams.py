"""Upstreams that misbehave: what a worker makes of them, how soon, and how often it asks them. One worker, a zone for each way to misbehave."""

from __future__ import annotations

import os
import random
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import dns.exception
import dns.flags
import dns.message
import dns.query
import psutil
import pytest

from resolver.engine import MAX_WAITERS
from resolver.settings import Upstream
from tests.resolver.servers import (
    HOST,
    PATIENCE,
    Asked,
    Resolver,
    Script,
    Scripted,
    data,
    dead_port,
    domains,
    errors,
    query,
    rcode,
    resolver,
    says,
    silent,
)
from tests.tools import wait_for

RIGHT, FORGED = "A 192.0.2.1", "A 203.0.113.66"
PROMISED = 3.0
"""Seconds within which every question is answered, whatever the upstreams do."""


def forged_first(change: Callable[[bytes], bytes]) -> Script:
    """Sends a changed wrong answer and then the right one."""

    def script(asked: Asked) -> None:
        asked.send(change(asked.answer(FORGED)))
        asked.send(asked.answer(RIGHT))

    return script


def another_id(wire: bytes) -> bytes:
    return bytes((wire[0] ^ 1, *wire[1:]))


def another_name(wire: bytes) -> bytes:
    return wire[:13] + b"q" + wire[14:]


def another_type(wire: bytes) -> bytes:
    end = wire.index(b"\0", 12)
    return wire[: end + 1] + b"\0\x10" + wire[end + 3 :]


def no_answer_bit(wire: bytes) -> bytes:
    return wire[:2] + bytes((wire[2] & 0x7F,)) + wire[3:]


def from_another_port(asked: Asked) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind((HOST, 0))
        other.sendto(asked.answer(FORGED), (HOST, asked.port))
    asked.send(asked.answer(RIGHT))


def from_another_address(asked: Asked) -> None:
    """The upstream's very port, at another address."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.3", asked.upstream.port))
        other.sendto(asked.answer(FORGED), (HOST, asked.port))
    asked.send(asked.answer(RIGHT))


def in_capitals(asked: Asked) -> None:
    wire = asked.answer(RIGHT)
    end = wire.index(b"\0", 12)
    asked.send(wire[:12] + wire[12:end].upper() + wire[end:])


def whole_by_tcp(asked: Asked) -> None:
    records = [f'TXT "{number:03} {"x" * 200}"' for number in range(100)]
    asked.send(asked.answer(*records) if asked.tcp else asked.answer(flags=dns.flags.TC))


def cut_by_both(asked: Asked) -> None:
    asked.send(asked.answer(FORGED, flags=dns.flags.TC))


def closes_on_tcp(asked: Asked) -> None:
    if asked.tcp:
        asked.send(b"")  # a message without even a header; the connection stays silent after it
    else:
        asked.send(asked.answer(flags=dns.flags.TC))


def garbage_first(asked: Asked) -> None:
    dice = random.Random(asked.id)
    identifier = asked.id.to_bytes(2, "big")
    for size in (0, 1, 11, 12, 13, 40, 512, 4096):
        asked.send(dice.randbytes(size))
        asked.send((identifier + dice.randbytes(max(0, size - 2)))[:size])
    asked.send(asked.answer(RIGHT))


def bent(asked: Asked, owner: bytes, rdata: bytes = bytes((203, 0, 113, 66)), kind: int = 1) -> bytes:
    """A wrong answer whose record has this owner and data."""
    head = asked.answer()
    end = head.index(b"\0", 12) + 5
    return head[:6] + b"\0\1\0\0\0\0" + head[12:end] + owner + kind.to_bytes(2, "big") + b"\0\1\0\0\1\0" + len(rdata).to_bytes(2, "big") + rdata


POINTERS = {
    "to-itself": lambda asked: bent(asked, (0xC000 | len(asked.answer()) - 11).to_bytes(2, "big")),
    "forward": lambda asked: bent(asked, b"\xc0\xff"),
    "into-header": lambda asked: bent(asked, b"\xc0\x02"),
    "reserved-label": lambda asked: bent(asked, b"\x80abc\0"),
    "loop-in-data": lambda asked: bent(asked, b"\xc0\x0c", b"\1a\xc0" + bytes((bent(asked, b"\xc0\x0c", b"").__len__(),)), 5),
    "cut-off": lambda asked: bent(asked, b"\xc0\x0c")[:-2],
}


@dataclass
class Faults:
    """The worker and, by zone, its upstreams."""

    worker: Resolver
    upstreams: dict[str, list[Scripted]]
    slow: dict[str, tuple[dns.message.Message, float]] = field(default_factory=dict)
    aged_from: float = 0.0
    """When the worker had every answer that must be old when its test comes, by the clock that its caches go by."""
    prefetch: Future[list[float]] = field(init=False)

    def ask(self, zone: str, label: str = "www", kind: str = "A", **options: object) -> dns.message.Message:
        return self.worker.ask(f"{label}.{zone}.example", kind, **options)

    def seen(self, zone: str, label: str = "www", server: int = 0) -> list[Asked]:
        return self.upstreams[zone][server].of(f"{label}.{zone}.example")


SCRIPTS: dict[str, list[Script | None]] = {
    "silent": [silent],
    "refusing": [None],
    "servfail": [says(rcode="SERVFAIL")],
    "two-silent": [silent, silent],
    "silent-and-refusing": [silent, None],
    "wrong-id": [forged_first(another_id)],
    "wrong-name": [forged_first(another_name)],
    "wrong-type": [forged_first(another_type)],
    "not-an-answer": [forged_first(no_answer_bit)],
    "only-wrong-id": [lambda asked: asked.send(another_id(asked.answer(FORGED)))],
    "only-wrong-name": [lambda asked: asked.send(another_name(asked.answer(FORGED)))],
    "other-port": [from_another_port],
    "other-address": [from_another_address],
    "capitals": [in_capitals],
    "by-tcp": [whole_by_tcp],
    "cut-by-both": [cut_by_both],
    "tcp-stalls": [closes_on_tcp, says(RIGHT)],
    "garbage": [garbage_first],
    "servfail-then-right": [says(rcode="SERVFAIL"), says(RIGHT)],
    "refused-then-right": [says(rcode="REFUSED"), says(RIGHT)],
    "silent-then-right": [silent, says(RIGHT)],
    "refusing-then-right": [None, says(RIGHT)],
    "three-dead-then-right": [silent, None, says(rcode="SERVFAIL"), says(RIGHT)],
    "held": [silent],
    "stale": [says(RIGHT, ttl=1)],
    "stale-negative": [says(rcode="NXDOMAIN", authority=["example. SOA ns.example. nobody.example. 1 2 3 4 1"], ttl=1)],
    "stale-by-servfail": [says(RIGHT, ttl=1)],
    "prefetched": [says(RIGHT, ttl=20)],
    "zero": [says(RIGHT, ttl=0)],
    **{f"pointer-{name}": [lambda asked, make=make: asked.send(make(asked)), says(RIGHT)] for name, make in POINTERS.items()},
}
SLOW = ("silent", "two-silent", "silent-and-refusing", "only-wrong-id", "only-wrong-name")
"""Zones whose questions run out of time: asked all at once, so that the tests wait for them once."""


def timed(ask: Callable[..., dns.message.Message], *arguments: str) -> tuple[dns.message.Message, float]:
    """The answer, and the seconds it took."""
    begun = time.monotonic()
    answer = ask(*arguments)
    return answer, time.monotonic() - begun


@pytest.fixture(scope="module")
def faults(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Faults]:
    directory = tmp_path_factory.mktemp("upstreams")
    lists = domains(directory / "lists", "blocked.example")
    upstreams: dict[str, list[Scripted]] = {}
    zones: dict[str, list[Scripted | Upstream]] = {}
    everyone: list[Scripted] = []
    for zone, scripts in SCRIPTS.items():
        upstreams[zone] = [Scripted(script) for script in scripts if script is not None]
        everyone += upstreams[zone]
        running = iter(upstreams[zone])
        zones[f"{zone}.example"] = [dead_port() if script is None else next(running) for script in scripts]
    with resolver(directory / "worker", lists, dead_port(), zones=zones, strategy="ordered") as worker:
        found = Faults(worker, upstreams)
        for zone in ("prefetched", "stale", "stale-negative", "stale-by-servfail"):
            found.ask(zone)
        found.aged_from = time.monotonic()
        watcher = ThreadPoolExecutor(1)
        found.prefetch = watcher.submit(watch_prefetch, found)
        with ThreadPoolExecutor(len(SLOW)) as clients:
            asked = {zone: clients.submit(timed, found.ask, zone) for zone in SLOW}
        found.slow = {zone: future.result() for zone, future in asked.items()}
        yield found
        watcher.shutdown()
    for server in everyone:
        server.stop()


@pytest.mark.parametrize(
    ("zone", "code"), [("silent", 22), ("two-silent", 22), ("silent-and-refusing", 23), ("only-wrong-id", 22), ("only-wrong-name", 22)]
)
def test_without_an_answer_servfail_says_why_in_time(faults: Faults, zone: str, code: int) -> None:
    answer, seconds = faults.slow[zone]
    assert (rcode(answer), answer.answer) == ("SERVFAIL", [])
    assert errors(answer) == {code: ""}
    assert (2.5 if code == 22 else 1.0) < seconds < PROMISED  # where nobody listens is known at once
    tries = [asked for asked in faults.seen(zone) if not asked.tcp]
    if zone.startswith("only-wrong"):
        assert len(tries) == 3  # after three near misses only TCP is believed
    else:
        assert len(tries) == (4 if len(SCRIPTS[zone]) == 1 else 2)  # four tries, shared among the servers


def test_a_port_where_nobody_listens_is_known_at_once(faults: Faults) -> None:
    answer, seconds = timed(faults.ask, "refusing")
    assert (rcode(answer), errors(answer)) == ("SERVFAIL", {23: ""})
    assert seconds < 1.0


def test_a_port_where_nobody_listens_is_known_at_once_to_many(faults: Faults) -> None:
    """Several questions share a socket, and the kernel tells of a refusal once a socket: to whichever of them comes first."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(PATIENCE)
        client.connect((HOST, faults.worker.port))
        begun = time.monotonic()
        for number in range(200):
            client.send(query(f"n{number}.refusing.example").to_wire())
        answers = [dns.message.from_wire(client.recv(4096)) for _ in range(200)]
        assert time.monotonic() - begun < 1.0
    assert {rcode(answer) for answer in answers} == {"SERVFAIL"}
    assert all(errors(answer) == {23: ""} for answer in answers)


def test_servfail_is_passed_on_without_a_guess_at_the_cause(faults: Faults) -> None:
    answer, seconds = timed(faults.ask, "servfail")
    assert (rcode(answer), errors(answer)) == ("SERVFAIL", {})
    assert seconds < 1.0


@pytest.mark.parametrize("zone", ["wrong-id", "wrong-name", "wrong-type", "not-an-answer", "other-port", "other-address", "garbage"])
def test_what_does_not_match_is_ignored_and_the_right_answer_still_heard(faults: Faults, zone: str) -> None:
    for number in range(5):
        answer, seconds = timed(faults.ask, zone, f"n{number}")
        assert data(answer) == [RIGHT]
        assert seconds < 0.35, "the first try, which began well under 0.4 s ago, was the one answered"
        assert [asked.tcp for asked in faults.seen(zone, f"n{number}")] == ([False, True] if zone == "garbage" else [False])


def test_an_answer_in_other_letters_is_the_same_answer(faults: Faults) -> None:
    answer = faults.ask("capitals", "wWw")
    assert data(answer) == [RIGHT]
    assert answer.question[0].name.to_text() == "wWw.capitals.example."
    assert answer.answer[0].name == answer.question[0].name


@pytest.mark.parametrize("pointer", POINTERS)
def test_a_malformed_answer_counts_for_nothing(faults: Faults, pointer: str) -> None:
    answer, seconds = timed(faults.ask, f"pointer-{pointer}")
    assert data(answer) == [RIGHT]
    assert seconds < 1.0
    assert len(faults.seen(f"pointer-{pointer}", server=0)) == 1


def test_a_truncated_answer_is_asked_for_by_tcp(faults: Faults) -> None:
    assert faults.ask("by-tcp", kind="TXT").flags & dns.flags.TC
    whole = faults.ask("by-tcp", kind="TXT", tcp=True)
    assert [record.split()[1] for record in data(whole)] == [f'"{number:03}' for number in range(100)]
    assert [asked.tcp for asked in faults.seen("by-tcp")] == [False, True]


def test_one_connection_carries_many_truncated_questions(faults: Faults) -> None:
    with ThreadPoolExecutor(16) as clients:
        for answer in clients.map(lambda number: faults.ask("by-tcp", f"n{number}", "TXT", tcp=True), range(64)):
            assert len(data(answer)) == 100
    by_tcp = [asked for asked in faults.upstreams["by-tcp"][0].seen if asked.tcp]
    assert len({asked.port for asked in by_tcp}) <= 2
    assert len({asked.id for asked in by_tcp}) > 60


def test_what_is_truncated_even_by_tcp_is_not_an_answer(faults: Faults) -> None:
    answer = faults.ask("cut-by-both", tcp=True)
    assert (rcode(answer), answer.answer) == ("SERVFAIL", [])


def test_tcp_that_stalls_leaves_time_for_the_next_upstream(faults: Faults) -> None:
    answer, seconds = timed(faults.ask, "tcp-stalls")
    assert data(answer) == [RIGHT]
    assert seconds < 1.0


@pytest.mark.parametrize(
    ("zone", "most"),
    [
        ("servfail-then-right", 0.3),
        ("refused-then-right", 0.3),
        ("refusing-then-right", 0.3),
        ("silent-then-right", 0.7),
        ("three-dead-then-right", 0.9),
    ],
)
def test_the_next_upstream_is_asked(faults: Faults, zone: str, most: float) -> None:
    answer, seconds = timed(faults.ask, zone)
    assert data(answer) == [RIGHT]
    assert seconds < most


def test_an_upstream_that_keeps_silent_is_left_alone_for_a_while(faults: Faults) -> None:
    zone = "silent-then-right"
    for number in range(3):
        faults.ask(zone, f"first{number}")
    asked = len(faults.upstreams[zone][0].seen)
    times = [timed(faults.ask, zone, f"then{number}")[1] for number in range(50)]
    assert max(times) < 0.35
    assert len(faults.upstreams[zone][0].seen) == asked


def test_a_late_answer_to_an_earlier_try_is_taken(faults: Faults) -> None:
    (server,) = faults.upstreams["held"]
    with ThreadPoolExecutor(1) as clients:
        waiting = clients.submit(timed, faults.ask, "held", "late")
        wait_for(lambda: len(faults.seen("held", "late")) >= 2, "a second try")
        first, second = server.of("late.held.example")[:2]
        assert second.at - first.at > 0.3
        first.send(first.answer(RIGHT))
        answer, seconds = waiting.result()
    assert data(answer) == [RIGHT]
    assert seconds < 1.0
    assert (first.id, first.port) != (second.id, second.port)


def test_an_answer_after_the_end_is_not_used(faults: Faults) -> None:
    answer = faults.ask("held", "too-late")
    assert errors(answer) == {22: ""}
    for asked in faults.seen("held", "too-late"):
        asked.send(asked.answer(FORGED))
    assert rcode(faults.ask("held", "too-late")) == "SERVFAIL"


def test_a_question_in_flight_is_asked_once_for_all(faults: Faults) -> None:
    names = ["oNe.held.example", "one.HELD.example", "one.held.example"]
    with ThreadPoolExecutor(60) as clients:
        waiting = {clients.submit(faults.worker.ask, names[number % 3], tcp=number % 2 == 0): names[number % 3] for number in range(60)}
        first, *_ = wait_for(lambda: faults.seen("held", "one"), "the question")
        wait_for(lambda: _received(faults.worker) == 0, "the socket's queue to be read")
        first.send(first.answer(RIGHT))
        for future, name in waiting.items():
            answer = future.result()
            assert data(answer) == [RIGHT]
            assert answer.question[0].name.to_text() == f"{name}."
    assert len(faults.seen("held", "one")) <= 2  # a second try, if the machine is slow; never one for each client


def _received(worker: Resolver) -> int:
    """Octets waiting in the worker's UDP socket, from the kernel's own table."""
    for line in Path("/proc/net/udp").read_text().splitlines()[1:]:
        columns = line.split()
        if columns[1].endswith(f":{worker.port:04X}"):
            return int(columns[4].partition(":")[2], 16)
    raise AssertionError("the worker's socket is gone")


def test_questions_that_differ_in_dnssec_flags_are_asked_apart(faults: Faults) -> None:
    with ThreadPoolExecutor(3) as clients:
        plain = clients.submit(faults.ask, "held", "flags")
        signed = clients.submit(faults.ask, "held", "flags", want_dnssec=True)
        message = query("flags.held.example")
        message.flags |= dns.flags.CD
        unchecked = clients.submit(dns.query.udp, message, HOST, PATIENCE, faults.worker.port)
        wait_for(lambda: len(faults.seen("held", "flags")) >= 3, "three questions")
        asked = faults.seen("held", "flags")[:3]
        assert {(bool(each.message.ednsflags & dns.flags.DO), bool(each.message.flags & dns.flags.CD)) for each in asked} == {
            (False, False),
            (True, False),
            (False, True),
        }
        for each in asked:
            each.send(each.answer(RIGHT))
        for future in (plain, signed, unchecked):
            assert data(future.result()) == [RIGHT]


def test_those_who_wait_for_one_question_are_bounded(faults: Faults) -> None:
    with ExitStack() as opened:
        clients = [opened.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in range(8)]  # one's queue could not hold all answers
        for client in clients:
            client.settimeout(PATIENCE)
            client.connect((HOST, faults.worker.port))
        for number in range(MAX_WAITERS):
            clients[number % 8].send(query("crowd.held.example").to_wire())
        (first, *_) = wait_for(lambda: faults.seen("held", "crowd"), "the question")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as late:
            late.settimeout(PATIENCE)
            late.connect((HOST, faults.worker.port))
            for _ in range(44):
                late.send(query("crowd.held.example").to_wire())
            assert {rcode(dns.message.from_wire(late.recv(4096))) for _ in range(44)} == {"SERVFAIL"}
        first.send(first.answer(RIGHT))
        for number in range(MAX_WAITERS):
            assert data(dns.message.from_wire(clients[number % 8].recv(4096))) == [RIGHT]


def test_our_own_header_and_opt_go_out(faults: Faults) -> None:
    message = query("own.garbage.example", want_dnssec=False)
    message.use_edns(0, 0, 4096, options=[dns.edns.ECSOption("192.0.2.0", 24), dns.edns.GenericOption(10, b"cookie!!")])
    dns.query.udp(message, HOST, PATIENCE, faults.worker.port)
    asked = faults.seen("garbage", "own")[0]
    assert asked.message.payload == 1232
    assert asked.message.options == ()
    assert asked.message.flags & dns.flags.RD
    assert asked.name.lower() == "own.garbage.example."
    assert (asked.message.answer, asked.message.authority) == ([], [])


@pytest.mark.parametrize(("zone", "said", "code"), [("stale", [RIGHT], 3), ("stale-negative", [], 19)])
def test_stale_answers_while_nobody_answers(faults: Faults, zone: str, said: list[str], code: int) -> None:
    faults.upstreams[zone][0].script = silent
    fresh = 2.0  # the TTL of 1 s, and the second in which it came
    wait_for(lambda: time.monotonic() - faults.aged_from > fresh, "the answer to be old")
    answer, seconds = timed(faults.ask, zone)
    assert data(answer) == said
    assert rcode(answer) == ("NOERROR" if said else "NXDOMAIN")
    assert errors(answer) == {code: ""}
    assert {rrset.ttl for rrset in (*answer.answer, *answer.authority)} == {30}
    assert seconds < 2.3, "RFC 8767: a client is not kept waiting longer than about 1.8 s"


def test_stale_answers_while_upstreams_fail(faults: Faults) -> None:
    zone = "stale-by-servfail"
    faults.upstreams[zone][0].script = says(rcode="SERVFAIL")
    wait_for(lambda: errors(faults.ask(zone)) == {3: ""}, "the answer to be old")
    asked = len(faults.seen(zone))
    assert [data(faults.ask(zone)) for _ in range(20)] == [[RIGHT]] * 20
    assert len(faults.seen(zone)) == asked, "a failure is remembered while a stale answer serves"


def test_an_answer_without_lifetime_is_asked_each_time(faults: Faults) -> None:
    for number in range(1, 4):
        assert data(faults.ask("zero")) == [RIGHT]
        assert len(faults.seen("zero")) == number


def test_failures_are_remembered_and_forgotten(faults: Faults) -> None:
    begun = time.monotonic()
    answers = Counter(rcode(faults.ask("servfail", "again", tcp=number % 2 == 0)) for number in range(40))
    assert answers == {"SERVFAIL": 40}
    (first,) = faults.seen("servfail", "again")
    assert time.monotonic() - begun < 1.0

    def asked_again() -> bool:
        faults.ask("servfail", "again")
        return len(faults.seen("servfail", "again")) == 2

    wait_for(asked_again, "the failure to be forgotten")
    second = faults.seen("servfail", "again")[1]
    assert 1.0 <= second.at - first.at <= 300  # RFC 9520 section 3.2


def watch_prefetch(faults: Faults) -> list[float]:
    """Keeps asking, beside the other tests, for a name whose answer lives 20 s, until it is fetched again; how long each answer took."""
    faults.upstreams["prefetched"][0].script = silent
    times = []

    def asked_again() -> bool:
        answer, seconds = timed(faults.ask, "prefetched")
        times.append(seconds)
        assert (data(answer), errors(answer)) == ([RIGHT], {})
        return len(faults.seen("prefetched")) == 2

    wait_for(asked_again, "the answer to be fetched again", 25)
    second = faults.seen("prefetched")[1]
    second.send(second.answer("A 192.0.2.2", ttl=20))
    wait_for(lambda: data(faults.ask("prefetched")) == ["A 192.0.2.2"], "the fetched answer")
    return times


def test_one_prefetch_near_the_end_keeps_nobody_waiting(faults: Faults) -> None:
    times = faults.prefetch.result(30)
    first, second = faults.seen("prefetched")
    assert 16.5 < second.at - first.at < 20
    assert sorted(times)[-3] < 0.35, "no answer waited for the upstream, which was silent when it was asked again"


# What the upstream sees of our sockets


def test_ports_and_ids_are_unpredictable(tmp_path: Path) -> None:
    questions = 2000
    with Scripted(says(RIGHT)) as upstream, resolver(tmp_path / "w", domains(tmp_path / "lists", "blocked.example"), upstream) as worker:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(PATIENCE)
            client.connect((HOST, worker.port))
            for start in range(0, questions, 50):
                for number in range(start, start + 50):
                    client.send(query(f"n{number}.example", id=number).to_wire())
                assert {int.from_bytes(client.recv(4096)[:2], "big") for _ in range(50)} == set(range(start, start + 50))
        seen = [asked for asked in upstream.seen if not asked.tcp]
        assert questions <= len(seen) <= 1.05 * questions, "a few are hedged where the machine is slow"
        ports = [asked.port for asked in seen]
        assert len(set(ports)) > 200
        assert max(Counter(ports).values()) < 40, "no socket carries much more than its share of about 8"
        assert min(ports) >= 1024
        assert sum(abs(after - before) == 1 for before, after in pairwise(sorted(set(ports)))) < 20
        for shift in (0, 4, 8, 12):
            assert chi_squared(Counter(asked.id >> shift & 15 for asked in seen), 16) < 60, "15 degrees of freedom: a fair die exceeds this in 10^-7"
        assert chi_squared(Counter(port >> 12 for port in set(ports)), 16) < 90
        assert len({asked.id for asked in seen}) > 1900
        steps = Counter((after.id - before.id) % 65536 for before, after in pairwise(seen))
        assert steps.most_common(1)[0][1] < 8
        assert sum(asked.id == int(asked.name[1:].partition(".")[0]) for asked in seen) < 5, "a client's ID does not go on"
        opened = [each for each in psutil.Process(worker.process.pid).net_connections("udp") if each.raddr]
        assert len(opened) >= 250
        assert {each.raddr[1] for each in opened} == {upstream.port}


def chi_squared(counts: Counter[int], bins: int) -> float:
    expected = counts.total() / bins
    return sum((counts[each] - expected) ** 2 / expected for each in range(bins))


@pytest.mark.parametrize("strategy", ["ordered", "fastest"])
def test_a_dead_first_upstream_costs_little(tmp_path: Path, strategy: str) -> None:
    lists = domains(tmp_path / "lists", "blocked.example")
    with Scripted(silent) as dead, Scripted(says(RIGHT)) as alive, resolver(tmp_path / "w", lists, dead, alive, strategy=strategy) as worker:
        times = []
        for number in range(60):
            answer, seconds = timed(worker.ask, f"n{number}.example")
            assert data(answer) == [RIGHT]
            times.append(seconds)
        assert sum(seconds > 0.35 for seconds in times) <= 4, "at most the tries that show it to be dead, and one that looks again"
        assert max(times) < 0.8
        assert len(dead.seen) <= 4


def test_the_fastest_upstream_is_preferred(tmp_path: Path) -> None:
    lists = domains(tmp_path / "lists", "blocked.example")

    def slowly(asked: Asked) -> None:
        time.sleep(0.05)  # what is measured is this delay
        asked.send(asked.answer(RIGHT))

    with Scripted(slowly) as slow, Scripted(says(RIGHT)) as quick, resolver(tmp_path / "w", lists, slow, quick, strategy="fastest") as worker:
        for number in range(80):
            assert data(worker.ask(f"n{number}.example")) == [RIGHT]
        assert len(slow.seen) < 30, "after twenty questions there was a copy of one to measure the other server by"
        assert len(quick.seen) > 50


def test_out_of_descriptors_it_fails_and_recovers(tmp_path: Path) -> None:
    lists = domains(tmp_path / "lists", "blocked.example")
    with Scripted(says(RIGHT)) as upstream, resolver(tmp_path / "w", lists, upstream) as worker:
        process = psutil.Process(worker.process.pid)
        limit = process.rlimit(psutil.RLIMIT_NOFILE)
        worker.ask("before.example")
        process.rlimit(psutil.RLIMIT_NOFILE, (process.num_fds(), limit[1]))
        wire = [query(f"n{number}.example", id=number).to_wire() for number in range(64)]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(PATIENCE)
            client.connect((HOST, worker.port))
            for each in wire:
                client.send(each)
            answers = [dns.message.from_wire(client.recv(4096)) for _ in wire]  # every one is answered, none within its own power
        assert {rcode(answer) for answer in answers} >= {"SERVFAIL"}
        assert data(worker.ask("blocked.example")) == ["A 192.0.2.80"]
        process.rlimit(psutil.RLIMIT_NOFILE, limit)
        for number in range(20):
            assert data(worker.ask(f"after{number}.example")) == [RIGHT]
        assert os.path.exists(f"/proc/{worker.process.pid}")
