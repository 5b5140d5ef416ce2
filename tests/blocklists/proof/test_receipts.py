"""Receipts: one for each state of the log that is in force everywhere, chained, never two under one number, kept until acknowledged."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from blocklists import private_key, readers, receipt, receipts
from blocklists.alarms import Alarms
from blocklists.errors import BadDocument, ConfigurationError, StoreError
from blocklists.feed.courier import PATIENCE, Courier
from blocklists.log.tree import Tree
from blocklists.receipts import InForce, Outbox
from blocklists.settings import FeedSettings
from blocklists.trust import envelope
from blocklists.trust.envelope import ACKNOWLEDGEMENT
from tests.blocklists.proof.history import written
from tests.blocklists.trust import office
from tests.tools import wait_for


def facts(size: int = 3, **fields: Any) -> dict[str, Any]:
    whole = {"origin": office.ORIGIN, "size": size, "root": f"{size:064x}", "skipped": [], "held": [], "decisions": []}
    return {**whole, **fields}


def state(size: int = 3, serial: int = 7, signed: int = 1000, **fields: Any) -> InForce:
    return InForce(facts(size, **fields), signed, serial, "c" * 64)


@pytest.fixture
def key(tmp_path: Path) -> private_key.PrivateKey:
    return private_key.make(tmp_path / "key.pem")


@pytest.fixture
def write(tmp_path: Path, key: private_key.PrivateKey) -> Callable[..., receipts.Kept | None]:
    def make(found: InForce, has_orders: bool = True, at: int = 2000) -> receipts.Kept | None:
        return receipts.write(Outbox(tmp_path), "isp-1", key, found, lambda start, stop: has_orders, at)

    return make


def test_each_new_state_and_each_new_exception_is_receipted_once(write: Callable[..., receipts.Kept | None], tmp_path: Path) -> None:
    first = write(state(3))
    assert first is not None
    assert first.receipt.previous is None
    assert write(state(3, signed=5000)) is None, "the same state, signed again"
    assert write(state(3, serial=8)) is None, "the same orders, after the operator's own list changed"
    second = write(state(4))
    assert second is not None
    assert (second.receipt.number, second.receipt.previous) == (2, first.digest)
    held = write(state(4, held=[{"index": 1, "id": "XX-1", "why": "too many"}]))
    assert held is not None
    assert [(each.id, each.what) for each in held.receipt.exceptions] == [("XX-1", "held")]
    assert write(state(5), has_orders=False) is not None, "the hold is over"
    assert write(state(6), has_orders=False) is None, "the log grew by receipts alone"
    assert Outbox(tmp_path).numbers() == [1, 2, 3, 4]


def test_a_receipt_names_every_exception_and_why(write: Callable[..., receipts.Kept | None], key: private_key.PrivateKey) -> None:
    decided = [{"at": 1, "by": "A. Duty", "id": name, "reason": "court", "what": what} for name, what in (("XX-5", "suspend"), ("XX-6", "suspend"))]
    kept = write(
        state(
            skipped=[
                {"index": 4, "rule": "signature.threshold", "why": "one signed", "id": "XX-2"},
                {"index": 5, "rule": "entry.form", "why": "no entry"},
                {"index": 6, "rule": "guard.refused", "why": "protected", "id": "XX-3"},
            ],
            decisions=[*decided, {**decided[1], "what": "resume"}],
        )
    )
    assert kept is not None
    assert [(each.id, each.what) for each in kept.receipt.exceptions] == [
        ("XX-2", "skipped"), ("XX-3", "refused"), ("XX-5", "suspended"), ("entry-5", "skipped")
    ]  # fmt: skip
    assert kept.receipt.exceptions[2].why == "A. Duty: court"
    assert envelope.signers(kept.envelope, {key.key.keyid: key.key}) == {key.key.keyid}


def test_ten_thousand_exceptions_are_counted_and_bound_by_a_digest(write: Callable[..., receipts.Kept | None], tmp_path: Path) -> None:
    held = [{"index": number, "id": f"XX-{number}", "why": "goes beyond the rate " * 8} for number in range(10_000)]
    kept = write(state(held=held))
    assert kept is not None
    assert kept.receipt.exceptions[-1].id == receipts.MORE
    assert "of 10000" in kept.receipt.exceptions[-1].why
    other = write(state(held=[*held[:-1], {**held[-1], "why": "another reason"}]))
    assert other is not None, "what did not fit is told apart too"
    assert Outbox(tmp_path).read(1).digest == kept.digest


def test_a_chain_is_not_continued_over_a_damaged_link(write: Callable[..., receipts.Kept | None], tmp_path: Path) -> None:
    write(state(3))
    path = tmp_path / "outbox" / "receipts" / "1.json"
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(StoreError, match=r"1\.json is not what was written"):
        write(state(4))


def test_a_key_file_is_private_and_never_overwritten(tmp_path: Path) -> None:
    made = private_key.make(tmp_path / "k.pem")
    assert (tmp_path / "k.pem").stat().st_mode & 0o777 == 0o600
    assert private_key.load(tmp_path / "k.pem").key == made.key
    with pytest.raises(ConfigurationError, match="never overwritten"):
        private_key.make(tmp_path / "k.pem")
    (tmp_path / "odd.pem").write_bytes(b"no key")
    with pytest.raises(ConfigurationError, match="holds no private key"):
        private_key.load(tmp_path / "odd.pem")


def acknowledge(data: bytes, signer: str = "log", **fields: Any) -> bytes:
    found = envelope.read(data)
    whole = {"type": "acknowledgement", "version": 1, "log": office.ORIGIN, "receipt": receipt.digest(found.payload), "at": 3000, **fields}
    return office.sign(whole, signer, kind=ACKNOWLEDGEMENT).encode()


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (lambda data: acknowledge(data, "n1"), "no acknowledgement signed by the log's key"),
        (lambda data: acknowledge(data, receipt="sha256:" + "0" * 64), "which is another"),
        (lambda data: acknowledge(data, log="another.example/log"), "which is another"),
        (lambda data: data, "no acknowledgement signed"),
        (lambda data: b"OK", "not JSON"),
    ],
)
def test_what_is_no_acknowledgement_leaves_the_receipt_waiting(
    write: Callable[..., receipts.Kept | None], tmp_path: Path, answer: Callable[[bytes], bytes], why: str
) -> None:
    write(state(3))
    with pytest.raises(BadDocument, match=why):
        receipts.deliver(Outbox(tmp_path), office.make_policy(), answer)
    assert Outbox(tmp_path).pending() == [1]
    assert receipts.deliver(Outbox(tmp_path), office.make_policy(), acknowledge) == 1
    assert Outbox(tmp_path).pending() == []
    assert Outbox(tmp_path).read(1).acknowledged == 3000


def test_numbers_go_on_after_all_were_acknowledged(write: Callable[..., receipts.Kept | None], tmp_path: Path) -> None:
    first = write(state(3))
    receipts.deliver(Outbox(tmp_path), office.make_policy(), acknowledge)
    second = write(state(4))
    assert first is not None
    assert second is not None
    assert (second.receipt.number, second.receipt.previous) == (2, first.digest)


# --- killed

KILLED = """
import json, sys
from pathlib import Path
from blocklists import private_key, receipts
from blocklists import receipt
from blocklists.receipts import InForce, Outbox
from blocklists.trust import envelope
from tests.blocklists.proof.test_receipts import acknowledge, state
from tests.blocklists.trust import office
place = Path(sys.argv[1])
key = private_key.load(place / "key.pem")
print("ready", flush=True)
size = int(sys.argv[2])
while True:
    size += 1
    kept = receipts.write(Outbox(place), "isp-1", key, state(size), lambda *_: True, 1)
    def post(data):
        payload = envelope.read(data).payload
        print(json.dumps([receipt.read(payload).number, receipt.digest(payload)]), flush=True)
        return acknowledge(data)
    if size % 3:
        receipts.deliver(Outbox(place), office.make_policy(), post)
"""


def test_killed_at_any_instant_no_number_has_two_receipts_and_the_chain_is_whole(tmp_path: Path, key: private_key.PrivateKey) -> None:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    draw = random.Random(seed)
    sent: dict[int, str] = {}
    size = 0
    for _ in range(8):
        child = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path), str(size)], stdout=subprocess.PIPE, text=True, cwd=Path.cwd())
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        said = "".join(child.stdout.readline() for _ in range(draw.randrange(3, 6)))
        time.sleep(draw.uniform(0, 0.03))  # and somewhere in the middle of the next
        child.send_signal(signal.SIGKILL)
        for line in (said + child.stdout.read()).splitlines():
            number, digest = json.loads(line) if line.endswith("]") else (0, "")
            assert sent.setdefault(number, digest) == digest
        child.wait()
        child.stdout.close()
        outbox = Outbox(tmp_path)
        before = None
        for number in outbox.numbers():
            kept = outbox.read(number)
            assert kept.receipt.previous == before
            assert sent.get(number, kept.digest) == kept.digest
            before, size = kept.digest, kept.receipt.checkpoint.size
        assert outbox.numbers() == list(range(1, len(outbox.numbers()) + 1))
    assert len(sent) > 10


# --- carried to a server


class Authority(ThreadingHTTPServer):
    """Takes receipts as an authority does, when it is up."""

    def __init__(self) -> None:
        self.taken: list[bytes] = []
        self.status = 200
        self.tokens: set[str] = set()
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=lambda: self.serve_forever(0.01), daemon=True).start()


class Handler(BaseHTTPRequestHandler):
    server: Authority

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.tokens.add(self.headers.get("Authorization", ""))
        answer = b"The key is not registered.\n"
        if self.server.status == 200:
            self.server.taken.append(body)
            answer = acknowledge(body)
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def authority() -> Iterator[Authority]:
    found = Authority()
    yield found
    found.shutdown()
    found.server_close()


class Told:
    """What a supervisor hears."""

    def __init__(self) -> None:
        self.on: dict[str, str] = {}

    def __call__(self, message: dict[str, Any]) -> bool:
        if "alarm" in message:
            self.on[message["alarm"]["name"]] = message["alarm"]["what"] + "; " + message["alarm"]["remedy"]
        self.on.pop(message.get("clear", ""), None)
        return True


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def courier(tmp_path: Path, authority: Authority, key: private_key.PrivateKey, told: Told) -> Courier:
    (tmp_path / "token").write_text("secret-token\n")
    (tmp_path / "root.json").write_text("{}")
    Tree(tmp_path / "log").append(written().entries)
    url = f"http://127.0.0.1:{authority.server_port}/"
    settings = FeedSettings(
        urls=(url,), root=str(tmp_path / "root.json"), token_file=str(tmp_path / "token"), operator="isp-1", receipt_key=str(tmp_path / "key.pem")
    )
    return Courier(tmp_path, settings, Alarms(told))


def test_nothing_is_receipted_before_every_living_reader_has_the_version(courier: Courier, authority: Authority, tmp_path: Path) -> None:
    slow = f"from pathlib import Path; from blocklists import readers; readers.publish(Path({str(tmp_path)!r}), 'slow', 6); input()"
    other = subprocess.Popen([sys.executable, "-c", slow], stdin=subprocess.PIPE)
    wait_for(lambda: readers.live(tmp_path), "the slow reader")
    courier.in_force(state(5, serial=7), office.make_policy())
    courier.step(2000)
    readers.publish(tmp_path, "quick", 7)
    courier.step(2000)
    assert authority.taken == []
    other.kill()
    other.communicate()
    courier.step(2000)
    assert [receipt.read(envelope.read(data).payload).checkpoint.size for data in authority.taken] == [5]
    assert authority.tokens == {"Bearer secret-token"}
    assert Outbox(tmp_path).pending() == []


def test_where_nothing_serves_nothing_is_in_force(courier: Courier, tmp_path: Path) -> None:
    courier.in_force(state(5), office.make_policy())
    courier.step(2000)
    assert Outbox(tmp_path).numbers() == []


def test_days_without_the_authority_lose_nothing_and_are_an_alarm(courier: Courier, authority: Authority, tmp_path: Path, told: Told) -> None:
    readers.publish(tmp_path, "worker-1", 9)
    authority.status = 503
    for size in range(1, 8):
        courier.in_force(state(size), office.make_policy())
        courier.step(2000)
    assert len(Outbox(tmp_path).pending()) >= 5
    assert len(authority.tokens) == 1
    assert told.on == {}
    courier.step(2000 + PATIENCE)
    assert "HTTP 503" in told.on["receipts unacknowledged"]
    authority.status = 400
    courier._due = 0
    courier.step(2000 + PATIENCE)
    assert "The key is not registered" in told.on["receipts unacknowledged"]
    authority.status = 200
    courier._due = 0
    courier.step(2000 + PATIENCE)
    numbers = [receipt.read(envelope.read(data).payload).number for data in authority.taken]
    assert numbers == Outbox(tmp_path).numbers()
    assert told.on == {}


def test_a_log_that_grew_by_receipts_alone_calls_for_none(courier: Courier, authority: Authority, tmp_path: Path) -> None:
    readers.publish(tmp_path, "worker-1", 9)
    for size in (6, 7):  # entry 6 of the history is a batch of receipts
        courier.in_force(state(size), office.make_policy())
        courier.step(2000)
    assert [receipt.read(envelope.read(data).payload).checkpoint.size for data in authority.taken] == [6]


def test_a_key_that_is_missing_is_an_alarm_until_it_is_there(courier: Courier, authority: Authority, tmp_path: Path, told: Told) -> None:
    (tmp_path / "key.pem").rename(tmp_path / "away.pem")
    readers.publish(tmp_path, "worker-1", 9)
    courier.in_force(state(5), office.make_policy())
    courier.step(2000)
    assert "key.pem cannot be read" in told.on["receipts"]
    (tmp_path / "away.pem").rename(tmp_path / "key.pem")
    courier._due = 0
    courier.step(2000)
    assert told.on == {}
    assert len(authority.taken) == 1


def test_it_carries_by_itself_once_started(courier: Courier, authority: Authority, tmp_path: Path) -> None:
    readers.publish(tmp_path, "worker-1", 9)
    courier.in_force(state(5), office.make_policy())
    courier.start()
    wait_for(lambda: authority.taken, "the receipt to arrive")
    wait_for(lambda: not Outbox(tmp_path).pending(), "it to be kept")
    assert os.listdir(tmp_path / "outbox" / "acknowledged") == ["1.json"]
