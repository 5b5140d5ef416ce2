"""What leaves a machine: nothing without a list, a contact and a run; then no more than was agreed to. Seen at the other end of the cable."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from porosity.ethics import LAB_MARK
from porosity.lab.spaces import PROGRAMS, Machine, cable
from tests.resolver.servers import ENVIRONMENT
from tests.tools import DEADLINE, require, require_root, wait_for

ROOT = Path(__file__).resolve().parents[2]
HERE, THERE = "10.77.13.1", "10.77.13.2"
"""On a cable between two namespaces, which nobody else has an end of."""
RATE = 5
LISTENER = """
import socket, sys, time
seen = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
print("listens", flush=True)
while True:
    packet, (_, protocol, kind, *_) = seen.recvfrom(65535)
    if protocol == 0x800 and kind == 0 and packet[9] in (6, 17):
        print(time.monotonic(), int.from_bytes(packet[(packet[0] & 15) * 4 + 2:][:2], "big"), flush=True)
"""


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Machine, Path]]:
    """A machine, and what arrives at the other end of its cable: times and ports. Nobody answers there."""
    require_root()
    for program in PROGRAMS:
        require(program)
    seen = tmp_path_factory.mktemp("far") / "seen"
    with Machine("prober") as one, Machine("asked") as other, closing(seen.open("wb")) as log:
        cable(one, other, [f"{HERE}/24"], [f"{THERE}/24"])
        other.start(sys.executable, "-c", LISTENER, cwd=ROOT, log=log)
        wait_for(lambda: b"listens" in seen.read_bytes(), "who listens")
        yield one, seen


def arrived(seen: Path) -> list[tuple[float, int]]:
    return [(float(time), int(port)) for time, port in (line.split() for line in seen.read_text().splitlines()[1:] if line.count(" ") == 1)]


def test_the_labs_addresses_are_asked_by_its_machines_alone(far: tuple[Machine, Path], tmp_path: Path) -> None:
    one, seen = far
    one.ip([f"link delete {LAB_MARK}", f"route add default via {THERE}"])
    (tmp_path / "names.txt").write_text("n.test\n")
    study = ("--study", str(tmp_path / "study"), "--neighbours", "0", "--timeout", "0.2")
    words = ("porosity", "probe", str(tmp_path / "names.txt"), "--resolver", "theirs=192.0.2.53", "--canary", "ok.example", *study)
    line = one.command(sys.executable, "-P", "-m", "redhand", *words)
    done = subprocess.run(line, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode != 0
    assert "192.0.2.53 is an address for documentation and labs" in " ".join(done.stderr.split())
    assert arrived(seen) == []


def test_only_what_was_agreed_to_leaves(far: tuple[Machine, Path], tmp_path: Path) -> None:
    one, seen = far
    (tmp_path / "names.txt").write_text("".join(f"n{number}.test\n" for number in range(40)))
    (tmp_path / "agreed.txt").write_text(f"{THERE}\n")

    def command(study: str, *more: str) -> list[str]:
        resolver = f"theirs={THERE},tls://{THERE},https://{THERE},quic://{THERE}"
        words = ("porosity", "probe", str(tmp_path / "names.txt"), "--resolver", resolver, "--canary", "ok.example", "--study", str(tmp_path / study))
        return one.command(sys.executable, "-P", "-m", "redhand", *words, "--neighbours", "0", "--timeout", "0.2", *more)

    def said(study: str, *more: str) -> str:
        done = subprocess.run(command(study, *more), cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, timeout=120, check=False)
        return done.stdout + done.stderr

    agreed = ("--allow", str(tmp_path / "agreed.txt"), "--contact", "me@university.example")
    assert "--allow" in said("none")
    told = json.loads(said("rehearsed", *agreed, "--dry-run", "--json"))
    assert {each["address"] for each in told["servers"]} == {THERE}
    assert arrived(seen) == [], "nothing left the machine"
    with subprocess.Popen(command("asked", *agreed), cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
        try:
            wait_for(lambda: len(arrived(seen)) >= 3 or running.poll() is not None, "the first questions", 60)
            assert "another process of yours asks" in said("again", *agreed)
            wait_for(lambda: len(arrived(seen)) >= 12 or running.poll() is not None, "more of them", 60)
        finally:
            running.kill()
            running.wait(DEADLINE)
    times = [time for time, _ in arrived(seen)]
    assert len(times) >= 12
    assert {port for _, port in arrived(seen)} <= {53, 443, 853}
    # What is killed here is nsenter(1); what it began goes with its machine. A refused connection, or a QUIC packet again, is one more.
    assert max(sum(first <= each < first + 1 for each in times) for first in times) <= RATE + 2
