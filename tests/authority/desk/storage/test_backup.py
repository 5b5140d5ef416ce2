"""A backup is one instant of the whole database, and comes back as it was into either database; what is not whole is refused, and changes nothing."""

from __future__ import annotations

import gzip
import json
import random
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import JSON, Boolean, Column, LargeBinary, String, Text, UniqueConstraint, func, insert, inspect, select, text

from authority.desk import audit, backup, migrations
from authority.desk.errors import DeskError
from authority.desk.migrations.models import METADATA
from authority.desk.roles import SETUP, Actor
from authority.desk.store import Store
from authority.desk.tables import Audit, Case, Counter, Evidence, Person, Referral, SignedIn
from blocklists.errors import DiskError
from tests.authority.desk.storage.house import NOW, House, house, whole
from tests.authority.desk.tampering import unlock

KEEPER = Actor("keeper")
ROWS = 7
WORDS = ("", "words", "mots élevés", "\u202fnœud\n\t", "'; DROP TABLE audit; --", '😀\\"')


def fill(store: Store) -> None:
    """Every table gets rows, of every kind that its columns take; so does one that is added tomorrow."""
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    draw = random.Random(seed)
    there = inspect(store.engine).get_table_names()  # an older revision has fewer
    with store.writing() as session:
        for table in METADATA.sorted_tables:
            if table.name == "audit" or table.name not in there:
                continue
            rows = [{column.name: _value(draw, column, number) for column in table.columns} for number in range(1, ROWS + 1)]
            session.execute(insert(table), rows)
        for number in range(ROWS):
            audit.record(session, SETUP, "case.read", f"case:{number}", NOW, words=WORDS[number % len(WORDS)])


def _value(draw: random.Random, column: Column[Any], number: int) -> Any:
    if column.foreign_keys:
        return draw.randrange(1, number + 1) if next(iter(column.foreign_keys)).column.table is not column.table else None
    together = {each.name for rule in column.table.constraints if isinstance(rule, UniqueConstraint) for each in rule.columns}
    if column.primary_key or column.name in together:
        return number if not isinstance(column.type, String) else f"{number} {draw.getrandbits(20):x}"
    if column.nullable and draw.random() < 0.3:
        return None
    if isinstance(column.type, Boolean):
        return draw.random() < 0.5
    if isinstance(column.type, LargeBinary):
        return draw.randbytes(draw.choice((0, 1, 5000)))
    if isinstance(column.type, JSON):
        return draw.choice(({}, [], {"a": [1, None, True, "é", {"b": 2**60}]}, ["x"]))
    if isinstance(column.type, Text):
        return draw.choice(WORDS) * draw.choice((1, 900))
    if isinstance(column.type, String):
        return draw.choice(WORDS)[: column.type.length]
    return draw.choice((0, 1, NOW, 2**31 - 1)) if column.type.python_type is int else draw.getrandbits(62)


def content(store: Store) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of all tables, but sessions; a table that an older revision has not, has none."""
    there = inspect(store.engine).get_table_names()
    with store.reading() as session:
        return {
            table.name: sorted((tuple(row) for row in session.execute(select(table))), key=repr) if table.name in there else []
            for table in METADATA.sorted_tables
            if table.name != SignedIn.__tablename__
        }


@pytest.mark.parametrize("into", ["sqlite", "postgresql"])
def test_all_comes_back_into_either_database(kind: str, into: str, new_store: Callable[[str], Store], tmp_path: Path) -> None:
    source, target, path = new_store(kind), new_store(into), tmp_path / "desk.backup"
    migrations.upgrade(source)
    fill(source)
    said: list[tuple[int, int]] = []
    written = backup.write(source, path, KEEPER, NOW)
    before = content(source)
    restored = backup.restore(target, path, KEEPER, NOW + 5, lambda done, every: said.append((done, every)))
    assert restored == written == backup.check(path)
    assert said[-1] == (sum(written.rows.values()),) * 2
    after = content(target)
    extra = set(after.pop("audit")) - set(lines := before.pop("audit"))
    assert after == before
    assert len(lines) == ROWS + 1
    with target.reading() as session:
        assert audit.verify(session) == (ROWS + 2, None)
        assert session.scalar(select(func.count()).select_from(SignedIn)) == 0
        last = session.scalars(select(Audit).order_by(Audit.number.desc()).limit(1)).one()
    assert [row[0] for row in extra] == [last.number]
    assert (last.who, last.action) == ("keeper", "desk.restore")
    assert json.loads(last.details) == {"backup": f"sha256:{written.sha256}", "made_at": NOW}
    migrations.require_current(target)


@pytest.mark.parametrize("into", ["sqlite", "postgresql"])
def test_a_database_that_is_yet_to_be_upgraded_is_backed_up_and_comes_back_upgraded(
    empty: Store, into: str, new_store: Callable[[str], Store], tmp_path: Path
) -> None:
    """Whoever has installed a new version makes the backup with that one, before the upgrade."""
    with migrations.changing(empty) as connection:
        migrations.make(connection, "0001")
    fill(empty)
    before = content(empty)
    written = backup.write(empty, tmp_path / "old.backup", KEEPER, NOW)
    assert written.revision == "0001"
    with pytest.raises(DeskError, match="older version"):
        migrations.require_current(empty)
    target = new_store(into)
    backup.restore(target, tmp_path / "old.backup", KEEPER, NOW)
    migrations.require_current(target)
    after = content(target)
    for lines in (before, after):
        lines.pop("audit")
    assert after == before


def test_the_desk_goes_on_after_a_restore(kind: str, home: House, new_store: Callable[[str], Store], tmp_path: Path) -> None:
    """New rows take new numbers: the databases' own counters stand after the highest."""
    first = home.refer("www.site.test")
    backup.write(home.desk.store, tmp_path / "desk.backup", KEEPER, NOW)
    target = new_store(kind)
    backup.restore(target, tmp_path / "desk.backup", KEEPER, NOW)
    target.close()
    again = house(tmp_path, target.engine.url.render_as_string(), people=False)
    assert again.refer("other.test").number == "2026-000002"
    with again.desk.store.reading() as session:
        whole(session)
        assert session.scalar(select(Referral.case_id).where(Referral.reference == first.reference)) == 1
    again.desk.close()


def test_it_is_one_instant_of_a_desk_that_serves(home: House, new_store: Callable[[str], Store], kind: str, tmp_path: Path) -> None:
    """While it is written, others write on; what is in it is whole, and nobody waited for it."""
    for number in range(40):
        home.refer(f"early{number}.test")
    reached, go_on = threading.Event(), threading.Event()

    def progress(done: int, every: int) -> None:
        reached.set()
        go_on.wait(20)

    made: list[backup.Summary] = []
    thread = threading.Thread(target=lambda: made.append(backup.write(home.desk.store, tmp_path / "desk.backup", KEEPER, NOW, progress)))
    thread.start()
    assert reached.wait(20)
    for number in range(40):
        home.refer(f"late{number}.test")
    go_on.set()
    thread.join()
    target = new_store(kind)
    backup.restore(target, tmp_path / "desk.backup", KEEPER, NOW)
    with target.reading() as session:
        whole(session)
        assert session.scalar(select(func.count()).select_from(Case)) == 40
    with home.desk.store.reading() as session:
        assert session.scalar(select(func.count()).select_from(Case)) == 80
        assert session.scalars(select(Audit.who).where(Audit.action == "desk.backup")).all() == ["keeper"]
    assert made[0].rows["desk_case"] == 40


def test_it_lists_the_evidence_that_it_needs(store: Store, tmp_path: Path) -> None:
    with store.writing() as session:
        session.add(Case(number="2026-000001", title="a.test", state="assessed", state_since=NOW, opened_at=NOW))
        session.flush()
        for number, shredded in enumerate((None, NOW, None)):
            session.add(
                Evidence(
                    case_id=1, address=f"{number:064x}", size=5, media_type="text/html", label="a page", commitment="sha256:", wrapped=b"k",
                    stored_at=NOW, stored_by="clerk", retain_until=NOW, shredded_at=shredded,
                )
            )  # fmt: skip
    written = backup.write(store, tmp_path / "desk.backup", KEEPER, NOW)
    assert list(backup.evidence(tmp_path / "desk.backup")) == [f"{0:064x}", f"{2:064x}"]
    assert written.evidence == 2


def test_only_its_owner_can_read_it_and_it_takes_nobodys_place(home: House, tmp_path: Path) -> None:
    path = tmp_path / "desk.backup"
    backup.write(home.desk.store, path, KEEPER, NOW)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    before = path.read_bytes()
    with pytest.raises(DeskError, match="never takes another's place"):
        backup.write(home.desk.store, path, KEEPER, NOW)
    assert path.read_bytes() == before
    with pytest.raises(DiskError, match=r"nowhere"):
        backup.write(home.desk.store, tmp_path / "nowhere" / "desk.backup", KEEPER, NOW)
    assert [each.name for each in tmp_path.iterdir() if each.name.endswith(".part")] == []


def test_a_database_with_tables_is_not_restored_over(home: House, tmp_path: Path) -> None:
    backup.write(home.desk.store, tmp_path / "desk.backup", KEEPER, NOW)
    home.refer("www.site.test")
    with pytest.raises(DeskError, match="has tables already"):
        backup.restore(home.desk.store, tmp_path / "desk.backup", KEEPER, NOW)
    with home.desk.store.reading() as session:
        assert session.scalar(select(func.count()).select_from(Case)) == 1


def test_a_backup_of_a_newer_version_is_refused(store: Store, new_store: Callable[[str], Store], tmp_path: Path) -> None:
    backup.write(store, tmp_path / "desk.backup", KEEPER, NOW)
    lines = gzip.decompress((tmp_path / "desk.backup").read_bytes()).splitlines(keepends=True)
    for field, value, said in (("revision", "7777", "7777 is not known here"), ("format", 9, "has the format 9")):
        head = json.dumps(json.loads(lines[0]) | {field: value}).encode() + b"\n"
        (tmp_path / "newer").write_bytes(gzip.compress(b"".join((head, *lines[1:]))))
        target = new_store("sqlite")
        with pytest.raises(DeskError, match=said):
            backup.restore(target, tmp_path / "newer", KEEPER, NOW)
        assert inspect(target.engine).get_table_names() == []


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The octets of a backup."""
    directory = tmp_path_factory.mktemp("sound")
    made = house(directory)
    for number in range(3):
        made.refer(f"n{number}.test")
    backup.write(made.desk.store, directory / "desk.backup", KEEPER, NOW)
    made.desk.close()
    return (directory / "desk.backup").read_bytes()


@given(data=st.data())
def test_whatever_is_changed_or_missing_is_found(data: st.DataObject, sound: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Invariant: a file that differs from a backup reads as that backup exactly (gzip's head has bits without meaning), or is refused."""
    path = tmp_path_factory.getbasetemp() / "changed.backup"
    path.write_bytes(sound)
    right = backup.check(path)
    plain = gzip.decompress(sound)
    where = data.draw(st.integers(0, len(plain) - 1))
    way = data.draw(st.sampled_from(("flip", "cut", "flip inside", "cut inside", "twice", "nothing")))
    if way == "flip":
        at = where % len(sound)
        path.write_bytes(sound[:at] + bytes([sound[at] ^ data.draw(st.integers(1, 255))]) + sound[at + 1 :])
    elif way == "cut":
        path.write_bytes(sound[: where % len(sound)])
    elif way == "flip inside":
        path.write_bytes(gzip.compress(plain[:where] + bytes([plain[where] ^ data.draw(st.integers(1, 255))]) + plain[where + 1 :], 1))
    elif way == "cut inside":
        path.write_bytes(gzip.compress(plain[:where], 1))
    elif way == "twice":
        line = data.draw(st.sampled_from(plain.splitlines(keepends=True)))
        path.write_bytes(gzip.compress(plain.replace(line, line + line, 1), 1))
    try:
        found = backup.check(path)
    except DeskError:
        return
    assert found == right
    assert gzip.decompress(path.read_bytes()) == plain


@given(octets=st.binary(max_size=300))
def test_what_is_no_backup_is_refused(octets: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "none.backup"
    for content in (octets, gzip.compress(octets, 1)):
        path.write_bytes(content)
        with pytest.raises(DeskError):
            backup.check(path)


def test_a_chain_that_was_changed_before_the_backup_is_not_restored(home: House, new_store: Callable[[str], Store], tmp_path: Path) -> None:
    home.refer("www.site.test")
    with home.desk.store.writing() as session:
        unlock(session)
        session.execute(text("UPDATE audit SET who = 'nobody' WHERE number = 1"))
    backup.write(home.desk.store, tmp_path / "desk.backup", KEEPER, NOW)
    target = new_store("sqlite")
    with pytest.raises(DeskError, match="audit log in the backup is not whole: line 1"):
        backup.restore(target, tmp_path / "desk.backup", KEEPER, NOW)
    assert inspect(target.engine).get_table_names() == []


def test_sessions_stay_out_of_it(home: House, tmp_path: Path) -> None:
    with home.desk.store.writing() as session:
        person = session.scalars(select(Person)).first()
        assert person is not None
        session.add(SignedIn(digest="d" * 64, person_id=person.id, csrf="csrf-of-a-session", made_at=NOW, seen_at=NOW, ends_at=NOW + 9))
        session.add(Counter(name="case-2030", value=3))
    backup.write(home.desk.store, tmp_path / "desk.backup", KEEPER, NOW)
    plain = gzip.decompress((tmp_path / "desk.backup").read_bytes())
    assert b"csrf-of-a-session" not in plain
    assert b"case-2030" in plain
