"""Started with standard input, output or error closed, or with a log that nobody reads, it serves all the same."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.redhand.house import RIGHT, House
from tests.resolver.servers import HOST, UNMEASURED, Scripted, ask, data, says
from tests.tools import DEADLINE, free_ports, wait_for


@pytest.fixture
def built(tmp_path: Path) -> Iterator[House]:
    """A house that is not started yet, and logs as JSON."""
    (port,) = free_ports(1)
    (tmp_path / "own.txt").write_text("blocked.example\n")
    with Scripted(says(f"A {RIGHT}")) as upstream:
        settings = {
            "state_dir": "state",
            "logs": "json",
            "metrics": {"listen": ""},
            "resolver": {"listen": [f"{HOST}:{port}"], "workers": 1, "upstreams": [{"address": upstream.upstream.address}], "cache_mb": 16},
            "blocklists": {"sources": [{"id": "own", "path": "own.txt", "format": "domains"}]},
        }
        found = House(tmp_path, port, settings)
        found.put(yaml.safe_dump(settings))
        yield found
        if found.process.poll() is None:
            found.process.kill()
            found.process.wait()


def command(house: House) -> list[str]:
    return [sys.executable, "-P", "-m", "redhand", "resolver", "--config", str(house.directory / "config.yaml")]


@pytest.mark.parametrize("closed", ["<&- >&- 2>&-", ">&-", "<&- 2>&-"])
def test_closed_ones_keep_it_from_nothing(closed: str, built: House) -> None:
    shell = ["sh", "-c", f'exec "$@" {closed}', "sh", *command(built)]
    with (built.directory / "log").open("wb") as log:
        built.process = subprocess.Popen(shell, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=UNMEASURED)
    wait_for(lambda: built.report().get("state") == "serving" or built.process.poll() is not None, "it to serve")
    assert built.process.poll() is None, built.said()
    assert data(ask(built.port, "open.example")) == [f"A {RIGHT}"]
    assert built.child("worker-0")["restarts"] == 0
    assert built.end() < 5
    assert built.process.returncode == 0
    assert "Traceback" not in built.said()


def test_a_log_that_nobody_reads_holds_up_nothing_and_what_was_lost_is_said(built: House) -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    os.write(writer, b"\n" * (1 << 20))  # as much as there is room for
    os.set_blocking(writer, True)
    built.process = subprocess.Popen(command(built), stdin=subprocess.DEVNULL, stdout=writer, stderr=writer, env=UNMEASURED)
    os.close(writer)
    wait_for(lambda: built.report().get("state") == "serving" or built.process.poll() is not None, "it to serve")
    assert data(ask(built.port, "open.example")) == [f"A {RIGHT}"]
    built.process.send_signal(signal.SIGHUP)
    os.kill(built.pid("worker-0"), signal.SIGKILL)
    wait_for(lambda: built.child("worker-0").get("restarts") == 1 and built.pid("worker-0"), "a successor")
    assert data(ask(built.port, "other.example")) == [f"A {RIGHT}"]
    os.set_blocking(reader, False)
    os.read(reader, 1 << 20)
    begun = time.monotonic()
    built.process.terminate()
    built.process.wait(DEADLINE)
    assert time.monotonic() - begun < 5
    said = [json.loads(line) for line in os.read(reader, 65536).splitlines()]
    os.close(reader)
    assert [line["event"] for line in said if "lines lost because standard error was not read" in line["event"]]
    assert said[-1]["event"] == "stopped"


def test_every_line_of_the_log_is_json_whoever_writes_it(built: House) -> None:
    """Through a builder that fails, a worker that dies, one that ends by a fault of its own, and a stop."""
    built.start()
    (built.directory / "own.txt").write_bytes(b"\xff\xfe\0\n")
    built.process.send_signal(signal.SIGHUP)
    wait_for(lambda: "ALARM source own" in built.said(), "the list to be refused")
    os.kill(built.pid("worker-0"), signal.SIGABRT)
    wait_for(lambda: built.pid("worker-0"), "a successor")
    second = subprocess.run(command(built), stdin=subprocess.DEVNULL, capture_output=True, text=True, env=UNMEASURED, check=False, timeout=DEADLINE)
    assert second.returncode == 2
    assert [json.loads(line)["level"] for line in second.stderr.splitlines()][-1] == "error"
    assert built.end() < 5
    lines = [line for line in built.said().splitlines() if line.startswith("{")]
    assert {json.loads(line)["process"] for line in lines} >= {"supervisor"}
    screen = built.said().index("Red Hand")
    rest = [line for line in built.said()[screen:].splitlines() if line.strip() and not line.startswith((" ", "Red Hand", "{"))]
    assert rest == []


FAULT = "from blocklists import logs; import threading, warnings; logs.to_stderr('worker-1', 'json'); "


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("raise ValueError('a' + chr(10) + 'b')", "ValueError"),
        ("t = threading.Thread(target=lambda: 1 / 0); t.start(); t.join()", "ZeroDivisionError"),
        ("warnings.warn('old', stacklevel=1)", "old"),
    ],
)
def test_what_ends_a_process_is_one_line_of_json_too(fault: str, said: str) -> None:
    done = subprocess.run([sys.executable, "-c", FAULT + fault], capture_output=True, text=True, env=UNMEASURED, check=False, timeout=DEADLINE)
    (line,) = done.stderr.splitlines()
    found = json.loads(line)
    assert found["process"] == "worker-1"
    assert said in found["event"]


def test_the_builder_logs_as_it_is_told() -> None:
    job = '{"logs": "json", "settings": {}, "state_dir": "/nonexistent", "base_dir": "/", "own_names": [], "as_of": 0, "confined": false}'
    code = (
        "import logging; from blocklists import builder\n"
        "def build(job): logging.getLogger('blocklists').warning('planted'); raise AssertionError('planted fault')\n"
        "builder.build = build; builder.main()"
    )
    done = subprocess.run([sys.executable, "-c", code], input=job, capture_output=True, text=True, env=UNMEASURED, check=False, timeout=DEADLINE)
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [(line["process"], line["level"]) for line in lines] == [("builder", "warning"), ("builder", "critical")]
