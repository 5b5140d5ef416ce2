"""The comparison of Red Hand with its peers: definitions here, dated records in `record/`. `python -m bench --help` says how to run it."""
