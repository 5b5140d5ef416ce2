"""The program's entry: commands that serve go straight to their work, with the first workers loading beside; all else goes by the command line."""

from __future__ import annotations

import gc
import os
import sys
from typing import TYPE_CHECKING, cast

from redhand import standard

if TYPE_CHECKING:
    from redhand.assembly import Role

ROLES = ("run", "resolver", "landing")


def plain(arguments: list[str]) -> tuple[Role, str | None] | None:
    """The command that serves and its settings' file, when nothing else is said; None: for the command line to read, help and mistakes too."""
    role = file = None
    words = iter(arguments)
    for word in words:
        if word in ROLES and role is None:
            role = word
        elif word in ("--config", "-c"):
            file = next(words, "")
        elif word.startswith("--config="):
            file = word.removeprefix("--config=")
        else:
            return None
        if file is not None and (not file or file.startswith("-")):
            return None
    return (cast("Role", role), file) if role else None


def main() -> None:
    """Run what the command line says."""
    standard.ensure()
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # looking for them among all that is installed takes longer than reading settings
    if (asked := plain(sys.argv[1:])) is None:
        from redhand import cli  # noqa: PLC0415 - it loads the command line's library, which takes a tenth of a start

        cli.main()
        return
    role, file = asked
    gc.disable()  # nothing of what is loaded becomes garbage, and looking for some takes a seventh of the time; `serve` enables it again
    from redhand.ending import ending  # noqa: PLC0415 - nothing is loaded that is not needed

    if role != "landing":
        from redhand import launch  # noqa: PLC0415 - as above

        launch.workers_early()

    def serve() -> None:
        from pathlib import Path  # noqa: PLC0415 - after the workers were started

        from redhand import serving  # noqa: PLC0415

        sys.exit(serving.serve(Path(file) if file is not None else None, role))

    ending(serve)


if __name__ == "__main__":
    main()
