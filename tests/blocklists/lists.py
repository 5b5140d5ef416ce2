"""A state directory with sources of its own, for tests: real files, the real builder, no patched parts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from blocklists import names
from blocklists.builder import Built, build
from blocklists.job import Job
from blocklists.settings import BlocklistSettings, FileSource
from blocklists.store import Version

AS_OF = 1_800_000_000
"""After the sample's orders begin and before they end; unix seconds."""

DIRECTIVE = """\
id: {id}
action: {action}
issuer: {{authority: Authority of the example, contact: orders@authority.example}}
category: terrorism
legal_basis: Example act, section 1
reasons: {{en: An example.}}
owner_unidentifiable: true
owner_unidentifiable_why: An example.
issued_at: 2026-01-02T10:00:00Z
effective_at: 2026-01-03T00:00:00Z
review_due: 2098-01-01T00:00:00Z
expires_at: {expires}
redress: {{url: https://authority.example/appeal, deadline_days: 60, court: Court of the example}}
territorial_scope: FR
targets: [{targets}]
"""


def order(identifier: str, *targets: str, expires: str = "2098-06-01T00:00:00Z") -> str:
    """A directive that blocks names with everything under them."""
    found = ", ".join(f"{{fqdn: {target}, match: subtree}}" for target in targets)
    return DIRECTIVE.format(id=identifier, action="block", expires=expires, targets=found)


class House:
    """A directory with sources, and the state built from them."""

    def __init__(self, root: Path, **settings: Any) -> None:
        self.root = root
        self.state = root / "var"
        self.sources: list[FileSource] = []
        self.more = settings
        self.own: tuple[str, ...] = ()

    def source(self, identifier: str, format: str, **more: Any) -> None:
        """One more source, whose file bears its id."""
        self.sources.append(FileSource(id=identifier, path=identifier, format=format, **more))

    def write(self, identifier: str, text: str) -> None:
        """The source's file, put there at once."""
        temporary = self.root / f".{identifier}.new"
        temporary.write_text(text, "utf-8")
        temporary.rename(self.root / identifier)

    def job(self, as_of: int = AS_OF) -> Job:
        """What the builder is told."""
        settings = BlocklistSettings(sources=tuple(self.sources), **self.more)
        return Job(settings, self.state, self.root, self.own, as_of)

    def build(self, as_of: int = AS_OF) -> Built:
        """The next version, built in this process."""
        return build(self.job(as_of))


def key(name: str) -> bytes:
    """The index key of a name's text."""
    return names.key(names.parse(name))


def withdrawal(identifier: str) -> str:
    """The end of a directive."""
    return (
        f"id: {identifier}\naction: withdraw\nfollows: sha256:{'0' * 64}\nissued_at: 2026-02-01T00:00:00Z\n"
        "issuer: {authority: Authority of the example, contact: orders@authority.example}\nreasons: {en: An example.}\n"
    )


def documents(*texts: str) -> str:
    """One YAML file of several documents."""
    return "---\n".join(texts)


def blocked(version: Version, *texts: str, now: int = AS_OF) -> list[str]:
    """Those of the names that the version blocks."""
    return [text for text in texts if version.index.find(key(text), now) is not None]
