"""The process: when it is ready, how it ends, what it does about slow clients, new versions and faults, and what it leaves in its log."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import resource
from pathlib import Path
from typing import Any

import pytest

from blocklists import readers, store
from blocklists.agreed import Timekeeper
from landing.following import READER
from landing.head import Head
from landing.reply import Reply
from landing.settings import LandingSettings
from landing.site import Site
from tests.landing.samples import order, put_in_force
from tests.landing.server import Client, Landing
from tests.tools import DEADLINE, in_time


def test_it_starts_before_there_is_a_version_and_follows_every_new_one(tmp_path: Path) -> None:
    with Landing(tmp_path) as landing:
        assert landing.ask("blocked.example").status == 503
        assert landing.ask("127.0.0.1", "/.well-known/redhand/health").status == 503
        put_in_force(tmp_path, order("blocked.example"))
        landing.wait_for("blocked.example", 451)
        put_in_force(tmp_path, order("other.example"))
        landing.wait_for("other.example", 451)
        assert landing.ask("blocked.example").status == 404
        assert readers.live(tmp_path) == {READER: 2}
    assert landing.process.returncode == 0
    assert readers.live(tmp_path) == {}


def test_a_torn_version_leaves_the_last_one_in_force(tmp_path: Path) -> None:
    put_in_force(tmp_path, order("blocked.example"))
    with Landing(tmp_path) as landing:
        landing.wait_for("blocked.example", 451)
        current = tmp_path / "current"
        current.write_text("2 " + "0" * 64 + "\n")
        deadline_answers = [landing.ask("blocked.example").status for _ in range(200)]
        assert set(deadline_answers) == {451}


def test_the_text_of_an_order_that_was_altered_on_disk_is_not_put_in_force(tmp_path: Path) -> None:
    put_in_force(tmp_path, order("blocked.example"))
    entries = store.versions_dir(tmp_path) / "1" / store.ENTRIES
    entries.chmod(0o644)
    entries.write_bytes(entries.read_bytes().replace(b"market", b"harbor"))
    with Landing(tmp_path) as landing:
        assert landing.ask("blocked.example").status == 503


def test_it_ends_in_time_with_clients_connected(tmp_path: Path) -> None:
    put_in_force(tmp_path, order("blocked.example"))

    def end(_: int) -> float:
        with Landing(tmp_path, head_seconds=60, idle_seconds=60) as landing, landing.client() as idle, landing.client() as halfway:
            landing.wait_for("blocked.example", 451)
            halfway.send(b"GET / HTTP/1.1\r\nHost: bl")
            took = landing.stop()
            assert landing.process.returncode == 0
            assert idle.closed()
            assert halfway.closed()
            return took

    assert in_time(end, 3)


def test_slow_heads_are_cut_off_and_quick_clients_are_not(tmp_path: Path) -> None:
    put_in_force(tmp_path, order("blocked.example"))
    with Landing(tmp_path, head_seconds=0.5, idle_seconds=60) as landing:
        landing.wait_for("blocked.example", 451)
        with landing.client() as silent, landing.client() as dribbling, landing.client() as second, landing.client() as body:
            second.send(b"GET / HTTP/1.1\r\nHost: blocked.example\r\n\r\nGET / HTTP/1.1\r\nHost: b")
            body.send(b"POST / HTTP/1.1\r\nHost: blocked.example\r\nContent-Length: 1000000\r\n\r\n")
            assert [client.answer().status for client in (second, body)] == [451, 451]
            assert _cut_while_dribbling(dribbling)
            assert silent.closed()
            assert second.closed()
            assert _cut_while_dribbling(body)
        with landing.client() as quick:
            for _ in range(3):
                quick.send(b"GET / HTTP/1.1\r\nHost: blocked.example\r\n\r\n")
                assert quick.answer().status == 451


def _cut_while_dribbling(client: Client) -> bool:
    """Sends one octet of a request's head at a time until the server cuts the connection; False if it bears that to the end."""
    client.socket.settimeout(0.05)
    for octet in b"GET / HTTP/1.1\r\nHost: blocked.example\r\nX-Filling: " + b"x" * 200:
        try:
            client.send(bytes((octet,)))
            if client.socket.recv(1) == b"":
                return True
        except TimeoutError:
            continue
        except ConnectionError:
            return True
    return False


def test_a_kept_connection_that_falls_silent_is_closed(tmp_path: Path) -> None:
    put_in_force(tmp_path, order("blocked.example"))
    with Landing(tmp_path, idle_seconds=1) as landing:
        landing.wait_for("blocked.example", 451)
        with landing.client() as client:
            client.send(b"GET / HTTP/1.1\r\nHost: blocked.example\r\n\r\n")
            assert client.answer().status == 451
            assert client.closed()


def test_the_connection_that_was_silent_longest_gives_way_to_a_newcomer(tmp_path: Path) -> None:
    put_in_force(tmp_path, order("blocked.example"))
    with Landing(tmp_path, connections=16, idle_seconds=60) as landing, contextlib.ExitStack() as held:
        landing.wait_for("blocked.example", 451)
        kept = [held.enter_context(landing.client()) for _ in range(16)]
        for client in kept:
            client.send(b"GET / HTTP/1.1\r\nHost: blocked.example\r\n\r\n")
            assert client.answer().status == 451
        assert landing.ask("blocked.example").status == 451
        assert kept[0].closed()
        for client in kept[2:]:
            client.send(b"GET / HTTP/1.1\r\nHost: blocked.example\r\n\r\n")
            assert client.answer().status == 451


def test_nothing_about_a_visitor_is_written_anywhere(tmp_path: Path) -> None:
    put_in_force(tmp_path, order("blocked.example"))
    marks = ["mark-in-host", "mark-in-path", "mark-in-agent", "mark-in-cookie", "127.0.0.1"]
    with Landing(tmp_path) as landing:
        landing.wait_for("blocked.example", 451)
        fields = "User-Agent: mark-in-agent\r\nCookie: mark-in-cookie\r\nReferer: http://mark-in-path/\r\n"
        for host in ("mark-in-host.blocked.example", "mark-in-host.example", "mark-in-host..example"):
            landing.ask(host, "/mark-in-path", fields=fields)
        with landing.client() as client:
            client.send(b"mark-in-path\r\n\r\n")
            assert client.answer().status == 400
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()).decode("utf-8", "replace")
    assert "blocked.example" in written
    assert [mark for mark in marks if mark in written] == []


class _Broken:
    """A version whose index fails, as nothing should."""

    serial = 1
    identity = "broken"

    @property
    def index(self) -> Any:
        raise RuntimeError("mark-of-the-fault")


def test_a_fault_is_a_plain_page_without_details(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    site = Site(LandingSettings(), Timekeeper(tmp_path))

    def ask() -> Reply:
        answer = site.answer(Head(b"GET", b"/", b"blocked.example"))
        assert isinstance(answer, Reply)
        return answer

    site.put_in_force(_Broken())  # type: ignore[arg-type]
    with caplog.at_level(logging.ERROR):
        answer = ask()
    assert answer.status == 500
    assert b"cache-control: no-store\r\n" in answer.head
    assert b"This page is out of order" in answer.body
    assert b"mark-of-the-fault" not in answer.body
    assert "RuntimeError at test_serve.py" in caplog.text
    assert "mark-of-the-fault" not in caplog.text
    site.put_in_force(put_in_force(tmp_path, order("blocked.example")))
    assert ask().status == 451


def test_a_job_with_a_wrong_setting_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="operator_url"):
        Landing(tmp_path, operator_url="https://a>b/")


def test_a_thousand_visitors_at_once_are_all_answered(tmp_path: Path) -> None:
    put_in_force(tmp_path, order("blocked.example"))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    async def visit(port: int, number: int) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: n%d.blocked.example\r\nConnection: close\r\n\r\n" % number)
        answer = await reader.read()
        writer.close()
        return answer

    async def flood(port: int) -> list[bytes]:
        async with asyncio.timeout(DEADLINE):
            return await asyncio.gather(*(visit(port, number) for number in range(1000)))

    try:
        with Landing(tmp_path) as landing:
            landing.wait_for("blocked.example", 451)
            answers = asyncio.run(flood(landing.port))
            assert {answer.partition(b"\r\n")[0] for answer in answers} == {b"HTTP/1.1 451 Unavailable For Legal Reasons"}
            assert all(b"<bdi>n%d.blocked.example</bdi>" % number in answer for number, answer in enumerate(answers))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
