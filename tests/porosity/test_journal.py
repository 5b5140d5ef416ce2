"""What was observed stays observed: killed at any instant, cut anywhere, with a disk that refuses; nothing twice and nothing lost."""

from __future__ import annotations

import errno
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blocklists.errors import Busy, DiskError, StoreError
from porosity import observations, order, parts, segments
from porosity.journal import Journal
from porosity.study import Study
from tests.porosity.studies import made, observed
from tests.tools import wait_for

SEED = 20261122


def recorded(of: Study, vantage: str = "here") -> list[tuple[int, int]]:
    """Trial and ask of everything on record, sorted."""
    table = observations.scan(of, [vantage]).to_table()
    return sorted(zip(table.column("trial").to_pylist(), table.column("ask").to_pylist(), strict=True))


def sealed(of: Study) -> list[int]:
    return parts.numbers(of.observations("here"))


def left(of: Study) -> list[int]:
    return segments.numbers(of.observations("here") / segments.FOLDER)


def test_what_is_appended_is_read_before_and_after_it_is_sealed(tmp_path: Path) -> None:
    of = made(tmp_path / "study")
    trials = list(order.trials(of.plan))
    rows = [row for trial in trials[:50] for row in observed(of, trial, asks=2)]
    with Journal(of, "here") as journal:
        journal.append(rows[:60])
        journal.append(rows[60:])
        assert all(trial in journal.done for trial in trials[:50])
        assert recorded(of) == sorted((row.trial, row.ask) for row in rows)
        assert (sealed(of), left(of)) == ([], [1])
        journal.seal()
        assert (sealed(of), left(of)) == ([1], [])
        journal.seal()
        journal.append(observed(of, trials[50]))
    found = list(observations.rows(observations.scan(of).to_table()))
    assert sorted(found, key=lambda row: (row.trial, row.ask)) == sorted([*rows, *observed(of, trials[50])], key=lambda row: (row.trial, row.ask))
    assert len(observations.done(of, "here")) == 51
    assert parts.about(of.observations("here") / parts.name(1)) == {"plan": of.plan.id, "vantage": "here"}


def test_segments_become_parts_when_they_are_full(tmp_path: Path) -> None:
    of = made(tmp_path / "study")
    trials = list(order.trials(of.plan))
    for start in range(0, 100, 25):  # each run goes on where the one before was left
        with Journal(of, "here", segment_rows=10) as journal:
            for trial in trials[start : start + 25]:
                journal.append(observed(of, trial))
    assert sealed(of) == list(range(1, 11))
    assert left(of) == []
    assert recorded(of) == [(trial, 0) for trial in sorted(trials[:100])]


def test_a_trial_is_on_record_once_and_whole(tmp_path: Path) -> None:
    of = made(tmp_path / "study")
    with Journal(of, "here") as journal:
        journal.append(observed(of, 5, asks=2))
        before = recorded(of)
        for rows, says in [
            (observed(of, 5), "trial 5 is on record"),
            ([*observed(of, 6), *observed(of, 6)], "ask 0 of trial 6 is there twice"),
            ([*observed(of, 7), replace(observed(of, 8)[0], trial=of.plan.trials)], "is not in the plan"),
        ]:
            with pytest.raises(ValueError, match=says):
                journal.append(rows)
            assert recorded(of) == before
        journal.append([])
        journal.append(observed(of, 6))


def test_one_process_writes_for_a_vantage(tmp_path: Path) -> None:
    of = made(tmp_path / "study")
    with Journal(of, "here"):
        with pytest.raises(Busy, match="another process writes the observations of here"):
            Journal(of, "here")
        with Journal(of, "there") as other:
            other.append(observed(of, 1))
    with Journal(of, "here") as journal:
        assert 1 not in journal.done
    assert of.vantages() == ["here", "there"]
    with pytest.raises(StoreError, match="cannot name a vantage"):
        Journal(of, "../elsewhere")


def test_observations_of_another_plan_are_refused(tmp_path: Path) -> None:
    of, other = made(tmp_path / "study"), made(tmp_path / "other", seed=8)
    for sealing in (False, True):
        with Journal(of, "here") as journal:
            journal.append(observed(of, int(sealing)))
            if sealing:
                journal.seal()
        folder = other.observations("here")
        folder.parent.mkdir(exist_ok=True)
        if not folder.exists():
            os.symlink(of.observations("here"), folder)
        with pytest.raises(StoreError, match=r"(for|of) another plan"):
            observations.done(other, "here")
        with pytest.raises(StoreError, match=r"(for|of) another plan"):
            Journal(other, "here")
    assert len(recorded(of)) == 2


class Killed(BaseException):
    """Stands for the kernel's: nothing after it was done."""


STEPS = (
    (os, "open"), (os, "write"), (os, "fdatasync"), (os, "fsync"), (os, "ftruncate"), (os, "unlink"),
    (Path, "unlink"), (Path, "rename"), (Path, "mkdir"),
)  # fmt: skip
"""Every call by which these modules change a disk."""


@contextmanager
def killed_at(step: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Nothing more reaches the disk from the so-manyeth change on; a write may have got half its octets through."""
    count = [0]

    def dying(real: Callable[..., Any], name: str) -> Callable[..., Any]:
        def call(*args: Any, **more: Any) -> Any:
            count[0] += 1
            if count[0] < step:
                return real(*args, **more)
            if count[0] == step and name == "write":
                real(args[0], bytes(args[1])[: len(args[1]) // 2])
            raise Killed

        return call

    with monkeypatch.context() as patched:
        for owner, name in STEPS:
            patched.setattr(owner, name, dying(getattr(owner, name), name))
        yield count


def test_killed_at_any_change_of_the_disk_nothing_is_lost_or_doubled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run over segments and parts, killed at its first change of the disk, at its second, and so on until it gets through; then gone on with."""
    of = made(tmp_path / "study", listed=4)
    trials = list(order.trials(of.plan))[:9]
    step = 0
    finished = False
    while not finished:
        step += 1
        vantage = f"killed-{step}"
        acknowledged: list[int] = []
        journal: Journal | None = None
        with killed_at(step, monkeypatch):
            try:
                journal = Journal(of, vantage, segment_rows=4)
                for trial in trials[:7]:
                    journal.append(observed(of, trial, asks=2))
                    acknowledged.append(trial)
                journal.seal()
                finished = True
            except Killed:
                pass
        _die(journal)
        now = recorded(of, vantage)
        assert {trial for trial, _ in now} >= set(acknowledged), step
        assert now == [(trial, ask) for trial in sorted({trial for trial, _ in now}) for ask in (0, 1)], step
        with Journal(of, vantage, segment_rows=100) as again:
            assert recorded(of, vantage) == now, step
            assert len(again.done) == len(now) / 2, step
            for trial in trials:
                if trial not in again.done:
                    again.append(observed(of, trial, asks=2))
        assert recorded(of, vantage) == sorted((trial, ask) for trial in trials for ask in (0, 1)), step
    assert step > 45, "there are more changes of the disk than that"


def _die(journal: Journal | None) -> None:
    """What the kernel does for a process that is gone: its descriptors are closed, its lock with them."""
    if journal is not None:
        journal.close()


@settings(max_examples=60)
@given(st.data())
def test_a_segment_cut_anywhere_keeps_what_was_whole(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Invariant: of frames of any sizes, cut at any octet and with anything behind the cut, those before it are read, and no other."""
    payloads = data.draw(st.lists(st.binary(max_size=60), min_size=1, max_size=6))
    frames = [segments.frame(b"plan"), *map(segments.frame, payloads)]
    whole = b"".join(frames)
    cut = data.draw(st.integers(0, len(whole)))
    rubbish = data.draw(st.sampled_from([b"", b"\0" * 40, b"RHJ1", b"RHJ1\xff\xff\xff\xff\0\0\0\0", b"\xff" * 9]))
    file = tmp_path_factory.mktemp("segment") / "000001"
    file.write_bytes(whole[:cut] + rubbish)
    # What stands behind the cut may be the very octets that were cut off.
    sound = cut + next((count for count in range(len(rubbish), 0, -1) if whole.startswith(rubbish[:count], cut)), 0)
    found = segments.read(file)
    ends = [sum(map(len, frames[: count + 1])) for count in range(len(frames))]
    count = sum(end <= sound for end in ends)
    assert found == (("plan", payloads[: count - 1], ends[count - 1]) if count else ("", [], 0))


def test_a_segment_damaged_in_its_middle_is_refused_rather_than_cut(tmp_path: Path) -> None:
    of = made(tmp_path / "study")
    with Journal(of, "here") as journal:
        for trial in range(3):
            journal.append(observed(of, trial))
    file = segments.path(of.observations("here") / segments.FOLDER, 1)
    whole = file.read_bytes()
    place = whole.index(b"query1")
    file.write_bytes(whole[:place] + b"Q" + whole[place + 1 :])
    for look in (lambda: recorded(of), lambda: Journal(of, "here")):
        with pytest.raises(StoreError, match=r"journal/000001 is damaged at octet \d+, before sound observations"):
            look()
    file.write_bytes(whole)
    assert len(recorded(of)) == 3


@pytest.mark.parametrize("names", [("write",), ("fdatasync",), ("write", "ftruncate"), ("open",)], ids="-".join)
def test_a_disk_that_refuses_takes_the_same_again_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...]) -> None:
    of = made(tmp_path / "study")
    write = os.write

    def refusing(*more: Any, **_: Any) -> Any:
        if "write" in names and len(more) == 2 and isinstance(more[1], bytes | memoryview):
            write(more[0], bytes(more[1])[:20])
        raise OSError(errno.ENOSPC, "No space left on device")

    def refused(journal: Journal, trial: int) -> None:
        with monkeypatch.context() as full:
            for name in names:
                full.setattr(os, name, refusing)
            with pytest.raises(DiskError, match="could not be written: No space left on device"):
                journal.append(observed(of, trial))
        assert trial not in journal.done

    with Journal(of, "here") as journal:
        refused(journal, 1)
        journal.append(observed(of, 1))
        if names != ("open",):  # which only a new segment needs
            refused(journal, 2)
        journal.append(observed(of, 2))
        assert recorded(of) == [(1, 0), (2, 0)]
    with Journal(of, "here") as journal:
        journal.append(observed(of, 3))
        journal.seal()
    assert recorded(of) == [(1, 0), (2, 0), (3, 0)]
    assert left(of) == []


@pytest.mark.parametrize("at", range(1, 5))
def test_what_is_on_record_stays_so_when_it_cannot_be_sealed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int) -> None:
    """Whichever of the flushes and renames of sealing the disk refuses."""
    of = made(tmp_path / "study")
    trials = list(order.trials(of.plan))[:6]
    count = [0]

    def refusing(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **more: Any) -> Any:
            count[0] += 1
            if count[0] == at:
                raise OSError(errno.ENOSPC, "No space left on device")
            return real(*args, **more)

        return call

    with Journal(of, "here", segment_rows=3) as journal:
        for trial in trials[:2]:
            journal.append(observed(of, trial))
        with monkeypatch.context() as full:
            full.setattr(os, "fsync", refusing(os.fsync))
            full.setattr(Path, "rename", refusing(Path.rename))
            full.setattr(Path, "unlink", refusing(Path.unlink))
            journal.append(observed(of, trials[2]))
        for trial in trials[3:5]:
            journal.append(observed(of, trial))
        assert recorded(of) == [(trial, 0) for trial in sorted(trials[:5])]
    with Journal(of, "here", segment_rows=3) as journal:
        journal.append(observed(of, trials[5]))
        journal.seal()
        assert recorded(of) == [(trial, 0) for trial in sorted(trials)]
        assert left(of) == []


CHILD = """
import sys
from pathlib import Path
from porosity import order, study
from porosity.journal import Journal
from tests.porosity.studies import observed
of = study.open(Path(sys.argv[1]))
with Journal(of, "here", segment_rows=40) as journal:
    waiting = [trial for trial in order.trials(of.plan, journal.done)]
    print("ready", flush=True)
    for start in range(0, len(waiting), 5):
        journal.append([row for trial in waiting[start : start + 5] for row in observed(of, trial, asks=2)])
        print(*waiting[start : start + 5], flush=True)
    journal.seal()
"""


def test_killed_with_signal_9_it_goes_on_where_it_was(tmp_path: Path) -> None:
    """Real processes, killed as they write, until all is on record; what one had acknowledged is never measured again."""
    of = made(tmp_path / "study", listed=60)
    drawn = random.Random(SEED)
    print(f"seed {SEED}")
    acknowledged: list[int] = []
    for turn in range(3):
        child = subprocess.Popen([sys.executable, "-c", CHILD, str(of.directory)], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        wanted = drawn.randrange(1, 40) if turn < 2 else of.plan.trials
        for _ in range(wanted):
            if not (line := child.stdout.readline()):
                break
            acknowledged += map(int, line.split())
        child.send_signal(signal.SIGKILL)
        more = child.stdout.read().splitlines()
        child.wait()
        child.stdout.close()
        # The last line may be cut short: it was not acknowledged in full.
        acknowledged += [int(trial) for line in more if len(line.split()) == 5 for trial in line.split()][: len(more) * 5]
        found = recorded(of)
        assert found == sorted(set(found)), "nothing twice"
        assert {trial for trial, _ in found} >= set(acknowledged), "nothing lost"
        assert len(acknowledged) == len(set(acknowledged)), "nothing measured again that was acknowledged"
    assert recorded(of) == [(trial, ask) for trial in range(of.plan.trials) for ask in (0, 1)]
    wait_for(lambda: not left(of), "all sealed")


def test_a_reader_beside_the_writer_sees_each_observation_once(tmp_path: Path) -> None:
    """Whatever is sealed while it reads."""
    of = made(tmp_path / "study", listed=6)
    with Journal(of, "here", segment_rows=7) as journal:
        for count, trial in enumerate(order.trials(of.plan), 1):
            journal.append(observed(of, trial))
            if count % 13 == 0:
                assert len(recorded(of)) == len(set(recorded(of))) == count


def test_a_segment_sealed_between_two_looks_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    of = made(tmp_path / "study")
    with Journal(of, "here") as journal:
        journal.append(observed(of, 1))
        real = segments.read

        def sealing(file: Path) -> segments.Read:
            found = real(file)
            monkeypatch.setattr(segments, "read", real)
            journal.seal()
            return found

        monkeypatch.setattr(segments, "read", sealing)
        assert recorded(of) == [(1, 0)]
        assert left(of) == []
