"""Starts a command that dies with its supervisor: `lifeline.py SUPERVISOR_PID PROGRAM ARGUMENTS...`.

Linux kills the process when its parent ends, however it ends (PR_SET_PDEATHSIG, prctl(2)); the setting survives exec. A worker that outlived its
supervisor would hold the sockets and answer from an old list with nobody to replace it. It imports nothing of ours: it must start fast.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    """Tie this process to its parent and become the program. Does not return."""
    supervisor, *command = arguments
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(supervisor):  # it died before the line above took hold
        os._exit(1)
    os.execv(command[0], command)  # noqa: S606 - the supervisor's own command line, no shell


if __name__ == "__main__":
    main(sys.argv[1:])
