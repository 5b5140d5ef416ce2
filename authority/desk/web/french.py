"""The shell's French, and that of people, proposals and documents; other parts have catalogues of their own (`language.CATALOGUES`)."""

from __future__ import annotations

TEXTS: dict[str, str] = {}
