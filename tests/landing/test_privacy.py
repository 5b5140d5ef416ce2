"""Nobody is watched: after a run in which marked clients did all that clients do, nothing that tells of them is in any file, log or figure."""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import json
import signal
import socket
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path

import dns.message
import dns.rrset
import pytest

from landing import counts
from tests.landing.samples import order
from tests.redhand.apart import Apart, apart
from tests.resolver.servers import ENVIRONMENT, query
from tests.tools import DEADLINE, wait_for

CLIENTS = ("127.83.1.77", "2001:db8:77:5e::beef:1d")
STRANGER = "127.183.1.77"
"""May not ask the resolver."""
TOKEN = "q7xmarked"
"""Stands in every field of a request, and in the names asked for."""
DNS, HTTP, METRICS, UPSTREAM = 53, 80, 10451, 5398
END = b"end"
"""Ends the upstream."""
OWN = "report.operator.example"

ASKING = """
    import base64, json, socket, sys
    replies = []
    for each in json.load(sys.stdin):
        family = socket.AF_INET6 if ":" in each["to"] else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM if each["udp"] else socket.SOCK_STREAM) as client:
            client.settimeout(5)
            client.bind((each["from"], 0))
            client.connect((each["to"], each["port"]))
            client.sendall(base64.b64decode(each["octets"]))
            reply = b""
            try:
                if each["udp"]:
                    reply = client.recv(65535)
                else:
                    if each["port"] == 53:
                        client.shutdown(socket.SHUT_WR)
                    while more := client.recv(65535):
                        reply += more
            except OSError:
                pass
            replies.append(base64.b64encode(reply).decode())
    print(json.dumps(replies))
"""
"""Sends what it is told from where it is told, and prints what came back."""


def ask(place: Apart, *questions: tuple[str, int, bool, bytes]) -> list[bytes]:
    """The replies to (from, port, by UDP, octets), each sent to the loopback address of the client's family."""
    told = [
        {"from": client, "to": "::1" if ":" in client else "127.0.0.1", "port": port, "udp": udp, "octets": base64.b64encode(octets).decode()}
        for client, port, udp, octets in questions
    ]
    command = place.inside(sys.executable, "-I", "-S", "-c", textwrap.dedent(ASKING))
    done = subprocess.run(command, input=json.dumps(told), capture_output=True, text=True, timeout=60, check=True)
    return [base64.b64decode(reply) for reply in json.loads(done.stdout)]


def requests() -> Iterator[bytes]:
    """What visitors send, marked in every place where a server could note something."""
    fields = (
        f"User-Agent: agent-{TOKEN}\r\nReferer: http://referrer-{TOKEN}.example/\r\nCookie: cookie={TOKEN}\r\nAuthorization: Basic {TOKEN}\r\n"
        f"Accept-Language: fr, x-{TOKEN}\r\nX-Forwarded-For: {CLIENTS[0]}\r\nForwarded: for={CLIENTS[0]}\r\nFrom: {TOKEN}@visitor.example\r\n"
        "Connection: close\r\n"
    )

    def request(line: str, host: str, more: str = "") -> bytes:
        return f"{line} HTTP/1.1\r\nHost: {host}\r\n{fields}{more}\r\n".encode()

    target = f"/path-{TOKEN}?query={TOKEN}"
    yield request(f"GET {target}", "ordered.example")
    yield request(f"GET {target}", "listed.example")
    yield request(f"GET {target}", f"www-{TOKEN}.ordered.example", "Accept: application/json\r\n")
    yield request(f"GET {target}", "ordered.example", "Accept: image/*\r\nSec-Fetch-Dest: image\r\n")
    yield request(f"GET {target}", f"unlisted-{TOKEN}.example")
    yield request(f"HEAD {target}", "ordered.example")
    yield request(f"OPTIONS {target}", "ordered.example", f"Origin: http://{TOKEN}.example\r\nAccess-Control-Request-Method: PUT\r\n")
    yield request(f"POST {target}", "ordered.example", f"Content-Length: {len(TOKEN)}\r\n") + TOKEN.encode()
    yield request(f"POST {target}", "ordered.example", "Content-Length: 999999\r\n") + TOKEN.encode() * 9
    yield request(f"GET http://absolute-{TOKEN}.example{target}", "ordered.example")
    yield request(f"GET {target}", f"<{TOKEN}>")
    yield request(f"{TOKEN.upper()} {target}", "ordered.example")
    yield f"GET {target} HTTP/9.9\r\n{TOKEN}\r\n\r\n".encode()
    yield f"GET /{TOKEN * 9000} HTTP/1.1\r\nHost: ordered.example\r\n\r\n".encode()
    yield request("GET /.well-known/redhand/health", "127.0.0.1")
    yield request("GET /.well-known/redhand/proof/ordered.example", "ordered.example")
    yield request(f"GET /report?order=XX-2026-000123&name=www-{TOKEN}.ordered.example", OWN)
    yield request(f"GET /{TOKEN}", OWN)
    form = f"stamp={TOKEN}&{TOKEN}=1"
    yield request("POST /report", OWN, f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(form)}\r\n") + form.encode()


def questions(client: str) -> Iterator[tuple[str, int, bool, bytes]]:
    """What a client asks the resolver, over both transports, well and badly."""
    for name in ("ordered.example", f"www-{TOKEN}.ordered.example", f"{TOKEN}.free.example", "listed.example"):
        asked = query(name).to_wire()
        for _ in range(2):
            yield client, DNS, True, asked
        yield client, DNS, False, len(asked).to_bytes(2, "big") + asked
    asked = query(f"{TOKEN}.free.example").to_wire()
    yield client, DNS, False, len(asked).to_bytes(2, "big") + asked[:-3]
    yield client, DNS, True, asked[:20] + b"\xff" * 20


def answering(upstream: socket.socket) -> None:
    """An upstream that knows every name, until it is told to end."""
    while True:
        octets, sender = upstream.recvfrom(4096)
        if octets == END:
            upstream.sendto(END, sender)
            return
        asked = dns.message.from_wire(octets)
        reply = dns.message.make_response(asked, recursion_available=True)
        reply.answer.append(dns.rrset.from_text(asked.question[0].name, 300, "IN", "A", "192.0.2.1"))
        upstream.sendto(reply.to_wire(), sender)


def forms(address: str) -> set[bytes]:
    """How an address, or the network a client is known by, may be written: as text, mapped, reversed, as a number, as octets, hashed, in base64."""
    ip = ipaddress.ip_address(address)
    texts = {str(ip), ip.exploded, ip.reverse_pointer, str(int(ip)), ip.packed.hex(), ip.packed[::-1].hex()}
    if isinstance(ip, ipaddress.IPv4Address):
        mapped = ipaddress.ip_address(f"::ffff:{ip}")
        texts |= {mapped.exploded, f"{int(ip) >> 16:x}:{int(ip) & 0xFFFF:x}", ".".join(str(ip).split(".")[:3])}
    else:
        texts |= {":".join(ip.exploded.split(":")[:4]), ":".join(f"{int(group, 16):x}" for group in ip.exploded.split(":")[:4])}
    raw = {ip.packed, ip.packed[::-1]}
    for plain in [*raw, *(text.encode() for text in texts)]:
        for kind in (hashlib.md5, hashlib.sha1, hashlib.sha256, hashlib.blake2b):
            raw |= {kind(plain).digest(), kind(plain).hexdigest().encode()}
    return raw | {form for text in texts for form in written(text)}


def written(text: str) -> set[bytes]:
    """A text as it is, and as it stands within anything in base64."""
    within = {base64.b64encode(b"\0" * shift + text.encode())[4 if shift else 0 : -4] for shift in range(3)}
    return {text.encode(), text.lower().encode(), text.upper().encode()} | {form for form in within if len(form) >= 8}


MARKS = {**{client: forms(client) for client in (*CLIENTS, STRANGER)}, TOKEN: written(TOKEN) | {hashlib.sha256(TOKEN.encode()).hexdigest().encode()}}


def found_in(directory: Path) -> dict[str, list[str]]:
    """Where any mark stands in any file below a directory."""
    found = {}
    for path in (path for path in directory.rglob("*") if path.is_file() and not path.is_symlink()):
        if marks := marks_in(path.read_bytes() + path.name.encode()):
            found[str(path.relative_to(directory))] = marks
    return found


def marks_in(octets: bytes) -> list[str]:
    """Whom these octets tell of."""
    return [mark for mark, among in MARKS.items() if any(form in octets for form in among)]


@pytest.fixture
def place() -> Iterator[Apart]:
    with apart() as made:
        for address in CLIENTS[1:]:
            subprocess.run(made.inside("ip", "address", "add", f"{address}/128", "dev", "lo"), check=True, timeout=DEADLINE)
        (made.directory / "orders.yaml").write_text(json.dumps(order("ordered.example")) + "\n")
        made.settings(
            resolver={
                "listen": [f"127.0.0.1:{DNS}", f"[::1]:{DNS}"],
                "workers": 2,
                "allow": ["127.0.0.0/9", "::1/128", "2001:db8::/32"],
                "upstreams": [{"address": f"127.0.0.1:{UPSTREAM}"}],
                "cache_mb": 16,
            },
            landing={"listen": [f"127.0.0.1:{HTTP}", f"[::1]:{HTTP}"], "own_name": OWN, "operator_url": "https://operator.example/"},
            metrics={"listen": f"127.0.0.1:{METRICS}"},
            blocklists={
                "sources": [
                    {"id": "house", "path": "house.txt", "format": "domains"},
                    {"id": "orders", "path": "orders.yaml", "format": "directives"},
                ]
            },
        )
        yield made


def test_the_search_finds_what_it_looks_for(tmp_path: Path) -> None:
    for mark, among in MARKS.items():
        assert all(mark in marks_in(b"before" + form + b"after") for form in among)
    assert not marks_in(b"127.0.0.1 ::1 2001:db8::53 redhand")
    (tmp_path / "log").write_bytes(base64.b64encode(f"x{CLIENTS[0]} asked".encode()))
    assert found_in(tmp_path) == {"log": [CLIENTS[0]]}


def test_a_run_leaves_nothing_of_who_was_there(place: Apart) -> None:
    upstream = place.socket(socket.SOCK_DGRAM, UPSTREAM)
    thread = threading.Thread(target=answering, args=(upstream,))
    thread.start()
    try:
        process = place.start()
        running = place.serving(process)
        visits = [(client, HTTP, False, octets) for client in CLIENTS for octets in requests()]
        asked = [each for client in CLIENTS for each in questions(client)]
        strangers = [(STRANGER, DNS, True, query(f"{TOKEN}.free.example").to_wire())] * 4
        replies = ask(place, *visits, *asked, *strangers)
        statuses = [int(reply.split(b" ")[1]) for reply in replies[: len(visits)] if reply]
        assert {200, 400, 403, 404, 451} <= set(statuses), "each kind of answer was given"
        assert sum(len(reply) > 12 for reply in replies[len(visits) :]) >= 24
        running["worker-0"].send_signal(signal.SIGKILL)
        process.send_signal(signal.SIGHUP)
        wait_for(lambda: "settings: nothing changed" in place.said(), "the settings read again")
        ask(place, *asked[:4])
        (scraped,) = ask(place, ("127.0.0.1", METRICS, False, b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"))
        assert b"redhand_queries_total" in scraped
        (place.directory / "metrics").write_bytes(scraped)
        config = str(place.directory / "config.yaml")
        command = place.inside(sys.executable, "-P", "-m", "redhand", "status", "--json", "--config", config)
        done = subprocess.run(command, capture_output=True, env=ENVIRONMENT, timeout=60, check=True)
        (place.directory / "status").write_bytes(done.stdout + done.stderr)
        process.terminate()
        process.wait(DEADLINE)
    finally:
        ask(place, ("127.0.0.1", UPSTREAM, True, END))
        thread.join(DEADLINE)
        upstream.close()
    shown = sum(counts.read(place.state_dir, day)["XX-2026-000123"] for day in counts.days(place.state_dir))
    assert shown >= 8, "what was to be counted was"
    assert found_in(place.directory) == {}
