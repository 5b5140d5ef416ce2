"""What is published: python-tuf's own client accepts it, too few or wrong signatures never get there, and a killed publication is completed."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from authority import packets
from authority.drafts import draft_order, rotate
from authority.errors import AuthorityError
from authority.packets import Packet
from authority.places import Places
from authority.publisher import Publisher, publish
from authority.tidying import KEPT
from blocklists.docket import Data, Docket
from blocklists.errors import RedHandError
from blocklists.guards import read_suffixes
from blocklists.log import entry as entries
from blocklists.log.tree import Tree
from tests.authority.cast import NOW, Cast, client, following, found, in_log, order, served, signed

DAY = 86_400


@pytest.fixture(scope="module")
def cast() -> Cast:
    return Cast()


@pytest.fixture
def today() -> int:
    """python-tuf's client goes by the machine's clock."""
    return int(time.time())


def dated(now: int, **fields: Any) -> dict[str, Any]:
    """Fields of an order that begins now."""

    def text(days: float) -> str:
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now + days * DAY))

    return {"issued_at": text(0), "effective_at": text(0), "expires_at": text(20), **fields}


def test_a_client_of_tuf_sees_each_publication_and_every_operator_would_enforce_it(cast: Cast, tmp_path: Path, today: int) -> None:
    here = tmp_path / "authority"
    publisher = found(cast, here, today)
    someone = client(tmp_path / "client", here)
    with served(here) as base:
        assert someone.look(base).size == 0
        for number in range(3):
            done = publisher.publish([signed(cast, here, order(f"XX-{number}", f"n{number}.site.test", **dated(today)))], today + number)
            assert (done.size, done.orders[0].index, done.orders[0].held) == (number + 1, number, False)
            seen = someone.look(base)
            assert (seen.size, seen.time) == (number + 1, today + number)
            assert in_log(here, seen)
        lifting = following("XX-1", "withdraw", issued_at=dated(today)["issued_at"])
        publisher.publish([signed(cast, here, lifting, "reviewer-1")], today + 3)
        assert client(tmp_path / "fresh", here).look(base) == someone.look(base)
    present = publisher.present
    assert present is not None
    docket = Docket(Data(present.policy, ("authority.example", "portal.example"), read_suffixes(present.files["suffixes.dat"].decode())))
    tree = Tree(here / "public" / "log")
    verdicts = [docket.take(index, data) for index, data in enumerate(tree.entries(0, tree.size))]
    assert [verdict.rule for verdict in verdicts] == [""] * 4
    assert {basis.reference for basis in docket.state(today + 60).bases} == {"XX-0", "XX-2"}
    assert [entries.read(data).logged_at for data in tree.entries(0, 4)] == [today, today + 1, today + 2, today + 3]


REFUSED: dict[str, tuple[Callable[[], dict[str, Any]], tuple[str, ...], str]] = {
    "one officer of two": (order, ("north-1",), "2 officers of one authority must sign it, and 1 did"),
    "nobody": (order, (), "none of its 0 signatures is good"),
    "over its category's days": (
        lambda: order(category="fraud", expires_at="2026-12-21T12:00:00Z"),
        ("south-1",),
        "longer than the 30 days of fraud",
    ),
}


def test_the_timestamp_stands_for_all_that_one_publication_says(cast: Cast, tmp_path: Path) -> None:
    """By hashes all the way down: two histories under the same version numbers have two timestamps, and whoever sees both knows."""
    here = tmp_path / "authority"
    publisher = found(cast, here, NOW)
    for number in range(2):
        publisher.publish([signed(cast, here, order(f"XX-{number}", f"n{number}.site.test"))], NOW + number)
        timestamp = json.loads((here / "public/metadata/timestamp.json").read_bytes())["signed"]["meta"]["snapshot.json"]
        snapshot = (here / f"public/metadata/{timestamp['version']}.snapshot.json").read_bytes()
        assert timestamp["hashes"] == {"sha256": sha256(snapshot).hexdigest()}
        named = json.loads(snapshot)["signed"]["meta"]
        assert named.keys() == {"targets.json", "checkpoint.json"}
        for name, each in named.items():
            assert each["hashes"] == {"sha256": sha256((here / f"public/metadata/{each['version']}.{name}").read_bytes()).hexdigest()}


@pytest.mark.parametrize("case", REFUSED)
def test_what_no_operator_would_put_in_force_is_not_logged(cast: Cast, tmp_path: Path, case: str) -> None:
    document, names, why = REFUSED[case]
    here = tmp_path / "authority"
    publisher = found(cast, here)
    packet = cast.sign(draft_order(here, document()), *names)
    before = tree_of(here)
    with pytest.raises(AuthorityError, match=why):
        publisher.publish([packet], NOW)
    assert tree_of(here) == before
    assert publisher.publish([signed(cast, here, order("XX-2"))], NOW).size == 1, "a refusal does not spoil what comes after"


def tree_of(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in sorted((directory / "public").rglob("*")) if path.is_file()}


def test_an_officer_of_another_authority_cannot_even_sign(cast: Cast, tmp_path: Path) -> None:
    here = tmp_path / "authority"
    found(cast, here)
    with pytest.raises(AuthorityError, match="does not count for this directive"):
        signed(cast, here, order(), "north-1", "south-1")


def test_a_packet_that_lies_about_policy_and_guards_changes_nothing(cast: Cast, tmp_path: Path) -> None:
    """Who signs, and which names may not be blocked, is what is published: not what the packet carries along."""
    here, elsewhere = tmp_path / "authority", tmp_path / "elsewhere"
    publisher = found(cast, here)
    own = cast.document(protected=[])
    own["categories"]["terrorism"] |= {"threshold": 1}
    found(cast, elsewhere, protected=[], categories=own["categories"])
    packet = cast.sign(draft_order(elsewhere, order("XX-1", "portal.example")), "north-1")
    assert packets.complete(packet)
    with pytest.raises(AuthorityError, match=r"portal\.example: is a protected name"):
        publisher.publish([packet], NOW)
    with pytest.raises(AuthorityError, match="2 officers of one authority"):
        publisher.publish([cast.sign(draft_order(elsewhere, order()), "north-1")], NOW)


def test_guards_refuse_a_draft_and_a_signature(cast: Cast, tmp_path: Path) -> None:
    here = tmp_path / "authority"
    found(cast, here)
    for name, why in (("portal.example", "protected name"), (".example", "public suffix"), ("co.uk", "public suffix")):
        with pytest.raises(AuthorityError, match=why):
            draft_order(here, order("XX-1", name))


def test_an_order_is_logged_once_however_often_it_is_published(cast: Cast, tmp_path: Path) -> None:
    here = tmp_path / "authority"
    publisher = found(cast, here)
    packet = signed(cast, here, order())
    first = publisher.publish([packet], NOW).orders[0]
    for again in (publisher.publish([packet, packet], NOW + 1), publish(here, [packet], NOW + 2)):
        assert [(each.index, each.already) for each in again.orders] == [(first.index, True)]
        assert again.size == 1
    with pytest.raises(AuthorityError, match=r"XX-1 blocks already, and an id blocks once.*replay\.id"):
        publisher.publish([signed(cast, here, order("XX-1", "other.test"))], NOW + 3)


def test_copies_signed_in_parallel_are_joined(cast: Cast, tmp_path: Path) -> None:
    here = tmp_path / "authority"
    publisher = found(cast, here)
    draft = draft_order(here, order())
    copies = [cast.sign(draft, name) for name in ("north-1", "north-3")]
    assert not any(packets.complete(each) for each in copies)
    assert publisher.publish(copies, NOW).size == 1


def test_what_goes_beyond_the_limits_is_logged_and_said_to_be_held(cast: Cast, tmp_path: Path) -> None:
    here = tmp_path / "authority"
    publisher = found(cast, here)
    many = [f"n{number}.site.test" for number in range(6)]
    assert publisher.publish([signed(cast, here, order("XX-1", *many))], NOW).orders[0].held
    assert not publisher.publish([signed(cast, here, order("XX-2", *many), "north-1", "north-2", "north-3")], NOW).orders[0].held


def test_reviews_are_logged_too(cast: Cast, tmp_path: Path) -> None:
    here = tmp_path / "authority"
    publisher = found(cast, here)
    publisher.publish([signed(cast, here, order())], NOW)
    review = {"id": "XX-1", "decision": "recommend_withdrawal", "reasons": {"en": "It is gone."}, "issued_at": "2026-10-01T00:00:00Z"}
    packet = signed(cast, here, review, "reviewer-1")
    assert publisher.publish([packet], NOW).size == 2
    assert entries.read(Tree(here / "public" / "log").entry(1)).envelope == packet.envelope


def test_two_publishers_take_turns(cast: Cast, tmp_path: Path) -> None:
    """A server that has the directory open for days, and an officer's command beside it."""
    here = tmp_path / "authority"
    server = found(cast, here)
    for number in range(4):
        by = server if number % 2 else Publisher(here)
        assert by.publish([signed(cast, here, order(f"XX-{number}"))], NOW + number).size == number + 1
    with Places(here).locked(), pytest.raises(AuthorityError, match="is being changed by another process"):
        server.publish([], NOW + 9)
    assert server.publish([], NOW + 9).size == 4


def test_a_publication_costs_little(cast: Cast, tmp_path: Path) -> None:
    """Of processor time, which others who run beside it do not lengthen by much."""
    here = tmp_path / "authority"
    publisher = found(cast, here)
    took = []
    for number in range(10):
        packet = signed(cast, here, order(f"XX-{number}", "one.test"))
        start = time.process_time()
        publisher.publish([packet], NOW + number)
        took.append(time.process_time() - start)
    assert sorted(took)[5] <= 0.15, took


def test_old_snapshots_go_and_what_is_named_stays(cast: Cast, tmp_path: Path, today: int) -> None:
    here = tmp_path / "authority"
    publisher = found(cast, here, today)
    for number in range(KEPT + 5):
        publisher.publish([], today + number)
    names = {path.name for path in (here / "public" / "metadata").iterdir()}
    assert len([name for name in names if name.endswith(".snapshot.json")]) == KEPT
    assert len(list((here / "public" / "targets").glob("*.checkpoint"))) == KEPT
    assert {"1.root.json", "1.targets.json", "timestamp.json"} <= names
    with served(here) as base:
        assert client(tmp_path / "client", here).look(base).time == today + KEPT + 4
        for _ in range(KEPT + 5):
            publisher.publish([], today + KEPT + 9)  # all in one second: one checkpoint under many versions
        assert client(tmp_path / "another", here).look(base).time == today + KEPT + 9


def test_due_before_half_of_an_online_role_is_over(cast: Cast, tmp_path: Path) -> None:
    here = tmp_path / "authority"
    publisher = found(cast, here)
    assert not publisher.is_due(NOW + DAY // 2 - 1)
    assert publisher.is_due(NOW + DAY // 2 + 1)


def test_a_clock_that_went_back_a_little_is_borne_and_much_is_refused(cast: Cast, tmp_path: Path) -> None:
    here = tmp_path / "authority"
    publisher = found(cast, here)
    publisher.publish([signed(cast, here, order())], NOW - 100)
    assert publisher.present is not None
    assert publisher.present.checkpoint.time == NOW
    with pytest.raises(AuthorityError, match="this machine's clock says"):
        publisher.publish([], NOW - 3600)


# --- killed


class Killed:
    """Runs work in a process that ends, as by kill -9, just before its n-th change of the disk."""

    CALLS = ("open", "rename", "mkdir", "unlink", "rmdir")

    def __call__(self, work: Callable[[], object], at: int) -> bool:
        """Whether it was killed; False when the work had ended before."""
        child = os.fork()
        if child == 0:
            status = 99
            try:
                self._arm(at)
                work()
                status = 0
            finally:
                os._exit(status)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert status in (0, 77), status
        return status == 77

    def _arm(self, at: int) -> None:
        counter = itertools.count()
        for name in self.CALLS:
            self._wrap(name, getattr(os, name), counter, at)

    @staticmethod
    def _wrap(name: str, real: Callable[..., Any], counter: itertools.count[int], at: int) -> None:
        def call(*arguments: Any, **named: Any) -> Any:
            changes = name != "open" or (len(arguments) > 1 and arguments[1] & os.O_CREAT)
            if changes and next(counter) == at:
                os._exit(77)
            return real(*arguments, **named)

        setattr(os, name, call)


def orders_alone(cast: Cast, here: Path) -> list[Packet]:
    return [signed(cast, here, order("XX-2", "two.test"))]


def everything_new(cast: Cast, here: Path) -> list[Packet]:
    """An online key, the holders of targets, and an order at once."""
    now = int(time.time())
    rotate(here, "timestamp", now)
    root, targets = rotate(here, "targets", now, [cast.holder("targets-4"), cast.holder("targets-5")], 2)
    new = cast.sign(targets, "targets-1", "targets-2", "targets-4", "targets-5")
    return [cast.sign(root, "root-1", "root-3"), new, signed(cast, here, order("XX-2", "two.test"))]


@pytest.mark.parametrize("what", [orders_alone, everything_new])
def test_killed_at_any_change_of_the_disk_clients_see_the_old_or_the_new_and_publishing_again_completes_it(
    cast: Cast, tmp_path: Path, today: int, monkeypatch: pytest.MonkeyPatch, what: Callable[[Cast, Path], list[Packet]]
) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: None)  # a killed process loses nothing that it wrote: the kernel has it
    model = tmp_path / "model"
    found(cast, model, today).publish([signed(cast, model, order("XX-1", "one.test"))], today)
    given = what(cast, model)
    someone = tmp_path / "someone"
    with served(model) as base:
        client(someone, model).look(base)
    sizes = {1, 1 + len([packet for packet in given if packet.kind == "directive"])}
    here, kill = tmp_path / "here", Killed()
    with served(here) as base:
        for at in itertools.count():
            shutil.rmtree(here, ignore_errors=True)
            shutil.copytree(model, here)
            shutil.rmtree(tmp_path / "client", ignore_errors=True)
            shutil.copytree(someone, tmp_path / "client")
            server = Publisher(here)  # another process, which had the directory open before
            assert server.present is not None
            killed = kill(lambda: publish(here, given, today + 1), at)
            old = client(tmp_path / "client", here)
            seen = old.look(base)
            assert seen.size in sizes
            assert in_log(here, seen)
            again = (server if at % 2 else Publisher(here)).publish(given, today + 2)
            assert old.look(base).size == max(sizes) == again.size
            assert not (here / "packets" / "root.packet.json").exists()
            assert not list((here / "public").rglob(".*.new"))
            if not killed:
                break
    assert at > 20, "it was killed at all of them"


def test_a_killed_first_publication_is_completed(cast: Cast, tmp_path: Path, today: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: None)
    from authority.ceremony import ceremony  # noqa: PLC0415
    from authority.spec import from_document  # noqa: PLC0415

    model, here, kill = tmp_path / "model", tmp_path / "here", Killed()
    root, targets = ceremony(model, from_document(cast.document(), tmp_path), today)
    given = [cast.sign(root, "root-1", "root-2"), cast.sign(targets, "targets-1", "targets-3")]
    for at in itertools.count():
        shutil.rmtree(here, ignore_errors=True)
        shutil.copytree(model, here)
        killed = kill(lambda: publish(here, given, today), at)
        publish(here, given, today + 1)
        if not killed:
            break
    with served(here) as base:
        assert client(tmp_path / "client", here).look(base).size == 0


def test_a_disk_that_refuses_says_so_and_nothing_is_lost(cast: Cast, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = tmp_path / "authority"
    publisher = found(cast, here)
    packet = signed(cast, here, order())
    real, left = os.fsync, iter(range(12))

    def full(descriptor: int) -> None:
        if next(left, None) is None:
            raise OSError(28, "No space left on device")
        real(descriptor)

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(RedHandError, match="the disk is full: free space there"):
            publisher.publish([packet], NOW)
    done = publisher.publish([packet], NOW + 1)
    assert (done.size, done.orders[0].index) == (1, 0)
