"""The front door: command line, configuration loading, supervisor. The only room that joins the others."""

__version__ = "0.1.0"
"""What `redhand --version` says; the package's metadata is made from it."""
