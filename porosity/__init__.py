"""Measures how porous blocking is. Nothing is built here yet; no command leads here."""
