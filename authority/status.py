"""What an authority's directory says of itself: roles and their expiries, the log, the last order, what waits for signatures."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tuf.api.metadata import Metadata

from authority import batches, metadata, packets, repository, standing
from authority.places import Places
from authority.repository import Repository
from blocklists.directive import show_time
from blocklists.log import entry as entries
from blocklists.log.tree import Tree

SOON_DAYS = {"root": 60.0, "targets": 60.0, "snapshot": 2.0, "checkpoint": 2.0, "timestamp": 0.25}
"""Days before an expiry from which on it is said to come soon: people need weeks, a server hours."""


def report(directory: Path, now: int) -> dict[str, Any]:
    """All of it, as JSON knows it; `now` in unix seconds. Raises AuthorityError, StoreError."""
    places = Places(directory)
    places.require()
    present = repository.load(places)
    tree = Tree(places.log)
    found: dict[str, Any] = {"directory": str(directory), "published": present is not None, "roles": {}, "log": None, "last_order": None}
    if present is not None:
        ours = metadata.ours(present.root.signed)
        found |= {"origin": present.policy.log.origin, "demonstration": bool(ours.get("demonstration"))}
        found["roles"] = {name: _role(present, name, made, now) for name, made in _roles(present)}
        found["log"] = {
            "size": tree.size,
            "root": base64.b64encode(tree.root).decode(),
            "checkpoint_size": present.checkpoint.size,
            "signed_at": _when(present.checkpoint.time),
            "key": present.policy.log.key.keyid,
        }
        found["last_order"] = _last_order(tree)
        found["policy"] = {
            "epochs": len(present.policy.epochs),
            "begins": present.policy.epochs[-1].begins,
            "offices": {name: {"key": one.key.keyid, "person": one.person} for name, one in present.policy.epochs[-1].officers.items()},
            "compromised": [{"key": each.keyid, "since": each.since} for each in present.policy.compromised],
        }
        heard = standing.standings(places, present.policy, tree)
        found["operators"] = [{**each._asdict(), "exceptions": [one.model_dump() for one in each.exceptions]} for each in heard]
        found["receipts_not_logged"] = batches.waiting(places, tree)
    found["waiting"] = list(_waiting(places))
    return found


def _roles(present: Repository) -> list[tuple[str, Metadata[Any]]]:
    return [
        ("root", present.root),
        ("targets", present.targets),
        ("checkpoint", present.checkpoint_role),
        ("snapshot", present.snapshot),
        ("timestamp", present.timestamp),
    ]


def _role(present: Repository, name: str, made: Metadata[Any], now: int) -> dict[str, Any]:
    role = metadata.role(present.targets.signed if name == metadata.CHECKPOINT else present.root.signed, name)
    left = (made.signed.expires.timestamp() - now) / 86_400
    people = metadata.people(present.root.signed)
    return {
        "version": made.signed.version,
        "threshold": role.threshold,
        "holders": [{"key": keyid, "person": people.get(keyid)} for keyid in role.keyids],
        "expires": show_time(made.signed.expires),
        "days_left": round(left, 2),
        "state": "expired" if left <= 0 else "soon" if left < SOON_DAYS[name] else "good",
    }


def _last_order(tree: Tree) -> dict[str, Any] | None:
    for index in range(tree.size - 1, -1, -1):
        entry = entries.read(tree.entry(index), f"entry {index}")
        if entry.envelope is not None:
            payload = json.loads(entry.envelope.payload)
            what = payload.get("action") or payload.get("decision")
            return {"index": index, "id": payload.get("id"), "what": what, "logged_at": _when(entry.logged_at)}
    return None


def _waiting(places: Places) -> Iterator[dict[str, Any]]:
    for path in sorted(places.packets.glob("*.packet.json")):
        packet = packets.load(path)
        needs = [
            {"whose": need.whose, "threshold": need.threshold, "signed": list(need.signed), "may_sign": list(need.able), "missing": need.missing}
            for need in packets.needs(packet)
        ]
        yield {"file": str(path), "kind": packet.kind, "complete": packets.complete(packet), "needs": needs}


def _when(seconds: int) -> str:
    return show_time(datetime.fromtimestamp(seconds, UTC))


def text(found: dict[str, Any]) -> Iterator[str]:
    """The same for people, line by line."""
    if not found["published"]:
        yield f"{found['directory']}: nothing is published yet"
    else:
        yield f"{found['origin']}{' (a DEMONSTRATION)' if found['demonstration'] else ''}"
        for name, role in found["roles"].items():
            said = {"expired": "EXPIRED, ", "soon": "expires soon, ", "good": ""}[role["state"]]
            people = ", ".join(each["person"] or f"online {each['key'][:16]}…" for each in role["holders"])
            yield f"  {name:<10} version {role['version']}, {role['threshold']} of {len(role['holders'])} ({people}); {said}{_left(role)}"
        log, last = found["log"], found["last_order"]
        yield f"  log        {log['size']} entries, checkpoint of {log['checkpoint_size']} signed at {log['signed_at']}"
        if log["size"] != log["checkpoint_size"]:
            yield f"  A publication was cut short; complete it with: redhand authority publish {found['directory']}"
        if last:
            yield f"  last order {last['id']} ({last['what']}), entry {last['index']}, logged at {last['logged_at']}"
        for each in found["operators"]:
            yield from _operator(each)
        if found["receipts_not_logged"]:
            yield f"  receipts   {found['receipts_not_logged']} are not in the log yet; the next publication, or the server within an hour, logs them"
    for each in found["waiting"]:
        yield f"  waits      {each['file']} ({each['kind']})" + (": complete, publish it" if each["complete"] else "")
        for need in each["needs"]:
            if need["missing"]:
                yield f"             {need['missing']} of {need['threshold']} missing for {need['whose']}: {', '.join(need['may_sign'])}"


def _operator(found: dict[str, Any]) -> Iterator[str]:
    who = f"  operator   {found['operator']} ({found['name'] or 'NOT in the policy'}){'' if found['token'] else ', no token'}"
    if not found["number"]:
        yield f"{who}: no receipt yet"
        return
    behind = f"{found['behind']} orders behind" if found["behind"] else "up to date"
    yield f"{who}: log size {found['size']} in force since {_when(found['since'])}, {behind}; receipt {found['number']}"
    if not found["ours"]:
        yield "             it names a state that this log NEVER had: somebody shows it another one; find out who signed that"
    yield from (f"             {each['id']} {each['what']}: {each['why']}" for each in found["exceptions"])


def _left(role: dict[str, Any]) -> str:
    days = role["days_left"]
    return f"until {role['expires']} ({days:.0f} days)" if abs(days) >= 2 else f"until {role['expires']} ({days * 24:.0f} hours)"
