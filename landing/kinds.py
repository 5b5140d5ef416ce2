"""What a request to a blocked site was meant to fetch, so that the refusal is of a kind that whoever asked can take. Pure.

A browser says by `Sec-Fetch-Dest` what it will do with an answer, but only to an https or loopback origin (Fetch Metadata section 3): here, where
http is spoken, Accept and the path's ending must mostly do. A person is never shown anything but the page: whoever names HTML in Accept gets it.
Small answers say no more than that the site is blocked; they run nothing, style nothing, and draw nothing but a hand. No permission that a
preflight asks for is given: whether a name is blocked here is not for other sites' scripts to read.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Literal

from landing.language import prefers_json

Kind = Literal["page", "problem", "image", "script", "style", "font", "media", "data", "preflight", "options", "robots", "favicon"]

SENTENCE = "This site is blocked here. Open it in a browser to read by whom, why, and how to contest it."

DESTINATIONS: dict[str, Kind] = {
    "document": "page", "embed": "page", "fencedframe": "page", "frame": "page", "iframe": "page", "object": "page",
    "image": "image",
    "audioworklet": "script", "paintworklet": "script", "script": "script", "serviceworker": "script", "sharedworker": "script", "worker": "script",
    "style": "style",
    "font": "font",
    "audio": "media", "track": "media", "video": "media",
    "empty": "data", "json": "data", "manifest": "data", "report": "data", "speculationrules": "data", "text": "data", "webidentity": "data",
    "xslt": "data",
}  # fmt: skip
"""Request destinations (Fetch section 2.2.5) by the kind that suits them; one that is not here counts as not given."""

ENDINGS: dict[bytes, Kind] = {
    **dict.fromkeys((b"apng", b"avif", b"bmp", b"gif", b"ico", b"jpeg", b"jpg", b"jxl", b"png", b"svg", b"webp"), "image"),
    **dict.fromkeys((b"js", b"mjs"), "script"),
    b"css": "style",
    **dict.fromkeys((b"eot", b"otf", b"ttf", b"woff", b"woff2"), "font"),
    **dict.fromkeys(
        (b"aac", b"flac", b"m3u8", b"m4a", b"m4v", b"mov", b"mp3", b"mp4", b"mpd", b"oga", b"ogg", b"ogv", b"opus", b"vtt", b"wav", b"webm"), "media"
    ),
    **dict.fromkeys((b"json", b"map", b"webmanifest"), "data"),
}
"""Endings of a path, lower case, of what is fetched for a page rather than read by a person."""

RANGES: dict[str, Kind] = {
    "image/": "image",
    "text/css": "style",
    "text/javascript": "script",
    "application/javascript": "script",
    "font/": "font",
    "application/font-": "font",
    "audio/": "media",
    "video/": "media",
}
"""How the first media range of Accept begins, when a program asks for one kind of thing."""


def kind_of(method: bytes, path: bytes, dest: str, accept: str, preflight: bool, origin: bool = False) -> Kind:
    """The kind of answer to a request for a blocked site.

    `path` is the target's, its query may follow; `dest` is Sec-Fetch-Dest in lower case, empty when it was not sent; `accept` is Accept as it came,
    several fields joined by commas; `preflight`: it asks for leave to send another (Access-Control-Request-Method, Fetch section 4.8); `origin`: it
    has an Origin.
    """
    if method == b"OPTIONS":
        return "preflight" if preflight else "options"
    accept = accept.lower()
    if "text/html" in accept or "application/xhtml+xml" in accept:
        # Only a destination that no person looks at outweighs this: Accept is a page's own choice in a fetch, and fixed in everything else.
        asked = DESTINATIONS.get(dest, "page")
        if asked in {"page", "data"}:
            return "problem" if prefers_json(accept) else "page"
        return asked
    path = path.partition(b"?")[0]
    if path == b"/robots.txt":
        return "robots"
    if path == b"/favicon.ico":
        return "favicon"
    meant = DESTINATIONS.get(dest) or _by_accept(accept)
    if meant in {None, "page", "data"} and prefers_json(accept):
        return "problem"
    return meant or _by_ending(path) or ("data" if origin else "page")


def _by_accept(accept: str) -> Kind | None:
    first = accept.lstrip(" \t")
    return next((kind for start, kind in RANGES.items() if first.startswith(start)), None)


def _by_ending(path: bytes) -> Kind | None:
    _, dot, ending = path.rpartition(b"/")[2].rpartition(b".")
    return ENDINGS.get(ending.lower()) if dot else None


_HAND = (
    b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32" width="64" height="64">'
    b'<path fill="#c8202c" stroke="#c8202c" stroke-width="3.6" stroke-linecap="round" stroke-linejoin="round"'
    b' d="M5 9l3 8M11.5 4l1 12M17.5 3v13M23.5 5.5l-1 11M28.5 14.5L22 23.5M8 17.5h14.5V22l-3.5 4v4H12v-3.5Q7.5 22 8 17.5z"/></svg>\n'
)
"""The hand of the page's own icon (templates/base.html)."""
_COMMENT = f"/* {SENTENCE} */\n".encode()

SMALL: dict[Kind, tuple[str, bytes]] = {
    "image": ("image/svg+xml", _HAND),
    "favicon": ("image/svg+xml", _HAND),
    "script": ("text/javascript; charset=utf-8", _COMMENT),
    "style": ("text/css; charset=utf-8", _COMMENT),
    "font": ("font/woff2", b""),
    "media": ("video/mp4", b""),
    "preflight": ("text/plain; charset=utf-8", b""),
    "options": ("text/plain; charset=utf-8", f"{SENTENCE}\n".encode()),
    "robots": ("text/plain; charset=utf-8", f"# {SENTENCE}\n".encode()),
}
"""Each kind's type and octets, where they do not depend on the status."""


def small(kind: Kind, status: int = 451) -> tuple[str, bytes]:
    """(Content-Type, body) of a kind that is neither `page` nor `problem`, for a name that is blocked with this status (451 or 403).

    An image is shown by browsers whatever its status; a script or style is not run or applied, and is a comment all the same. A crawler treats a
    robots.txt of status 4xx as if there were none (RFC 9309 section 2.3.1.3), so that a block here takes no site out of an index.
    """
    if kind == "data":
        problem = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": SENTENCE}
        return "application/problem+json", json.dumps(problem, separators=(",", ":")).encode()
    return SMALL[kind]


def language_of(kind: Kind) -> str:
    """The language a small answer's words are in; empty when it has none."""
    return "en" if kind in {"script", "style", "data", "options", "robots"} else ""
