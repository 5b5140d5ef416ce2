"""The operator's own certificate: read, judged for the one name it may speak for, and made into what TLS is answered with.

It is refused where browsers would refuse it for that name, and where its key is another's. That it runs out soon, or has, is a warning: no page but
the operator's own depends on it. Nothing is kept on the disk.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from blocklists.errors import RedHandError

MOST_OCTETS = 64 * 1024
"""Of a file; a chain of five certificates has less than 10,000."""

RENEW_SECONDS = 14 * 86400
"""How long before its end a certificate is warned of."""


class BadCertificate(RedHandError, ValueError):
    """A certificate or key that cannot be served with; the message says why and what to do. `setting` names the one to look at."""

    def __init__(self, setting: str, message: str) -> None:
        super().__init__(message)
        self.setting = setting


@dataclass(frozen=True, slots=True)
class Credentials:
    """A certificate chain, its own first, and its private key, as PEM."""

    chain: str
    key: str = field(repr=False)


def read(certificate: Path, key: Path) -> Credentials:
    """The two files. Raises BadCertificate, and PermissionError where this process may not read one."""
    return Credentials(_text("certificate", certificate), _text("key", key))


def _text(setting: str, path: Path) -> str:
    try:
        with path.open("rb") as opened:
            octets = opened.read(MOST_OCTETS + 1)
    except PermissionError:
        raise
    except OSError as error:
        raise BadCertificate(setting, f"cannot be read ({error.strerror}); name the PEM file") from None
    if len(octets) > MOST_OCTETS or not octets.isascii() or b"-----BEGIN " not in octets:
        raise BadCertificate(setting, "is no PEM file of at most 64 KiB, such as certbot's fullchain.pem and privkey.pem")
    return octets.decode("ascii")


def judge(own: Credentials, name: str, now: int) -> list[str]:
    """What to warn the operator of; `now` in unix seconds. Raises BadCertificate where browsers would refuse it, or it cannot be used."""
    # Takes 40 ms to load, which only those spend who serve with a certificate.
    from cryptography import x509  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415

    try:
        certificate = x509.load_pem_x509_certificates(own.chain.encode())[0]
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(x509.DNSName)
    except (ValueError, x509.ExtensionNotFound, x509.DuplicateExtension) as error:
        raise BadCertificate("certificate", f"holds no server certificate that can be read ({error}); name the PEM file of the chain") from None
    try:
        secret = load_pem_private_key(own.key.encode(), None)
    except TypeError:
        raise BadCertificate("key", "is locked with a passphrase, which nobody would be there to type; store it without one, mode 0600") from None
    except Exception as error:
        # Everything the library may raise for what is no key (ValueError, UnsupportedAlgorithm).
        raise BadCertificate("key", f"holds no private key that can be read ({type(error).__name__}); name the PEM file of the key") from None
    if secret.public_key() != certificate.public_key():
        raise BadCertificate("key", "is not the key of landing.certificate; name the pair that was made together")
    if not any(_covers(each.lower(), name) for each in names):
        shown = ", ".join(list(names)[:5]) or "nobody"
        raise BadCertificate("certificate", f"is for {shown}, not for {name} (landing.own_name); have one issued for it")
    return list(_on_time(int(certificate.not_valid_before_utc.timestamp()), int(certificate.not_valid_after_utc.timestamp()), now))


def _covers(pattern: str, name: str) -> bool:
    """RFC 9525 section 6.3: a star stands for the whole first label."""
    first, _, rest = name.partition(".")
    return pattern == name or (pattern == f"*.{rest}" and "." in rest and bool(first))


def _on_time(begins: int, ends: int, now: int) -> Iterator[str]:
    """Not refused: an old certificate shows a warning, no certificate shows an error, and the page on port 80 has nothing to do with it."""
    if now < begins:
        yield f"is not valid before {_shown(begins)}: browsers warn of it until then; see whether the clock is right"
    elif ends <= now:
        yield f"ended {_shown(ends)}: browsers warn of it; renew it, then redhand reload"
    elif ends - now < RENEW_SECONDS:
        yield f"ends {_shown(ends)}; renew it, then redhand reload"


def _shown(moment: int) -> str:
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%M} UTC"


def context(own: Credentials) -> ssl.SSLContext:
    """What connections are secured with, once `landing.hello` has let them in. Raises ssl.SSLError when the pair does not fit.

    Sessions are not resumed: a ticket would let two visits be told to be one visitor's.
    """
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.options |= ssl.OP_NO_TICKET | ssl.OP_NO_RENEGOTIATION
    made.num_tickets = 0
    made.set_alpn_protocols(["http/1.1"])
    # The library takes files only. This one is nowhere but in memory, as the key is to be.
    with open(os.memfd_create("own", os.MFD_CLOEXEC), "wb") as file:
        file.write(f"{own.chain}\n{own.key}".encode())
        file.flush()
        made.load_cert_chain(f"/proc/self/fd/{file.fileno()}")

    return made
