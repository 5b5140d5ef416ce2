"""Whom a study may ask, and how fast. Loopback freely, and the lab's addresses from inside a lab; anybody else only by a list of who agreed, with a
contact and a rate.

The list is a text file, a line for each address or network and, behind it, the questions a second that its operator agreed to, if more than the
usual:

    # agreed with the provider's network operations, 3 March
    192.0.2.53
    2001:db8:53::/48   20

Names are resolved and nothing else: no address that an answer holds is ever connected to from here.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from blocklists.errors import RedHandError
from porosity.words import Resolver

RATE = 5
"""Questions a second to one server, unless its operator agreed to more."""
MOST_RATE = 1_000_000

LAB = tuple(
    map(
        ipaddress.ip_network,
        ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "198.18.0.0/15", "2001:db8::/32", "3fff::/20"),
    )
)
"""Addresses of documentation (RFC 5737, RFC 3849, RFC 9637) and of benchmarks (RFC 2544): nobody on the internet has them, and labs may."""
LAB_MARK = "redhand-lab"
"""Name of a network interface that every machine of a lab has, and nobody else: what is sent there to the lab's addresses goes nowhere else."""
WIDEST = {4: 16, 6: 32}
"""Shortest prefixes of a line, by IP version: what one provider has."""
TRANSLATED = ipaddress.IPv6Network("64:ff9b::/96")
"""Behind which all IPv4 addresses stand (RFC 6052): of it, as much as of those."""

_CONTACT = re.compile(r"[^\s@<>()]+@[^\s@<>()]+\.[^\s@<>()]+|https://[^\s<>()]+")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class NotAllowed(RedHandError):
    """A study would ask somebody whom it may not ask so. The message says who, and what would make it right."""


@dataclass(frozen=True, slots=True)
class Allowed:
    """A list of who agreed to be asked."""

    networks: tuple[tuple[Network, int | None], ...]
    """With the questions a second agreed to, if any were."""
    sha256: str
    """64 hex digits over the file."""

    def rate(self, address: Address) -> int | None:
        """Questions a second that the narrowest line about this address allows; None when no line is about it."""
        fitting = [(-network.prefixlen, rate or RATE) for network, rate in self.networks if address in network]
        return min(fitting)[1] if fitting else None


@dataclass(frozen=True, slots=True)
class Permit:
    """What is allowed of one server."""

    rate: float | None
    """Questions a second, all transports together; None: as fast as it answers. Whole, but for the share of one of several vantages."""
    by: str
    """By what: `loopback`, `lab`, or `list`."""
    server: str = ""
    """Of a resolver with several addresses, the first: they are one server, and share the rate. Empty: it has this one."""


def read(path: Path) -> Allowed:
    """The list in a file. Raises NotAllowed when it cannot be read, or a line is none."""
    try:
        data = path.read_bytes()
        lines = data.decode("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise NotAllowed(f"the list of allowed targets {path} cannot be read ({error}); name a text file with an address or network a line") from None
    found: list[tuple[Network, int | None]] = []
    for number, line in enumerate(lines, 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        try:
            network = ipaddress.ip_network(words[0])
            rate = int(words[1]) if len(words) == 2 else None
            if len(words) > 2 or (rate is not None and not 1 <= rate <= MOST_RATE):
                raise ValueError("an address or network, and behind it at most a whole number of questions a second")
            widest = WIDEST[network.version]
            if network.version == 6 and network.overlaps(TRANSLATED):
                widest = TRANSLATED.prefixlen + WIDEST[4]
            if network.prefixlen < widest:
                raise ValueError(f"nobody can agree for so many; at widest /{widest}")
        except ValueError as error:
            raise NotAllowed(f"{path}, line {number}: {line.strip()!r} allows nothing ({error}); write `192.0.2.53` or `192.0.2.0/24 20`") from None
        found.append((network, rate))
    return Allowed(tuple(found), hashlib.sha256(data).hexdigest())


def permits(resolvers: Iterable[Resolver], allow: Path | None, contact: str, rate: int | None) -> dict[str, Permit]:
    """What is allowed of each server, by its address in its usual form. `rate`: a limit for all of them.

    Raises NotAllowed when a server is neither loopback nor the lab's, and one of list, line and contact is missing.
    """
    if rate is not None and not 1 <= rate <= MOST_RATE:
        raise NotAllowed(f"{rate} questions a second is no rate; give a whole number from 1, such as {RATE}")
    allowed = read(allow) if allow is not None else None
    found: dict[str, Permit] = {}
    servers: dict[str, str] = {}
    for resolver in resolvers:
        addresses = [_address(resolver.id, endpoint.address) for endpoint in resolver.endpoints]
        first = next((servers[str(each)] for each in addresses if str(each) in servers), str(addresses[0]))
        for address in addresses:
            who = resolver.id if resolver.id == str(address) else f"{resolver.id} ({address})"
            if str(address) not in found:
                servers[str(address)] = first
                found[str(address)] = _permit(who, address, allowed, allow, contact, rate)
    return {address: _of_server(address, servers, found) for address in found}


def promise(resolvers: Iterable[Resolver], allow: Path | None, contact: str, rate: int | None) -> dict[str, Any]:
    """What a plan says of it: contact, hash of the list, rates by address (0: as fast as it answers). Raises NotAllowed as `permits`."""
    found = permits(resolvers, allow, contact, rate)
    return {
        "contact": contact,
        "allowed_sha256": read(allow).sha256 if allow is not None else "",
        "rates": {address: permit.rate or 0 for address, permit in sorted(found.items())},
        "content_fetched": "never",
    }


def keep(promised: Mapping[str, Any], resolvers: Iterable[Resolver], allow: Path | None, rate: int | None) -> dict[str, Permit]:
    """What is allowed now of the servers of a plan, never more than it promised. Raises NotAllowed as `permits`."""
    found = permits(resolvers, allow, str(promised.get("contact", "")), rate)
    rates = promised.get("rates", {})
    return {address: replace(permit, rate=_least(permit.rate, rates.get(address))) for address, permit in found.items()}


def free(address: Address) -> str:
    """By what an address may be asked freely: `loopback`, `lab`; empty: it may not."""
    if address.is_loopback:
        return "loopback"
    return "lab" if any(address in network for network in LAB) else ""


def server(address: str) -> str:
    """The usual form of an address, under which its permit stands."""
    return str(ipaddress.ip_address(address))


def _address(resolver: str, text: str) -> Address:
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        raise NotAllowed(f"{resolver} is given with {text!r}, which is no IP address; give the address itself: nothing is looked up here") from None
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        raise NotAllowed(f"{resolver} is given with {text!r}, which is {found.ipv4_mapped}; write it so: a server has one address here, and one rate")
    return found


def _permit(who: str, address: Address, allowed: Allowed | None, path: Path | None, contact: str, rate: int | None) -> Permit:
    if by := free(address):
        return Permit(rate, by)
    if address.is_multicast:
        raise NotAllowed(f"{who} is a group, and one question would go to all in it; give the address of one server")
    if allowed is None:
        raise NotAllowed(
            f"{who} is neither on loopback nor in the lab; to ask it, name the file that lists it, with --allow, each time; and once, in the plan,"
            f" who answers for the study, with --contact. At most {RATE} questions a second are sent to it, unless the file says that its operator"
            " agreed to more"
        )
    agreed = allowed.rate(address)
    if agreed is None:
        raise NotAllowed(f"{who} is not in {path}; add a line with its address when its operator agrees")
    if not _CONTACT.fullmatch(contact):
        raise NotAllowed(
            f"{who} is somebody else's, and the contact {contact!r} does not say how they reach you; give --contact, a mail or https address"
        )
    if rate is not None and rate > agreed:
        raise NotAllowed(f"{who} may be asked {agreed} times a second, not {rate}; lower --rate, or write what was agreed into {path}")
    return Permit(rate if rate is not None else agreed, "list")


def _of_server(address: str, servers: Mapping[str, str], found: Mapping[str, Permit]) -> Permit:
    others = [each for each in found if servers[each] == servers[address]]
    if len(others) == 1:
        return found[address]
    return replace(found[address], rate=_least(*(found[each].rate for each in others)), server=servers[address])


def _least(*rates: float | None) -> float | None:
    given = [rate for rate in rates if rate]
    return min(given) if given else None
