"""A process that is killed at any instant loses no evidence that it acknowledged, and what it leaves in the store is found and taken out."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from authority.desk.evidence import checking, sweeping
from authority.desk.evidence.sweeping import GRACE, Swept
from authority.desk.roles import SETUP
from authority.desk.tables import Evidence
from tests.authority.desk.evidence.house import MARK, NOW, House, house, objects, sha256
from tests.tools import wait_for

TIME = int(time.time())
"""Files have the machine's own times."""


def run(directory: Path, *when: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-m", "tests.authority.desk.evidence.killed", str(directory), *when], stdout=subprocess.PIPE, text=True)


def acknowledged(said: str) -> dict[int, str]:
    """What whole lines say."""
    return {int(line.split()[0]): line.split()[1] for line in said.splitlines(keepends=True) if line.endswith("\n")}


def test_what_was_killed_between_store_and_row_leaves_an_orphan_which_is_swept(home: House, tmp_path: Path) -> None:
    with run(tmp_path, "put") as process:
        said = process.communicate(timeout=60)[0]
    kept = acknowledged(said)
    assert len(kept) == 2
    assert len(stored(tmp_path)) == 3
    assert {number: sha256(home.text(number)) for number in kept} == kept
    assert sweeping.sweep(home.desk, TIME + GRACE // 2) == Swept(0, 0, 0, 0), "it may be an upload that is under way"
    assert sweeping.sweep(home.desk, TIME + 2 * GRACE) == Swept(0, 1, 0, 0)
    assert len(stored(tmp_path)) == 2
    assert checking.verify(home.desk, SETUP, NOW).faults == ()
    assert len(home.audited("evidence.orphans")) == 1


def test_what_was_killed_while_it_came_leaves_a_part_that_nobody_can_read_and_that_is_swept(home: House, tmp_path: Path) -> None:
    with run(tmp_path, "coming") as process:
        assert len(acknowledged(process.communicate(timeout=60)[0])) == 2
    (part,) = set(objects(tmp_path)) - set(stored(tmp_path))
    assert part.stat().st_mode & 0o077 == 0
    assert sweeping.sweep(home.desk, TIME + GRACE // 2) == Swept(0, 0, 0, 0)
    assert sweeping.sweep(home.desk, TIME + 2 * GRACE) == Swept(0, 0, 0, 1)
    assert objects(tmp_path) == stored(tmp_path)
    assert checking.verify(home.desk, SETUP, NOW)[:1] == (2,)


def test_what_was_killed_after_the_row_is_evidence(home: House, tmp_path: Path) -> None:
    with run(tmp_path, "row") as process:
        assert len(acknowledged(process.communicate(timeout=60)[0])) == 2
    assert checking.verify(home.desk, SETUP, NOW)[0] == 3
    assert sweeping.sweep(home.desk, TIME + 2 * GRACE).orphans == 0


def test_killed_at_random_instants_it_loses_nothing_acknowledged(home: House, tmp_path: Path) -> None:
    seed = int(os.environ.get("SEED", time.time_ns() % 1_000_000))
    print("seed", seed)
    chance = random.Random(seed)
    kept: dict[int, str] = {}
    for turn in range(4):
        output = tmp_path / f"said-{turn}"
        with (
            output.open("w") as file,
            subprocess.Popen([sys.executable, "-m", "tests.authority.desk.evidence.killed", str(tmp_path)], stdout=file) as process,
        ):
            lines = chance.randrange(1, 8)
            wait_for(lambda output=output, lines=lines: output.read_text().count("\n") >= lines, "some are acknowledged")
            for _ in range(chance.randrange(200_000)):
                pass  # somewhere within the next
            process.kill()
        kept |= acknowledged(output.read_text())
    assert {number: sha256(home.text(number)) for number in kept} == kept
    report = checking.verify(home.desk, SETUP, NOW)
    assert report.faults == ()
    assert report.checked >= len(kept)
    sweeping.sweep(home.desk, TIME + 2 * GRACE)
    assert len(stored(tmp_path)) == report.checked
    assert {number: sha256(home.text(number)) for number in kept} == kept


def test_what_was_shredded_and_not_yet_taken_out_when_all_ended_is_taken_out_later(anywhere: House) -> None:
    kept = anywhere.add()
    anywhere.shredded(kept.id)
    octets = b"".join(anywhere.desk.vault.objects.read(kept.address))
    assert sweeping.sweep(anywhere.desk, NOW).shredded == 1
    assert sweeping.sweep(anywhere.desk, NOW).shredded == 0
    assert list(anywhere.desk.vault.objects.every()) == []
    # A backup of the store brings it back.
    with anywhere.desk.vault.objects.incoming([octets]) as (address, path):
        anywhere.desk.vault.objects.put(address, path)
    assert sweeping.sweep(anywhere.desk, TIME + 2 * GRACE).orphans == 1
    assert list(anywhere.desk.vault.objects.every()) == []


def test_a_wrong_database_does_not_empty_the_store(anywhere: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeping, "FEW", 3)
    monkeypatch.setattr(sweeping, "PIECE", 2)
    kept = [anywhere.add() for _ in range(5)]
    with anywhere.desk.store.writing() as session:
        session.query(Evidence).delete()
    done = sweeping.sweep(anywhere.desk, TIME + 2 * GRACE)
    assert (done.orphans, done.withheld) == (0, 5)
    assert {each.address for each in anywhere.desk.vault.objects.every()} == {each.address for each in kept}


def test_what_is_no_object_is_left_alone(home: House, tmp_path: Path) -> None:
    home.add(MARK)
    other = tmp_path / "authority" / "desk" / "evidence" / "README"
    other.write_text("somebody's own")
    assert sweeping.sweep(home.desk, TIME + 2 * GRACE) == Swept(0, 0, 0, 0)
    assert other.read_text() == "somebody's own"


def stored(directory: Path) -> list[Path]:
    return [path for path in objects(directory) if path.parent.name != "incoming"]


def test_two_desks_on_one_store_read_the_same(home: House, tmp_path: Path) -> None:
    kept = home.add(MARK)
    other = house(tmp_path, people=False)
    assert other.text(kept.id) == MARK
    other.desk.close()
