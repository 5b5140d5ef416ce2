"""The page in a real Chromium: it is shown as it is meant to be, under its own security policy, with nothing asked of anyone else."""

from __future__ import annotations

import re
import struct
import subprocess
import zlib
from pathlib import Path

import pytest

from tests.landing.server import Landing
from tests.tools import require

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--enable-logging=stderr",
)


def run(landing: Landing, profile: Path, host: str, *flags: str) -> subprocess.CompletedProcess[str]:
    command = [
        require("chromium"),
        *FLAGS,
        f"--user-data-dir={profile}",
        f"--host-resolver-rules=MAP * 127.0.0.1:{landing.port}",
        *flags,
        f"http://{host}/",
    ]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)


def rows(png: bytes) -> tuple[int, list[bytes]]:
    """Octets a pixel, and the rows of an 8-bit PNG (PNG specification, section 9)."""
    width, _, _, colour = struct.unpack(">IIBB", png[16:26])
    size = {2: 3, 6: 4}[colour]
    data, position = b"", 8
    while position < len(png):
        (length,) = struct.unpack(">I", png[position : position + 4])
        if png[position + 4 : position + 8] == b"IDAT":
            data += png[position + 8 : position + 8 + length]
        position += length + 12
    raw, stride = zlib.decompress(data), width * size
    found, above = [], bytes(stride)
    for start in range(0, len(raw), stride + 1):
        kind, row = raw[start], bytearray(raw[start + 1 : start + 1 + stride])
        for at in range(stride):
            left = row[at - size] if at >= size else 0
            corner = above[at - size] if at >= size else 0
            row[at] = (row[at] + (0, left, above[at], (left + above[at]) // 2, paeth(left, above[at], corner))[kind]) & 255
        above = bytes(row)
        found.append(above)
    return size, found


def paeth(left: int, above: int, corner: int) -> int:
    estimate = left + above - corner
    return min((left, above, corner), key=lambda value: abs(estimate - value))


def test_a_visitor_sees_the_page_and_the_browser_has_no_complaint(landing: Landing, tmp_path: Path) -> None:
    shown = run(landing, tmp_path / "profile", "www.blocked.example", "--dump-dom")
    assert "Access to this site is blocked" in shown.stdout
    assert "XX-2026-000123" in shown.stdout
    assert not re.findall(r".*Content Security Policy.*|.*Refused to.*", shown.stderr)


@pytest.mark.parametrize(("flags", "paper"), [((), b"\xfd\xfc\xfa"), (("--blink-settings=preferredColorScheme=0",), b"\x17\x16\x14")])
def test_the_style_is_let_in_and_nothing_runs_over_a_narrow_screen(landing: Landing, tmp_path: Path, flags: tuple[str, ...], paper: bytes) -> None:
    picture = tmp_path / "page.png"
    run(landing, tmp_path / "profile", "www.blocked.example", f"--screenshot={picture}", "--window-size=320,700", *flags)
    size, found = rows(picture.read_bytes())
    red, empty = found[1], found[40]
    assert red[:3] in {b"\xb3\x13\x1f", b"\xe2\x43\x4c"}
    # The band runs over the whole width, and beside the text there is only paper: nothing reaches the edges.
    assert red == red[:size] * (len(red) // size)
    assert empty[:3] == paper
    assert {row[-size : -size + 3 if size > 3 else None] for row in found[10:]} == {paper}
