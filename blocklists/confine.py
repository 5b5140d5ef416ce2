"""Gives up, for this process and all it starts, what it does not need: for ever, and before the first byte from a stranger is read.

Three things. No program it runs gains rights (no_new_privs, prctl(2)). It has no capability (capabilities(7)). And it may change nothing in the
file system but what lies under the directories it names, whoever it runs as (Landlock, landlock(7), Linux 5.13 and later); reading stays as it was.
Where the kernel has no Landlock the first two still hold, and serving goes on: the caller learns it, and `shortcoming` has the words.

What Landlock cannot forbid, to a process of the same user: changing a file's mode, owner or times. That breaks a file for who opens it later, which
readers of the list take for a torn version and go on with what they have; it changes no verdict. Descriptors that are open keep what they allow.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
import threading
from collections.abc import Iterable
from pathlib import Path

WHOLE = 3
"""The first version of Landlock that also stops a file from being cut short (Linux 6.2)."""

# linux/prctl.h
_PR_CAPBSET_READ, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT = 23, 24, 38, 47
_PR_CAP_AMBIENT_CLEAR_ALL = 4
# linux/capability.h: version 3, header (version, pid), then twice (effective, permitted, inheritable)
_NO_CAPABILITIES = struct.pack("=Ii", 0x20080522, 0), struct.pack("=6I", 0, 0, 0, 0, 0, 0)

# The same numbers on every machine Linux runs on, Alpha apart (asm-generic/unistd.h).
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446

# linux/landlock.h: rights over files that change something; 0 (execute), 2 (read a file) and 3 (list a directory) are left alone.
_WRITE_FILE, _REMOVE_DIR, _REMOVE_FILE, _MAKE_CHAR, _MAKE_DIR, _MAKE_REG = (1 << bit for bit in (1, 4, 5, 6, 7, 8))
_MAKE_SOCK, _MAKE_FIFO, _MAKE_BLOCK, _MAKE_SYM, _REFER, _TRUNCATE, _IOCTL_DEV = (1 << bit for bit in (9, 10, 11, 12, 13, 14, 15))
_FIRST = (
    _WRITE_FILE | _REMOVE_DIR | _REMOVE_FILE | _MAKE_CHAR | _MAKE_DIR | _MAKE_REG | _MAKE_SOCK | _MAKE_FIFO | _MAKE_BLOCK | _MAKE_SYM
)  # fmt: skip
_SINCE = ((2, _REFER), (3, _TRUNCATE), (5, _IOCTL_DEV))
"""Rights over files that later versions brought. Before version 2 nobody confined may rename or link from one directory to another."""
_ALLOWED = _WRITE_FILE | _REMOVE_DIR | _REMOVE_FILE | _MAKE_DIR | _MAKE_REG | _REFER | _TRUNCATE
"""What may be done in a directory that stays writable: files and directories, and nothing else, are made, changed and removed."""
_BIND_TCP, _CONNECT_TCP = 1, 2
_SCOPES = 3
"""Version 6: no abstract Unix socket, and no signal, of a process that is not confined with this one, such as the supervisor."""
_VERSION_FLAG, _PATH_BENEATH = 1, 1

_libc = ctypes.CDLL(None, use_errno=True)


def _call(name: str, *arguments: int | bytes | None) -> int:
    """A function of the C library, each number as a long. Raises OSError."""
    found = getattr(_libc, name)
    found.restype = ctypes.c_long
    result = int(found(*(ctypes.c_long(each) if isinstance(each, int) else each for each in arguments)))
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def landlock() -> int:
    """The version of Landlock this kernel offers; 0 when it has none, or it is switched off, or a container forbids it."""
    try:
        return _call("syscall", _CREATE_RULESET, None, 0, _VERSION_FLAG)
    except OSError:
        return 0


def shortcoming() -> str:
    """What a confined process could still do on this machine, and the remedy; empty when nothing."""
    found = landlock()
    if found >= WHOLE:
        return ""
    may = "cut its files short" if found else "write to it"
    return (
        f"this kernel cannot keep workers from harming the block list (Landlock: {f'version {found}' if found else 'none'}): one that is taken over "
        f"could {may}; run Linux 6.2 or later with landlock among its security modules (lsm= on the kernel's command line)"
    )


def drop() -> None:
    """Gives up every capability, and that any program run later gains one. Raises OSError when the kernel refuses, which it never should."""
    _call("prctl", _PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    for capability in range(64):
        try:
            if _call("prctl", _PR_CAPBSET_READ, capability, 0, 0, 0):
                _call("prctl", _PR_CAPBSET_DROP, capability, 0, 0, 0)
        except OSError as error:
            if error.errno == errno.EINVAL:  # the kernel knows no more of them
                break
            if error.errno != errno.EPERM:  # only who has CAP_SETPCAP may; who has not gains nothing by what is left there
                raise
    _call("prctl", _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    _call("capset", *_NO_CAPABILITIES)


def confine(writable: Iterable[Path], *, connects: bool = True) -> int:
    """As `drop`, and from now on nothing in the file system can be changed but in the `writable` directories; an absent one stays so.

    No TCP socket can be bound any more, nor connected unless `connects` (Landlock 4, Linux 6.7). The version of Landlock that holds it; 0: none does.
    Raises RuntimeError in a process with threads, which would each have to do the same, and OSError when the kernel refuses.
    """
    if _threads() > 1:
        raise RuntimeError("a process can confine itself only before it has threads; call confine earlier")
    drop()
    version = landlock()
    if not version:
        return 0
    files = _FIRST
    for since, right in _SINCE:
        files |= right if version >= since else 0
    attributes = struct.pack("=Q", files)
    if version >= 4:
        attributes += struct.pack("=Q", _BIND_TCP | (0 if connects else _CONNECT_TCP))
    if version >= 6:
        attributes += struct.pack("=Q", _SCOPES)
    ruleset = _call("syscall", _CREATE_RULESET, attributes, len(attributes), 0)
    try:
        for directory in writable:
            _allow(ruleset, directory, files & _ALLOWED)
        _call("syscall", _RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)
    return version


def _threads() -> int:
    try:
        return len(os.listdir("/proc/self/task"))
    except OSError:  # no /proc here
        return threading.active_count()


def _allow(ruleset: int, directory: Path, rights: int) -> None:
    try:
        opened = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return
    try:
        _call("syscall", _ADD_RULE, ruleset, _PATH_BENEATH, struct.pack("=Qi", rights, opened), 0)
    finally:
        os.close(opened)
