"""A grant of reviewers' access: which networks resolve blocked names for real, for whom, on what ground, until when. Two people sign it.

Pure: octets, keys and the time in; a grant, or why it is none, out. A grant says nothing about anybody else's verdicts, and has no power but what
`resolver.access` gives it. It cannot last longer than LONGEST_DAYS, nor cover more than a site: access is for people, not for a provider's clients.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Literal, NamedTuple

from pydantic import AfterValidator, Field, ValidationError

from blocklists.clock import TOLERANCE
from blocklists.directive import Instant, Line, Nonce, Part
from blocklists.errors import BadDocument
from blocklists.finding import when
from blocklists.names import clip
from blocklists.trust import envelope, strict
from blocklists.trust.envelope import Envelope
from blocklists.trust.keys import PublicKey

ACCESS = "application/vnd.redhand.access+json"
"""The payload's media type in the envelope."""
PEOPLE = 2
"""How many different people must sign."""
LONGEST_DAYS = 366
LONGEST_SECONDS = LONGEST_DAYS * 86_400
MOST_NETWORKS = 16
SHORTEST_PREFIX = {4: 24, 6: 48}
"""The widest networks that may be granted, by IP version: what one site has."""
OWN = tuple(ipaddress.ip_address(text) for text in ("127.0.0.1", "::1"))
"""Where the landing page asks from whether a name is an alias; it must hear what everybody hears."""


def _network(text: str) -> str:
    try:
        network = ipaddress.ip_network(text)
    except ValueError as error:
        raise ValueError(f"{clip(text)} is not a network ({error}); write 192.0.2.8/29 or 2001:db8:7::/64") from None
    if str(network) != text:
        raise ValueError(f"{clip(text)} is written {network}")
    if isinstance(network, ipaddress.IPv6Network) and network.network_address.ipv4_mapped is not None:
        raise ValueError(f"{text} holds IPv4 addresses in IPv6 form; write the IPv4 network")
    if network.prefixlen < (shortest := SHORTEST_PREFIX[network.version]):
        raise ValueError(f"{text} is wider than a /{shortest}: access is for people, not for a provider's clients; name their own networks")
    if own := next((each for each in OWN if each in network), None):
        raise ValueError(f"{text} holds {own}, where our own landing page asks from; name the reviewers' addresses alone")
    return text


class _Paper(Part):
    """What is signed."""

    type: Literal["access"]
    version: Literal[1]
    who: Annotated[Line, Field(max_length=200)]
    ground: Line
    networks: Annotated[tuple[Annotated[str, AfterValidator(_network)], ...], Field(min_length=1, max_length=MOST_NETWORKS)]
    drafted_at: Instant
    until: Instant
    nonce: Nonce


class Grant(NamedTuple):
    """One grant, signed or not."""

    reference: str
    """What it is called: `access-` and the first 12 hex digits of the payload's SHA-256."""
    who: str
    """Who gets access."""
    ground: str
    networks: tuple[str, ...]
    """In their order as text, none twice."""
    drafted: int
    until: int
    """Unix seconds; at `until` it has ended."""
    payload: bytes

    def document(self) -> dict[str, object]:
        """As commands and the log show it."""
        return {
            "reference": self.reference,
            "who": self.who,
            "ground": self.ground,
            "networks": list(self.networks),
            "drafted": self.drafted,
            "until": self.until,
        }


def draft(who: str, ground: str, networks: Iterable[str], until: int, now: int, nonce: str) -> Grant:
    """A grant to be signed, made at `now`. Raises BadDocument naming what is wrong with it."""
    document = {
        "type": "access",
        "version": 1,
        "who": who,
        "ground": ground,
        "networks": sorted({str(ipaddress.ip_network(text)) if _is_network(text) else text for text in networks}),
        "drafted_at": _text(now),
        "until": _text(until),
        "nonce": nonce,
    }
    found = read(strict.write(_valid(document, "the grant").model_dump(mode="json"), "the grant"))
    check_time(found, now)
    return found


def read(payload: bytes, what: str = "the grant") -> Grant:
    """The grant in what was signed. Raises BadDocument, naming `what`, unless it is one in its one form. Whether it is in force is not asked."""
    document = strict.read(payload, what, strict.MAX_PAYLOAD)
    paper = _valid(document, what)
    if strict.write(paper.model_dump(mode="json"), what) != payload:
        raise BadDocument(f"{what} spells a value otherwise than it is written; draft it anew")
    if list(paper.networks) != sorted(set(paper.networks)):
        raise BadDocument(f"{what}: networks are not in order, or one stands there twice; draft it anew")
    drafted, until = (int(instant.timestamp()) for instant in (paper.drafted_at, paper.until))
    if not drafted < until <= drafted + LONGEST_SECONDS:
        raise BadDocument(
            f"{what} lasts from {when(drafted)} to {when(until)}; it must end after it begins, and within {LONGEST_DAYS} days: draft one that does"
        )
    reference = f"access-{hashlib.sha256(payload).hexdigest()[:12]}"
    return Grant(reference, paper.who, paper.ground, paper.networks, drafted, until, payload)


def check_time(grant: Grant, now: int) -> None:
    """Raises BadDocument unless the grant is in force at `now` (unix seconds)."""
    if now >= grant.until:
        raise BadDocument(f"{grant.reference} ended at {when(grant.until)}; draft a new one")
    if grant.drafted > now + TOLERANCE:
        raise BadDocument(f"{grant.reference} was drafted at {when(grant.drafted)}, which is to come; check the clocks of who drafted it and of this")


def opened(data: bytes, what: str) -> tuple[Envelope, Grant]:
    """An envelope's octets and the grant in it, signatures unverified. Raises BadDocument, naming `what`."""
    return _grant_in(envelope.read(data, what, (ACCESS,)), what)


def from_document(document: object, what: str) -> tuple[Envelope, Grant]:
    """As `opened`, from what JSON gave."""
    return _grant_in(envelope.from_document(document, what, (ACCESS,)), what)


def sealed(grant: Grant) -> Envelope:
    """An envelope that nobody has signed yet."""
    return Envelope(ACCESS, grant.payload)


def signers(found: Envelope, people: Mapping[str, tuple[PublicKey, str]]) -> tuple[str, ...]:
    """Who, among `people` (public key and name by key id), signed: different people, however many keys one has, in order."""
    good = envelope.signers(found, {keyid: key for keyid, (key, _) in people.items()})
    return tuple(sorted({people[keyid][1] for keyid in good}))


def check_signed(found: Envelope, grant: Grant, people: Mapping[str, tuple[PublicKey, str]]) -> tuple[str, ...]:
    """Who signed, if they are enough. Raises BadDocument."""
    signed = signers(found, people)
    if len(signed) < PEOPLE:
        by = f"and {', '.join(signed)} did" if signed else "and nobody did whom resolver.access.people names"
        raise BadDocument(f"{grant.reference}: {PEOPLE} different people must sign, {by}; have it signed: redhand access sign FILE --key KEY.pem")
    return signed


def _grant_in(found: Envelope, what: str) -> tuple[Envelope, Grant]:
    return found, read(found.payload, what)


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        return False
    return True


def _text(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _valid(document: dict[str, object], what: str) -> _Paper:
    try:
        return _Paper.model_validate(document)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        place = ".".join(map(str, fault["loc"]))
        raise BadDocument(f"{what}: {place}: {clip(fault['msg'].removeprefix('Value error, '), 300)}") from None
