"""The unit files that operators copy: systemd takes them, they leave little to harm, and they go with the settings the guide shows."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.tools import require

ROOT = Path(__file__).parent.parent
UNITS = ROOT / "docs" / "systemd"


def test_systemd_takes_the_units_and_finds_them_hardly_exposed(tmp_path: Path) -> None:
    program = require("systemd-analyze")
    for unit in UNITS.iterdir():
        shutil.copy(unit, tmp_path)
    service = tmp_path / "redhand.service"
    # It must be there to be verified.
    service.write_text(re.sub(r"(?m)^ExecStart=/opt/redhand/bin/redhand", f"ExecStart={sys.executable}", service.read_text()))
    verified = subprocess.run(
        [program, "verify", "--man=no", str(service), str(tmp_path / "redhand.socket")], capture_output=True, text=True, check=False, timeout=60
    )
    assert (verified.returncode, [line for line in verified.stderr.splitlines() if "redhand" in line]) == (0, [])
    # From 0 (nothing to harm) to 100; what is left is the network, the other users and the machine's /proc.
    judged = subprocess.run(
        [program, "security", "--offline=yes", "--threshold=20", str(service)], capture_output=True, text=True, check=False, timeout=60
    )
    assert judged.returncode == 0, judged.stdout


def test_the_sockets_go_with_the_settings_that_the_guide_shows() -> None:
    lines = [line.partition("=") for line in (UNITS / "redhand.socket").read_text().splitlines()]
    listens = [(key, value) for key, _, value in lines if key.startswith("Listen")]
    assert listens.count(("ListenDatagram", "192.0.2.53:53")) == listens.count(("ListenStream", "192.0.2.53:53")) == 2
    guide = (ROOT / "docs" / "operator.md").read_text()
    for _, value in listens:
        assert f'"{value}"' in guide, value


def test_the_service_lets_landlock_through_and_holds_no_capability() -> None:
    """Without these calls workers would not be confined, and nobody would see it but by the warning."""
    unit = configparser.RawConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(UNITS / "redhand.service")
    service = unit["Service"]
    assert {f"landlock_{call}" for call in ("create_ruleset", "add_rule", "restrict_self")} <= set(service["SystemCallFilter"].split())
    assert (service["CapabilityBoundingSet"], service["AmbientCapabilities"], service["NoNewPrivileges"]) == ("", "", "yes")
