"""The world's zones, answered from as a resolver without a block does that asks the right server each time. Pure.

Answers follow RFC 1034 section 4.3.2, wildcards RFC 4592, aliases RFC 6672. Signatures are handed on where they are asked for, and never checked:
a validating resolver in the lab is a real one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import dns.message
import dns.name
import dns.node
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdataset
import dns.rdatatype
import dns.rrset
import dns.zone

MOST_ALIASES = 8
_IN = dns.rdataclass.IN
_STAR = dns.name.Name([b"*"])


_ALIASES = (dns.rdatatype.CNAME, dns.rdatatype.DNAME)
BINDINGS = (dns.rdatatype.HTTPS, dns.rdatatype.SVCB)


@dataclass
class Found:
    """What the zones say of a question."""

    rcode: dns.rcode.Rcode = dns.rcode.NOERROR
    answer: list[dns.rrset.RRset] = field(default_factory=list)
    authority: list[dns.rrset.RRset] = field(default_factory=list)
    additional: list[dns.rrset.RRset] = field(default_factory=list)
    chain: list[dns.name.Name] = field(default_factory=list)
    """The names that were looked up, the question's first, and those that service bindings lead to."""
    asked: dns.rdatatype.RdataType = dns.rdatatype.NONE

    @property
    def data(self) -> bool:
        """Whether there is any record of what was asked for, and not only where it would be."""
        return any(each.rdtype not in _ALIASES for each in self.answer) or bool(self.answer and self.asked in _ALIASES)

    def only_leads(self, covered: Callable[[dns.name.Name], object]) -> bool:
        """Whether all there is are service bindings in alias mode (RFC 9460, section 2.4.2), of a name that is not covered, to names that are: who
        follows them asks for these.
        """
        found = [rdata for each in self.answer if each.rdtype not in (*_ALIASES, dns.rdatatype.RRSIG) for rdata in each]
        if not found or covered(self.chain[0]):
            return False
        return all(each.rdtype in BINDINGS and not each.priority and covered(each.target) for each in found)


class Zones:
    """All zones of a world, by their origins."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        """`texts`: zone files by origin, such as `example.`."""
        self._zones = {
            dns.name.from_text(origin): dns.zone.from_text(text, dns.name.from_text(origin), relativize=False, check_origin=False)
            for origin, text in texts.items()
        }
        self._there = {above for origin, zone in self._zones.items() for name in zone for above in _between(name, origin)}
        """Every name of a zone, and those between it and the origin that have no records (empty non-terminals)."""
        self.find = lru_cache(maxsize=4096)(self._find)

    def _find(self, name: dns.name.Name, type: dns.rdatatype.RdataType, signed: bool = False) -> Found:
        found = Found(asked=type)
        for _ in range(MOST_ALIASES):
            found.chain.append(name)
            following = self._step(name, type, signed, found)
            if following is None:
                break
            name = following
        found.chain += [
            rdata.target for rrset in found.answer if rrset.rdtype in BINDINGS for rdata in rrset
            if rdata.target != dns.name.root
        ]  # fmt: skip
        return found

    def _step(self, name: dns.name.Name, type: dns.rdatatype.RdataType, signed: bool, found: Found) -> dns.name.Name | None:
        """Puts into `found` what there is of the name; returns where it leads, if it is an alias."""
        origin = self._origin(name, type)
        if origin is None:
            found.rcode = dns.rcode.NXDOMAIN
            return None
        zone = self._zones[origin]
        for above in _between(name, origin):
            node = zone.get_node(above)
            dname = node.get_rdataset(_IN, dns.rdatatype.DNAME) if node is not None else None
            if dname is not None and above != name:
                found.answer += _rrsets(node, above, dns.rdatatype.DNAME, signed)
                try:
                    target = dns.name.Name((*name.labels[: len(name.labels) - len(above.labels)], *dname[0].target.labels))
                except dns.name.NameTooLong:
                    found.rcode = dns.rcode.YXDOMAIN
                    return None
                found.answer.append(dns.rrset.from_text(name, dname.ttl, _IN, dns.rdatatype.CNAME, target.to_text()))
                return target
        node = zone.get_node(name) or self._wildcard(zone, origin, name)
        if node is None:
            if name not in self._there:
                found.rcode = dns.rcode.NXDOMAIN
            found.authority += _rrsets(zone.get_node(origin), origin, dns.rdatatype.SOA, signed)
            return None
        if type == dns.rdatatype.ANY:
            found.answer += [dns.rrset.from_rdata_list(name, each.ttl, list(each)) for each in node if each.rdtype != dns.rdatatype.RRSIG or signed]
            return None
        if rrsets := _rrsets(node, name, type, signed):
            found.answer += rrsets
            self._beside(zone, rrsets[0], found)
            return None
        if rrsets := _rrsets(node, name, dns.rdatatype.CNAME, signed):
            found.answer += rrsets
            aliased: dns.name.Name = rrsets[0][0].target
            return aliased
        found.authority += _rrsets(zone.get_node(origin), origin, dns.rdatatype.SOA, signed)
        return None

    def _origin(self, name: dns.name.Name, type: dns.rdatatype.RdataType) -> dns.name.Name | None:
        """Of the zone that has the name."""
        if type == dns.rdatatype.DS and name in self._zones and name != dns.name.root:
            name = name.parent()  # the one type whose answer stands above the cut (RFC 4035, section 3.1.4.1)
        while True:
            if name in self._zones:
                return name
            if name == dns.name.root:
                return None
            name = name.parent()

    def _wildcard(self, zone: dns.zone.Zone, origin: dns.name.Name, name: dns.name.Name) -> dns.node.Node | None:
        if name in self._there:
            return None
        while name != origin:
            name = name.parent()
            if (node := zone.get_node(_STAR.concatenate(name))) is not None:
                return node
            if name in self._there:
                return None  # the closest encloser is there, and has no wildcard
        return None

    def _beside(self, zone: dns.zone.Zone, rrset: dns.rrset.RRset, found: Found) -> None:
        """Addresses of the names in MX, NS and SRV records (RFC 1035, section 3.3.9; RFC 2782)."""
        for rdata in rrset:
            name = getattr(rdata, "exchange", None) or getattr(rdata, "target", None)
            if name is None or rrset.rdtype not in (dns.rdatatype.MX, dns.rdatatype.NS, dns.rdatatype.SRV):
                continue
            node = zone.get_node(name)
            if node is not None:
                found.additional += [each for type in (dns.rdatatype.A, dns.rdatatype.AAAA) for each in _rrsets(node, name, type, False)]


def _rrsets(node: dns.node.Node | None, name: dns.name.Name, type: dns.rdatatype.RdataType, signed: bool) -> list[dns.rrset.RRset]:
    if node is None:
        return []
    if type == dns.rdatatype.RRSIG:  # all signatures of the name
        return [dns.rrset.from_rdata_list(name, each.ttl, list(each)) for each in node if each.rdtype == type]
    rdataset = node.get_rdataset(_IN, type)
    if rdataset is None:
        return []
    found = [dns.rrset.from_rdata_list(name, rdataset.ttl, list(rdataset))]
    if signed and (signatures := node.get_rdataset(_IN, dns.rdatatype.RRSIG, type)) is not None:
        found.append(dns.rrset.from_rdata_list(name, signatures.ttl, list(signatures)))
    return found


def _between(name: dns.name.Name, origin: dns.name.Name) -> list[dns.name.Name]:
    """The names from a zone's origin down to the name."""
    return [dns.name.Name(name.labels[-count:]) for count in range(len(origin.labels), len(name.labels) + 1)]
