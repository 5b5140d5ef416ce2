"""What holds between root, targets and policy before anybody signs them, and again before they are published."""

from __future__ import annotations

from collections.abc import Mapping

from tuf.api.metadata import Metadata, Root, Targets

from authority import metadata, orders
from authority.errors import AuthorityError
from blocklists.trust import lint, policy


def check(root: Metadata[Root], targets: Metadata[Targets], files: Mapping[str, bytes]) -> None:
    """Raises AuthorityError or BadDocument for what must not be signed."""
    made = policy.load(files["policy.json"])
    orders.guards_of(files)
    if metadata.ours(root.signed).get("origin") != made.log.origin:
        raise AuthorityError(f"the root is not for the log {made.log.origin} that the policy names; draft both from one ceremony")
    lint.check(root.signed.to_dict(), targets.signed.to_dict(), made)
