"""What is kept between looks: it changes together, is completed after a kill, serves a start without the network, and is shared by processes."""

from __future__ import annotations

import gc
import random
import shutil
import threading
import time
from hashlib import sha256
from pathlib import Path

import pytest

from blocklists import decisions, durable, lifts, store
from blocklists.errors import Busy, DiskError, StoreError
from blocklists.feed.follow import Told, attempt
from blocklists.feed.trusted import Trusted
from blocklists.log.tree import Tree
from blocklists.trust.keys import PublicKey
from tests.blocklists.feed.authority import Authority, order, withdrawal
from tests.blocklists.feed.mirror import Handler, Mirror
from tests.blocklists.feed.operator import Operator
from tests.blocklists.trust import office

FIRST = order("XX-1", ".site.example")


@pytest.fixture
def settled(authority: Authority, operator: Operator) -> Operator:
    authority.log(FIRST)
    authority.publish()
    operator.look()
    return operator


def test_files_change_together_whenever_the_writing_stops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trusted = Trusted(tmp_path)
    names = ("policy.json", "checkpoint", "metadata/root_history/2.root.json")
    with trusted.locked():
        trusted.commit(dict.fromkeys(names, b"old"))
        trusted.spread()
        trusted.commit(dict.fromkeys(names, b"new"))
    real = durable.replace
    for stop in range(len(names)):
        written = []

        def refused(path: Path, data: bytes, stop: int = stop, written: list[Path] = written) -> None:
            if len(written) == stop:
                raise OSError(28, "No space left on device")
            written.append(path)
            real(path, data)

        with monkeypatch.context() as full:
            full.setattr(durable, "replace", refused)
            with pytest.raises(DiskError), trusted.locked():
                trusted.spread()
        assert (trusted.directory / "journal").exists()
    with trusted.locked():
        trusted.spread()
    assert [(trusted.directory / name).read_bytes() for name in names] == [b"new"] * 3
    assert not (trusted.directory / "journal").exists()


def test_a_start_without_the_network_completes_what_was_begun(authority: Authority, mirror: Mirror, settled: Operator) -> None:
    """The disk refuses the list after everything was believed; then the mirror is gone for good."""
    authority.log(order("XX-2", "next.test"))
    authority.publish()

    def refused(*_: object) -> None:
        raise DiskError("writing the list failed", "make room", "it stays")

    settled.sync._publish = refused
    with pytest.raises(DiskError):
        settled.look()
    assert settled.blocked() == {".site.example"}
    mirror.stop()
    settled.restart()
    settled.sync.settle()
    assert settled.blocked() == {".site.example", "next.test"}


def test_two_processes_follow_one_feed(authority: Authority, settled: Operator) -> None:
    """`redhand sync --once` beside `redhand run`: one waits for the other, and sees what it did."""
    other = Operator(settled.place, authority.root_json(), *settled.job.settings.urls)
    assert not settled.sync.stirred()
    authority.log(order("XX-2", "next.test"))
    authority.publish()
    assert other.look().news
    assert settled.sync.stirred()
    assert not settled.look().news
    assert not settled.sync.stirred()
    authority.log(withdrawal(FIRST), ["n1"])
    authority.publish()
    assert settled.look().news
    assert settled.blocked() == {"next.test"}
    with Trusted(settled.state_dir).locked(), pytest.raises(Busy), Trusted(settled.state_dir).locked():
        pass
    other.close()


def test_a_decision_waits_for_no_mirror(authority: Authority, mirror: Mirror, settled: Operator) -> None:
    """Another process holds on to a mirror that lets it wait; what the operator suspends is out of force all the same."""
    authority.log(order("XX-2", "next.test"))
    authority.publish()
    asked, go_on = threading.Event(), threading.Event()

    def waits(handler: Handler, _: bytes) -> bool:
        if "log/tile/entries" in handler.path:
            asked.set()
            go_on.wait(60)
        return False

    mirror.fault = waits
    looking = threading.Thread(target=settled.look)
    looking.start()
    try:
        assert asked.wait(60)
        other = Operator(settled.place, authority.root_json(), *settled.job.settings.urls)
        decisions.add(settled.state_dir, decisions.make("suspend", "XX-1", "A. Duty", "court order 17/26", 1))
        other.sync.settle()
        assert settled.blocked() == set()
    finally:
        go_on.set()
        looking.join()
    assert settled.blocked() == {"next.test"}
    other.close()


def test_a_lift_that_came_before_its_order_is_judged_when_that_comes(authority: Authority, settled: Operator) -> None:
    late = order("XX-2", "next.test")
    by = {name: office.sign(withdrawal(late), name).encode() for name in ("n1", "s1")}
    for data in by.values():
        lifts.lift(settled.state_dir, data, int(time.time()), 10)
    settled.sync.settle()
    assert settled.sync.alarms == {}
    authority.log(late)
    authority.publish()
    settled.look()
    assert settled.blocked() == {".site.example"}
    what, _ = settled.sync.alarms["feed files refused"]
    assert what.startswith("1 files")
    assert "0 did" in what
    facts = store.open_current(settled.state_dir).manifest["orders"]
    assert facts["lifted"] == [sha256(by["n1"]).hexdigest()]


@pytest.mark.parametrize(
    "content", [b"[" * 100_000, b"null", b'{"at":1e999}', b"\xff" * 100_000, b'{"at":1,"by":"A","id":"XX-1","reason":"b","what":"forget"}']
)
def test_files_that_are_no_lift_and_no_decision(content: bytes, settled: Operator) -> None:
    """Somebody put them there: they are said, without steering a terminal, and the decision beside them counts."""
    for path in ("lifts/odd\x1b[2J.json", "decisions/1.json"):
        (settled.state_dir / path).parent.mkdir()
        (settled.state_dir / path).write_bytes(content)
    decisions.add(settled.state_dir, decisions.make("suspend", "XX-1", "A. Duty", "court order 17/26", 1))
    settled.sync.settle()
    assert settled.blocked() == set()
    what, _ = settled.sync.alarms["feed files refused"]
    assert what.startswith("2 files")
    assert what.isprintable()
    assert len(what) < 1000


def test_what_stays_in_memory_is_not_gone_through_again(authority: Authority, settled: Operator) -> None:
    for number in range(200):
        authority.log(order(f"XX-a{number}", f"n{number}.test"))
    authority.publish()
    settled.restart()
    gc.unfreeze()
    try:
        assert attempt(settled.sync, Told((), lambda _: True), "") == 0
        frozen = gc.get_freeze_count()
        assert frozen > len(gc.get_objects())
        assert attempt(settled.sync, Told((), lambda _: True), "") == 0
        assert gc.get_freeze_count() <= frozen
    finally:
        gc.unfreeze()


def test_each_entry_that_is_skipped_is_said_though_the_alarm_is_on_since_the_first(
    authority: Authority, settled: Operator, caplog: pytest.LogCaptureFixture
) -> None:
    told = Told((), lambda _: True)
    for name in ("twice.test", "thrice.test"):
        authority.log(order("XX-1", name))
        authority.publish()
        settled.restart()
        attempt(settled.sync, told, "")
        attempt(settled.sync, told, "")
    (said,) = [record.getMessage() for record in caplog.records if "skipped" in record.getMessage()]
    assert said.startswith("feed entries skipped: 2 entries or names")
    assert "entry 2 of XX-1: replay.id" in said


@pytest.mark.parametrize("content", [b"[]", b"\xff", b'{"policy.json":5}', b'{"policy.json":"?"}', b'{"../../evil":"eA=="}', b"[" * 100_000])
def test_a_journal_that_is_not_ours(content: bytes, authority: Authority, settled: Operator) -> None:
    """A disk, or somebody who may write there, put it in its place: nothing of it is done, and the feed goes on."""
    (settled.state_dir / "trust" / "journal").write_bytes(content)
    settled.restart()
    authority.log(order("XX-2", "next.test"))
    authority.publish()
    assert settled.look().faults == {}
    assert settled.blocked() == {".site.example", "next.test"}
    assert not list(settled.place.rglob("evil"))


def test_signatures_are_verified_once(authority: Authority, settled: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(20):
        authority.log(order(f"XX-a{number}", f"n{number}.test"))
    authority.publish()
    settled.look()
    stands = settled.blocked()
    verified: list[str] = []
    real = PublicKey.verifies
    monkeypatch.setattr(PublicKey, "verifies", lambda key, signature, data: verified.append(key.keyid) or real(key, signature, data))
    officers = {office.key(name).keyid for name in ("n1", "n2")}

    def again() -> int:
        """How many officers' signatures a start verifies."""
        verified.clear()
        settled.restart()
        settled.sync.settle()
        assert settled.blocked() == stands
        return sum(keyid in officers for keyid in verified)

    assert again() == 0
    path = settled.state_dir / "log" / "verdicts"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:10]) + lines[10][:-9])
    assert again() == 22
    assert path.read_bytes() == b"".join(lines)
    path.write_bytes(b"".join(lines[5:]))
    assert again() == 42
    path.unlink()
    assert again() == 42
    assert again() == 0


def test_a_forged_cache_blocks_nothing(authority: Authority, settled: Operator) -> None:
    """It is a file of ours; but a line is for one entry, and cannot be moved to another."""
    authority.log(order("XX-bad", "bad.test"), names=["n1", "stranger"])
    authority.publish()
    settled.look()
    path = settled.state_dir / "log" / "verdicts"
    first, _ = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(first * 2)
    settled.restart()
    settled.sync.settle()
    assert settled.blocked() == {".site.example"}


@pytest.mark.parametrize("name", ["policy.json", "protected.json", "suffixes.dat", "checkpoint", "metadata/timestamp.json", "metadata/snapshot.json"])
def test_a_damaged_file_is_fetched_again(name: str, authority: Authority, settled: Operator) -> None:
    path = settled.state_dir / "trust" / name
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-20])
    settled.restart()
    authority.log(order("XX-2", "next.test"))
    authority.publish()
    assert settled.look().faults == {}
    assert settled.blocked() == {".site.example", "next.test"}


def test_a_log_that_is_gone_is_said_and_comes_back_with_what_was_believed(settled: Operator) -> None:
    shutil.rmtree(settled.state_dir / "log")
    settled.restart()
    with pytest.raises(StoreError, match="move it and"):
        settled.look()
    assert settled.blocked() == {".site.example"}
    shutil.rmtree(settled.state_dir / "trust")
    settled.restart()
    assert settled.look().code == 0
    assert Tree(settled.state_dir / "log").size == 1


def test_mirrors_files_changed_anywhere_are_refused_or_as_signed(authority: Authority, mirror: Mirror, settled: Operator) -> None:
    """Any octets of any file changed, cut or added: a documented refusal, or the list that was signed. Nothing else ever."""
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    authority.sign_offline()
    authority.log(order("XX-2", "next.test"))
    authority.publish()
    old, new = {".site.example"}, {".site.example", "next.test"}
    saved = settled.place / "saved"
    shutil.copytree(settled.state_dir, saved)
    paths = sorted({path for path, _ in _requested(mirror, settled)})
    refused = 0
    for _ in range(120):
        shutil.rmtree(settled.state_dir)
        shutil.copytree(saved, settled.state_dir)
        path = chance.choice(paths)
        changed = {**authority.files, path: _changed(authority.files[path], chance)}
        mirror.files = lambda changed=changed: changed
        settled.restart()
        outcome = settled.look()
        assert settled.blocked() == (new if outcome.url else old), path
        assert outcome.url or outcome.faults
        refused += not outcome.url
    assert refused > 60


def _requested(mirror: Mirror, operator: Operator) -> list[tuple[str, object]]:
    mirror.requests.clear()
    operator.look()
    return [(path, None) for path, _ in mirror.requests if path in mirror.files()]


def _changed(data: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(data))
    match chance.randrange(5):
        case 0:
            return data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :]
        case 1:
            return data[:at]
        case 2:
            return data + chance.randbytes(chance.randrange(1, 50))
        case 3:
            return data[:at] + chance.choice([b"null", b"-1", b'""', b"[]", b"1e999", b"\xff", b'{"a":{}}']) + data[at + chance.randrange(1, 9) :]
    return data[:at] + data[at : at + 40] * 2 + data[at + 40 :]
