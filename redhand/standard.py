"""Standard input, output and error, open in any case: what some starters leave closed would be taken by the first socket that we open."""

from __future__ import annotations

import os
import sys


def ensure() -> None:
    """Opens those that are closed on /dev/null, also for the children to come."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != number:  # what is below it is open, so this is the lowest number free
                os.dup2(opened, number)
                os.close(opened)
            os.set_inheritable(number, True)
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115 - for as long as we run
