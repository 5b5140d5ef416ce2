"""What holds between root, targets and policy before anybody signs them, and again before they are published.

The libraries count key ids and know no people: that one key, or one person, does not stand in two places that check each other is for us to see.
"""

from __future__ import annotations

from collections.abc import Mapping

from tuf.api.metadata import Metadata, Root, Targets

from authority import metadata, orders
from authority.errors import AuthorityError
from blocklists.trust import policy


def check(root: Metadata[Root], targets: Metadata[Targets], files: Mapping[str, bytes]) -> None:
    """Raises AuthorityError or BadDocument for what must not be signed."""
    made = policy.load(files["policy.json"])
    orders.guards_of(files)
    ours = root.signed.unrecognized_fields.get(metadata.OURS)
    if not isinstance(ours, dict) or ours.get("origin") != made.log.origin:
        raise AuthorityError(f"the root is not for the log {made.log.origin} that the policy names; draft both from one ceremony")
    _thresholds(root.signed)
    _apart(root.signed, targets.signed, made)


def _thresholds(root: Root) -> None:
    for name in ("root", "targets"):
        role = root.roles[name]
        if not 1 <= role.threshold <= len(set(role.keyids)):
            raise AuthorityError(f"{name}: {role.threshold} of {len(set(role.keyids))} holders can never sign; lower the threshold or add holders")
        if len(set(role.keyids)) != len(role.keyids):
            raise AuthorityError(f"{name}: one key stands there twice; give each holder a key of its own")


def _apart(root: Root, targets: Targets, made: policy.Policy) -> None:
    """One key, or one person, in two of: officer, reviewer, holder of an offline role, administrator, online role."""
    names = metadata.people(root)
    epoch = made.epochs[-1]
    places: dict[str, dict[str, str]] = {"keys": {}, "people": {}}

    def take(key: str, person: str | None, place: str) -> None:
        for kind, value in (("keys", key), ("people", person)):
            if value and places[kind].setdefault(value, place) != place:
                what = f"the key {value[:16]}…" if kind == "keys" else f"{value!r}"
                raise AuthorityError(f"{what} stands under {places[kind][value]} and {place}, which check each other; let another take one of them")

    for role in ("root", "targets"):
        seen: dict[str, str] = {}
        for keyid in root.roles[role].keyids:
            person = names.get(keyid)
            if person is not None and seen.setdefault(person, keyid) != keyid:
                raise AuthorityError(f"{role}: {person!r} holds two keys, and would count as two; give one to somebody else")
            take(keyid, person, "root and targets holders")
    for name, office in epoch.officers.items():
        take(office.key.keyid, office.person, "officers" if office.role == "officer" else f"reviewer {name}")
    people: dict[str, str] = {}
    for name, office in epoch.officers.items():
        if people.setdefault(office.person, name) != name:
            raise AuthorityError(f"officers: {office.person!r} is {people[office.person]} and {name}, and would count as two; let another be one")
    for person in made.holders.administrators:
        take("", person, "administrators")
    for name, operator in made.operators.items():
        take(operator.key.keyid, None, f"operator {name}")
    for role in ("snapshot", "timestamp"):
        for keyid in root.roles[role].keyids:
            take(keyid, None, "online roles")
    for keyid in metadata.role(targets, metadata.CHECKPOINT).keyids:
        take(keyid, None, "online roles")
    take(made.log.key.keyid, None, "online roles")
