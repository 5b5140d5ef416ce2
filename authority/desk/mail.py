"""What waits in the outbox leaves: by mail, as a file, or to the house's own program.

Each leaves at least once: it is marked as sent when the mail server has taken it, and a crash between the two sends it again with the same
Message-ID, by which the second is seen to be the first. What the server refuses for good is given up and told; everything else is tried
again, ever less often.
"""

from __future__ import annotations

import logging
import smtplib
import ssl
import subprocess
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from pathlib import Path

from sqlalchemy import select

from authority.desk import delivery
from authority.desk.desk import Desk
from authority.desk.errors import DeskError
from authority.desk.outbox import OUTSIDE, Sent
from authority.desk.tables import Message
from blocklists import durable, endpoints

BATCH = 50
"""Messages sent over one connection to the mail server."""
CONNECT_SECONDS = 20.0
HOOK_SECONDS = 30.0
"""How long the house's own program may take."""
_log = logging.getLogger("authority")


def send_due(desk: Desk, now: int) -> int:
    """Sends what waits at `now` (unix seconds); how many left, or became files to be posted. A failure is one message's, and never raised."""
    with desk.store.reading() as session:
        waiting = list(
            session.scalars(
                select(Message)
                .where(Message.sent_at.is_(None), Message.failed_at.is_(None), Message.again_at <= now)
                .order_by(Message.again_at, Message.id)
                .limit(BATCH)
            )
        )
        session.expunge_all()
    left = 0
    server: smtplib.SMTP | None = None
    try:
        for message in waiting:
            if message.channel == "hook":
                result = _run(desk.settings.hook, message)
            elif desk.settings.mail.smtp:
                try:
                    server = server or _connected(desk)
                    result = _sent(server, desk, message)
                except (OSError, smtplib.SMTPException, DeskError) as error:
                    _closed(server)
                    server, result = None, Sent(False, str(error))
            else:
                result = _filed(desk, message)
            left += result.done or result.by_hand
            if not (result.done or result.by_hand):
                _log.warning("message %d (%s) was not sent: %s", message.id, message.kind, result.proof)
            delivery.settle(desk, message.id, result, now)
    finally:
        _closed(server)
    return left


def letter(desk: Desk, message: Message) -> EmailMessage:
    """The message as mail."""
    made = EmailMessage(policy=SMTP)
    made["From"] = desk.settings.mail.sender
    made["To"] = message.recipient
    made["Subject"] = " ".join(message.subject.split())
    made["Message-ID"] = message.identity
    made["Date"] = format_datetime(datetime.fromtimestamp(message.made_at, UTC))
    made["Auto-Submitted"] = "auto-generated"
    made.set_content(message.body)
    return made


def _connected(desk: Desk) -> smtplib.SMTP:
    """A session with the mail server. Raises OSError, SMTPException or DeskError."""
    settings = desk.settings.mail
    try:
        host, port = endpoints.split_endpoint(settings.smtp)
    except ValueError:
        host, _, number = settings.smtp.rpartition(":")  # a name; what it resolves to is the system's matter
        if not host or not number.isdigit():
            raise DeskError(f"{settings.smtp!r} is no mail server; write desk.mail.smtp as HOST:PORT") from None
        port = int(number)
    server = smtplib.SMTP(host, port, timeout=CONNECT_SECONDS)
    try:
        if settings.starttls:
            server.starttls(context=_tls(desk))
        if settings.user:
            server.login(settings.user, _password(settings.password_file))
    except BaseException:
        server.close()
        raise
    return server


def _tls(desk: Desk) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=desk.settings.mail.ca_file or None)


def _password(file: str) -> str:
    try:
        return Path(file).read_text(encoding="utf-8").splitlines()[0]
    except (OSError, IndexError, UnicodeDecodeError) as error:
        raise DeskError(f"the password of the mail server cannot be read from {file!r} ({error}); look at desk.mail.password_file") from None


def _sent(server: smtplib.SMTP, desk: Desk, message: Message) -> Sent:
    """Hands one message over. Raises OSError or SMTPException when the session is of no more use."""
    octets = letter(desk, message).as_bytes()
    server.ehlo_or_helo_if_needed()
    for code, answer in (server.mail(desk.settings.mail.sender), server.rcpt(message.recipient)):
        if code not in (250, 251):
            server.rset()
            return Sent(False, _said(code, answer), for_good=500 <= code < 600)
    code, answer = server.data(octets)
    return Sent(code == 250, _said(code, answer), for_good=500 <= code < 600)


def _said(code: int, answer: bytes) -> str:
    return f"{code} {answer.decode('utf-8', 'replace')}"[:500]


def _closed(server: smtplib.SMTP | None) -> None:
    if server is not None:
        try:
            server.quit()
        except (OSError, smtplib.SMTPException):
            server.close()


def _filed(desk: Desk, message: Message) -> Sent:
    """Writes it as a file, to be sent by hand; its name is its own, so that writing it again makes no second."""
    folder = desk.directory / "outbox"
    name = f"{message.id:08d}-{message.identity[1:17]}.eml"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        durable.replace(folder / name, letter(desk, message).as_bytes())
    except OSError as error:
        return Sent(False, f"{folder / name} cannot be written: {error}")
    if message.case_id is not None and message.kind in OUTSIDE:
        return Sent(False, f"file outbox/{name}; to be posted by hand", by_hand=True)
    return Sent(True, f"file outbox/{name}")


def _run(program: str, message: Message) -> Sent:
    if not program:
        return Sent(False, "desk.hook names no program any more", for_good=True)
    try:
        ended = subprocess.run(  # noqa: S603 - the operator's own program, by its path, without a shell
            [program], input=message.body.encode(), capture_output=True, timeout=HOOK_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Sent(False, f"{program}: {error}")
    if ended.returncode:
        return Sent(False, f"{program} ended with {ended.returncode}: {ended.stderr[:300].decode('utf-8', 'replace')}")
    return Sent(True, f"{program} ended with 0")
