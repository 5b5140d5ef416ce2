"""Receipts: taken once, acknowledged by the log's key, in the log with the next publication; a fork of a chain, and what is no receipt, refused."""

from __future__ import annotations

import base64
import contextlib
import os
import random
import signal
import socket
import time
from pathlib import Path

import pytest

from authority import batches, receipts, standing, tokens
from authority.keys import generate
from authority.places import Places
from authority.receipts import Book
from blocklists import receipt
from blocklists.errors import StoreError
from blocklists.log import entry as entries
from blocklists.log.merkle import leaf_hash, root_of
from blocklists.log.tree import Tree
from blocklists.trust import envelope, policy
from blocklists.trust.envelope import ACKNOWLEDGEMENT, MAX_OCTETS, Envelope
from tests.authority.cast import NOW, ORIGIN, Cast, found, order, signed
from tests.authority.conftest import Feed
from tests.authority.feeding import Operator, registered, serving
from tests.tools import wait_for


def tree_of(feed: Feed) -> Tree:
    return Tree(feed.directory / "public" / "log")


def policy_of(feed: Feed) -> policy.Policy:
    assert feed.publisher.present is not None
    return feed.publisher.present.policy


def newcomer(feed: Feed, name: str) -> Operator:
    return registered(feed.cast, feed.directory, name, int(time.time()))


def send(feed: Feed, operator: Operator, data: bytes) -> tuple[int, bytes]:
    """Once the server knows the operator."""
    wait_for(lambda: feed.server.ask("authorize", Authorization=operator.bearer).status == 204, "the token is taken")
    answer = feed.server.ask("receipts", "POST", data, Authorization=operator.bearer)
    return answer.status, answer.body


def test_a_receipt_is_acknowledged_by_the_log_the_same_each_time(feed: Feed) -> None:
    operator = newcomer(feed, "operator-2")
    sent = [operator.receipt(tree_of(feed)), operator.receipt(tree_of(feed))]
    answers = [send(feed, operator, data) for data in (*sent, *sent)]
    assert [status for status, _ in answers] == [200] * 4
    assert answers[:2] == answers[2:]
    key = policy_of(feed).log.key
    for data, (_, body) in zip(sent, answers, strict=False):
        answer = envelope.read(body)
        assert answer.kind == ACKNOWLEDGEMENT
        assert envelope.signers(answer, {key.keyid: key}) == {key.keyid}
        said = receipt.read_acknowledgement(answer.payload)
        assert (said.log, said.receipt) == (ORIGIN, receipt.digest(envelope.read(data).payload))
        assert abs(said.at - time.time()) < 60


def test_receipts_are_in_the_log_with_the_next_publication(feed: Feed) -> None:
    places = Places(feed.directory)
    operator = newcomer(feed, "operator-3")
    before = batches.logged(places, tree_of(feed))
    sent = [operator.receipt(tree_of(feed)) for _ in range(3)]
    for data in sent:
        assert send(feed, operator, data)[0] == 200
    size = feed.publisher.publish([signed(feed.cast, feed.directory, order("XX-3", "third.site.test"))], int(time.time())).size
    entry = entries.read(tree_of(feed).entry(size - 1))
    leaves = [line.leaf for line in receipts.lines(places, before)]
    assert leaves[-3:] == [leaf_hash(data) for data in sent]
    assert (entry.receipts, entry.taken) == ("sha256:" + root_of(leaves).hex(), len(leaves))
    assert feed.publisher.publish([], int(time.time())).size == size  # and once
    (feed.directory / "receipts" / "logged").unlink()
    assert batches.logged(places, tree_of(feed)) == before + len(leaves)


def test_a_fork_of_a_chain_is_refused_with_an_alarm(feed: Feed) -> None:
    operator = newcomer(feed, "operator-4")
    tree = tree_of(feed)
    for _ in range(2):
        assert send(feed, operator, operator.receipt(tree))[0] == 200
    for bad in (
        operator.draft(tree, number=2, previous="sha256:" + "ab" * 32, serial=8),
        operator.draft(tree, previous="sha256:" + "ab" * 32),
        operator.draft(tree, number=1, previous=None, serial=8),
    ):
        status, body = send(feed, operator, bad.encode())
        assert status == 409, body
    feed.server.said("ALARM receipts of operator-4 fork at number")
    status, body = send(feed, operator, operator.draft(tree, number=9).encode())
    assert status == 409
    assert b"the last one taken is 2" in body
    assert send(feed, operator, operator.receipt(tree))[0] == 200  # the chain that was begun goes on


def test_a_log_that_was_never_ours_is_evidence_and_an_alarm(feed: Feed) -> None:
    operator = newcomer(feed, "operator-5")
    data = operator.receipt(tree_of(feed), checkpoint={"size": 1, "root": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "time": NOW})
    assert send(feed, operator, data)[0] == 200
    feed.server.said("ALARM operator-5 has a log of size 1")
    (heard,) = [each for each in standing.standings(Places(feed.directory), policy_of(feed), tree_of(feed)) if each.operator == "operator-5"]
    assert (heard.ours, heard.number) == (False, 1)


def test_the_status_says_who_has_what_in_force_and_what_not(feed: Feed) -> None:
    operator = newcomer(feed, "operator-6")
    exceptions = [{"id": "XX-2", "what": "held", "why": "beyond the limits"}]
    first = Tree(feed.directory / "public" / "log")
    state = {"size": 1, "root": base64.b64encode(first.root_at(1)).decode(), "time": NOW}
    assert send(feed, operator, operator.receipt(first, checkpoint=state, exceptions=exceptions))[0] == 200
    (heard,) = [each for each in standing.standings(Places(feed.directory), policy_of(feed), first) if each.operator == "operator-6"]
    orders = sum(entries.read(first.entry(index)).envelope is not None for index in range(1, first.size))
    assert (heard.name, heard.token, heard.size, heard.behind, heard.ours) == ("operator-6 Telecom", True, 1, orders, True)
    assert [each.model_dump() for each in heard.exceptions] == exceptions


def test_receipts_that_are_logged_make_nobody_late(tmp_path: Path) -> None:
    """Or the receipt for a log that grew by receipts alone would call for the next one, without end."""
    cast, directory = Cast(), tmp_path / "authority"
    publisher = found(cast, directory)
    operators = [registered(cast, directory, f"operator-{number}") for number in (1, 2)]
    publisher.publish([signed(cast, directory, order("XX-1"))], NOW)
    places = Places(directory)

    def behind() -> list[int]:
        assert publisher.present is not None
        return [each.behind for each in standing.standings(places, publisher.present.policy, Tree(places.log))]

    def take(operator: Operator) -> None:
        assert publisher.present is not None
        book = Book(places)
        book.take(operator.receipt(Tree(places.log)), operator.name, publisher.present.policy, lambda: Tree(places.log), NOW)
        book.close()
        publisher.publish([], NOW)

    take(operators[0])
    take(operators[1])
    assert (Tree(places.log).size, behind()) == (3, [0, 0])
    publisher.publish([signed(cast, directory, order("XX-2", "two.site.test"))], NOW)
    assert behind() == [1, 1]
    take(operators[1])
    assert (Tree(places.log).size, behind()) == (5, [1, 0])


def test_what_is_no_receipt_of_the_sender_is_refused(feed: Feed) -> None:
    operator = newcomer(feed, "operator-7")
    tree = tree_of(feed)
    good = operator.draft(tree)
    other = operator.draft(tree, operator="operator-1", number=1, previous=None)
    cases = {
        b"": 400,
        b"{}": 400,
        b"[" * 60_000: 400,
        b"\xff" * 100: 400,
        good.encode() + b" ": 400,
        Envelope(ACKNOWLEDGEMENT, good.payload, good.signatures).encode(): 400,
        operator.draft(tree, log="another.example/2026").encode(): 400,
        good._replace(payload=good.payload.replace(b'"serial":7', b'"serial":7.0')).encode(): 400,
        good._replace(payload=good.payload.replace(b'"serial":7', b'"serial":8')).encode(): 403,
        good._replace(signatures=()).encode(): 403,
        operator.draft(tree, signer=generate()).encode(): 403,
        other.encode(): 403,
    }
    for data, status in cases.items():
        assert send(feed, operator, data)[0] == status, data[:200]
    assert feed.server.ask("receipts", "POST", good.encode()).status == 401
    assert not (feed.directory / "receipts" / "operator-7").exists()
    assert send(feed, operator, good.encode())[0] == 200


def test_bodies_that_are_huge_or_slow_hold_nothing(feed: Feed) -> None:
    bearer = feed.operator.bearer
    head = f"POST /receipts HTTP/1.1\r\nHost: a\r\nAuthorization: {bearer}\r\n"
    with feed.server.raw() as connection:  # announced
        connection.sendall(f"{head}Content-Length: {10**14}\r\n\r\n".encode())
        assert connection.recv(4096).startswith(b"HTTP/1.1 413")
    with feed.server.raw() as connection:  # not announced
        connection.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
        piece = b"8000\r\n" + b"a" * 0x8000 + b"\r\n"
        connection.sendall(piece * (MAX_OCTETS // 0x8000 + 1))
        assert connection.recv(4096).startswith(b"HTTP/1.1 413")
    with feed.server.raw() as connection:  # no token: nothing of the body is waited for
        connection.sendall(b"POST /receipts HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n")
        assert connection.recv(4096).startswith(b"HTTP/1.1 401")
    begun = time.monotonic()
    slow = [feed.server.raw() for _ in range(50)]
    for connection in slow:
        connection.sendall(f"{head}Content-Length: 60000\r\n\r\n{{".encode())
    assert feed.server.ask("log/checkpoint").status == 200
    for connection in slow:
        with contextlib.suppress(ConnectionResetError):
            assert connection.recv(4096) == b""
        connection.close()
    assert time.monotonic() - begun < 15


def test_one_operator_does_not_send_without_end(feed: Feed) -> None:
    operator = newcomer(feed, "operator-8")
    wait_for(lambda: feed.server.ask("authorize", Authorization=operator.bearer).status == 204, "the token is taken")
    statuses = [feed.server.ask("receipts", "POST", b"{}", Authorization=operator.bearer).status for _ in range(150)]
    assert statuses[0] == 400
    assert statuses[-1] == 429
    assert feed.server.ask("receipts", "POST", b"{}", Authorization=feed.operator.bearer).status == 400


def test_a_book_that_was_killed_at_any_write_goes_on(tmp_path: Path) -> None:
    """Cut at every octet of what the last receipt added: it is there whole, or sent again; the order in which they were taken has no hole."""
    cast, directory = Cast(), tmp_path / "authority"
    publisher = found(cast, directory)
    operator = registered(cast, directory, "operator-1")
    assert publisher.present is not None
    places, tree = Places(directory), Tree(directory / "public" / "log")
    book = Book(places)
    sent = [operator.receipt(tree) for _ in range(3)]
    for data in sent:
        book.take(data, "operator-1", publisher.present.policy, lambda: tree, NOW)
    book.close()
    taken = directory / "receipts" / "taken"
    whole = taken.read_bytes()
    begins = whole.rindex(b"\n", 0, -1) + 1
    cut = random.Random(7).sample(range(begins, len(whole)), 12)
    for length in (*cut, begins, len(whole)):
        os.truncate(taken, length)
        book = Book(places)  # the receipt itself was on the disk: it gets its line again
        assert taken.read_bytes() == whole
        kept, new = book.take(sent[2], "operator-1", publisher.present.policy, lambda: tree, NOW + 5)
        assert (new, kept.at) == (False, NOW)
        book.close()
    os.truncate(taken, begins + 1)
    receipts.path_of(places, "operator-1", 3).unlink()
    book = Book(places)
    kept, new = book.take(sent[2], "operator-1", publisher.present.policy, lambda: tree, NOW + 5)
    assert (new, kept.at) == (True, NOW + 5)
    assert taken.read_bytes() == whole


def test_a_damaged_book_is_said_and_stops_no_order(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    cast, directory = Cast(), tmp_path / "authority"
    publisher = found(cast, directory)
    (directory / "receipts").mkdir()
    (directory / "receipts" / "taken").write_bytes(b"nonsense\n")
    with pytest.raises(StoreError, match="line 1 of receipts/taken"):
        Book(Places(directory))
    assert publisher.publish([signed(cast, directory, order())], NOW).size == 1
    assert "receipts stay out of the log" in caplog.text


def test_a_token_that_was_taken_back_ends_at_once(feed: Feed) -> None:
    operator = newcomer(feed, "operator-9")
    wait_for(lambda: feed.server.ask("authorize", Authorization=operator.bearer).status == 204, "the token is taken")
    assert tokens.withdraw(Places(feed.directory), "operator-9")
    wait_for(lambda: feed.server.ask("authorize", Authorization=operator.bearer).status == 401, "the token ended")
    (feed.directory / "operators.json").rename(feed.directory / "aside")
    (feed.directory / "operators.json").write_text("{")
    wait_for(lambda: feed.server.ask("authorize", Authorization=feed.operator.bearer).status == 401, "a broken file lets nobody in")
    (feed.directory / "aside").rename(feed.directory / "operators.json")
    wait_for(lambda: feed.server.ask("authorize", Authorization=feed.operator.bearer).status == 204, "the file is back")


def test_the_server_ends_in_time_and_its_processes_with_it(tmp_path: Path) -> None:
    """Also with subscribers and half-sent requests; and when it is killed itself, nothing of it stays."""
    directory = tmp_path / "authority"
    found(Cast(), directory, int(time.time()))
    for number in (signal.SIGTERM, signal.SIGKILL):
        with serving(directory) as server:
            held = [server.raw() for _ in range(20)]
            for connection in held:
                connection.sendall(b"GET /hints HTTP/1.1\r\nHost: a\r\n\r\n")
                assert connection.recv(4096).startswith(b"HTTP/1.1 200")
            held.append(server.raw())
            held[-1].sendall(b"GET /log")
            begun = time.monotonic()
            server.process.send_signal(number)
            status = server.process.wait(10)
            assert status == (0 if number == signal.SIGTERM else -signal.SIGKILL)
            wait_for(lambda port=server.port: _refused(port), "nobody listens any more")
            assert time.monotonic() - begun < 5
            for connection in held:
                connection.close()


def _refused(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return True
    return False


def test_what_is_published_is_kept_fresh(tmp_path: Path) -> None:
    """A timestamp of which more than half the time is over is signed again when the server starts, and the front is started again when it dies."""
    directory = tmp_path / "authority"
    publisher = found(Cast(), directory, int(time.time()) - 50_000)
    assert publisher.present is not None
    before = publisher.present.timestamp.signed.version
    with serving(directory) as server:
        wait_for(lambda: publisher.present is not None and publisher.present.timestamp.signed.version > before, "the timestamp is signed again")
        children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
        for child in children:
            os.kill(int(child), signal.SIGKILL)
        server.said("the front ended with status -9")
        wait_for(lambda: not _refused(server.port) and server.ask("log/checkpoint").status == 200, "it serves again")
