"""What is wrong with the block list, as `redhand status` shows it: since when, and what to do; and that it ends by itself once it is mended."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from blocklists import store
from tests.faults.rig import ELSEWHERE, SITE, Installation, Load
from tests.resolver.servers import UNMEASURED
from tests.tools import wait_for

SLOW = 1.0
"""Seconds after which these tests have a build called late: a minute as it is delivered."""


def shown(house: Installation, alarm: str) -> tuple[int, str, str]:
    """One of the supervisor's alarms in `redhand status`: for how many seconds, what is wrong, what to do."""
    found = re.search(rf"^  ALARM     {alarm}, for (\d+) s, says supervisor: (.*)\n {{12}}(.*)$", house.status(), re.MULTILINE)
    assert found is not None, house.status()
    return int(found[1]), found[2], found[3]


def spoil(house: Installation) -> None:
    """Cuts off the middle of every version's names, as a bad disk may."""
    for path in (house.state / "versions").glob(f"*/{store.ENTRIES}"):
        content = path.read_bytes()
        path.unlink()
        path.write_bytes(content[: len(content) // 2])


def test_a_build_that_takes_too_long_is_an_alarm_until_it_ends(tmp_path: Path) -> None:
    """The disk of state_dir hangs under the builder."""
    house = Installation(tmp_path, workers=1)
    sign = tmp_path / "hangs"
    with house.running(
        before=f"from redhand import supervisor; supervisor.BUILD_SLOW = {SLOW}", PYTHONPATH=SITE, HANGING_DISK=f"{house.state}:{sign}"
    ):
        load = Load(house.dns, {"listed.example": "NXDOMAIN", "later.example": ELSEWHERE})
        sign.touch()
        try:
            house.write_list("listed.example", "added.example")
            house.alarm("list late")
            seconds, what, remedy = shown(house, "list late")
        finally:
            sign.unlink()
        house.over("list late")
        house.until("added.example", "NXDOMAIN")
        print(load.finish())
        assert 0 <= seconds < 30
        assert what == f"the block list's next version has been under way for {SLOW:g} s; the one in force stays"
        assert remedy == "see whether the disks of state_dir and of the sources are slow, or the machine is out of memory"
        assert "list late" not in house.status()


def test_a_list_found_damaged_is_an_alarm_until_it_is_built_anew(tmp_path: Path) -> None:
    house = Installation(tmp_path, workers=1)
    with house.running():
        load = Load(house.dns, {"listed.example": "NXDOMAIN"})
        spoil(house)
        house.write_list("listed.example", "later.example")
        house.alarm("list damaged")
        house.until("later.example", "NXDOMAIN")
        ended = house.over("list damaged")
        print(f"over {ended:.1f} s after the new list was in force; {load.finish()}")
        (said,) = (line for line in house.log.splitlines() if "ALARM list damaged (supervisor):" in line)
        assert "/versions/1/" in said, "the file is named"
        assert said.endswith("; if it does not end by itself, run: redhand blocklist build")
        assert "list damaged" not in house.status()


def test_a_damaged_pin_is_an_alarm_until_it_is_unpinned(tmp_path: Path) -> None:
    """What was in force stays until then: a pin that cannot be read still was one."""
    house = Installation(tmp_path, workers=1)

    def command(*arguments: str) -> None:
        subprocess.run(
            [sys.executable, "-P", "-m", "redhand", "blocklist", *arguments], cwd=tmp_path, env=UNMEASURED, capture_output=True, check=True
        )

    with house.running():
        command("rollback", "1", "--reason", "a test")
        (house.state / "pin").write_text("{")
        house.write_list("listed.example", "later.example")
        house.alarm("list damaged")
        wait_for(lambda: shown(house, "list damaged")[0] > 3, "it to be looked at again")
        assert house.log.count("pinned to version 1") == 1, "what stays as it is, is told once"
        seconds, what, remedy = shown(house, "list damaged")
        assert 3 < seconds < 30
        assert what.startswith(f"{house.state}/pin is damaged (")
        assert "run: redhand blocklist unpin" in what
        assert remedy == "if it does not end by itself, run: redhand blocklist build"
        house.until("later.example", ELSEWHERE)
        command("unpin")
        house.over("list damaged")
        wait_for(lambda: "list damaged" not in house.status(), "the status to say so")
        house.until("later.example", "NXDOMAIN")
