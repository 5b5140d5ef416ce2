"""An order that cannot be held is judged by a few entries as by the whole log: over logs of every kind of order, the outcome is the same."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from authority import orders
from authority.errors import AuthorityError
from authority.judge import Judge, cannot_be_held
from authority.publisher import FEW, Publisher
from blocklists.errors import BadDocument
from blocklists.log.entry import Entry
from blocklists.log.tree import Tree
from blocklists.trust.envelope import Envelope
from tests.authority.cast import NOW, ORIGIN, Cast, following, found, order, signed

PER_HOUR, PER_DAY = 5, 12
ROUNDS, ENTRIES, TRIED = 3, 50, 40


class Dice:
    """Random orders about few ids, names and nonces, so that they meet each other."""

    def __init__(self, cast: Cast, files: dict[str, bytes], seed: int) -> None:
        self._cast = cast
        self._files = files
        self._random = random.Random(seed)
        self._nonces = [f"{number:032x}" for number in range(160)]

    def entry(self, judge: Judge, now: int) -> Entry:
        """What somebody may try to publish, whether it would stand or not; now and then receipts."""
        dice = self._random
        if dice.random() < 0.05:
            return Entry(now, None, "sha256:" + "0" * 64, 1)
        while True:
            try:
                return Entry(now, self._signed(self._document(), judge))
            except (AuthorityError, BadDocument):
                continue  # no order at all, or one without another to follow

    def seconds(self, *among: int) -> int:
        return self._random.choice(among)

    def _document(self) -> dict[str, Any]:
        dice = self._random
        identity = f"XX-{dice.randrange(28)}"
        nonce = {"nonce": dice.choice(self._nonces)}
        kind = dice.choice(("block", "block", "block", "amend", "withdraw", "suspend", "review"))
        if kind == "review":
            decision = dice.choice(("confirm", "recommend_withdrawal"))
            return {"id": identity, "decision": decision, "reasons": {"en": "x"}, "issued_at": "2026-09-22T00:00:00Z", **nonce}
        if kind in ("block", "amend"):
            names = [f"n{dice.randrange(40)}.site.test" for _ in range(dice.choice((1, 1, 2, 4)))]
            return order(identity, *dict.fromkeys(names), action=kind, **nonce)
        return following(identity, kind, **({"expires_at": "2026-09-23T12:00:00Z"} if kind == "suspend" else {}), **nonce)

    def _signed(self, document: dict[str, Any], judge: Judge) -> Envelope:
        newest = judge.newest(document["id"]) if self._random.random() < 0.9 else "sha256:" + "1" * 64
        made = orders.drafted(document, ORIGIN, newest, self._files)
        signers = self._random.choice((("north-1", "north-2"), ("north-1", "north-2", "reviewer-1"), ("north-1",), ("south-1", "reviewer-1")))
        for name in signers:
            made = made.with_signature(self._cast[name].key.keyid, self._cast[name].sign(made.signed_bytes()))
        return made


@pytest.fixture(scope="module")
def cast() -> Cast:
    return Cast()


def outcome(judge: Judge, entry: Entry) -> str:
    assert entry.envelope is not None
    if (index := judge.index_of(orders.digest(entry.envelope))) is not None:
        return f"it is entry {index}"
    try:
        verdict = judge.take(entry)
    except AuthorityError as error:
        return str(error)
    return f"{verdict.id} stands{', held' if verdict.held else ''}"


def test_few_entries_say_the_same_as_all(cast: Cast, tmp_path: Path) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    present = found(cast, tmp_path / "authority", limits={"names_per_hour": PER_HOUR, "names_per_day": PER_DAY}).present
    assert present is not None
    files = present.files
    seen: list[str] = []
    for round_ in range(ROUNDS):
        dice = Dice(cast, files, seed + round_)
        tree, judge, now = Tree(tmp_path / f"log-{round_}"), Judge(files, False), NOW
        while tree.size < ENTRIES:
            now += dice.seconds(0, 0, 0, 1, 60, 60, 600, 3600)
            entry = dice.entry(judge, now)
            if entry.envelope is None or "stands" in outcome(judge, entry):
                tree.append([entry.encode()])
                judge.catch_up(tree)
        for _ in range(TRIED):
            at = now + dice.seconds(0, 1, 3600, 40_000, 90_000)
            entry = dice.entry(judge, at)
            if entry.envelope is None:
                continue
            read = orders.read(entry.envelope, "the order")
            alone = cannot_be_held([read], tree, present.policy, at)
            expected = outcome(judge, entry)
            if alone:
                few = Judge(files, False)
                few.catch_up_on(tree, [read.id], [read.nonce] if read.nonce else [])
                assert outcome(few, entry) == expected
            seen.append(expected if alone else f"it may be held: {expected}")
            if judge.size > tree.size:
                judge = Judge(files, False, judge)
                judge.catch_up(tree)
    for part in ("(replay.nonce)", "it may be held", "stands"):
        assert any(part in each for each in seen), f"the orders tried are too few: none {part}"


def test_the_names_of_the_last_hour_and_day_are_counted_through_a_long_log(cast: Cast, tmp_path: Path) -> None:
    per_hour, per_day, size, apart = 150, 500, 700, 30
    present = found(cast, tmp_path / "authority", limits={"names_per_hour": per_hour, "names_per_day": per_day}).present
    assert present is not None
    made = [orders.drafted(order("XX-1", *names), ORIGIN, None, present.files) for names in (["a.test"], ["a.test", ".b.test"])]
    entries = [Entry(NOW + number * apart, made[number % 2]) for number in range(size)]
    tree = Tree(tmp_path / "log")
    tree.append([entry.encode() for entry in entries])
    outcomes = set()
    for now in range(entries[-1].logged_at, entries[-1].logged_at + 2 * 86_400, 1777):
        since = [sum(1 + number % 2 for number, entry in enumerate(entries) if entry.logged_at > now - seconds) for seconds in (3600, 86_400)]
        expected = since[0] + 2 <= per_hour and since[1] + 2 <= per_day
        assert cannot_be_held([orders.read(made[1], "it")], tree, present.policy, now) == expected, since
        outcomes.add((since[0] + 2 <= per_hour, since[1] + 2 <= per_day))
    assert outcomes == {(False, False), (True, False), (True, True)}


def test_orders_that_there_is_room_for_wait_for_no_log_to_be_read(cast: Cast, tmp_path: Path) -> None:
    here = tmp_path / "authority"
    publisher = found(cast, here, limits={"names_per_hour": PER_HOUR, "names_per_day": PER_DAY})
    earlier, lately = [NOW + number * 1800 for number in range(PER_DAY)], [NOW + 3 * 86_400 + number * 1800 for number in range(PER_DAY - 1)]
    for number, at in enumerate(earlier + lately):
        publisher.publish([signed(cast, here, order(f"XX-{number}", f"n{number}.site.test"))], at)
    last, size = lately[-1], len(earlier + lately)
    assert size > FEW
    publisher = Publisher(here)
    one, two = (signed(cast, here, order(f"YY-{count}", *(f"y{number}.site.test" for number in range(count)))) for count in (1, 2))
    assert publisher.unread([one]) == 0
    assert publisher.unread([two]) == size, "there may be no room: the whole log says"
    done = publisher.publish([one], last)
    assert (done.size, done.orders[0].held) == (size + 1, False)
    assert publisher.unread() == size + 1, "and the log was not judged for it"
    assert publisher.publish([two], last).orders[0].held
    assert publisher.unread() <= 1
    many = signed(cast, here, order("ZZ-1", *(f"z{number}.site.test" for number in range(PER_HOUR))))
    publisher = Publisher(here)
    assert publisher.unread([many]) == size + 2
    assert not publisher.publish([many], last + 86_400).orders[0].held, "a day later there is room"
    assert publisher.unread() == size + 3
