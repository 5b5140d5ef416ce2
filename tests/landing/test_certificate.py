"""The operator's own certificate: served for one name and no other, over sockets, as openssl and Python see it; and what of it is refused before."""

from __future__ import annotations

import contextlib
import datetime
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from bench.certificates import Authority
from landing import secure
from landing.certificate import BadCertificate, Credentials, judge, read
from tests.landing.samples import order, put_in_force
from tests.landing.server import Landing
from tests.tools import DEADLINE, in_time, require

OWN = "report.operator.example"
NOW = int(time.time())


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def landing(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[Landing]:
    directory = tmp_path_factory.mktemp("secure")
    (directory / "ca.pem").write_bytes(authority.pem)
    put_in_force(directory, order("blocked.example"))
    files = authority.issue([OWN], directory)
    with Landing(directory, secure=files, own_name=OWN, listen_tls=["127.0.0.1:443"]) as found:
        found.wait_for("blocked.example", 451)
        yield found


def s_client(landing: Landing, *words: str) -> str:
    """What openssl says of a handshake."""
    command = [require("openssl"), "s_client", "-connect", f"127.0.0.1:{landing.secure_port}", "-msg", *words]
    done = subprocess.run(command, input="", capture_output=True, text=True, timeout=DEADLINE, check=False)
    return done.stdout + done.stderr


def trusting(landing: Landing) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(landing.errors.parent / "ca.pem"))


def ask(landing: Landing, host: str, target: str = "/", name: str = OWN) -> bytes:
    """The answer to one request over TLS, as it came."""
    with (
        socket.create_connection(("127.0.0.1", landing.secure_port), timeout=DEADLINE) as plain,
        trusting(landing).wrap_socket(plain, server_hostname=name) as secured,
    ):
        secured.sendall(f"GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        answer = b""
        while more := secured.recv(65536):
            answer += more
        return answer


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
@pytest.mark.parametrize(
    "asked", [("-servername", "blocked.example"), ("-noservername",), ("-servername", f"www.{OWN}"), ("-servername", "operator.example")]
)
def test_any_other_name_and_none_is_refused_before_a_certificate_is_sent(landing: Landing, asked: tuple[str, ...], version: str) -> None:
    said = s_client(landing, version, *asked)
    assert "unrecognized name" in said
    assert "SSL alert number 112" in said
    assert "no peer certificate available" in said
    assert ", Certificate" not in said


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_its_own_name_is_answered_in_any_case_and_no_session_is_kept(landing: Landing, version: str) -> None:
    said = s_client(landing, version, "-servername", OWN.upper(), "-alpn", "h2,http/1.1", "-CAfile", str(landing.errors.parent / "ca.pem"))
    assert "Verify return code: 0 (ok)" in said
    assert "ALPN protocol: http/1.1" in said
    assert "TLS session ticket:" not in said


def test_old_versions_of_tls_and_plain_http_are_not_spoken(landing: Landing) -> None:
    assert "alert protocol version" in s_client(landing, "-tls1_1", "-cipher", "ALL:@SECLEVEL=0", "-servername", OWN)
    with socket.create_connection(("127.0.0.1", landing.secure_port), timeout=DEADLINE) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\nHost: blocked.example\r\n\r\n")
        answer = b""
        try:
            while more := plain.recv(4096):
                answer += more
        except ConnectionResetError:
            pass
        assert b"HTTP" not in answer


@pytest.mark.parametrize("host", ["blocked.example", "127.0.0.1", "", f"www.{OWN}", f"{OWN}/x"])
def test_a_request_for_another_name_over_a_connection_made_for_ours_is_misdirected(landing: Landing, host: str) -> None:
    assert ask(landing, host).startswith(b"HTTP/1.1 421 ")
    assert ask(landing, host, f"http://{OWN}/").startswith(b"HTTP/1.1 421 ") is False


def test_the_own_pages_are_served_and_linked_to(landing: Landing) -> None:
    answer = ask(landing, OWN, "/report?order=XX-2026-000123&name=blocked.example")
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"Example Telecom" in answer
    assert f'href="https://{OWN}/report?order=' in landing.ask("blocked.example").text


def test_who_comes_without_tls_is_sent_there(landing: Landing) -> None:
    for target in ("/", "/report?order=XX-2026-000123&name=blocked.example"):
        sent = landing.ask(OWN, target)
        assert (sent.status, sent["location"]) == (308, f"https://{OWN}{target}")
    assert landing.ask(OWN, "/report", "POST", "Content-Length: 0\r\n").status != 308, "what was sent crossed the network already"


def test_who_does_not_finish_a_handshake_is_cut_and_keeps_nobody_waiting(landing: Landing) -> None:
    with contextlib.ExitStack() as held:
        silent = [
            held.enter_context(socket.create_connection(("127.0.0.1", landing.secure_port), timeout=DEADLINE)) for _ in range(secure.HANDSHAKES + 20)
        ]
        assert ask(landing, OWN).startswith(b"HTTP/1.1 200 ")
        assert silent[0].recv(1) == b"", "the oldest gave way"
    assert landing.errors.read_text() == "", "a stranger's handshake is nothing to log"


def test_who_does_not_finish_a_request_over_tls_is_cut(tmp_path: Path, authority: Authority) -> None:
    put_in_force(tmp_path, order("blocked.example"))
    (tmp_path / "ca.pem").write_bytes(authority.pem)
    files = authority.issue([OWN], tmp_path)
    with (
        Landing(tmp_path, secure=files, own_name=OWN, listen_tls=["127.0.0.1:443"], head_seconds=0.5, idle_seconds=60) as hurried,
        socket.create_connection(("127.0.0.1", hurried.secure_port), timeout=DEADLINE) as plain,
        trusting(hurried).wrap_socket(plain, server_hostname=OWN) as halfway,
    ):
        halfway.sendall(b"GET / HTTP/1.1\r\nHost: re")
        assert halfway.recv(1) == b"", "a request head has head_seconds"


def test_it_ends_in_time_with_connections_open(tmp_path: Path, authority: Authority) -> None:
    put_in_force(tmp_path, order("blocked.example"))
    (tmp_path / "ca.pem").write_bytes(authority.pem)
    files = authority.issue([OWN], tmp_path)

    def end(_: int) -> float:
        with (
            Landing(tmp_path, secure=files, own_name=OWN, listen_tls=["127.0.0.1:443"], head_seconds=60, idle_seconds=60) as landing,
            socket.create_connection(("127.0.0.1", landing.secure_port), timeout=DEADLINE),
            socket.create_connection(("127.0.0.1", landing.secure_port), timeout=DEADLINE) as plain,
            trusting(landing).wrap_socket(plain, server_hostname=OWN),
        ):
            took = landing.stop()
            assert landing.process.returncode == 0
            return took

    assert in_time(end, 3)


# --- what is refused before anything is served with it


def test_a_pair_for_the_name_is_taken_by_itself_or_by_a_star(authority: Authority, tmp_path: Path) -> None:
    for names in ([OWN], ["x.example", OWN.upper()], ["*.operator.example"]):
        (warning,) = judge(read(*authority.issue(names, tmp_path)), OWN, NOW)
        assert warning.startswith("ends "), "a week is less than two"


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["operator.example"], r"^is for operator.example, not for report.operator.example \(landing.own_name\); have one issued for it"),
        (["*.example"], "is for"),
        (["*.report.operator.example"], "is for"),
        (["report.operator.example.evil.test"], "is for"),
    ],
)
def test_a_certificate_for_another_name_is_refused(authority: Authority, tmp_path: Path, names: list[str], message: str) -> None:
    with pytest.raises(BadCertificate, match=message) as refused:
        judge(read(*authority.issue(names, tmp_path)), OWN, NOW)
    assert refused.value.setting == "certificate"


def test_an_old_certificate_is_warned_of_and_served(authority: Authority, tmp_path: Path) -> None:
    own = read(*authority.issue([OWN], tmp_path, life=datetime.timedelta(hours=-1)))
    (warning,) = judge(own, OWN, NOW)
    assert warning.startswith("ended ")
    (early,) = judge(own, OWN, NOW - 86400 * 30)
    assert early.startswith("is not valid before ")
    assert judge(read(*authority.issue([OWN], tmp_path, life=datetime.timedelta(days=90))), OWN, NOW) == []


def test_what_is_no_pair_is_refused_with_the_file_to_look_at(authority: Authority, tmp_path: Path) -> None:
    chain, key = authority.issue([OWN], tmp_path)
    other = authority.issue([OWN], tmp_path, "other")[1]
    locked = load_pem_private_key(key.read_bytes(), None).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"secret")
    )
    text, secret = chain.read_text(), key.read_text()
    for own, setting, message in (
        (Credentials(text, other.read_text()), "key", "is not the key of landing.certificate"),
        (Credentials(text, locked.decode()), "key", "is locked with a passphrase"),
        (Credentials(text, text), "key", "holds no private key"),
        (Credentials(secret, secret), "certificate", "holds no server certificate"),
        (Credentials(authority.pem.decode(), secret), "certificate", "holds no server certificate"),
    ):
        with pytest.raises(BadCertificate, match=message) as refused:
            judge(own, OWN, NOW)
        assert refused.value.setting == setting
    (tmp_path / "large").write_bytes(b"-----BEGIN " + b"x" * 70_000)
    for path in (tmp_path / "large", tmp_path / "missing", tmp_path):
        with pytest.raises(BadCertificate):
            read(path, key)
    assert secret not in repr(Credentials(text, secret))
