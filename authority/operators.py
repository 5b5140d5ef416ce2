"""Operators: the registry of their receipt keys in the policy, which people sign, and their tokens, which the server keeps.

The token opens the entries to them at once; the key makes their receipts count once the policy that registers it is signed and published.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from authority import drafts, repository, tokens
from authority.errors import AuthorityError
from authority.packets import Packet
from authority.places import Places
from blocklists.names import clip
from blocklists.trust.keys import PublicKey
from blocklists.trust.policy import Operator


def add(directory: Path, operator: str, name: str, key: PublicKey, now: int) -> tuple[str, Packet | None]:
    """The operator's new token, and the targets packet that registers its key; None when the policy has it so already.

    An operator that is there gets another name, key and token. Raises AuthorityError, BadDocument, DiskError.
    """
    places = Places(directory)
    try:
        made = Operator(name=name, key=key)
    except ValidationError as error:
        raise AuthorityError(f"{clip(name)!r} is no operator's name ({error.errors()[0]['msg']}); write one line") from None
    present = repository.published(places)
    packet = None
    if present.policy.operators.get(operator) != made:
        packet = drafts.draft_operators(directory, lambda known: {**known, operator: made}, now)
    return tokens.issue(places, operator, now), packet


def remove(directory: Path, operator: str, now: int) -> Packet | None:
    """Ends the operator's token, and drafts the policy without its key; None when the policy does not have it. Its receipts stay.

    Raises AuthorityError for one that is nowhere.
    """
    places = Places(directory)
    registered = operator in repository.published(places).policy.operators
    if not tokens.withdraw(places, operator) and not registered:
        raise AuthorityError(f"{clip(operator)} is no operator here; see: redhand authority operator list {directory}")

    def without(known: Mapping[str, Operator]) -> dict[str, Operator]:
        return {name: one for name, one in known.items() if name != operator}

    return drafts.draft_operators(directory, without, now) if registered else None
