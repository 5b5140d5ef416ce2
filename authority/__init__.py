"""Writes, signs and publishes directives. Nothing is built here yet; no command leads here."""
