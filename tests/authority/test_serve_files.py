"""The public tree over HTTP: what is there, to whom, with which headers; and nothing else, however it is asked for."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

import pytest

from blocklists.log.tiles import bundle_path, read_bundle
from blocklists.log.tree import Tree
from tests.authority.cast import Client, client
from tests.authority.conftest import Feed
from tests.tools import require

IMMUTABLE = "public, max-age=31536000, immutable"


def bundle(feed: Feed) -> str:
    return f"log/{bundle_path(0, Tree(feed.directory / 'public' / 'log').size)}"


def test_a_client_of_tuf_follows_it(feed: Feed, tmp_path: Path) -> None:
    tree = Tree(feed.directory / "public" / "log")
    reader: Client = client(tmp_path, feed.directory)
    assert reader.look(feed.server.url).root == tree.root
    path = bundle(feed)
    data = feed.server.ask(path, Authorization=feed.operator.bearer).body
    assert read_bundle(data) == list(tree.entries(0, tree.size))


def test_what_never_changes_is_kept_for_ever_and_what_does_is_asked_for_each_time(feed: Feed) -> None:
    for path, kept in (
        ("metadata/1.root.json", IMMUTABLE),
        (f"log/tile/0/000.p/{Tree(feed.directory / 'public' / 'log').size}", IMMUTABLE),
        ("metadata/timestamp.json", "no-cache"),
        ("log/checkpoint", "no-cache"),
    ):
        answer = feed.server.ask(path)
        assert (answer.status, answer.fields["cache-control"]) == (200, kept), path
        assert answer.body == (feed.directory / "public" / path).read_bytes()
        head = feed.server.ask(path, "HEAD")
        assert (head.status, head.body, head.fields["content-length"]) == (200, b"", str(len(answer.body)))
        assert "content-encoding" not in feed.server.ask(path, Accept_Encoding="gzip, br").fields


def test_a_poll_without_news_costs_little(feed: Feed) -> None:
    """Also right after a publication within the same second, of the same length: what has changed is never taken for what has not."""
    first = feed.server.ask("metadata/timestamp.json")
    with feed.server.raw() as connection:
        connection.sendall(f"GET /metadata/timestamp.json HTTP/1.1\r\nHost: a\r\nIf-None-Match: {first.fields['etag']}\r\n\r\n".encode())
        answer = connection.recv(65536)
    assert answer.startswith(b"HTTP/1.1 304")
    assert len(answer) < 400
    feed.publisher.publish([], int(os.stat(feed.directory / "public" / "metadata" / "timestamp.json").st_mtime))
    fields = {"If_None_Match": first.fields["etag"], "If_Modified_Since": first.fields["last-modified"]}
    again = feed.server.ask("metadata/timestamp.json", **fields)
    assert again.status == 200
    assert again.body != first.body


@pytest.mark.parametrize(
    ("asked", "status", "part"),
    [
        ("bytes=10-19", 206, slice(10, 20)),
        ("bytes=10-", 206, slice(10, None)),
        ("bytes=-7", 206, slice(-7, None)),
        ("bytes=0-99999999", 206, slice(None)),
        ("bytes=-99999999", 206, slice(None)),
        ("bytes=99999999-", 416, None),
        ("bytes=-0", 416, None),
        ("bytes=20-10", 200, slice(None)),
        ("bytes=0-1,4-5", 200, slice(None)),
        ("bytes=-", 200, slice(None)),
        ("lines=1-2", 200, slice(None)),
        ("bytes=" + "9" * 400 + "-", 200, slice(None)),
    ],
)
def test_parts(feed: Feed, asked: str, status: int, part: slice | None) -> None:
    whole = (feed.directory / "public" / bundle(feed)).read_bytes()
    answer = feed.server.ask(bundle(feed), Range=asked, Authorization=feed.operator.bearer)
    assert answer.status == status
    if part is None:
        assert answer.fields["content-range"] == f"bytes */{len(whole)}"
        return
    assert answer.body == whole[part]
    if status == 206:
        start = range(len(whole))[part].start
        assert answer.fields["content-range"] == f"bytes {start}-{start + len(answer.body) - 1}/{len(whole)}"


def test_a_part_of_another_file_than_the_client_holds_is_not_given(feed: Feed) -> None:
    answer = feed.server.ask("log/checkpoint", Range="bytes=3-", If_Range='"another"')
    assert (answer.status, answer.body) == (200, (feed.directory / "public" / "log" / "checkpoint").read_bytes())


def test_entries_need_a_token(feed: Feed) -> None:
    good = feed.operator.bearer
    token = good.removeprefix("Bearer ")
    for bad in ("", "Bearer", "Bearer ", f"{good}x", good[:-1], f"Basic {token}", f"{good} {good}", "Bearer " + "a" * 4000, "Bearer é"):
        fields = {"Authorization": bad} if bad else {}
        answer = feed.server.ask(bundle(feed), **fields)
        assert answer.status == 401, bad
        assert answer.fields["www-authenticate"].startswith("Bearer")
        assert answer.fields["cache-control"] == "no-store"
        assert feed.server.ask("authorize", **fields).status == 401
    answer = feed.server.ask(bundle(feed), Authorization=good.replace("Bearer", "bearer"))
    assert answer.status == 200
    assert answer.fields["cache-control"] == "private, max-age=31536000, immutable"  # no shared cache gives it to others
    assert feed.server.ask("authorize", Authorization=good).status == 204


def test_the_token_is_kept_nowhere(feed: Feed) -> None:
    token = feed.operator.bearer.split()[1].encode()
    for path in feed.directory.rglob("*"):
        assert not path.is_file() or token not in path.read_bytes(), path
    assert token not in feed.server.log.read_bytes()


OUTSIDE = (
    "", "metadata", "metadata/", "log/", "log/size", "log/.new/plan", "online/", "operators.json", "../operators.json",
    "metadata/../../operators.json", "metadata/%2e%2e/%2e%2e/operators.json", "metadata/..%2f..%2foperators.json",
    "log/tile/../tile/entries/000.p/2", "log//tile/entries/000.p/2", "log/tile/0/../entries/000.p/2", "log/%74ile/entries/000.p/2",
    "log/tile/entries/000.p/2/", "log/tile/entries/000.p", "log/tile/0/000.p/0", "log/tile/0/001", "log/tile/" + "x001/" * 100 + "000",
    "metadata/timestamp.json%00", "metadata/timestamp.json;x", "metadata/.timestamp.json.1.new", "metadata/9999999.root.json",
    "targets/policy.json", f"targets/{'0' * 64}.policy.json", "receipts/taken", "a" * 8000,
)  # fmt: skip


@pytest.mark.parametrize("path", OUTSIDE, ids=lambda path: path[:40] or "(nothing)")
def test_nothing_else_is_there(feed: Feed, path: str) -> None:
    """As curl sends it: not put in order before."""
    found = subprocess.run(
        [require("curl"), "-s", "--path-as-is", "-m", "10", "-o", "/dev/null", "-w", "%{http_code}", feed.server.url + path],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert found.stdout == "404"


@pytest.mark.parametrize("name", ["file", "directory", "pipe"])
def test_links_are_not_followed(feed: Feed, name: str) -> None:
    """One who can write to the public tree, and to no more, opens no other file by it."""
    asked = {"file": "metadata/77.root.json", "directory": "log/tile/63/000", "pipe": "metadata/78.root.json"}[name]
    path = feed.directory / "public" / asked.removesuffix("/000")
    outside = feed.directory / "outside"
    outside.mkdir(exist_ok=True)
    (outside / "000").write_bytes(b"secret")
    if name == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(outside / "000" if name == "file" else outside)
    try:
        assert feed.server.ask(asked).status == 404
    finally:
        path.unlink()


def test_other_methods_are_refused(feed: Feed) -> None:
    for path, method, allowed in (
        ("log/checkpoint", "POST", "GET, HEAD"),
        ("log/checkpoint", "DELETE", "GET, HEAD"),
        ("hints", "POST", "GET"),
        ("receipts", "GET", "POST"),
    ):
        answer = feed.server.ask(path, method)
        assert (answer.status, answer.fields["allow"]) == (405, allowed)


def test_no_client_is_named_in_the_log(feed: Feed) -> None:
    with feed.server.raw() as connection:
        connection.sendall(b"\x16\x03\x01 nonsense\r\n\r\n")
        assert connection.recv(4096).startswith(b"HTTP/1.1 400")
        port = connection.getsockname()[1]
    feed.server.ask("log/checkpoint")
    said = feed.server.log.read_text()
    assert str(port) not in said
    assert "127.0.0.1" not in said


def test_one_who_reads_an_answer_slowly_holds_up_nobody(feed: Feed) -> None:
    """Many connections that take nothing of what they asked for."""
    held: list[socket.socket] = []
    try:
        for _ in range(200):
            connection = feed.server.raw()
            connection.sendall(b"GET /metadata/1.root.json HTTP/1.1\r\nHost: a\r\n\r\n" * 50)
            held.append(connection)
        assert feed.server.ask("log/checkpoint").status == 200
    finally:
        for connection in held:
            connection.close()
