"""`python -m redhand`."""

from redhand.cli import main

main()
