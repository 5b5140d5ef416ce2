"""What the libraries let through and we refuse: one key under two ids, weak keys, and one key or person in two places that check each other.

TUF counts key ids, and takes each metadata file's word for which key an id names; so one key under two ids would count as two signers. And it knows
no people. This is asked before anybody signs, and by every client before it believes. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from blocklists.errors import BadDocument
from blocklists.names import clip
from blocklists.trust.keys import load_key
from blocklists.trust.policy import Policy, same_person

OFFLINE = ("root", "targets")
ONLINE = ("snapshot", "timestamp")
_HOLDERS = "holder of root or targets"
_ONLINE = "online role"


def check(root: Mapping[str, Any], targets: Mapping[str, Any], policy: Policy) -> None:
    """Raises BadDocument, naming who or what stands twice, for what TUF's metadata (what is `signed` in it) and the policy say together."""
    try:
        _check(root, targets, policy)
    except (KeyError, TypeError, AttributeError) as error:
        raise BadDocument(f"root or targets has a field of another kind than TUF's ({clip(repr(error))}); the authority must make it anew") from None


def _check(root: Mapping[str, Any], targets: Mapping[str, Any], policy: Policy) -> None:
    offices = _Offices()
    people = root.get("redhand", {}).get("people", {})
    delegations = targets.get("delegations") or {"keys": {}, "roles": []}
    delegated = {role["name"]: role for role in delegations["roles"]}
    check_keys(root["keys"], root["roles"], "root")
    check_keys(delegations["keys"], delegated, "targets")
    for role in OFFLINE:
        seen: dict[str, str] = {}
        for keyid in root["roles"][role]["keyids"]:
            offices.key(keyid, _HOLDERS)
            if (person := people.get(keyid)) is not None:
                offices.person(person, _HOLDERS)
                if seen.setdefault(same_person(person), keyid) != keyid:
                    raise BadDocument(f"{role}: {clip(person)} holds two of its keys, and would count as two; give one to somebody else")
    for keyids in (*(root["roles"][role]["keyids"] for role in ONLINE), *(role["keyids"] for role in delegated.values())):
        for keyid in keyids:
            offices.key(keyid, _ONLINE)
    offices.key(policy.log.key.keyid, _ONLINE)
    for name, officer in policy.epochs[-1].officers.items():
        offices.key(officer.key.keyid, f"{officer.role} {name}")
        offices.person(officer.person, f"{officer.role} {name}")
    for person in policy.holders.root:
        offices.person(person, _HOLDERS)
    for person in policy.holders.administrators:
        offices.person(person, "administrator")
    for name, operator in policy.operators.items():
        offices.key(operator.key.keyid, f"operator {name}")


def check_keys(keys: Mapping[str, Any], roles: Mapping[str, Any], what: str) -> None:
    """Raises BadDocument unless each key in a metadata file is sound and under the id computed from it, and each role has enough of them."""
    for keyid, document in keys.items():
        found = load_key(document, f"the key {clip(keyid)} of {what}")
        if found.keyid != keyid:
            raise BadDocument(f"{what}: the key {found.keyid} stands under the id {clip(keyid)}, and could count twice; make {what} anew without it")
    for name, role in roles.items():
        keyids = role["keyids"]
        if len(set(keyids)) != len(keyids) or not set(keyids) <= keys.keys():
            raise BadDocument(f"{what}: the role {clip(name)} names a key twice, or one that is not there; sign {what} again without it")
        if not 1 <= role["threshold"] <= len(keyids):
            raise BadDocument(f"{what}: {role['threshold']} of the {len(keyids)} keys of {clip(name)} must sign, and cannot; correct the threshold")


class _Offices:
    """Which office each key and each person has, so far."""

    def __init__(self) -> None:
        self._held: dict[str, str] = {}

    def key(self, keyid: str, office: str) -> None:
        self._take(keyid, f"the key {keyid}", office)

    def person(self, name: str, office: str) -> None:
        self._take("person " + same_person(name), clip(name), office)

    def _take(self, what: str, shown: str, office: str) -> None:
        if self._held.setdefault(what, office) != office:
            raise BadDocument(f"{shown} is {self._held[what]} and {office}, and who checks must not be who is checked; let another hold one")
