"""What a start loads: everything imported before the first answer is time without one, so what is not needed for it must not creep back."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from redhand import status
from redhand.__main__ import plain
from tests.tools import DEADLINE, free_ports, wait_for

ROOT = Path(__file__).parent.parent.parent

PLAIN = [
    ("run", ("run", None)),
    ("resolver --config a.yaml", ("resolver", "a.yaml")),
    ("-c a.yaml landing", ("landing", "a.yaml")),
    ("--config=a.yaml run", ("run", "a.yaml")),
    ("--config a.yaml run -c b.yaml", ("run", "b.yaml")),
]
FOR_THE_COMMAND_LINE = [
    "",
    "--help",
    "run --help",
    "run --config",
    "run -c --help",
    "run --config=",
    "run run",
    "run on",
    "status",
    "-ca.yaml run",
    "-- run",
]


@pytest.mark.parametrize(("line", "read"), PLAIN)
def test_a_plain_command_is_read_as_the_command_line_would_read_it(line: str, read: tuple[str, str | None]) -> None:
    assert plain(line.split()) == read


@pytest.mark.parametrize("line", FOR_THE_COMMAND_LINE)
def test_all_else_is_left_to_the_command_line(line: str) -> None:
    assert plain(line.split()) is None


def loaded(code: str) -> set[str]:
    run = subprocess.run(
        [sys.executable, "-P", "-c", f"import sys; {code}; print(*sys.modules)"],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    return set(run.stdout.split())


def test_the_supervisor_loads_neither_the_command_lines_library_nor_what_only_some_settings_need() -> None:
    """typer and rich take 25 ms, psutil 5 ms, dnspython 50 ms; the others are the workers' and the page's."""
    assert not loaded("import redhand.__main__, redhand.serving") & {"typer", "rich", "psutil", "dns", "dnslib", "fastapi", "uvicorn"}


def test_a_worker_loads_no_library_that_checks_or_reads_settings() -> None:
    """The supervisor has checked them; pydantic alone takes 60 ms, yaml 8 ms."""
    assert not loaded("import resolver.worker") & {"pydantic", "pydantic_core", "yaml", "typer", "rich", "psutil"}


def test_garbage_is_looked_for_again_once_the_supervisor_has_loaded(tmp_path: Path) -> None:
    """Else it would grow for as long as it runs: asyncio's tasks and their exceptions are cycles."""
    (tmp_path / "list").write_text("blocked.example\n")
    (tmp_path / "config.yaml").write_text(
        f"state_dir: state\nmetrics: {{listen: ''}}\nresolver: {{listen: ['127.0.0.1:{free_ports(1)[0]}'], workers: 1, "
        "upstreams: [{address: '127.0.0.1:9'}]}\nblocklists: {sources: [{id: own, path: list, format: domains}]}\n"
    )
    code = "import atexit, gc, sys; atexit.register(lambda: print('looks:', gc.isenabled())); from redhand.__main__ import main; main()"
    command = [sys.executable, "-P", "-c", code, "resolver", "--config", str(tmp_path / "config.yaml")]
    with subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, text=True) as process:
        try:
            wait_for(
                lambda: (status.read(tmp_path / "state", status.MAIN) or {}).get("state") == "serving" or process.poll() is not None, "it to serve"
            )
        finally:
            process.terminate()
        said, _ = process.communicate(timeout=DEADLINE)
    assert "looks: True" in said
    assert process.returncode == 0
