"""Alarms: on since when, said once, over with who said so."""

from __future__ import annotations

import time

from redhand.alarms import MOST_OF_ONE, MOST_WORDS, Register, merged


def sounded(name: str, what: str = "it is broken", remedy: str = "mend it") -> dict[str, object]:
    """What a child tells."""
    return {"alarm": {"name": name, "what": what, "remedy": remedy}}


def register() -> tuple[Register, list[str], list[float]]:
    """A register, what it logs, and its clock."""
    said: list[str] = []
    clock = [1_000_000.0]
    return Register(said.append, now=lambda: clock[0]), said, clock


def test_an_alarm_is_said_once_keeps_its_begin_and_is_said_once_more_when_over() -> None:
    alarms, said, clock = register()
    alarms.heard("worker-1", sounded("disk"))
    clock[0] += 60
    alarms.heard("worker-1", sounded("disk", "it is still broken"))
    assert said == ["ALARM disk (worker-1): it is broken; mend it"]
    assert alarms.report() == [
        {"name": "disk", "source": "worker-1", "what": "it is still broken", "remedy": "mend it", "since": 1_000_000}
    ]  # fmt: skip
    clock[0] += 30
    alarms.heard("worker-1", {"clear": "disk"})
    alarms.heard("worker-1", {"clear": "disk"})
    assert said[1:] == ["over after 90 s: ALARM disk (worker-1)"]
    assert alarms.report() == []


def test_the_same_fault_met_by_two_processes_is_over_only_when_it_is_for_both() -> None:
    alarms, _, _ = register()
    for worker in ("worker-0", "worker-1"):
        alarms.heard(worker, sounded("upstream 192.0.2.1:53 away"))
    alarms.heard("worker-0", {"clear": "upstream 192.0.2.1:53 away"})
    assert [alarm["source"] for alarm in alarms.report()] == ["worker-1"]


def test_what_a_process_said_ends_with_it_but_not_what_its_successor_said() -> None:
    alarms, _, _ = register()
    alarms.heard("worker-1", sounded("of the old"))
    alarms.heard("worker-0", sounded("of another"))
    time.sleep(0.002)
    successor = time.monotonic()
    alarms.heard("worker-1", sounded("of the new"))
    alarms.ended("worker-1", successor)
    assert {alarm["name"] for alarm in alarms.report()} == {"of another", "of the new"}
    alarms.ended("worker-1", float("inf"))
    assert {alarm["name"] for alarm in alarms.report()} == {"of another"}


def test_a_process_gone_wrong_cannot_steer_the_operator_s_terminal() -> None:
    alarms, said, _ = register()
    alarms.heard("worker-1", sounded("dis\x1b[2Jk", "it is\nbroken", "\x9b31mmend it"))
    (alarm,) = alarms.report()
    assert all(str(value).isprintable() for value in [*alarm.values(), *said])
    alarms.heard("worker-1", {"clear": "dis\x1b[2Jk"})
    assert alarms.report() == []


def test_a_process_gone_wrong_cannot_fill_memory() -> None:
    alarms, said, _ = register()
    for number in range(3 * MOST_OF_ONE):
        alarms.heard("worker-1", sounded(f"alarm {number}", "x" * 10 * MOST_WORDS))
    alarms.heard("worker-1", {"alarm": ["no", "alarm"], "clear": 7})
    assert len(alarms.report()) == len(said) == MOST_OF_ONE
    assert all(len(alarm["what"]) <= MOST_WORDS for alarm in alarms.report())
    alarms.heard("worker-0", sounded("disk"))
    assert len(alarms.report()) == MOST_OF_ONE + 1, "others are heard all the same"


def test_what_all_workers_say_is_shown_once() -> None:
    alarms, _, clock = register()
    for worker in ("worker-0", "worker-1"):
        alarms.heard(worker, sounded("upstream 192.0.2.1:53 away"))
        clock[0] += 5
    alarms.heard("worker-1", sounded("disk"))
    shown = [(alarm["name"], alarm["source"], alarm["since"]) for alarm in merged(alarms.report())]
    assert shown == [("upstream 192.0.2.1:53 away", "worker-0, worker-1", 1_000_000), ("disk", "worker-1", 1_000_010)]
