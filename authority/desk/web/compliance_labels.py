"""Words for what the tables of enforcement say in codes; English, keys of the catalogues."""

from __future__ import annotations

STATES: dict[str, tuple[str, str]] = {
    "waiting": ("not due yet", ""),
    "silent": ("silent", "bad"),
    "withheld": ("withheld", "warn"),
    "applied": ("done in time", "good"),
    "late": ("done late", "warn"),
    "missed": ("never done", "bad"),
    "void": ("ended before it was due", ""),
    "terms": ("ended by its own terms", ""),
}
"""The word, and the kind of tag."""

WHATS: dict[str, str] = {
    "held": "held for a person there to release",
    "refused": "refused by a guard",
    "suspended": "suspended by the operator",
    "skipped": "skipped by a rule",
    "unnamed": "exceptions that it does not name",
}
ACTIONS: dict[str, str] = {
    "block": "Block",
    "amend": "Amend or renew",
    "withdraw": "Restore: withdrawn",
    "suspend": "Restore: suspended",
    "expire": "Restore: expired",
    "lapse": "Restore: emergency lapsed",
}
SHOWS: dict[str, str] = {
    "overdue": "overdue",
    "late": "done late",
    "missed": "never done",
    "waiting": "not due yet",
    "applied": "done in time",
    "all": "all orders",
}
