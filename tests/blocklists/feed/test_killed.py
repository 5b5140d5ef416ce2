"""kill -9 at random instants of a look: the list is the old one or the new, whole, and the next look completes it."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from blocklists.log.tree import Tree
from tests.blocklists.feed.authority import Authority, order, withdrawal
from tests.blocklists.feed.mirror import Mirror
from tests.blocklists.feed.operator import Operator
from tests.tools import DEADLINE

ROUNDS = int(os.environ.get("REDHAND_KILLS", "100"))
FIRST_LOOKS = max(5, ROUNDS // 20)
ROOT = Path(__file__).resolve().parents[3]


class Looks:
    """Looks by processes of their own."""

    def __init__(self, process: subprocess.Popen[str], operator: Operator, url: str) -> None:
        self._process, self._operator, self._url = process, operator, url

    def look(self, kill_after: float = 0, place: Path | None = None) -> tuple[str, float]:
        """How a look ended, and after how many seconds."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{place or self._operator.place} {self._url} {kill_after}\n")
        self._process.stdin.flush()
        how, seconds = self._process.stdout.readline().strip().split(", ")
        return how, float(seconds)


@pytest.fixture
def looks(operator: Operator, mirror: Mirror) -> Iterator[Looks]:
    command = [sys.executable, "-m", "tests.blocklists.feed.zygote"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    yield Looks(process, operator, mirror.url)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.close()
    process.wait(DEADLINE)
    process.stdout.close()


def test_a_look_that_is_killed_leaves_the_old_list_or_the_new(authority: Authority, operator: Operator, looks: Looks) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    stands: dict[str, dict[str, object]] = {}
    lasts = 0.0
    ended = {"killed": 0, "old": 0, "new": 0}
    for number in range(ROUNDS):
        before = {f"n{key}.test" for key in stands}
        if number % 3 == 2:
            gone = chance.choice(sorted(stands))
            authority.log(withdrawal(stands.pop(gone)), ["n1"])
        else:
            stands[str(number)] = order(f"XX-{number}", f"n{number}.test")
            authority.log(stands[str(number)])
        if number % 10 == 9:
            authority.protected.append(f"kept{number}.example")
            authority.sign_offline()
        authority.publish()
        after = {f"n{key}.test" for key in stands}
        if number < 2:
            how, took = looks.look()
            assert how == "ended 0"
            lasts = took
            continue
        how, _ = looks.look(chance.uniform(0, lasts * 1.1))
        found = operator.blocked()
        assert found in (before, after), number
        ended["killed"] += how == "killed"
        ended["old" if found == before else "new"] += 1
        how, took = looks.look()
        assert how == "ended 0"
        lasts = (lasts + took) / 2
        assert operator.blocked() == after, number
    print(f"{ROUNDS} looks at the feed, {ended['killed']} of them killed: {ended['old']} left the old list, {ended['new']} the new one, whole")
    assert ended["old"] > ROUNDS / 20
    assert ended["new"] > ROUNDS / 20


def test_a_first_look_that_is_killed_goes_on_where_it_was(authority: Authority, operator: Operator, looks: Looks, mirror: Mirror) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    for number in range(700):
        authority.log(order(f"XX-{number}", f"n{number}.test"))
    authority.publish()
    whole = {f"n{number}.test" for number in range(700)}
    how, took = looks.look()
    assert (how, operator.blocked()) == ("ended 0", whole)
    kept = []
    for number in range(FIRST_LOOKS):
        newcomer = Operator(operator.place / f"newcomer{number}", authority.root_json(), mirror.url)
        looks.look(chance.uniform(0, took), newcomer.place)
        assert newcomer.blocked() in (set(), whole)
        size = Tree(newcomer.state_dir / "log").size
        assert size in (0, 256, 512, 700)
        kept.append(size)
        mirror.requests.clear()
        assert looks.look(place=newcomer.place)[0] == "ended 0"
        fetched = sum("tile/entries" in path for path, _ in mirror.requests)
        assert fetched == {0: 3, 256: 2, 512: 1, 700: 0}[size]
        assert newcomer.blocked() == whole
    print(f"{FIRST_LOOKS} first looks killed, and gone on with from {sorted(kept)} of 700 entries")
