"""What the authority's own tools refuse on purpose."""

from __future__ import annotations

from blocklists.errors import RedHandError


class AuthorityError(RedHandError):
    """Something asked of the authority's tools cannot be done: a wrong key, too few signatures, a packet that is out of date."""
