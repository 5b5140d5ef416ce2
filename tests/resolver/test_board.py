"""A worker's figures in shared memory: each number in its place, read whole, also after the process that wrote them was killed."""

from __future__ import annotations

import math
import os
import signal
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from redhand.figures import Figures, total
from resolver import board
from resolver.board import FAMILIES, Board, Series
from tests.tools import DEADLINE

ROOT = Path(__file__).resolve().parents[2]
JOB = {
    "upstreams": [{"address": "192.0.2.1:53"}, {"address": "[2001:db8::1]:53"}],
    "settings": {
        "groups": [{"name": "schools"}],
        "zones": [{"zone": "corp.example", "upstreams": [{"address": "192.0.2.1:53"}, {"address": "192.0.2.9:53"}]}],
    },
}  # fmt: skip
LAYOUT = board.of_job(JOB)


def test_the_layout_follows_from_the_job_and_every_series_is_explained() -> None:
    assert board.of_job(JOB) == LAYOUT
    assert len(set(LAYOUT)) == len(LAYOUT), "no series stands on the board twice"
    assert {series.name for series in LAYOUT} <= FAMILIES.keys()
    assert {dict(series.labels)["upstream"] for series in LAYOUT if series.name == "upstream_sent"} == {
        "192.0.2.1:53", "[2001:db8::1]:53", "192.0.2.9:53",
    }  # fmt: skip
    assert {dict(series.labels)["group"] for series in LAYOUT if series.name == "cache_entries"} == {"everyone", "schools"}


def test_numbers_come_back_as_they_were_written() -> None:
    file = board.make(LAYOUT)
    assert board.read(file, LAYOUT) == [0.0] * len(LAYOUT), "nobody has written yet"
    values = [float(number * 3) for number in range(len(LAYOUT))]
    values[1] = 2.0**53 - 1
    Board(file, LAYOUT).write(values)
    assert board.read(file, LAYOUT) == values
    os.close(file)


def test_a_board_of_another_layout_is_not_misread() -> None:
    file = board.make(LAYOUT)
    Board(file, LAYOUT[:-1]).write([7.0] * (len(LAYOUT) - 1))
    assert board.read(file, LAYOUT) == [0.0] * len(LAYOUT)
    with pytest.raises(ValueError, match="no room"):
        Board(file, [*LAYOUT, Series("waited")])
    os.close(file)


def test_a_worker_gone_wrong_can_neither_shrink_its_board_nor_poison_the_sums() -> None:
    file = board.make(LAYOUT)
    with pytest.raises(OSError, match="not permitted"):
        os.ftruncate(file, 8)
    writer = Board(file, LAYOUT)
    writer.write([math.nan, math.inf, -1.0, 5.0, *[0.0] * (len(LAYOUT) - 4)])
    assert board.read(file, LAYOUT)[:4] == [0.0, 0.0, 0.0, 5.0]
    os.pwrite(file, struct.pack("8s", b"nonsense"), 0)
    assert board.read(file, LAYOUT) == [0.0] * len(LAYOUT)
    os.close(file)


WRITER = """
import sys
from resolver.board import Board, layout
series = layout([], ["everyone"])
written = Board(int(sys.argv[1]), series)
number = 0.0
while True:
    number += 1
    written.write([number] * len(series))
    if number == 1000:
        print("on", flush=True)
"""


def test_what_a_killed_process_counted_stays_and_sums_never_go_down() -> None:
    figures = Figures()
    job = {"upstreams": [], "settings": {"groups": [], "zones": []}}
    before = 0.0
    for _ in range(3):
        file = figures.begin("worker-1", job)
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(file)], pass_fds=(file,), cwd=ROOT, stdout=subprocess.PIPE)
        try:
            assert writer.stdout is not None
            assert writer.stdout.readline() == b"on\n"
            for _ in range(100):
                now = total(figures.of_slots(), "lookups")
                assert now >= before
                before = now
        finally:
            writer.send_signal(signal.SIGKILL)
            writer.wait(DEADLINE)
            writer.stdout.close()
        killed = total(figures.of_slots(), "lookups")
        assert killed >= before >= 1000
        figures.end(file)
        assert total(figures.of_slots(), "lookups") == killed, "what stood on the board of the dead is part of the sum"
        assert total(figures.of_slots(), "lookups_in_flight") == 0, "but nothing of it is in flight any more"
        before = killed
    assert before >= 3000


def test_two_processes_of_one_slot_count_together_and_the_newest_says_how_things_are() -> None:
    figures = Figures()
    old, new = (figures.begin("worker-1", JOB) for _ in range(2))
    for file, number in ((old, 5.0), (new, 2.0)):
        Board(file, LAYOUT).write([number] * len(LAYOUT))
    assert total(figures.of_slots(), "waited") == 7
    assert total(figures.of_slots(), "list_serial") == 2
    figures.end(old)
    assert total(figures.of_slots(), "waited") == 7
    figures.end(new)
