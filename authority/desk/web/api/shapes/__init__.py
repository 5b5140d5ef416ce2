"""What goes in and out of the API, by room. The commands print the same with `--json`."""
