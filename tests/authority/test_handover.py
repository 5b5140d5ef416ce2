"""`redhand authority publish` while the server runs: it publishes, once, whatever is killed; what lifts waits for no log to be read."""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from authority import handover
from authority.drafts import draft_order, rotate
from authority.errors import AuthorityError
from authority.packets import Packet
from authority.publisher import Publisher
from blocklists.errors import RedHandError
from blocklists.log import entry as entries
from blocklists.log.tree import Tree
from tests.authority.cast import NOW, Cast, following, found, order, signed
from tests.authority.feeding import Server, serving
from tests.tools import DEADLINE, wait_for


@pytest.fixture(scope="module")
def cast() -> Cast:
    return Cast()


def ids(directory: Path) -> list[str]:
    """What the log holds, in its order."""
    tree = Tree(directory / "public" / "log")
    read = [entries.read(data).envelope for data in tree.entries(0, tree.size)]
    return [json.loads(each.payload)["id"] for each in read if each is not None]


def keeper(server: Server) -> psutil.Process:
    """The process that publishes."""
    found: list[psutil.Process] = []

    def there() -> bool:
        with contextlib.suppress(psutil.NoSuchProcess):  # one that was just killed may be a zombie for a moment
            found[:] = [each for each in psutil.Process(server.process.pid).children() if "authority.keeper" in each.cmdline()]
            return bool(found)
        return False

    wait_for(there, "the keeper runs")
    return found[0]


def command(directory: Path, *files: Path) -> subprocess.Popen[str]:
    arguments = [sys.executable, "-m", "redhand", "authority", "publish", str(directory), *map(str, files)]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def published(directory: Path, *files: Path) -> tuple[int, str]:
    with command(directory, *files) as process:
        out, err = process.communicate(timeout=DEADLINE)
    return process.returncode, out + err


def filed(packet: Packet, path: Path) -> Path:
    path.write_bytes(packet.encode())
    return path


def test_the_server_publishes_what_the_command_hands_it(cast: Cast, tmp_path: Path) -> None:
    here = tmp_path / ("long" * 40) / "authority"  # longer than a socket's name may be
    here.parent.mkdir()
    found(cast, here, int(time.time()))
    first = filed(signed(cast, here, order("XX-1")), tmp_path / "1.packet.json")
    bad = filed(cast.sign(draft_order(here, order("XX-2")), "north-1"), tmp_path / "2.packet.json")
    with serving(here) as server:
        assert stat.S_IMODE((here / handover.NAME).stat().st_mode) == 0o600
        status, said = published(here, first)
        assert (status, "XX-1: entry 0 of the log" in said) == (0, True), said
        server.said("published XX-1: entry 0")
        status, said = published(here, first)
        assert (status, "it was there already" in said) == (0, True), said
        status, said = published(here, bad)
        assert status != 0
        assert "2 officers of one authority must sign it, and 1 did" in said
        policy_too = cast.sign(rotate(here, "targets", int(time.time()))[0], "targets-1", "targets-2")
        status, said = published(here, filed(policy_too, tmp_path / "t.packet.json"))
        assert (status, "targets 2" in said) == (0, True), said
        with pytest.raises(AuthorityError, match="is served by another process already"):
            handover.opened(here)
    assert ids(here) == ["XX-1"]
    assert not (here / handover.NAME).exists()
    assert published(here, first)[0] == 0, "without a server the command publishes itself"


def test_a_request_that_is_cut_short_publishes_nothing(cast: Cast, tmp_path: Path) -> None:
    here = tmp_path / "authority"
    found(cast, here, int(time.time()))
    packet = signed(cast, here, order("XX-1"))
    with serving(here) as server:
        wire = json.dumps({"packets": [packet.encode().decode()]}).encode()
        for sent in (wire[:-1], wire[: len(wire) // 2], b"", b"[]", b'{"packets": 1}', b'{"packets": [1]}', b'{"packets": ["{}"]}'):
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(DEADLINE)
                connection.connect(str(here / handover.NAME))
                connection.sendall(sent)
                connection.shutdown(socket.SHUT_WR)
                assert b"published" not in connection.makefile("rb").read()
        assert Tree(here / "public" / "log").size == 0
        done = handover.hand_over(here, [packet], print)
        assert done is not None
        assert done.size == 1, "and the server goes on"
        assert server.process.poll() is None


def test_whatever_is_killed_each_order_is_logged_once(cast: Cast, tmp_path: Path) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    dice = random.Random(seed)
    here = tmp_path / "authority"
    found(cast, here, int(time.time()), limits={"names_per_hour": 100, "names_per_day": 100})
    files = [filed(signed(cast, here, order(f"XX-{number}", f"n{number}.site.test")), tmp_path / f"{number}.packet.json") for number in range(4)]
    with serving(here) as server:
        for number, file in enumerate(files):
            victim = keeper(server)
            if number % 2:
                victim.suspend()  # it has not even taken the request
            process = command(here, file)
            time.sleep(dice.uniform(0.2, 1.2))  # an instant, not a wait: any will do
            os.kill(victim.pid, signal.SIGKILL)
            out, err = process.communicate(timeout=DEADLINE)
            if process.returncode:
                assert "run the same command again" in err, out + err
            wait_for(lambda victim=victim: keeper(server).pid != victim.pid, "there is another keeper")  # type: ignore[misc]
            assert published(here, file)[0] == 0
        assert ids(here) == [f"XX-{number}" for number in range(4)]


def test_the_server_completes_what_was_cut_short(cast: Cast, tmp_path: Path) -> None:
    here = tmp_path / "authority"
    now = int(time.time())
    publisher = found(cast, here, now)
    publisher.publish([signed(cast, here, order("XX-1"))], now)
    entry = entries.Entry(now, signed(cast, here, order("XX-2", "two.site.test")).envelope)
    Tree(here / "public" / "log").append([entry.encode()])
    with serving(here):
        wait_for(lambda: b"\n2\n" in (here / "public" / "log" / "checkpoint").read_bytes(), "the checkpoint is of both entries")


LIFTS: dict[str, tuple[Callable[[], dict[str, Any]], str, str]] = {
    "a withdrawal by the reviewer": (lambda: following("XX-1", "withdraw"), "reviewer-1", ""),
    "a suspension": (lambda: following("XX-3", "suspend", expires_at="2026-09-23T12:00:00Z"), "north-1", ""),
    "an order that was withdrawn once more": (lambda: following("XX-2", "withdraw"), "reviewer-1", ""),
    "a review of an amended order": (
        lambda: {
            "id": "XX-3",
            "decision": "recommend_withdrawal",
            "reasons": {"en": "It is too wide."},
            "issued_at": "2026-09-22T00:00:00Z",
        },
        "reviewer-1",
        "",
    ),
    "a nonce that was used": (lambda: following("XX-1", "withdraw", nonce="ab" * 16), "reviewer-1", "the nonce .* was used before"),
}


@pytest.mark.parametrize("case", LIFTS)
def test_what_lifts_is_judged_alike_whether_the_log_was_read_or_not(cast: Cast, tmp_path: Path, case: str) -> None:
    document, who, why = LIFTS[case]
    outcomes: list[str] = []
    for read in (False, True):
        here = tmp_path / str(read)
        publisher = found(cast, here)
        for number in range(5):
            extra = {"nonce": "ab" * 16} if number == 4 else {}
            publisher.publish([signed(cast, here, order(f"XX-{number}", f"n{number}.site.test", **extra))], NOW)
        amended = order("XX-3", "n3.site.test", "n33.site.test", action="amend")
        publisher.publish([signed(cast, here, amended), signed(cast, here, following("XX-2", "withdraw"), "reviewer-1")], NOW)
        publisher = Publisher(here)
        packet = signed(cast, here, document(), who)
        if read:
            publisher.read_on(100)
        assert publisher.unread() == (0 if read else 7)
        assert publisher.unread([packet]) == 0
        try:
            done = publisher.publish([packet], NOW)
            outcomes.append(f"{done.size} {done.orders[0].index}")
            assert publisher.publish([packet], NOW).orders[0].already
            assert publisher.publish([signed(cast, here, order("XX-9", "n9.site.test"))], NOW).size == 9, "what blocks is judged over all of it"
        except RedHandError as error:
            outcomes.append(str(error))
    assert outcomes[0] == outcomes[1]
    assert re.search(why or r"^8 7$", outcomes[0])


def test_a_refusal_spoils_nothing_for_who_comes_after(cast: Cast, tmp_path: Path) -> None:
    here = tmp_path / "authority"
    publisher = found(cast, here)
    publisher.publish([signed(cast, here, order("XX-1", "n1.site.test"))], NOW)
    bad = cast.sign(draft_order(here, order("XX-2", "n2.site.test")), "north-1")
    good = signed(cast, here, order("XX-3", "n3.site.test"))
    for refused in ([bad], [good, bad]):
        with pytest.raises(AuthorityError):
            publisher.publish(refused, NOW)
        assert publisher.unread() in (0, 1)
    done = publisher.publish([good], NOW)
    assert (done.size, done.orders[0].already) == (2, False)
    assert Publisher(here).publish([good], NOW).orders[0].already


def test_a_log_put_back_from_a_backup_is_not_gone_on_with(cast: Cast, tmp_path: Path) -> None:
    """Only its log: what the checkpoint signed last names is not there."""
    here = tmp_path / "authority"
    publisher = found(cast, here)
    publisher.publish([signed(cast, here, order("XX-1", "n1.site.test"))], NOW)
    shutil.copytree(here / "public" / "log", tmp_path / "backup")
    publisher.publish([signed(cast, here, order("XX-2", "n2.site.test"))], NOW)
    next_one = signed(cast, here, order("XX-3", "n3.site.test"))
    shutil.rmtree(here / "public" / "log")
    shutil.copytree(tmp_path / "backup", here / "public" / "log")
    for packets in ([], [next_one]):
        with pytest.raises(AuthorityError, match=r"has 1 entries and is not the one of 2 that was signed last"):
            Publisher(here).publish(packets, NOW)
    assert Tree(here / "public" / "log").size == 1
