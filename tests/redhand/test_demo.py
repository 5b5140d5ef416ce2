"""What a newcomer gets by `redhand run` without settings: an authority of their own machine, its orders in force, and everywhere the word for it."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dns.edns
import dns.message
import dns.query
import dns.rcode
import psutil
import pytest

from authority import packets
from authority.publisher import Publisher
from blocklists.errors import DiskError, StoreError
from blocklists.log.tree import Tree
from redhand import demo_authority
from redhand.demo_authority import DAY, prepare, samples
from tests.tools import DEADLINE, ended, free_ports, wait_for

ROOT = Path(__file__).parents[2]
NAME = "www.blocked.redhand.example"
WITHDRAWAL = """\
id: FR-2026-000123
action: withdraw
issuer: {{authority: Office central de l'exemple (OCEX), contact: ordres@authority.example}}
reasons: {{en: The publisher has removed it.}}
issued_at: {now}
"""


class Newcomer:
    """A directory without settings, and ports of its own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.dns, self.web, self.metrics, nobody = free_ports(4)
        self.environ = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
            "REDHAND_RESOLVER__LISTEN": f'["127.0.0.1:{self.dns}"]',
            "REDHAND_RESOLVER__WORKERS": "1",
            "REDHAND_RESOLVER__UPSTREAMS": f'[{{"address": "127.0.0.1:{nobody}"}}]',
            "REDHAND_LANDING__LISTEN": f'["127.0.0.1:{self.web}"]',
            "REDHAND_METRICS__LISTEN": f'"127.0.0.1:{self.metrics}"',
        }
        self.log = directory / "run.log"
        self.demo = directory / "var" / "demo"

    @contextmanager
    def running(self) -> Iterator[subprocess.Popen[str]]:
        """`redhand run` with its first screen out; killed at the end if the test has not stopped it."""
        with self.log.open("w") as output:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "redhand", "run"], cwd=self.directory, env=self.environ, text=True, stdout=output, stderr=output
            )
            try:
                wait_for(lambda: process.poll() is not None or "Ctrl-C stops it." in self.log.read_text(), f"first screen: {self.log.read_text()}")
                assert process.poll() is None, self.log.read_text()
                yield process
            finally:
                if process.poll() is None:
                    process.kill()
                process.wait()

    def run(self, *words: object, code: int = 0) -> str:
        """What a command prints."""
        command = [sys.executable, "-P", "-m", "redhand", *map(str, words)]
        done = subprocess.run(command, cwd=self.directory, env=self.environ, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == code, (words, done.stdout, done.stderr)
        return done.stdout + done.stderr

    def ask(self, name: str = NAME) -> dns.message.Message:
        return dns.query.udp(dns.message.make_query(name, "A", use_edns=0), "127.0.0.1", port=self.dns, timeout=DEADLINE)

    def blocks(self, name: str = NAME) -> bool:
        """Whether the answer is the landing's address; nothing else has one, for no upstream answers."""
        return [rdata.to_text() for rrset in self.ask(name).answer for rdata in rrset] == ["127.0.0.1"]

    def page(self, language: str) -> str:
        connection = http.client.HTTPConnection("127.0.0.1", self.web, timeout=DEADLINE)
        try:
            connection.request("GET", "/", headers={"Host": NAME, "Accept-Language": language})
            answer = connection.getresponse()
            assert answer.status == 451
            return answer.read().decode()
        finally:
            connection.close()

    def report(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.directory / "var" / "run" / "status.json").read_text())
        return found

    def child(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = next(each for each in self.report()["children"] if each["name"] == name)
        return found

    def alarms(self) -> set[str]:
        return {alarm["name"] for alarm in self.report()["alarms"]}

    def withdraw(self) -> None:
        """As the README beside the demonstration's keys says."""
        (self.directory / "withdrawal.yaml").write_text(WITHDRAWAL.format(now=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")))
        self.run("authority", "draft", "withdrawal.yaml", "--dir", self.demo, "-o", "withdrawal.json")
        said = self.run("authority", "sign", "withdrawal.json", "--key", self.demo / "keys" / "officer-1.pem", "--yes-typed", "FR-2026-000123")
        assert "is not encrypted: whoever reads that file can sign as well" in said
        self.run("authority", "publish", self.demo, "withdrawal.json")


@pytest.fixture
def newcomer(tmp_path: Path) -> Newcomer:
    return Newcomer(tmp_path)


def end(process: subprocess.Popen[str]) -> None:
    assert ended(process, signal.SIGINT) < 5
    assert process.returncode == 0


def test_a_newcomer_sees_verified_orders_in_force_and_what_an_authority_does(newcomer: Newcomer) -> None:
    with newcomer.running() as process:
        screen = newcomer.log.read_text()
        assert "Orders    DEMONSTRATION: orders come from an authority made on this machine, whose keys are nobody's" in screen
        assert "Blocked   2 names" in screen
        answer = newcomer.ask()
        assert newcomer.blocks()
        assert {option.code for option in answer.options if isinstance(option, dns.edns.EDEOption)} == {4, 16}
        assert "This order is not real." in newcomer.page("en")
        assert "FR-2026-000123" in newcomer.page("fr")
        assert "Cette décision n\u2019est pas réelle." in newcomer.page("fr")
        assert "wrote it down" not in newcomer.page("en")

        running = json.loads(newcomer.run("status", "--json"))["running"][0]
        assert running["demonstration"] is True
        assert (running["feed"]["demonstration"], running["feed"]["size"]) == (True, 2)
        assert newcomer.run("status").splitlines()[1].strip().startswith("DEMONSTRATION: orders come from")
        decides = json.loads(newcomer.run("check", NAME, "--json"))["decides"]
        assert (decides["basis"]["verified"], decides["basis"]["demonstration"], decides["basis"]["layer"]) == (True, True, "orders")
        assert "DEMONSTRATION: by an authority whose keys are nobody's" in newcomer.run("check", NAME)
        wait_for(
            lambda: json.loads(newcomer.run("receipts", "--json"))[:1] and "acknowledged 2" in newcomer.run("receipts"), "an acknowledged receipt"
        )

        newcomer.run("prove", NAME, "-o", "proof.json")
        proved = json.loads(newcomer.run("verify", "proof.json", "--root", newcomer.demo / "root.json", "--json"))
        assert proved["holds"] is True
        assert "this is a demonstration authority, whose keys are nobody's" in newcomer.run(
            "verify", "proof.json", "--root", newcomer.demo / "root.json"
        )
        assert "what its first 2 entries order is in force" in newcomer.run("sync", "--once")
        assert "a DEMONSTRATION" in newcomer.run("authority", "status", newcomer.demo)

        newcomer.withdraw()
        began = time.monotonic()
        wait_for(lambda: not newcomer.blocks(), "the withdrawal in force", 5.0)
        print(f"from publication to enforcement: {time.monotonic() - began:.2f} s")
        assert newcomer.blocks("exact.redhand.example")
        end(process)
        family = [each for each in psutil.process_iter(["cmdline"]) if str(newcomer.demo) in " ".join(each.info["cmdline"] or ())]
        assert family == []

    with newcomer.running() as process:  # what was withdrawn stays so
        assert newcomer.blocks("exact.redhand.example")
        assert not newcomer.blocks()
        assert "dig" in newcomer.log.read_text()
        end(process)
    assert "the demonstration is served, and followed, while Red Hand runs; start it with: redhand run" in newcomer.run("sync", "--once", code=2)


def test_whatever_becomes_of_the_demonstration_the_list_stays_and_it_comes_back(newcomer: Newcomer) -> None:
    newcomer.environ["REDHAND_FEED__POLL_SECONDS"] = "5"
    with newcomer.running() as process:
        wait_for(lambda: newcomer.child("feed")["state"] == "ready", "the feed client")
        public, moved = newcomer.demo / "public", newcomer.demo / "moved"
        public.rename(moved)  # nothing can be fetched any more, and the authority cannot be started without it
        wait_for(lambda: "feed away" in newcomer.alarms(), "an alarm", 20.0)
        first = newcomer.child("demo")["pid"]
        family = [psutil.Process(first), *psutil.Process(first).children()]
        os.kill(first, signal.SIGKILL)
        wait_for(lambda: not any(each.is_running() and each.status() != psutil.STATUS_ZOMBIE for each in family), "its whole family's end")
        wait_for(lambda: "crash loop demo" in newcomer.alarms(), "an alarm that it cannot be started")
        assert "there is no demonstration: " in newcomer.log.read_text()
        assert newcomer.blocks()
        assert newcomer.ask("localhost").rcode() == dns.rcode.NOERROR
        moved.rename(public)
        wait_for(lambda: newcomer.child("demo")["state"] == "ready" and newcomer.child("demo")["pid"] != first, "it is served again", 20.0)
        newcomer.withdraw()
        wait_for(lambda: not newcomer.blocks(), "what was published since", 20.0)
        assert "feed away" not in newcomer.alarms()
        end(process)


def test_without_a_demonstration_all_else_serves_and_the_first_screen_says_what_is_missing(newcomer: Newcomer) -> None:
    newcomer.demo.parent.mkdir()
    newcomer.demo.write_text("in its place")
    with newcomer.running() as process:
        shown = newcomer.log.read_text()
        assert f"there is no demonstration: {newcomer.demo} is no authority that was published; remove {newcomer.demo.parent}" in shown
        assert "They are not in force yet; what keeps them: " in shown
        assert newcomer.ask("localhost").rcode() == dns.rcode.NOERROR
        assert "crash loop demo" in newcomer.alarms()
        end(process)


def test_other_settings_refuse_the_demonstration(newcomer: Newcomer) -> None:
    with newcomer.running() as process:
        end(process)
    settings = newcomer.directory / "config.yaml"
    settings.write_text("feed: {urls: []}\n")
    assert "holds the demonstration's orders, which bind nobody" in newcomer.run("config", "check", code=2)
    settings.write_text(f"state_dir: other\nfeed: {{urls: ['https://feed.authority.example/'], root: {newcomer.demo / 'root.json'}}}\n")
    for command in (["config", "check"], ["run"], ["sync", "--once"]):
        assert "is a demonstration authority's root file" in newcomer.run(*command, code=2)


# --- the authority itself


def ends(place: Path) -> dict[str, int | None]:
    return dict(demo_authority._standing(place))


def test_orders_and_metadata_of_an_old_demonstration_are_renewed_and_withdrawals_are_not(tmp_path: Path) -> None:
    now = int(time.time())
    place = tmp_path / "demo"
    prepare(place, now)
    assert sorted(ends(place)) == ["FR-2026-000123", "FR-2026-000124"]
    size = Tree(place / "public" / "log").size
    prepare(place, now + 3600)
    assert Tree(place / "public" / "log").size == size
    packet = demo_authority.draft_order(
        place,
        {
            "id": "FR-2026-000124",
            "action": "withdraw",
            "issuer": {"authority": "DERF", "contact": "fraudes@authority.example"},
            "reasons": {"en": "Mended."},
            "issued_at": "2026-01-01T00:00:00Z",
        },
    )
    signed = packets.sign_packet(packet, demo_authority.keys.read_private(place / "keys" / "officer-3.pem", None))
    Publisher(place).publish([signed], now + 3600)
    later = now + 500 * DAY
    prepare(place, later)
    found = ends(place)
    assert found["FR-2026-000124"] is None
    assert later < (found["FR-2026-000123"] or 0) <= later + 90 * DAY
    present = Publisher(place).present
    assert present is not None
    assert all(role.signed.expires.timestamp() > later for role in (present.root, present.targets, present.timestamp, present.snapshot))
    assert (place / "root.json").read_bytes() == (place / "public" / "metadata" / "1.root.json").read_bytes()


def test_killed_while_it_is_made_it_is_made_anew(tmp_path: Path) -> None:
    code = "import sys, time; from pathlib import Path; from redhand.demo_authority import prepare; print('go', flush=True); "
    code += "prepare(Path(sys.argv[1]), int(time.time())); print('made', flush=True)"
    place = tmp_path / "demo"
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}

    def make(seconds: float | None) -> float:
        """Makes it, killed after so many seconds; how long it took."""
        with subprocess.Popen([sys.executable, "-c", code, str(place)], stdout=subprocess.PIPE, text=True, env=environ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "go\n"
            began = time.monotonic()
            try:
                process.wait(seconds)
            except subprocess.TimeoutExpired:
                process.kill()
            process.wait()
            return time.monotonic() - began

    took = make(None)
    shutil.rmtree(place)
    for part in (0.05, 0.2, 0.35, 0.5, 0.65, 0.8, 0.95, None):
        make(took * part if part is not None else None)
        if place.exists() or part is None:  # complete, or not there
            assert sorted(ends(place)) == ["FR-2026-000123", "FR-2026-000124"]
            assert {path.name for path in place.iterdir()} >= {"keys", "online", "public", "root.json", "token", "receipts.pem", "README"}
            shutil.rmtree(place)


def test_what_stands_in_the_way_is_named(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(DiskError, match="making the demonstration in"):
        prepare(blocked / "demo", int(time.time()))
    state_dir = tmp_path / "var"
    (state_dir / "trust").mkdir(parents=True)
    (state_dir / "trust" / "authority").write_text(json.dumps({"demonstration": True, "origin": "x"}))
    with pytest.raises(StoreError, match=r"demo is gone, and what .*var holds was verified with its keys; remove .*var to have another"):
        prepare(state_dir / "demo", int(time.time()))


def test_the_samples_are_in_force_now_and_end() -> None:
    now = int(time.time())
    for document in samples(now):
        effective, expires = (datetime.fromisoformat(document[field]).timestamp() for field in ("effective_at", "expires_at"))
        assert now - DAY < effective <= now < expires < now + 100 * DAY
