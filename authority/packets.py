"""A packet: one file that goes from machine to machine and gathers signatures. It carries all that a signer must see to judge what is signed.

    root        TUF root metadata, with the root it follows
    targets     TUF targets metadata, with the three files it is about, and the root that says who signs
    directive   an order in its envelope, with the policy and the data that its guards go by
    review      a reviewer's decision, likewise

Nothing in a packet is believed because it stands there: what is signed is read again, strictly, on every machine, and `publish` judges it anew. How
many signatures a desk asks for beyond the policy's stands beside what is signed, so that a signer is told of them; the desk alone holds to them.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from tuf.api.metadata import Metadata, Root, Targets

from authority import checks, metadata, orders
from authority.errors import AuthorityError
from authority.keys import Signer
from authority.places import read as read_file
from blocklists.directive import Directive
from blocklists.errors import BadDocument
from blocklists.names import clip, visible
from blocklists.trust import envelope, lint, policy
from blocklists.trust.envelope import Envelope
from blocklists.trust.policy import Epoch

MAX_OCTETS = 16 << 20
MOST_WANTED = 1000
"""Signatures; no policy names so many officers."""
KINDS = ("root", "targets", "directive", "review")
Kind = Literal["root", "targets", "directive", "review"]


@dataclass(frozen=True)
class Need:
    """One group of people of whom so many must sign."""

    whose: str
    """Such as: the root role."""
    threshold: int
    signed: tuple[str, ...]
    """Names of those who have."""
    able: tuple[str, ...]
    """Names of those who have not, and may."""
    wanted: bool = False
    """Whether it is not needed, only lets clients change over without a gap."""

    @property
    def missing(self) -> int:
        """How many more must sign."""
        return max(0, self.threshold - len(self.signed))


@dataclass(frozen=True)
class Packet:
    """What is to be signed, and what it must be judged by. `signed` is TUF metadata or an envelope, as `kind` says."""

    kind: Kind
    signed: Metadata[Any] | Envelope
    files: Mapping[str, bytes] = field(default_factory=dict)
    """policy.json, protected.json, suffixes.dat."""
    roots: tuple[Metadata[Root], ...] = ()
    """For root: the one before, if any. For targets: the one in force, then the one that will be when both differ."""
    wanted: int = 0
    """For a directive: how many the desk that drafted it asks to sign, when that is more than the policy asks; 0: it says nothing."""

    @property
    def tuf(self) -> Metadata[Any]:
        """The metadata of a root or targets packet."""
        assert isinstance(self.signed, Metadata)  # noqa: S101 - `read` and the makers see to it
        return self.signed

    @property
    def envelope(self) -> Envelope:
        """The envelope of a directive or review packet."""
        assert isinstance(self.signed, Envelope)  # noqa: S101 - likewise
        return self.signed

    @property
    def same(self) -> tuple[str, bytes]:
        """Equal for two copies of one packet, whoever has signed each."""
        return self.kind, metadata.signed_bytes(self.signed) if isinstance(self.signed, Metadata) else self.signed.signed_bytes()

    def encode(self) -> bytes:
        """The file."""
        document: dict[str, Any] = {
            "type": "packet",
            "version": 1,
            "kind": self.kind,
            "signed": self.signed.to_dict() if isinstance(self.signed, Metadata) else self.signed.document(),
            "files": {name: base64.b64encode(data).decode() for name, data in sorted(self.files.items())},
            "roots": [each.to_dict() for each in self.roots],
        }
        if self.wanted:
            document["wanted"] = self.wanted
        return json.dumps(document, sort_keys=True, indent=1).encode() + b"\n"


def read(data: bytes, what: str, *, bare: bool = False) -> Packet:
    """The packet in a file; a `bare` order's has no files to judge it by. Raises AuthorityError, naming `what`, or BadDocument."""
    try:
        if len(data) > MAX_OCTETS:
            raise ValueError(f"it has {len(data)} octets, more than {MAX_OCTETS}")
        document = json.loads(data)
        said = "wanted" in document
        wanted = document.pop("wanted") if said else 0
        if set(document) != {"type", "version", "kind", "signed", "files", "roots"} or document["type"] != "packet" or document["version"] != 1:
            raise ValueError("it has other fields")
        if said and (type(wanted) is not int or not 1 <= wanted <= MOST_WANTED):
            raise ValueError(f"it wants {wanted!r} signatures")
        kind: Kind = document["kind"]
        if kind not in KINDS:
            raise ValueError(f"its kind is {kind!r}")
        files = {str(name): base64.b64decode(each, validate=True) for name, each in document["files"].items()}
        roots = tuple(metadata.parse(each, Root, f"{what}: a root it goes by") for each in document["roots"])
        signed: Metadata[Any] | Envelope
        if kind == "root":
            signed = metadata.parse(document["signed"], Root, what)
        elif kind == "targets":
            signed = metadata.parse(document["signed"], Targets, what)
        else:
            signed = envelope.from_document(document["signed"], what)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, binascii.Error) as error:
        if isinstance(error, BadDocument):
            raise
        raise AuthorityError(f"{what} is not a packet ({clip(str(error), 200)}); ask whoever passed it on for a sound copy") from None
    packet = Packet(kind, signed, files, roots, wanted)
    if not bare or kind in ("root", "targets"):
        check(packet, what)
    return packet


def load(path: Path) -> Packet:
    """As `read`, from a file."""
    return read(read_file(path, "the packet"), str(path))


def check(packet: Packet, what: str) -> None:
    """Raises AuthorityError or BadDocument unless the packet holds together: what it signs is about the files it shows."""
    if packet.kind == "root":
        if len(packet.roots) > 1:
            raise AuthorityError(f"{what} follows several roots; draft it again")
        origin = metadata.ours(packet.tuf.signed).get("origin")
        if not isinstance(origin, str) or not origin or visible(origin, 200) != origin:
            raise AuthorityError(f"{what} does not name its log in plain letters ({clip(str(origin))}); do not sign it, and ask who made it")
        return
    if set(packet.files) != set(metadata.FIXED):
        held = ", ".join(sorted(packet.files)) or "none"
        raise AuthorityError(f"{what} holds the files {held}, and needs {', '.join(metadata.FIXED)}; draft it again")
    if packet.kind == "targets":
        if not packet.roots:
            raise AuthorityError(f"{what} does not say who signs; draft it again")
        if packet.tuf.signed.targets != metadata.target_files(packet.files):
            raise AuthorityError(f"{what} shows other files than it would sign; do not sign it, and ask who made it")
        policy.load(packet.files["policy.json"])
        orders.protected_names(packet.files["protected.json"])
    else:
        orders.read(packet.envelope, what)


def needs(packet: Packet) -> list[Need]:
    """Who must sign, who has and who has not."""
    if packet.kind in ("root", "targets"):
        return _needs_of_metadata(packet)
    return list(_needs_of_order(packet))


def complete(packet: Packet) -> bool:
    """Whether all that must have signed it."""
    return not any(need.missing for need in needs(packet) if not need.wanted)


def _needs_of_metadata(packet: Packet) -> list[Need]:
    own: tuple[Metadata[Root], ...] = (packet.tuf,) if packet.kind == "root" else ()
    delegators = (*packet.roots, *own)
    found: list[Need] = []
    for each in delegators:
        role = metadata.role(each.signed, packet.kind)
        good, threshold = metadata.good(each.signed, packet.kind, packet.tuf)
        names = metadata.people(each.signed)
        whose = f"{packet.kind} role of root version {each.signed.version}"
        wanted = packet.kind == "targets" and each is not delegators[-1]
        signed = [names.get(keyid, keyid) for keyid in role.keyids if keyid in good]
        able = [names.get(keyid, keyid) for keyid in role.keyids if keyid not in good]
        found.append(Need(whose, threshold, tuple(signed), tuple(able), wanted))
    if len(found) == 2 and set(delegators[0].signed.roles[packet.kind].keyids) == set(delegators[1].signed.roles[packet.kind].keyids):
        return [max(found, key=lambda need: need.threshold)]
    return found


def _needs_of_order(packet: Packet) -> Iterator[Need]:
    order = orders.read(packet.envelope, "the order")
    epoch, lost = _rules(packet)
    offices, threshold = orders.who_signs(order, epoch)
    offices -= lost
    good = {epoch.by_key[keyid] for keyid in envelope.signers(packet.envelope, epoch.keys)}

    def shown(names: Iterable[str]) -> tuple[str, ...]:
        return tuple(f"{name} ({epoch.officers[name].person})" for name in sorted(names))

    whose = "those who may sign this order" if packet.kind == "directive" else "the reviewer"
    most = max(threshold, packet.wanted)
    if isinstance(order, Directive) and most > 1:
        offices, authority = _of_one(order, epoch, offices, good)
        whose = f"officers of {authority}" + (" or the reviewer" if order.action == "withdraw" else "") if authority else whose
    if packet.wanted > threshold:
        whose += f" (the policy asks for {threshold}, its desk for {packet.wanted - threshold} more for guards that were overridden)"
    yield Need(whose, most, shown(offices & good), shown(offices - good))
    if also := orders.also_signs(order, epoch) - lost:
        yield Need("the reviewer, because it is not disclosed", 1, shown(also & good), shown(also - good))


def _rules(packet: Packet) -> tuple[Epoch, frozenset[str]]:
    """What the signatures of an order are judged by, and the offices whose keys were compromised: for the log's next entry they count no more."""
    found = policy.load(packet.files["policy.json"])
    epoch = found.epochs[-1]
    return epoch, frozenset(epoch.by_key[each.keyid] for each in found.compromised if each.keyid in epoch.by_key)


def _of_one(order: Directive, epoch: Epoch, offices: frozenset[str], good: set[str]) -> tuple[frozenset[str], str]:
    """Operators count officers of one authority, with the reviewer for a withdrawal: those of the one of whom most have signed, and its name.

    All, and no name, while nobody has signed or one authority alone may order.
    """
    by_authority = {
        each: frozenset(name for name in offices if epoch.officers[name].authority in (each, None))
        for each in sorted({epoch.officers[name].authority or "" for name in offices} - {""})
    }
    if len(by_authority) < 2 or not offices & good:
        return offices, ""
    names = {each: epoch.authorities[each].name for each in by_authority}
    best = max(by_authority, key=lambda each: (len(by_authority[each] & good), names[each] == order.issuer.authority))
    return by_authority[best], names[best]


def able(packet: Packet) -> set[str]:
    """Ids of the keys whose signatures count."""
    if packet.kind in ("root", "targets"):
        own = (packet.tuf,) if packet.kind == "root" else ()
        return {keyid for each in (*packet.roots, *own) for keyid in metadata.role(each.signed, packet.kind).keyids}
    epoch, lost = _rules(packet)
    order = orders.read(packet.envelope, "the order")
    offices, _ = orders.who_signs(order, epoch)
    return {epoch.officers[name].key.keyid for name in (offices | orders.also_signs(order, epoch)) - lost}


def sign_packet(packet: Packet, signer: Signer) -> Packet:
    """The packet with the signer's signature.

    Raises AuthorityError when that key's does not count, or a guard refuses the order; BadDocument when one key or person would count as two.
    """
    if signer.key.keyid not in able(packet):
        raise AuthorityError(f"the key {signer.key.keyid[:16]}… does not count for this {packet.kind}; sign with one of those that the packet names")
    if isinstance(packet.signed, Envelope):
        for result in orders.guard(packet.envelope, packet.files):
            if result.refusal:
                raise AuthorityError(f"{result.name}: {result.refusal}; draft another order")
        signature = signer.sign(packet.signed.signed_bytes())
        return replace(packet, signed=packet.signed.with_signature(signer.key.keyid, signature))
    if packet.kind == "targets":
        checks.check(packet.roots[-1], packet.signed, packet.files)
    else:
        lint.check_keys(packet.signed.to_dict()["signed"]["keys"], packet.signed.to_dict()["signed"]["roles"], "root")
    copied = metadata.parse(packet.signed.to_dict(), type(packet.signed.signed), "the packet")
    metadata.add_signature(copied, signer)
    return replace(packet, signed=copied)


def merged(found: Iterable[Packet]) -> list[Packet]:
    """One packet for all copies of one, with the signatures of each."""
    by_content: dict[tuple[str, bytes], Packet] = {}
    for packet in found:
        known = by_content.setdefault(packet.same, packet)
        if known is packet:
            continue
        if isinstance(packet.signed, Envelope):
            envelope_of_all = known.envelope
            for keyid, signature in packet.signed.signatures:
                envelope_of_all = envelope_of_all.with_signature(keyid, signature)
            by_content[packet.same] = replace(known, signed=envelope_of_all, wanted=max(known.wanted, packet.wanted))
        else:
            copied = metadata.parse(known.tuf.to_dict(), type(packet.signed.signed), "the packet")
            copied.signatures.update(packet.signed.signatures)
            by_content[packet.same] = replace(known, signed=copied)
    return list(by_content.values())
