"""What is kept between looks: it changes together, is completed after a kill, serves a start without the network, and is shared by processes."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from blocklists import durable
from blocklists.errors import Busy, DiskError, StoreError
from blocklists.feed.trusted import Trusted
from blocklists.log.tree import Tree
from blocklists.trust.keys import PublicKey
from tests.blocklists.feed.authority import Authority, order, withdrawal
from tests.blocklists.feed.mirror import Mirror
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
