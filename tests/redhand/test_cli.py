"""The program from outside: help, exit codes, messages without traceback, JSON where a machine reads."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from authority.desk import cli as desk_cli
from blocklists import cli as blocklists_cli
from redhand import __version__
from redhand.config import Settings
from redhand.desk import desk
from redhand.rooms import blocklist

ROOT = Path(__file__).parent.parent.parent


def redhand(*arguments: str, cwd: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run the program as an operator would, on a wide terminal without colours."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb", **environ}
    return subprocess.run(
        [sys.executable, "-P", "-m", "redhand", *arguments], cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=60
    )


def test_help_names_every_command(tmp_path: Path) -> None:
    shown = redhand("--help", cwd=tmp_path)
    assert shown.returncode == 0
    for command in ("run", "resolver", "landing", "check", "status", "top", "reload", "cache", "blocklist", "config"):
        assert f" {command} " in shown.stdout


HELP = [
    (["run"], "SIGTERM"),
    (["resolver"], "without the landing page"),
    (["landing"], "same state directory"),
    (["check"], "asks no server"),
    (["status"], "Exit code 0"),
    (["top"], "Ctrl-C ends it"),
    (["reload"], "needs a restart"),
    (["cache", "flush"], "everything under it"),
    (["cache", "dump"], "Never who asked"),
    (["config", "check"], "Exit code 2"),
    (["config", "show"], "--defaults"),
    (["blocklist"], "rollback"),
    (["blocklist", "rollback"], "--reason"),
]


@pytest.mark.parametrize(("command", "part"), HELP, ids=[" ".join(command) for command, _ in HELP])
def test_each_command_explains_itself(command: list[str], part: str, tmp_path: Path) -> None:
    shown = redhand(*command, "--help", cwd=tmp_path)
    assert shown.returncode == 0, shown.stderr
    assert part in shown.stdout


def test_help_imports_nothing_heavy(tmp_path: Path) -> None:
    code = "import sys, redhand.cli; print(*sorted(sys.modules))"
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=True
    )
    loaded = set(run.stdout.split())
    assert not loaded & {"pydantic", "fastapi", "uvicorn", "dns", "dnslib", "marisa_trie", "yaml", "psutil", "asyncio"}


def test_version(tmp_path: Path) -> None:
    """It asks for no settings: whoever reports a fault in them has to name it too."""
    (tmp_path / "config.yaml").write_text("resolver: [")
    shown = redhand("--version", cwd=tmp_path)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert shown.stdout.startswith(f"redhand {__version__} (Python 3.")
    assert "--version" in redhand("--help", cwd=tmp_path).stdout


def test_what_is_wrong_with_the_settings_is_one_message_and_exit_code_2(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("resolver:\n  workers: many\n")
    for command in (["config", "check"], ["config", "show"], ["run"], ["check", "a.example"], ["blocklist", "versions"], ["status"]):
        run = redhand("--config", "bad.yaml", *command, cwd=tmp_path)
        assert (run.returncode, run.stdout) == (2, ""), command
        assert "bad.yaml:2: resolver.workers" in run.stderr
        assert "Traceback" not in run.stderr


def test_the_file_may_be_named_before_or_after_the_command_or_by_variable(tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text("resolver: {workers: 7}\n")
    for arguments in (["--config", "good.yaml", "config", "show", "--json"], ["config", "show", "--json", "-c", "good.yaml"]):
        assert json.loads(redhand(*arguments, cwd=tmp_path).stdout)["resolver"]["workers"] == 7
    assert json.loads(redhand("config", "show", "--json", cwd=tmp_path, REDHAND_CONFIG="good.yaml").stdout)["resolver"]["workers"] == 7
    for arguments in (["--config", "missing.yaml", "versions"], ["versions", "-c", "missing.yaml"], ["diff", "1", "2", "--config=missing.yaml"]):
        run = redhand("blocklist", *arguments, cwd=tmp_path)
        assert (run.returncode, "missing.yaml: cannot be read" in run.stderr) == (2, True), arguments
    assert redhand("blocklist", "versions", "-c", cwd=tmp_path).returncode == 2


def test_config_show_prints_what_is_in_force(tmp_path: Path) -> None:
    shown = redhand("config", "show", cwd=tmp_path, REDHAND_RESOLVER__WORKERS="3")
    values = yaml.safe_load(shown.stdout)
    assert values["resolver"]["workers"] == 3
    assert list(values) == list(Settings.model_fields)
    assert redhand("config", "show", "--defaults", cwd=tmp_path).stdout == (ROOT / "config.yaml").read_text(encoding="utf-8")
    assert json.loads(redhand("config", "show", "--defaults", "--json", cwd=tmp_path).stdout)["resolver"]["workers"] == 0


def test_config_check_says_what_it_checked(tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text("resolver: {upstreams: [{address: 192.0.2.53}]}\n")
    run = redhand("config", "check", "-c", "good.yaml", cwd=tmp_path)
    assert (run.returncode, run.stdout) == (0, f"{tmp_path}/good.yaml: no mistakes\n"), run.stderr


def test_a_full_disk_under_the_output_is_one_message(tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        run = subprocess.run(
            [sys.executable, "-P", "-m", "redhand", "config", "show"], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=full,
            stderr=subprocess.PIPE, text=True, check=False, timeout=60,
        )  # fmt: skip
    assert (run.returncode, run.stderr) == (1, "redhand: what was to be printed could not be written (No space left on device)\n")


def test_status_of_nothing(tmp_path: Path) -> None:
    run = redhand("status", cwd=tmp_path)
    assert run.returncode == 3
    assert "Start it with: redhand run" in run.stdout
    assert "name that one with --config" in run.stdout
    run = redhand("status", "--json", "--probe", cwd=tmp_path)
    assert run.returncode == 3
    assert json.loads(run.stdout) == {"running": [], "serials": {}, "list": None, "answers": False}


def test_status_says_what_keeps_it_from_knowing(tmp_path: Path) -> None:
    (tmp_path / "var").mkdir()
    (tmp_path / "var" / "readers").write_text("no directory")
    run = redhand("status", cwd=tmp_path)
    assert run.returncode == 1
    assert run.stderr == f"redhand: {tmp_path}/var/readers cannot be read (Not a directory); mend its owner or mode\n"


def test_check_builds_on_the_version_on_disk(tmp_path: Path) -> None:
    before = redhand("check", "blocked.redhand.example", cwd=tmp_path)
    assert before.returncode == 1
    assert "name the settings in use with --config" in before.stderr
    assert "Traceback" not in before.stderr
    assert before.stderr.startswith("redhand: ")
    source = f"{{id: sample, path: {ROOT / 'blocklists' / 'sample'}, format: directives}}"
    assert redhand("blocklist", "build", cwd=tmp_path, REDHAND_BLOCKLISTS__SOURCES=f"[{source}]").returncode == 0
    listed = json.loads(redhand("check", "www.blocked.redhand.example", "--json", cwd=tmp_path).stdout)
    assert (listed["verdict"], listed["decides"]["kind"]) == ("blocked", "directive")
    free = redhand("check", "anything.else.example", cwd=tmp_path)
    assert (free.returncode, "not blocked" in free.stdout) == (0, True)
    for text, why in (
        ("a..b", "has an empty label"),
        ("https://blocked.redhand.example/page", "has ':', which no host name has; write the bare name"),
        ("blocked.redhand.example:443", "has ':', which no host name has; write the bare name"),
        ("192.0.2.1", "ends in a number, as only addresses do"),
    ):
        wrong = redhand("check", text, cwd=tmp_path)
        assert (wrong.returncode, wrong.stdout) == (1, "")
        assert wrong.stderr.startswith(f"redhand: {text!r} {why}")


def test_a_port_in_use_is_one_message(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
        environ = {"REDHAND_RESOLVER__LISTEN": f'["127.0.0.1:{port}"]', "REDHAND_RESOLVER__UPSTREAMS": "[{address: 192.0.2.53}]"}
        run = redhand("run", cwd=tmp_path, **environ)
    assert run.returncode == 2
    assert run.stderr.startswith(f"redhand: 127.0.0.1:{port} (UDP) is in use by ")
    assert "set resolver.listen to another port" in run.stderr


def test_the_front_door_leaves_the_rooms_own_programs_as_they_are() -> None:
    """Else a room's command behaves in one process as nobody would see it in another."""
    assert desk.registered_groups == desk_cli.app.registered_groups
    assert desk.registered_callback is not None
    assert desk_cli.app.registered_callback is None
    assert blocklist.registered_callback is not None
    assert blocklists_cli.app.registered_callback is None
