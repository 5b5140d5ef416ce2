"""Messages leave: by a real mail server over TLS, as files, to the house's own program; at least once, and the deadline runs from the sending."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from sqlalchemy import update

from authority.desk import cases, delivery, facts, mail, outbox, removal, texts, wording
from authority.desk.errors import BadField, Conflict, Forbidden, NotFound
from authority.desk.settings import MailSettings
from authority.desk.tables import Message
from tests.authority.desk.cases.house import DAY, HOUR, House
from tests.tools import free_ports


@dataclass
class Server:
    """A mail server, which answers as it is told to."""

    port: int
    got: list[bytes] = field(default_factory=list)
    refuse: dict[str, str] = field(default_factory=dict)
    """By recipient: what RCPT is answered."""
    answer: str = "250 taken"
    forget: bool = False
    """Whether it takes a message and closes the line before it says so."""

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        if address in self.refuse:
            return self.refuse[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        if self.answer.startswith("250"):
            self.got.append(envelope.content)
        if self.forget:
            self.forget = False
            server.transport.close()
        return self.answer

    @property
    def letters(self) -> list[Any]:
        return [message_from_bytes(octets, policy=default) for octets in self.got]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a mail server at 127.0.0.1, which signed it itself; its key stands in the same file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail.example")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    file = tmp_path_factory.mktemp("tls") / "mail.pem"
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file.write_bytes(made.public_bytes(serialization.Encoding.PEM) + private)
    return file


@pytest.fixture
def server(certificate: Path) -> Iterator[Server]:
    """One that takes mail only in TLS, and only from who signs in."""
    (port,) = free_ports(1)
    made = Server(port)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def authenticate(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        good = isinstance(data, LoginPassword) and (data.login, data.password) == (b"desk", b"open sesame")
        return AuthResult(success=good, handled=good)

    controller = Controller(
        made, hostname="127.0.0.1", port=port, tls_context=context, require_starttls=True, authenticator=authenticate, auth_required=True
    )
    controller.start()
    yield made
    controller.stop()


@pytest.fixture
def posting(server: Server, certificate: Path, tmp_path: Path) -> Iterator[House]:
    """A desk that sends by that server."""
    (tmp_path / "password").write_text("open sesame\n", encoding="utf-8")
    settings = MailSettings(smtp=f"127.0.0.1:{server.port}", ca_file=str(certificate), user="desk", password_file=str(tmp_path / "password"))
    made = House(tmp_path / "house", settings)
    yield made
    made.desk.close()


def test_a_removal_request_reaches_the_host_by_mail(posting: House, server: Server) -> None:
    number = posting.requested("bücher.test", "www.site.test")
    (letter,) = server.letters
    assert (letter["To"], letter["From"], letter["Auto-Submitted"]) == ("abuse@host.example", "desk@authority.example", "auto-generated")
    assert number in letter["Subject"]
    body = letter.get_content()
    assert "xn--bcher-kva.test" in body
    assert "2026-09-22" in body
    (message,) = posting.messages("removal_request")
    assert (message.identity, message.sent_at, message.proof[:3]) == (letter["Message-ID"], posting.time, "250")
    sent = posting.timeline(number)[-1]
    assert (sent.step, sent.who, sent.details["recipient"], sent.details["deadline"]) == (
        "request_sent", "clock", "abuse@host.example", posting.time + DAY,
    )  # fmt: skip
    assert "250" in sent.why


def test_time_runs_from_the_sending(posting: House, server: Server) -> None:
    """While the mail server is out of order no deadline passes; people hear of it; the host has all of its time once the message left."""
    server.answer = "451 later"
    number = posting.requested()
    assert set(posting.running(number)) == {"send"}
    posting.later(2 * HOUR)
    assert any("send" in message.body for message in posting.messages("overdue"))
    posting.later(2 * DAY)
    assert posting.state(number) == "requested"
    server.answer = "250 taken"
    posting.later(HOUR)
    assert posting.running(number) == {"owner": DAY}
    posting.later(DAY)
    assert posting.state(number) == "unanswered"


def test_what_cannot_be_delivered_is_given_up_and_told(posting: House, server: Server) -> None:
    server.refuse["abuse@host.example"] = "550 no such user"
    number = posting.requested()
    assert (posting.state(number), posting.timeline(number)[-1].step) == ("requested", "request_failed")
    assert "550 no such user" in posting.timeline(number)[-1].why
    (message,) = posting.messages("removal_request")
    assert (message.failed_at, message.sent_at) == (posting.time, None)
    assert posting.told("undelivered") == ["clerk", "officer", "second"]
    assert posting.running(number) == {"request": DAY}, "somebody else is asked, or it is said why nobody"
    posting.later(3 * DAY)
    assert posting.state(number) == "requested", "nobody was asked: no deadline passes"
    assert not any(letter["To"] == "abuse@host.example" for letter in server.letters)
    with posting.desk.store.reading() as session:
        assert [one.outcome for one in removal.asked(session, posting.case(number))] == ["failed"]
    posting.do(removal.request, "clerk", number, "other@host.example", "host", "their other address")
    posting.work()
    assert posting.running(number) == {"owner": DAY}


def test_one_that_is_refused_keeps_no_other_waiting(posting: House, server: Server) -> None:
    server.refuse["abuse@host.example"] = "450 greylisted"
    posting.requested("a.test")
    other = posting.requested("b.test", recipient="abuse@other.example")
    assert "request_sent" in posting.taken(other)
    waiting = posting.messages("removal_request")[0]
    assert (waiting.tries, waiting.again_at > posting.time) == (1, True)
    del server.refuse["abuse@host.example"]
    posting.later(60)
    assert {letter["To"] for letter in server.letters} == {"abuse@host.example", "abuse@other.example"}


def test_a_crash_after_the_sending_sends_the_same_once_more(posting: House, server: Server) -> None:
    posting.requested()
    with posting.writing() as session:  # as if the line that says so had not been written
        session.execute(update(Message).values(sent_at=None))
    posting.work()
    first, second = server.letters
    assert first["Message-ID"] == second["Message-ID"]


def test_a_server_that_hangs_up_is_asked_again(posting: House, server: Server) -> None:
    server.forget = True
    number = posting.requested()
    assert "request_sent" not in posting.taken(number)
    posting.later(60)
    assert "request_sent" in posting.taken(number)
    assert len({letter["Message-ID"] for letter in server.letters}) == 1


def test_no_mail_leaves_to_a_server_that_is_another(server: Server, tmp_path: Path) -> None:
    """Its certificate leads to nothing we trust: not even the password is said."""
    (tmp_path / "password").write_text("open sesame\n", encoding="utf-8")
    house = House(tmp_path / "house", MailSettings(smtp=f"127.0.0.1:{server.port}", user="desk", password_file=str(tmp_path / "password")))
    number = house.requested()
    assert (server.got, house.running(number).keys()) == ([], {"send"})
    assert "certificate" in house.messages("removal_request")[0].proof
    house.desk.close()


@pytest.mark.parametrize(
    ("mail", "why"),
    [
        (MailSettings(smtp="127.0.0.1:1"), "refused"),
        (MailSettings(smtp="mail"), "HOST:PORT"),
        (MailSettings(smtp="127.0.0.1:1", user="desk", password_file="/nowhere"), ""),
    ],
)
def test_a_server_that_is_not_there_is_tried_less_and_less_often(tmp_path: Path, mail: MailSettings, why: str) -> None:
    house = House(tmp_path / "house", mail)
    house.requested()
    assert why in house.messages("removal_request")[0].proof
    for _ in range(12):
        house.later(HOUR)
    tries = house.messages("removal_request")[0].tries
    assert 12 <= tries <= 13
    assert [outbox.again_after(tries) for tries in (1, 2, 3, 7, 8, 99)] == [30, 60, 120, 1920, 3600, 3600]
    house.desk.close()


def test_without_a_mail_server_each_message_is_a_file(house: House) -> None:
    house.requested()
    (message,) = house.messages("removal_request")
    file = house.desk.directory / message.proof.partition(";")[0].removeprefix("file ")
    letter: Any = message_from_bytes(file.read_bytes(), policy=default)
    assert (letter["To"], letter["Message-ID"], file.stat().st_mode & 0o077) == (
        "abuse@host.example",
        message.identity,
        0,
    ) or file.parent.stat().st_mode & 0o077 == 0
    with house.writing() as session:
        session.execute(update(Message).values(sent_at=None))
    house.work()
    assert len(list(file.parent.iterdir())) == 1, "written again, it is the same file"


def test_the_hook_is_told_of_a_threat(tmp_path: Path) -> None:
    said = tmp_path / "said"
    program = tmp_path / "hook"
    program.write_text(f"#!/bin/sh\ncat >> {said}\n[ -e {tmp_path}/up ]\n", encoding="utf-8")
    program.chmod(0o755)
    house = House(tmp_path / "house", hook=str(program))
    number = house.refer(threat=True, words="x; rm -rf / `id` $(id)").number
    house.work()
    assert number in said.read_text(encoding="utf-8")
    assert house.messages()[-1].sent_at is None, "it failed, and is run again"
    (tmp_path / "up").touch()
    house.later(60)
    assert all(message.sent_at for message in house.messages())
    house.desk.close()


def test_what_somebody_writes_makes_no_header(house: House) -> None:
    number = house.refer("a.test", words="x").number
    house.do(cases.assess, "officer", number, "terrorism", "x", "so")
    house.document("texts", 'removal_request: {en: {subject: "{{ names[0] }}\\n\\nBcc: all@x.example", body: "{{ number }}"}}\n')
    house.do(removal.request, "clerk", number, "abuse@host.example", "host", "so")
    (message,) = house.messages("removal_request")
    letter = mail.letter(house.desk, message)
    assert letter["Bcc"] is None
    assert letter["Subject"] == "a.test Bcc: all@x.example"


@pytest.mark.parametrize(
    "text", ["", "a", "a@", "@b.example", "a@b", "a b@c.example", "a@b.example>", "ä@b.example", "a@b..example", f"{'a' * 250}@b.example"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(BadField):
        outbox.address(text)


def test_an_address_is_kept_in_one_form() -> None:
    assert outbox.address(" Abuse@Bücher.Example ") == "Abuse@xn--bcher-kva.example"


# --- their words


def test_our_own_words_work_in_both_languages() -> None:
    texts.check(wording.TEXTS)
    for kind in texts.KINDS:
        assert {"en", "fr"} <= set(texts._both("")[kind])


@pytest.mark.parametrize(
    "text",
    [
        "nothing: {en: {subject: a, body: b}}",
        "overdue: {en: {subject: a}}",
        "overdue: {en: {subject: a, body: '{{ nobody }}'}}",
        "overdue: {en: {subject: a, body: '{% for x in %}'}}",
        "overdue: {en: {subject: a, body: '{{ lines.__class__.__mro__ }}'}}",
        "overdue: {en: {subject: a, body: '{{ 1 / 0 }}'}}",
        "overdue: {en: {subject: a, body: \"{{ 'x' * 1000000 }}\"}}",
        "overdue: {english: {subject: a, body: b}}",
        "overdue: [",
        "",
    ],
)
def test_a_document_of_texts_that_does_not_work_is_refused(text: str) -> None:
    with pytest.raises(BadField):
        texts.check(text)


def test_the_houses_own_words_are_sent_and_ours_when_those_fail(house: House) -> None:
    house.document("texts", 'removal_request: {en: {subject: "Ours {{ number }}", body: "{{ kind }}"}}\n')
    house.requested("a.test")
    assert house.messages("removal_request")[0].subject.startswith("Ours 2026-")
    house.document("texts", 'removal_request: {en: {subject: "{{ names[7] }}", body: "x"}}\n')
    house.requested("b.test")
    assert "b.test" in house.messages("removal_request")[1].subject


def test_a_hosts_time_begins_when_somebody_has_posted_the_file(house: House) -> None:
    """Without a mail server a file is not a letter: nothing runs until a person says that it was posted, who, when and how."""
    house.posts = False
    number = house.requested()
    (message,) = house.messages("removal_request")
    assert (message.sent_at, set(house.running(number))) == (None, {"send"})
    house.later(3 * DAY)
    assert house.state(number) == "requested"
    assert any("send" in each.body for each in house.messages("overdue")), "people hear that it lies there"
    assert all(each.sent_at for each in house.messages("overdue")), "what is for the house is not posted"
    written = len(list((house.desk.directory / "outbox").glob(f"{message.id:08d}-*")))
    assert (written, house.messages("removal_request")[0].tries) == (1, 1)
    with pytest.raises(Forbidden):
        house.do(delivery.posted, "auditor", number, message.id, "by courier")
    for when in (message.made_at - 1, house.time + 1):
        with pytest.raises(BadField):
            house.do(delivery.posted, "clerk", number, message.id, "by courier", posted_at=when)
    other = house.assessed("other.test")
    with pytest.raises(NotFound):
        house.do(delivery.posted, "clerk", other, message.id, "by courier")
    house.do(delivery.posted, "clerk", number, message.id, "by courier, receipt 12", posted_at=house.time - HOUR)
    posted, sent = house.timeline(number)[-2:]
    assert (posted.step, posted.who, posted.why, posted.details["posted_at"]) == (
        "record_posted", "clerk", "by courier, receipt 12", house.time - HOUR,
    )  # fmt: skip
    assert (sent.step, sent.details["sent_at"]) == ("request_sent", house.time - HOUR)
    assert house.running(number) == {"owner": DAY - HOUR}
    with pytest.raises(Conflict):
        house.do(delivery.posted, "clerk", number, message.id, "by courier")
    house.later(DAY)
    with house.desk.store.reading() as session:
        said = facts.before(session, house.case(number))["removal_request"]
    assert said["sent_at"] == facts.instant(posted.details["posted_at"])


def test_what_never_left_was_never_asked(house: House) -> None:
    house.posts = False
    number = house.requested()
    house.do(removal.refused, "clerk", number, "they rang")
    with house.desk.store.reading() as session:
        assert "removal_request" in facts.missing(session, house.desk, house.case(number))
    house.post()
    with house.desk.store.reading() as session:
        assert "removal_request" not in facts.missing(session, house.desk, house.case(number))
