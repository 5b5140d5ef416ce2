"""The key file: made once, whole, for its owner alone; never replaced by accident; changed without losing an object."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from authority.desk.errors import DeskError, Forbidden
from authority.desk.evidence import rekeying
from authority.desk.evidence.keys import Keys, Secret
from authority.desk.evidence.sealing import Tampered
from authority.desk.roles import SETUP
from authority.desk.tables import Evidence
from tests.authority.desk.evidence.house import MARK, ONE, House

SECRET = Secret(b"k" * 32, b"s" * 32, b"d" * 32)


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    made = Keys(tmp_path / "evidence.key")
    made.make()
    return made


def test_the_file_is_its_owners_and_is_made_once(keys: Keys) -> None:
    text = keys.path.read_text()
    assert keys.path.stat().st_mode & 0o777 == 0o600
    keys.make()
    assert keys.path.read_text() == text
    assert list(keys.path.parent.iterdir()) == [keys.path]


def test_a_secret_comes_out_for_what_it_belongs_to_alone(keys: Keys) -> None:
    wrapped = keys.wrap(SECRET, {"case": "1"})
    assert keys.unwrap(wrapped, {"case": "1"}) == SECRET
    for part in SECRET:
        assert part not in wrapped
    with pytest.raises(Tampered):
        keys.unwrap(wrapped, {"case": "2"})
    for place in range(8, len(wrapped)):
        with pytest.raises(Tampered):
            keys.unwrap(wrapped[:place] + bytes([wrapped[place] ^ 1]) + wrapped[place + 1 :], {"case": "1"})
    with pytest.raises(DeskError):
        keys.unwrap(b"", {"case": "1"})


def test_a_file_that_others_may_read_is_refused(keys: Keys) -> None:
    keys.path.chmod(0o644)
    with pytest.raises(DeskError, match="chmod 600"):
        keys.wrap(SECRET, {})


@pytest.mark.parametrize("text", ["", "# only words\n", "key short\n", "key " + "A" * 43 + "=\nrubbish\n", "\x00\xff"])
def test_a_damaged_file_is_refused_and_not_overwritten(keys: Keys, text: str) -> None:
    keys.path.write_text(text, encoding="latin-1")
    with pytest.raises(DeskError, match="put"):
        keys.wrap(SECRET, {})
    keys.make()
    assert keys.path.read_text(encoding="latin-1") == text


def test_after_a_change_of_the_key_all_is_readable_and_the_old_key_opens_nothing(home: House) -> None:
    kept = [home.add(MARK + bytes([each])) for each in range(5)]
    old, before = home.desk.vault.keys.path.read_text(), {each.id: each.wrapped for each in kept}
    assert rekeying.change_key(home.desk, SETUP, home.desk.now()) == 5
    for number, each in enumerate(kept):
        assert home.text(each.id) == MARK + bytes([number])
        assert home.row(each.id).wrapped != before[each.id]
    assert home.desk.vault.keys.count() == 1
    # A backup of the database from before finds no key any more.
    home.change(kept[0].id, wrapped=before[kept[0].id])
    with pytest.raises(DeskError, match="has not the key"):
        home.text(kept[0].id)
    home.desk.vault.keys.path.write_text(old)
    with pytest.raises(DeskError, match="has not the key"):
        home.text(kept[1].id)


def test_a_change_that_was_broken_off_is_carried_on(home: House, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = [home.add(MARK) for _ in range(7)]
    monkeypatch.setattr(rekeying, "PIECE", 2)

    def broken(done: int) -> None:
        if done >= 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rekeying.change_key(home.desk, SETUP, home.desk.now(), broken)
    assert home.desk.vault.keys.count() == 2
    assert all(home.text(each.id) == MARK for each in kept)
    assert rekeying.change_key(home.desk, SETUP, home.desk.now()) == 3
    assert home.desk.vault.keys.count() == 1
    assert all(home.text(each.id) == MARK for each in kept)


def test_what_is_added_while_the_key_changes_is_not_lost(home: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rekeying, "PIECE", 1)
    for _ in range(10):
        home.add(MARK)
    added: list[int] = []
    adder = threading.Thread(target=lambda: added.extend(home.add(MARK, ONE).id for _ in range(10)))
    adder.start()
    rekeying.change_key(home.desk, SETUP, home.desk.now())
    adder.join()
    with home.desk.store.reading() as session:
        numbers = [row.id for row in session.query(Evidence)]
    assert len(numbers) == 20
    assert len(added) == 10
    assert all(home.text(number) == MARK for number in numbers)


def test_only_the_server_and_its_administrators_change_the_key(home: House) -> None:
    with pytest.raises(Forbidden):
        rekeying.change_key(home.desk, home.officer, home.desk.now())
    home.add()
    assert rekeying.change_key(home.desk, home.administrator, home.desk.now()) == 1
