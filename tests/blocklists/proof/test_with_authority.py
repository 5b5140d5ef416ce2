"""An operator's feed process and an authority's server, both real: orders go one way, receipts the other, and what came can be proved."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from authority import receipts as book
from authority.places import Places
from blocklists import readers, store, verification
from blocklists.feed.job import FeedJob, write_job
from blocklists.proving import prove
from blocklists.receipts import Outbox
from blocklists.settings import FeedSettings
from tests.authority.cast import Cast, found, order, signed
from tests.authority.feeding import registered, serving
from tests.tools import wait_for


@contextmanager
def following(job: FeedJob) -> Iterator[list[str]]:
    """The feed process; what it tells."""
    process = subprocess.Popen(
        [sys.executable, "-m", "blocklists.feed.main"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(write_job(job))
    process.stdin.close()
    told: list[str] = []

    def listen(stream: IO[str]) -> None:
        told.extend(stream)

    thread = threading.Thread(target=listen, args=(process.stdout,))
    thread.start()
    try:
        yield told
    finally:
        process.kill()
        process.wait()
        thread.join()
        process.stdout.close()
        print("the feed process told", *told)


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    return tmp_path / "var"


def test_orders_one_way_receipts_the_other_and_a_proof_of_it(tmp_path: Path, state_dir: Path) -> None:
    cast, directory, now = Cast(), tmp_path / "authority", int(time.time())
    publisher = found(cast, directory, now, limits={"names_per_hour": 1, "names_per_day": 1})
    operator = registered(cast, directory, "isp-1", now)
    (tmp_path / "key.pem").write_bytes(operator.key.pem(None))
    (tmp_path / "token").write_text(operator.bearer.removeprefix("Bearer "))
    root = directory / "public" / "metadata" / "1.root.json"
    publisher.publish([signed(cast, directory, order("XX-1", "site.test"))], int(time.time()))
    with serving(directory) as server:
        settings = FeedSettings(
            urls=(server.url,), root=str(root), token_file=str(tmp_path / "token"),
            poll_seconds=5, operator="isp-1", receipt_key=str(tmp_path / "key.pem"),
        )  # fmt: skip
        with following(FeedJob(settings, state_dir, (), 10)):
            serial = wait_for(lambda: _serial(state_dir), "a version", 60)
            readers.publish(state_dir, "worker-1", serial)
            wait_for(lambda: _acknowledged(state_dir) == [1], "the first receipt to be acknowledged", 60)
            # One more name than the policy's rate: held, which the next receipt says. This publication logs the first receipt, too.
            publisher.publish([signed(cast, directory, order("XX-2", "other.test"))], int(time.time()))
            readers.publish(state_dir, "worker-1", wait_for(lambda: (new := _serial(state_dir)) > serial and new, "the held order to be known", 60))
            wait_for(lambda: _acknowledged(state_dir) == [1, 2], "the second receipt", 60)
            receipts = [Outbox(state_dir).read(number).receipt for number in (1, 2)]
            assert [[(each.id, each.what) for each in receipt.exceptions] for receipt in receipts] == [[], [("XX-2", "held")]]
            # The second is logged with nothing else, and that calls for no third one: the third is about the next order.
            size = publisher.publish([], int(time.time()) + 1).size
            wait_for(lambda: _believed(state_dir) == size, "the log with nothing new but receipts", 60)
            serial = _serial(state_dir)
            publisher.publish([signed(cast, directory, order("XX-3", "third.test"))], int(time.time()) + 2)
            readers.publish(state_dir, "worker-1", wait_for(lambda: (new := _serial(state_dir)) > serial and new, "the third order", 60))
            wait_for(lambda: _acknowledged(state_dir) == [1, 2, 3], "the third receipt", 60)
            assert [each.id for each in Outbox(state_dir).read(3).receipt.exceptions] == ["XX-2", "XX-3"]
        kept = book.kept(Places(directory), "isp-1", 2)
        assert kept is not None
        assert kept.digest == Outbox(state_dir).read(2).digest
    proof = prove(state_dir, "site.test").encode()
    judged = verification.verify(proof, root.read_bytes())
    assert (judged.in_force, judged.orders) == (True, ("XX-1",))


def _serial(state_dir: Path) -> int:
    try:
        return store.read_current(state_dir)[0]
    except store.StoreError:
        return 0


def _acknowledged(state_dir: Path) -> list[int]:
    outbox = Outbox(state_dir)
    return [number for number in outbox.numbers() if number not in outbox.pending()]


def _believed(state_dir: Path) -> int:
    return int((state_dir / "trust" / "checkpoint").read_text().split("\n")[1])
