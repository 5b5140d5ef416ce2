"""Rules that make verdicts of observations: ours, and those of others to compare them with. Pure."""
