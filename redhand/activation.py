"""Sockets that systemd bound for us (sd_listen_fds(3)): taken from what it passed, and held against the settings.

They are the same whoever restarts what: systemd keeps them open, so that what arrives while Red Hand is not there waits in their queues, and no
process of ours ever needs the right to bind port 53. Either all that the settings name are passed, or none: a listener that was forgotten in one of
two files must not go unnoticed. Nothing is bound and nothing is read here.
"""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Iterable, MutableMapping
from dataclasses import dataclass

from blocklists.endpoints import show_endpoint
from blocklists.errors import ConfigurationError
from resolver.sockets import Endpoint

FIRST = 3
"""The first descriptor systemd passes (SD_LISTEN_FDS_START); the others follow it."""

VARIABLES = ("LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "LISTEN_PIDFDID")


@dataclass(frozen=True, slots=True)
class Passed:
    """A socket and the name of the unit it is from."""

    socket: socket.socket
    unit: str


def take(variables: MutableMapping[str, str]) -> list[Passed]:
    """The sockets passed to this process, and to none it starts; the variables that say so are removed. Raises ConfigurationError."""
    found = {name: variables.pop(name, "") for name in VARIABLES}
    if found["LISTEN_PID"] != str(os.getpid()) or not found["LISTEN_FDS"].isdecimal():
        return []
    names = found["LISTEN_FDNAMES"].split(":")
    passed = []
    for number in range(int(found["LISTEN_FDS"])):
        unit = names[number] if number < len(names) else ""
        try:
            os.set_inheritable(FIRST + number, False)
            passed.append(Passed(socket.socket(fileno=FIRST + number), unit or "unknown"))
        except OSError as error:
            raise ConfigurationError(
                f"what systemd passed as descriptor {FIRST + number} ({unit or 'unknown'}) is no socket ({error.strerror}); "
                "a socket unit of Red Hand has ListenDatagram= and ListenStream= lines only"
            ) from None
    return passed


def match(
    passed: Iterable[Passed], dns: Iterable[tuple[str, int]], page: Iterable[tuple[str, int]], secure: Iterable[tuple[str, int]] = ()
) -> dict[Endpoint, list[socket.socket]]:
    """What was passed, by transport, address and port: all that the resolver (`dns`), the landing page (`page`) and the operator's own pages over TLS
    (`secure`) listen on. Empty when nothing was.

    Raises ConfigurationError naming everything that is missing, and everything that no setting names.
    """
    held: dict[Endpoint, list[socket.socket]] = {}
    wrong = []
    wanted: dict[Endpoint, str] = {}
    for address, port in dns:
        wanted["udp", address, port] = wanted["tcp", address, port] = "resolver.listen"
    for address, port in page:
        wanted["tcp", address, port] = "landing.listen"
    for address, port in secure:
        wanted["tcp", address, port] = "landing.listen_tls"
    for each in passed:
        endpoint = _endpoint(each.socket)
        if endpoint is None:
            wrong.append(f"a socket of {each.unit} is neither a UDP nor a listening TCP socket; use ListenDatagram= and ListenStream=, Accept=no")
        elif endpoint in wanted:
            held.setdefault(endpoint, []).append(each.socket)
        else:
            wrong.append(_unknown(endpoint, each.unit))
    if held or wrong:
        for endpoint, setting in wanted.items():
            if endpoint not in held:
                line = f"Listen{'Datagram' if endpoint[0] == 'udp' else 'Stream'}={show_endpoint(*endpoint[1:])}"
                wrong.append(f"no {_shown(endpoint)} was passed, which {setting} names; add {line} to the socket unit, or correct {setting}")
    if wrong:
        raise ConfigurationError("\n  ".join(("the sockets that systemd passed are not those of the settings:", *wrong)))
    return held


def _endpoint(found: socket.socket) -> Endpoint | None:
    if found.family not in (socket.AF_INET, socket.AF_INET6):
        return None
    address, port = found.getsockname()[:2]
    address = str(ipaddress.ip_address(address))
    if found.type == socket.SOCK_DGRAM:
        return "udp", address, port
    if found.type == socket.SOCK_STREAM and found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        return "tcp", address, port
    return None


def _unknown(endpoint: Endpoint, unit: str) -> str:
    transport, address, port = endpoint
    what = f"{_shown(endpoint)} of {unit}"
    if transport == "udp" and ipaddress.ip_address(address).is_unspecified:
        return (
            f"{what} is a wildcard, whose answers could leave from another address than was asked; "
            "write a ListenDatagram= and a ListenStream= line for each address"
        )
    return f"{what} is named by no setting; add {show_endpoint(address, port)!r} to resolver.listen or landing.listen, or take it out of the unit"


def _shown(endpoint: Endpoint) -> str:
    return f"{show_endpoint(*endpoint[1:])} ({endpoint[0].upper()})"
