"""Orders of the log beside the operator's own lists: each layer changes without the other, at once, and nothing that was lifted comes back."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from blocklists import builder, publish, store, succession
from blocklists.compaction import compact
from blocklists.errors import DiskError, StoreError
from blocklists.index import Rule
from blocklists.lifting import lift
from blocklists.orders import OrderLines, due
from blocklists.sources import Basis
from blocklists.standing import revive
from blocklists.version import Line, assemble
from tests.blocklists.disk import killed_at, refused_at
from tests.blocklists.lists import AS_OF, House, blocked, documents, key, order, withdrawal

KEEP = 5
FILLING = 1_200
"""Names of the operator's own, so that a change of orders is written as a delta."""
NAMES = tuple(f"{letter}.example" for letter in "abcdefgh")


@dataclass
class Log:
    """What a docket says of its orders: by id, and which changed since it was last asked."""

    of_id: dict[str, list[Basis]] = field(default_factory=dict)
    withdrawn: list[str] = field(default_factory=list)
    as_of: int = AS_OF
    touched: set[str] = field(default_factory=set)
    size: int = 0

    @property
    def docket(self) -> object:
        return self.of_id

    @property
    def changed(self) -> set[str]:
        found, self.touched = self.touched, set()
        return found

    @property
    def facts(self) -> dict[str, Any]:
        return {"origin": "orders.authority.example", "size": self.size, "root": f"{self.size:064x}", "as_of": self.as_of}

    def of(self, identity: str) -> list[Basis]:
        return self.of_id.get(identity, [])

    def block(self, identity: str, *names: str, starts: int = 0, ends: int = 0) -> None:
        """An order, or its amendment. A leading dot stands for all below as well."""
        document = {"id": identity, "layer": "orders", "source": "feed", "verified": True, "digest": "sha256:" + "0" * 64}
        listed = [(key(name.removeprefix(".")), not name.startswith(".")) for name in names]
        self.of_id[identity] = [Basis("directive", "redirect", identity, starts, ends, "orders", document, listed)]
        self._log(identity)

    def withdraw(self, identity: str) -> None:
        """Its end."""
        self.of_id.pop(identity, None)
        self.withdrawn = sorted({*self.withdrawn, identity})
        self._log(identity)

    def _log(self, identity: str) -> None:
        self.touched.add(identity)
        self.size += 1


@pytest.fixture
def house(tmp_path: Path) -> House:
    """The operator's own list, and a file of transcriptions."""
    house = House(tmp_path, keep_versions=KEEP)
    house.source("own", "domains")
    house.source("files", "directives")
    house.write("own", own("h.example"))
    house.write("files", order("FR-1", "g.example"))
    house.build()
    return house


def own(*names: str) -> str:
    return "".join(f"{name}\n" for name in (*names, *(f"n{number}.example" for number in range(FILLING))))


@pytest.fixture
def lines(house: House) -> OrderLines:
    return OrderLines(house.state, KEEP)


def now(house: House) -> store.Version:
    return store.open_current(house.state, thorough=True)


def in_force(house: House, at: int = AS_OF) -> str:
    """The letters of the names that are blocked."""
    return "".join(name[0] for name in blocked(now(house), *NAMES, now=at))


def layer(version: store.Version, name: str) -> list[bytes]:
    return [line.encoded for line in version.layer(name)]


def test_an_order_comes_and_goes_and_next_to_nothing_is_written(house: House, lines: OrderLines) -> None:
    log = Log()
    log.block("XX-1", ".a.example", "b.example")
    before = now(house)
    built = lines.put_in_force(log.facts, log)
    version = now(house)
    assert (built.serial, built.changed, built.rules, version.notice) == (2, True, 3, "")
    assert in_force(house) == "abgh"
    rule = version.index.find(key("www.a.example"), AS_OF)
    assert rule is not None
    assert (version.basis(rule)["layer"], version.basis(rule)["id"], version.basis(rule)["verified"]) == ("orders", "XX-1", True)
    assert layer(version, "local") == layer(before, "local")
    for name in (store.ENTRIES, store.TRIE, store.VALUES, store.SKIPPED):
        assert os.path.samefile(version.directory / name, before.directory / name)
    written = sum(path.stat().st_size for path in version.directory.iterdir() if path.stat().st_nlink == 1)
    assert written < 10_000, "a manifest, a few rules and names"
    assert version.manifest["orders"] == log.facts
    log.withdraw("XX-1")
    assert lines.put_in_force(log.facts, log).identity == before.identity
    assert in_force(house) == "gh"


def test_a_log_that_grows_without_news_makes_no_version(house: House, lines: OrderLines) -> None:
    log = Log()
    log.block("XX-1", "a.example")
    first = lines.put_in_force(log.facts, log)
    log.size += 1
    again = lines.put_in_force(log.facts, log)
    assert (again.serial, again.changed) == (first.serial, False)
    assert lines.put_in_force({**log.facts, "skipped": [7]}, log).changed


def test_the_first_orders_need_no_list_and_a_list_no_orders(tmp_path: Path) -> None:
    log = Log()
    log.block("XX-1", "a.example")
    lines = OrderLines(tmp_path / "var", KEEP)
    assert lines.put_in_force(log.facts, log).serial == 1
    house = House(tmp_path)
    house.source("own", "domains")
    house.write("own", "h.example\n")
    assert house.build().serial == 2
    assert in_force(house) == "ah"
    assert now(house).manifest["orders"] == log.facts


def test_a_build_carries_orders_over_byte_for_byte(house: House, lines: OrderLines) -> None:
    log = Log()
    log.block("XX-1", "a.example")
    log.block("XX-2", "b.example", ends=AS_OF + 100)
    lines.put_in_force(log.facts, log)
    orders = layer(now(house), "orders")
    house.write("own", own("h.example", "f.example"))
    house.build()
    assert (in_force(house), layer(now(house), "orders")) == ("abfgh", orders)
    assert now(house).manifest["orders"] == log.facts
    # What a build of local sources put there, the quick path finds again.
    log.block("XX-3", "c.example")
    lines.put_in_force(log.facts, log)
    assert in_force(house) == "abcfgh"
    house.build(AS_OF + 100)
    assert layer(now(house), "orders") == [orders[0], *layer(now(house), "orders")[1:]]
    assert in_force(house, AS_OF + 100) == "acfgh"
    assert len(layer(now(house), "orders")) == 2


def test_what_ends_leaves_though_nobody_names_it(house: House, lines: OrderLines) -> None:
    log = Log()
    log.block("XX-1", "a.example", ends=AS_OF + 100)
    lines.put_in_force(log.facts, log)
    log.as_of += 100
    built = lines.put_in_force(log.facts, log)
    assert (built.changed, built.rules) == (True, 2)


def test_a_withdrawal_in_the_log_ends_transcriptions_for_ever(house: House, lines: OrderLines) -> None:
    log = Log()
    log.withdraw("FR-1")
    lines.put_in_force(log.facts, log)
    assert in_force(house) == "h"
    house.write("own", own())
    house.build()
    assert in_force(house) == ""
    # A feed that was begun anew, and has not got so far again, ends nothing less.
    OrderLines(house.state, KEEP).put_in_force({}, Log())
    house.build()
    assert in_force(house) == ""


def test_an_unsigned_file_lifts_no_signed_order(house: House, lines: OrderLines) -> None:
    log = Log()
    log.block("XX-1", "a.example")
    lines.put_in_force(log.facts, log)
    house.write("files", documents(order("FR-1", "g.example"), withdrawal("XX-1")))
    house.build()
    assert in_force(house) == "agh"


def test_a_lift_by_hand_outlives_a_feed_and_a_build_that_know_nothing_of_it(house: House, lines: OrderLines) -> None:
    log = Log()
    log.block("XX-1", "a.example")
    log.block("XX-2", "b.example")
    log.block("FR-1", "c.example")
    lines.put_in_force(log.facts, log)
    assert in_force(house) == "abcgh"
    lift(house.state, "FR-1", "withdraw", AS_OF, KEEP)
    assert in_force(house) == "abh", "in both layers"
    lift(house.state, "XX-2", "suspend", AS_OF, KEEP, ends=AS_OF + 50)
    assert (in_force(house), in_force(house, AS_OF + 50)) == ("ah", "abh")
    house.write("own", own())
    house.build()
    log.block("XX-4", "d.example")
    lines.put_in_force(log.facts, log)
    assert (in_force(house), in_force(house, AS_OF + 50)) == ("ad", "abd")
    log.as_of = AS_OF + 50
    log.withdraw("XX-4")
    log.block("XX-5", "d.example")
    lines.put_in_force(log.facts, log)
    assert now(house).manifest["lifted"] == {"withdrawn": ["FR-1", "XX-4"], "suspended": {}}
    assert in_force(house, AS_OF + 50) == "abd"


def test_a_suspension_lasts_no_longer_than_one_may(house: House, lines: OrderLines) -> None:
    log = Log()
    log.block("XX-1", "a.example")
    lines.put_in_force(log.facts, log)
    lift(house.state, "XX-1", "suspend", AS_OF, KEEP, ends=AS_OF + 10**9)
    assert (in_force(house, AS_OF + 72 * 3600 - 1), in_force(house, AS_OF + 72 * 3600)) == ("gh", "agh")


def test_a_lift_waits_for_no_build_and_the_build_heeds_it(house: House, lines: OrderLines) -> None:
    log = Log()
    log.block("XX-1", "a.example")
    log.block("XX-2", "b.example")
    lines.put_in_force(log.facts, log)
    house.write("own", own("f.example"))
    stages = []

    def meanwhile(stage: str) -> None:
        stages.append(stage)
        if stage == "sorting and hashing":
            begun = time.monotonic()
            lift(house.state, "XX-1", "withdraw", AS_OF, KEEP)
            log.block("XX-3", "c.example")
            lines.put_in_force(log.facts, log)
            assert time.monotonic() - begun < 5
            assert in_force(house) == "bcgh"

    assert builder.build(house.job(), progress=meanwhile).changed
    assert in_force(house) == "bcfg"
    assert stages.count("reading own") == 1, "what was read is not read again"


def test_a_build_is_not_put_off_for_ever(house: House, lines: OrderLines, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each round another order comes in force meanwhile; the last one is under the lock, upon the base that the first wrote."""
    monkeypatch.setattr(succession, "ROUNDS", 4)
    log = Log()
    house.write("own", own("f.example"))
    rounds = 0

    def meanwhile(stage: str) -> None:
        nonlocal rounds
        if stage == "writing the index":
            rounds += 1
            if rounds < succession.ROUNDS:
                log.block(f"XX-{rounds}", NAMES[rounds])
                lines.put_in_force(log.facts, log)

    built = builder.build(house.job(), progress=meanwhile)
    assert (rounds, built.serial, in_force(house)) == (succession.ROUNDS, 1 + succession.ROUNDS, "bcdfg")
    version = now(house)
    assert version.manifest["index"] == {"base": version.serial, "changed": 3}
    assert not list((house.state / "versions").glob(".new-*"))


def test_pinned_nothing_new_comes_and_nothing_that_ended_comes_back(house: House, lines: OrderLines) -> None:
    log = Log()
    log.block("XX-1", ".a.example", "b.example")
    log.block("XX-2", "c.example")
    pinned = lines.put_in_force(log.facts, log).serial
    log.withdraw("XX-2")
    log.block("XX-3", "d.example")
    lines.put_in_force(log.facts, log)
    house.write("own", own("f.example"))
    house.build()
    builder.rollback(house.job(), pinned, "too much")
    assert in_force(house) == "abgh", "the own lists of then, of the orders what stands"
    assert now(house).manifest["waiting"] == 1
    # An amendment takes away at once, and adds nothing; a withdrawal ends.
    log.block("XX-1", "a.example", "e.example")
    lines.put_in_force(log.facts, log)
    assert in_force(house) == "agh"
    assert blocked(now(house), "www.a.example") == []
    assert not due(house.state)
    house.build()
    assert (in_force(house), now(house).manifest["waiting"]) == ("agh", 2)
    lift(house.state, "FR-1", "withdraw", AS_OF, KEEP)
    assert in_force(house) == "ah"
    released = builder.unpin(house.job())
    assert any("held back" in alarm for alarm in released.alarms)
    assert (in_force(house), due(house.state)) == ("af", True)
    lines.put_in_force(log.facts, log)
    assert (in_force(house), due(house.state), now(house).manifest["waiting"]) == ("adef", False, 0)


def test_a_version_that_is_gone_back_to_is_not_pushed_out_meanwhile(house: House, lines: OrderLines) -> None:
    """Between the pin and the build that completes it, orders come in force as fast as they may."""
    log = Log()
    log.block("XX-1", "a.example")
    pinned = lines.put_in_force(log.facts, log).serial
    publish.pin(house.state, b'{"serial":%d,"reason":"cut short","at":0}' % pinned, pinned)
    for number in range(2 * KEEP):
        log.block(f"XX-{number + 2}", "b.example")
        log.block("XX-1", *NAMES[: number % 3 + 1])
        lines.put_in_force(log.facts, log)
        log.withdraw(f"YY-{number}")
        lines.put_in_force(log.facts, log)
    assert pinned in store.serials(house.state)
    assert house.build().alarms == []
    assert in_force(house) == "agh"
    with pytest.raises(StoreError, match="version 99 is not on disk"):
        publish.pin(house.state, b"", 99)
    assert store.read_pin(house.state) is not None


@pytest.mark.parametrize("harm", ["pin", "pinned version"])
def test_a_damaged_pin_lets_no_order_in_and_every_withdrawal_through(house: House, lines: OrderLines, harm: str) -> None:
    log = Log()
    log.block("XX-1", "a.example")
    log.block("XX-2", "b.example")
    pinned = lines.put_in_force(log.facts, log).serial
    builder.rollback(house.job(), pinned, "hold still")
    damaged = house.state / ("pin" if harm == "pin" else f"versions/{pinned}/manifest.json")
    damaged.unlink()
    damaged.write_text("{")
    log.block("XX-3", "c.example")
    log.withdraw("XX-1")
    built = lines.put_in_force(log.facts, log)
    assert (in_force(house), built.pinned) == ("bgh", pinned)
    assert any(harm in alarm for alarm in built.alarms)


def test_without_a_sound_version_orders_wait_for_the_builder(house: House, lines: OrderLines) -> None:
    """Of another format, for one: what they would be put beside is not known."""
    for path in (house.state / "versions/1").iterdir():
        path.unlink()
    log = Log()
    log.block("XX-1", "a.example")
    with pytest.raises(StoreError, match="run: redhand blocklist build"):
        lines.put_in_force(log.facts, log)
    with pytest.raises(StoreError, match="run: redhand blocklist build"):
        lift(house.state, "FR-1", "withdraw", AS_OF, KEEP)
    house.build()
    lines.put_in_force(log.facts, log)
    assert in_force(house) == "agh"


def test_a_new_docket_says_everything_anew(house: House, lines: OrderLines) -> None:
    log = Log()
    log.block("XX-1", "a.example")
    lines.put_in_force(log.facts, log)
    other = Log()
    other.block("XX-2", "b.example")
    lines.put_in_force(other.facts, other)
    assert in_force(house) == "bgh"


def test_what_changed_while_nothing_was_put_in_force_is_not_forgotten(house: House, lines: OrderLines) -> None:
    log = Log()
    log.block("XX-1", "a.example")
    lines.take(log)
    log.block("XX-2", "b.example")
    lines.put_in_force(log.facts, log)
    assert in_force(house) == "abgh"


def test_many_at_once_and_one_by_one_are_the_same(house: House, lines: OrderLines, tmp_path: Path) -> None:
    at_once, one_by_one = Log(), Log()
    other = House(tmp_path / "other")
    other.root.mkdir()
    for number in random.Random(5).sample(range(300), 300):
        at_once.block(f"XX-{number}", f"m{number}.example")
        one_by_one.block(f"XX-{number}", f"m{number}.example")
        if number % 50 == 0:
            lines.take(one_by_one)
    expected = OrderLines(other.state, KEEP)
    expected.put_in_force(at_once.facts, at_once)
    for identity in ("XX-7", "XX-70"):
        at_once.withdraw(identity)
        one_by_one.withdraw(identity)
        expected.put_in_force(at_once.facts, at_once)
    lines.put_in_force(one_by_one.facts, one_by_one)
    assert layer(now(other), "orders") == layer(now(house), "orders")
    assert len(layer(now(house), "orders")) == 298


def test_a_compaction_says_the_same_upon_a_base_of_its_own(house: House, lines: OrderLines, monkeypatch: pytest.MonkeyPatch) -> None:
    log = Log()
    log.block("XX-1", ".a.example", "b.example")
    built = lines.put_in_force(log.facts, log)
    assert not built.swollen
    assert not compact(house.state, KEEP).changed
    monkeypatch.setattr(succession, "COMPACT_OCTETS", 100)
    compacted = compact(house.state, KEEP)
    assert (compacted.changed, compacted.identity, compacted.swollen) == (True, built.identity, False)
    version = now(house)
    assert version.manifest["index"] == {"base": version.serial, "changed": 0}
    assert b"".join(version.lines()) == (version.directory / store.ENTRIES).read_bytes()
    assert store.DELTA_ENTRIES not in version.manifest["files"]
    assert (in_force(house), version.manifest["orders"]) == ("abgh", log.facts)
    log.withdraw("XX-1")
    lines.put_in_force(log.facts, log)
    assert in_force(house) == "gh"


def test_a_compaction_gives_way(house: House, lines: OrderLines, monkeypatch: pytest.MonkeyPatch) -> None:
    """A withdrawal that comes while the base is written is in force at once, and still is upon the new base."""
    monkeypatch.setattr(succession, "COMPACT_OCTETS", 100)
    log = Log()
    log.block("XX-1", "a.example")
    log.block("XX-2", "b.example")
    lines.put_in_force(log.facts, log)
    pack = succession.pack_part
    calls = []

    def slowly(listed: Any) -> tuple[bytes, bytes]:
        calls.append(len(listed))
        if len(calls) == 1:
            monkeypatch.setattr(succession, "pack_part", pack)
            log.withdraw("XX-1")
            lines.put_in_force(log.facts, log)
            assert in_force(house) == "bgh"
        return pack(listed)

    monkeypatch.setattr(succession, "pack_part", slowly)
    compacted = compact(house.state, KEEP)
    assert (compacted.changed, in_force(house)) == (True, "bgh")
    version = now(house)
    assert version.manifest["index"] == {"base": version.serial, "changed": 0}, "to withdraw, no name need be touched"


def test_a_draft_of_a_living_process_is_left_alone(house: House) -> None:
    begun, tell = os.pipe()
    child = os.fork()
    if child == 0:
        draft = publish.Draft(house.state)
        draft.write("half", (b"x",))
        os.write(tell, b"x")
        signal.pause()
    os.read(begun, 1)
    os.close(begun)
    os.close(tell)
    [half] = (house.state / "versions").glob(".new-*")
    house.write("own", own("f.example"))
    house.build()
    assert half.exists()
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    house.write("own", own())
    house.build()
    assert not half.exists()


Act = Callable[[], object]


def acts(house: House, step: int) -> dict[str, Act]:
    """Each of the new ways to a version, with something to do at every step."""
    log = Log()
    log.block("XX-1", NAMES[step % 5])
    log.withdraw("XX-9")
    return {
        "put": lambda: OrderLines(house.state, KEEP).put_in_force(log.facts, log),
        "lift": lambda: lift(house.state, f"YY-{step}", "withdraw", AS_OF, KEEP),
        "compact": lambda: compact(house.state, KEEP),
    }


@pytest.mark.parametrize("way", ["put", "lift", "compact"])
def test_killed_before_any_change_to_the_disk_it_leaves_a_whole_version(house: House, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    monkeypatch.setattr(succession, "COMPACT_OCTETS", 100)
    acts(house, 0)["put"]()
    for step in range(1, 100):
        before = now(house)
        if way == "compact":
            acts(house, step)["put"]()
            before = now(house)
        child = os.fork()
        if child == 0:
            with killed_at(step):
                acts(house, step)[way]()
            os._exit(0)
        _, status = os.waitpid(child, 0)
        version = now(house)
        assert version.notice == ""
        assert version.serial in (before.serial, before.serial + 1) or not os.WIFSIGNALED(status)
        if not os.WIFSIGNALED(status):
            assert version.serial > before.serial
            break
        acts(house, step)[way]()
        assert now(house).serial > before.serial
        house.build()
        leftovers = [name for name in os.listdir(house.state / "versions") if not name.isdigit()]
        assert not leftovers
        assert not [name for name in os.listdir(house.state) if name.endswith(".new")]
    assert 12 < step < 99, "so few changes to the disk would mean that they were not seen"


@pytest.mark.parametrize("way", ["put", "lift"])
def test_refused_any_change_to_the_disk_it_says_so_and_the_next_try_completes(house: House, way: str) -> None:
    acts(house, 0)["put"]()
    for step in range(1, 100):
        before = now(house)
        said, tell = os.pipe()
        child = os.fork()
        if child == 0:
            with refused_at(step, 28):
                try:
                    acts(house, step)[way]()
                    text = "done"
                except DiskError as error:
                    text = f"refused {error}"
                except BaseException as error:
                    text = f"broken {error!r}"
                os.write(tell, text.encode())
            os._exit(0)
        os.waitpid(child, 0)
        os.close(tell)
        with open(said, encoding="utf-8") as pipe:
            text = pipe.read()
        assert now(house).notice == "", text
        if text == "done" and now(house).serial > before.serial and step > 12:
            break
        assert text.startswith(("refused ", "done")), text
        acts(house, step)[way]()
        assert now(house).serial > before.serial
    assert 12 < step < 99, "so few changes to the disk would mean that they were not seen"


def scan(lines: Sequence[Line], asked: bytes, at: int) -> Rule | None:
    """The slow twin of `Index.find`."""
    found = sorted(
        (
            Rule(line.kind, line.mode, line.reference, "exact" if exact else "subtree", listed, line.starts, line.ends, number)
            for number, line in enumerate(lines)
            for listed, exact in line.listed
            if (listed == asked or (not exact and asked.startswith(listed))) and line.starts <= at and not 0 < line.ends <= at
        ),
        key=lambda rule: (-len(rule.key), rule.number, rule.match == "exact"),
    )
    signed = [rule for rule in found if rule.kind == "directive"]
    return (signed or found or [None])[0]


class Model:
    """What should be in force, worked out from nothing: every basis there is, and what was lifted, suspended and pinned."""

    def __init__(self) -> None:
        self.log = Log()
        self.own: set[str] = set()
        self.files: set[str] = {"FR-1"}
        self.lifted: set[str] = set()
        self.suspended: dict[str, tuple[int, int]] = {}
        self.kept: list[Basis] | None = None
        """What stood in the pinned version."""

    def local(self, house: House, tmp: Path) -> list[Basis]:
        """What the sources say, as a state directory of their own would have it."""
        other = House(tmp)
        other.sources, other.root = house.sources, house.root
        other.state = tmp
        other.build()
        return [revive(line) for line in now(other).lines()]

    def lines(self, local: list[Basis]) -> list[Line]:
        orders = [basis for bases in self.log.of_id.values() for basis in bases]
        if self.kept is not None:
            then: dict[str, set[tuple[bytes, bool]]] = {}
            for basis in self.kept:
                if basis.layer == "orders":
                    then.setdefault(basis.reference, set()).update(basis.listed)
            local = [basis for basis in self.kept if basis.layer == "local"]
            orders = [
                replace(one, listed=[(k, exact) for k, exact in one.listed if {(k, exact), (k, False)} & then.get(one.reference, set())])
                for one in orders
            ]
        gone = self.lifted.union(self.log.withdrawn)
        found = []
        for basis in orders + local:
            if basis.kind != "directive":
                found.append(basis)
            elif basis.reference not in gone:
                first, after = self.suspended.get(basis.reference, (0, 0))
                if not after or basis.starts >= after or 0 < basis.ends <= first:
                    found.append(basis)
                    continue
                if basis.starts < first:
                    found.append(replace(basis, ends=first))
                if not basis.ends or after < basis.ends:
                    found.append(replace(basis, starts=max(after, basis.starts)))
        return assemble(found, AS_OF).lines


def test_any_trace_of_changes_gives_what_a_build_from_nothing_gives(house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    seeded = random.Random(seed)
    monkeypatch.setattr(succession, "COMPACT_OCTETS", 1500)
    model = Model()
    lines = OrderLines(house.state, 100)
    local = model.local(house, tmp_path / "first")
    ids = ["XX-1", "XX-2", "XX-3", "FR-1", "FR-2"]
    house.more["keep_versions"] = 100
    acted: dict[str, int] = {}
    for step in range(60):
        act = seeded.choice(["block", "block", "block", "withdraw", "lift", "suspend", "own", "files", "pin", "unpin", "compact", "kill", "forget"])
        identity = seeded.choice(ids) if act == "block" or seeded.random() < 0.4 else f"XX-{seeded.randrange(40)}"
        if act == "block":
            identity = f"XX-{seeded.randrange(40)}" if seeded.random() < 0.7 else identity
            names = [seeded.choice(["", "."]) + name for name in seeded.sample(NAMES, seeded.randrange(1, 4))]
            starts = seeded.choice([0, AS_OF - 5, AS_OF + 5])
            if identity not in model.log.withdrawn:
                model.log.block(identity, *names, starts=starts, ends=seeded.choice([0, AS_OF + 20]))
            lines.put_in_force(model.log.facts, model.log)
        elif act == "withdraw":
            model.log.withdraw(identity)
            lines.put_in_force(model.log.facts, model.log)
        elif act == "lift":
            lift(house.state, identity, "withdraw", AS_OF, 100)
            model.lifted.add(identity)
        elif act == "suspend" and identity not in model.suspended:
            model.suspended[identity] = (AS_OF - 3, AS_OF + 10)
            lift(house.state, identity, "suspend", AS_OF, 100, starts=AS_OF - 3, ends=AS_OF + 10)
        elif act in ("own", "files"):
            if act == "own":
                model.own = set(seeded.sample(NAMES, 2))
                house.write("own", own(*sorted(model.own)))
            else:
                model.files = set(seeded.sample(["FR-1", "FR-2", "FR-3"], 2))
                house.write("files", documents(*(order(each, f"{'abc'[int(each[3]) - 1]}.example") for each in sorted(model.files))))
            house.build()
            local = model.local(house, tmp_path / f"local{step}")
        elif act == "pin" and model.kept is None:
            serial = seeded.choice(store.serials(house.state))
            kept = [revive(line) for line in store.open_version(house.state, serial).lines()]
            builder.rollback(house.job(), serial, "a trace")
            model.kept = kept
        elif act == "unpin" and model.kept is not None:
            builder.unpin(house.job())
            model.kept = None
            lines.put_in_force(model.log.facts, model.log)
        elif act == "compact":
            compact(house.state, 100)
        elif act == "kill":
            child = os.fork()
            if child == 0:
                with killed_at(seeded.randrange(1, 40)):
                    OrderLines(house.state, 100).put_in_force(model.log.facts, model.log)
                    compact(house.state, 100)
                os._exit(0)
            os.waitpid(child, 0)
            lines.put_in_force(model.log.facts, model.log)
        else:
            act = "forget"
            lines = OrderLines(house.state, 100)
            model.log.touched = set(model.log.of_id)
        acted[act] = acted.get(act, 0) + 1
        version = now(house)
        expected = model.lines(local)
        assert version.notice == ""
        assert list(version.lines()) == [line.encoded for line in expected], f"{act} {identity} at step {step}"
        assert version.identity == assemble([revive(line.encoded) for line in expected], AS_OF).identity
        for name in (*NAMES, *(f"www.{name}" for name in NAMES), "n7.example"):
            for at in (AS_OF - 4, AS_OF, AS_OF + 12, AS_OF + 30):
                assert version.index.find(key(name), at) == scan(expected, key(name), at), (name, at)
    print(acted)
