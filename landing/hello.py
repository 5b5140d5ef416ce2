"""Whom a TLS client asks for, judged before anything else of TLS is done: octets in, what to refuse them with out.

OpenSSL reads them, in a context without certificate or key that stops at the name either way: no parser of ours sees them, and no time is spent on
who asks for another's name. asyncio's own TLS would refuse as well, and lose the alert that says why (its `sslproto` drops what is still to be sent
when a handshake fails).
"""

from __future__ import annotations

import ssl
import sys

MOST_OCTETS = 17 * 1024
"""Of a client's first message: a whole record (RFC 8446 section 5.1); browsers send 2 kB, post-quantum key shares included."""


class Porter:
    """Lets in who asks for one name (lower case, A-labels; RFC 6066 section 3)."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._ours = False
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._context.sni_callback = self._ask

    def _ask(self, _: object, asked: str | None, __: object) -> int:
        self._ours = asked is not None and asked.lower() == self._name
        return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME

    def refusal(self, octets: bytes) -> bytes | None:
        """What to answer the first octets of a connection with before it is closed; empty: let it in; None: they say nothing yet.

        Octets that are no TLS are refused with whatever alert fits, as OpenSSL sees it.
        """
        self._ours = False
        # A name that is not ASCII is refused as every other, but CPython would first print it, and no name that somebody asks for is logged.
        told, sys.unraisablehook = sys.unraisablehook, lambda _: None
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        incoming.write(octets)
        try:
            self._context.wrap_bio(incoming, outgoing, server_side=True).do_handshake()
        except ssl.SSLWantReadError:
            return None
        except ssl.SSLError:
            pass
        finally:
            sys.unraisablehook = told
        return b"" if self._ours else outgoing.read() or NOT_TLS


NOT_TLS = b"\x15\x03\x03\x00\x02\x02\x0a"
"""A fatal alert, unexpected_message (RFC 8446 section 6), for octets to which OpenSSL itself says nothing."""
