"""The two web servers that `bench.landing` compares: Red Hand with one order in force, nginx with its page as a file; and what is asked of them."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from string import Template

from bench import machine
from bench.ask import wait_until
from bench.machine import SERVER_CORE
from bench.servers import CONFIGS, IDLE_SECONDS, IDLE_SHARE, REDHAND

NAME = "blocked.example"
REQUEST = (
    f"GET /a/page?q=1 HTTP/1.1\r\nHost: {NAME}\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n"
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\nAccept-Language: fr,fr-FR;q=0.8,en-US;q=0.5,en;q=0.3\r\n"
    "Accept-Encoding: gzip, deflate\r\nConnection: keep-alive\r\nCookie: session=0123456789abcdef0123456789abcdef; seen=1\r\n"
    "Upgrade-Insecure-Requests: 1\r\nPriority: u=0, i\r\n\r\n"
)


def put_first(pid: int) -> None:
    """Where the kernel shares cores out among sessions (autogroup, sched(7)), ours goes before others'; needs root, and is left out without."""
    with contextlib.suppress(OSError):
        Path(f"/proc/{pid}/autogroup").write_text("-19", encoding="ascii")


@contextmanager
def redhand(folder: Path, role: str) -> Iterator[tuple[int, int, int]]:
    """`redhand landing`, or `redhand run`: the process, the page's port, the resolver's."""
    place = folder / f"redhand-{role}"
    place.mkdir()
    port, dns = machine.free_port(), machine.free_port()
    now = datetime.now(UTC)
    moment = {name: (now + timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ") for name, days in (("begun", -7), ("review", 60), ("end", 90))}
    order = {
        "id": "XX-2026-000001",
        "action": "block",
        "issuer": {"authority": "Office for the Protection of the Public", "contact": "orders@authority.example"},
        "category": "terrorism",
        "legal_basis": "Public Safety Act 2015, section 6-1",
        "reasons": {"en": "The site praises an attack.", "fr": "Le site loue un attentat."},
        "issued_at": moment["begun"],
        "effective_at": moment["begun"],
        "review_due": moment["review"],
        "expires_at": moment["end"],
        "reviewer": "Independent Reviewer",
        "redress": {"url": "https://authority.example/appeal", "deadline_days": 60, "court": "Administrative Court"},
        "territorial_scope": "XX",
        "targets": [{"fqdn": NAME, "match": "subtree"}],
    }
    (place / "orders.yaml").write_text(json.dumps(order) + "\n", encoding="utf-8")
    words = {"PORT": port, "DNS": dns, "NOBODY": machine.free_port(), "LANDING": "192.0.2.1"}
    (place / "config.yaml").write_text(Template((CONFIGS / "landing.yaml").read_text(encoding="utf-8")).substitute(words), encoding="utf-8")
    with_it = ["--config", str(place / "config.yaml")]
    machine.output([*REDHAND, "blocklist", "build", *with_it], cwd=place, limit_seconds=60, must_succeed=True)
    with _running([*REDHAND, role, *with_it], place) as process:
        wait_until(lambda: _status(port) == b"451", 30, lambda: f"the page is not served; see {(place / 'log.txt').read_text(encoding='utf-8')}")
        yield process.pid, port, dns


@contextmanager
def nginx(folder: Path, answer: bytes) -> Iterator[tuple[int, int]]:
    place = folder / "nginx"
    place.mkdir()
    head, _, body = answer.partition(b"\r\n\r\n")
    (place / "page.html").write_bytes(body)
    fields = [line.decode().partition(": ") for line in head.split(b"\r\n")[1:]]
    lines = [f"            default_type {json.dumps(value)};" for name, _, value in fields if name == "content-type"]
    lines += [
        f"            add_header {name} {json.dumps(value)} always;"
        for name, _, value in fields
        if name not in {"content-type", "content-length", "date"}
    ]
    port = machine.free_port()
    words = {"DIR": place, "PORT": port, "FIELDS": "\n".join(lines), "USER": "user root;" if os.geteuid() == 0 else ""}
    (place / "nginx.conf").write_text(Template((CONFIGS / "nginx.conf").read_text(encoding="utf-8")).substitute(words), encoding="utf-8")
    with _running(["nginx", "-p", str(place), "-c", str(place / "nginx.conf"), "-e", str(place / "nginx.log")], place) as process:
        wait_until(lambda: _status(port) == b"451", 10, lambda: f"nginx does not serve; see {place / 'log.txt'}")
        yield process.pid, port


@contextmanager
def _running(command: list[str], place: Path) -> Iterator[subprocess.Popen[str]]:
    process = machine.start(command, core=SERVER_CORE, cwd=place, log=place / "log.txt")
    put_first(process.pid)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


def settle(pid: int) -> None:
    """Waits until the house has done what it does after a start."""
    used = [machine.cpu_seconds(pid)]

    def idle() -> bool:
        used.append(machine.cpu_seconds(pid))
        return used[-1] - used[-2] < IDLE_SHARE * IDLE_SECONDS

    time.sleep(IDLE_SECONDS)
    wait_until(idle, 60, lambda: "Red Hand is never idle", every=IDLE_SECONDS)


def _status(port: int) -> bytes:
    try:
        return get(port)[9:12]
    except OSError:
        return b""


def get(port: int) -> bytes:
    """The answer, read until the server closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(REQUEST.replace("keep-alive", "close").encode())
        received = b""
        while piece := client.recv(65536):
            received += piece
    return received.replace(b"connection: close\r\n", b"").replace(b"Connection: close\r\n", b"")
