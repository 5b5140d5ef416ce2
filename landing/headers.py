"""The header fields of every answer, whatever its kind: nothing is stored, nothing is loaded, nothing is told to anyone. Pure.

`Link: rel="blocked-by"` names who carries the block out (RFC 7725 section 4) and goes with status 451 alone.
"""

from __future__ import annotations

SMALL_POLICY = "default-src 'none'; frame-ancestors 'none'"
"""Content Security Policy of what is not a page."""


def fields(status: int, content_type: str, language: str, operator_url: str, policy: str = SMALL_POLICY) -> list[tuple[bytes, bytes]]:
    """The fields of an answer in the order they are sent, without Content-Length, Date and Connection.

    `language` of its words, empty for none; `policy` is a page's Content Security Policy. 451 is cacheable unless it says otherwise, and a lifted
    block must be seen at once (RFC 7725 section 3): `no-store`.
    """
    found = [
        (b"cache-control", b"no-store"),
        (b"vary", b"Accept, Accept-Language, Sec-Fetch-Dest"),
        (b"content-security-policy", policy.encode()),
        (b"referrer-policy", b"no-referrer"),
        (b"x-content-type-options", b"nosniff"),
        (b"content-type", content_type.encode()),
    ]
    if status == 451:
        found.insert(0, (b"link", f'<{operator_url}>; rel="blocked-by"'.encode()))
    if language:
        found.append((b"content-language", language.encode()))
    if status == 503:
        found.append((b"retry-after", b"5"))
    return found
