"""Versions on disk: believed whole or not at all, whatever happens to their files."""

from __future__ import annotations

import gc
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from blocklists import opened, readers, store
from blocklists.errors import StoreError
from blocklists.follower import Follower
from tests.blocklists.lists import AS_OF, House, blocked, documents, key, order

ROOT = Path(__file__).parents[2]
FILES = ["manifest.json", "manifest.sha256", "entries", "skipped", "index.trie", "index.values", "index.rules"]
NAMES = ("one.example", "www.one.example", "two.example", "own.example", "exact.test", "www.exact.test", "other.example")


@pytest.fixture
def house(tmp_path: Path) -> House:
    """Two versions: the second lists one name more."""
    house = House(tmp_path)
    house.source("orders", "directives")
    house.source("own", "domains")
    house.source("hosts", "hosts", mode="nxdomain")
    house.write("orders", order("FR-1", "one.example"))
    house.write("own", "\n".join(f"own{number}.example" for number in range(40)) + "\nown.example\ncom\n")
    house.write("hosts", "192.0.2.1 exact.test\n")
    assert house.build().serial == 1
    house.write("orders", documents(order("FR-1", "one.example"), order("FR-2", "two.example")))
    assert house.build().serial == 2
    return house


def test_a_version_says_what_its_sources_say(house: House) -> None:
    version = store.open_current(house.state)
    assert (version.serial, version.notice) == (2, "")
    assert blocked(version, *NAMES) == ["one.example", "www.one.example", "two.example", "own.example", "exact.test"]
    rule = version.index.find(key("www.one.example"), AS_OF)
    assert rule is not None
    assert (rule.kind, rule.mode, rule.reference, rule.match, rule.key) == ("directive", "redirect", "FR-1", "subtree", key("one.example"))
    basis = version.basis(rule)
    assert (basis["id"], basis["layer"], basis["source"], basis["verified"], "targets" in basis) == ("FR-1", "local", "orders", False, False)
    own = version.index.find(key("exact.test"), AS_OF)
    assert own is not None
    assert (own.kind, own.mode, own.reference, version.basis(own)["source"]) == ("own", "nxdomain", "hosts", "hosts")
    [skipped] = version.skipped()
    assert (skipped["source"], skipped["where"], skipped["line"]) == ("own", "own", 42)
    assert "com" in skipped["value"]


def test_entries_are_what_the_manifest_says(house: House) -> None:
    version = store.open_current(house.state)
    lines = list(version.lines())
    assert b"".join(lines) == (house.state / "versions/2/entries").read_bytes()
    assert version.manifest["layers"]["local"]["sha256"] == hashlib.sha256(b"".join(lines)).hexdigest()
    assert [version.document(number)["source"] for number in range(version.index.rules)] == [
        json.loads(line)["basis"]["document"]["source"] for line in lines
    ]
    assert all(oct(path.stat().st_mode)[-3:] == "444" for path in (house.state / "versions/2").iterdir())


def damage(path: Path, content: bytes) -> None:
    """Other bytes under the same name, as a careless copy or a bad disk leaves them."""
    path.unlink()
    path.write_bytes(content)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("how", ["flipped", "truncated"])
def test_a_file_damaged_at_any_byte_is_refused_by_name(house: House, name: str, how: str) -> None:
    """Invariant: every single damaged byte and every lost tail is refused, naming a file; or refused when what it harmed is first used."""
    path = house.state / "versions/2" / name
    whole = path.read_bytes()
    assert whole, f"{name} must hold something for this test to mean anything"
    seeded = random.Random(name)
    # A flip keeps the size, so each is met by the hash alone; nearly every truncation is met by the size, so a sample of them is enough.
    places = range(len(whole)) if how == "flipped" else sorted({*range(0, len(whole), 17), len(whole) - 1})
    for place in places:
        other = whole[:place] + bytes((whole[place] ^ 1 << seeded.randrange(8),)) + whole[place + 1 :] if how == "flipped" else whole[:place]
        damage(path, other)
        with pytest.raises(StoreError, match=r"versions/2/.*run: redhand blocklist build"):
            store.open_version(house.state, 2).verify()


@pytest.mark.parametrize("name", FILES)
def test_an_older_version_stands_in_for_a_damaged_one(house: House, name: str) -> None:
    path = house.state / "versions/2" / name
    damage(path, path.read_bytes()[:-1])
    version = store.open_current(house.state, thorough=True)
    assert version.serial == 1
    assert version.notice.startswith("version 1 stands in, because")
    assert blocked(version, *NAMES) == ["one.example", "www.one.example", "own.example", "exact.test"]
    path.unlink()
    assert store.open_current(house.state, thorough=True).serial == 1


def test_damaged_entries_are_found_when_they_are_first_used(house: House) -> None:
    path = house.state / "versions/2/entries"
    damage(path, path.read_bytes().replace(b"FR-1", b"FR-9"))
    version = store.open_current(house.state)
    rule = version.index.find(key("one.example"), AS_OF)
    assert rule is not None
    assert rule.reference == "FR-1"
    with pytest.raises(StoreError, match="versions/2/entries is not what was written"):
        version.basis(rule)


def test_current_damaged_at_any_byte_never_puts_anything_else_in_force(house: House) -> None:
    """Invariant: whatever becomes of `current`, the newest sound version is the one that opens, with a notice unless it is untouched."""
    path = house.state / "current"
    whole = path.read_bytes()
    seeded = random.Random(1)
    for place in range(len(whole)):
        for content in (whole[:place], whole[:place] + bytes((whole[place] ^ 1 << seeded.randrange(8),)) + whole[place + 1 :]):
            damage(path, content)
            version = store.open_current(house.state)
            assert version.serial == 2
            assert version.notice
    path.unlink()
    assert store.open_current(house.state).serial == 2
    path.write_bytes(whole)
    assert store.open_current(house.state).notice == ""
    path.write_bytes(store.read_current(house.state)[1].encode().join((b"1 ", b"\n")))
    assert store.open_current(house.state).serial == 1, "an older one that is named is not passed over for a newer one"


def test_nothing_sound_is_an_error_with_a_remedy(house: House, tmp_path: Path) -> None:
    for serial in (1, 2):
        damage(house.state / "versions" / str(serial) / "index.trie", b"")
    with pytest.raises(StoreError, match=r"versions/2/index.trie has 0 octets.*no other version is sound"):
        store.open_current(house.state)
    with pytest.raises(StoreError, match="current is missing"):
        store.open_current(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"format": 1}, "has format 1, and this release reads 2"),
        ({"serial": 3}, "is that of version 3, moved here"),
        ({"files": {}}, "which are not a version's"),
        ({"files": {**{name: {} for name in FILES[2:]}, "../../etc": {}}}, "which are not a version's"),
        ({"identity": "0" * 64}, "identity that is not its layers'"),
        ({"layers": []}, "no manifest that was ever written"),
        ({"identity": None, "format": "1"}, "has format '1'"),
    ],
)
def test_a_manifest_of_another_kind_is_refused(house: House, changes: dict[str, Any], complaint: str) -> None:
    path = house.state / "versions/2/manifest.json"
    content = json.dumps({**json.loads(path.read_bytes()), **changes}).encode()
    damage(path, content)
    damage(path.with_name("manifest.sha256"), f"{hashlib.sha256(content).hexdigest()}  manifest.json\n".encode())
    with pytest.raises(StoreError, match=complaint):
        store.open_version(house.state, 2)


def test_a_link_or_a_pipe_is_no_file_of_ours(house: House) -> None:
    path = house.state / "versions/2/index.trie"
    path.rename(house.root / "elsewhere")
    path.symlink_to(house.root / "elsewhere")
    with pytest.raises(StoreError, match="cannot be opened"):
        store.open_version(house.state, 2)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(StoreError, match="were written"):
        store.open_version(house.state, 2)


def test_what_was_hashed_is_what_is_mapped(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each file is replaced by another at the worst moment, between its hash and its mapping: nothing of the other is ever seen."""
    compare = opened._compare

    def compare_then_replace(view: memoryview, digest: str, path: Path, rest: opened.Rest | None) -> None:
        compare(view, digest, path, rest)
        damage(path, b"\0" * len(view))

    with monkeypatch.context() as patched:
        patched.setattr(opened, "_compare", compare_then_replace)
        version = store.open_version(house.state, 2)
    assert blocked(version, *NAMES) == ["one.example", "www.one.example", "two.example", "own.example", "exact.test"]
    with pytest.raises(StoreError, match=r"index\.\w+ is not what was written"):
        store.open_version(house.state, 2)


def test_an_open_version_outlives_its_files(house: House) -> None:
    version = store.open_current(house.state)
    shutil.rmtree(house.state)
    assert blocked(version, *NAMES) == ["one.example", "www.one.example", "two.example", "own.example", "exact.test"]
    rule = version.index.find(key("two.example"), AS_OF)
    assert rule is not None
    assert version.basis(rule)["id"] == "FR-2"


def test_a_version_let_go_gives_back_its_mappings_without_the_collector(house: House) -> None:
    """Workers run with the cyclic collector off: a swapped-out version must not stay."""

    def mapped() -> int:
        return Path("/proc/self/maps").read_text().count(str(house.state))

    gc.collect()
    gc.disable()
    try:
        assert mapped() == 0
        version = store.open_current(house.state)
        assert version.index.find(key("one.example"), AS_OF) is not None
        assert mapped() >= 4
        del version
        assert mapped() == 0
    finally:
        gc.enable()


def test_entries_that_were_verified_are_not_kept_in_memory(house: House) -> None:
    """Who makes versions has the lines besides, and tens of megabytes must not be there twice."""
    house.write("own", "".join(f"n{number}.example\n" for number in range(20_000)))
    house.build()
    version = store.open_current(house.state)
    entries = version.directory / store.ENTRIES

    def resident() -> int:
        _, _, rest = Path("/proc/self/smaps").read_text().partition(f"{entries}\n")
        return int(rest.partition("Rss:")[2].split()[0])

    assert entries.stat().st_size > 300_000
    version.verify()
    assert resident() == 0
    lines = list(version.lines())
    assert sum(map(len, lines)) == entries.stat().st_size
    assert resident() > 300, "and can be read again"


def test_a_follower_notices_with_one_look(house: House) -> None:
    follower = Follower(house.state)
    assert follower.changed()
    assert follower.load().serial == 2
    assert not follower.changed()
    house.write("own", "another.example\n")
    house.build()
    assert follower.changed()
    assert follower.changed(), "looking alone loads nothing"
    assert follower.load().serial == 3
    assert not follower.changed()
    (house.state / "current").unlink()
    assert follower.changed()
    assert follower.load().serial == 3
    assert not follower.changed()


def test_a_follower_that_could_not_load_says_so_again(tmp_path: Path) -> None:
    follower = Follower(tmp_path)
    assert follower.changed()
    with pytest.raises(StoreError, match="current is missing"):
        follower.load()
    assert follower.changed()


def test_only_living_readers_count(house: House) -> None:
    assert readers.live(house.state) == {}
    readers.publish(house.state, "resolver-0", 1)
    readers.publish(house.state, "resolver-0", 2)
    code = "import sys; from pathlib import Path; from blocklists import readers; readers.publish(Path(sys.argv[1]), 'gone', 1)"
    subprocess.run([sys.executable, "-c", code, str(house.state)], check=True)
    assert (house.state / "readers/gone").exists()
    assert readers.live(house.state) == {"resolver-0": 2}
    # The same process number with another start is another process.
    (house.state / "readers/again").write_text(f"1 {os.getpid()} 1\n")
    (house.state / "readers/torn").write_text("1")
    assert readers.live(house.state) == {"resolver-0": 2}
    readers.withdraw(house.state, "resolver-0")
    assert readers.live(house.state) == {}


@pytest.mark.parametrize("name", ["", "../x", ".hidden", "a/b", "x" * 65, "a\n"])
def test_a_reader_needs_a_plain_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(StoreError, match="cannot name a reader"):
        readers.publish(tmp_path, name, 1)


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"serial":"x","reason":"","at":0}'])
def test_a_damaged_pin_is_an_error_with_a_remedy(tmp_path: Path, content: str) -> None:
    assert store.read_pin(tmp_path) is None
    (tmp_path / "pin").write_text(content)
    with pytest.raises(StoreError, match="run: redhand blocklist unpin"):
        store.read_pin(tmp_path)


SERVE_A_CUT_VERSION = """
import os, sys
from pathlib import Path
from blocklists import store
from tests.blocklists.lists import AS_OF, blocked, key
state, sealed = Path(sys.argv[1]), sys.argv[2] == "sealed"
version = store.open_current(state, sealed=sealed)
for path in (state / "versions/2").iterdir():
    os.chmod(path, 0o644)
    os.truncate(path, 0)
print(*blocked(version, "one.example", "two.example", "own.example", "other.example"), flush=True)
"""


@pytest.mark.parametrize(("how", "end"), [("mapped", -signal.SIGBUS), ("sealed", 0)])
def test_what_becomes_of_the_files_reaches_no_sealed_version(house: House, how: str, end: int) -> None:
    """Every file of the version in force is cut to nothing under its reader: a mapping of the file is the reader's death, a sealed copy is not."""
    command = [sys.executable, "-c", SERVE_A_CUT_VERSION, str(house.state), how]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert done.returncode == end, done.stderr
    if how == "sealed":
        assert done.stdout.split() == ["one.example", "two.example", "own.example"]


def held_open(house: House) -> list[str]:
    """What descriptors of ours lead to, of this house's files and of copies in memory; other tests' servers may still be closing theirs."""
    found = []
    for descriptor in os.listdir("/proc/self/fd"):
        with suppress(OSError):
            found.append(os.readlink(f"/proc/self/fd/{descriptor}"))
    return sorted(each for each in found if str(house.root) in each or "memfd:" in each)


@pytest.mark.parametrize("name", FILES[4:])
@pytest.mark.parametrize("how", ["flipped", "cut", "gone"])
def test_a_sealed_version_is_compared_as_it_is_copied(house: House, name: str, how: str) -> None:
    path = house.state / "versions/2" / name
    whole = path.read_bytes()
    path.unlink()
    if how != "gone":
        path.write_bytes(bytes((whole[0] ^ 1,)) + whole[1:] if how == "flipped" else whole[:-1])
    gc.collect()
    before = held_open(house)
    with pytest.raises(StoreError, match=rf"versions/2/{name}.*run: redhand blocklist build"):
        store.open_version(house.state, 2, sealed=True)
    gc.collect()
    assert held_open(house) == before


def test_nobody_can_change_what_is_sealed(house: House) -> None:
    version = store.open_version(house.state, 2, sealed=True)
    maps = [line.split() for line in Path("/proc/self/maps").read_text().splitlines() if "memfd:redhand" in line]
    assert {fields[1] for fields in maps} == {"r--s"}
    for descriptor in os.listdir("/proc/self/fd"):
        path = f"/proc/self/fd/{descriptor}"
        if Path(path).exists() and "memfd:redhand" in os.readlink(path):
            with pytest.raises(PermissionError), open(path, "r+b", buffering=0) as file:
                file.write(b"x")
    assert blocked(version, *NAMES) == ["one.example", "www.one.example", "two.example", "own.example", "exact.test"]


def test_a_list_of_another_format_is_none_to_start_with(house: House) -> None:
    assert store.has_list(house.state)
    for serial in (1, 2):
        path = house.state / f"versions/{serial}/manifest.json"
        assert store.has_list(house.state), "one is enough"
        content = json.dumps({**json.loads(path.read_bytes()), "format": 1}).encode()
        damage(path, content)
        damage(path.with_name("manifest.sha256"), f"{hashlib.sha256(content).hexdigest()}  manifest.json\n".encode())
    (house.state / "current").write_text(f"2 {hashlib.sha256(content).hexdigest()}\n")
    assert not store.has_list(house.state)
    assert not store.has_list(house.root / "nowhere")
    built = house.build()
    assert (built.serial, built.changed) == (3, True)
    assert "has format 1, and this release reads 2" in built.alarms[0]
    assert blocked(store.open_current(house.state), *NAMES) == ["one.example", "www.one.example", "two.example", "own.example", "exact.test"]
