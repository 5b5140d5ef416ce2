"""`questions` has moved to `porosity.vectors.asked`."""

from porosity.vectors.asked import questions

__all__ = ["questions"]
