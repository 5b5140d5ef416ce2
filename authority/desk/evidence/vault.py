"""The store and the key file of one desk, together."""

from __future__ import annotations

from pathlib import Path

from authority.desk.evidence.keys import Keys
from authority.desk.evidence.store import Objects
from authority.desk.settings import EvidenceSettings


class Vault:
    """What evidence is kept in, beside the database. Threads share it."""

    def __init__(self, settings: EvidenceSettings, base: Path, directory: Path) -> None:
        """`base`: where relative paths in the settings start; `directory`: the desk's own. Raises DeskError."""
        self.objects = Objects(settings, base, directory)
        self.keys = Keys((base / settings.key_file).absolute() if settings.key_file else directory / "evidence.key")
