"""Measurements in other people's forms, and theirs in ours. Files in, files out: nothing is fetched, and nothing is sent to anyone."""
