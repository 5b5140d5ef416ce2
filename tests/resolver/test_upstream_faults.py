"""Upstreams that fail, lie or are slow, over real sockets: what clients get, what is counted, what is alarmed, and that it ends."""

from __future__ import annotations

import random
import socket
import statistics
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import count
from pathlib import Path

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
import pytest

from resolver import servers, trouble, upstreams, watch
from tests.resolver.asking import House
from tests.resolver.servers import HOST, Asked, Script, Scripted, data, errors, nsd, query, rcode, says, silent
from tests.tools import free_ports, require, wait_for

RIGHT, FORGED = "A 192.0.2.1", "A 203.0.113.66"
_names = count()


def fresh(label: str = "n") -> str:
    """A name that was never asked for."""
    return f"{label}{next(_names)}.example"


def in_a_while(seconds: float, script: Script) -> Script:
    """Does it later, and goes on answering meanwhile."""
    return lambda asked: threading.Timer(seconds, script, (asked,)).start()


def copies(house: House) -> int:
    return sum(server.hedges + server.probes for server in house.servers)


def paced(house: House, names: Iterable[str], every: float) -> list[tuple[float, dns.message.Message, float]]:
    """Asks one name after the other, `every` so many seconds, waiting for none: when each was asked, its answer, and the seconds it took."""
    wires = [query(name, id=number).to_wire() for number, name in enumerate(names)]
    asked: list[float] = []
    answers: dict[int, tuple[bytes, float]] = {}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        client.connect((HOST, house.port))
        begun = time.monotonic()
        while len(answers) < len(wires):
            now = time.monotonic()
            assert now < begun + every * len(wires) + 5, f"{len(wires) - len(answers)} lost"
            while len(asked) < len(wires) and begun + every * len(asked) <= now:
                client.send(wires[len(asked)])
                asked.append(time.monotonic())
            client.settimeout(max(0.0001, begun + every * len(asked) - now))
            with suppress(TimeoutError):
                wire = client.recv(4096)
                answers.setdefault(int.from_bytes(wire[:2], "big"), (wire, time.monotonic()))
    return [(sent, dns.message.from_wire(answers[number][0]), answers[number][1] - sent) for number, sent in enumerate(asked)]


# Slow, lossy, silent


def test_a_server_that_hangs_is_felt_only_by_what_was_asked_just_before() -> None:
    with Scripted(says(RIGHT)) as first, Scripted(says(RIGHT)) as second, House(first, second) as house:
        assert all(data(answer) == [RIGHT] for _, answer, _ in paced(house, [fresh() for _ in range(200)], 0.003))
        before = sum(server.sent for server in house.servers)
        silence: list[float] = []

        def hangs(_: Asked) -> None:
            silence.append(time.monotonic())

        first.script = hangs
        seen = paced(house, [fresh() for _ in range(500)], 0.003)
        assert all(data(answer) == [RIGHT] for _, answer, _ in seen), "none is lost"
        late = [seconds for sent, _, seconds in seen if sent > silence[0] + 0.15]
        slow = sum(seconds > 0.03 for _, _, seconds in seen)
        extra = sum(server.sent for server in house.servers) - before - len(seen)
        slowest = max(seconds for *_, seconds in seen)
        print(f"hangs: {slow} of 500 took over 0.03 s, slowest {slowest:.3f} s; {extra} asked twice, {copies(house)} copies")
        assert slowest < 0.4, "no try's 0.4 s were waited for"
        assert sorted(late)[len(late) * 98 // 100] < 0.1, "others are asked first"
        assert extra <= 100, "only what it was asked until it was doubted, and copies, are asked twice"
        assert copies(house) <= 700 // 20
        assert house.servers[0].away, "the tries that raised the doubt have missed by now"
        first.script = says(RIGHT)
        wait_for(lambda: data(house.ask(fresh())) == [RIGHT] and not house.servers[0].away, "it to be asked again")


def test_a_server_that_is_slow_with_some_names_is_not_doubted() -> None:
    def slow_with_some(asked: Asked) -> None:
        (in_a_while(0.25, says(RIGHT)) if asked.name.lower().startswith("cold") else says(RIGHT))(asked)

    for left in (2, 1, 0):  # a machine that stands still for 50 ms is silence too
        with Scripted(slow_with_some) as first, Scripted(says(RIGHT)) as second, House(first, second) as house:
            seen = paced(house, [fresh("cold" if number % 5 == 4 else "n") for number in range(400)], 0.003)
            assert all(data(answer) == [RIGHT] for _, answer, _ in seen)
            colds = sum(seconds > 0.2 for *_, seconds in seen)
            print(f"slow with some: {colds} of 80 took their time, {copies(house)} copies, the second was asked {len(second.seen)}")
            assert not house.servers[0].away
            if left and len(second.seen) > 400 // 20 + 8:
                continue
            assert colds > 40, "they are waited for"
            assert len(second.seen) <= 400 // 20 + 8, "copies, and little else"
            return


def test_one_question_without_an_answer_moves_the_others_for_a_moment_only() -> None:
    with Scripted(says(RIGHT)) as first, Scripted(says(RIGHT)) as second, House(first, second) as house:
        paced(house, [fresh() for _ in range(10)], 0.01)  # too few for a copy
        first.script = silent
        answer, seconds = house.timed(fresh())
        first.script = says(RIGHT)
        assert data(answer) == [RIGHT]
        assert seconds < 0.3
        assert copies(house) == 0, "a time-out is no copy"
        asked = len(first.seen)
        assert data(house.ask(fresh())) == [RIGHT]
        assert len(first.seen) == asked, "another is asked first now"
        wait_for(lambda: data(house.ask(fresh())) == [RIGHT] and len(first.seen) > asked, "its time to be over")
        assert not house.raised


def test_a_brown_out_of_the_first_of_two_is_hardly_felt_and_ends() -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    dice = random.Random(seed)

    def browned(asked: Asked) -> None:
        if dice.random() >= 0.3:
            in_a_while(2.0, says(RIGHT))(asked)

    with Scripted(says(RIGHT)) as first, Scripted(says(RIGHT)) as second, House(first, second) as house:
        for _ in range(200):
            assert data(house.ask(fresh())) == [RIGHT]
        first.script = browned
        begun = time.monotonic()
        answers = house.ask_many([fresh() for _ in range(600)])
        took = time.monotonic() - begun
        assert all(data(answer) == [RIGHT] for answer, _ in answers), "none is lost"
        times = [seconds for _, seconds in answers]
        slow = sum(seconds > 0.3 for seconds in times)
        print(
            f"brown-out: 600 questions in {took:.2f} s, {slow} slower than 0.3 s, slowest {max(times):.3f} s, median {statistics.median(times):.4f} s"
        )
        assert slow <= 40, "those on their way when it began: at most the 16 asked at once, twice"
        assert max(times) < 1.5
        assert copies(house) <= 800 // 20
        assert house.servers[0].away
        assert list(house.alarms) == [f"upstream {HOST}:{first.port} away"]
        asked = len(first.seen)
        house.ask_many([fresh() for _ in range(100)])
        assert len(first.seen) - asked <= 5 + 1, "only copies go there"
        first.script = says(RIGHT)
        begun = time.monotonic()
        wait_for(lambda: data(house.ask(fresh())) == [RIGHT] and not house.servers[0].away, "it to be asked again")
        print(f"brown-out: back {time.monotonic() - begun:.2f} s after it ended")
        assert house.servers[0].probes >= 1
        assert not house.alarms
        before = len(first.seen)
        house.ask_many([fresh() for _ in range(20)])
        assert len(first.seen) - before >= 20, "it is the first listed"


def test_a_slow_upstream_that_is_the_only_one_is_waited_for() -> None:
    with Scripted(in_a_while(1.2, says(RIGHT))) as slow, House(slow) as house:
        for _ in range(2):
            answers = house.ask_many([fresh() for _ in range(80)], 80)
            assert Counter(tuple(data(answer)) for answer, _ in answers) == {(RIGHT,): 80}
            assert max(seconds for _, seconds in answers) < 2.8
        assert house.servers[0].away, "it is called what it is"
        assert house.servers[0].round_trip == pytest.approx(1.2, abs=0.3)


def test_half_of_all_packets_lost_loses_few_answers() -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    dice = random.Random(seed)

    def lossy(asked: Asked) -> None:
        if dice.random() < 0.5:
            asked.send(asked.answer(RIGHT))

    with Scripted(lossy) as server, House(server) as house:
        answers = house.ask_many([fresh() for _ in range(300)], 64)
        answered = sum(data(answer) == [RIGHT] for answer, _ in answers)
        assert answered > 240, "four tries fail together once in sixteen"
        assert house.servers[0].missed_tries > 100


def test_a_black_hole_costs_a_bounded_number_of_tries_and_ends_at_once() -> None:
    with Scripted(says(RIGHT, ttl=1)) as server, House(server) as house:
        assert data(house.ask("known.example")) == [RIGHT]
        server.script = silent
        house.ask_many([fresh() for _ in range(8)], 8)
        assert house.servers[0].away
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(8)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
            client.connect((HOST, house.port))
            asked = len(server.seen)
            begun = time.monotonic()
            for _ in range(400):
                client.send(query(fresh()).to_wire())
            answers = [dns.message.from_wire(client.recv(4096)) for _ in range(400 - upstreams.HOPEFUL_TRIES)]
            at_once = time.monotonic() - begun
            assert {rcode(answer) for answer in answers} == {"SERVFAIL"}
            assert all(errors(answer) == {22: ""} for answer in answers)
            print(f"black hole: {len(answers)} of 400 told within {at_once:.3f} s")
            assert at_once < 1.0
            assert len({each.name.lower() for each in server.seen[asked:]}) <= upstreams.HOPEFUL_TRIES
            stale, seconds = house.timed("known.example")
            assert (data(stale), errors(stale)) == ([RIGHT], {3: ""})
            assert seconds < 0.3, "a stale answer is given at once"
            for _ in range(upstreams.HOPEFUL_TRIES):
                client.recv(4096)
        assert list(house.alarms) == [f"upstream {HOST}:{server.port} away"]
        server.script = says(RIGHT)
        assert data(house.ask(fresh())) == [RIGHT]
        assert not house.servers[0].away
        assert not house.alarms
        wait_for(lambda: house.servers[0].waiting == 0, "no try to be in flight")


def test_an_old_question_goes_to_the_next_server_too() -> None:
    def stalls_sometimes(asked: Asked) -> None:
        if not asked.name.lower().startswith("stall"):
            asked.send(asked.answer(RIGHT))

    with Scripted(stalls_sometimes) as first, Scripted(says(RIGHT)) as second, House(first, second) as house:
        house.ask_many([fresh() for _ in range(100)])
        assert not second.of("stall.example")
        seen = paced(house, [fresh("stall" if number in (10, 70, 130) else "n") for number in range(200)], 0.004)
        assert all(data(answer) == [RIGHT] for _, answer, _ in seen)
        best = min(seen[number][2] for number in (10, 70, 130))
        assert best < 0.3, "not only when the first try's 0.4 s were over"
        assert house.servers[1].hedges >= 3
        paced(house, [fresh("stall" if number % 4 == 0 else "n") for number in range(100)], 0.004)
        assert copies(house) <= 400 // 20


# Strategies


def test_the_fastest_is_found_and_found_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "MEASURE_SECONDS", 0.2)
    quick, slowly = says(RIGHT), in_a_while(0.03, says(RIGHT))
    with Scripted(slowly) as first, Scripted(quick) as second, House(first, second, strategy="fastest") as house:
        house.ask_many([fresh() for _ in range(60)], 4)
        before = len(first.seen)
        house.ask_many([fresh() for _ in range(40)], 4)
        assert len(first.seen) - before <= 4
        first.script, second.script = quick, slowly

        def first_is_asked() -> bool:
            before = len(first.seen)
            house.ask_many([fresh() for _ in range(20)], 4)
            return len(first.seen) - before >= 18

        wait_for(first_is_asked, "the first to be found the fastest")
        assert copies(house) <= sum(server.sent for server in house.servers) / 20


def test_in_parallel_the_first_good_answer_wins() -> None:
    late, soon, wrong = in_a_while(0.3, says(RIGHT)), in_a_while(0.05, says("A 192.0.2.3")), says(rcode="SERVFAIL")
    with ExitStack() as running:
        first, second, third, fourth = (running.enter_context(Scripted(script)) for script in (late, wrong, soon, silent))
        with House(first, second, third, fourth, strategy="parallel") as house:
            assert data(house.ask("one.example")) == ["A 192.0.2.3"], "the first listed would have said something else, later"
            assert [len(server.of("one.example")) for server in (first, second, third, fourth)] == [1, 1, 1, 0]
            third.script = wrong
            assert data(house.ask("two.example")) == [RIGHT], "an error is no answer while others may have a better"
            assert house.servers[1].errors >= 1


def test_weights_part_the_questions() -> None:
    with Scripted(says(RIGHT)) as first, Scripted(says(RIGHT)) as second, House(first, second, strategy="weighted", weights=(4, 1)) as house:
        for _ in range(100):
            house.ask(fresh())
        parts = len({asked.name.lower() for asked in first.seen}), len({asked.name.lower() for asked in second.seen})
        assert parts[0] in range(78, 83), parts  # on a machine that does much else, a question may be asked again of the other
        assert parts[1] in range(18, 23), parts
        second.script = silent
        assert all(data(answer) == [RIGHT] for answer, _ in house.ask_many([fresh() for _ in range(100)]))


# Liars


def another_id(wire: bytes) -> bytes:
    return bytes((wire[0] ^ 1, *wire[1:]))


def another_name(wire: bytes) -> bytes:
    return wire[:13] + b"q" + wire[14:]


@pytest.mark.parametrize("change", [another_id, another_name], ids=["id", "question"])
def test_after_three_near_misses_a_question_goes_by_tcp(change: Callable[[bytes], bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trouble, "NEAR_MISS_SECONDS", 0.5)

    def script(asked: Asked) -> None:
        for _ in range(1 if asked.tcp else 3):
            asked.send(asked.answer(RIGHT) if asked.tcp else change(asked.answer(FORGED)))

    with Scripted(script) as server, House(server) as house:
        answer, seconds = house.timed("one.example")
        assert data(answer) == [RIGHT]
        assert seconds < 0.39
        assert [asked.tcp for asked in server.of("one.example")] == [False, True]
        (counted,) = house.servers
        assert (counted.near_misses, counted.by_tcp, counted.answers) == (3, 1, 1)
        (alarm,) = house.alarms.values()
        assert alarm["name"] == f"near misses {HOST}:{server.port}"
        assert "TCP" in alarm["remedy"]
        assert "one.example" not in " ".join(alarm.values())
        server.script = says(RIGHT)
        wait_for(lambda: not house.alarms, "the alarm to end")


def test_no_datagram_is_believed_after_three_near_misses() -> None:
    def script(asked: Asked) -> None:
        if asked.tcp:
            threading.Timer(0.2, asked.send, (asked.answer(RIGHT),)).start()
            return
        for _ in range(3):
            asked.send(another_name(asked.answer(FORGED)))
        threading.Timer(0.05, asked.send, (asked.answer(FORGED),)).start()

    with Scripted(script) as server, House(server) as house:
        assert data(house.ask("one.example")) == [RIGHT]
        assert house.servers[0].near_misses == 3


def test_an_answer_delivered_twice_is_no_near_miss() -> None:
    def twice(asked: Asked) -> None:
        for _ in range(2):
            asked.send(asked.answer(RIGHT))

    with Scripted(twice) as server, House(server) as house:
        for _ in range(100):
            assert data(house.ask(fresh())) == [RIGHT]
        assert (house.servers[0].near_misses, house.servers[0].by_tcp) == (0, 0)


def test_what_comes_from_another_port_is_never_heard() -> None:
    def script(asked: Asked) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.bind((HOST, 0))
            other.sendto(asked.answer(FORGED), (HOST, asked.port))
        asked.send(asked.answer(RIGHT))

    with Scripted(script) as server, House(server) as house:
        assert [data(house.ask(fresh())) for _ in range(20)] == [[RIGHT]] * 20
        assert house.servers[0].near_misses == 0  # the kernel drops it: our sockets are connected


def in_lower_case(asked: Asked) -> None:
    wire = asked.answer(RIGHT)
    end = wire.index(b"\0", 12)
    asked.send(wire[:12] + wire[12:end].lower() + wire[end:])


def test_questions_go_out_in_random_case_and_clients_get_their_own() -> None:
    soa = "example. SOA ns.example. nobody.example. 1 2 3 4 300"
    with Scripted(says("CNAME target.Other.example.", "target.Other.example. A 192.0.2.1")) as server, House(server) as house:
        for _ in range(50):
            name = fresh("wWw-Some-Name")
            answer = house.ask(name)
            assert answer.question[0].name.to_text() == f"{name}."
            assert answer.answer[0].name.to_text() == f"{name}."
        sent = "".join(asked.name for asked in server.seen)
        letters = [letter for letter in sent if letter.isalpha()]
        assert 0.4 < sum(letter.isupper() for letter in letters) / len(letters) < 0.6
        assert len({asked.name.partition(".")[2] for asked in server.seen}) > 30
        assert house.servers[0].near_misses == 0
        # Names spelled out instead of compressed: in the zone's case or the client's, never in the one we made up.
        server.script = lambda asked: asked.send(_uncompressed(asked, soa))
        for _ in range(20):
            answer = house.ask(fresh("negative"))
            assert answer.authority[0].name.to_text() == "example."
            assert answer.authority[0][0].to_text().startswith("ns.example. nobody.example.")


def _uncompressed(asked: Asked, soa: str) -> bytes:
    """A negative answer whose SOA's owner is spelled out in the letters of the question."""
    whole = asked.answer(rcode="NXDOMAIN")
    end = whole.index(b"\0", 12)
    echoed = whole[end - 8 : end + 1]
    rdata = dns.message.from_text(f"id 1\n;QUESTION\nexample. IN SOA\n;ANSWER\n{soa.replace(' SOA', ' 300 IN SOA')}").answer[0][0].to_wire()
    assert rdata is not None
    record = echoed + b"\0\6\0\1\0\0\1\x2c" + len(rdata).to_bytes(2, "big") + rdata
    return whole[:6] + b"\0\0\0\1\0\0" + whole[12 : end + 5] + record


def test_a_server_that_changes_case_is_confirmed_by_tcp_and_then_let_be() -> None:
    with Scripted(in_lower_case) as server, House(server) as house:
        for _ in range(20):
            answer, seconds = house.timed(fresh("LongEnoughToHaveCapitals"))
            assert data(answer) == [RIGHT]
            assert seconds < 0.39
        (counted,) = house.servers
        assert (counted.near_misses, counted.by_tcp, counted.keeps_case) == (3, 3, False)
        assert [asked.tcp for asked in server.seen].count(True) == 3
        assert not house.alarms


def test_a_forger_without_the_case_is_not_taken_for_the_server() -> None:
    """Wrong case now and then, between right answers: nothing is learned from it."""
    turn = count()

    def script(asked: Asked) -> None:
        if not asked.tcp and next(turn) % 3 == 0:
            in_lower_case(asked)
        else:
            asked.send(asked.answer(RIGHT))

    with Scripted(script) as server, House(server) as house:
        for _ in range(30):
            assert data(house.ask(fresh("LongEnoughToHaveCapitals"))) == [RIGHT]
        assert house.servers[0].keeps_case
        assert house.servers[0].by_tcp == house.servers[0].near_misses == 10


# Truncation, fragments, EDNS


def test_truncated_answers_are_counted_and_asked_for_by_tcp() -> None:
    with Scripted(lambda asked: asked.send(asked.answer(RIGHT) if asked.tcp else asked.answer(flags=dns.flags.TC))) as server, House(server) as house:
        assert [data(house.ask(fresh())) for _ in range(5)] == [[RIGHT]] * 5
        (counted,) = house.servers
        assert (counted.truncated, counted.by_tcp, counted.answers, counted.near_misses) == (5, 5, 5, 0)


def test_an_answer_longer_than_announced_is_not_believed() -> None:
    """RFC 9715: it may have come in fragments, whose later ones anybody could have made."""
    long = [f'TXT "{number:03} {"x" * 200}"' for number in range(7)]
    with Scripted(lambda asked: asked.send(asked.answer(*([RIGHT] if asked.tcp else long)))) as server, House(server) as house:
        assert data(house.ask("one.example")) == [RIGHT]
        (counted,) = house.servers
        assert (counted.oversized, counted.by_tcp, counted.answers) == (1, 1, 1)


def refusal(asked: Asked, form: str) -> bytes:
    response = dns.message.make_response(asked.message)
    if form == "BADVERS":
        response.set_rcode(dns.rcode.BADVERS)
        return response.to_wire()
    bare = dns.message.Message(asked.id)
    bare.flags = dns.flags.QR
    if form != "bare":
        bare.question = response.question
    bare.set_rcode(dns.rcode.NOTIMP if form == "NOTIMP" else dns.rcode.FORMERR)
    return bare.to_wire()


@pytest.mark.parametrize("form", ["FORMERR", "NOTIMP", "BADVERS", "bare"])
def test_a_server_that_refuses_edns_is_asked_without(form: str) -> None:
    def script(asked: Asked) -> None:
        asked.send(refusal(asked, form) if asked.message.edns >= 0 else asked.answer(RIGHT))

    with Scripted(script) as server, House(server) as house:
        for number in range(10):
            answer, seconds = house.timed(fresh(), want_dnssec=number % 2 == 0)
            assert data(answer) == [RIGHT]
            assert seconds < 0.39, "at once, not when the try's time is over"
        assert [asked.message.edns for asked in server.seen] == [0] + [-1] * 10
        (counted,) = house.servers
        assert (counted.without_edns, counted.edns, counted.errors) == (10, False, 0)
        assert not house.alarms


def test_formerr_to_everything_is_an_error_and_no_lack_of_edns() -> None:
    def script(asked: Asked) -> None:
        asked.send(asked.answer(rcode="FORMERR"))

    with Scripted(script) as bad, Scripted(says(RIGHT)) as good, House(bad, good) as house:
        for _ in range(5):
            answer, seconds = house.timed(fresh())
            assert data(answer) == [RIGHT]
            assert seconds < 0.39
        assert house.servers[0].edns
        assert (house.servers[0].errors, house.servers[0].without_edns) == (5, 5)
        assert len(bad.seen) == 10


def test_answers_without_opt_are_fine_and_silence_says_nothing_of_edns() -> None:
    ignorant = count()

    def script(asked: Asked) -> None:
        assert asked.message.edns == 0
        if next(ignorant) % 5:
            response = dns.message.make_response(dns.message.make_query(asked.message.question[0].name, "A", use_edns=False, id=asked.id))
            response.answer = dns.message.from_wire(asked.answer(RIGHT)).answer
            asked.send(response.to_wire())

    with Scripted(script) as server, House(server) as house:
        assert all(data(answer) == [RIGHT] for answer, _ in house.ask_many([fresh() for _ in range(50)], 50))
        (counted,) = house.servers
        assert counted.edns
        assert counted.without_edns == 0
        assert counted.missed_tries >= 5


# Loops


def relay(port: int) -> Script:
    """A forwarder that asks the resolver at `port` and passes on what it says."""

    def forward(asked: Asked) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as upstream:
            upstream.settimeout(5)
            upstream.sendto(asked.wire, (HOST, port))
            with suppress(TimeoutError):
                asked.send(upstream.recv(4096))

    return lambda asked: threading.Thread(target=forward, args=(asked,), daemon=True).start()


def test_a_loop_through_another_forwarder_is_found_left_and_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (watch, upstreams):
        monkeypatch.setattr(module, "CHECK_SECONDS", 0.5)
    with Scripted(silent) as circle, Scripted(silent) as other, House(circle, other, nonce="0123456789abcdef") as house:
        other.script = says(RIGHT)
        circle.script = relay(house.port)
        begun = time.monotonic()
        circle.seen.clear()
        wait_for(lambda: house.alarms, "the loop to be found")
        print(f"loop found {time.monotonic() - begun:.2f} s after it began")
        assert list(house.alarms) == [f"forwarding loop {HOST}:{circle.port}"]
        assert house.upstreams.loops == 1
        assert (house.servers[0].looping, house.servers[0].away, house.servers[1].looping) == (True, True, False)
        for _ in range(20):
            assert data(house.ask(fresh())) == [RIGHT]
        assert all(asked.name.lower().endswith(".loop.redhand.example.") for asked in circle.seen), "it is asked nothing but whether it still loops"
        circle.script = says(rcode="NXDOMAIN")
        wait_for(lambda: not house.alarms, "the end of the loop to be seen")
        circle.script = says(RIGHT)
        assert data(house.ask("after.example")) == [RIGHT]
        assert circle.of("after.example")


def test_with_nothing_but_a_loop_questions_fail_at_once() -> None:
    with Scripted(silent) as circle, House(circle, nonce="0123456789abcdef") as house:
        circle.script = relay(house.port)
        house.inside(lambda: setattr(house.servers[0], "check_at", 0.0))
        wait_for(lambda: house.alarms, "the loop to be found")
        answer, seconds = house.timed(fresh())
        assert (rcode(answer), errors(answer)) == ("SERVFAIL", {22: ""})
        assert seconds < 0.3


def test_somebody_elses_loop_probe_is_forwarded() -> None:
    name = "ffffffffffffffff-0-1234.loop.redhand.example"
    theirs, ours = says('TXT "forwarding loop"', ttl=0), says(rcode="NXDOMAIN")

    def script(asked: Asked) -> None:
        (theirs if asked.name.lower().startswith("f") else ours)(asked)

    with Scripted(script) as server, House(server, nonce="0123456789abcdef") as house:
        assert data(house.ask(name, "TXT")) == ['TXT "forwarding loop"']
        assert server.of(name)
        assert house.upstreams.loops == 0


# A real recursor


@contextmanager
def unbound(directory: Path, zone: str, forward_to: int) -> Iterator[int]:
    """Unbound, forwarding a zone to a port; gives its own."""
    (port,) = free_ports(1)
    directory.mkdir(parents=True)
    (directory / "unbound.conf").write_text(
        f'server:\n  interface: {HOST}@{port}\n  do-daemonize: no\n  username: ""\n  chroot: ""\n  directory: "{directory}"\n  pidfile: ""\n'
        f'  use-syslog: no\n  module-config: "iterator"\n  do-not-query-localhost: no\n  do-ip6: no\n  local-zone: "{zone}" nodefault\n'
        f"remote-control:\n  control-enable: no\nforward-zone:\n  name: {zone}\n  forward-addr: {HOST}@{forward_to}\n"
    )
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen([require("unbound"), "-d", "-c", str(directory / "unbound.conf")], stdout=log, stderr=log)
    try:

        def answers() -> bool:
            assert process.poll() is None, (directory / "log").read_text()
            with suppress(dns.exception.Timeout, OSError):
                return dns.query.udp(query(zone, "SOA"), HOST, 0.2, port).rcode() == 0
            return False

        wait_for(answers, "Unbound's answer")
        yield port
    finally:
        process.terminate()
        process.wait(10)


def test_a_real_recursor_is_asked_and_its_end_is_met(tmp_path: Path) -> None:
    zone = "zone.example."
    long = "\n".join(f'long 300 IN TXT "{number:03} {"x" * 200}"' for number in range(12))
    records = f"@ 300 IN SOA ns nobody 1 2 3 4 300\n@ 300 IN NS ns\nns 300 IN A 192.0.2.53\n* 300 IN A 192.0.2.1\nalias 300 IN CNAME a.b\n{long}\n"
    with ExitStack() as running:
        authority = running.enter_context(nsd(tmp_path / "nsd", zone, records))
        spare = running.enter_context(Scripted(says("A 192.0.2.2")))
        recursor = ExitStack()
        port = recursor.enter_context(unbound(tmp_path / "unbound", zone, authority))
        with House((HOST, port), spare) as house:
            for number in range(100):
                assert data(house.ask(f"wWw{number}.{zone}")) == [RIGHT]
            assert data(house.ask(f"alias.{zone}")) == [f"CNAME a.b.{zone}", RIGHT]
            assert house.ask(f"long.{zone}", "TXT").flags & dns.flags.TC  # too long for the client too
            (counted, _) = house.servers
            assert (counted.near_misses, counted.bad_answers, counted.errors) == (0, 0, 0)
            assert (counted.truncated, counted.by_tcp) == (1, 1)
            assert counted.keeps_case
            assert counted.edns
            assert counted.answers >= 102
            assert 0 < counted.round_trip < 0.2
            assert not house.raised
            recursor.close()
            assert all(data(house.ask(f"n{number}.{zone}")) == ["A 192.0.2.2"] for number in range(10)), "its port refuses: others answer at once"
            assert list(house.alarms) == [f"upstream {HOST}:{port} away"]
