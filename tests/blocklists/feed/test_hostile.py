"""A feed that is attacked, broken or asleep, each by a real server that is it: the list stays, the alarm says so, and all is well once it is over."""

from __future__ import annotations

import copy
import gzip
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from blocklists import store, sync
from blocklists.feed import fetch, mirrored
from blocklists.feed.faults import Away
from blocklists.log.entry import Entry
from blocklists.log.note import Checkpoint, sign_note
from blocklists.sync import REFUSED, STALE
from tests.blocklists.feed.authority import DAY, Authority, order, tampered, withdrawal
from tests.blocklists.feed.mirror import Handler, Mirror
from tests.blocklists.feed.operator import Operator
from tests.blocklists.trust import office
from tests.tools import wait_for

FIRST = order("XX-1", ".site.example")
Mirrors = Callable[[Authority], Mirror]


@pytest.fixture
def settled(authority: Authority, operator: Operator) -> Operator:
    """An operator with one order in force."""
    authority.log(FIRST)
    authority.publish()
    assert operator.look().news
    assert operator.blocked() == {".site.example"}
    return operator


@contextmanager
def news(authority: Authority) -> Iterator[None]:
    """Another order is published, then what is inside happens."""
    authority.log(order("XX-2", "next.test"))
    authority.publish()
    yield


def check_stands(operator: Operator, kind: str, code: int) -> None:
    """A look fails in this way, says what and what to do, and the list is the one from before; so it is for a process that begins now."""
    for _ in range(2):
        outcome = operator.look()
        assert [fault.kind for fault in outcome.faults.values()] == [kind]
        assert outcome.code == code
        (what, remedy) = outcome.alarms(1)[f"feed {kind}"]
        assert operator.job.settings.urls[0] in what
        assert len(remedy) > 20
        assert operator.blocked() == {".site.example"}
        operator.restart()


def check_recovers(operator: Operator) -> None:
    """Nobody does anything, and the next look has the news."""
    assert operator.look().faults == {}
    assert operator.blocked() == {".site.example", "next.test"}


def only(path: str, fault: Callable[[Handler, bytes], bool]) -> Callable[[Handler, bytes], bool]:
    return lambda handler, data: path in handler.path and fault(handler, data)


# --- what servers do


def cut(handler: Handler, data: bytes) -> bool:
    """Announces all and sends half."""
    handler.send_response_only(200)
    handler.send_header("Content-Length", str(len(data)))
    handler.end_headers()
    handler.wfile.write(data[: len(data) // 2])
    handler.close_connection = True
    handler.connection.shutdown(2)
    return True


def short(handler: Handler, data: bytes) -> bool:
    """Sends half, as if it were all."""
    handler.answer(200, data[: len(data) // 2])
    return True


def endless(handler: Handler, data: bytes) -> bool:
    """Announces nothing and sends for ever."""
    handler.send_response_only(200)
    handler.send_header("Connection", "close")
    handler.end_headers()
    try:
        while True:
            handler.wfile.write(b"x" * 65536)
    except OSError:
        return True


def oversized(handler: Handler, data: bytes) -> bool:
    handler.send_response_only(200)
    handler.send_header("Content-Length", str(1 << 40))
    handler.end_headers()
    return True


def dripping(handler: Handler, data: bytes) -> bool:
    """An octet now and then: never silent for long, never done."""
    handler.send_response_only(200)
    handler.send_header("Content-Length", str(len(data)))
    handler.end_headers()
    try:
        for octet in data:
            handler.wfile.write(bytes([octet]))
            time.sleep(0.02)
    except OSError:
        pass
    return True


def dripping_head(handler: Handler, data: bytes) -> bool:
    try:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
        for _ in range(1000):
            handler.wfile.write(b"x")
            time.sleep(0.02)
    except OSError:
        pass
    return True


def bomb(handler: Handler, data: bytes) -> bool:
    """Little on the wire, a gigabyte to whoever unpacks it."""
    handler.answer(200, gzip.compress(bytes(1 << 20)), **{"Content-Encoding": "gzip"})
    return True


def elsewhere(handler: Handler, data: bytes) -> bool:
    handler.answer(302, Location="http://127.0.0.1:9/")
    return True


def broken(handler: Handler, data: bytes) -> bool:
    handler.answer(500, b"sorry")
    return True


def nonsense(handler: Handler, data: bytes) -> bool:
    handler.wfile.write(b"\x16\x03\x01 not HTTP at all\r\n\r\n")
    handler.close_connection = True
    return True


def other(handler: Handler, data: bytes) -> bool:
    """As long, and one bit different."""
    handler.answer(200, data[:-2] + bytes([data[-2] ^ 1]) + data[-1:])
    return True


TIMESTAMP, SNAPSHOT, NOTE, ENTRIES = "/metadata/timestamp.json", ".snapshot.json", ".checkpoint", "/log/tile/entries/"

SERVERS = [
    ("cut short, timestamp", TIMESTAMP, cut, "away", STALE),
    ("cut short, entries", ENTRIES, cut, "away", STALE),
    ("half as if whole, timestamp", TIMESTAMP, short, "refused", REFUSED),
    ("half as if whole, entries", ENTRIES, short, "refused", REFUSED),
    ("half as if whole, checkpoint", NOTE, short, "refused", REFUSED),
    ("endless, timestamp", TIMESTAMP, endless, "refused", REFUSED),
    ("endless, checkpoint", NOTE, endless, "refused", REFUSED),
    ("endless, entries", ENTRIES, endless, "refused", REFUSED),
    ("announced too large", SNAPSHOT, oversized, "refused", REFUSED),
    ("dripping, timestamp", TIMESTAMP, dripping, "away", STALE),
    ("dripping, entries", ENTRIES, dripping, "away", STALE),
    ("dripping head", TIMESTAMP, dripping_head, "away", STALE),
    ("compressed bomb, timestamp", TIMESTAMP, bomb, "refused", REFUSED),
    ("compressed bomb, entries", ENTRIES, bomb, "refused", REFUSED),
    ("sent elsewhere", TIMESTAMP, elsewhere, "refused", REFUSED),
    ("broken server", TIMESTAMP, broken, "away", STALE),
    ("no HTTP", TIMESTAMP, nonsense, "away", STALE),
    ("a flipped bit, timestamp", TIMESTAMP, other, "refused", REFUSED),
    ("a flipped bit, snapshot", SNAPSHOT, other, "refused", REFUSED),
    ("a flipped bit, checkpoint", NOTE, other, "refused", REFUSED),
    ("a flipped bit, entries", ENTRIES, other, "refused", REFUSED),
]


@pytest.mark.parametrize(("path", "fault", "kind", "code"), [row[1:] for row in SERVERS], ids=[row[0] for row in SERVERS])
def test_a_server_that(
    path: str, fault: Callable[[Handler, bytes], bool], kind: str, code: int,
    authority: Authority, mirror: Mirror, settled: Operator, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    with news(authority), monkeypatch.context() as hurried:
        for method in (fetch.Client.pieces, fetch.Client.get):
            hurried.setattr(method, "__kwdefaults__", {**method.__kwdefaults__, "seconds": 1.0})
        mirror.fault = only(path, fault)
        began = time.monotonic()
        check_stands(settled, kind, code)
        assert time.monotonic() - began < 10
    mirror.fault = None
    check_recovers(settled)


# --- what feeds do


def test_unreachable(authority: Authority, mirror: Mirror, settled: Operator) -> None:
    mirror.stop()
    with news(authority):
        check_stands(settled, "away", STALE)
    with pytest.raises(Away, match=r"fetched \(.?\[Errno 111\] Connection refused"):
        fetch.Client().get(f"{mirror.url}metadata/timestamp.json", 1000)
    mirror.start()
    check_recovers(settled)


def test_a_token_that_is_refused(authority: Authority, mirror: Mirror, settled: Operator) -> None:
    (settled.place / "token").write_text("another")
    settled.restart()
    with news(authority):
        check_stands(settled, "refused", REFUSED)
    (settled.place / "token").write_text("a-token-for-tests")
    settled.restart()
    check_recovers(settled)


def test_frozen(authority: Authority, mirror: Mirror, settled: Operator) -> None:
    """A mirror that gives what was the newest, for ever: its timestamp expires."""
    old = dict(authority.files)
    with news(authority):
        mirror.files = lambda: old
        assert settled.fault() == ""  # a mirror may be late, until what it gives expires
        settled.sync._clock.now = lambda: int(time.time()) + 2 * DAY  # type: ignore[method-assign]
        outcome = settled.look()
        assert [fault.kind for fault in outcome.faults.values()] == ["frozen"]
        assert (outcome.code, settled.blocked()) == (STALE, {".site.example"})
    settled.restart()
    mirror.files = lambda: authority.files
    check_recovers(settled)


@pytest.mark.parametrize(
    ("role", "kind"), [("timestamp", "frozen"), ("snapshot", "frozen"), ("checkpoint", "frozen"), ("targets", "expired"), ("root", "expired")]
)
def test_an_expired_role(role: str, kind: str, authority: Authority, settled: Operator) -> None:
    authority.expires[role] = -60
    if kind == "expired":
        authority.sign_offline()
    with news(authority):
        check_stands(settled, kind, STALE)
    authority.expires[role] = 30 * DAY
    if kind == "expired":
        authority.sign_offline()
    authority.publish()
    check_recovers(settled)


def test_rolled_back(authority: Authority, mirror: Mirror, settled: Operator) -> None:
    old = dict(authority.files)
    with news(authority):
        check_recovers(settled)
    mirror.files = lambda: old
    for _ in range(2):
        assert settled.fault() == "rolled back"
        assert settled.blocked() == {".site.example", "next.test"}
        settled.restart()
    mirror.files = lambda: authority.files
    check_recovers(settled)


def test_a_log_that_shrinks_under_newer_metadata(authority: Authority, mirror: Mirror, settled: Operator) -> None:
    """Whoever holds the online keys signs an older state of the log anew."""
    other = authority.fork()
    with news(authority):
        check_recovers(settled)
    for _ in range(3):
        other.publish()
    mirror.files = lambda: other.files
    assert settled.fault() == "rolled back"
    assert settled.blocked() == {".site.example", "next.test"}


def test_forked(authority: Authority, mirror: Mirror, settled: Operator) -> None:
    """Another history under the same keys: an order that is there for us alone, or that is kept from us."""
    other = authority.fork()
    with news(authority):
        check_recovers(settled)
    other.log(order("XX-3", "other.test"))
    other.log(order("XX-4", "fourth.test"))
    for _ in range(3):
        other.publish()
    mirror.files = lambda: other.files
    for _ in range(2):
        outcome = settled.look()
        assert [fault.kind for fault in outcome.faults.values()] == ["forked"], outcome
        assert outcome.code == REFUSED
        assert settled.blocked() == {".site.example", "next.test"}
        settled.restart()
    mirror.files = lambda: authority.files
    for _ in range(9):
        authority.publish()
    check_recovers(settled)


def test_entries_that_the_log_never_signed(authority: Authority, mirror: Mirror, settled: Operator) -> None:
    """A mirror that makes entries up is told from a log that forks, and a sound mirror heals it."""
    forged = authority.fork()
    forged.log(order("XX-9", "forged.test"))
    forged.publish()
    with news(authority):
        mirror.files = lambda: {**authority.files, **{path: data for path, data in forged.files.items() if path.startswith("log/tile/entries")}}
        check_stands(settled, "refused", REFUSED)
    mirror.files = lambda: authority.files
    check_recovers(settled)


def test_an_equivocating_mirror(authority: Authority, mirrors: Mirrors, mirror: Mirror, settled: Operator) -> None:
    """Two timestamps of one version, both signed: one mirror's is another's history."""
    other = authority.fork()
    with news(authority):
        other.log(order("XX-5", "fifth.test"))
        other.publish()
        second = mirrors(other)
        settled.point(mirror.url, second.url)
        assert settled.look(mirror.url).news
        outcome = settled.look(second.url)
        assert [fault.kind for fault in outcome.faults.values()] == ["forked"], outcome
        assert "feed forked" in outcome.alarms(2)  # an alarm of the feed, though the other mirror serves
        assert outcome.url == mirror.url
        assert settled.blocked() == {".site.example", "next.test"}


def test_a_lagging_mirror(authority: Authority, mirrors: Mirrors, mirror: Mirror, settled: Operator) -> None:
    old = authority.fork()
    late = mirrors(old)
    settled.point(late.url, mirror.url)
    with news(authority):
        assert settled.look(mirror.url).news
    outcome = settled.look(late.url)
    assert [fault.kind for fault in outcome.faults.values()] == ["lags"]
    assert list(outcome.alarms(2)) == [f"feed mirror {late.url} lags"]
    assert (outcome.code, outcome.url) == (0, mirror.url)
    late.files = lambda: authority.files
    assert settled.look(late.url).faults == {}
    late.stop()
    outcome = settled.look(late.url)
    assert list(outcome.alarms(2)) == [f"feed mirror {late.url} away"]
    assert settled.blocked() == {".site.example", "next.test"}


def test_mirrors_take_turns(authority: Authority, mirrors: Mirrors, mirror: Mirror, settled: Operator) -> None:
    """So that one which stands still, and is not yet expired, hides nothing for longer than a poll."""
    second = mirrors(authority.fork())
    settled.point(second.url, mirror.url)
    with news(authority):
        settled.look()
        settled.look()
        assert settled.blocked() == {".site.example", "next.test"}


@pytest.mark.parametrize("role", ["timestamp", "snapshot", "checkpoint", "targets", "root"])
def test_wrong_keys(role: str, authority: Authority, mirror: Mirror, settled: Operator) -> None:
    """Somebody signs with keys that are not the authority's."""
    thief = authority.fork()
    thief.seed = "stolen"
    thief.sign_offline()
    thief.log(order("XX-2", "next.test"))
    thief.publish()
    with news(authority):
        if role in ("targets", "root"):
            authority.sign_offline()
            authority.publish()
        bad = dict(authority.files)
        for path, data in thief.files.items():
            if path.endswith(f"{role}.json"):
                bad[path] = data
        name = f"metadata/{authority.versions[role]}.{role}.json" if role != "timestamp" else "metadata/timestamp.json"
        bad[name] = thief.signed[role].to_bytes()
        mirror.files = lambda: bad
        check_stands(settled, "refused", REFUSED)
    mirror.files = lambda: authority.files
    check_recovers(settled)


def test_one_key_under_two_ids(authority: Authority, settled: Operator) -> None:
    """It would make one signer of a threshold of two count as both."""
    authority.sign_offline()
    signed = authority.signed["root"].signed
    key = copy.deepcopy(authority.key("root").public_key)
    key.keyid = "0" * 64
    signed.add_key(key, "root")
    authority.signed["root"].sign(authority.key("root"))
    with news(authority):
        check_stands(settled, "refused", REFUSED)


def test_a_checkpoint_by_another_key_than_the_logs(authority: Authority, settled: Operator) -> None:
    sound = authority.fork()
    sound.log(order("XX-2", "next.test"))
    authority.log(order("XX-2", "next.test"))
    key = office.key("stranger")
    real = office.signer("log")
    assert key.keyid != office.key("log").keyid
    checkpoint = Checkpoint(office.ORIGIN, len(authority.entries), authority.root_hash(), int(time.time()))
    bad = sign_note(checkpoint, lambda data: bytes.fromhex(office.signer("stranger").sign(data).signature), key)
    authority.publish_note(bad)
    check_stands(settled, "refused", REFUSED)
    assert real is office.signer("log")
    authority.publish()
    check_recovers(settled)


def test_altered_metadata(authority: Authority, mirror: Mirror, settled: Operator) -> None:
    def later(signed: dict[str, Any]) -> None:
        signed["version"] += 1

    with news(authority):
        name = "metadata/timestamp.json"
        mirror.files = lambda: {**authority.files, name: tampered(authority.files[name], later)}
        check_stands(settled, "refused", REFUSED)
    mirror.files = lambda: authority.files
    check_recovers(settled)


def test_a_log_that_is_not_the_one_pinned_offline(authority: Authority, mirror: Mirror, settled: Operator) -> None:
    """Online keys alone cannot give a newcomer another history than the one that root and targets holders saw."""
    authority.sign_offline()
    with news(authority):
        check_recovers(settled)
    thief = authority.fork()
    thief.entries.clear()
    thief.leaves.clear()
    for number in range(5):
        thief.log(order(f"ZZ-{number}", f"thief{number}.test"))
    thief.publish()
    mirror.files = lambda: thief.files
    newcomer = Operator(settled.place / "newcomer", authority.root_json(), mirror.url)
    outcome = newcomer.look()
    assert [fault.kind for fault in outcome.faults.values()] == ["forked"]
    assert (newcomer.blocked(), newcomer.sync.believed) == (set(), None)
    mirror.files = lambda: authority.files
    for _ in range(3):
        authority.publish()
    check_recovers(newcomer)
    newcomer.close()


def test_a_policy_that_rewrites_the_past(authority: Authority, settled: Operator) -> None:
    sound = authority.policy
    document = json.loads(sound.encode())
    document["epochs"][0]["categories"]["fraud"]["threshold"] = 1
    authority.policy = type(sound).model_validate(document)
    authority.sign_offline()
    with news(authority):
        check_stands(settled, "refused", REFUSED)
    authority.policy = sound
    authority.sign_offline()
    authority.publish()
    check_recovers(settled)


def test_an_entry_dated_after_the_checkpoint(authority: Authority, settled: Operator) -> None:
    later = authority.fork()
    authority.log(order("XX-2", "next.test"), at=time.time() + 3600)
    authority.publish()
    check_stands(settled, "refused", REFUSED)
    authority.entries, authority.leaves = later.entries, later.leaves
    with news(authority):
        check_recovers(settled)


def test_a_new_epoch_whose_entries_came_only_in_part_before(
    authority: Authority, mirror: Mirror, settled: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Entries of the new epoch stand in our copy already, and nothing was judged by them: the policy does not rewrite the past."""
    monkeypatch.setattr(mirrored, "PIECE_ENTRIES", 256)
    document = json.loads(authority.policy.encode())
    document["epochs"].append({**document["epochs"][0], "begins": len(authority.entries), "withdraw_threshold": 2})
    authority.policy = type(authority.policy).model_validate(document)
    authority.sign_offline()
    authority.append(*(Entry(int(time.time()), None, f"sha256:{number:064x}", 1).encode() for number in range(300)))
    mirror.fault = only("log/tile/entries/001", cut)
    with news(authority):
        check_stands(settled, "away", STALE)
    assert settled.progress[-1][1] == 256
    mirror.fault = None
    check_recovers(settled)


def test_a_withdrawal_by_a_stolen_key(tmp_path: Path, authority: Authority, settled: Operator) -> None:
    """Once the authority says so, the order stands again, and alike for who was there when it was withdrawn and for who comes later."""
    authority.log(withdrawal(FIRST), ["n1"])
    authority.publish()
    settled.look()
    assert settled.blocked() == set()
    document = json.loads(authority.policy.encode())
    document["compromised"] = [{"keyid": office.key("n1").keyid, "since": 1}]
    authority.policy = type(authority.policy).model_validate(document)
    authority.sign_offline()
    authority.publish()
    settled.restart()
    settled.look()
    newcomer = Operator(tmp_path / "newcomer", authority.root_json(), *settled.job.settings.urls)
    newcomer.look()
    assert settled.blocked() == newcomer.blocked() == {".site.example"}
    assert len({store.open_current(each.state_dir).identity for each in (settled, newcomer)}) == 1
    newcomer.close()


def test_a_checkpoint_dated_ahead(authority: Authority, settled: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who holds the online keys could have the rate's clock run on for years, and hold back all that is ordered honestly later."""
    authority.publish(time.time() + 2 * DAY)
    check_stands(settled, "refused", REFUSED)
    with news(authority):
        check_recovers(settled)
    authority.publish(time.time() + 2 * DAY)
    assert settled.fault() == "refused"
    wall = time.time
    monkeypatch.setattr(time, "time", lambda: wall() + 2 * DAY)
    assert settled.look().faults == {}, "it was our clock, two days behind"


def test_a_mirror_that_takes_its_time_has_its_turn(
    authority: Authority, mirrors: Mirrors, mirror: Mirror, settled: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each answer is within its deadline, all together are not: the next mirror is asked."""
    monkeypatch.setattr(sync, "TURN_SECONDS", 1.0)
    good = mirrors(authority)
    settled.point(mirror.url, good.url)

    def slow(_: Handler, __: bytes) -> bool:
        time.sleep(0.4)
        return False

    def looked() -> bool:
        outcome = settled.look(mirror.url)
        assert {fault.kind for fault in outcome.faults.values()} == {"away"}
        return outcome.url == good.url

    mirror.fault = slow
    with news(authority):
        wait_for(looked, "a look at the other, which on a busy machine may not be done within its turn either")
    assert settled.blocked() == {".site.example", "next.test"}


def test_a_demonstration_is_refused_for_anything_else(tmp_path: Path, mirrors: Mirrors, authority: Authority) -> None:
    toy = Authority(demonstration=True)
    toy.log(FIRST)
    toy.publish()
    operator = Operator(tmp_path, toy.root_json(), mirrors(toy).url)
    outcome = operator.look()
    assert "demonstration" in next(iter(outcome.faults.values())).what
    assert (outcome.code, operator.blocked()) == (REFUSED, set())
    operator = Operator(tmp_path / "demo", toy.root_json(), operator.job.settings.urls[0], demonstration=True)
    assert operator.look().news
    assert operator.blocked() == {".site.example"}
    other = Operator(tmp_path / "real", authority.root_json(), mirrors(authority).url, demonstration=True)
    assert other.fault() == "refused"


def test_keys_rotate(authority: Authority, settled: Operator) -> None:
    """Root by old and new keys, and every other role by new ones: nobody does anything here."""
    new = {role: f"{role}-2" for role in ("targets", "snapshot", "timestamp", "checkpoint")}
    authority.sign_offline(keys=new)
    authority.keys = new
    with news(authority):
        check_recovers(settled)
    authority.sign_offline(signers=("root", "root-2"), keys={**new, "root": "root-2"})
    authority.log(withdrawal(FIRST), ["n1"])
    authority.publish()
    assert settled.look().news
    assert settled.blocked() == {"next.test"}


def test_a_clock_that_jumps(authority: Authority, settled: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    """A year ahead or back: what is fresh stays fresh, what was signed is taken, and what is too old is not made young."""
    wall = time.time
    for years in (1, -1):
        authority.log(order(f"XX-{years + 5}", f"n{years + 5}.test"))
        authority.publish()
        with monkeypatch.context() as jumped:
            jumped.setattr(time, "time", lambda years=years: wall() + years * 366 * DAY)
            outcome = settled.look()
        assert (outcome.news, outcome.faults) == (True, {})
    assert settled.blocked() == {".site.example", "n6.test", "n4.test"}
