"""A study from a stranger: whatever its files hold, it is one that could have been made here, or it is refused with a reason."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blocklists.errors import RedHandError, StoreError
from blocklists.version import canonical
from porosity import ethics, parts, plan, probe, study
from porosity.plan import BadPlan
from tests.porosity.studies import made, planned

PLAN: dict[str, Any] = json.loads(planned()[0].json)


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where every value of a document stands."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(place for key, item in items for place in places(item, (*at, key)))]


def changed(at: tuple[Any, ...], value: Any) -> bytes:
    """The plan with another value there, in its canonical form."""
    document = json.loads(json.dumps(PLAN))
    if not at:
        document = value
    else:
        inside = document
        for key in at[:-1]:
            inside = inside[key]
        inside[at[-1]] = value
    return canonical(document) + b"\n"


def opened(directory: Path, data: bytes) -> study.Study:
    directory.mkdir(exist_ok=True)
    (directory / study.PLAN).write_bytes(data)
    return study.open(directory)


HOSTILE = st.sampled_from(
    [None, True, -1, 0, 1 << 70, 10**30, "", "x", "\x1b]0;x\x07", "a\u202eb", "127.0.0.1%lo", "0.0.0.0", [], {}, [[]], {"a": 1}, "../x"]
)


@given(st.sampled_from(places(PLAN)), HOSTILE)
@settings(deadline=None, max_examples=300)
def test_a_changed_plan_is_refused_or_still_one(tmp_path_factory: pytest.TempPathFactory, at: tuple[Any, ...], value: Any) -> None:
    """Invariant: refused with a reason, or all its numbers, addresses and texts are such as are planned here."""
    directory = tmp_path_factory.getbasetemp() / "changed"
    try:
        of = opened(directory, changed(at, value))
    except RedHandError:
        return
    assert 0 < of.plan.trials <= 10**10
    assert all(character.isprintable() or character in "\n\t" for character in of.plan.json.decode())
    for each in of.plan.resolvers:
        for endpoint in each.endpoints:
            assert ethics.server(endpoint.address) == endpoint.address
            assert 0 < endpoint.port < 65536
    try:
        permits = ethics.keep(of.plan.ethics, of.plan.resolvers, None, None)
    except ethics.NotAllowed:
        return
    assert all(permit.rate is None or permit.rate >= 1 for permit in permits.values())


@pytest.mark.parametrize(
    ("at", "value", "says"),
    [
        (("resolvers", 0, "endpoints", 0, "address"), "dns.example", "is no endpoint"),
        (("resolvers", 0, "endpoints", 0, "address"), 2130706433, "no endpoint|not how|int"),
        (("resolvers", 0, "id"), "isp\x1b[2J", "U\\+001B"),
        (("vectors", 0, "sends"), "it says \u202emoc", "U\\+202E"),
        (("ethics",), {"rates": {"127.0.0.1": -1}}, "-1 questions a second"),
        (("ethics",), {"contact": ["me"]}, "no text"),
        (("repeats",), "3", "no whole number"),
        (("repeats",), 10**9, "no whole number"),
        (("names",), 10**9, "no trials, or more"),
        (("order",), "cells-2", "not known here"),
        (("format",), 2, "use the release that wrote it"),
    ],
)
def test_what_is_wrong_is_told(tmp_path: Path, at: tuple[Any, ...], value: Any, says: str) -> None:
    with pytest.raises(BadPlan, match=says):
        opened(tmp_path / "study", changed(at, value))


def test_a_plan_as_deep_as_it_is_long_is_refused() -> None:
    with pytest.raises(BadPlan):
        plan.read(b"[" * 200_000)


def _runs(folder: Path, target: Path) -> None:
    (folder / "observations" / "local").mkdir(parents=True)
    (folder / "observations" / "local" / probe.RUNS).symlink_to(target)


def _next_part(folder: Path, target: Path) -> None:
    (folder / "estimates").mkdir()
    (folder / "estimates" / ".estimates.parquet.new").symlink_to(target)


def _report(folder: Path, target: Path) -> None:
    (folder / "report").symlink_to(target.parent)


def _pipe(folder: Path, target: Path) -> None:
    os.mkfifo(folder / "pipe")


@pytest.mark.parametrize("planted", [_runs, _next_part, _report, _pipe])
def test_nothing_in_a_study_leads_out_of_it(tmp_path: Path, planted: Callable[[Path, Path], None]) -> None:
    """A run's note appended to a shell's start-up file, a table written over a key: links in an archive have done worse."""
    made(tmp_path / "study")
    (tmp_path / "home").mkdir()
    mine = tmp_path / "home" / "profile"
    mine.write_text("mine\n")
    planted(tmp_path / "study", mine)
    with pytest.raises(StoreError, match=r"is a symbolic link|is no file"):
        study.open(tmp_path / "study")
    assert mine.read_text() == "mine\n"
    assert os.listdir(mine.parent) == ["profile"]


def test_a_study_may_itself_be_reached_by_a_link(tmp_path: Path) -> None:
    of = made(tmp_path / "study")
    (tmp_path / "link").symlink_to(of.directory)
    assert study.open(tmp_path / "link").plan.id == of.plan.id


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("name", "a b.test", "a name that is none"),
        ("name", "x" * 64 + ".test", "which is none"),
        ("name", "a\x1b[2J.test", "a name that is none"),
        ("list", "or\x1bders", "control characters"),
        ("group", "friends", "a group that there is not"),
        ("directive", None, "other names than the plan"),
    ],
)
def test_names_are_names(tmp_path: Path, field: str, value: str | None, says: str) -> None:
    """Also where whoever changed them wrote their new hash into the plan."""
    of = made(tmp_path / "study")
    table = of.names.table
    column = pa.array([*table.column(field).to_pylist()[:-1], value], pa.string())
    table = table.set_column(table.schema.get_field_index(field), table.schema.field(field), column)
    parts.write(of.directory / study.NAMES, table, {})
    digest = plan.digest(study.Names(table).rows()) if value is not None else "0" * 64
    of = opened(of.directory, changed(("names_sha256",), digest))
    assert pc.count(column).as_py() >= of.plan.names - 1
    with pytest.raises(StoreError, match=says):
        list(of.names)
