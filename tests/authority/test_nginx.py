"""docs/nginx-feed.conf under a real nginx, beside the server: the tree as files, entries for operators alone, hints, receipts, reports passed on."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3

from blocklists.log.tiles import bundle_path, read_bundle
from blocklists.log.tree import Tree
from tests.authority.cast import client
from tests.authority.conftest import Feed
from tests.authority.feeding import Answer, event, listening
from tests.blocklists.test_reports import made
from tests.tools import DEADLINE, free_ports, in_time, require, wait_for

CONFIGURATION = Path(__file__).parents[2] / "docs" / "nginx-feed.conf"
MAIN = """
daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log;
{user}
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    limit_req_zone $http_authorization zone=feed_entries:10m rate=50r/s;
    limit_conn_zone $binary_remote_addr zone=feed_hints:10m;
    server {{ listen 127.0.0.1:{port}; include {folder}/nginx-feed.conf; }}
}}
"""  # noqa: E501


class Front:
    """nginx, in front of the server."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}/"
        self._pool = urllib3.PoolManager(retries=False, timeout=DEADLINE)

    def ask(self, path: str, method: str = "GET", body: bytes | None = None, **fields: str) -> Answer:
        answer = self._pool.request(method, self.url + path, headers=fields, body=body, redirect=False)
        return Answer(answer.status, answer.headers, answer.data)


@pytest.fixture(scope="module")
def front(feed: Feed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    program = require("nginx")
    folder = tmp_path_factory.mktemp("nginx")
    (port,) = free_ports(1)
    told = CONFIGURATION.read_text().replace("/srv/authority", str(feed.directory)).replace("127.0.0.1:8443", f"127.0.0.1:{feed.server.port}")
    (folder / "nginx-feed.conf").write_text(told)
    # As root, nginx would give its worker to a user who may not enter pytest's directories.
    user = "user root;" if Path("/proc/self").stat().st_uid == 0 else ""
    (folder / "nginx.conf").write_text(MAIN.format(folder=folder, port=port, user=user))
    with subprocess.Popen([program, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")]) as process:
        try:
            front = Front(port)

            def up() -> bool:
                assert process.poll() is None, (folder / "error.log").read_text()
                try:
                    return front.ask("log/checkpoint").status == 200
                except urllib3.exceptions.HTTPError:
                    return False

            wait_for(up, "nginx serves")
            yield front
        finally:
            process.terminate()


def test_a_client_of_tuf_follows_it(feed: Feed, front: Front, tmp_path: Path) -> None:
    assert client(tmp_path, feed.directory).look(front.url).root == Tree(feed.directory / "public" / "log").root


def test_files_have_the_server_s_headers(feed: Feed, front: Front) -> None:
    tree = Tree(feed.directory / "public" / "log")
    entries = f"log/{bundle_path(0, tree.size)}"
    for path in ("metadata/1.root.json", "metadata/timestamp.json", "log/checkpoint", f"log/tile/0/000.p/{tree.size}", entries):
        plain, behind = (where.ask(path, Authorization=feed.operator.bearer) for where in (feed.server, front))
        assert plain.status == behind.status == 200
        assert plain.body == behind.body
        for name in ("cache-control", "content-type", "x-content-type-options"):
            assert plain.fields[name] == behind.fields[name], (path, name)
        assert "content-encoding" not in front.ask(path, Authorization=feed.operator.bearer, **{"Accept-Encoding": "gzip"}).fields


def test_a_timestamp_that_changed_within_a_second_is_seen(feed: Feed, front: Front) -> None:
    first = front.ask("metadata/timestamp.json")
    feed.publisher.publish([], int(time.time()))
    fields = {"If-Modified-Since": first.fields.get("last-modified", ""), "If-None-Match": first.fields.get("etag", '"-"')}
    again = front.ask("metadata/timestamp.json", **fields)
    assert (again.status, again.body != first.body) == (200, True)


def test_entries_are_for_operators_alone_and_may_be_had_in_part(feed: Feed, front: Front) -> None:
    tree = Tree(feed.directory / "public" / "log")
    path = f"log/{bundle_path(0, tree.size)}"
    for bad in ({}, {"Authorization": feed.operator.bearer + "x"}):
        answer = front.ask(path, **bad)
        assert answer.status == 401
        assert answer.fields["www-authenticate"].startswith("Bearer")
    whole = (feed.directory / "public" / path).read_bytes()
    at = 2 + int.from_bytes(whole[:2], "big")
    tail = front.ask(path, Authorization=feed.operator.bearer, Range=f"bytes={at}-")
    assert tail.status == 206
    assert read_bundle(tail.body) == list(tree.entries(1, tree.size))
    assert front.ask(path, Authorization=feed.operator.bearer, Range="bytes=99999999-").status == 416


def test_nothing_else_is_there(feed: Feed, front: Front) -> None:
    (feed.directory / "public" / "metadata" / "77.root.json").symlink_to(feed.directory / "operators.json")
    try:
        for path in (
            "",
            "metadata/",
            "log/size",
            "authorize",
            "operators.json",
            "../operators.json",
            "metadata/%2e%2e/%2e%2e/operators.json",
            "receipts/taken",
        ):
            assert front.ask(path).status in (400, 404), path
        assert front.ask("metadata/77.root.json").status == 403
    finally:
        (feed.directory / "public" / "metadata" / "77.root.json").unlink()
    assert front.ask("log/checkpoint", "DELETE").status == 403


def test_hints_and_receipts_pass_through(feed: Feed, front: Front) -> None:
    with listening(feed.server, front.port) as subscriber:

        def hear(_: int) -> None:
            feed.publisher.publish([], int(time.time()))
            assert event(subscriber) == b"%d" % Tree(feed.directory / "public" / "log").size

        assert in_time(hear, 1)
    data = feed.operator.receipt(Tree(feed.directory / "public" / "log"))
    assert front.ask("receipts", "POST", data).status == 401
    answer = front.ask("receipts", "POST", data, Authorization=feed.operator.bearer)
    assert answer.status == 200
    assert answer.body == feed.server.ask("receipts", "POST", data, Authorization=feed.operator.bearer).body


def test_reports_and_their_outcomes_pass_through(feed: Feed, front: Front) -> None:
    (feed.directory / "desk").mkdir(exist_ok=True)
    assert front.ask("reports", "POST", made().encode()).status == 401
    assert front.ask("reports", "POST", made().encode(), Authorization=feed.operator.bearer).status == 200
    assert front.ask("reports/outcomes?after=0", Authorization=feed.operator.bearer).status == 200
    assert front.ask("reports/incoming/operator-1", Authorization=feed.operator.bearer).status == 404
