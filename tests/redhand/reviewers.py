"""People who grant reviewers' access, and grants that they have signed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from authority import keys
from authority.keys import KeyInMemory
from blocklists.trust.envelope import Envelope
from blocklists.trust.keys import PublicKey
from redhand import granted
from resolver import grants
from resolver.grants import Grant

NETWORK = "127.0.0.8/29"
NONCE = "0123456789abcdef" * 2
KEYS: dict[str, KeyInMemory] = {name: keys.generate() for name in ("martin", "duval", "stranger", "martin-2")}
PERSONS = {"martin": "A. Martin", "duval": "B. Duval", "stranger": "C. Stranger", "martin-2": "A. Martin"}


def introduced(directory: Path, *names: str) -> list[str]:
    """Files that introduce these keys, as `redhand authority key` writes them."""
    found = []
    for name in names:
        path = directory / f"{name}.pub.json"
        path.write_bytes(keys.holder(KEYS[name].key, PERSONS[name]).encode())
        found.append(str(path))
    return found


def known(*names: str) -> dict[str, tuple[PublicKey, str]]:
    """These people, as the settings' files come to."""
    return {KEYS[name].key.keyid: (KEYS[name].key, PERSONS[name]) for name in names}


def drafted(*networks: str, until: int = 0, now: int = 0, nonce: str = NONCE, who: str = "Reviewer of orders") -> Grant:
    """A grant of a day from now, or until then."""
    now = now or int(time.time())
    return grants.draft(who, "Public Safety Act 2015, section 6-1", networks or (NETWORK,), until or now + 86_400, now, nonce)


def signed(grant: Grant, *names: str) -> Envelope:
    """The grant with these people's signatures."""
    sealed = grants.sealed(grant)
    for name in names:
        sealed = sealed.with_signature(KEYS[name].key.keyid, KEYS[name].sign(sealed.signed_bytes()))
    return sealed


def record(state_dir: Path, sealed: Envelope, at: int = 0) -> int:
    """Adds it to the log of grants, as `redhand access grant` does once it has verified it."""
    return granted.append(state_dir, lambda _: {"action": "grant", "at": at or int(time.time()), "envelope": sealed.document()})


def revoke(state_dir: Path, reference: str) -> int:
    """As `redhand access revoke` does."""

    def entry(_: Sequence[Any]) -> dict[str, Any]:
        return {"action": "revoke", "at": int(time.time()), "by": "A. Duty", "reason": "mission over", "reference": reference}

    return granted.append(state_dir, entry)
