"""The tables that the revisions make are those that the models say, on both databases; a database of another age is refused, with what to do."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import IntegrityError

from authority.desk import audit, migrations
from authority.desk.errors import DeskError
from authority.desk.migrations.models import METADATA
from authority.desk.roles import SETUP
from authority.desk.store import Store
from authority.desk.tables import Anchor, Case, Event
from tests.authority.desk import postgresql


def test_the_revisions_make_what_the_models_say(store: Store) -> None:
    with store.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, METADATA) == [], "write the next revision: python -m authority.desk.migrations.draft WORDS"


def test_and_to_the_letter(kind: str, new_store: Callable[[str], Store]) -> None:
    """Alembic's comparison passes over collations, orders of columns in an index, and conditions of one; the databases' own words do not."""
    ours, models = new_store(kind), new_store(kind)
    migrations.upgrade(ours)
    METADATA.create_all(models.engine)
    assert _said(ours) == _said(models)


def _said(store: Store) -> set[str]:
    """Each table's parts and each index, as the database puts them, in no order."""
    if store.is_postgresql:
        command = [
            postgresql.program("pg_dump"),
            "--schema-only",
            "--no-owner",
            "-d",
            store.engine.url.set(drivername="postgresql").render_as_string(),
        ]
        dumped = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        whole = re.sub(r"\\(un)?restrict .*", "", dumped)
        parts = re.split(r";\n", whole)
    else:
        with store.engine.connect() as connection:
            parts = list(connection.execute(text("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")).scalars())
    told: set[str] = set()
    for part in parts:
        if "alembic_version" in part or "only_grows" in part:  # what only revisions make; the second is tested by what it does
            continue
        lines = [line.strip().rstrip(",") for line in part.splitlines() if line.strip() and not line.startswith("--")]
        # A column that a later revision adds stands last in its table, and is the same column.
        told |= {f"{lines[0]} … {line}" for line in lines}
    return told


@pytest.mark.parametrize("table", ["audit", "event", "anchor"])
@pytest.mark.parametrize("change", ["UPDATE {} SET at = at + 1", "DELETE FROM {}", "TRUNCATE {}"])
def test_what_only_grows_refuses_to_be_changed(store: Store, kind: str, table: str, change: str) -> None:
    if change.startswith("TRUNCATE") and kind == "sqlite":
        return  # it has no such statement
    with store.writing() as session:
        audit.record(session, SETUP, "made", "case:1", 7)
        session.add(Case(number="2026-000001", title="a.test", state="received", state_since=7, opened_at=7))
        session.flush()
        session.add(Event(case_id=1, number=1, at=7, who="x", step="refer", before="received", after="received", why="so"))
        session.add(Anchor(number=1, hash="h", salt="s", log_index=None, at=7))
    with pytest.raises(IntegrityError, match=f"the table {table} only grows"), store.writing() as session:
        session.execute(text(change.format(table)))
    with store.reading() as session:
        assert session.scalar(text(f"SELECT at FROM {table}")) == 7
        assert audit.verify(session) == (1, None)


def test_an_anchor_learns_its_place_once(store: Store) -> None:
    with store.writing() as session:
        session.add(Anchor(number=1, hash="h", salt="s", log_index=None, at=7))
    with store.writing() as session:
        session.get_one(Anchor, 1).log_index = 5
    with pytest.raises(IntegrityError, match="the table anchor only grows"), store.writing() as session:
        session.get_one(Anchor, 1).log_index = 6


def test_one_line_of_revisions_without_a_branch() -> None:
    script = ScriptDirectory.from_config(migrations.config())
    revisions = list(script.walk_revisions())
    assert [each.revision for each in reversed(revisions)] == [f"{number:04d}" for number in range(1, len(revisions) + 1)]
    assert all(not each.is_branch_point and not each.is_merge_point for each in revisions)


def test_an_upgrade_is_done_once(empty: Store) -> None:
    assert migrations.upgrade(empty) == (None, migrations.head())
    assert migrations.upgrade(empty) == (migrations.head(), migrations.head())
    migrations.require_current(empty)


def test_a_database_without_tables_is_refused_with_the_remedy(empty: Store) -> None:
    with pytest.raises(DeskError, match="no tables yet; make them, and the first people: redhand desk init"):
        migrations.require_current(empty)


def test_one_of_an_older_version_is_refused_with_the_remedy(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrations, "head", lambda: "9999")
    with pytest.raises(DeskError, match=r"older version \(0\d+, and this one needs 9999\).*back it up.*redhand desk upgrade"):
        migrations.require_current(store)


@pytest.mark.parametrize("act", [migrations.require_current, migrations.upgrade])
def test_one_of_a_newer_version_is_refused_and_left_alone(store: Store, act: Callable[[Store], object]) -> None:
    with store.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '7777'"))
    with pytest.raises(DeskError, match=r"newer version \(its revision 7777"):
        act(store)


@pytest.mark.parametrize("act", [migrations.require_current, migrations.upgrade])
def test_a_database_of_somebody_else_is_left_alone(empty: Store, act: Callable[[Store], object]) -> None:
    with empty.engine.begin() as connection:
        connection.execute(text("CREATE TABLE other (a INTEGER)"))
    with pytest.raises(DeskError, match="none that say they are a desk's"):
        act(empty)
    assert inspect(empty.engine).get_table_names() == ["other"]


def test_an_upgrade_that_fails_leaves_nothing(empty: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    real = migrations.make

    def half(connection: Connection) -> None:
        real(connection)
        raise DeskError("the power went")

    monkeypatch.setattr(migrations, "make", half)
    with pytest.raises(DeskError, match="the power went"):
        migrations.upgrade(empty)
    monkeypatch.undo()
    assert inspect(empty.engine).get_table_names() == []
    migrations.upgrade(empty)


def test_rows_that_lose_others_stop_a_change_of_tables(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'desk.db'}")
    migrations.upgrade(store)
    with pytest.raises(DeskError, match="a row of role_grant refers to one of person"), migrations.changing(store) as connection:
        connection.execute(text("INSERT INTO role_grant (person_id, role, given_at) VALUES (7, 'officer', 0)"))
    with store.reading() as session:
        assert session.scalar(text("SELECT count(*) FROM role_grant")) == 0
        assert session.scalar(text("PRAGMA foreign_keys")) == 1
    store.close()


def test_a_server_that_is_away_is_told_with_the_setting(tmp_path: Path) -> None:
    store = Store(f"postgresql+psycopg://desk:secret@/desk?host={tmp_path}")
    with pytest.raises(DeskError, match=r"cannot be used.*look at desk\.database") as told:
        migrations.require_current(store)
    assert "secret" not in str(told.value)
    store.close()


def test_only_the_two_databases_are_taken() -> None:
    for url in ("mysql://desk@/desk", "no address", "oracle://x"):
        with pytest.raises(DeskError, match=r"look at desk\.database"):
            Store(url)


def test_the_next_revision_can_be_drafted_from_the_models(tmp_path: Path) -> None:
    """In a copy, so that the tool is tried without changing what it is for."""
    copy = tmp_path / "house"
    program = (
        "import shutil, pathlib, sys; from authority.desk import migrations\n"
        "here = pathlib.Path(sys.argv[1]); shutil.copytree(migrations.HERE, here); migrations.HERE = here\n"
        "from sqlalchemy import Column, Text; from authority.desk.tables import Case\n"
        "Case.__table__.append_column(Column('colour', Text))\n"
        "from authority.desk.migrations.draft import draft; print(draft('colours of cases'))"
    )
    done = subprocess.run([sys.executable, "-c", program, str(copy)], check=True, capture_output=True, text=True)
    written = Path(done.stdout.strip().splitlines()[-1]).read_text()
    assert "sa.Column('colour', sa.Text()" in written
    assert f"down_revision = '{migrations.head()}'" in written
    assert "drop" not in written
