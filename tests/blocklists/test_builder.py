"""Builds: what stays in force when sources fail, disks fill and processes die; going back and coming back."""

from __future__ import annotations

import errno
import json
import os
import random
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from blocklists import builder, publish, readers, store
from blocklists.errors import Busy, DiskError, StoreError
from blocklists.job import write_job
from tests.blocklists.disk import killed_at, refused_at
from tests.blocklists.lists import AS_OF, House, blocked, documents, key, order, withdrawal

SOON = "2030-01-01T00:00:00Z"
AFTER_SOON = 1_900_000_000


@pytest.fixture
def house(tmp_path: Path) -> House:
    """Orders and an own list."""
    house = House(tmp_path)
    house.source("orders", "directives")
    house.source("own", "domains")
    house.write("orders", documents(order("FR-1", "one.example"), order("FR-2", "two.example", expires=SOON)))
    house.write("own", "own.example\n")
    return house


def current(house: House) -> store.Version:
    return store.open_current(house.state, thorough=True)


NAMES = ("one.example", "two.example", "own.example", "new.example")


def test_a_first_build_and_one_without_news(house: House) -> None:
    first = house.build()
    assert (first.serial, first.changed, first.names, first.rules, first.alarms) == (1, True, 3, 3, [])
    assert blocked(current(house), *NAMES) == ["one.example", "two.example", "own.example"]
    before = (house.state / "current").stat()
    again = house.build(AS_OF + 60)
    assert (again.serial, again.changed, again.identity) == (1, False, first.identity)
    assert (house.state / "current").stat() == before
    assert store.serials(house.state) == [1]


def test_the_same_sources_elsewhere_and_later_give_the_same_identity(house: House, tmp_path: Path) -> None:
    other = House(tmp_path / "other")
    other.root.mkdir()
    other.source("own", "domains")
    other.source("orders", "directives")
    other.write("own", "# the operator's\n\nOWN.example\nown.example\n")
    other.write("orders", documents(order("FR-2", "two.example", expires=SOON), order("FR-1", "one.example")))
    assert other.build(AS_OF + 1).identity == house.build().identity
    manifest = current(other).manifest
    assert manifest["machine"]["paths"] != current(house).manifest["machine"]["paths"]
    assert manifest["as_of"] == AS_OF + 1


def test_what_has_ended_leaves_and_what_is_to_come_waits(house: House) -> None:
    house.write("orders", documents(order("FR-1", "one.example"), order("FR-2", "two.example", expires=SOON)).replace("2026-01-03", "2028-01-03"))
    house.build()
    version = current(house)
    starts = version.index.next_boundary(AS_OF)
    assert blocked(version, *NAMES, now=starts - 1) == ["own.example"]
    assert blocked(version, *NAMES, now=starts) == ["one.example", "two.example", "own.example"]
    assert blocked(version, *NAMES, now=AFTER_SOON) == ["one.example", "own.example"]
    assert house.build(AFTER_SOON).rules == 2


@pytest.mark.parametrize("content", ["", "own.exa mple\nbro ken\n", None])
def test_a_refused_source_keeps_what_it_last_said(house: House, content: str | None) -> None:
    first = house.build()
    if content is None:
        (house.root / "own").unlink()
    else:
        house.write("own", content)
    house.write("orders", documents(order("FR-1", "one.example"), order("FR-3", "new.example")))
    held = house.build()
    assert held.changed
    assert [(refused["source"], refused["held"]) for refused in held.refused] == [("own", True)]
    assert "what it last said stays in force" in held.alarms[0]
    assert blocked(current(house), *NAMES) == ["one.example", "own.example", "new.example"]
    assert current(house).manifest["refused"] == held.refused
    assert not house.build().changed, "the same refusal is no news"
    house.write("own", "own.example\n")
    house.write("orders", documents(order("FR-1", "one.example"), order("FR-2", "two.example", expires=SOON)))
    mended = house.build()
    assert (mended.refused, mended.identity) == ([], first.identity)


def test_a_source_refused_from_the_start_blocks_nothing_and_says_so(house: House) -> None:
    (house.root / "own").unlink()
    built = house.build()
    assert [(refused["source"], refused["held"]) for refused in built.refused] == [("own", False)]
    assert "nothing of it is in force" in built.alarms[0]
    assert blocked(current(house), *NAMES) == ["one.example", "two.example"]


def test_what_is_held_is_judged_by_the_guards_of_today(house: House) -> None:
    house.build()
    (house.root / "own").unlink()
    house.own = ("own.example",)
    house.build()
    assert blocked(current(house), *NAMES) == ["one.example", "two.example"]


def test_a_withdrawal_reaches_every_source_and_outlives_its_own_source_failing(house: House) -> None:
    house.source("more", "directives")
    house.write("more", order("FR-9", "nine.example"))
    house.build()
    house.write("more", documents(order("FR-9", "nine.example"), withdrawal("FR-1")))
    house.build()
    assert blocked(current(house), *NAMES) == ["two.example", "own.example"]
    (house.root / "more").unlink()
    built = house.build()
    assert [refused["source"] for refused in built.refused] == ["more"]
    assert blocked(current(house), "nine.example", *NAMES) == ["nine.example", "two.example", "own.example"]


def test_a_withdrawal_in_a_source_refused_whole_still_lifts(house: House) -> None:
    house.source("more", "directives")
    house.write("more", documents(order("FR-9", "nine.example"), order("FR-10", "ten.example")))
    house.build()
    house.write("more", documents(order("FR-10", "ten.example"), withdrawal("FR-9"), "id: torn\n", "id: too\n"))
    built = house.build()
    assert [refused["source"] for refused in built.refused] == ["more"]
    assert blocked(current(house), "nine.example", "ten.example") == ["ten.example"]


def test_a_list_cut_inside_a_line_does_not_replace_a_longer_one(house: House) -> None:
    house.source("long", "domains")
    house.write("long", "a.example\nb.example\nc.example\nd.example\n")
    house.build()
    house.write("long", "a.example\nb.exa")
    built = house.build()
    assert [refused["source"] for refused in built.refused] == ["long"]
    assert "half-written" in built.refused[0]["reason"]
    assert blocked(current(house), "b.example", "d.example") == ["b.example", "d.example"]
    # Shorter on purpose; and longer, with only its newline forgotten.
    house.write("long", "a.example\nb.example\n")
    assert house.build().refused == []
    assert blocked(current(house), "b.example", "d.example") == ["b.example"]
    house.write("long", "a.example\nb.example\nd.example\nc.example")
    assert house.build().refused == []
    assert blocked(current(house), "c.example", "d.example") == ["d.example"]


def test_going_back_stays_until_unpinned(house: House) -> None:
    first = house.build()
    house.write("own", "new.example\n")
    house.build()
    back = builder.rollback(house.job(), 1, "a mistake")
    assert (back.serial, back.changed, back.identity, back.pinned) == (3, True, first.identity, 1)
    assert current(house).manifest["pinned"] == {"serial": 1, "reason": "a mistake", "at": AS_OF}
    house.write("own", "newer.example\n")
    assert not house.build().changed
    assert blocked(current(house), *NAMES) == ["one.example", "two.example", "own.example"]
    released = builder.unpin(house.job())
    assert (released.serial, released.pinned) == (4, None)
    assert blocked(current(house), "newer.example", *NAMES) == ["newer.example", "one.example", "two.example"]
    assert current(house).manifest["pinned"] is None


def test_going_back_never_revives_what_was_withdrawn_or_has_ended(house: House) -> None:
    house.build()
    house.write("orders", documents(order("FR-1", "one.example"), order("FR-2", "two.example", expires=SOON), withdrawal("FR-1")))
    house.build()
    # Its file is gone, and so is the order's: only the record in later versions still says that it was withdrawn.
    house.write("orders", order("FR-3", "new.example"))
    house.build()
    builder.rollback(house.job(), 1, "a mistake")
    assert blocked(current(house), *NAMES) == ["two.example", "own.example"]
    later = house.build(AFTER_SOON)
    assert later.changed
    assert blocked(current(house), *NAMES, now=AFTER_SOON) == ["own.example"]
    assert later.rules == 1


def test_a_withdrawal_passes_through_a_pin(house: House) -> None:
    house.build()
    builder.rollback(house.job(), 1, "hold still")
    house.write("orders", documents(order("FR-1", "one.example"), order("FR-2", "two.example", expires=SOON), withdrawal("FR-2")))
    assert house.build().changed
    assert blocked(current(house), *NAMES) == ["one.example", "own.example"]


def test_going_back_to_what_is_not_there_changes_nothing(house: House) -> None:
    house.build()
    with pytest.raises(StoreError, match="version 7 is not on disk; those that are: 1"):
        builder.rollback(house.job(), 7, "a mistake")
    path = house.state / "versions/1/entries"
    path.unlink()
    path.write_bytes(b"{}\n")
    with pytest.raises(StoreError, match="versions/1/entries"):
        builder.rollback(house.job(), 1, "a mistake")
    assert store.read_pin(house.state) is None


def test_a_pin_written_just_before_a_crash_is_completed_by_the_next_build(house: House) -> None:
    first = house.build()
    house.write("own", "new.example\n")
    house.build()
    publish.pin(house.state, b'{"serial":1,"reason":"cut short","at":0}')
    assert (house.build().identity, current(house).manifest["pinned"]["reason"]) == (first.identity, "cut short")


@pytest.mark.parametrize("harm", ["pin", "pinned version"])
def test_a_damaged_pin_holds_what_is_in_force(house: House, harm: str) -> None:
    first = house.build()
    builder.rollback(house.job(), 1, "hold still")
    house.write("own", "new.example\n")
    if harm == "pin":
        (house.state / "pin").unlink()
        (house.state / "pin").write_text("{")
    else:
        (house.state / "versions/1/entries").unlink()
    built = house.build()
    assert built.identity == first.identity
    assert built.pinned == 1
    assert len(built.alarms) == 1
    assert harm in built.alarms[0]
    builder.unpin(house.job())
    assert "new.example" in blocked(current(house), *NAMES)


def test_a_damaged_current_version_is_replaced_at_the_next_build(house: House) -> None:
    house.build()
    house.write("own", "new.example\n")
    second = house.build()
    path = house.state / "versions/2/index.trie"
    path.unlink()
    path.write_bytes(b"")
    third = house.build()
    assert (third.serial, third.changed, third.identity) == (3, True, second.identity)
    assert "version 1 stands in" in third.alarms[0]
    assert current(house).notice == ""


def test_everything_damaged_is_built_anew(house: House) -> None:
    first = house.build()
    for path in (house.state / "versions/1").iterdir():
        path.unlink()
    again = house.build()
    assert (again.serial, again.identity) == (2, first.identity)
    assert "nothing could be carried over" in again.alarms[0]


def test_old_versions_go_except_the_pinned_and_those_in_use(tmp_path: Path) -> None:
    house = House(tmp_path, keep_versions=2)
    house.source("own", "domains")

    def build(number: int) -> None:
        house.write("own", f"n{number}.example\n")
        assert house.build().serial == number

    for number in range(1, 6):
        build(number)
    assert store.serials(house.state) == [3, 4, 5]
    readers.publish(house.state, "resolver-0", 4)
    for number in range(6, 9):
        build(number)
    assert store.serials(house.state) == [4, 6, 7, 8]
    builder.rollback(house.job(), 6, "hold still")
    for at in range(3):
        builder.rollback(house.job(), 6, f"hold still, {at}")
    assert store.serials(house.state) == [4, 6, 7, 8, 12], "what says the same as a later one goes first"
    readers.withdraw(house.state, "resolver-0")
    builder.unpin(house.job())
    assert store.serials(house.state) == [7, 12, 13]


def test_only_one_builder_at_a_time(house: House) -> None:
    with publish.locked(house.state), pytest.raises(Busy, match="another build is running"):
        house.build()
    assert house.build().serial == 1


LARGE = 50_000


@pytest.fixture
def large(tmp_path: Path) -> House:
    """A list large enough that a small change is written as a delta."""
    house = House(tmp_path)
    house.source("orders", "directives")
    house.source("own", "domains")
    house.write("orders", documents(order("FR-1", "one.example"), order("FR-5", "n3.example", "n4.example")))
    house.write("own", "".join(f"n{number}.example\n" for number in range(LARGE)))
    return house


def test_a_delta_and_its_compaction_say_the_same(large: House, tmp_path: Path) -> None:
    """A base with two generations of changes, against the same sources built whole elsewhere: one identity, the same verdicts and bases."""
    large.build()
    large.write("own", "".join(f"n{number}.example\n" for number in range(5, LARGE)) + "www.one.example\nnew.example\n")
    assert large.build().changed
    orders = documents(order("FR-0", "zero.example", "n9.example"), order("FR-1", "one.example", expires=SOON), order("FR-5", "n4.example"))
    large.write("orders", orders)
    large.build()
    changed = current(large)
    assert (changed.serial, changed.manifest["index"]["base"]) == (3, 1)
    # n0 to n4 gone from the list, two new names in it, and in the orders zero, n9, n3, n4: those whose set differs from the base's, renumbered.
    assert 0 < changed.manifest["index"]["changed"] <= 11
    assert os.stat(large.state / "versions/3/index.trie").st_ino == os.stat(large.state / "versions/1/index.trie").st_ino

    other = House(tmp_path / "whole")
    other.root.mkdir()
    other.sources = large.sources
    for name in ("orders", "own"):
        other.write(name, (large.root / name).read_text())
    other.build()
    whole = current(other)
    assert whole.manifest["index"] == {"base": 1, "changed": 0}
    assert whole.identity == changed.identity
    assert list(whole.lines()) == list(changed.lines())
    asked = [f"{prefix}n{number}.example" for number in (*range(12), LARGE - 1, LARGE) for prefix in ("", "www.")]
    asked += ["one.example", "www.one.example", "new.example", "zero.example", "example", "nothing.test"]
    for name in asked:
        for now in (0, AS_OF, AFTER_SOON):
            assert changed.index.find(key(name), now) == whole.index.find(key(name), now)
        rules = changed.index.covering(key(name))
        assert rules == whole.index.covering(key(name))
        assert [changed.basis(rule) for rule in rules] == [whole.basis(rule) for rule in rules]


def test_a_delta_outlives_the_version_its_base_came_with(large: House) -> None:
    large.more["keep_versions"] = 2
    large.build()
    for number in range(1, 5):
        large.write("own", "".join(f"n{n}.example\n" for n in range(number, LARGE)))
        large.build()
    assert store.serials(large.state) == [3, 4, 5]
    version = current(large)
    assert version.manifest["index"] == {"base": 1, "changed": 4}
    assert blocked(version, "n2.example", "n3.example", "n4.example", "n5.example") == ["n3.example", "n4.example", "n5.example"]


def test_without_hard_links_the_base_is_copied(large: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    large.build()
    large.write("own", "".join(f"n{number}.example\n" for number in range(1, LARGE)))
    monkeypatch.setattr(os, "link", refuse)
    large.build()
    version = current(large)
    assert (version.serial, version.manifest["index"], version.notice) == (2, {"base": 1, "changed": 1}, "")
    inodes = {os.stat(large.state / f"versions/{serial}/index.trie").st_ino for serial in (1, 2)}
    assert len(inodes) == 2
    assert blocked(version, "n0.example", "n1.example") == ["n1.example"]


def test_a_large_change_is_written_whole(large: House) -> None:
    large.build()
    large.write("own", "".join(f"n{number}.example\n" for number in range(2_000, LARGE)))
    large.build()
    assert current(large).manifest["index"] == {"base": 2, "changed": 0}


def process() -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-m", "blocklists.builder"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def result(run: subprocess.Popen[str], job: str) -> dict[str, Any]:
    out, _ = run.communicate(job, timeout=60)
    found: dict[str, Any] = json.loads(out)
    assert found["ok"] == (run.returncode == 0)
    return found


def test_the_process_reads_a_job_and_writes_a_result(house: House) -> None:
    found = result(process(), write_job(house.job()))
    assert (found["ok"], found["serial"], found["names"], found["skipped"], found["refused"], found["error"]) == (True, 1, 3, 0, [], "")
    assert found["identity"] == current(house).identity
    with publish.locked(house.state):
        run = process()
        busy = result(run, write_job(house.job()))
        assert (busy["ok"], busy["busy"], run.returncode) == (False, True, os.EX_TEMPFAIL)
    assert "the job on standard input is not one" in result(process(), "{}")["error"]


def test_a_full_disk_is_an_error_and_leaves_the_last_version(large: House) -> None:
    large.write("own", "own.example\n")
    large.build()
    large.write("own", "".join(f"n{number}.example\n" for number in range(LARGE)))
    run = process()
    resource.prlimit(run.pid, resource.RLIMIT_FSIZE, (300_000, 300_000))
    found = result(run, write_job(large.job()))
    assert not found["ok"]
    assert "raise its limit" in found["error"]
    assert "the last good version stays in force" in found["error"]
    assert current(large).serial == 1
    assert sorted(os.listdir(large.state / "versions")) == ["1"]
    assert large.build().serial == 2


def test_a_state_directory_that_cannot_be_is_an_error_with_a_remedy(house: House) -> None:
    house.state.write_text("a file")
    with pytest.raises(StoreError, match=r"var.*failed.*move it away, or move state_dir"):
        house.build()


def test_killed_before_any_change_to_the_disk_it_leaves_a_whole_version(house: House) -> None:
    """Every instant at which a file or directory is about to change, one after the other, until a build gets through."""
    house.more["keep_versions"] = 2
    contents = ["own.example\n", "new.example\n"]
    identities = []
    for content in contents * 2:
        house.write("own", content)
        identities.append(house.build().identity)
    assert identities[0] == identities[2] != identities[1]
    for step in range(1, 200):
        before = current(house).identity
        house.write("own", contents[step % 2] if before == identities[(step + 1) % 2] else contents[(step + 1) % 2])
        child = os.fork()
        if child == 0:
            with killed_at(step):
                house.build()
            os._exit(0)
        _, status = os.waitpid(child, 0)
        version = current(house)
        assert version.notice == ""
        assert version.identity in identities
        if not os.WIFSIGNALED(status):
            assert version.identity != before
            break
        built = house.build()
        assert built.alarms == []
        assert current(house).identity == built.identity != before
        assert not [name for name in os.listdir(house.state / "versions") if not name.isdigit()]
        assert not [name for name in os.listdir(house.state) if name.endswith(".new")]
    assert 15 < step < 199, "so few changes to the disk would mean that they were not seen"


def test_killed_at_random_instants_it_leaves_a_whole_version(house: House) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    seeded = random.Random(seed)
    house.build()
    contents = ["".join(f"{letter}{number}.example\n" for number in range(20_000)) for letter in "ab"]
    started = time.monotonic()
    house.write("own", contents[0])
    assert result(process(), write_job(house.job()))["ok"]
    whole = time.monotonic() - started
    identities = {current(house).identity}
    house.write("own", contents[1])
    assert result(process(), write_job(house.job()))["ok"]
    identities.add(current(house).identity)
    killed = round_number = 0
    while killed < 8 and round_number < 60:
        round_number += 1
        house.write("own", contents[round_number % 2])
        started = time.monotonic()
        run = process()
        assert run.stdin is not None
        run.stdin.write(write_job(house.job()))
        run.stdin.close()
        run.stdin = None
        try:
            run.wait(timeout=whole * seeded.uniform(0.2, 1.1))
        except subprocess.TimeoutExpired:
            run.kill()
            killed += 1
        else:
            whole = min(whole, time.monotonic() - started)  # the machine was busier when it was measured
        run.communicate()
        version = current(house)
        assert version.notice == ""
        assert version.identity in identities
        letter = "a" if blocked(version, "a7.example") else "b"
        assert blocked(version, "a7.example", "b7.example") == [f"{letter}7.example"]
    assert killed == 8
    house.write("own", contents[0])
    assert house.build().alarms == []
    assert blocked(current(house), "a7.example", "b7.example") == ["a7.example"]
    assert not [name for name in os.listdir(house.state / "versions") if not name.isdigit()]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EIO], ids=errno.errorcode.get)
def test_refused_every_change_from_any_one_on_it_says_so_and_the_next_build_completes(house: House, number: int) -> None:
    """At each change one after the other the disk begins to refuse: an error with a remedy, the last version whole, and nothing left in the way."""
    house.more["keep_versions"] = 2
    contents = ["own.example\n", "new.example\n"]
    for content in contents * 2:
        house.write("own", content)
        house.build()
    for step in range(1, 200):
        before = current(house).identity
        house.write("own", contents[(step + 1) % 2])
        said, tell = os.pipe()
        child = os.fork()
        if child == 0:
            with refused_at(step, number):
                try:
                    text = f"built {house.build().alarms}"
                except DiskError as error:
                    text = f"refused {error}"
                except BaseException as error:
                    text = f"broken {error!r}"
                os.write(tell, text.encode())
            os._exit(0)
        os.waitpid(child, 0)
        os.close(tell)
        with open(said, encoding="utf-8") as pipe:
            text = pipe.read()
        version = current(house)
        assert version.notice == "", text
        assert text.startswith(("refused ", "built ")), text
        if text == "built []":
            break
        if text.startswith("refused"):
            assert os.strerror(number) in text
            assert "; the last good version stays in force" in text
            # Refused after the last rename, the version is in force all the same: what failed is to make it sure against a power cut.
            assert version.identity == before or "putting version" in text
        house.build()
        assert current(house).identity != before
        assert not [name for name in os.listdir(house.state / "versions") if not name.isdigit()]
        assert not [name for name in os.listdir(house.state) if name.endswith(".new")]
    assert 25 < step < 199, "so few changes to the disk would mean that they were not seen"
