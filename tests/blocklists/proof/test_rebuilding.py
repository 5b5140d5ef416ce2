"""The same log gives the same list: on another machine, fetched in another way, by another path."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from blocklists import store
from blocklists.errors import ConfigurationError
from blocklists.rebuilding import rebuild
from tests.blocklists.feed.authority import Authority
from tests.blocklists.feed.mirror import Mirror
from tests.blocklists.feed.operator import Operator
from tests.blocklists.proof.history import at, written


def test_two_machines_one_identity(tmp_path: Path, mirrors: Callable[[Authority], Mirror]) -> None:
    """One follows each entry as it comes, by the quick path; the other fetches all at the end, and a third was away in between."""
    complete = written()
    growing = Authority()
    served = mirrors(growing)
    follower, late, now_and_then = (Operator(tmp_path / name, growing.root_json(), served.url) for name in ("follower", "late", "now and then"))
    for number, entry in enumerate(complete.entries):
        growing.append(entry)
        if number == 4:
            growing.sign_offline()
        growing.publish()
        assert follower.fault() == ""
        if number in (1, 5):
            assert now_and_then.fault() == ""
    machines = (late, follower, now_and_then)
    found = []
    for each in machines:
        assert each.fault() == ""
        version = store.open_current(each.state_dir)
        made = rebuild(each.state_dir, 8, version.manifest["as_of"])
        assert made.identity == version.identity
        assert made.orders == version.manifest["layers"]["orders"]["sha256"]
        found.append(made)
        each.close()
    assert len({made.identity for made in found}) == 1
    assert len({made.root for made in found}) == 1
    for size in range(9):
        assert len({rebuild(each.state_dir, size, at(5.5)) for each in machines}) == 1


def test_each_size_and_time_is_its_own(state_dir: Path) -> None:
    names = [rebuild(state_dir, size, at(5)).names for size in range(9)]
    assert names == [0, 1, 2, 2, 2, 1, 2, 2, 2]
    assert rebuild(state_dir, 2, at(2)).identity != rebuild(state_dir, 1, at(2)).identity
    assert rebuild(state_dir, 8, at(24 * 200)).names == 0


def test_more_than_was_logged_is_refused(state_dir: Path) -> None:
    with pytest.raises(ConfigurationError, match="never had 9"):
        rebuild(state_dir, 9, at(5))
