"""From verdicts to estimates: what is counted of what, and how sure that is. The statistics themselves are in `porosity.statistics`."""
