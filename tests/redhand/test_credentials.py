"""The operator's own certificate from the settings' file to the wire: mistakes by line, the key read as root and kept, renewed without a restart."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from bench.certificates import Authority
from blocklists.errors import ConfigurationError
from redhand import activation, config, crosscheck
from redhand.assembly import landing
from redhand.credentials import credentials
from resolver.sockets import Bound
from tests.redhand.apart import Apart, apart
from tests.tools import DEADLINE, require, wait_for

OWN = "report.operator.example"


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


def loaded(directory: Path, **page: Any) -> config.Configuration:
    file = directory / "config.yaml"
    file.write_text(
        yaml.safe_dump({"landing": {"own_name": OWN, "listen_tls": ["127.0.0.1:18443"], "certificate": "own.pem", "key": "own.key", **page}})
    )
    return config.load(file, {})


def test_the_files_named_beside_the_settings_are_read_and_given_to_the_page_alone(tmp_path: Path, authority: Authority) -> None:
    chain, key = authority.issue([OWN], tmp_path, "own")
    own, told = credentials(loaded(tmp_path))
    assert own is not None
    assert (own.chain, own.key) == (chain.read_text(), key.read_text())
    assert [line.partition(" ends ")[0] for line in told] == [f"landing.certificate = {chain}"]
    key.chmod(0o644)
    assert any("can be read by every user" in line and f"chmod 0600 {key}" in line for line in credentials(loaded(tmp_path))[1])
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    page, secure = (Bound(each, "tcp", *each.getsockname()) for each in listeners)
    child = landing(loaded(tmp_path).settings, [page], [secure], own)
    assert child.job["secure"] == {"sockets": [secure.socket.fileno()], "chain": own.chain, "key": own.key}
    assert child.fds == (page.socket.fileno(), secure.socket.fileno())
    assert own.key not in repr(own)
    for each in listeners:
        each.close()


def test_without_a_place_to_listen_nothing_is_read(tmp_path: Path) -> None:
    assert credentials(loaded(tmp_path, listen_tls=[])) == (None, [])


@pytest.mark.parametrize(
    ("page", "line", "message"),
    [
        ({"own_name": ""}, 6, r"landing\.own_name = \"\": is needed by landing\.listen_tls"),
        ({"key": ""}, 3, r"landing\.key = \"\": is needed by landing\.listen_tls"),
        ({"own_name": "other.operator.example"}, 2, r"landing\.certificate = .* is for report\.operator\.example, not for other\.operator\.example"),
        ({"certificate": "gone.pem"}, 2, r"landing\.certificate .*gone\.pem.*: cannot be read \(No such file"),
        ({"key": "own.pem"}, 3, r"landing\.key .*: holds no private key"),
    ],
)
def test_mistakes_are_named_by_line_with_their_remedy(tmp_path: Path, authority: Authority, page: dict[str, str], line: int, message: str) -> None:
    authority.issue([OWN], tmp_path, "own")
    with pytest.raises(ConfigurationError, match=rf"config\.yaml:{line}: {message}"):
        credentials(loaded(tmp_path, **page))


def test_a_port_that_the_page_has_is_refused_to_the_own_pages(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"landing\.listen_tls\[0\] = \"127\.0\.0\.1:8080\": is taken by landing\.listen\[0\]"):
        crosscheck.check(loaded(tmp_path, listen_tls=["127.0.0.1:8080"]))


def test_systemd_passes_these_sockets_too(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        endpoint = listener.getsockname()
        held = activation.match([activation.Passed(listener, "redhand.socket")], [], [], [endpoint])
        assert held == {("tcp", *endpoint): [listener]}
        with pytest.raises(ConfigurationError, match=r"which landing\.listen_tls names; add ListenStream=127\.0\.0\.1:1 to the socket unit"):
            activation.match([activation.Passed(listener, "redhand.socket")], [], [endpoint], [("127.0.0.1", 1)])


@pytest.fixture
def place() -> Iterator[Apart]:
    with apart() as made:
        yield made


def serial(place: Apart) -> str:
    """Of the certificate on port 443 in there."""
    command = place.inside(require("openssl"), "s_client", "-connect", "127.0.0.1:443", "-servername", OWN)
    shown = subprocess.run(command, input="", capture_output=True, text=True, timeout=DEADLINE, check=False).stdout
    return subprocess.run(["openssl", "x509", "-noout", "-serial"], input=shown, capture_output=True, text=True, timeout=DEADLINE, check=False).stdout


def test_a_key_that_is_roots_is_read_at_the_start_kept_on_reload_and_renewed_when_it_can_be_read(place: Apart, authority: Authority) -> None:
    chain, key = authority.issue([OWN], place.directory, "own")
    page = {"listen": ["127.0.0.1:80"], "own_name": OWN, "listen_tls": ["127.0.0.1:443"], "certificate": str(chain), "key": str(key)}
    place.settings(user="nobody", landing=page)
    process = place.start(command="landing")
    wait_for(lambda: process.poll() is not None or "Ctrl-C stops it." in place.said(), "the first screen")
    assert process.poll() is None, place.said()
    assert f"https://{OWN}/" in place.said()
    first = serial(place)
    assert first.startswith("serial=")

    authority.issue([OWN], place.directory, "own")
    assert key.stat().st_mode & 0o077 == 0
    process.send_signal(signal.SIGHUP)
    wait_for(lambda: f"{key} cannot be read any more by the user that Red Hand runs as" in place.said() or "settings: nothing" in place.said(), "it")
    assert serial(place) == first

    os.chmod(key, 0o644)
    process.send_signal(signal.SIGHUP)
    wait_for(lambda: "settings: landing.certificate and key as they are now is in force" in place.said(), "the renewed certificate")
    assert serial(place) not in (first, "")
    assert key.read_text().splitlines()[1] not in "".join(each.read_text(errors="replace") for each in place.state_dir.rglob("*") if each.is_file())
