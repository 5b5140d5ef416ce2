"""Settings read again and workers replaced while hundreds of clients ask: nothing is lost, a wrong file changes nothing, what must wait is named."""

from __future__ import annotations

import os
import signal
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from blocklists import store
from redhand.reload import differences, held_back
from tests.redhand.house import RIGHT, House, Load, house
from tests.redhand.test_seen import command
from tests.resolver.servers import HOST, Asked, Scripted, ask, data, says
from tests.tools import free_ports, wait_for

ANSWER = f"A {RIGHT}"


@pytest.fixture
def upstream() -> Iterator[Scripted]:
    with Scripted(says(ANSWER)) as running:
        yield running


def reload(house: House, *words: str) -> str:
    """Sends SIGHUP and waits until all the words stand in the log after it; that part of the log."""
    before = len(house.said())
    house.process.send_signal(signal.SIGHUP)
    wait_for(lambda: all(word in house.said()[before:] for word in words), f"the log to say {words}; {house.said()[before:]}")
    return house.said()[before:]


def slow(script_answers: list[Asked], seconds: float) -> threading.Thread:
    """Answers what was asked once `seconds` have passed, for as long as it lives."""

    def run() -> None:
        while True:
            asked = script_answers.pop(0) if script_answers else None
            if asked is None:
                time.sleep(0.002)
                continue
            time.sleep(max(0.0, asked.at + seconds - time.monotonic()))
            asked.send(asked.answer(ANSWER))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


def test_a_changed_setting_takes_effect_by_replacing_workers_and_loses_no_query(tmp_path: Path) -> None:
    """512 clients, 1,000 questions a second, one in four waits 150 ms for its upstream."""
    waiting: list[Asked] = []
    with Scripted(waiting.append) as upstream, house(tmp_path, upstream) as running:
        slow(waiting, 0.15)
        before = [running.pid(f"worker-{number}") for number in range(2)]
        with Load(running.port, rate=1000) as load:
            wait_for(lambda: len(load.asked) > 300, "some load")
            running.write(landing_addresses=["192.0.2.80"], block_ttl_seconds=7)
            said = reload(running, "block_ttl_seconds = 7 is in force", "landing_addresses")
            wait_for(lambda: all(running.pid(f"worker-{number}") not in (0, *before) for number in range(2)), "two other workers")
            after = len(load.asked)
            wait_for(lambda: len(load.asked) > after + 300, "more questions")
        assert load.lost() == []
        assert {each.address for each in load.asked if each.name != "blocked.example"} == {RIGHT}
        assert {each.address for each in load.asked if each.name == "blocked.example"} == {"127.0.0.1", "192.0.2.80"}
        assert load.asked[-2].address in (RIGHT, "192.0.2.80")
        assert "restart" not in said
        assert [running.child(f"worker-{number}")["restarts"] for number in range(2)] == [0, 0], "what is planned is no crash"
        answer = ask(running.port, "blocked.example")
        assert (data(answer), answer.answer[0].ttl) == (["A 192.0.2.80"], 7)
        slowest = max(each.answered - each.sent for each in load.asked if each.name == "blocked.example")
        print(f"{len(load.asked)} questions, 2 workers replaced, 0 lost; slowest that needed no upstream {1000 * slowest:.0f} ms")


def test_streams_are_answered_too_while_workers_are_replaced(tmp_path: Path, upstream: Scripted) -> None:
    with house(tmp_path, upstream) as running:
        stop, answers, failures = threading.Event(), [], []

        def clients() -> None:
            number = 0
            while not stop.is_set():
                number += 1
                try:
                    answers.append(data(ask(running.port, f"t{number}.example", tcp=True)))
                except Exception as error:
                    failures.append(error)

        asking = [threading.Thread(target=clients) for _ in range(3)]
        for thread in asking:
            thread.start()
        for seconds in (11, 12):
            running.write(block_ttl_seconds=seconds)
            reload(running, f"block_ttl_seconds = {seconds} is in force")
        count = len(answers)
        wait_for(lambda: len(answers) > count + 20 or failures, "more answers")
        stop.set()
        for thread in asking:
            thread.join()
        assert failures == []
        assert {tuple(each) for each in answers} == {(ANSWER,)}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("resolver: {cache_mb: lots}\n", ["config.yaml:1: resolver.cache_mb", '"lots"', "must be a whole number"]),
        ("resolver:\n  cache_mb: 64\n  cache_mbb: 64\n", ["config.yaml:3: resolver.cache_mbb", "did you mean cache_mb?"]),
        ("blocklists: {sources: [{id: own, path: gone.txt, format: domains}]}\n", ["config.yaml:1: ", "gone.txt", "does not exist"]),
        ("resolver: [\n", ["config.yaml:"]),
        ("", ["config.yaml: is empty, as a full disk may leave it"]),
        ("user: nosuch\n", ["config.yaml:1: user", "is no user of this machine"]),
    ],
)
def test_a_wrong_file_is_refused_and_what_was_in_force_stays(text: str, said: list[str], tmp_path: Path, upstream: Scripted) -> None:
    with house(tmp_path, upstream, workers=1) as running:
        process = running.pid("worker-0")
        running.put(text)
        reload(running, "settings not applied, those before stay in force", *said)
        alarms = wait_for(lambda: [alarm for alarm in running.report()["alarms"] if alarm["name"] == "settings"], "the alarm")
        assert all(word in alarms[0]["what"] for word in said)
        assert running.pid("worker-0") == process
        assert data(ask(running.port, "blocked.example")) == ["A 127.0.0.1"]
        running.write()
        reload(running, "settings: nothing changed")
        wait_for(lambda: "settings" not in [alarm["name"] for alarm in running.report()["alarms"]], "the alarm to end")
        assert running.pid("worker-0") == process, "what did not change is not replaced"


def test_settings_that_cannot_be_read_to_their_end_keep_nothing_from_stopping(tmp_path: Path, upstream: Scripted) -> None:
    """As on a disk that hangs."""
    with house(tmp_path, upstream, workers=1) as running:
        (tmp_path / "config.yaml").unlink()
        os.mkfifo(tmp_path / "config.yaml")
        running.process.send_signal(signal.SIGHUP)
        wait_for(lambda: "reading the settings again" in running.said(), "it to read")
        assert data(ask(running.port, "blocked.example")) == ["A 127.0.0.1"]
        assert running.end() < 5


def test_a_reload_that_waited_for_a_disk_goes_on_when_it_answers(tmp_path: Path, upstream: Scripted) -> None:
    with house(tmp_path, upstream, workers=1) as running:
        (tmp_path / "config.yaml").rename(tmp_path / "whole.yaml")
        os.mkfifo(tmp_path / "config.yaml")
        running.process.send_signal(signal.SIGHUP)
        wait_for(lambda: "reading the settings again" in running.said(), "it to read")
        assert data(ask(running.port, "blocked.example")) == ["A 127.0.0.1"]
        (tmp_path / "config.yaml").write_text((tmp_path / "whole.yaml").read_text() + "logs: text\n")
        wait_for(lambda: "settings: nothing changed" in running.said(), "the end of the reload")


def test_what_needs_a_restart_is_named_and_the_rest_applied(tmp_path: Path, upstream: Scripted) -> None:
    with house(tmp_path, upstream, workers=1) as running:
        (port,) = free_ports(1)
        old = running.settings["resolver"]["listen"]
        running.settings["state_dir"] = "elsewhere"
        running.write(listen=[f"{HOST}:{port}"], workers=3, block_ttl_seconds=9)
        said = reload(running, "resolver.block_ttl_seconds = 9 is in force", "resolver.workers = 3 (1 is in force) waits for a restart")
        assert f'resolver.listen = ["{HOST}:{port}"]' in said
        assert "state_dir" in said
        assert not (tmp_path / "elsewhere").exists()
        assert ask(running.port, "blocked.example").answer[0].ttl == 9
        assert [child["name"] for child in running.report()["children"]] == ["worker-0"]
        assert any("resolver.workers = 3" in warning and "restart" in warning for warning in running.report()["warnings"])
        running.settings["state_dir"] = "state"
        running.write(listen=old, workers=1)
        reload(running, "settings: nothing changed")


def test_other_sources_are_built_and_watched(tmp_path: Path, upstream: Scripted) -> None:
    with house(tmp_path, upstream, workers=1) as running:
        process = running.pid("worker-0")
        (tmp_path / "other.txt").write_text("other.example\n")
        running.settings["blocklists"]["sources"].append({"id": "other", "path": "other.txt", "format": "domains"})
        running.write()
        reload(running, "blocklists.sources is in force")
        wait_for(lambda: data(ask(running.port, "other.example")) == ["A 127.0.0.1"], "the other list")
        (tmp_path / "other.txt").write_text("later.example\n")
        wait_for(lambda: data(ask(running.port, "later.example")) == ["A 127.0.0.1"], "its edit")
        assert running.pid("worker-0") == process, "a list is no worker's setting"


def test_a_crash_while_it_is_replaced_and_many_reloads_at_once_end_well(tmp_path: Path, upstream: Scripted) -> None:
    with house(tmp_path, upstream) as running, Load(running.port, rate=500) as load:
        wait_for(running.standby, "the standby")
        for seconds in (3, 4, 5):
            running.write(block_ttl_seconds=seconds)
            running.process.send_signal(signal.SIGHUP)
            time.sleep(0.02)  # so that each signal is one of its own
        process = running.pid("worker-1")
        if process:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        wait_for(lambda: "block_ttl_seconds = 5 is in force" in running.said(), "the last settings")
        wait_for(lambda: running.pid("worker-0") and running.pid("worker-1"), "both workers")
        assert {ask(running.port, "blocked.example").answer[0].ttl for _ in range(20)} == {5}
        names = sorted(process.pid for process in running.processes())
        wait_for(lambda: running.standby() and len(running.processes()) == 3, f"two workers and the standby alone, of {names}")
        assert running.end() < 5
        load.finish()
    assert not load.wrong()


def test_the_page_is_replaced_without_a_gap(tmp_path: Path, upstream: Scripted) -> None:
    (port,) = free_ports(1)
    page = {"listen": [f"{HOST}:{port}"], "operator": "First operator"}
    with house(tmp_path, upstream, workers=1, role="run", landing=page) as running:
        seen: list[str] = []
        stop, failures = threading.Event(), []

        def visitor() -> None:
            while not stop.is_set():
                request = urllib.request.Request(f"http://{HOST}:{port}/", headers={"Host": "blocked.example", "Accept-Language": "en"})
                try:
                    with urllib.request.urlopen(request, timeout=10) as response:
                        seen.append(response.read().decode())
                except urllib.error.HTTPError as error:
                    seen.append(error.read().decode())
                except Exception as error:
                    failures.append(error)

        visiting = threading.Thread(target=visitor)
        visiting.start()
        wait_for(lambda: any("First operator" in text for text in seen), "the page")
        process = running.pid("landing")
        running.settings["landing"]["operator"] = "Second operator"
        running.write()
        reload(running, 'landing.operator = "Second operator" is in force')
        wait_for(lambda: "Second operator" in seen[-1], "the other operator")
        stop.set()
        visiting.join()
        assert failures == []
        assert running.pid("landing") not in (0, process)
        assert all("First operator" in text or "Second operator" in text for text in seen)


def test_only_what_waits_is_held_back() -> None:
    old = {"state_dir": "a", "resolver": {"workers": 1, "cache_mb": 8}, "landing": {"listen": ["x"]}}
    new = {"state_dir": "b", "resolver": {"workers": 2, "cache_mb": 9}, "landing": {"listen": ["y"]}}
    possible = held_back(old, new)
    assert possible == {"state_dir": "a", "resolver": {"workers": 1, "cache_mb": 9}, "landing": {"listen": ["x"]}}
    assert differences(old, possible) == {"resolver.cache_mb": (8, 9)}
    assert set(differences(possible, new)) == {"state_dir", "resolver.workers", "landing.listen"}


@pytest.mark.parametrize("loaded", [False, True], ids=["the first cannot start", "the second cannot start"])
def test_a_successor_that_cannot_start_costs_no_query_and_reload_says_why(loaded: bool, tmp_path: Path, upstream: Scripted) -> None:
    """No version of the list on the disk is sound, so that no new worker can open one. `loaded`: but the standby has, and takes the first's place."""
    with house(tmp_path, upstream) as running:
        standby = wait_for(running.standby, "the standby")
        wait_for(lambda: f"memfd:redhand {store.RULES}" in Path(f"/proc/{standby}/maps").read_text(), "it to open the list")
        before = [running.pid(f"worker-{number}") for number in range(2)]
        for manifest in (tmp_path / "state" / "versions").glob("*/manifest.json"):
            manifest.unlink()
        if not loaded:
            os.kill(standby, signal.SIGKILL)
            wait_for(lambda: running.standby() not in (0, standby), "another standby")
        running.write(block_ttl_seconds=7)
        with Load(running.port, rate=500) as load:
            wait_for(lambda: len(load.asked) > 100, "some load")
            said = command(running, "reload", code=1)
            after = len(load.asked)
            wait_for(lambda: len(load.asked) > after + 100, "more questions")
        assert load.lost() == load.wrong() == []
        failed = f"worker-{int(loaded)}"
        assert f"not applied, those before stay in force: {failed} did not become ready with them (ended with exit code 1)" in said
        assert "; see what it logged" in said
        assert said.endswith("; mend that and reload again\n")
        logged = [line for line in running.said().splitlines() if f"ERROR {failed} resolver: " in line]
        assert any("run: redhand blocklist build" in line for line in logged), "and that says what to do"
        assert ("worker-0 could not be given its old ones back" in said) is loaded
        (alarm,) = (alarm for alarm in running.report()["alarms"] if alarm["name"] == "settings")
        assert failed in alarm["what"]
        assert running.pid("worker-1") == before[1]
        assert (running.pid("worker-0") == before[0]) is not loaded
        wait_for((tmp_path / "state" / "versions" / "2").exists, "a reload to have the list built anew")
        assert "block_ttl_seconds = 7 is in force" in command(running, "reload")
        assert {ask(running.port, "blocked.example").answer[0].ttl for _ in range(20)} == {7}
        wait_for(lambda: not running.report()["alarms"], "the alarms to end")
        print(f"{len(load.asked)} questions, {failed} not replaced, 0 lost")
