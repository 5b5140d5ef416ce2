"""`redhand porosity plan` and `sql`, as they are typed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from blocklists.errors import BadName, RedHandError, SourceError
from porosity import database, estimates, study
from porosity.cli import app
from porosity.ethics import NotAllowed
from porosity.plan import BadPlan
from tests.porosity import judged

ROOT = Path(__file__).parents[2]
OWN_VECTORS = """
from porosity.words import Ask, Vector, message

VECTORS = [
    Vector("type-hinfo", "record type", "a question for HINFO", "the target's data", "RFC 1035 section 3.3.2",
           lambda name, random: [Ask(message(name.name, "HINFO"))]),
]
"""


def typed(*arguments: object) -> str:
    """What it prints; what it refuses is raised."""
    result = CliRunner().invoke(app, [str(each) for each in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture
def asked(tmp_path: Path) -> list[str]:
    """A plan's options, without its directory."""
    (tmp_path / "orders.txt").write_text("one.test\nwww.two.test\n||x\n")
    options = ["--resolver", "ours=127.0.0.1:5301", "--control", "a=127.0.0.2", "--control", "b=127.0.0.3", "--canary", "ok.example"]
    return ["--list", f"law={tmp_path}/orders.txt", *options]


def test_a_plan_says_what_will_be_asked_of_whom(tmp_path: Path, asked: list[str]) -> None:
    shown = typed("plan", tmp_path / "study", *asked, "--vectors", "type-a", "--vectors", "type-https", "--seed", "5")
    made = study.open(tmp_path / "study").plan
    assert (made.seed, made.repeats, made.measured) == (5, 3, 3)
    assert [each.id for each in made.vectors] == ["type-a", "type-https"]
    asks = ("2 listed", "close to listed", "1 canary", "law (orders.txt, 2 names", "127.0.0.1:5301, tcp://127.0.0.1:5301", "seed 5")
    for said in (*asks, made.id, "'||x'"):
        assert said in shown
    assert "fewer than two controls" not in shown
    told = json.loads(typed("sql", tmp_path / "study", "SELECT list, count(*) AS n FROM names WHERE origin = 'listed' GROUP BY ALL", "--json"))
    assert told == {"list": "law", "n": 2}


def test_the_same_seed_makes_the_same_questions_and_another_one_others(tmp_path: Path, asked: list[str]) -> None:
    options = [*asked, "--vectors", "type-a", "--json", "--seed"]
    plans = [json.loads(typed("plan", tmp_path / str(number), *options, seed)) for number, seed in enumerate("112")]
    hashes = [study.open(Path(each["study"])).plan.names_sha256 for each in plans]
    assert hashes[0] == hashes[1]
    assert hashes[2] != hashes[0]
    assert plans[0]["names"]["listed"] == 2
    assert plans[0]["skipped"][0].startswith("orders.txt line 3")


def test_vectors_are_taken_by_id_by_family_from_a_file_or_all(tmp_path: Path, asked: list[str]) -> None:
    (tmp_path / "mine.py").write_text(OWN_VECTORS)
    chosen = json.loads(typed("plan", tmp_path / "some", *asked, "--vectors", "spelling", "--vectors", tmp_path / "mine.py", "--json"))
    assert chosen["vectors"][-1] == "type-hinfo"
    assert all(each.startswith("spelling-") for each in chosen["vectors"][:-1])
    everything = json.loads(typed("plan", tmp_path / "all", *asked, "--json"))
    assert set(chosen["vectors"][:-1]) < set(everything["vectors"])
    assert "no secondary resolver" in "".join(everything["left_out"].values())


def test_what_a_study_has_of_its_own_is_told_by_options(tmp_path: Path, asked: list[str]) -> None:
    plain, own = (json.loads(typed("plan", tmp_path / name, *asked, "--json", *more)) for name, more in (("a", []), ("b", ["--zone", "--clock"])))
    assert {"name-cname", "time-stale", "time-enforce"} <= set(plain["left_out"])
    assert {"name-cname", "time-stale", "time-enforce"} <= set(own["vectors"])
    assert study.open(tmp_path / "b").plan.left_out.keys() == own["left_out"].keys() < plain["left_out"].keys()


@pytest.mark.parametrize(
    ("changed", "error", "says"),
    [
        (["--resolver", "dns.example"], BadPlan, "write an address"),
        (["--resolver", "far=8.8.8.8"], NotAllowed, "--allow"),
        (["--canary", "one.test"], BadPlan, "is on a list"),
        (["--canary", "not a name"], BadName, "white space"),
        (["--list", "missing.txt"], SourceError, "check that it exists"),
        (["--vectors", "type-none"], BadPlan, "no vector and no family.*record type"),
        (["--resolver", "ours=127.0.0.9"], BadPlan, "two resolvers have the id 'ours'"),
    ],
)
def test_what_cannot_be_planned_is_refused_and_nothing_is_written(
    tmp_path: Path, asked: list[str], changed: list[str], error: type[RedHandError], says: str
) -> None:
    with pytest.raises(error, match=says):
        typed("plan", tmp_path / "study", *asked, *changed)
    assert not (tmp_path / "study").exists()


def test_sql_shows_tables_rows_and_mistakes(tmp_path: Path, asked: list[str]) -> None:
    typed("plan", tmp_path / "study", *asked, "--vectors", "type-a")
    tables = typed("sql", tmp_path / "study")
    for name in ("names", "observations", "resolvers", "vectors", "trial BIGINT"):
        assert name in tables
    assert "one.test" in typed("sql", tmp_path / "study", "SELECT name FROM names")
    file = tmp_path / "out.csv"
    typed("sql", tmp_path / "study", f"COPY (SELECT name FROM names WHERE origin = 'listed' ORDER BY 1) TO '{file}'")
    assert file.read_text() == "name\none.test\nwww.two.test\n"
    with pytest.raises(RedHandError, match="the query was refused"):
        typed("sql", tmp_path / "study", "SELECT nothing")
    before = sorted(path.name for path in (tmp_path / "study").rglob("*"))
    assert before == ["names.parquet", "plan.json"]


def test_no_column_of_a_study_wants_quotes_wherever_the_study_lies(tmp_path: Path) -> None:
    made = judged.made(tmp_path / "what [a-z]*? ${is} 'so'", listed=4)
    estimates.make(made)
    with database.connect(made) as asked:
        columns = asked.sql("SELECT table_name, column_name FROM duckdb_columns() WHERE NOT internal").fetchall()
        assert {"since", "remains", "origin"} <= {column for _, column in columns}
        for table in {table for table, _ in columns}:
            wanted = ", ".join(f"{table}.{column}, {column}" for of, column in columns if of == table)
            asked.sql(f"SELECT {wanted} FROM {table}").fetchall()
    assert "n0.blocked0.test" in typed("sql", made.directory, "SELECT name FROM classification ORDER BY trial")


def test_rows_too_wide_for_a_table_are_shown_a_column_a_line(tmp_path: Path, asked: list[str]) -> None:
    typed("plan", tmp_path / "study", *asked, "--vectors", "type-a")
    shown = typed("sql", tmp_path / "study", f"SELECT [1, 2] AS some, '{'x' * 90}' AS wide, NULL AS nothing")
    assert shown == f"some     1, 2\nwide     {'x' * 90}\nnothing\n\n"
    assert "x, [bold]y" in typed("sql", tmp_path / "study", "SELECT ['x', '[bold]y'] AS some")


def test_without_the_extra_it_says_what_to_install(tmp_path: Path) -> None:
    without = "import sys; sys.modules['pyarrow'] = None; from redhand.cli import main; sys.argv[1:] = ['porosity', 'sql', 'x']; main()"
    done = subprocess.run([sys.executable, "-c", without], capture_output=True, text=True, cwd=ROOT, check=False)
    assert (done.returncode, done.stderr.strip()) == (
        1,
        "redhand: measuring needs pyarrow, which is not installed; install it with: pip install 'redhand[porosity]'",
    )
    light = "import sys; from redhand.cli import main; sys.argv[1:] = ['porosity', 'plan', '--help']\ntry: main()\nfinally: print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", light], capture_output=True, text=True, cwd=ROOT, check=False).stdout.split()
    assert not {"duckdb", "pyarrow", "numpy", "altair"} & set(loaded), "help needs none of it"
