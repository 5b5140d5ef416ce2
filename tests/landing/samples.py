"""Orders and lists for names under .example, and versions of them on disk, built as the operator's are."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from blocklists import builder, names, store
from blocklists.job import Job
from blocklists.settings import BlocklistSettings, FileSource

NOW = int(time.time())

ORDER: dict[str, Any] = {
    "id": "XX-2026-000123",
    "action": "block",
    "issuer": {"authority": "Office for the Protection of the Public", "contact": "orders@authority.example"},
    "category": "terrorism",
    "legal_basis": "Public Safety Act 2015, section 6-1",
    "reasons": {"en": "The site praises those who attacked a market.", "fr": "Le site loue ceux qui ont attaqué un marché."},
    "issued_at": "2026-03-01T09:00:00Z",
    "effective_at": "2026-03-02T09:00:00Z",
    "review_due": "2098-12-01T00:00:00Z",
    "reviewer": "Independent Reviewer of Orders",
    "expires_at": "2099-01-01T00:00:00Z",
    "redress": {"url": "https://authority.example/appeal", "deadline_days": 60, "court": "Administrative Court of Exampleville"},
    "territorial_scope": "XX",
}


def key(name: str) -> bytes:
    return names.key(names.parse(name))


def order(*listed: str, match: str = "subtree", **fields: Any) -> dict[str, Any]:
    """An order on these names, as ORDER but for some fields."""
    return {**ORDER, "targets": [{"fqdn": name, "match": match} for name in listed], **fields}


def put_in_force(state_dir: Path, *orders: dict[str, Any], own: tuple[str, ...] = (), passed: tuple[str, ...] = ()) -> store.Version:
    """Builds the version of these orders and of the operator's two lists; it is then the current one."""
    lists = state_dir / "lists"
    lists.mkdir(exist_ok=True)
    (lists / "orders.yaml").write_text("\n---\n".join(json.dumps(document, indent=1) for document in orders) + "\n", encoding="utf-8")
    sources = [FileSource(id="orders-by-hand", path="orders.yaml", format="directives")]
    if own:
        (lists / "own.txt").write_text("\n".join(own) + "\n", encoding="utf-8")
        sources.append(FileSource(id="own-list", path="own.txt", format="domains"))
    if passed:
        (lists / "passed.txt").write_text("\n".join(passed) + "\n", encoding="utf-8")
        sources.append(FileSource(id="pass-list", path="passed.txt", format="domains", action="pass"))
    built = builder.build(Job(BlocklistSettings(sources=tuple(sources)), state_dir, lists, (), NOW))
    if built.refused or built.skipped:
        raise AssertionError(f"{built.refused} {built.first_skipped}")
    return store.open_current(state_dir)
