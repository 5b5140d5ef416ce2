"""An authority on paper, for tests: real keys from a seed, a policy, orders signed as officers sign them, entries as a log has them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from securesystemslib.signer import CryptoSigner

from blocklists.directive import canonical, show_time
from blocklists.guards import Suffixes, read_suffixes
from blocklists.log.entry import Entry
from blocklists.trust import policy
from blocklists.trust.envelope import DIRECTIVE, REVIEW, Envelope
from blocklists.trust.keys import PublicKey, load_key

ORIGIN = "orders.authority.example/2026"
START = int(datetime(2026, 3, 1, tzinfo=UTC).timestamp())
"""When the log's first entry is dated, unless a test says otherwise; unix seconds."""
DAY = 86_400
SUFFIXES: Suffixes = read_suffixes("test\nexample\n*.hosted.example\n!www.hosted.example\nshared.example\n")


@cache
def signer(name: str) -> CryptoSigner:
    """Somebody's key, the same in each run."""
    return CryptoSigner(Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"test key of " + name.encode()).digest()))


def public(name: str) -> dict[str, Any]:
    """Somebody's public key as documents write it."""
    found: dict[str, Any] = signer(name).public_key.to_dict()
    return found


def key(name: str) -> PublicKey:
    return load_key(public(name), name)


def when(day: float) -> str:
    """A time so many days after START, as documents write it."""
    return show_time(datetime.fromtimestamp(START + day * DAY, UTC))


def epoch(begins: int = 0, **fields: Any) -> dict[str, Any]:
    """Two authorities: `north` with the officers n1 to n4, `south` with s1 and s2; the reviewer r1; two of north must order fraud."""
    people = {"north": ("n1", "n2", "n3", "n4"), "south": ("s1", "s2")}
    officers = {
        name: {"role": "officer", "authority": authority, "person": f"person {name}", "key": public(name)}
        for authority, names in people.items()
        for name in names
    }
    officers["r1"] = {"role": "reviewer", "person": "person r1", "key": public("r1")}
    clocks = {"owner_hours": 24, "operator_hours": 24, "review_hours": 2208, "grace_hours": 336, "restore_hours": 24}
    texts = {"en": "An example."}
    return {
        "begins": begins,
        "authorities": {name: {"name": name, "contact": f"{name}@authority.example"} for name in people},
        "categories": {
            "fraud": {"authorities": ["north"], "threshold": 2, "max_days": 366, "texts": texts, "clocks": clocks},
            "drugs": {"authorities": ["south"], "threshold": 1, "max_days": 30, "texts": texts, "clocks": clocks},
            "terrorism": {"authorities": ["north", "south"], "threshold": 2, "max_days": 366, "texts": texts, "clocks": clocks},
        },
        "officers": officers,
        "withdraw_threshold": 1,
        "limits": {"names_per_hour": 10, "names_per_day": 20},
        **fields,
    }


def policy_document(*epochs: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {
        "type": "policy",
        "version": 1,
        "log": {"origin": ORIGIN, "key": public("log")},
        "epochs": list(epochs or (epoch(),)),
        "operators": {},
        "compromised": [],
        "holders": {"root": [], "administrators": []},
        **fields,
    }


def make_policy(*epochs: dict[str, Any], **fields: Any) -> policy.Policy:
    return policy.from_document(policy_document(*epochs, **fields))


def nonce(of: Any) -> str:
    return hashlib.sha256(repr(of).encode()).hexdigest()[:32]


def block(identity: str = "XX-1", *targets: str, **fields: Any) -> dict[str, Any]:
    """An order of north's; a target with a leading dot is a subtree. A field given as None is left out."""
    whole = {
        "type": "directive",
        "version": 1,
        "log": ORIGIN,
        "nonce": nonce((identity, targets, sorted(fields.items()))),
        "id": identity,
        "action": "block",
        "issuer": {"authority": "north", "contact": "north@authority.example"},
        "targets": [{"fqdn": name.removeprefix("."), "match": "subtree" if name[0] == "." else "exact"} for name in targets or ("site.example",)],
        "category": "fraud",
        "legal_basis": "Law 1",
        "reasons": {"en": "A fraud."},
        "owner_unidentifiable": True,
        "owner_unidentifiable_why": "Nobody answers.",
        "issued_at": when(0),
        "effective_at": when(0),
        "expires_at": when(100),
        "redress": {"url": "https://authority.example/", "deadline_days": 30, "court": "Court"},
        **fields,
    }
    return {name: value for name, value in whole.items() if value is not None}


def amend(before: dict[str, Any], *targets: str, **fields: Any) -> dict[str, Any]:
    return block(before["id"], *targets, **{"action": "amend", "follows": digest(before), **fields})


def follow(action: str, before: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A suspension or withdrawal."""
    blank = dict.fromkeys(
        ("targets", "category", "legal_basis", "effective_at", "expires_at", "redress", "owner_unidentifiable", "owner_unidentifiable_why")
    )
    return block(before["id"], **{**blank, "action": action, "follows": digest(before), **fields})


def reviewed(before: dict[str, Any], decision: str = "confirm", **fields: Any) -> dict[str, Any]:
    return {
        "type": "review",
        "version": 1,
        "log": ORIGIN,
        "nonce": nonce((before["id"], decision, sorted(fields.items()))),
        "id": before["id"],
        "follows": digest(before),
        "decision": decision,
        "reasons": {"en": "Reviewed."},
        "issued_at": when(0),
        **fields,
    }


def digest(payload: dict[str, Any]) -> str:
    return "sha256:" + hashlib.sha256(canonical(payload)).hexdigest()


def sign(payload: dict[str, Any] | bytes, *names: str, kind: str = "") -> Envelope:
    """An envelope signed by these people."""
    data = payload if isinstance(payload, bytes) else canonical(payload)
    kind = kind or (REVIEW if json.loads(data).get("type") == "review" else DIRECTIVE)
    found = Envelope(kind, data)
    for name in names:
        found = found.with_signature(signer(name).public_key.keyid, bytes.fromhex(signer(name).sign(found.signed_bytes()).signature))
    return found


def logged(payload: dict[str, Any] | bytes, names: Iterable[str] = ("n1", "n2"), day: float = 0, kind: str = "") -> bytes:
    """An entry of the log, dated so many days after START."""
    return Entry(START + int(day * DAY), sign(payload, *names, kind=kind)).encode()
