"""The program's entry: starts the first workers, which load while the rest of the supervisor does, and then the command."""

import os
import sys

from redhand import standard

SERVING = ("run", "resolver")
"""Commands that run workers."""
TAKES_VALUE = ("--config", "-c")
ONLY_SAYS = {"--help", "--version"}
"""Options with which nothing is run, whatever else is named."""


def command(arguments: list[str]) -> str:
    """The command named, as far as can be seen without reading the options; empty when there is none or only help or the version is asked for."""
    words = iter(arguments)
    for word in words:
        if word in TAKES_VALUE:
            next(words, None)
        elif not word.startswith("-"):
            return "" if ONLY_SAYS.intersection(arguments) else word
    return ""


def main() -> None:
    """Run what the command line says."""
    standard.ensure()
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # looking for them among all that is installed takes longer than reading settings
    if command(sys.argv[1:]) in SERVING:
        from redhand import launch  # noqa: PLC0415 - nothing is loaded that is not needed

        launch.workers_early()
    from redhand import cli  # noqa: PLC0415 - after the workers were started

    cli.main()


if __name__ == "__main__":
    main()
