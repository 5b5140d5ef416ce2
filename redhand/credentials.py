"""The operator's own certificate, as the settings name it: read while there is a right to, judged, and handed to the page's process.

The key goes to that process alone, over its standard input. The supervisor reads both files at its start, before it gives up its rights, and again
with the settings; if it may not read them any more, those it has stay in force, and it says so. Nothing is written.
"""

from __future__ import annotations

import stat
import time
from collections.abc import Iterator
from pathlib import Path

from landing.certificate import BadCertificate, Credentials, judge, read
from redhand.config import Configuration, refuse
from redhand.document import Problem

NEEDED = {
    "own_name": "is needed by landing.listen_tls: the name that the certificate is for; nothing else is served there",
    "certificate": "is needed by landing.listen_tls: the PEM file of own_name's certificate chain",
    "key": "is needed by landing.listen_tls: the PEM file of the certificate's private key",
}


def credentials(configuration: Configuration, before: Credentials | None = None) -> tuple[Credentials | None, list[str]]:
    """The certificate and key to serve with (None: nothing listens for them), and what to warn of. `before`: those of the same files, as read last.

    Raises ConfigurationError naming every mistake.
    """
    settings = configuration.settings.landing
    if not settings.listen_tls:
        return None, []
    refuse(_problem(configuration, name, what) for name, what in NEEDED.items() if not getattr(settings, name))
    try:
        own = read(Path(settings.certificate), Path(settings.key))
    except PermissionError as error:
        name = "key" if str(error.filename) == settings.key else "certificate"
        if before is not None:
            return before, [
                f"landing.{name} = {error.filename} cannot be read any more by the user that Red Hand runs as: the certificate read before stays in "
                "force; let that user read the file (chgrp, mode 0640), or restart"
            ]
        refuse(
            [_problem(configuration, name, "cannot be read by this user; let it read the file (chgrp, mode 0640), or start as root with `user` set")]
        )
        raise AssertionError("refuse raises when there is a problem") from None
    except BadCertificate as error:
        refuse([_problem(configuration, error.setting, str(error))])
        raise AssertionError("refuse raises when there is a problem") from None
    try:
        told = [f"landing.certificate = {settings.certificate} {what}" for what in judge(own, settings.own_name, int(time.time()))]
    except BadCertificate as error:
        refuse([_problem(configuration, error.setting, str(error))])
        raise AssertionError("refuse raises when there is a problem") from None
    return own, [*told, *_open(settings.key)]


def _problem(configuration: Configuration, name: str, what: str) -> Problem:
    return Problem(configuration.place("landing", name), ("landing", name), what, getattr(configuration.settings.landing, name))


def _open(key: str) -> Iterator[str]:
    if Path(key).stat().st_mode & stat.S_IROTH:
        yield f"landing.key = {key} can be read by every user of this machine, who could then speak in your name; chmod 0600 {key}"
