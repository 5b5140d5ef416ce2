"""The exported set under a real nginx, held to what the landing page itself says of the same version: status, headers, language and every octet."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from landing.export import CONFIGURATION, MANIFEST, BadExport, export
from landing.settings import LandingSettings
from tests.landing.samples import NOW, order, put_in_force
from tests.landing.server import Answer, Client, Landing
from tests.landing.test_kinds import ROWS
from tests.tools import free_ports, require, wait_for

MAIN = """
daemon off; worker_processes 1; pid {folder}/pid; {user}
events {{ worker_connections 256; }}
http {{
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    include {set}/{configuration};
}}
"""  # noqa: E501

ITS_OWN = {"date", "server", "connection", "content-length", "transfer-encoding"}
"""Fields that are each server's own matter."""


@dataclass
class Nginx:
    """A real nginx over one exported set."""

    port: int
    folder: Path
    said: str

    def ask(self, host: str | bytes | None, target: str = "/", method: str = "GET", fields: str = "", version: str = "1.1") -> Answer:
        octets = host.encode() if isinstance(host, str) else host
        line = b"" if octets is None else b"Host: " + octets + b"\r\n"
        with Client(self.port) as client:
            client.send(f"{method} {target} HTTP/{version}\r\n".encode() + line + fields.encode() + b"Connection: close\r\n\r\n")
            received = b""
            while piece := client.socket.recv(65536):
                received += piece
        head, _, body = received.partition(b"\r\n\r\n")
        answer = Answer(head, b"")
        return Answer(head, _unchunked(body) if "transfer-encoding" in answer else body)


def _unchunked(body: bytes) -> bytes:
    whole = b""
    while True:
        size, _, body = body.partition(b"\r\n")
        if not size or not (length := int(size, 16)):
            return whole
        whole += body[:length]
        body = body[length + 2 :]


@pytest.fixture(scope="module")
def nginx(landing: Landing, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    program = require("nginx")
    folder = tmp_path_factory.mktemp("nginx")
    (port,) = free_ports(1)
    page = {"operator": "Example Telecom", "listen": [f"127.0.0.1:{port}"], "own_name": "report.operator.example"}
    settings = {"state_dir": str(landing.errors.parent), "landing": page}  # no feed takes reports: no page leads to the form
    (folder / "config.yaml").write_text(json.dumps(settings))
    command = [sys.executable, "-m", "redhand", "landing", "export", str(folder / "set"), "--config", str(folder / "config.yaml")]
    told = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=folder)
    assert told.returncode == 0, told.stderr
    (folder / "set" / "proofs").mkdir()
    (folder / "set" / "proofs" / "blocked.example.json").write_bytes(b"{}\n")  # real ones: test_signed
    user = "user root;" if os.geteuid() == 0 else ""  # or it would give its worker to a user who may not enter pytest's directories
    (folder / "nginx.conf").write_text(MAIN.format(folder=folder, set=folder / "set", configuration=CONFIGURATION, user=user))
    with subprocess.Popen(
        [program, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")], stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            found = Nginx(port, folder / "set", told.stdout)

            def up() -> bool:
                assert process.poll() is None, (folder / "error.log").read_text()
                try:
                    return found.ask("blocked.example").status == 451
                except OSError:
                    return False

            wait_for(up, "nginx serves")
            yield found
        finally:
            process.terminate()


def compared(nginx: Nginx, landing: Landing, *asked: Any, **how: Any) -> Answer:
    """nginx's answer, after it was held to the page's own."""
    live, static = landing.ask(*asked, **how), nginx.ask(*asked, **how)
    assert static.status == live.status, (asked, how)
    assert sorted(field for field in static.fields if field[0] not in ITS_OWN) == sorted(field for field in live.fields if field[0] not in ITS_OWN)
    assert static.body == live.body, (asked, how)
    return static


HOSTS = [
    "blocked.example",
    "www.blocked.example",
    "a.b.c.blocked.example:8080",
    "BLOCKED.Example.",
    "exact.example",
    "www.exact.example",
    "deep.blocked.example",
    "x.deep.blocked.example",
    "own.example",
    "www.own.example",
    "passed.example",
    "future.example",
    "limited.example",
    "hostile.example",
    "notblocked.example",
    "example",
    "xn--caf-dma.example",
    "www.xn--caf-dma.example",
    "_x.xn--caf-dma.example",
    "www.xn--4dbrk0ce.example",
    "127.0.0.1",
    "[::1]:80",
]


@pytest.mark.parametrize("host", HOSTS)
def test_each_host_gets_the_very_page(nginx: Nginx, landing: Landing, host: str) -> None:
    compared(nginx, landing, host)
    compared(nginx, landing, host, "/a/b?c=d&lang=fr")
    compared(nginx, landing, host, fields="Accept: application/json\r\nAccept-Language: ar\r\n")


@pytest.mark.parametrize(
    "wanted",
    [
        "fr",
        "fr-CA, en;q=0.5",
        "FR",
        "ru, de;q=0.8, fr;q=0.7",
        "fr;q=0, en",
        "fr;q=0",
        "*",
        "french",
        "x-fr",
        "it ;q=0.5",
        "",
        "en,fr",
        "ar-EG,ar;q=0.9",
    ],
)
def test_the_language_is_negotiated_as_the_page_does(nginx: Nginx, landing: Landing, wanted: str) -> None:
    compared(nginx, landing, "blocked.example", fields=f"Accept-Language: {wanted}\r\n" if wanted else "")
    compared(nginx, landing, "nothing.example", fields=f"Accept-Language: {wanted}\r\n" if wanted else "")


@pytest.mark.parametrize("target", ["/?lang=ar", "/x?lang=de", "/?lang=xx", "/?a=1&lang=it"])
def test_the_switch_outweighs_the_browser(nginx: Nginx, landing: Landing, target: str) -> None:
    compared(nginx, landing, "blocked.example", target, fields="Accept-Language: fr\r\n")


def test_the_table_of_kinds(nginx: Nginx, landing: Landing) -> None:
    for row in ROWS:
        if row.get("path") == "*" or row.get("method") == "TRACE":
            continue  # nginx refuses both before it asks its configuration
        fields = {"Accept": row.get("accept"), "Sec-Fetch-Dest": row.get("dest"), "Origin": "http://other.example" if row.get("origin") else None}
        if row.get("preflight"):
            fields["Access-Control-Request-Method"] = "PUT"
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items() if value)
        for host in ("blocked.example", "own.example"):
            compared(nginx, landing, host, row.get("path", "/"), row.get("method", "GET"), lines)


@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "DELETE", "PROPFIND"])
def test_every_method_is_answered(nginx: Nginx, landing: Landing, method: str) -> None:
    static = nginx.ask("blocked.example", "/form", method, "Accept: text/html\r\nContent-Length: 0\r\n")
    assert (static.status, bool(static.body)) == (451, method != "HEAD")


def test_a_large_body_is_not_read_and_the_page_comes(nginx: Nginx) -> None:
    answer = nginx.ask("blocked.example", "/upload", "POST", "Content-Length: 0\r\n")
    with Client(nginx.port) as client:
        client.send(b"POST /upload HTTP/1.1\r\nHost: blocked.example\r\nContent-Length: 9000000\r\n\r\n" + bytes(1000))
        begin = client.socket.recv(12)
    assert answer.status == 451
    assert begin == b"HTTP/1.1 451"


def test_older_and_other_forms_of_requests(nginx: Nginx) -> None:
    assert nginx.ask("blocked.example", version="1.0").status == 451
    assert nginx.ask(None, version="1.0").status == 404
    assert nginx.ask("nothing.example", "http://blocked.example/x").status == 451
    for host in ("a..b", "blocked.example/path", b"blocked\xff.example", "<b>.blocked.example", 'a"b.blocked.example', "$host.blocked.example"):
        answer = nginx.ask(host)
        assert answer.status in {400, 404}
        assert b"nginx" not in answer.body
        assert answer["cache-control"] == "no-store"


def test_a_name_that_only_python_can_decode_is_shown_in_its_labels(nginx: Nginx) -> None:
    answer = nginx.ask("xn--bcher-kva.xn--caf-dma.example")
    assert "<bdi>xn--bcher-kva.xn--caf-dma.example</bdi>" in answer.text


def test_texts_of_orders_run_no_server_side_include(landing: Landing, nginx: Nginx) -> None:
    for fields in ("", "Accept: application/json\r\n"):
        static = nginx.ask("included.example", fields=fields)
        live = landing.ask("included.example", fields=fields)
        assert static.status == live.status == 451
        assert b"redhand_name" not in static.body
        if fields:
            assert json.loads(static.body) == json.loads(live.body)
            assert '<!--#echo var="document_root" -->' in json.loads(static.body)["orders"][0]["reasons"]
        else:
            assert static.body == live.body


def test_a_proof_is_had_under_any_host_and_its_absence_is_said(nginx: Nginx, landing: Landing) -> None:
    found = nginx.ask("www.blocked.example", "/.well-known/redhand/proof/blocked.example?x")
    assert (found.status, found["content-type"], found.body) == (200, "application/json", b"{}\n")
    assert found["content-disposition"] == 'attachment; filename="blocked.example.proof.json"'
    assert (found["cache-control"], found["referrer-policy"]) == ("no-store", "no-referrer")
    compared(nginx, landing, "blocked.example", "/.well-known/redhand/proof/other.example", fields="Accept-Language: fr\r\n")
    for path in ("", "..", "../../pages", "%2e%2e/x", "blocked.example.json"):
        assert nginx.ask("blocked.example", f"/.well-known/redhand/proof/{path}").body != b"{}\n"


def test_nothing_of_the_set_is_had_by_its_own_path(nginx: Nginx) -> None:
    token = next(line.split("/")[1] for line in (nginx.folder / CONFIGURATION).read_text().splitlines() if "error_page 451" in line)
    for path in (f"/{token}/451/html/", f"/{token}/451/small/image.svg", f"/{MANIFEST}", f"/{CONFIGURATION}", f"/{token}/../{MANIFEST}"):
        answer = nginx.ask("nothing.example", path)
        assert answer.status in {400, 404}
        assert b"No site at this address" in answer.body or answer.status == 400


def test_nothing_about_a_visitor_is_written(nginx: Nginx) -> None:
    nginx.ask("mark-in-host.blocked.example", "/mark-in-path", fields="User-Agent: mark-in-agent\r\nCookie: mark-in-cookie\r\n")
    nginx.ask("mark..in-host", "/mark-in-path")
    written = b"".join(path.read_bytes() for path in nginx.folder.parent.rglob("*") if path.is_file())
    assert b"mark-in" not in written


def test_it_says_what_it_wrote_and_until_when(nginx: Nginx) -> None:
    assert "pages for the" in nginx.said
    assert "They are right until 2098-" in nginx.said
    assert f"include {nginx.folder / CONFIGURATION};" in nginx.said
    manifest = json.loads((nginx.folder / MANIFEST).read_text())
    assert manifest["serial"] == 1
    assert all((nginx.folder / name).is_file() for name in manifest["files"])


def test_a_set_is_replaced_and_the_one_before_it_is_kept_for_those_who_still_read_it(tmp_path: Path) -> None:
    settings = LandingSettings()
    put_in_force(tmp_path, order("first.example", id="XX-1"))
    first = export(settings, tmp_path, tmp_path / "set", NOW)
    before = set(json.loads((tmp_path / "set" / MANIFEST).read_text())["files"])
    again = export(settings, tmp_path, tmp_path / "set", NOW)
    assert (first.serial, first.names, first.pages) == (again.serial, again.names, again.pages) == (1, 1, 1)
    put_in_force(tmp_path, order("second.example", id="XX-2"))
    export(settings, tmp_path, tmp_path / "set", NOW)
    assert all((tmp_path / "set" / name).exists() for name in before)
    put_in_force(tmp_path, order("third.example", id="XX-3"))
    export(settings, tmp_path, tmp_path / "set", NOW)
    after = set(json.loads((tmp_path / "set" / MANIFEST).read_text())["files"])
    assert not any((tmp_path / "set" / name).exists() for name in before - after)
    assert not list((tmp_path / "set").rglob(".*"))


def test_what_cannot_be_exported_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_in_force(tmp_path, order("first.example", "second.example"), order("third.example", id="XX-3"), own=("own.example",))
    with pytest.raises(BadExport, match="choose another directory"):
        export(LandingSettings(), tmp_path, tmp_path / "a;b", NOW)
    monkeypatch.setattr("landing.export.MOST_NAMES", 2)
    with pytest.raises(BadExport, match="keep the landing page itself"):
        export(LandingSettings(), tmp_path, tmp_path / "set", NOW)
    monkeypatch.setattr("landing.export.MOST_NAMES", 1000)
    monkeypatch.setattr("landing.export.MOST_PAGES", 2)
    with pytest.raises(BadExport, match="keep the landing page itself"):
        export(LandingSettings(), tmp_path, tmp_path / "set", NOW)
