"""Starts what dies with its supervisor: `lifeline.py SUPERVISOR_PID MODULE`, or a PROGRAM, which has a slash in it, with its ARGUMENTS.

Linux kills the process when its parent ends, however it ends (PR_SET_PDEATHSIG, prctl(2)); the setting survives exec. A worker that outlived its
supervisor would hold the sockets and answer from an old list with nobody to replace it. A module of ours runs in this same interpreter: to start
another takes 10 ms.
"""

import ctypes
import gc
import os
import runpy
import signal
import sys

PR_SET_PDEATHSIG = 1
YOUNG = 50_000
"""New objects between two looks for garbage; Python's 700 make it look a hundred times while a worker loads, a tenth of the time that takes."""


def main(arguments: list[str]) -> None:
    """Tie this process to its parent and run the module, or become the program."""
    supervisor, *command = arguments
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(supervisor):  # it died before the line above took hold
        os._exit(1)
    if os.sep in command[0]:
        os.execv(command[0], command)  # noqa: S606 - the supervisor's own command line, no shell
    gc.set_threshold(YOUNG)
    sys.argv = command
    runpy.run_module(command[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(sys.argv[1:])
