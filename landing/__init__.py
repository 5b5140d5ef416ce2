"""Tells the visitor why: the red hand page."""
