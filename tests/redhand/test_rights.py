"""Port 53 without root, and what is left to each process once it serves: no capability, no way back, no write to the list."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from blocklists import confine
from blocklists.agreed import Timekeeper
from redhand.assembly import builder, landing, worker
from redhand.config import load
from resolver import channel
from tests.redhand.apart import NOBODY, NONE, ROOT, Apart, apart, rights
from tests.resolver.servers import domains
from tests.tools import DEADLINE, require, wait_for

NET_BIND = "-all,+net_bind_service"


@pytest.fixture
def place() -> Iterator[Apart]:
    with apart() as made:
        yield made


def test_root_opens_port_53_and_becomes_the_user_for_good(place: Apart) -> None:
    place.settings(user="nobody")
    process = place.start()
    found = place.serving(process)
    assert place.dig("listed.example") == "NXDOMAIN"
    assert {"landing", "supervisor", "worker-0", "worker-1"} <= set(found)
    for name, each in found.items():
        assert (set(each.uids()), set(each.gids())) == ({NOBODY}, {NOBODY}), name
        assert rights(each) == NONE, name
        assert "Groups:\t \n" in Path(f"/proc/{each.pid}/status").read_text(), name
    assert {path.stat().st_uid for path in (place.state_dir, *place.state_dir.rglob("*"))} == {NOBODY}
    assert "warning: started as root" not in place.said()

    # A successor is no freer, and is found by the same user.
    found["worker-0"].kill()
    again = wait_for(lambda: _successor(place, found["worker-0"].pid), "worker-0 again")
    assert (set(again.uids()), rights(again)) == ({NOBODY}, NONE)

    # The settings are read again, by the user: a file it may not read changes nothing.
    (place.directory / "config.yaml").chmod(0o600)
    process.send_signal(signal.SIGHUP)
    wait_for(lambda: "settings not applied, those before stay in force" in place.said(), "the refusal")
    assert "config.yaml: cannot be read (Permission denied)" in place.said()
    (place.directory / "config.yaml").chmod(0o644)
    place.settings(user="")
    process.send_signal(signal.SIGHUP)
    wait_for(lambda: 'settings: user = "" ("nobody" is in force) waits for a restart' in place.said(), "the settings")

    # The kernel still ends every child with its supervisor, though all have changed their rights since.
    children = psutil.Process(process.pid).children(recursive=True)
    assert len(children) >= 3
    process.kill()
    process.wait()
    wait_for(lambda: not any(each.is_running() and each.status() != psutil.STATUS_ZOMBIE for each in children), "children gone")


def _successor(place: Apart, old: int) -> psutil.Process | None:
    report = json.loads((place.state_dir / "run" / "status.json").read_text())
    (pid,) = (each["pid"] for each in report["children"] if each["name"] == "worker-0")
    ready = all(each["state"] == "ready" for each in report["children"])
    return psutil.Process(pid) if ready and pid not in (None, old) else None


def test_one_capability_opens_port_53_and_is_given_up(place: Apart) -> None:
    place.state_dir.mkdir()
    os.chown(place.state_dir, NOBODY, NOBODY)
    setpriv = (require("setpriv"), "--reuid=nobody", "--regid=nogroup", "--clear-groups", f"--inh-caps={NET_BIND}", f"--ambient-caps={NET_BIND}")
    process = place.start(*setpriv, f"--bounding-set={NET_BIND}")
    found = place.serving(process)
    assert place.dig("listed.example") == "NXDOMAIN"
    for name, each in found.items():
        assert (set(each.uids()), rights(each)) == ({NOBODY}, NONE), name
    # Nor has one that waits to take over, though the first were started while the capability was still there.
    wait_for(lambda: _none_has_any(process.pid), "the standby's rights to be gone")


def _none_has_any(supervisor: int) -> bool:
    try:
        found = [rights(each) for each in psutil.Process(supervisor).children(recursive=True)]
    except (psutil.NoSuchProcess, FileNotFoundError):  # one ended just now
        return False
    return len(found) >= 4 and all(each == NONE for each in found)


def test_without_any_right_the_port_is_refused_with_the_three_ways_to_it(place: Apart) -> None:
    place.state_dir.mkdir()
    os.chown(place.state_dir, NOBODY, NOBODY)
    setpriv = (require("setpriv"), "--reuid=nobody", "--regid=nogroup", "--clear-groups", "--inh-caps=-all", "--ambient-caps=-all")
    said = place.ends(place.start(*setpriv))
    assert "127.0.0.1:53 (UDP) needs a permission this user lacks" in said
    for way in ("redhand.socket", "AmbientCapabilities=CAP_NET_BIND_SERVICE", "start it as root with `user` set"):
        assert way in said


def test_root_that_stays_root_is_warned_and_has_no_more_power_than_others(place: Apart) -> None:
    found = place.serving(place.start())
    assert "warning: started as root without a user to become" in place.said()
    for name, each in found.items():
        assert rights(each) == NONE, name
    report = json.loads((place.state_dir / "run" / "status.json").read_text())
    assert any("set user: redhand" in warning for warning in report["warnings"])


def test_a_state_directory_of_another_user_is_refused_with_the_command_that_mends_it(place: Apart) -> None:
    place.settings(user="nobody")
    place.state_dir.mkdir()
    said = place.ends(place.start())
    assert f"{place.state_dir} belongs to root; chown -R nobody: {place.state_dir}" in said
    os.chown(place.state_dir, NOBODY, NOBODY)
    (place.state_dir / "versions").mkdir()  # as a command typed by root leaves it
    place.log.unlink()
    assert f"{place.state_dir / 'versions'} belongs to root; chown -R nobody: {place.state_dir}" in place.ends(place.start())
    assert place.state_dir.stat().st_uid == NOBODY
    assert (place.state_dir / "versions").stat().st_uid == 0  # what was there is nobody's to change but the operator's


def test_a_page_alone_needs_no_power_over_lists_that_another_user_builds(place: Apart) -> None:
    place.settings(user="nobody")
    (place.state_dir / "versions").mkdir(parents=True)
    os.chown(place.state_dir, NOBODY, NOBODY)
    process = place.start(command="landing")
    wait_for(lambda: process.poll() is not None or "Ctrl-C stops it." in place.said(), "the first screen")
    assert process.poll() is None, place.said()


def test_a_command_typed_by_root_leaves_nothing_of_roots_behind(place: Apart) -> None:
    place.settings(user="nobody")
    command = place.inside(sys.executable, "-P", "-m", "redhand", "--config", str(place.directory / "config.yaml"), "blocklist", "build")
    done = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": str(ROOT)}, cwd=place.directory, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert {path.stat().st_uid for path in (place.state_dir, *place.state_dir.rglob("*"))} == {NOBODY}


def _refused(directory: Path, user: str, *before: str) -> str:
    (directory / "config.yaml").write_text(json.dumps({"user": user, "resolver": {"upstreams": [{"address": "127.0.0.1:5398"}]}}))
    command = [*before, sys.executable, "-P", "-m", "redhand", "run"]
    done = subprocess.run(
        command, cwd=directory, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False, timeout=DEADLINE
    )
    assert done.returncode == 2, done.stderr
    assert not (directory / "var").exists()
    return done.stderr


def test_a_user_that_is_not_there_is_refused_by_line(tmp_path: Path) -> None:
    said = _refused(tmp_path, "no-such-user")
    assert 'config.yaml:1: user = "no-such-user": is no user of this machine; make one: useradd --system' in said


def test_who_is_not_root_cannot_become_another(place: Apart) -> None:
    """Nobody asks to become daemon."""
    place.settings(user="daemon")
    said = place.ends(place.start(require("setpriv"), "--reuid=nobody", "--regid=nogroup", "--clear-groups"))
    assert "Red Hand was started by nobody, and only root can become another user; start it as root, or remove this line" in said


TRIES = """
    def tries(*_, **__):
        import os, sys
        from pathlib import Path
        found = {}
        for name in ("versions/1/manifest.json", "current", "readers/mine", "counts/ours"):
            path = state_dir / name
            try:
                path.open("a").close()
                found[path.name] = "written"
            except OSError as error:
                found[path.name] = type(error).__name__
        lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
        found["capabilities"] = int(lines["CapEff"], 16)
        print("tried", json.dumps(found), flush=True)
        os._exit(0)
"""
WORKER = "import json; from resolver import worker; {tries}worker.asyncio.run = tries; worker.main()"
BUILDER = "import json; from blocklists import builder; {tries}builder.build = tries; builder.main()"
LANDING = "import json; from landing import serve; {tries}serve.web.Server.serve = tries; serve.main()"


@pytest.mark.skipif(confine.landlock() < confine.WHOLE, reason="this kernel's Landlock is missing, or older than version 3 (Linux 6.2)")
@pytest.mark.parametrize(
    ("process", "may"), [("worker", ["mine"]), ("landing", ["mine", "ours"]), ("builder", ["manifest.json", "current", "mine", "ours"])]
)
def test_a_process_writes_only_what_is_its_to_write(process: str, may: list[str], tmp_path: Path) -> None:
    """Each process's own `main` with the job the supervisor gives it; only what it would then serve or build is put aside for tries at the list."""
    state_dir = domains(tmp_path, "listed.example").state_dir
    for name in ("readers", "counts"):
        (state_dir / name).mkdir()
    for name in ("versions/1/manifest.json", "current"):
        (state_dir / name).chmod(0o644)  # by its mode its owner, who runs all of them, could write it
    (tmp_path / "config.yaml").write_text(json.dumps({"state_dir": str(state_dir)}))
    configuration = load(tmp_path / "config.yaml", {})
    child = {
        "worker": lambda: worker(0, configuration.settings, [], []),
        "landing": lambda: landing(configuration.settings, []),
        "builder": lambda: builder(configuration, Timekeeper(state_dir)),
    }[process]()
    template = {"worker": WORKER, "landing": LANDING, "builder": BUILDER}[process]
    head, _, tail = template.partition("{tries}")
    program = "\n".join((head, "from pathlib import Path", f"state_dir = Path({str(state_dir)!r})", textwrap.dedent(TRIES), *tail.split("; ")))
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", program]
    if process == "worker":
        ours, theirs = channel.pair()
        with ours, theirs:
            job, board = channel.in_memory(json.dumps(child.job).encode(), "job"), channel.in_memory(bytes(1 << 16), "board")
            assert channel.send(ours, {"do": "serve", "sockets": 0}, [job, board])
            os.close(job)
            os.close(board)
            done = subprocess.run(command, stdin=theirs, capture_output=True, text=True, env=environ, timeout=DEADLINE, check=False)
    else:
        done = subprocess.run(command, input=json.dumps(child.job) + "\n", capture_output=True, text=True, env=environ, timeout=DEADLINE, check=False)
    tried = [line for line in done.stdout.splitlines() if line.startswith("tried ")]
    assert tried, done.stderr
    found = json.loads(tried[0].removeprefix("tried "))
    assert found.pop("capabilities") == 0
    assert found == {name: "written" if name in may else "PermissionError" for name in ("manifest.json", "current", "mine", "ours")}
