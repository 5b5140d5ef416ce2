"""The shared language: names, directives, trust, versions, the index, list formats."""
