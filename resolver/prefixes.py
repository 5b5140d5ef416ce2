"""The networks by which clients are told apart, from addresses as sockets give them: canonical text.

One subscriber has one IPv4 address or one IPv6 /64 (RFC 6177 lets him have more, so a /64 is the least), and may use any address in it. Prefixes
are text, equal exactly when the networks are, held in memory only and never stored or logged.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Generic, TypeVar

Value = TypeVar("Value")
IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


def client_of(address: str) -> str:
    """One client: an IPv4 address as it is; of an IPv6 address the /64, its first four groups; of a mapped one the IPv4 address."""
    if ":" not in address:
        return address
    groups = address.split(":", 4)
    if len(groups) == 5 and "" not in groups[:4]:
        return ":".join(groups[:4])
    plain = as_address(address)
    if isinstance(plain, ipaddress.IPv4Address):
        return str(plain)
    number = int(plain) >> 64
    return f"{number >> 48:x}:{number >> 32 & 0xFFFF:x}:{number >> 16 & 0xFFFF:x}:{number & 0xFFFF:x}"


def site_of(address: str) -> str:
    """Whom a stranger's address may belong to: its IPv4 /24 or IPv6 /56. Coarser than a client, because strangers' addresses are often forged."""
    client = client_of(address)
    return client[:-2] if ":" in client and len(client.rpartition(":")[2]) > 2 else client.rpartition(":" if ":" in client else ".")[0]


def as_address(text: str) -> IPAddress:
    """An address without its zone; the IPv4 address that is mapped into an IPv6 one (RFC 4291 section 2.5.5.2)."""
    address: IPAddress = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


class Networks(Generic[Value]):
    """What is said of networks; an address is looked up by one dictionary lookup for each length of prefix among them."""

    def __init__(self, networks: Mapping[str, Value]) -> None:
        """`networks` as text; the most specific that has an address wins."""
        self._by_length: dict[int, list[tuple[int, dict[int, Value]]]] = {}
        parsed = [(ipaddress.ip_network(text), value) for text, value in networks.items()]
        for version, bits in ((4, 32), (6, 128)):
            lengths: dict[int, dict[int, Value]] = {}
            for network, value in parsed:
                if network.version == version:
                    shift = bits - network.prefixlen
                    lengths.setdefault(shift, {})[int(network.network_address) >> shift] = value
            self._by_length[version] = sorted(lengths.items(), key=lambda pair: pair[0])

    def find(self, address: IPAddress) -> Value | None:
        """What is said of the most specific network that has this address, or None."""
        number = int(address)
        for shift, networks in self._by_length[address.version]:
            network = number >> shift
            if network in networks:
                return networks[network]
        return None
