"""Settings of the resolver: where it listens, whom it serves, whom it asks, what it keeps.

Every field's description is its line in `config.yaml`; its unit is in its name or its description, its default stands here and nowhere else.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from blocklists.endpoints import show_endpoint, split_endpoint
from blocklists.errors import BadName
from blocklists.names import parse
from blocklists.settings import Identifier, Section


def _listen(text: str) -> str:
    return show_endpoint(*split_endpoint(text))


def _upstream(text: str) -> str:
    address, port = split_endpoint(text, 53)
    if ipaddress.ip_address(address).is_unspecified:
        raise ValueError(f"{text!r} is no server's address; write the address of a resolver, such as 192.0.2.53")
    return show_endpoint(address, port)


def _network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text))
    except ValueError as error:
        raise ValueError(f"{text!r} is not a network ({error}); write 192.0.2.0/24 or 2001:db8::/32") from None


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise ValueError(f"{text!r} is not an IP address; write 192.0.2.1 or 2001:db8::1") from None


def _zone(text: str) -> str:
    try:
        parse(text)
    except BadName as error:
        raise ValueError(str(error)) from None
    return text


def _database(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9-]{0,63}", text):
        raise ValueError(f"{text!r} is not a database's name; write lower-case letters, digits and -, such as example-orders")
    return text


Listen = Annotated[str, AfterValidator(_listen)]
Endpoint = Annotated[str, AfterValidator(_upstream)]
Network = Annotated[str, AfterValidator(_network)]
Address = Annotated[str, AfterValidator(_address)]
Zone = Annotated[str, AfterValidator(_zone)]


class Upstream(Section):
    """A recursor that Red Hand asks."""

    address: Endpoint = Field(description="address, or address:port, of the recursor; port 53 unless given")
    trusted_ad: bool = Field(default=False, description="true if it validates DNSSEC and the path to it is safe: its AD flag is then passed on")
    weight: int = Field(default=1, ge=1, le=100, description="its share of first questions if the strategy is weighted, beside the others'")


class ForwardZone(Section):
    """Names asked of servers of their own."""

    zone: Zone = Field(description="the zone; it and everything under it goes to these servers")
    upstreams: tuple[Upstream, ...] = Field(min_length=1, description="its servers")


class Group(Section):
    """Clients treated alike, with caches of their own."""

    name: Identifier = Field(description="name of the group")
    networks: tuple[Network, ...] = Field(
        min_length=1, description="its clients; the most specific network of all groups wins; they must also be allowed"
    )
    landing_addresses: tuple[Address, ...] = Field(
        default=(), description="where its visitors are sent instead of resolver.landing_addresses; empty: there"
    )


class AccessSettings(Section):
    """Reviewers' access: off while nobody is named who may grant it."""

    people: tuple[str, ...] = Field(
        default=(),
        max_length=64,
        description="public keys (.pub.json) of those who may grant access, two of them together; relative paths start at this file; empty: off",
    )


class ResolverSettings(Section):
    """The DNS side."""

    listen: tuple[Listen, ...] = Field(default=("127.0.0.1:5300", "[::1]:5300"), min_length=1, description="addresses and ports for DNS, UDP and TCP")
    workers: int = Field(default=0, ge=0, le=256, description="worker processes; 0: one a core")
    allow: tuple[Network, ...] = Field(
        default=(
            "127.0.0.0/8",
            "::1/128",
            "10.0.0.0/8",
            "172.16.0.0/12",
            "192.168.0.0/16",
            "100.64.0.0/10",
            "169.254.0.0/16",
            "fc00::/7",
            "fe80::/10",
        ),
        min_length=1,
        description="networks that may ask; everyone else is refused",
    )
    groups: tuple[Group, ...] = Field(default=(), description="clients with caches, and if need be landing addresses, of their own")
    upstreams: tuple[Upstream, ...] = Field(default=(), description="recursors to ask; empty: those of the system's resolver configuration")
    strategy: Literal["fastest", "ordered", "parallel", "weighted"] = Field(
        default="fastest", description="which upstream is asked first: the fastest lately, the first listed, three at once, or each by its weight"
    )
    zones: tuple[ForwardZone, ...] = Field(default=(), description="zones that other servers answer")
    landing_addresses: tuple[Address, ...] = Field(
        default=("127.0.0.1",), description="addresses of the landing page, given out for redirected names"
    )
    block_ttl_seconds: int = Field(default=30, ge=1, le=3600, description="how long clients may keep a block answer")
    structured_error_option: int = Field(
        default=26, ge=16, le=65534, description="EDNS option by which clients ask for structured errors: the code that IANA gave it, or one of yours"
    )
    structured_error_database: Annotated[str, AfterValidator(_database)] = Field(
        default="", description="registered name of the public database where an order's reference is looked up, told to such clients; empty: none"
    )
    cache_mb: int = Field(default=256, ge=8, le=65536, description="memory of each worker for its packet and answer caches, in MiB")
    min_ttl_seconds: int = Field(default=0, ge=0, le=3600, description="shortest time an answer is kept and announced")
    max_ttl_seconds: int = Field(default=86400, ge=60, le=604800, description="longest time an answer is kept and announced")
    max_negative_ttl_seconds: int = Field(default=3600, ge=1, le=86400, description="longest time a negative answer is kept and announced")
    stale_seconds: int = Field(
        default=86400, ge=0, le=604800, description="how long after expiry an answer may still serve while no upstream answers; 0: never"
    )
    chain_limit: int = Field(
        default=20, ge=1, le=100000, description="unrelated domains an entry may block by alias before it is held as too broad, with an alarm"
    )
    tcp_connections: int = Field(default=256, ge=1, le=65536, description="open TCP connections from clients, each worker")
    tcp_idle_seconds: int = Field(default=10, ge=1, le=600, description="silence after which a client's TCP connection is closed")
    tcp_per_client: int = Field(
        default=32, ge=1, le=65536, description="of these, connections of one client (an IPv4 address, an IPv6 /64); one more is turned away"
    )
    most_lookups_per_client: int = Field(
        default=4000, ge=1, le=32768, description="queries of one client that may wait for upstreams at a time, each worker; one more gets SERVFAIL"
    )
    most_lookups_per_domain: int = Field(
        default=1000, ge=1, le=16384, description="names of one registrable domain asked of upstreams at a time, each worker; one more gets SERVFAIL"
    )
    queries_per_second: int = Field(
        default=2000, ge=1, le=1000000, description="UDP queries of one client answered in a second, each worker; half of the rest is sent to TCP"
    )
    identical_answers_per_second: int = Field(
        default=500, ge=1, le=1000000, description="UDP answers that say the same sent to one client in a second, each worker; as above beyond"
    )
    unlimited: tuple[Network, ...] = Field(
        default=("127.0.0.0/8", "::1/128"), description="networks without the two limits before, such as forwarders that ask for many"
    )
    access: AccessSettings = Field(
        default=AccessSettings(), description="reviewers' access: who may let named networks resolve blocked names for real, for a time"
    )

    @model_validator(mode="after")
    def _ttls_in_order(self) -> ResolverSettings:
        if self.min_ttl_seconds > self.max_ttl_seconds:
            raise ValueError(
                f"min_ttl_seconds ({self.min_ttl_seconds}) is more than max_ttl_seconds ({self.max_ttl_seconds}); lower the first or raise the second"
            )
        return self
