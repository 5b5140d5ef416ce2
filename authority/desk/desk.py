"""The desk as its parts see it: settings, database, the authority's directory, the documents in force, and the time."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Literal, get_args

from sqlalchemy import select
from sqlalchemy.orm import Session

from authority.desk import procedure as procedures
from authority.desk.errors import DeskError
from authority.desk.evidence.vault import Vault
from authority.desk.procedure import Procedure
from authority.desk.settings import DeskSettings
from authority.desk.store import Store
from authority.desk.tables import Document
from authority.places import Places

Kind = Literal["procedure", "protected", "popular", "shared_hosting", "texts"]
"""What two persons decide: clocks and rules; names never blocked; popular names; names that share a host; texts of messages."""
KINDS: tuple[Kind, ...] = get_args(Kind)


class Desk:
    """One authority's desk. Threads share it."""

    def __init__(self, settings: DeskSettings, base: Path, now: Callable[[], int] = lambda: int(time.time())) -> None:
        """`base`: where relative paths in the settings start; `now`: unix seconds. Raises DeskError."""
        self.settings = settings
        self.base = base
        self.places = Places((base / settings.directory).absolute())
        self.directory = self.places.directory / "desk"
        self.now = now
        if not self.places.directory.is_dir():
            raise DeskError(f"{self.places.directory} is no directory; look at desk.directory, or make it: redhand authority init")
        self.directory.mkdir(mode=0o700, exist_ok=True)
        self.store = Store(settings.database or f"sqlite:///{self.directory / 'desk.db'}")

    @cached_property
    def vault(self) -> Vault:
        """Where evidence is kept, opened at the first need: a store that is away closes no other page. Raises DeskError."""
        return Vault(self.settings.evidence, self.base, self.directory)

    def close(self) -> None:
        """Gives back what it holds."""
        self.store.close()

    def document(self, session: Session, kind: Kind) -> str:
        """The text of a document in force; empty when there is none yet."""
        found = session.scalar(select(Document.body).where(Document.kind == kind).order_by(Document.version.desc()).limit(1))
        return found or ""

    def procedure(self, session: Session) -> Procedure:
        """The procedure in force."""
        return _procedure(self.document(session, "procedure") or procedures.DEFAULT)


@lru_cache(maxsize=4)
def _procedure(text: str) -> Procedure:
    return procedures.load(text)
