"""A directive's whole way: signed by officers, published, served by the authority's program, followed by `redhand`, and what clients get."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from authority import receipts as book
from authority.drafts import draft_policy
from authority.places import Places
from authority.spec import from_document
from blocklists.receipt import Receipt
from blocklists.receipts import Outbox
from tests.redhand.house import House
from tests.redhand.journey import (
    ELSEWHERE,
    LANDING,
    PATIENCE,
    ask_by_streams,
    ask_everywhere,
    block,
    blocked,
    builds,
    caught_up,
    command,
    everywhere,
    follower,
    gone,
    kill,
    manifest,
    names_in_force,
    office,
    open_to_all,
    orders,
    question,
    resolver,
    said,
    verdicts,
)
from tests.resolver.servers import Asked, Scripted
from tests.tools import free_ports, starved, wait_for

PROMPT_SECONDS = 2.0
"""Within which an order is in force in every worker; the promise, measured by bench/enforce.py, is half of it. Not of the time that all who take part
stand in line for a core, behind programs that are not ours."""


@pytest.fixture
def upstream() -> Iterator[Scripted]:
    """Knows every name's address; alias.example is another name of site.example."""

    def script(asked: Asked) -> None:
        if asked.message.question[0].rdtype != 1:
            asked.send(asked.answer())
        elif asked.name.lower() == "alias.example.":
            asked.send(asked.answer("CNAME site.example.", f"site.example. A {ELSEWHERE}"))
        else:
            asked.send(asked.answer(f"A {ELSEWHERE}"))

    with Scripted(script) as found:
        yield found


def test_signed_enforced_suspended_and_withdrawn_in_every_worker(tmp_path: Path, upstream: Scripted) -> None:
    with office(tmp_path) as north, resolver(tmp_path, north, upstream, "isp-1") as running:
        caught_up(running, 0)
        names = ("site.example", "alias.example", "www.quiet.example")
        wires = {name: question(name) for name in names}

        def all_say(name: str) -> set[tuple[str, str]]:
            by_datagrams, by_streams = ask_everywhere(running.port, wires[name]), ask_by_streams(running.port, wires[name])
            return {said(octets) for octets in by_datagrams + by_streams}

        for name in names:  # and every worker keeps the upstream's answer
            assert all_say(name) == {(ELSEWHERE, "")}
        took = []
        assert north.server is not None
        heads = (psutil.Process(pid) for pid in (north.server.process.pid, running.process.pid))
        involved = [os.getpid(), *(process.pid for head in heads for process in (head, *head.children(recursive=True)))]
        for number in range(3):
            packet = north.sign(block(f"XX-{number}", f"prompt{number}.example"))
            stood, began = starved(*involved), time.monotonic()
            north.publish(packet)
            wait_for(lambda: blocked(running.port, f"prompt{number}.example", f"XX-{number}", 8), "an order in force", PATIENCE)  # noqa: B023
            assert blocked(running.port, f"prompt{number}.example", f"XX-{number}")
            took.append((time.monotonic() - began) - (starved(*involved) - stood))
        assert min(took) < PROMPT_SECONDS, took

        size = north.order("XX-9", "site.example", ".quiet.example")
        caught_up(running, size)
        # The very octets that were answered from elsewhere before: no cache says so any more, nor that of the name that leads there.
        for name in names:
            (only,) = all_say(name)
            assert only[0] == LANDING
            assert "XX-9" in only[1]
        asked_before = len(upstream.seen)

        # One officer, alone.
        caught_up(running, north.publish(north.sign(follower("XX-9", "suspend"), "north-3")))
        for name in names:
            assert all_say(name) == {(ELSEWHERE, "")}
        assert len(upstream.seen) - asked_before <= 2 * len(names), "what was known of the names was thrown away"
        assert blocked(running.port, "prompt1.example", "XX-1"), "a suspension of one order touched another"

        caught_up(running, north.order("XX-10", "site.example"))
        assert blocked(running.port, "site.example", "XX-10")
        caught_up(running, north.withdraw("XX-10"))
        assert all_say("site.example") == {(ELSEWHERE, "")}
        assert all_say("alias.example") == {(ELSEWHERE, "")}
        # Blocked while any order is in force: two on one name, one withdrawn.
        north.order("XX-11", "twice.example")
        north.order("XX-12", "twice.example")
        caught_up(running, north.withdraw("XX-11"))
        assert blocked(running.port, "twice.example", "XX-12")
        caught_up(running, north.withdraw("XX-12"))
        assert open_to_all(running.port, "twice.example")


def test_excess_waits_for_a_person_and_no_order_blocks_what_is_guarded(tmp_path: Path, upstream: Scripted) -> None:
    limits = {"names_per_hour": 4, "names_per_day": 100}
    page = {"operator_url": "https://help.isp.example/"}
    with office(tmp_path, limits=limits) as north, resolver(tmp_path, north, upstream, "isp-1", landing=page) as running:
        north.order("XX-1", "one.example", "help.isp.example", "two.example")
        north.order("XX-2", "three.example", "four.example")
        caught_up(running, north.order("XX-3", "five.example"))
        assert blocked(running.port, "one.example", "XX-1")
        assert open_to_all(running.port, "four.example"), "five names in an hour, of which four are allowed"
        assert blocked(running.port, "five.example", "XX-3"), "only the excess is held"
        assert [row["id"] for row in orders(running)["held"]] == ["XX-2"]
        # Our own name, which the authority cannot know: its order is signed, and not followed there.
        assert open_to_all(running.port, "help.isp.example")
        (skipped,) = orders(running)["skipped"]
        assert (skipped["id"], skipped["rule"]) == ("XX-1", "guard.refused")
        wait_for(lambda: "feed orders held" in command(running, "status").stdout, "the hold in the status", PATIENCE)
        shown = command(running, "status").stdout
        assert "XX-2" in shown
        assert "redhand decide release" in shown
        assert "guard.refused" in shown

        done = command(running, "decide", "release", "XX-2", "--by", "A. Duty", "--reason", "the authority says that it is meant")
        assert done.returncode == 0, done.stderr
        everywhere(running)
        assert blocked(running.port, "four.example", "XX-2")
        assert orders(running)["held"] == []
        (decision,) = orders(running)["decisions"]
        assert (decision["what"], decision["id"], decision["by"]) == ("release", "XX-2", "A. Duty")

        # What becomes protected is blocked no longer, though its order was signed and was in force.
        document = north.cast.document(limits=limits, protected=["portal.example", "one.example"])
        packet = draft_policy(north.directory, from_document(document, north.directory), int(time.time()))
        north.publish(north.cast.sign(packet, "targets-1", "targets-2"))
        wait_for(lambda: len(orders(running)["skipped"]) == 2, "the new list of protected names", PATIENCE)
        everywhere(running)
        assert open_to_all(running.port, "one.example")
        assert blocked(running.port, "two.example", "XX-1")
        assert {(row["id"], row["rule"]) for row in orders(running)["skipped"]} == {("XX-1", "guard.refused")}


def test_a_lift_by_hand_waits_for_no_authority_and_no_build(tmp_path: Path, upstream: Scripted) -> None:
    with office(tmp_path) as north, resolver(tmp_path, north, upstream, "isp-1") as running:
        caught_up(running, north.order("XX-1", "site.example"))
        assert blocked(running.port, "site.example", "XX-1")
        withdrawal = running.directory / "withdrawal.json"
        withdrawal.write_bytes(north.sign(follower("XX-1", "withdraw"), "north-2").envelope.encode())
        north.die()

        def next_to_nothing() -> float:
            """Seconds that a command takes here and now that does hardly anything."""
            began = time.monotonic()
            assert command(running, "status").returncode == 0
            return time.monotonic() - began

        before_it = next_to_nothing()
        (running.directory / "long.txt").write_text("".join(f"n{number}.long.example\n" for number in range(300_000)))
        running.settings["blocklists"] = {"sources": [{"id": "long", "path": "long.txt", "format": "domains"}]}
        running.write()
        before = manifest(running)["serial"]
        os.kill(running.process.pid, signal.SIGHUP)
        wait_for(lambda: builds(running), "a long build", PATIENCE)
        began = time.monotonic()
        done = command(running, "lift", str(withdrawal))
        took = time.monotonic() - began
        assert done.returncode == 0, done.stderr
        everywhere(running)
        assert open_to_all(running.port, "site.example")
        built = manifest(running)
        assert "long" not in built["sources"], "the build was over before the lift: nothing was shown"
        assert built["serial"] > before
        # It verifies, writes and waits for the workers besides: 1.5 times as much on a calm machine, three times on one with a queue for each core.
        # To wait for the build would be ten times as much.
        assert took < 4 * max(before_it, next_to_nothing()) + 1.0
        # The build comes after it, and does not undo it.
        wait_for(lambda: "long" in manifest(running)["sources"], "the end of the build", PATIENCE)
        everywhere(running)
        assert open_to_all(running.port, "site.example")
        assert blocked(running.port, "n7.long.example", "")


def test_starts_and_ends_are_met_to_the_second_without_any_feed(tmp_path: Path, upstream: Scripted) -> None:
    with office(tmp_path) as north, resolver(tmp_path, north, upstream, "isp-1") as running:
        caught_up(running, north.order("XX-0", "site.example"))
        for lead in (3, 6, 12, 24):  # a machine with much else to do may need longer than 3 s to have the orders in force
            turn = int(time.time()) + lead
            begins, over = f"begins{lead}.example", f"ends{lead}.example"
            first = north.sign(block(f"XX-{lead}", begins, starts=turn))
            caught_up(running, north.publish(first, north.sign(block(f"XX-{lead}-2", over, ends=turn))))
            if time.time() < turn - 0.5:
                north.die()
                break
        else:
            pytest.fail("no order was in force within 24 s")
        early = late = 0
        while (sent := time.time()) < turn + 2:
            of_begins, of_over = verdicts(running.port, begins, 8), verdicts(running.port, over, 8)
            if time.time() < turn:
                early += 1
                assert (of_begins, {address for address, _ in of_over}) == ({(ELSEWHERE, "")}, {LANDING})
            elif sent >= turn + 1:
                late += 1
                assert ({address for address, _ in of_begins}, of_over) == ({LANDING}, {(ELSEWHERE, "")})
            time.sleep(0.01)
        assert early
        assert late


def test_all_who_follow_have_the_same_list_and_the_authority_has_their_receipts(tmp_path: Path, upstream: Scripted) -> None:
    limits = {"names_per_hour": 4, "names_per_day": 100}
    (web,) = free_ports(1)
    with (
        office(tmp_path, limits=limits) as north,
        resolver(tmp_path, north, upstream, "isp-1", role="run", landing={"listen": [f"127.0.0.1:{web}"]}) as first,
        resolver(tmp_path, north, upstream, "isp-2", workers=1) as second,
    ):
        north.order("XX-1", "one.example", ".two.example")
        north.order("XX-2", "three.example", "four.example", "five.example")
        north.order("XX-3", "six.example")
        size = north.withdraw("XX-1")
        caught_up(first, size)
        caught_up(second, size)
        assert names_in_force(first) == {"six.example"}
        assert manifest(first)["identity"] == manifest(second)["identity"]
        # The receipt follows once every worker has it, and is kept by the authority.
        for running, name in ((first, "isp-1"), (second, "isp-2")):
            receipt: Receipt = wait_for(lambda: _acknowledged(running, size), f"a receipt of {name}", PATIENCE)  # noqa: B023
            kept = book.kept(Places(north.directory), name, receipt.number)
            assert kept is not None
            assert kept.receipt == receipt
            assert [(each.id, each.what) for each in receipt.exceptions] == [("XX-2", "held")]
            assert receipt.identity == manifest(running)["identity"]
        with resolver(tmp_path, north, upstream, "isp-3", workers=1) as third:
            caught_up(third, size)
            assert manifest(third)["identity"] == manifest(first)["identity"]
            assert blocked(third.port, "six.example", "XX-3")


def test_whatever_is_killed_what_was_published_is_in_force_and_nothing_else(tmp_path: Path, upstream: Scripted) -> None:
    seed = random.randrange(1 << 30)
    print("seed", seed)
    chance = random.Random(seed)
    with office(tmp_path) as north, resolver(tmp_path, north, upstream, "isp-1") as running:
        stop, stands, withdrawn, sizes = threading.Event(), list[str](), list[str](), [0]

        def publish() -> None:
            number = 0
            while not stop.is_set():
                identity = f"XX-{number}"
                sizes.append(north.order(identity, f"n{number}.example"))
                stands.append(identity)
                if number % 3 == 2:
                    lifted = stands.pop(chance.randrange(len(stands)))
                    sizes.append(north.withdraw(lifted))
                    withdrawn.append(lifted)
                number += 1
                stop.wait(chance.uniform(0, 0.2))

        def more(count: int) -> None:
            """So many more publications, so that it dies in the middle of what they cause."""
            goal = len(sizes) + count
            wait_for(lambda: len(sizes) >= goal or not publisher.is_alive(), "more publications", PATIENCE)
            time.sleep(chance.uniform(0, 0.2))

        publisher = threading.Thread(target=publish)
        publisher.start()
        try:
            for victim in ("feed", "worker-0", "feed", "worker-1"):
                more(2)
                kill([wait_for(lambda: running.pid(victim), f"{victim} ready", PATIENCE)])  # noqa: B023
            more(2)
            family = [running.process.pid, *(process.pid for process in running.processes())]
            os.kill(running.process.pid, signal.SIGKILL)
            running.process.wait()
            gone(family)
            running.start()
            more(2)
        finally:
            stop.set()
            publisher.join()
        caught_up(running, sizes[-1])
        assert names_in_force(running) == {f"n{identity[3:]}.example" for identity in stands}
        for identity in stands:
            assert blocked(running.port, f"n{identity[3:]}.example", identity)
        for identity in withdrawn:
            assert open_to_all(running.port, f"n{identity[3:]}.example")


def _acknowledged(running: House, size: int) -> Any:
    """The newest receipt, once it is acknowledged and about a log of that size."""
    outbox = Outbox(running.directory / "state")
    if not outbox.numbers() or outbox.pending():
        return None
    kept = outbox.last()
    return kept.receipt if kept is not None and kept.receipt.checkpoint.size >= size else None
