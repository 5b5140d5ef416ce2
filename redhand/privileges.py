"""Gives up the rights a start needs, and serving does not: root's, once the sockets are bound, and every capability.

Started as root, Red Hand becomes the user its settings name; started by anybody else it stays who it is. Either way what it had to open a port with
is gone before the first child is started, and cannot come back. Nothing is changed but the state directory, and that only if it is made here.
"""

from __future__ import annotations

import os
import pwd
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from blocklists import confine
from blocklists.errors import RedHandError
from redhand.config import Configuration, refuse
from redhand.crosscheck import NO_USER
from redhand.document import Problem

KEY = ("user",)


@dataclass(frozen=True, slots=True)
class Account:
    """A user of this machine."""

    name: str
    uid: int
    gid: int


def account(configuration: Configuration) -> Account:
    """Whom Red Hand is to run as. Raises ConfigurationError when the settings name nobody, or somebody that who started it cannot become."""
    wanted, uid = configuration.settings.user, os.geteuid()
    if not wanted:
        return Account(_name(uid), uid, os.getegid())
    try:
        found = pwd.getpwnam(wanted)
    except KeyError:
        refuse([_problem(configuration, NO_USER)])
        raise AssertionError("refuse raises when there is a problem") from None
    if uid not in (0, found.pw_uid):
        what = f"cannot be had: Red Hand was started by {_name(uid)}, and only root can become another user; start it as root, or remove this line"
        refuse([_problem(configuration, what)])
    return Account(wanted, found.pw_uid, found.pw_gid)


def _problem(configuration: Configuration, what: str) -> Problem:
    return Problem(configuration.place(*KEY), KEY, what, configuration.settings.user)


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def warnings(configuration: Configuration) -> list[str]:
    """What to tell the operator about the rights that are kept."""
    found = [confine.shortcoming()] if confine.shortcoming() else []
    if os.geteuid() == 0 and not configuration.settings.user:
        found.append(
            "started as root without a user to become: every process stays root, without root's powers but with root's files; "
            "make a user (useradd --system redhand), give it the state directory, and set user: redhand"
        )
    return found


def house(configuration: Configuration, whose: Account) -> None:
    """Makes the state directory, if it is missing, and gives it to the account: what root makes would be root's. One that is there stays as it is."""
    if os.geteuid() != 0:
        return
    path = configuration.settings.state_dir
    with suppress(OSError):  # redhand.crosscheck has the words
        for missing in reversed([each for each in (path, *path.parents) if not each.exists()]):
            missing.mkdir()
            _give(missing, whose)


def _give(path: Path, whose: Account) -> None:
    """The directory just made, and nothing that took its place since."""
    opened = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        os.fchown(opened, whose.uid, whose.gid)
    finally:
        os.close(opened)


def become(configuration: Configuration, whose: Account, builds: bool = True) -> None:
    """Becomes the account for good, in no other group than its own, and gives up every capability. To be called once every socket is bound.

    `builds`: whether lists are built here; a landing page alone may share the state directory with another user who builds them.

    Raises ConfigurationError when that user cannot use the state directory, and RedHandError when it cannot read our code or the way back is open.
    """
    if os.geteuid() == 0 and whose.uid != 0:
        os.setgroups([])
        os.setresgid(whose.gid, whose.gid, whose.gid)
        os.setresuid(whose.uid, whose.uid, whose.uid)
        if _can_come_back():
            raise RedHandError(
                f"after becoming {whose.name} this process could still become root; this system's security module forbids what it should"
            )
    confine.drop()
    for code in (Path(os.__file__), Path(sys.executable), Path(__file__)):
        if not os.access(code, os.R_OK):
            raise RedHandError(
                f"{whose.name}, which Red Hand runs as, cannot read {code}: children could not be started; "
                "install Python and Red Hand where every user may read, such as /opt/redhand"
            )
    path = configuration.settings.state_dir
    if (closed := next(_closed(path, builds), None)) is None:
        return
    if os.statvfs(path).f_flag & os.ST_RDONLY and os.access(path / "current", os.R_OK):
        return  # nobody could write there just now; its list can be served until somebody can
    owner = _name(closed.stat().st_uid) if _seen(closed) else "another user"
    what = (
        f"cannot be used by {whose.name}, which Red Hand runs as and which has no power over others' files: {closed} belongs to {owner}; "
        f"chown -R {whose.name}: {path}, or name another directory"
    )
    refuse([Problem(configuration.place("state_dir"), ("state_dir",), what, str(path))])


def _seen(path: Path) -> bool:
    return os.access(path.parent, os.X_OK)


def _closed(path: Path, builds: bool) -> Iterator[Path]:
    """What this process could not change in the state directory, though it must: directories down to the versions' own, and locks."""
    found = [path]
    with suppress(OSError):
        found += [*path.iterdir(), *path.glob("*/*")] if builds else [each for each in (path / "run", path / "readers") if each.exists()]
    for each in found:
        if each == path or each.is_dir():
            needed = os.R_OK | os.W_OK | os.X_OK
        elif each.suffix == ".lock":
            needed = os.W_OK
        else:  # replaced whole, never written to
            continue
        if not os.access(each, needed):
            yield each


def _can_come_back() -> bool:
    attempts: tuple[Callable[[], None], ...] = (partial(os.setresuid, 0, 0, 0), partial(os.setresgid, 0, 0, 0), partial(os.setgroups, [0]))
    for attempt in attempts:
        try:
            attempt()
        except PermissionError:
            continue
        return True
    return False


def step_down(configuration: Configuration) -> None:
    """For commands that write to the state directory: root becomes the user the settings name, so that the service can use what is left there."""
    if os.geteuid() == 0 and configuration.settings.user:
        whose = account(configuration)
        house(configuration, whose)
        become(configuration, whose)
