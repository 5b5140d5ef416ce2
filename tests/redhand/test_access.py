"""Reviewers' access in a running house: granted by commands, told to every worker, gone when it ends, is revoked, or its log is no longer sound."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dns.message
import pytest
from dns.message import Message
from typer.testing import CliRunner

from blocklists.errors import ConfigurationError, RedHandError
from redhand import control
from redhand.cli import app
from redhand.granting import LOG
from tests.redhand.house import RIGHT, House, house
from tests.redhand.reviewers import NETWORK, PERSONS, drafted, introduced, record, revoke, signed
from tests.resolver.servers import HOST, PATIENCE, Scripted, ask, data, errors, query, says
from tests.tools import wait_for

REVIEWER, OTHER = "127.0.0.9", "127.0.0.77"
BLOCKED = "www.blocked.example"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    directory = tmp_path_factory.mktemp("access")
    people = introduced(directory, "martin", "duval")
    with Scripted(says(f"A {RIGHT}")) as upstream, house(directory, upstream) as running:
        running.write(access={"people": [Path(file).name for file in people]})
        control.last(control.ask(directory / "state", {"do": "reload"}))
        yield running


def state(home: House) -> Path:
    return home.directory / "state"


def hears(home: House, source: str = REVIEWER, name: str = BLOCKED, **more: Any) -> str:
    """What a client hears of a name: `real`, or `blocked`."""
    answer = ask(home.port, name, source=source, **more)
    return "blocked" if {15, 16} & set(errors(answer)) else "real" if data(answer) == [f"A {RIGHT}"] else answer.to_text()


def command(home: House, *words: str, code: int = 0) -> str:
    """What a command of the program prints, or why it refuses. Run here: to start an interpreter for each takes longer than all else."""
    done = CliRunner().invoke(app, [*words, "--config", str(home.directory / "config.yaml")])
    if isinstance(done.exception, RedHandError):
        assert code == (2 if isinstance(done.exception, ConfigurationError) else 1), done.exception
        return str(done.exception)
    assert done.exit_code == code, (done.output, done.exception)
    return done.output


def alarms(home: House) -> dict[str, str]:
    return {alarm["name"]: alarm["what"] for alarm in control.report(state(home))["alarms"]}


def in_force(home: House, number: int) -> list[str]:
    """References of the grants in force, once the log was read up to that line, or its reading failed with nothing in force."""
    found = wait_for(lambda: (report := control.report(state(home))["access"]) and report["number"] == number and report, f"line {number}")
    return [each["reference"] for each in found["grants"]]


def everywhere(home: House, wanted: str, source: str = REVIEWER) -> None:
    """Waits until both workers say it: which one is asked, the kernel chooses by the client's port."""

    def heard() -> bool:
        return {hears(home, source) for _ in range(12)} == {wanted}

    wait_for(heard, f"{wanted} for {source}")


class Open:
    """A connection that stays."""

    def __init__(self, port: int, source: str) -> None:
        self.socket = socket.create_connection((HOST, port), PATIENCE, (source, 0))

    def hears(self, name: str = BLOCKED) -> str:
        asked = query(name).to_wire()
        self.socket.sendall(len(asked).to_bytes(2, "big") + asked)
        length = int.from_bytes(self._read(2), "big")
        answer: Message = dns.message.from_wire(self._read(length))
        return "blocked" if {15, 16} & set(errors(answer)) else "real"

    def _read(self, octets: int) -> bytes:
        found = b""
        while len(found) < octets:
            found += self.socket.recv(octets - len(found))
        return found


def test_granted_by_commands_it_is_in_force_in_every_worker_for_whom_it_names(home: House) -> None:
    report = control.report(state(home))["access"]
    assert report["grants"] == [], "on, and nobody has it"
    file = home.directory / "grant.json"
    file.write_bytes(signed(drafted(), "martin").encode())
    assert "A. Martin did" in command(home, "access", "grant", str(file), code=1)
    file.write_bytes(signed(drafted(), "martin", "duval").encode() + b"\n")
    said = json.loads(command(home, "access", "grant", str(file), "--json"))
    assert (said["running"], said["in_force"], said["number"], said["signers"]) == (True, True, 1, sorted([PERSONS["martin"], PERSONS["duval"]]))
    everywhere(home, "real")
    assert hears(home, tcp=True) == "real"
    assert {hears(home, OTHER), hears(home, HOST)} == {"blocked"}
    assert "reviewers' access: 1 grant, until 2" in command(home, "status")
    assert "was granted before" in command(home, "access", "grant", str(file), code=1)
    logged = next(line for line in home.said().splitlines() if f"access: {said['reference']}" in line)
    assert control.report(state(home))["access"]["head"] in logged, "who keeps the log elsewhere can tell what was cut off here"
    assert "127.0.0." not in logged, "no client's address is in any line"


def test_a_worker_that_takes_over_is_told_and_caches_are_shown_and_flushed_as_all_others(home: House) -> None:
    (reference,) = in_force(home, 1)
    victim = home.pid("worker-0")
    os.kill(victim, signal.SIGKILL)
    wait_for(lambda: home.pid("worker-0") not in (0, victim), "a successor")
    everywhere(home, "real")
    dumped = [json.loads(line) for line in command(home, "cache", "dump", "--json").splitlines()]
    assert {each["name"] for each in dumped if each["group"] == reference} == {BLOCKED}
    assert "entries forgotten" in command(home, "cache", "flush", "blocked.example")
    dumped = [json.loads(line) for line in command(home, "cache", "dump", "--json").splitlines()]
    assert not [each for each in dumped if each["group"] == reference]


def test_revoked_it_ends_in_open_connections_too_and_the_list_tells_all_of_it(home: House) -> None:
    (reference,) = in_force(home, 1)
    connection = Open(home.port, REVIEWER)
    assert connection.hears() == "real"
    said = command(home, "access", "revoke", reference, "--by", "A. Duty", "--reason", "mission over")
    assert "it is not in force" in said
    everywhere(home, "blocked")
    assert connection.hears() == "blocked"
    listed = command(home, "access", "list")
    assert "by A. Duty: mission over" in listed
    assert "2 lines, head sha256:" in listed


def test_it_ends_with_its_second_by_itself(home: House) -> None:
    until = int(time.time() + 2.5)
    record(state(home), signed(drafted("127.0.0.16/32", until=until), "martin", "duval"))
    in_force(home, 3)
    source = "127.0.0.16"
    connection = Open(home.port, source)
    heard: list[tuple[float, str]] = []
    while not heard or heard[-1][1] == "real" or heard[-1][0] < until:
        heard.append((time.time(), connection.hears()))
        assert heard[-1][0] < until + 5, "it never ended"
    ended = next(at for at, said in heard if said == "blocked")
    assert [said for at, said in heard if at < until - 0.1] == ["real"] * sum(at < until - 0.1 for at, _ in heard)
    assert ended - until < 1.5, "and the time to notice, on a busy machine"
    everywhere(home, "blocked", source)


def test_a_log_that_was_cut_gives_access_to_nobody_until_it_is_back(home: House) -> None:
    record(state(home), signed(drafted("127.0.0.24/29"), "martin", "duval"))
    in_force(home, 4)
    everywhere(home, "real", "127.0.0.25")
    path = state(home) / LOG
    octets = path.read_bytes()
    path.write_bytes(octets[: octets[:-1].rindex(b"\n") + 1])
    wait_for(lambda: "lines of it were cut off" in alarms(home).get("access log", ""), "the alarm")
    everywhere(home, "blocked", "127.0.0.25")
    path.write_bytes(octets.replace(b"mission over", b"mission, over"))
    wait_for(lambda: "is not what was written" in alarms(home).get("access log", ""), "the other words")
    assert "is not what was written" in command(home, "access", "list", code=1)
    path.write_bytes(octets)
    wait_for(lambda: "access log" not in alarms(home), "the alarm to end")
    everywhere(home, "real", "127.0.0.25")


def test_whoever_is_no_longer_named_signs_no_longer_and_off_is_off(home: House) -> None:
    reference = in_force(home, 4)[0]
    introduced(home.directory, "stranger")
    home.write(access={"people": ["martin.pub.json", "stranger.pub.json"]})
    command(home, "reload")
    wait_for(lambda: "A. Martin did" in alarms(home).get(f"access {reference}", ""), "the alarm")
    everywhere(home, "blocked", "127.0.0.25")
    workers = [home.pid(name) for name in ("worker-0", "worker-1")]
    home.write(access={"people": ["martin.pub.json"]})
    assert "2 different people must sign" in command(home, "reload", code=1)
    home.write(access={"people": []})
    command(home, "reload")
    wait_for(lambda: control.report(state(home))["access"] is None and not alarms(home), "it to be off")
    assert workers == [home.pid(name) for name in ("worker-0", "worker-1")], "no worker was replaced for that"
    assert "access is off" in command(home, "access", "grant", str(home.directory / "grant.json"), code=2)
    assert "NOT in force" in command(home, "access", "list"), "what was granted can still be read"
    revoke(state(home), reference)


def test_what_may_not_ask_is_not_granted(home: House) -> None:
    people = [Path(file).name for file in introduced(home.directory, "martin", "duval")]
    home.write(access={"people": people})
    file = home.directory / "far.json"
    file.write_bytes(signed(drafted("192.0.2.8/29"), "martin", "duval").encode())
    home.write(allow=["127.0.0.0/8"])
    assert "192.0.2.8/29 may not ask this resolver at all" in command(home, "access", "grant", str(file), code=2)
    assert NETWORK != "192.0.2.8/29"
