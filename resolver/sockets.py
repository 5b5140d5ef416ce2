"""Binds the sockets that workers inherit: one UDP and one TCP socket for each worker and address.

Bound once, before any worker starts, and kept open: a worker that dies leaves its queue to its successor. The kernel spreads clients over the
workers' sockets (SO_REUSEPORT). Wildcards are expanded to the machine's addresses, so that a reply leaves from the address that was asked at no cost
a packet; an address that appears later is served after a restart. Where somebody else holds bound sockets (systemd), those are shared out instead.
It starts no process and reads no packet.
"""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from blocklists.endpoints import show_endpoint, split_endpoint
from blocklists.errors import ConfigurationError
from resolver.ports import omit_path_mtu

Transport = Literal["udp", "tcp"]

Endpoint = tuple[Transport, str, int]
"""Transport, address and port."""
Held = Mapping[Endpoint, list[socket.socket]]
"""Bound sockets that somebody else keeps open, at least one for each endpoint named."""

BUFFER_BYTES = 4 << 20
"""Queue of a UDP socket each way: 4 MiB hold about 5,000 queries (the kernel counts 768 bytes and more a small packet), over 100 ms of full load."""

BACKLOG = 1024
"""TCP connections waiting to be accepted; the kernel cuts it to net.core.somaxconn."""

# Like SO_RCVBUF and SO_SNDBUF, but past the machine's limit for those who may (CAP_NET_ADMIN); socket(7). The socket module does not name them.
SO_SNDBUFFORCE, SO_RCVBUFFORCE = 32, 33


@dataclass(frozen=True, slots=True)
class Bound:
    """A bound socket, and in a TCP socket's case listening; non-blocking, not inherited unless passed on."""

    socket: socket.socket
    transport: Transport
    address: str
    port: int

    def job(self) -> dict[str, object]:
        """How a worker is told of it."""
        return {"fd": self.socket.fileno(), "transport": self.transport, "address": self.address, "port": self.port}


@dataclass(slots=True)
class Listening:
    """What was bound: each worker's sockets, and what the operator should know."""

    workers: list[list[Bound]]
    endpoints: list[tuple[str, int]]
    warnings: list[str] = field(default_factory=list)

    def close(self) -> None:
        """Close every socket."""
        for worker in self.workers:
            for bound in worker:
                bound.socket.close()


def is_here(address: str) -> bool:
    """Whether this machine has the address, so that a socket may be bound to it."""
    try:
        family, target = _target(address, 0)
        with socket.socket(family, socket.SOCK_DGRAM) as trial:
            trial.bind(target)
    except OSError as error:
        absent = (errno.EADDRNOTAVAIL, errno.ENODEV, errno.EAFNOSUPPORT)
        return not isinstance(error, socket.gaierror) and error.errno not in absent  # other faults are for the real bind to tell
    return True


def expand(listen: Iterable[str]) -> list[tuple[str, int]]:
    """Addresses and ports, each once: 0.0.0.0 and [::] replaced by every address of their kind that this machine has now."""
    endpoints: dict[tuple[str, int], None] = {}
    for text in listen:
        address, port = split_endpoint(text)
        for own in _machine(address) if ipaddress.ip_address(address).is_unspecified else (address,):
            endpoints[own, port] = None
    return list(endpoints)


def _machine(wildcard: str) -> list[str]:
    import psutil  # noqa: PLC0415 - takes 5 ms to load, which a start with plain addresses need not spend

    family = socket.AF_INET6 if ":" in wildcard else socket.AF_INET
    found = [entry.address for entries in psutil.net_if_addrs().values() for entry in entries if entry.family == family]
    return [address for address in dict.fromkeys(found) if is_here(address)]


def bind(endpoints: Iterable[tuple[str, int]], workers: int, held: Held | None = None) -> Listening:
    """Bind every endpoint for every worker, or share out those `held`. Raises ConfigurationError if one cannot be had; nothing stays bound then."""
    listening = Listening([[] for _ in range(workers)], list(endpoints))
    clamped = BUFFER_BYTES
    try:
        for address, port in listening.endpoints:
            for transport in ("udp", "tcp"):
                if held:
                    shares = _share(held[transport, address, port], workers)
                else:
                    _free(transport, address, port)
                    shares = []
                for number, own in enumerate(listening.workers):
                    for opened in shares[number] if shares else [_open(transport, address, port, shared=True)]:
                        own.append(Bound(opened, transport, address, port))
                        if transport == "udp":
                            clamped = min(clamped, _widen(opened))
    except BaseException:
        listening.close()
        raise
    if clamped < BUFFER_BYTES:
        listening.warnings.append(
            f"UDP queues are {clamped >> 10} KiB, not {BUFFER_BYTES >> 20} MiB, so that bursts may be lost; "
            f"allow more with: sysctl -w net.core.rmem_max={BUFFER_BYTES} net.core.wmem_max={BUFFER_BYTES}"
        )
    return listening


def bind_tcp(address: str, port: int, setting: str) -> Bound:
    """One listening TCP socket, shared with no other program. Raises ConfigurationError naming the setting."""
    return Bound(_open("tcp", address, port, shared=False, setting=setting), "tcp", address, port)


def held_tcp(held: Held, address: str, port: int) -> list[Bound]:
    """What somebody else holds for one address of the landing page."""
    (share,) = _share(held["tcp", address, port], 1)
    return [Bound(opened, "tcp", address, port) for opened in share]


def _share(held: list[socket.socket], workers: int) -> list[list[socket.socket]]:
    """Each worker's part of one endpoint's sockets. More sockets than workers: none is left without one, since the kernel gives each its clients.

    Fewer: workers share one, and whoever is free first takes the next datagram or connection.
    """
    for each in held:
        each.setblocking(False)
        if each.type == socket.SOCK_DGRAM:
            omit_path_mtu(each)
    if len(held) >= workers:
        return [held[number::workers] for number in range(workers)]
    return [[held[number] if number < len(held) else held[number % len(held)].dup()] for number in range(workers)]


def _target(address: str, port: int) -> tuple[socket.AddressFamily, tuple[str | int, ...] | tuple[int, bytes]]:
    """Family and socket address; resolves the zone of a link-local address (fe80::1%eth0)."""
    family, _, _, _, target = socket.getaddrinfo(address, port, type=socket.SOCK_DGRAM, flags=socket.AI_NUMERICHOST)[0]
    return family, target


def _free(transport: Transport, address: str, port: int) -> None:
    """SO_REUSEPORT would let a second Red Hand bind beside the first and take half of its clients: bind once without it, and let go."""
    _open(transport, address, port, shared=False).close()


def _open(transport: Transport, address: str, port: int, *, shared: bool, setting: str = "resolver.listen") -> socket.socket:
    opened: socket.socket | None = None
    try:
        family, target = _target(address, port)
        opened = socket.socket(family, socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM)
        if family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if transport == "tcp":  # our own connections lingering from the last run do not count as a port in use
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if transport == "udp":
            omit_path_mtu(opened)
        if shared:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        opened.setblocking(False)
        opened.bind(target)
        if transport == "tcp":
            opened.listen(BACKLOG)
    except OSError as error:
        if opened is not None:
            opened.close()
        raise ConfigurationError(_refusal(error, transport, address, port, setting)) from None
    return opened


def _widen(opened: socket.socket) -> int:
    """Ask for 4 MiB each way; the smaller of what was granted, in bytes."""
    granted = BUFFER_BYTES
    for plain, force in ((socket.SO_RCVBUF, SO_RCVBUFFORCE), (socket.SO_SNDBUF, SO_SNDBUFFORCE)):
        if opened.getsockopt(socket.SOL_SOCKET, plain) // 2 >= BUFFER_BYTES:
            continue  # systemd may grant more than we could ask for: asking would cut it
        try:
            opened.setsockopt(socket.SOL_SOCKET, force, BUFFER_BYTES)
        except OSError:
            opened.setsockopt(socket.SOL_SOCKET, plain, BUFFER_BYTES)
        granted = min(granted, opened.getsockopt(socket.SOL_SOCKET, plain) // 2)  # the kernel doubles what it grants, for its own needs
    return granted


def _refusal(error: OSError, transport: Transport, address: str, port: int, setting: str) -> str:
    where = f"{show_endpoint(address, port)} ({transport.upper()})"
    if error.errno == errno.EADDRINUSE:
        return f"{where} is in use by {_holder(transport, port)}; stop it, or set {setting} to another port"
    if error.errno in (errno.EACCES, errno.EPERM):
        return (
            f"{where} needs a permission this user lacks: ports below 1024 are reserved; have systemd open it (redhand.socket), or grant "
            "CAP_NET_BIND_SERVICE (systemd: AmbientCapabilities=CAP_NET_BIND_SERVICE), or start it as root with `user` set to whom it is to become, "
            f"or set {setting} to a port above 1023"
        )
    if error.errno in (errno.EADDRNOTAVAIL, errno.ENODEV, errno.EAFNOSUPPORT) or isinstance(error, socket.gaierror):
        return f"{where} is no address of this machine; set {setting} to one that `ip address` shows"
    return f"{where} cannot be bound ({os.strerror(error.errno) if error.errno else error}); correct {setting}"


def _holder(transport: Transport, port: int) -> str:
    """Who has the port, as far as this user may see."""
    import psutil  # noqa: PLC0415 - as above

    for connection in psutil.net_connections(transport):
        if connection.laddr and connection.laddr.port == port and connection.pid and (transport == "udp" or connection.status == psutil.CONN_LISTEN):
            try:
                return f"{psutil.Process(connection.pid).name()} (process {connection.pid})"
            except psutil.Error:
                break
    return f"another program (as root, `ss -ln{transport[0]}p 'sport = :{port}'` names it)"
