"""A feed followed by the whole program: hint to verdict, alarms in the status and the metrics, and the command that looks once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dns.message
import dns.query
import dns.rcode
import pytest

from tests.blocklists.feed.authority import Authority, order, withdrawal
from tests.blocklists.feed.mirror import TOKEN, Mirror
from tests.tools import free_ports, wait_for

ROOT = Path(__file__).parents[2]
FIRST = order("XX-1", ".site.example")


class House:
    """An installation that follows one mirror."""

    def __init__(self, place: Path) -> None:
        self.authority = Authority()
        self.authority.log(FIRST)
        self.authority.publish()
        self.mirror = Mirror(lambda: self.authority.files)
        self.place = place
        self.dns, self.upstream, self.metrics = free_ports(3)
        (place / "root.json").write_bytes(self.authority.root_json())
        (place / "token").write_text(TOKEN)
        self.write()

    def write(self, **feed: Any) -> None:
        settings = {
            "resolver": {"listen": [f"127.0.0.1:{self.dns}"], "workers": 1, "upstreams": [{"address": f"127.0.0.1:{self.upstream}"}]},
            "blocklists": {"sources": []},
            "feed": {"urls": [self.mirror.url], "root": "root.json", "token_file": "token", **feed},
            "metrics": {"listen": f"127.0.0.1:{self.metrics}"},
        }
        (self.place / "config.yaml").write_text(json.dumps(settings))

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "redhand", *words, "--config", str(self.place / "config.yaml")]

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self.command(*words), cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)

    def blocks(self, name: str) -> bool:
        """Whether the resolver answers with the landing's address; anything else is not blocked (there is no upstream)."""
        answer = dns.query.udp(dns.message.make_query(name, "A"), "127.0.0.1", 10, self.dns)
        return answer.rcode() == dns.rcode.NOERROR and bool(answer.answer)

    def report(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.place / "var" / "run" / "status.json").read_text())
        return found

    def alarms(self) -> dict[str, dict[str, Any]]:
        return {alarm["name"]: alarm for alarm in self.report()["alarms"] if alarm["source"] == "feed"}


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    found = House(tmp_path)
    yield found
    found.mirror.stop()


def test_a_look_says_what_came_of_it_by_its_exit_code(house: House) -> None:
    done = house.run("sync", "--once")
    assert (done.returncode, done.stderr) == (0, "")
    assert "fetched 1 of 1 entries" in done.stdout
    assert "what its first 1 entries order is in force, and is news" in done.stdout
    assert "blocked" in house.run("check", "www.site.example").stdout
    house.mirror.fault = lambda handler, data: bool(handler.answer(500)) or True
    done = house.run("sync", "--once")
    assert done.returncode == 3
    assert "away: " in done.stdout
    assert "stays in force, as last verified" in done.stdout
    house.mirror.fault = lambda handler, data: bool(handler.answer(200, b"{}")) or True
    assert house.run("sync", "--once").returncode == 4
    house.write(root="nowhere.json")
    done = house.run("sync", "--once")
    assert done.returncode == 2
    assert "nowhere.json" in done.stderr
    done = house.run("config", "check")
    assert (done.returncode, "feed.root" in done.stderr) == (2, True)
    house.write(urls=[])
    assert house.run("sync", "--once").returncode == 2


def test_hint_to_verdict_and_alarms_that_come_and_go(house: House) -> None:
    process = subprocess.Popen(house.command("resolver"), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        wait_for(lambda: (house.place / "var" / "run" / "status.json").exists() and house.report()["state"] == "serving", "serving")
        wait_for(lambda: house.blocks("www.site.example"), "the first order in force")
        wait_for(lambda: (house.report()["feed"] or {}).get("size") == 1, "the feed in the status")
        house.authority.log(order("XX-2", "next.test"))
        house.authority.publish()
        house.mirror.hint()
        wait_for(lambda: house.blocks("next.test"), "what a hint announced")
        house.authority.log(withdrawal(FIRST), ["n1"])
        house.authority.publish()
        house.mirror.hint()
        wait_for(lambda: not house.blocks("www.site.example"), "what was withdrawn")
        house.mirror.fault = lambda handler, data: bool(handler.answer(500)) or True
        house.mirror.hint()
        alarm = wait_for(lambda: house.alarms().get("feed away"), "an alarm")
        assert house.mirror.url in alarm["what"]
        assert "tried again by itself" in alarm["remedy"]
        shown = house.run("status").stdout
        assert "Feed      orders.authority.example/2026: 3 entries, signed" in shown
        assert "feed away" in shown
        with urllib.request.urlopen(f"http://127.0.0.1:{house.metrics}/metrics", timeout=10) as answer:
            metrics = answer.read().decode()
        assert 'redhand_alarm{name="feed away",source="feed"} 1.0' in metrics
        assert "redhand_feed_entries 3.0" in metrics
        assert house.blocks("next.test")
        house.mirror.fault = None
        house.mirror.hint()
        wait_for(lambda: not house.alarms(), "the alarm's end")
        feed = next(child["pid"] for child in house.report()["children"] if child["name"] == "feed")
        os.kill(feed, signal.SIGKILL)
        house.authority.log(order("XX-3", "third.test"))
        house.authority.publish()
        wait_for(lambda: house.blocks("third.test"), "what was published while the feed's process was gone")
    finally:
        process.terminate()
        said = process.communicate(timeout=20)[1]
    assert process.returncode == 0, said
