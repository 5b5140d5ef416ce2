"""The house as a whole: its layout, who may import whom, one truth for the settings, and what a built wheel holds."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from redhand import config, crosscheck, reference
from redhand.document import PREFIX
from tests.tools import require

ROOT = Path(__file__).parent.parent
ROOMS = ("redhand", "blocklists", "resolver", "landing", "authority", "porosity")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def sources(*folders: str) -> list[Path]:
    """Every Python file of the folders."""
    return [file for folder in folders for file in sorted((ROOT / folder).rglob("*.py"))]


# --- settings


def test_config_yaml_is_the_models_defaults_and_descriptions() -> None:
    written = (ROOT / "config.yaml").read_text(encoding="utf-8")
    assert written == reference.render(), "write it again: redhand config show --defaults > config.yaml"


def test_config_yaml_says_what_no_file_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config.yaml").write_bytes((ROOT / "config.yaml").read_bytes())
    monkeypatch.chdir(tmp_path)
    shown = config.load(None, {})
    (tmp_path / "config.yaml").unlink()
    assert shown.settings == config.load(None, {}).settings
    assert shown.file is not None


def test_every_setting_says_in_one_line_what_it_is_for() -> None:
    lines = (ROOT / "config.yaml").read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines):
        if re.match(r"\s*#? *(- )?[a-z_]+:( |$)", line) and not line.startswith("# "):
            described = "#" in line.partition(":")[2] or lines[number - 1].strip().startswith("# ")
            assert described, f"config.yaml:{number + 1}: {line}"


# --- layout and imports


def test_every_package_and_every_test_package_is_one() -> None:
    for folder in (*ROOMS, "tests", *(f"tests/{room}" for room in ("redhand", "blocklists", "resolver", "landing", "authority"))):
        assert (ROOT / folder / "__init__.py").is_file(), folder
    assert PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"] == list(ROOMS)


def test_every_module_says_what_it_is() -> None:
    silent = [str(file.relative_to(ROOT)) for file in sources(*ROOMS) if not ast.get_docstring(ast.parse(file.read_text(encoding="utf-8")))]
    assert silent == []


def imported(file: Path) -> set[str]:
    """Top-level names of what a module imports."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


def test_imports_point_one_way() -> None:
    """import-linter holds the same; this holds when it is not run."""
    allowed = {room: {room, "blocklists"} for room in ROOMS} | {"redhand": set(ROOMS)}
    for room in ROOMS:
        for file in sources(room):
            assert imported(file) & set(ROOMS) <= allowed[room], file


def test_only_declared_dependencies_are_imported() -> None:
    named = {
        "cryptography",
        "babel",
        "dnslib",
        "dnspython",
        "fastapi",
        "h11",
        "idna",
        "jinja2",
        "marisa-trie",
        "markupsafe",
        "prometheus-client",
        "psutil",
        "publicsuffixlist",
        "pydantic",
        "pyyaml",
        "rich",
        "securesystemslib",
        "tuf",
        "typer",
        "urllib3",
        "uvicorn",
    }
    declared = {re.split(r"[>=<;\[ ]", requirement)[0] for requirement in PROJECT["project"]["dependencies"]}
    assert declared == named, "a lean install grows only on purpose"
    # Names that differ from their distribution's, and starlette and pydantic_core, which fastapi and pydantic pass on as their own interface.
    # pkcs11 is an extra, imported where a token is used and nowhere else.
    modules = {name.replace("-", "_") for name in declared} | {
        "dns",
        "yaml",
        "pkcs11",
        "starlette",
        "pydantic_core",
        *ROOMS,
        *sys.stdlib_module_names,
    }
    # What the desk alone needs, and what measuring needs, comes with their extras; nothing outside those rooms may import it.
    extras = PROJECT["project"]["optional-dependencies"]
    desk = {re.split(r"[>=<;\[ ]", each)[0].replace("-", "_") for name in ("desk", "oidc", "postgresql", "s3") for each in extras[name]} | {
        "argon2",
        "anyio",
    }  # the one goes by another name, the other is starlette's own interface
    measuring = {re.split(r"[>=<;\[ ]", each)[0].replace("-", "_") for name in ("porosity", "vantages") for each in extras[name]} | {
        "vl_convert",
        "dask",
    }
    for file in sources(*ROOMS):
        parts = file.relative_to(ROOT).parts
        assert imported(file) <= modules | (desk if "desk" in parts[1:2] else measuring if parts[0] == "porosity" else set()), file


def test_no_code_reads_the_environment_behind_the_settings_back() -> None:
    readers = {str(file.relative_to(ROOT)) for file in sources(*ROOMS) if re.search(r"\benviron\b|getenv", file.read_text(encoding="utf-8"))}
    secrets = {"authority/cli.py"}  # a passphrase is no setting, and must be no argument, which every process can read
    handed_on = {"porosity/lab/hold.py", "porosity/lab/places.py"}  # a lab gives what it starts the environment it has itself
    named = ("__main__", "assembly", "cli", "config", "document", "launch", "rooms", "screen", "serving")
    assert readers - secrets - handed_on <= {f"redhand/{name}.py" for name in named}
    assert PREFIX == "REDHAND_"


# --- the wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """A wheel built from this tree, by the build backend itself."""
    directory = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(directory)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert built.returncode == 0, built.stderr
    (file,) = directory.glob("*.whl")
    return zipfile.ZipFile(file)


def test_the_wheel_holds_every_module_and_data_file_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    inside = {name for name in wheel.namelist() if ".dist-info/" not in name}
    here = {
        str(file.relative_to(ROOT))
        for room in ROOMS
        for file in (ROOT / room).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts and file.suffix != ".pyc"
    }
    assert inside == here
    suffixes = {Path(name).suffix for name in inside if name.startswith(("landing/", "blocklists/"))}
    assert {".html", ".svg", ".css", ".yaml"} <= suffixes


def test_the_wheel_brings_the_command_and_the_licence(wheel: zipfile.ZipFile) -> None:
    (points,) = (name for name in wheel.namelist() if name.endswith("entry_points.txt"))
    assert "redhand = redhand.__main__:main" in wheel.read(points).decode()
    (licence,) = (name for name in wheel.namelist() if name.endswith("LICENSE"))
    assert wheel.read(licence) == (ROOT / "LICENSE").read_bytes()


def test_the_program_runs_from_the_wheel_alone(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    wheel.extractall(tmp_path / "site")
    environ = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    run = subprocess.run(
        [sys.executable, "-P", "-m", "redhand", "config", "check"], cwd=tmp_path, env=environ, capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stdout) == (0, "built-in defaults (no config.yaml here): no mistakes\n"), run.stderr
    (metadata,) = (name for name in wheel.namelist() if name.endswith("/METADATA"))
    version = re.search(r"^Version: (\S+)$", wheel.read(metadata).decode(), re.MULTILINE)
    said = subprocess.run([sys.executable, "-P", "-m", "redhand", "--version"], cwd=tmp_path, env=environ, capture_output=True, text=True, check=True)
    assert version is not None
    assert said.stdout.startswith(f"redhand {version[1]} "), "what is installed and what is said are one"


# --- scripts


def test_scripts_are_sound() -> None:
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    subprocess.run([require("bash"), "-n", str(ROOT / ".ci" / "run")], check=True)
    dry = subprocess.run([require("make"), "-n", "run", "test", "lint", "bench", "clean"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert dry.returncode == 0, dry.stderr


def test_the_image_copies_every_room_and_nothing_that_is_not_let_in() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    assert ignored[0] == "*"
    for room in ROOMS:
        assert f"COPY {room} {room}\n" in dockerfile
        assert f"!{room}" in ignored
    variables = dict(re.findall(r"(REDHAND_[A-Z_]+)=(\S+)", dockerfile.partition("FROM")[2]))
    with pytest.raises(config.ConfigurationError, match=r"landing_addresses\[0\] = \"127\.0\.0\.1\": is a loopback address"):
        _check({name: value.strip("'") for name, value in variables.items()})
    _check({name: value.strip("'") for name, value in variables.items()} | {"REDHAND_RESOLVER__LANDING_ADDRESSES": '["203.0.113.80"]'})


def _check(environ: dict[str, str]) -> None:
    crosscheck.check(config.load(None, environ))
