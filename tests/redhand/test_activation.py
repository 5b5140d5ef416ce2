"""Sockets that systemd passes: served by whoever is started, with no right to bind any; held against the settings; no query lost by a restart.

The test is systemd here: it holds the sockets, and starts Red Hand with them as sd_listen_fds(3) says. Where systemd's own tool can, it does.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import dns.message
import dns.query
import dns.rcode
import psutil
import pytest

from blocklists.errors import ConfigurationError
from redhand.activation import Passed, match, take
from resolver.sockets import BUFFER_BYTES, SO_RCVBUFFORCE, SO_SNDBUFFORCE
from tests.redhand.apart import NOBODY, NONE, ROOT, apart, rights
from tests.tools import DEADLINE, free_ports, require, wait_for

PASS = """
import os, sys
given, names, *command = sys.argv[1:]
moved = [os.dup2(int(each), 200 + number) for number, each in enumerate(given.split(","))]
for number, each in enumerate(moved):
    os.dup2(each, 3 + number, inheritable=True)
    os.close(each)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(moved)), LISTEN_FDNAMES=names)
os.execvp(command[0], command)
"""


def passing(sockets: Iterable[socket.socket], unit: str = "redhand.socket") -> tuple[str, ...]:
    """What to put before a command so that it is started with these sockets as systemd passes them."""
    numbers = [str(each.fileno()) for each in sockets]
    return sys.executable, "-I", "-S", "-c", PASS, ",".join(numbers), ":".join(unit for _ in numbers)


def bound(kind: socket.SocketKind, port: int, shared: bool = False) -> socket.socket:
    """A socket on loopback as systemd makes one."""
    made = socket.socket(socket.AF_INET, kind)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, int(shared))
    made.bind(("127.0.0.1", port))
    if kind == socket.SOCK_STREAM:
        made.listen()
    return made


def test_a_restart_loses_no_query_and_port_53_needs_no_right_at_all() -> None:
    with apart() as place, ExitStack() as opened:

        def make(kind: socket.SocketKind, port: int = 0, shared: bool = False) -> socket.socket:
            return opened.enter_context(place.socket(kind, port, shared))

        held = [make(kind, 53, shared=True) for _ in range(2) for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM)]
        held.append(make(socket.SOCK_STREAM, 80))
        for each in held:  # as ReceiveBuffer= and SendBuffer= do, past what this machine grants to others
            each.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_BYTES)
            each.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, BUFFER_BYTES)
        clients = [make(socket.SOCK_DGRAM) for _ in range(12)]
        place.state_dir.mkdir()
        os.chown(place.state_dir, NOBODY, NOBODY)
        setpriv = (require("setpriv"), "--reuid=nobody", "--regid=nogroup", "--clear-groups", "--inh-caps=-all", "--ambient-caps=-all")

        def start() -> subprocess.Popen[bytes]:
            return place.start(*setpriv, *passing(held), pass_fds=[each.fileno() for each in held])

        def ask(number: int) -> None:
            for client in clients:
                query = dns.message.make_query("listed.example", "A", id=number)
                client.sendto(query.to_wire(), ("127.0.0.1", 53))

        def answered(number: int) -> None:
            for client in clients:
                client.settimeout(DEADLINE)
                answer = dns.message.from_wire(client.recv(4096))
                assert (answer.id, answer.rcode()) == (number, dns.rcode.NXDOMAIN)

        process = start()
        found = place.serving(process)
        for name, each in found.items():
            assert (set(each.uids()), rights(each)) == ({NOBODY}, NONE), name
            assert not any(
                line.startswith(b"LISTEN_") for line in Path(f"/proc/{each.pid}/environ").read_bytes().split(b"\0") if name != "supervisor"
            )
        assert min(each.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) for each in held) >= 2 * BUFFER_BYTES
        assert "warning" not in place.said()
        ask(1)
        answered(1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(8) == 0
        ask(2)  # nobody is there; systemd's sockets are
        start()
        answered(2)


@contextmanager
def resolver(directory: Path, port: int, held: list[socket.socket], workers: int = 2) -> Iterator[subprocess.Popen[bytes]]:
    """`redhand resolver` with the sockets, on a list of one name; once it serves."""
    (directory / "house.txt").write_text("listed.example\n")
    settings = {
        "resolver": {
            "listen": [f"127.0.0.1:{port}"],
            "workers": workers,
            "upstreams": [{"address": f"127.0.0.1:{free_ports(1)[0]}"}],
            "cache_mb": 16,
        },
        "blocklists": {"sources": [{"id": "house", "path": "house.txt", "format": "domains", "mode": "nxdomain"}]},
    }
    (directory / "config.yaml").write_text(json.dumps(settings))
    log = directory / "log"
    command = [*passing(held), sys.executable, "-P", "-m", "redhand", "resolver"]
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env=environ, cwd=directory, pass_fds=[each.fileno() for each in held])
    try:
        wait_for(lambda: process.poll() is not None or "Ctrl-C stops it." in log.read_text(), "the first screen")
        assert process.poll() is None, log.read_text()
        yield process
    finally:
        process.terminate()
        process.wait(DEADLINE)


def ask(port: int) -> str:
    """How one client, from a port of its own, is answered."""
    return dns.rcode.to_text(dns.query.udp(dns.message.make_query("listed.example", "A"), "127.0.0.1", DEADLINE, port).rcode())


@pytest.mark.parametrize("count", [1, 3])
def test_fewer_and_more_sockets_than_workers_are_all_served(count: int, tmp_path: Path) -> None:
    (port,) = free_ports(1)
    with ExitStack() as opened:
        kinds = (socket.SOCK_DGRAM, socket.SOCK_STREAM)
        held = [opened.enter_context(bound(kind, port, shared=True)) for kind in kinds for _ in range(count)]
        with resolver(tmp_path, port, held) as process:
            # With three of each, the kernel gives a third of the clients to each: one that nobody serves would be met 40 times in 1 but 10**7.
            assert {ask(port) for _ in range(40)} == {"NXDOMAIN"}
            query = dns.message.make_query("listed.example", "A")
            assert {dns.query.tcp(query, "127.0.0.1", DEADLINE, port).rcode() for _ in range(40)} == {dns.rcode.NXDOMAIN}
            report = json.loads((tmp_path / "var" / "run" / "status.json").read_text())
            victim = next(each["pid"] for each in report["children"] if each["name"] == "worker-0")
            assert psutil.Process(victim).ppid() == process.pid
            os.kill(victim, signal.SIGKILL)
            assert {ask(port) for _ in range(10)} == {"NXDOMAIN"}


def test_systemds_own_tool_starts_the_page_on_the_first_visit(tmp_path: Path) -> None:
    program = require("systemd-socket-activate")
    (port,) = free_ports(1)
    (tmp_path / "config.yaml").write_text(json.dumps({"landing": {"listen": [f"127.0.0.1:{port}"]}}))
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    passed_on = [f"--setenv={name}" for name in environ]
    command = [program, f"--listen=127.0.0.1:{port}", "--fdname=redhand.socket", *passed_on, sys.executable, "-P", "-m", "redhand", "landing"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=tmp_path, env=environ, stdout=log, stderr=log)
    try:
        wait_for(lambda: _connects(port), "the tool to listen")
        visit = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE)
        visit.request("GET", "/", headers={"Host": "listed.example"})
        assert visit.getresponse().status == 503, (tmp_path / "log").read_text()  # the page is there, a list is not yet
        visit.close()
    finally:
        process.terminate()
        process.wait(DEADLINE)


def _connects(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


def test_what_was_meant_for_another_process_is_left_alone() -> None:
    variables = {"LISTEN_PID": "1", "LISTEN_FDS": "2", "LISTEN_FDNAMES": "a:b", "HOME": "/"}
    assert take(variables) == []
    assert variables == {"HOME": "/"}
    assert take(variables) == []


Make = Callable[[], socket.socket]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (
            lambda: bound(socket.SOCK_DGRAM, 0),
            r"127\.0\.0\.1:\d+ \(UDP\) of redhand\.socket is named by no setting; add '127\.0\.0\.1:\d+' to resolver\.listen",
        ),
        (
            lambda: _wildcard(socket.SOCK_DGRAM),
            r"0\.0\.0\.0:\d+ \(UDP\) of redhand\.socket is a wildcard.*ListenDatagram= and a ListenStream= line for each",
        ),
        (lambda: socket.socket(socket.AF_UNIX, socket.SOCK_STREAM), "a socket of redhand.socket is neither a UDP nor a listening TCP socket"),
        (lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM), "a socket of redhand.socket is neither a UDP nor a listening TCP socket"),
    ],
)
def test_a_socket_that_no_setting_names_is_refused_and_what_is_missing_too(make: Make, said: str) -> None:
    with make() as stranger, pytest.raises(ConfigurationError, match=said) as refused:
        match([Passed(stranger, "redhand.socket")], [("192.0.2.53", 53)], [("192.0.2.80", 80)])
    for missing, line in (
        ("192.0.2.53:53 (UDP)", "ListenDatagram=192.0.2.53:53"),
        ("192.0.2.53:53 (TCP)", "ListenStream=192.0.2.53:53"),
        ("192.0.2.80:80 (TCP)", "ListenStream=192.0.2.80:80"),
    ):
        setting = "landing.listen" if ":80 " in missing else "resolver.listen"
        assert f"no {missing} was passed, which {setting} names; add {line} to the socket unit, or correct {setting}" in str(refused.value)


def _wildcard(kind: socket.SocketKind) -> socket.socket:
    made = socket.socket(socket.AF_INET, kind)
    made.bind(("0.0.0.0", 0))
    return made


def test_without_systemd_nothing_is_missing() -> None:
    assert match([], [("192.0.2.53", 53)], [("192.0.2.80", 80)]) == {}


@pytest.mark.skipif(not Path("/proc/net/if_inet6").exists(), reason="IPv6 is switched off here")
def test_ipv6_sockets_are_known_by_their_address() -> None:
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as datagrams, socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as stream:
        datagrams.bind(("::1", 0))
        port = datagrams.getsockname()[1]
        stream.bind(("::1", port))
        stream.listen()
        assert match([Passed(datagrams, "a"), Passed(stream, "a")], [("::1", port)], []) == {
            ("udp", "::1", port): [datagrams],
            ("tcp", "::1", port): [stream],
        }
