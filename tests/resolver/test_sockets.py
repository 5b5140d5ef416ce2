"""Sockets are bound once, for every worker and address, and what cannot be bound is refused with who has it and what to do."""

from __future__ import annotations

import socket

import psutil
import pytest

from blocklists.errors import ConfigurationError
from resolver import sockets
from resolver.sockets import BUFFER_BYTES, bind, bind_tcp, expand, is_here
from tests.tools import free_ports


def test_each_worker_gets_a_udp_and_a_tcp_socket_for_each_address() -> None:
    first, second = free_ports(2)
    listening = bind([("127.0.0.1", first), ("127.0.0.1", second)], workers=3)
    try:
        for own in listening.workers:
            assert [(bound.transport, bound.port) for bound in own] == [("udp", first), ("tcp", first), ("udp", second), ("tcp", second)]
            for bound in own:
                assert bound.socket.getsockname() == ("127.0.0.1", bound.port)
                assert not bound.socket.getblocking()
                assert not bound.socket.get_inheritable()
        numbers = [bound.job()["fd"] for own in listening.workers for bound in own]
        assert len(set(numbers)) == 12
    finally:
        listening.close()


def test_the_kernel_spreads_clients_over_the_workers() -> None:
    (port,) = free_ports(1)
    listening = bind([("127.0.0.1", port)], workers=2)
    try:
        for _ in range(64):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
                client.sendto(b"x", ("127.0.0.1", port))
        got = []
        for own in listening.workers:
            count = 0
            while True:
                try:
                    own[0].socket.recv(16)
                except BlockingIOError:
                    break
                count += 1
            got.append(count)
        assert sum(got) == 64
        assert min(got) > 0
    finally:
        listening.close()


def test_buffers_are_four_mebibytes_or_the_operator_is_warned() -> None:
    listening = bind([("127.0.0.1", free_ports(1)[0])], workers=1)
    try:
        udp = listening.workers[0][0].socket
        granted = min(udp.getsockopt(socket.SOL_SOCKET, option) // 2 for option in (socket.SO_RCVBUF, socket.SO_SNDBUF))
        if granted >= BUFFER_BYTES:
            assert listening.warnings == []
        else:
            assert len(listening.warnings) == 1
            assert "net.core.rmem_max" in listening.warnings[0]
    finally:
        listening.close()


def test_queues_that_the_kernel_cuts_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "BUFFER_BYTES", 1 << 30)  # one more octet than Linux grants to anyone
    listening = bind([("127.0.0.1", free_ports(1)[0])], workers=2)
    listening.close()
    (warning,) = listening.warnings
    assert "bursts may be lost" in warning
    assert "sysctl -w net.core.rmem_max=" in warning


@pytest.mark.skipif(not is_here("::1"), reason="IPv6 is switched off here")
def test_ipv6_takes_no_ipv4() -> None:
    (port,) = free_ports(1, "::1")
    listening = bind([("::1", port)], workers=1)
    try:
        assert all(bound.socket.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY) for bound in listening.workers[0])
    finally:
        listening.close()


def test_wildcards_become_the_machine_s_addresses_each_once() -> None:
    endpoints = expand(["0.0.0.0:5300", "127.0.0.1:5300", "127.0.0.1:5301"])
    assert endpoints.count(("127.0.0.1", 5300)) == 1
    assert ("127.0.0.1", 5301) in endpoints
    assert not any(address in ("0.0.0.0", "::") for address, _ in endpoints)
    everywhere = {entry.address for entries in psutil.net_if_addrs().values() for entry in entries if entry.family == socket.AF_INET}
    assert {address for address, port in endpoints if port == 5300} == everywhere


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM])
def test_a_port_in_use_is_refused_naming_who_has_it(kind: socket.SocketKind) -> None:
    with socket.socket(socket.AF_INET, kind) as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)  # as another Red Hand would: the port is refused all the same
        [port] = free_ports(1)
        other.bind(("127.0.0.1", port))
        if kind == socket.SOCK_STREAM:
            other.listen()
        with pytest.raises(ConfigurationError) as caught:
            bind([("127.0.0.1", port)], workers=2)
    assert f"127.0.0.1:{port} ({'UDP' if kind == socket.SOCK_DGRAM else 'TCP'}) is in use by {psutil.Process().name()} (process" in str(caught.value)
    assert "set resolver.listen to another port" in str(caught.value)
    bind([("127.0.0.1", port)], workers=2).close()  # nothing stayed bound


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"203\.0\.113\.254:5300 \(UDP\) is no address of this machine"):
        bind([("203.0.113.254", 5300)], workers=1)
    assert not is_here("203.0.113.254")
    assert not is_here("fe80::1%absent")
    assert is_here("127.0.0.77")


def test_a_landing_port_in_use_names_its_own_setting() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other, pytest.raises(ConfigurationError, match=r"set landing\.listen to another port"):
        bind_tcp("127.0.0.1", other.getsockname()[1], "landing.listen")
