"""What a packet says, in words a person can read before signing: the whole of what is signed, and nothing that is not."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import yaml

from authority import metadata, orders, packets
from authority.ceremony import suffix_data
from authority.packets import Packet
from blocklists import ulabels
from blocklists.directive import Directive

_UNSEEN = {"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"}
"""Categories of characters that are written as their number: controls, marks of direction, what has no form, and ends of lines."""
SHOWN_SUFFIX_LINES = 12
"""Of the public-suffix data, which has ten thousand rules: its own first lines say which version it is."""


def typed(packet: Packet) -> str:
    """What the signer must type to sign: the name that would be blocked (or the id), or the log's origin for what is no order."""
    if packet.kind in ("directive", "review"):
        return orders.typed(orders.read(packet.envelope, "the order"))
    if packet.kind == "root":
        return str(metadata.ours(packet.tuf.signed).get("origin"))
    return str(json.loads(packet.files["policy.json"])["log"]["origin"])


def text(packet: Packet) -> str:
    """All of it, line by line."""
    lines = {"root": _root, "targets": _targets, "directive": _order, "review": _order}[packet.kind](packet)
    return "\n".join([*map(_visible, lines), "", *signatures(packet)])


def summary(packet: Packet) -> str:
    """What stands last on the screen, however much has scrolled off it: what it is, and how much of it there is."""
    if packet.kind == "root":
        return f"root version {packet.tuf.signed.version}"
    if packet.kind == "targets":
        names = orders.protected_names(packet.files["protected.json"])
        return f"policy and data, targets version {packet.tuf.signed.version}, {len(names)} protected names"
    found = orders.read(packet.envelope, "the order")
    if not isinstance(found, Directive):
        return f"review of {found.id}: {found.decision}"
    if not found.targets:
        return f"{found.action} {found.id}"
    wide = [target.fqdn for target in found.targets if target.match == "subtree"]
    if len(found.targets) == 1:
        return f"{found.action} {found.id}: {found.targets[0].fqdn}{' and everything under it' if wide else ''}"
    under = f", {len(wide)} of them with everything under it: {', '.join(wide[:10])}{', …' if len(wide) > 10 else ''}" if wide else ""
    return f"{found.action} {found.id}: {len(found.targets)} names{under}"


def _visible(line: str) -> str:
    """A line without characters that end it, show as nothing, or turn the direction of writing: nobody signs what they were not shown."""
    return "".join(f"\\u{ord(each):04x}" if unicodedata.category(each) in _UNSEEN else each for each in line)


def signatures(packet: Packet) -> Iterator[str]:
    """Who has signed, who may, how many are missing."""
    for need in packets.needs(packet):
        wanted = " (not needed; with it, clients change over without a gap)" if need.wanted else ""
        state = "complete" if not need.missing else f"{need.missing} missing"
        yield f"Signatures of {need.whose}: {len(need.signed)} of {need.threshold}, {state}{wanted}"
        yield from (_visible(f"  signed    {name}") for name in need.signed)
        yield from (_visible(f"  may sign  {name}") for name in need.able)


def _yaml(document: Any) -> Iterator[str]:
    yield from (f"  {line}" for line in yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=140).splitlines())


def _order(packet: Packet) -> Iterator[str]:
    found = orders.read(packet.envelope, "the order")
    document = found.document()
    if packet.kind == "review":
        yield f"REVIEW: {document['decision']} {document['id']}"
    else:
        yield f"ORDER: {document['action']} {document['id']}"
    yield from _yaml(document)
    yield f"Digest: {orders.digest(packet.envelope)}"
    names = [target.fqdn for target in found.targets or ()] if isinstance(found, Directive) else []
    if in_unicode := [(name, shown) for name in names if (shown := ulabels.unmistakable(name))]:
        yield "Names as their owners write them, for reading; what stands above is signed:"
        for name, shown in in_unicode:  # on a line of its own: no direction of writing reaches beyond it
            yield f"  {name}"
            yield f"    {shown}"
    guarded = orders.guard(packet.envelope, packet.files)
    if guarded:
        yield "Guards, run on this machine with the packet's protected names and public-suffix data:"
        for result in guarded:
            yield f"  {result.name} ({result.match}): {result.refusal or 'no objection'}"


def _root(packet: Packet) -> Iterator[str]:
    root = packet.tuf.signed
    ours = metadata.ours(root)
    yield f"ROOT version {root.version} of the log {ours.get('origin')}: which keys count, and how many of them must sign"
    if ours.get("demonstration"):
        yield "  a DEMONSTRATION: no court or operator should follow it"
    yield f"  expires {_day(root.expires)}"
    yield from _pinned(ours)
    for name, role in root.roles.items():
        yield f"  {name}: {role.threshold} of {len(role.keyids)}"
        for keyid in role.keyids:
            yield f"    {keyid}  {metadata.people(root).get(keyid, 'online, without a person')}"
    for before in packet.roots:
        yield f"  It follows version {before.signed.version}, in which (if this is the true one: compare it with your own copy):"
        for name, role in before.signed.roles.items():
            if set(role.keyids) == set(root.roles[name].keyids) and role.threshold == root.roles[name].threshold:
                yield f"    {name}: as here"
            else:
                names = metadata.people(before.signed)
                yield f"    {name}: {role.threshold} of {len(role.keyids)}: {', '.join(names.get(keyid, keyid) for keyid in role.keyids)}"
    yield "  As it is signed:"
    yield from _yaml(root.to_dict())


def _targets(packet: Packet) -> Iterator[str]:
    targets = packet.tuf.signed
    yield f"POLICY AND DATA, targets version {targets.version}, expires {_day(targets.expires)}"
    yield from _pinned(metadata.ours(targets))
    yield "policy.json:"
    yield from _yaml(json.loads(packet.files["policy.json"]))
    names = orders.protected_names(packet.files["protected.json"])
    yield f"protected.json: {len(names)} names that no order may block:"
    yield from (f"  {name}" for name in names)
    suffixes = packet.files["suffixes.dat"]
    here = "the same as on this machine" if suffixes == suffix_data() else "other than this machine's"
    yield f"suffixes.dat: {len(suffixes.splitlines())} lines, {here}, SHA-256 {hashlib.sha256(suffixes).hexdigest()}, beginning:"
    yield from (f"  {line}" for line in suffixes.decode("utf-8", "replace").splitlines()[:SHOWN_SUFFIX_LINES])
    yield "As it is signed:"
    yield from _yaml(targets.to_dict())


def _pinned(ours: dict[str, Any]) -> Iterator[str]:
    pinned = ours.get("pinned")
    size, root = (pinned.get("size"), pinned.get("root")) if isinstance(pinned, dict) else (None, None)
    yield f"  made when the log had {size} entries and the root {root}"


def _day(when: datetime) -> str:
    return when.astimezone(UTC).strftime("%Y-%m-%d")
