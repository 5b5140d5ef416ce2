"""What the operator sees of a running house: commands, metrics, alarms; and that whoever asks, or does not read, harms nobody."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyte
import pytest
from prometheus_client.parser import text_string_to_metric_families

from redhand import control
from redhand.figures import total
from tests.redhand.house import House, house
from tests.resolver.servers import ENVIRONMENT, HOST, Scripted, ask, query, says
from tests.tools import DEADLINE, free_ports, wait_for

DEEP = "/".join(letter * 60 for letter in "abc")
"""A state directory whose path is longer than a Unix socket's may be."""


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Two workers, metrics, and an upstream that knows every name."""
    (port,) = free_ports(1)
    with Scripted(says("A 192.0.2.1")) as upstream:
        directory = tmp_path_factory.mktemp("seen")
        with house(directory / DEEP, upstream, metrics={"listen": f"{HOST}:{port}"}) as running:
            wait_for(lambda: running.pid("metrics"), "the metrics")
            yield running


def command(running: House, *arguments: str, code: int = 0) -> str:
    """What a command of the program prints."""
    config = str(running.directory / "config.yaml")
    done = subprocess.run(
        [sys.executable, "-P", "-m", "redhand", *arguments, "--config", config],
        env={**ENVIRONMENT, "COLUMNS": "120", "NO_COLOR": "1", "TERM": "dumb"}, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout if not code else done.stderr


def state(running: House) -> Path:
    return running.directory / "state"


def report(running: House) -> dict[str, Any]:
    return control.report(state(running))


def figure(running: House, name: str, **labels: str) -> float:
    return total(report(running)["figures"], name, **labels)


def scrape(running: House, accept: str = "text/plain") -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    """Every sample by name and labels, read by the reference parser."""
    asked = urllib.request.Request(f"http://{running.settings['metrics']['listen']}/metrics", headers={"Accept": accept})
    with urllib.request.urlopen(asked, timeout=DEADLINE) as answer:
        text = answer.read().decode()
    found: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            place = found.setdefault(sample.name, {})
            labels = tuple(sorted(sample.labels.items()))
            assert labels not in place, "each series stands there once"
            place[labels] = sample.value
    return found


def test_metrics_count_what_was_asked(seen: House) -> None:
    before = scrape(seen)
    for number in range(60):
        ask(seen.port, f"metrics{number % 3}.example")
        ask(seen.port, "blocked.example")
    ask(seen.port, "metrics0.example", tcp=True)

    def added(name: str, *labels: tuple[str, str]) -> float:
        now = scrape(seen)
        return sum(number - before[name].get(key, 0.0) for key, number in now[name].items() if set(labels) <= set(key))

    wait_for(lambda: added("redhand_queries_total") == 121, "the count of queries")
    assert added("redhand_queries_total", ("transport", "tcp")) == 1
    assert added("redhand_blocked_total") == 60, "those from the packet cache too"
    assert added("redhand_cache_hits_total") > 80
    assert added("redhand_lookups_total") <= 6, "each worker asks each name once"
    assert added("redhand_answer_seconds_count") == 120
    assert added("redhand_upstream_answers_total") == added("redhand_lookup_seconds_count")
    now = scrape(seen)
    assert set(now["redhand_list_serial"].values()) == {1.0}
    assert {dict(labels)["process"] for labels in now["redhand_resident_memory_bytes"]} == {"supervisor", "worker-0", "worker-1", "metrics"}
    buckets = [number for labels, number in now["redhand_answer_seconds_bucket"].items() if dict(labels)["worker"] == "worker-0"]
    assert buckets == sorted(buckets), "each bucket holds those before it"


def test_metrics_have_no_client_and_no_name_asked(seen: House) -> None:
    ask(seen.port, "private-name.example")
    with urllib.request.urlopen(f"http://{seen.settings['metrics']['listen']}/metrics", timeout=DEADLINE) as answer:
        text = answer.read().decode()
    assert "private-name" not in text
    assert "private-name" not in seen.said()
    upstream = seen.settings["resolver"]["upstreams"][0]["address"]
    assert HOST not in text.replace(upstream, ""), "the only address is the upstream's"
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(f"http://{seen.settings['metrics']['listen']}/", timeout=DEADLINE)


def test_blocks_are_counted_by_order(seen: House) -> None:
    before = report(seen)["orders"]
    for _ in range(40):
        ask(seen.port, "www.blocked.example")
    found = wait_for(lambda: _grown(before, report(seen)["orders"], 40), "the blocks of 10 s")
    assert list(found) == ["own"]
    assert scrape(seen)["redhand_order_blocks_total"][(("order", "own"),)] >= 40


def _grown(before: dict[str, int], now: dict[str, int], by: int) -> dict[str, int]:
    return now if sum(now.values()) - sum(before.values()) >= by else {}


def test_a_flushed_name_is_asked_again_and_others_are_not(seen: House) -> None:
    for name in ("www.flushed.example", "kept.example"):
        for _ in range(20):
            ask(seen.port, name)
    cached = [json.loads(line) for line in command(seen, "cache", "dump", "--json").splitlines()]
    mine = [entry for entry in cached if entry["name"] in ("www.flushed.example", "kept.example")]
    assert {(entry["cache"], entry["name"], entry["type"], entry["rcode"]) for entry in mine} == {
        (cache, name, "A", "NOERROR") for cache in ("udp", "answers") for name in ("www.flushed.example", "kept.example")
    }  # fmt: skip
    assert all(0 < entry["seconds"] <= 300 for entry in mine)
    assert "\tkept.example\tA\tNOERROR\t" in command(seen, "cache", "dump")
    expected = sum(entry["name"] == "www.flushed.example" for entry in mine)
    assert command(seen, "cache", "flush", "flushed.example").startswith(f"{expected} entries forgotten (worker-0: ")
    left = command(seen, "cache", "dump")
    assert "flushed.example" not in left
    assert "kept.example" in left
    before = figure(seen, "lookups")
    ask(seen.port, "kept.example")
    ask(seen.port, "www.flushed.example")
    wait_for(lambda: figure(seen, "lookups") > before, "the lookup")
    assert command(seen, "cache", "flush", "a..b", code=1) == "redhand: 'a..b' has an empty label; remove the doubled or leading dot\n"


def test_sums_never_go_down_when_a_worker_is_killed(seen: House) -> None:
    asked = figure(seen, "queries")
    for number in range(50):
        ask(seen.port, f"killed{number}.example")
    wait_for(lambda: figure(seen, "queries") >= asked + 50, "the count")
    time.sleep(0.25)  # a copy's age: what was counted after the last one is lost with the process
    before = {name: figure(seen, name) for name in ("queries", "lookups", "upstream_answers", "answer_seconds")}
    victim = seen.pid("worker-0")
    os.kill(victim, signal.SIGKILL)
    end = time.monotonic() + 2
    while time.monotonic() < end:
        for name, number in before.items():
            now = figure(seen, name)
            assert now >= number, name
            before[name] = now
    wait_for(lambda: seen.pid("worker-0") not in (0, victim), "its successor")
    ask(seen.port, "after.example")
    wait_for(lambda: figure(seen, "queries") > before["queries"], "that the count goes on")


def connected(running: House) -> socket.socket:
    """A client of the control socket that may do anything."""
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    folder = os.open(state(running) / "run", os.O_PATH)
    client.connect(f"/proc/self/fd/{folder}/control")
    os.close(folder)
    client.settimeout(DEADLINE)
    return client


def test_only_its_owner_may_open_the_control_socket(seen: House) -> None:
    found = (state(seen) / "run" / "control").stat()
    assert stat.S_IMODE(found.st_mode) == 0o600
    assert found.st_uid == os.getuid()
    assert len(str(state(seen) / "run" / "control")) > 108


@pytest.mark.parametrize(
    "octets", [b"x" * 10_000 + b"\n", b"\xff\xfe\n", b"[]\n", b"{" * 4000 + b"\n", b'{"do": "flush"}\n', b'{"do": "mischief"}\n']
)
def test_a_request_that_is_none_is_refused(seen: House, octets: bytes) -> None:
    with connected(seen) as client:
        client.sendall(octets)
        reply = json.loads(client.makefile("rb").readline())
    assert reply["ok"] is False
    assert reply["error"]


def test_clients_that_do_not_speak_or_read_harm_nobody(seen: House) -> None:
    for number in range(400):
        ask(seen.port, f"filler-with-a-long-name-{number}.example")
    stuck = []
    for _ in range(6):
        reader = connected(seen)
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        reader.sendall(b'{"do": "dump"}\n')
        stuck.append(reader)
    stuck += [connected(seen) for _ in range(6)]
    begun = time.monotonic()
    for _ in range(5):
        assert report(seen)["state"] == "serving"
        ask(seen.port, "while-stuck.example")
    assert "forgotten" in command(seen, "cache", "flush", "filler.example")
    assert time.monotonic() - begun < 5
    more = [connected(seen) for _ in range(40)]
    ask(seen.port, "while-full.example")
    for client in (*stuck, *more):
        client.close()
    wait_for(lambda: _answers(seen), "room for others")


def _answers(running: House) -> bool:
    try:
        return bool(report(running))
    except control.Unanswered:
        return False


def test_status_shows_figures_and_json_has_them(seen: House) -> None:
    ask(seen.port, "status.example")
    shown = command(seen, "status")
    assert " from cache, " in shown
    assert "round trip" in shown
    found = json.loads(command(seen, "status", "--json"))["running"][0]
    assert found["alarms"] == []
    assert {"queries", "upstream_round_trip_seconds", "cache_bytes"} <= {name for name, _, _ in found["figures"]["worker-0"]}


def test_top_prints_one_frame_for_a_pipe(seen: House) -> None:
    shown = command(seen, "top")
    for part in ("Red Hand", "queries/s", "from cache", "p99", "upstream", "worker-1"):
        assert part in shown
    assert "\x1b" not in shown


def test_top_is_live_in_a_terminal_until_q(seen: House) -> None:
    ours, theirs = os.openpty()
    screen = pyte.Screen(110, 32)
    stream = pyte.ByteStream(screen)
    config = str(seen.directory / "config.yaml")
    environment = {**ENVIRONMENT, "TERM": "xterm-256color", "COLUMNS": "110", "LINES": "32"}
    program = [sys.executable, "-P", "-m", "redhand", "top", "--config", config]
    process = subprocess.Popen(program, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, start_new_session=True)
    os.close(theirs)
    os.set_blocking(ours, False)

    def shows(text: str) -> bool:
        with contextlib.suppress(OSError):
            stream.feed(os.read(ours, 1 << 16))
        return text in "\n".join(screen.display)

    try:
        wait_for(lambda: shows("q ends"), "the second frame")
        assert any("queries/s" in line for line in screen.display)
        for number in range(300):
            ask(seen.port, f"top{number % 5}.example")
        wait_for(lambda: shows("worker-1"), "the workers")
        os.write(ours, b"q")
        wait_for(lambda: not shows("\0") and process.poll() is not None, "its end")
        assert process.returncode == 0
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        os.close(ours)


def test_reload_says_what_came_of_it(seen: House) -> None:
    said = command(seen, "reload")
    assert said.strip(), "also when nothing changed"
    seen.put("resolver: [")
    assert f"{seen.directory}/config.yaml:1: is not YAML" in command(seen, "reload", code=2), "read before anything is asked"
    seen.write(listen=["192.0.2.77:5353"])  # no address of this machine, which only who would listen there finds out
    assert "those before stay in force: " in command(seen, "reload", code=1)
    seen.write(listen=[f"{HOST}:{seen.port}"])
    assert ask(seen.port, "reloaded.example").answer
    assert "nothing changed" in command(seen, "reload")


def test_blocks_are_told_at_the_end_of_a_worker_that_is_asked_to_end(seen: House) -> None:
    before = report(seen)["orders"]
    for _ in range(30):
        ask(seen.port, "blocked.example")
    for worker in ("worker-0", "worker-1"):
        os.kill(seen.pid(worker), signal.SIGTERM)
    wait_for(lambda: _grown(before, report(seen)["orders"], 30), "the blocks, before the 10 s are over", 4)
    wait_for(lambda: seen.pid("worker-0") and seen.pid("worker-1"), "the workers to be back")


def test_without_a_running_program_commands_say_so(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("state_dir: state\n")
    here = House(tmp_path, 0, {})
    for arguments in (("top", "--once"), ("reload",), ("cache", "flush", "a.example"), ("cache", "dump")):
        assert command(here, *arguments, code=1).startswith(f"redhand: nothing runs with the state directory {tmp_path}/state; start it with")


def test_a_control_socket_that_cannot_be_made_is_an_alarm_and_no_failure(tmp_path: Path) -> None:
    in_the_way = tmp_path / "state" / "run" / "control"
    (in_the_way / "file").mkdir(parents=True)
    with Scripted(says("A 192.0.2.1")) as upstream, house(tmp_path, upstream, workers=1) as running:
        assert ask(running.port, "served.example").answer
        assert [alarm["name"] for alarm in running.report()["alarms"]] == ["control socket"]
        shown = command(running, "status")
        assert "control socket" in shown
        assert "it is tried again by itself" in shown
        assert running.said().count("ALARM control socket") == 1
        (in_the_way / "file").rmdir()
        in_the_way.rmdir()
        wait_for(lambda: not running.report()["alarms"], "the alarm to be over", 8)
        assert report(running)["alarms"] == []
        assert "over after" in running.said()


def test_a_port_of_the_metrics_that_is_taken_is_a_warning_and_no_failure(tmp_path: Path) -> None:
    with socket.create_server((HOST, 0)) as taken, Scripted(says("A 192.0.2.1")) as upstream:
        listen = f"{HOST}:{taken.getsockname()[1]}"
        with house(tmp_path, upstream, workers=1, metrics={"listen": listen}) as running:
            assert ask(running.port, "served.example").answer
            assert "no metrics are shown" in command(running, "status")
            assert "metrics.listen" in running.said()


def test_an_upstream_that_falls_silent_is_an_alarm_with_since_and_remedy(tmp_path: Path) -> None:
    with Scripted(lambda _: None) as upstream, house(tmp_path, upstream, workers=1) as running:
        client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        client.connect((HOST, running.port))
        for number in range(8):
            client.send(query(f"silent{number}.example").to_wire())
        wait_for(lambda: [alarm for alarm in running.report()["alarms"] if "away" in alarm["name"]], "the alarm")
        client.close()
        shown = wait_for(
            lambda: next((text for text in [command(running, "status")] if "AWAY" in text), ""), "the figures, which come a moment later"
        )
        assert f"ALARM     upstream {upstream.upstream.address} away, for " in shown
        os.kill(running.pid("worker-0"), signal.SIGKILL)
        wait_for(lambda: "over after" in running.said(), "that the alarm ends with the process that raised it")
