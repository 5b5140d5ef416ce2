"""`redhand run`, `resolver` and `landing`: from the settings' file to the supervisor's end.

It is reached without the command line's library where the command is plain: what is loaded here stands between a restart and the first answer.
"""

from __future__ import annotations

import asyncio
import gc
import os
from pathlib import Path

from blocklists import logs
from redhand import activation, config, launch, privileges
from redhand.assembly import Role, plan
from redhand.supervisor import Supervisor, say


def serve(file: Path | None, role: Role) -> int:
    """Read the settings, bind, become the user named, and supervise until told to stop; the exit code. Raises RedHandError before anything runs."""
    configuration = config.load(file, os.environ)
    logs.to_stderr("supervisor", configuration.settings.logs)
    account = privileges.account(configuration)
    privileges.house(configuration, account)
    planned = plan(configuration, role, activation.take(os.environ))
    if account.uid != os.geteuid():
        launch.drop_early()  # while we still may: they are another user's then
    privileges.become(configuration, account, builds=role != "landing")
    for warning in planned.facts["warnings"]:
        say(f"warning: {warning}")
    gc.freeze()  # what has been loaded stays: no collection need look at it
    gc.enable()
    return asyncio.run(Supervisor(planned).run())
