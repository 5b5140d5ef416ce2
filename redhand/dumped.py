"""What a cache holds, one entry a line, for people or machines. Pure: what a worker tells (resolver.caches.dump) in, a line out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import dns.rcode
import dns.rdatatype


def _named(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {**entry, "type": dns.rdatatype.to_text(entry["type"]), "rcode": dns.rcode.to_text(entry["rcode"])}


def as_json(entry: Mapping[str, Any]) -> str:
    """One JSON object."""
    return json.dumps(_named(entry))


def as_text(entry: Mapping[str, Any]) -> str:
    """Worker, group, cache, name, type, result and seconds left, parted by tabs."""
    named = _named(entry)
    left = "-" if named["seconds"] is None else str(named["seconds"])
    return "\t".join((named["worker"], named["group"], named["cache"], named["name"], named["type"], named["rcode"], left))
