"""The main journey, as its user goes it: `redhand run`, a blocked name asked, the page read, a list edited, a worker killed, everything stopped."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dns.edns
import dns.exception
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import dns.rrset
import psutil
import pytest

from redhand import status
from tests.tools import DEADLINE, ended, free_ports, in_time, wait_for

ROOT = Path(__file__).parent.parent.parent
ELSEWHERE = "198.51.100.7"
"""What the upstream says of every name."""


@pytest.fixture
def upstream() -> Iterator[int]:
    """The port of a server that knows every name's address."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as served:
        served.bind(("127.0.0.1", 0))
        served.settimeout(0.05)
        stop = threading.Event()

        def serve() -> None:
            while not stop.is_set():
                try:
                    data, client = served.recvfrom(4096)
                except TimeoutError:
                    continue
                question = dns.message.from_wire(data)
                answer = dns.message.make_response(question, recursion_available=True)
                if question.question[0].rdtype == dns.rdatatype.A:
                    answer.answer.append(dns.rrset.from_text(question.question[0].name, 300, "IN", "A", ELSEWHERE))
                served.sendto(answer.to_wire(), client)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield served.getsockname()[1]
        finally:
            stop.set()
            thread.join()


class House:
    """A directory with settings for one installation."""

    def __init__(self, directory: Path, upstream: int) -> None:
        self.directory = directory
        self.dns, self.web, self.metrics = free_ports(3)
        self.list = directory / "house.txt"
        self.list.write_text("listed.example\n")
        settings = {
            "resolver": {"listen": [f"127.0.0.1:{self.dns}"], "workers": 2, "upstreams": [{"address": f"127.0.0.1:{upstream}"}]},
            "landing": {"listen": [f"127.0.0.1:{self.web}"]},
            "metrics": {"listen": f"127.0.0.1:{self.metrics}"},
            "blocklists": {
                "sources": [
                    {"id": "sample", "path": str(ROOT / "blocklists" / "sample"), "format": "directives"},
                    {"id": "house", "path": "house.txt", "format": "domains", "mode": "nxdomain"},
                ]
            },
        }
        (directory / "config.yaml").write_text(json.dumps(settings))

    def _start(self, *arguments: str, **options: Any) -> subprocess.Popen[str]:
        environ = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
        return subprocess.Popen([sys.executable, "-P", "-m", "redhand", *arguments], cwd=self.directory, env=environ, text=True, **options)

    @contextmanager
    def running(self, command: str = "run") -> Iterator[subprocess.Popen[str]]:
        """The command, serving; killed at the end if the test has not stopped it."""
        log = self.directory / f"{command}.log"
        with log.open("w") as output:
            process = self._start(command, stdout=output, stderr=subprocess.STDOUT)
            try:
                wait_for(lambda: process.poll() is not None or "Ctrl-C stops it." in log.read_text(), f"first screen: {log.read_text()}")
                assert process.poll() is None, log.read_text()
                yield process
            finally:
                if process.poll() is None:
                    process.kill()
                process.wait()

    def run(self, *arguments: str) -> Any:
        """A command's JSON."""
        process = self._start(*arguments, stdout=subprocess.PIPE)
        output, _ = process.communicate(timeout=DEADLINE)
        return json.loads(output)

    def ask(self, name: str, seconds: float = 3.0) -> dns.message.Message:
        """The resolver's answer for the name's address."""
        return dns.query.udp(dns.message.make_query(name, "A", use_edns=0), "127.0.0.1", port=self.dns, timeout=seconds)

    def address(self, name: str) -> list[str]:
        """The addresses answered, or the code if there are none."""
        answer = self.ask(name)
        return [rdata.to_text() for rrset in answer.answer for rdata in rrset] or [dns.rcode.to_text(answer.rcode())]

    def page(self, host: str) -> tuple[int, str]:
        """Status and text of the landing page for a host."""
        connection = http.client.HTTPConnection("127.0.0.1", self.web, timeout=DEADLINE)
        try:
            connection.request("GET", "/", headers={"Host": host})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def pids(self) -> dict[str, int]:
        """Processes of the children."""
        report = status.read(self.directory / "var", status.MAIN)
        assert report is not None
        return {child["name"]: child["pid"] for child in report["children"] if child["pid"]}


@pytest.fixture
def house(tmp_path: Path, upstream: int) -> House:
    """An installation that is not running yet."""
    return House(tmp_path, upstream)


def end(process: subprocess.Popen[str], within: float = 5.0) -> int:
    """Ask it to stop; its exit code."""
    assert ended(process, signal.SIGTERM) < within
    return process.returncode


def test_the_main_journey(house: House) -> None:
    with house.running() as process:
        blocked = house.ask("www.blocked.redhand.example")
        assert [rdata.to_text() for rdata in blocked.answer[0]] == ["127.0.0.1"]
        explained = [option for option in blocked.options if isinstance(option, dns.edns.EDEOption)]
        assert {option.code for option in explained} == {4, 16}
        assert any(option.text and option.text.endswith(" blocked.redhand.example") for option in explained)

        assert house.address("listed.example") == ["NXDOMAIN"]
        assert house.address("anything.else.example") == [ELSEWHERE]

        code, text = house.page("www.blocked.redhand.example")
        assert code == 451
        assert "<svg" in text
        assert house.page("anything.else.example")[0] == 404

        shown = house.run("check", "www.blocked.redhand.example", "--json")
        assert shown["verdict"] == "blocked"
        assert shown["decides"]["reference"] in text

        report = house.run("status", "--json", "--probe")
        assert report["answers"] is True
        assert report["running"][0]["state"] == "serving"
        assert report["serials"] == {"worker-0": 1, "worker-1": 1, "landing": 1}

        pids = house.pids()
        assert end(process) == 0
        assert not any(psutil.pid_exists(pid) for pid in pids.values())
    with pytest.raises((dns.exception.Timeout, OSError)):
        house.ask("anything.else.example", seconds=0.2)


def test_an_edited_list_is_in_force_within_a_second_and_the_build(house: House) -> None:
    with house.running():

        def added(number: int) -> None:
            name = f"added{number}.example"
            assert house.address(name) == [ELSEWHERE]
            with house.list.open("a") as file:
                file.write(f"{name}\n")
            wait_for(lambda: house.address(name) == ["NXDOMAIN"], "the new entry")

        # A look every 0.25 s, another to see that the file holds still, the workers' own every 0.2 s; the rest is the builder's and a busy machine's.
        assert in_time(added, 2.5)
        house.list.write_text("added0.example\n")
        wait_for(lambda: house.address("listed.example") == [ELSEWHERE], "the removed entry's release")
        assert house.address("added0.example") == ["NXDOMAIN"]


def test_a_list_that_breaks_stays_in_force_and_is_named(house: House) -> None:
    with house.running():
        house.list.write_text("<html>\n" * 50)
        log = house.directory / "run.log"
        wait_for(lambda: "source house is refused, and what it last said stays in force" in log.read_text(), "the refusal")
        assert house.address("listed.example") == ["NXDOMAIN"]


def test_a_killed_worker_is_replaced_and_no_client_waits_for_long(house: House) -> None:
    with house.running():
        before = house.pids()
        os.kill(before["worker-0"], signal.SIGKILL)
        os.kill(before["worker-1"], signal.SIGKILL)
        assert house.ask("anything.else.example", seconds=DEADLINE).rcode() == dns.rcode.NOERROR  # its query waited in the socket both share
        wait_for(lambda: all(each["state"] == "ready" for each in house.run("status", "--json")["running"][0]["children"]), "both ready again")
        after = house.pids()
        assert after["landing"] == before["landing"]
        assert {after["worker-0"], after["worker-1"]}.isdisjoint(before.values())


def test_a_killed_supervisor_leaves_nothing_behind_and_its_successor_serves_the_last_list(house: House) -> None:
    with house.running() as process:
        pids = house.pids()
        process.kill()
        process.wait()
        wait_for(lambda: not any(psutil.pid_exists(pid) for pid in pids.values()), "children gone")
    house.list.unlink()
    (house.directory / "house.txt").write_text("other.example\n")
    with house.running() as process:
        assert house.address("www.blocked.redhand.example") == ["127.0.0.1"]
        wait_for(lambda: house.address("other.example") == ["NXDOMAIN"], "what was edited while it was down")
        assert end(process) == 0


def test_resolver_and_landing_run_apart_over_one_state_directory(house: House) -> None:
    with house.running("resolver") as resolver, house.running("landing") as landing:
        assert house.address("www.blocked.redhand.example") == ["127.0.0.1"]
        assert house.page("www.blocked.redhand.example")[0] == 451
        running = house.run("status", "--json")["running"]
        assert [[child["name"] for child in report["children"]] for report in running] == [["worker-0", "worker-1", "metrics"], ["landing"]]
        assert end(landing) == 0
        assert house.address("listed.example") == ["NXDOMAIN"]
        assert end(resolver) == 0
