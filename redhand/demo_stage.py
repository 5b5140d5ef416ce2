"""What `redhand demo` plays on: a demonstration authority with its feed, a resolver, the red hand page and a desk with people, all on loopback.

Everything is the program itself, started as its users start it, in a directory that is removed at the end. The one thing made here is the rest of the
Internet: a name server that knows one address, and a window through which a browser without our resolver sees the page a visitor gets.
"""

from __future__ import annotations

import http.client
import http.server
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rdatatype
import dns.rrset
import yaml

from authority.desk import migrations
from authority.desk.desk import Desk
from authority.desk.people import accounts, founding, passwords
from authority.desk.people.accounts import NewPerson
from authority.desk.settings import DeskSettings
from blocklists.errors import RedHandError
from redhand import demonstration
from redhand.demo_authority import holder

HOST = "127.0.0.1"
ELSEWHERE = "192.0.2.10"
"""Where every name leads that is not blocked (RFC 5737)."""
START_SECONDS = 60.0
ASK_SECONDS = 2.0
PEOPLE: dict[str, tuple[str, tuple[Any, ...]]] = {
    "clerk": ("", ("clerk",)),
    "officer-1": ("officer-1", ("officer",)),
    "officer-2": ("officer-2", ("officer",)),
    "reviewer": ("reviewer-1", ("reviewer",)),
    "administrator-1": ("", ("administrator",)),
    "administrator-2": ("", ("administrator",)),
    "auditor": ("", ("auditor",)),
}
"""By login: the office, and the roles."""
PASSWORD = "red hand of a demonstration"  # noqa: S105 - everybody's, and printed


class Failed(RedHandError):
    """The demonstration cannot go on."""


class Stage:
    """All of it, once it runs."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.dns, self.web, self.metrics, self.pages, self.window = _ports(5)
        self.state = directory / "state"
        self.authority = demonstration.directory(self.state)
        self._log = directory / "log"
        self.desk: Desk | None = None

    def url(self, port: int) -> str:
        """Of something here, to click."""
        return f"http://{HOST}:{port}/"

    def settings(self, upstream: int) -> Path:
        """The settings file of resolver, page, feed and desk."""
        path = self.directory / "config.yaml"
        document = {
            "state_dir": str(self.state),
            "resolver": {"listen": [f"{HOST}:{self.dns}"], "workers": 2, "upstreams": [{"address": f"{HOST}:{upstream}"}]},
            "landing": {"listen": [f"{HOST}:{self.web}"]},
            "metrics": {"listen": f"{HOST}:{self.metrics}"},
            "feed": {"urls": ["builtin:demo"]},
            "desk": {"directory": str(self.authority), "listen": f"{HOST}:{self.pages}", "url": self.url(self.pages)},
        }
        path.write_text(yaml.safe_dump(document))
        return path

    def answer(self, name: str) -> dns.message.Message:
        """What a client hears from the resolver. Raises Failed after ASK_SECONDS."""
        try:
            return dns.query.udp(dns.message.make_query(name, "A", use_edns=True), HOST, timeout=ASK_SECONDS, port=self.dns)
        except (dns.exception.DNSException, OSError) as error:
            raise Failed(f"the resolver does not answer ({error}); what it said: {self.said()}") from None

    def leads_to(self, name: str) -> set[str]:
        """Addresses in that answer."""
        return {each.address for record in self.answer(name).answer if record.rdtype == dns.rdatatype.A for each in record}

    def page(self, name: str) -> tuple[int, str]:
        """Status and text of the page that a visitor of a blocked name gets."""
        return _get(self.web, "/", {"Host": name, "Accept-Language": "en"})[:2]

    def said(self) -> str:
        """The last lines of what the processes said."""
        with suppress(OSError):
            return "\n".join(self._log.read_text("utf-8", "replace").splitlines()[-12:])
        return ""

    def wait(self, is_so: Any, what: str, seconds: float = START_SECONDS) -> None:
        """Returns once `is_so()` is. Raises Failed naming `what`."""
        ends = time.monotonic() + seconds
        while not is_so():
            if time.monotonic() >= ends:
                raise Failed(f"{what} did not come within {seconds:g} s; what the processes said last:\n{self.said()}")
            time.sleep(0.002)


@contextmanager
def stage(keep: bool = False) -> Iterator[Stage]:
    """Starts everything, and ends it. `keep`: leave the directory. Raises Failed."""
    directory = Path(tempfile.mkdtemp(prefix="redhand-demo-"))
    with ExitStack() as ends:
        if not keep:
            ends.callback(shutil.rmtree, directory, ignore_errors=True)
        made = Stage(directory)
        upstream = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        upstream.bind((HOST, 0))
        ends.callback(upstream.close)
        threading.Thread(target=_rest_of_the_world, args=(upstream,), daemon=True).start()
        config = made.settings(upstream.getsockname()[1])
        log = ends.enter_context((directory / "log").open("wb"))
        run = _started(ends, config, log, "run")
        made.wait(lambda: _alive(run, made) and _blocks(made.dns), "the resolver")
        made.desk = _desk(made)
        ends.callback(made.desk.close)
        pages = _started(ends, config, log, "desk", "serve")
        made.wait(lambda: _alive(pages, made) and _opens(made.pages), "the desk")
        window = http.server.ThreadingHTTPServer((HOST, made.window), _window(made.web))
        ends.callback(window.server_close)
        ends.callback(window.shutdown)
        threading.Thread(target=window.serve_forever, daemon=True).start()
        yield made


def _ports(count: int) -> list[int]:
    """Ports that are free now, for UDP and TCP."""
    held: list[socket.socket] = []
    found: list[int] = []
    while len(found) < count:
        tcp = socket.socket()
        tcp.bind((HOST, 0))
        held.append(tcp)
        port = tcp.getsockname()[1]
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        held.append(udp)
        with suppress(OSError):
            udp.bind((HOST, port))
            found.append(port)
    for each in held:
        each.close()
    return found


def _started(ends: ExitStack, config: Path, log: Any, *command: str) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(  # noqa: S603 - the program itself
        [sys.executable, "-m", "redhand", "--config", str(config), *command], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
    )
    ends.callback(_ended, process)
    return process


def _ended(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _alive(process: subprocess.Popen[bytes], made: Stage) -> bool:
    if process.poll() is not None:
        raise Failed(f"a process of the demonstration ended with status {process.returncode}; what it said:\n{made.said()}")
    return True


def _blocks(port: int) -> bool:
    """Whether the resolver answers, and by the demonstration's orders."""
    with suppress(dns.exception.DNSException, OSError):
        answer = dns.query.udp(dns.message.make_query(demonstration.NAME, "A"), HOST, timeout=0.2, port=port)
        return bool(answer.answer) and ELSEWHERE not in answer.answer[0].to_text()
    return False


def _opens(port: int) -> bool:
    with suppress(OSError, http.client.HTTPException):
        return _get(port, "/sign-in", {"Host": f"{HOST}:{port}"})[0] == 200
    return False


def _get(port: int, target: str, headers: dict[str, str]) -> tuple[int, str, str]:
    connection = http.client.HTTPConnection(HOST, port, timeout=ASK_SECONDS)
    try:
        connection.request("GET", target, headers=headers)
        response = connection.getresponse()
        return response.status, response.read().decode("utf-8", "replace"), response.getheader("Content-Type", "")
    finally:
        connection.close()


def _desk(made: Stage) -> Desk:
    """The desk's database, and people who may sign in."""
    desk = Desk(DeskSettings(directory=str(made.authority)), made.directory)
    migrations.upgrade(desk.store)
    people = [NewPerson(login, holder(office or login), roles, office=office) for login, (office, roles) in PEOPLE.items()]
    founding.setup(desk, people, desk.now())
    encoded = passwords.encode(PASSWORD)
    with desk.store.writing() as session:
        for login in PEOPLE:
            accounts.set_password(session, accounts.find(session, login), encoded)
    return desk


def _rest_of_the_world(listening: socket.socket) -> None:
    """Answers every question with one address, for as long as the socket is open."""
    with suppress(OSError):
        while True:
            data, client = listening.recvfrom(4096)
            with suppress(dns.exception.DNSException):
                asked = dns.message.from_wire(data)
                answer = dns.message.make_response(asked)
                answer.flags |= dns.flags.RA
                if asked.question and asked.question[0].rdtype == dns.rdatatype.A:
                    answer.answer = [dns.rrset.from_text(asked.question[0].name, 60, "IN", "A", ELSEWHERE)]
                listening.sendto(answer.to_wire(), client)


def _window(web: int) -> type[http.server.BaseHTTPRequestHandler]:
    """Shows a browser that does not ask our resolver what a visitor of the demonstration's name is shown."""

    class Window(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            language = self.headers.get("Accept-Language", "en")
            status, text, kind = _get(
                web, self.path, {"Host": demonstration.NAME, "Accept-Language": language, "Accept": self.headers.get("Accept", "")}
            )
            body = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Nobody is watched."""

    return Window
