"""A watcher sees what an operator alone might not: withheld orders, two histories, feeds that go stale."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from blocklists.errors import ConfigurationError
from blocklists.log.note import verify_note
from blocklists.settings import FeedSettings
from blocklists.watcher import Alarm, Watcher, read_expected
from tests.blocklists.feed.authority import Authority, order
from tests.blocklists.feed.mirror import TOKEN, Mirror
from tests.blocklists.trust import office

MakeMirror = Callable[[Authority], Mirror]


class Post:
    """A watcher's post: files and addresses."""

    def __init__(self, place: Path, authority: Authority, *mirrors: Mirror) -> None:
        self.place = place
        (place / "root.json").write_bytes(authority.root_json())
        (place / "token").write_text(TOKEN + "\n")
        urls = tuple(mirror.url for mirror in mirrors)
        self.settings = FeedSettings(urls=urls, root=str(place / "root.json"), token_file=str(place / "token"))
        self.begin()

    def begin(self) -> None:
        """As a watcher that was started anew."""
        self.watcher = Watcher(self.place / "state", self.settings, 600)

    def look(self, now: float = 0, *expected: dict[str, Any]) -> list[Alarm]:
        lines = b"\n".join(office.sign(payload, "n1", "n2").encode() for payload in expected)
        (self.place / "expected").write_bytes(lines)
        return self.watcher.look(int(now or time.time()), read_expected(self.place / "expected"))

    def alarms(self, now: float = 0, *expected: dict[str, Any]) -> list[tuple[str, str]]:
        return [(alarm.name, alarm.about) for alarm in self.look(now, *expected)]


@pytest.fixture
def authority(young: Authority) -> Authority:
    found = young.fork()
    found.log(order("XX-1", "site.example"))
    found.publish()
    return found


def test_all_is_well(authority: Authority, mirrors: MakeMirror, tmp_path: Path) -> None:
    post = Post(tmp_path, authority, mirrors(authority), mirrors(authority))
    assert post.look() == []
    authority.log(order("XX-2", "other.example"))
    authority.publish()
    assert post.look() == []


def test_an_expected_order_that_is_not_logged_in_time(authority: Authority, mirrors: MakeMirror, tmp_path: Path) -> None:
    mirror = mirrors(authority)
    post = Post(tmp_path, authority, mirror)
    signed, withheld = order("XX-1", "site.example"), order("XX-2", "other.example")
    authority.log(signed)
    authority.publish()
    now = time.time()
    assert post.alarms(now, signed, withheld) == []
    post.begin()
    assert post.alarms(now + 599, signed, withheld) == []
    assert post.alarms(now + 600, signed, withheld) == [("order missing", f"XX-2 {mirror.url}")]
    authority.log(withheld)
    authority.publish()
    assert post.alarms(now + 601, signed, withheld) == []


def test_two_histories_and_the_notes_that_prove_it(authority: Authority, mirrors: MakeMirror, tmp_path: Path) -> None:
    other = authority.fork()
    authority.log(order("XX-2", "first.example"))
    other.log(order("XX-3", "second.example"))
    other.log(order("XX-4", "third.example"))
    for each in (authority, other):
        each.publish()
    post = Post(tmp_path, authority, mirrors(authority), mirrors(other))
    (alarm,) = post.look()
    assert alarm.name == "heads differ"
    notes = [verify_note(Path(path).read_bytes(), authority.policy.log.key, office.ORIGIN) for path in alarm.evidence]
    assert {(note.size, note.root) for note in notes} == {(2, authority.root_hash()), (3, other.root_hash())}
    post.begin()
    assert post.alarms() == [("heads differ", alarm.about)], "it does not go away by being looked at again"


def test_a_shorter_log_of_the_same_history_is_none(authority: Authority, mirrors: MakeMirror, tmp_path: Path) -> None:
    late = authority.fork()
    authority.log(order("XX-2", "other.example"))
    authority.publish()
    assert Post(tmp_path, authority, mirrors(late), mirrors(authority)).look() == []


def test_a_log_that_does_not_go_on_from_the_one_before(authority: Authority, mirrors: MakeMirror, tmp_path: Path) -> None:
    rewritten = authority.fork()
    served = [authority]
    mirror = Mirror(lambda: served[0].files)
    try:
        post = Post(tmp_path, authority, mirror)
        assert post.look() == []
        rewritten.entries.clear()
        rewritten.leaves.clear()
        rewritten.log(order("XX-5", "forged.example"))
        rewritten.log(order("XX-6", "forged2.example"))
        rewritten.publish()
        served[0] = rewritten
        (alarm,) = post.look()
        assert alarm.name == "feed forked"
        notes = [verify_note(Path(path).read_bytes(), authority.policy.log.key, office.ORIGIN) for path in alarm.evidence]
        assert [(note.size, note.root) for note in notes] == [(1, authority.root_hash()), (2, rewritten.root_hash())]
    finally:
        mirror.stop()


def test_missed_freshness_and_absence(authority: Authority, mirrors: MakeMirror, tmp_path: Path) -> None:
    authority.expires["timestamp"] = -10
    authority.publish()
    frozen, gone = mirrors(authority), mirrors(authority)
    gone.stop()
    post = Post(tmp_path, authority, frozen, gone)
    assert post.alarms() == [("feed frozen", frozen.url), ("feed away", gone.url)]
    authority.expires["timestamp"] = 86_400
    authority.publish()
    assert post.alarms() == [("feed away", gone.url)]


@pytest.mark.parametrize("content", [b"{}", b"no json", office.sign(b'{"a":1}', "n1", kind="application/vnd.redhand.directive+json").encode()])
def test_what_is_no_order_is_not_expected(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "expected").write_bytes(content)
    with pytest.raises(ConfigurationError, match="line 1 is no signed envelope of an order"):
        read_expected(tmp_path / "expected")


def test_the_command(authority: Authority, mirrors: MakeMirror, tmp_path: Path) -> None:
    mirror = mirrors(authority)
    post = Post(tmp_path, authority, mirror)
    withheld = order("XX-2", "other.example")
    (tmp_path / "expected").write_bytes(office.sign(withheld, "n1", "n2").encode())
    files = ["--root", str(tmp_path / "root.json"), "--token-file", str(tmp_path / "token"), "--state", str(post.place / "other")]
    command = [sys.executable, "-m", "redhand", "watch", "--url", mirror.url.rstrip("/"), *files, "--expect", str(tmp_path / "expected"), "--once"]
    good = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (good.returncode, good.stdout) == (0, ""), good.stderr
    bad = subprocess.run([*command, "--within", "0"], capture_output=True, text=True, check=False, timeout=60)
    assert bad.returncode == 1, bad.stderr
    (line,) = map(json.loads, bad.stdout.splitlines())
    assert (line["alarm"], line["about"]) == ("order missing", f"XX-2 {mirror.url}")
    assert set(line) == {"at", "alarm", "about", "what", "remedy", "evidence"}
