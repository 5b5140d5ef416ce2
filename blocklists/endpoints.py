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


def show_endpoint(address: str, port: int) -> str:
    """`127.0.0.1:53` or `[::1]:53`."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
