"""Addresses with ports, as settings and messages write them: `127.0.0.1:53`, `[::1]:53`."""

from __future__ import annotations

import ipaddress


def split_endpoint(text: str, default_port: int | None = None) -> tuple[str, int]:
    """Address and port of `127.0.0.1:5300`, `[::1]:5300`, or (with a default port) a bare address. Raises ValueError with the remedy."""
    host, port = text, ""
    if text.startswith("["):
        host, closed, rest = text[1:].partition("]")
        if not closed or (rest and not rest.startswith(":")):
            raise ValueError(f"{text!r} is not an address and port; write address and port, such as 192.0.2.1:53 or [2001:db8::1]:53")
        port = rest[1:]
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    elif default_port is not None and _reads_both_ways(text):
        host, _, port = text.rpartition(":")
        raise ValueError(f"{text!r} could be an address alone or an address with a port; write [{text}], or [{host}]:{port}")
    if not port:
        if default_port is None or text.endswith(":"):
            raise ValueError(f"{text!r} has no port; write address and port, such as 192.0.2.1:53 or [2001:db8::1]:53")
        port = str(default_port)
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        raise ValueError(f"{host!r} is not an IP address; write address and port, such as 192.0.2.1:53 or [2001:db8::1]:53") from None
    if not port.isascii() or not port.isdigit() or not 1 <= int(port) <= 65535:
        raise ValueError(f"{port!r} is not a port; use a number from 1 to 65535")
    return str(address), int(port)


def _reads_both_ways(text: str) -> bool:
    """Whether the last part of a bare IPv6 address would also do as a port behind a whole address, as in ::1:5300."""
    host, _, port = text.rpartition(":")
    try:
        ipaddress.IPv6Address(host)
    except ValueError:
        return False
    return port.isascii() and port.isdigit() and 1 <= int(port) <= 65535


def show_endpoint(address: str, port: int) -> str:
    """`127.0.0.1:53` or `[::1]:53`."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
