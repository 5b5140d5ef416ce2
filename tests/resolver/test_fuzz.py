"""A short run of the coverage-guided fuzzer, beginning from well-formed messages."""

from __future__ import annotations

import importlib.util
import os
import secrets
import subprocess
import sys
from pathlib import Path

import pytest

from tests.resolver.rig import question, upstream_says

SECONDS = 5
ROOT = Path(__file__).resolve().parents[2]


def seeds() -> list[bytes]:
    """Inputs as `fuzz_wire.one_input` takes them."""
    queries = [question("www.example."), question("a.b.example.", "HTTPS", do=True), question("WWW.example.", options=[])]
    found = [b"\1" + data for data in queries]
    found += [bytes((2 | data[11] << 2,)) + data[12:] for data in queries]
    said = [
        (1, ["www.example. 300 A 192.0.2.1"], []),
        (1, ["www.example. 300 CNAME a.example.", "a.example. 300 A 192.0.2.1"], []),
        (1, ["example. 300 DNAME other.", "www.example. 300 CNAME www.other."], ["other. 300 SOA ns.other. h.other. 1 2 3 4 60"]),
        (15, ["www.example. 300 MX 10 mail.example."], []),
        (65, ["www.example. 300 HTTPS 1 cdn.example. alpn=h2"], []),
    ]
    kinds = (1, 28, 5, 39, 15, 33, 35, 6, 16, 46, 65, 43)
    for kind, answer, authority in said:
        asked = b"\3www\7example\0" + kind.to_bytes(2, "big") + b"\0\1"
        message = upstream_says(asked, answer, authority)
        found.append(bytes((kinds.index(kind) << 3, len(answer), len(authority))) + message[12 + len(asked) :])
    return found


def test_a_short_run_finds_nothing(tmp_path: Path) -> None:
    if importlib.util.find_spec("atheris") is None:
        reason = "atheris is not installed"
        if os.environ.get("REDHAND_CI") == "1":
            pytest.fail(f"{reason}, and REDHAND_CI=1 lets no test be skipped for that")
        pytest.skip(reason)
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for number, data in enumerate(seeds()):
        (corpus / str(number)).write_bytes(data)
    seed = secrets.randbelow(2**31 - 1) + 1
    print(f"-seed={seed}")
    command = [
        sys.executable,
        "-m",
        "tests.resolver.fuzz_wire",
        str(corpus),
        f"-seed={seed}",
        f"-max_total_time={SECONDS}",
        "-max_len=600",
        "-timeout=2",
    ]
    command.append(f"-artifact_prefix={tmp_path}/")
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=120, check=False)
    findings = [f"{path.name}: {path.read_bytes().hex()}" for path in tmp_path.iterdir() if path.is_file()]
    assert done.returncode == 0, f"seed {seed}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}\n{findings}"
    assert "INFO: seed corpus" in done.stderr
    assert "DONE" in done.stderr
