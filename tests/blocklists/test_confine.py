"""A confined process, from within: what it tries is refused by the kernel, what it needs still works, and what it starts is no freer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import Any

import pytest

from blocklists import confine
from tests.tools import require_root

ROOT = Path(__file__).resolve().parents[2]

needs_landlock = pytest.mark.skipif(
    confine.landlock() < confine.WHOLE, reason="this kernel's Landlock is missing, or older than version 3 (Linux 6.2)"
)

TRIES = """
    import errno, json, os, signal, socket, subprocess, sys
    from pathlib import Path
    from blocklists.confine import confine
    state_dir, connects, supervisor = Path(sys.argv[1]), sys.argv[2] == "connects", int(sys.argv[3])
    versions, readers = state_dir / "versions", state_dir / "readers"
    held = (versions / "1" / "held").open("r+")
    server = socket.create_server(("127.0.0.1", 0))
    # Where coverage is measured, it must be able to write what it found.
    measured = [Path(sys.modules["coverage"].Coverage.current().config.data_file).parent] if "coverage" in sys.modules else []
    found = {"landlock": confine([readers, state_dir / "absent", *measured], connects=connects)}

    def attempt(name, action):
        try:
            action()
            found[name] = "done"
        except OSError as error:
            found[name] = errno.errorcode[error.errno]

    index = versions / "1" / "index"
    attempt("read", index.read_bytes)
    attempt("list", lambda: os.listdir(versions))
    attempt("write", lambda: index.open("r+"))
    attempt("append", lambda: index.open("a"))
    attempt("truncate", lambda: os.truncate(index, 0))
    attempt("truncate by opening", lambda: os.open(index, os.O_RDONLY | os.O_TRUNC))
    attempt("unlink", index.unlink)
    attempt("rename", lambda: index.rename(versions / "1" / "other"))
    attempt("rename over", lambda: (state_dir / "current").replace(index))
    attempt("take away", lambda: index.rename(readers / "index"))
    attempt("new file", lambda: (versions / "1" / "new").write_text("x"))
    attempt("new directory", lambda: (versions / "2").mkdir())
    attempt("remove directory", lambda: (versions / "empty").rmdir())
    attempt("new link", lambda: os.symlink("/", versions / "link"))
    attempt("hard link", lambda: os.link(index, versions / "hard"))
    attempt("current", lambda: (state_dir / "current").write_text("2 x"))
    attempt("elsewhere", lambda: (state_dir.parent / "elsewhere").write_text("x"))
    attempt("come back", lambda: (state_dir / "absent").mkdir())

    def publish():
        (readers / ".worker-0.1").write_text("1")
        (readers / ".worker-0.1").rename(readers / "worker-0")
        (readers / "worker-0").write_text("2")
    attempt("publish", publish)
    attempt("withdraw", (readers / "worker-0").unlink)
    attempt("device", lambda: os.mkfifo(readers / "pipe"))
    attempt("open before", lambda: (held.write("still"), held.flush(), os.ftruncate(held.fileno(), 2)))

    attempt("memory file", lambda: os.ftruncate(os.memfd_create("board"), 4096))
    attempt("udp", lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).bind(("127.0.0.1", 0)))
    attempt("tcp bind", lambda: socket.create_server(("127.0.0.1", 0)))
    attempt("tcp connect", lambda: socket.create_connection(server.getsockname()))
    if connects:
        attempt("accept", server.accept)
    attempt("signal another", lambda: os.kill(supervisor, 0))
    attempt("signal oneself", lambda: os.kill(os.getpid(), 0))
    attempt("setuid 0", lambda: os.setresuid(0, 0, 0))
    attempt("root again", lambda: os.chroot("/"))

    def status():
        lines = dict(line.split(":", 1) for line in open("/proc/self/status").read().splitlines())
        return {key: int(lines[key], 16) for key in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs")}
    found["status"] = status()
    program = "import os, sys; print('CapEff:\\\\t0000000000000000' in open('/proc/self/status').read(), os.stat(sys.argv[1]).st_uid == os.getuid())"
    program += "; open(sys.argv[1], 'a')"
    child = subprocess.run([sys.executable, "-S", "-c", program, str(index)], capture_output=True, text=True)
    found["child"] = [child.stdout.strip(), child.stderr.strip().splitlines()[-1].partition(":")[0]]
    print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def state_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state directory as a builder leaves it, and more for a thief to try at."""
    path = tmp_path_factory.mktemp("house") / "state"
    for directory in ("versions/1", "versions/empty", "readers"):
        (path / directory).mkdir(parents=True)
    for file in ("versions/1/index", "versions/1/held", "current"):
        (path / file).write_text("1 whole")
    return path


def confined(state_dir: Path, *arguments: str, tries: str = TRIES) -> dict[str, Any]:
    """What a process that confined itself found."""
    command = [sys.executable, "-c", textwrap.dedent(tries), str(state_dir), *arguments, str(os.getpid())]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def found(state_dir: Path) -> dict[str, Any]:
    return confined(state_dir, "connects")


@needs_landlock
def test_the_list_can_be_read_and_not_changed_in_any_way(found: dict[str, Any], state_dir: Path) -> None:
    assert found["landlock"] == confine.landlock()
    assert (found["read"], found["list"]) == ("done", "done")
    changes = (
        *("write", "append", "truncate", "truncate by opening", "unlink", "rename", "rename over", "take away", "new file"),
        *("new directory", "remove directory", "new link", "hard link", "current", "elsewhere", "come back"),
    )
    refused = {name: found[name] for name in changes}
    assert set(refused.values()) <= {"EACCES", "EXDEV"}, refused
    assert sorted(path.name for path in (state_dir / "versions").rglob("*")) == ["1", "empty", "held", "index"]
    assert (state_dir / "versions" / "1" / "index").read_text() == (state_dir / "current").read_text() == "1 whole"


@needs_landlock
def test_what_it_needs_still_works(found: dict[str, Any], state_dir: Path) -> None:
    assert {
        name: found[name] for name in ("publish", "withdraw", "open before", "memory file", "udp", "tcp connect", "signal oneself")
    } == dict.fromkeys(("publish", "withdraw", "open before", "memory file", "udp", "tcp connect", "signal oneself"), "done")
    assert (state_dir / "versions" / "1" / "held").read_text() == "st"
    assert found["device"] == "EACCES"  # files, and nothing else


@pytest.mark.skipif(confine.landlock() < 6, reason="this kernel's Landlock is older than version 6 (Linux 6.12)")
def test_it_opens_no_door_and_touches_no_other_process(found: dict[str, Any], state_dir: Path) -> None:
    assert (found["tcp bind"], found["signal another"]) == ("EACCES", "EPERM")
    builder = confined(state_dir, "connects not")
    assert (builder["tcp bind"], builder["tcp connect"]) == ("EACCES", "EACCES")


def test_no_capability_is_left_and_none_comes_back(found: dict[str, Any]) -> None:
    status = found["status"]
    assert (status["CapInh"], status["CapPrm"], status["CapEff"], status["CapAmb"], status["NoNewPrivs"]) == (0, 0, 0, 0, 1)
    if os.geteuid() == 0:
        assert status["CapBnd"] == 0
    else:
        assert found["setuid 0"] == "EPERM"
    assert found["root again"] == "EPERM"


@needs_landlock
def test_what_it_starts_is_no_freer(found: dict[str, Any]) -> None:
    assert found["child"] == ["True True", "PermissionError"]  # though the file is its own


def test_who_was_root_cannot_be_again(state_dir: Path) -> None:
    require_root()
    found = confined(
        state_dir,
        tries="""
        import json, os, sys
        from blocklists.confine import drop
        os.setgroups([])
        os.setresgid(65534, 65534, 65534)
        os.setresuid(65534, 65534, 65534)
        drop()
        for attempt in (lambda: os.setuid(0), lambda: os.setresuid(-1, 0, -1), lambda: os.setgid(0), lambda: os.setgroups([0])):
            try:
                attempt()
                print(json.dumps("came back"))
            except PermissionError:
                pass
        print(json.dumps({"ids": [*os.getresuid(), *os.getresgid(), *os.getgroups()]}))
        """,
    )
    assert set(found["ids"]) == {65534}


def test_a_process_with_threads_is_told_that_it_is_too_late() -> None:
    over = threading.Event()
    thread = threading.Thread(target=over.wait)
    thread.start()
    try:
        with pytest.raises(RuntimeError, match="before it has threads"):
            confine.confine([])
    finally:
        over.set()
        thread.join()


def test_a_kernel_without_landlock_is_named_with_its_remedy(state_dir: Path) -> None:
    """Its refusal is what a container's system call filter gives: here one is put in place by hand that answers `landlock_*` with ENOSYS."""
    found = confined(
        state_dir,
        tries="""
        import ctypes, json, struct, sys
        from pathlib import Path
        from blocklists import confine
        # linux/filter.h: load the call's number; from 444 to 446 answer errno 38 (ENOSYS), else allow.
        program = struct.pack("HBBI" * 5, 0x20, 0, 0, 0, 0x35, 0, 2, 444, 0x25, 1, 0, 446, 0x06, 0, 0, 0x00050026, 0x06, 0, 0, 0x7FFF0000)
        buffer = ctypes.create_string_buffer(program)
        fprog = struct.pack("HP", 5, ctypes.addressof(buffer))
        libc = ctypes.CDLL(None, use_errno=True)
        assert libc.prctl(38, 1, 0, 0, 0) == 0
        assert libc.prctl(22, 2, fprog) == 0, ctypes.get_errno()
        path = Path(sys.argv[1])
        held = confine.confine([path / "readers"])
        (path / "readers" / "still").write_text("1")
        print(json.dumps({"landlock": held, "said": confine.shortcoming()}))
        """,
    )
    assert found["landlock"] == 0
    assert "this kernel cannot keep workers from harming the block list (Landlock: none)" in found["said"]
    assert "run Linux 6.2 or later" in found["said"]
