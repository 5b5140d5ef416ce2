"""The rest of the internet, for a visitor in a network of his own: `python -m bench.origin`, one JSON job on standard input.

A name server that knows where some names are, and sends every other to a site that is served here over http and https: pages with a link or a picture
from elsewhere, and under `/strict` and `/h3` what a site says that wants https always, or HTTP/3 next time. The same is served over http alone at
other addresses. And, where the job asks for it, a port that answers TLS with one certificate whatever name is asked for, as a landing page must not.
It says `ready` when all is open.

The job: {"address": [IPv4, IPv6], "plain": [IPv4, IPv6], "names": {name: [IPv4, IPv6]}, "resolver": address of the name server,
"certificate": path, "key": path}, or {"impostor": [addresses], "certificate": path, "key": path}.
"""

from __future__ import annotations

import html
import json
import socket
import ssl
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

TTL = 1
SAYS = {"/strict": ("Strict-Transport-Security", "max-age=86400"), "/h3": ("Alt-Svc", 'h3=":443"; ma=86400')}
"""Paths under which a page says more of its site."""

SIGNED_IN: dict[str, tuple[int, bytes]] = {
    "/generate_204": (204, b""),
    "/canonical.html": (200, b'<meta http-equiv="refresh" content="0;url=https://support.mozilla.org/kb/captive-portal"/>'),
    "/success.txt": (200, b"success\n"),
}
"""What browsers ask to learn whether a network wants them to sign in first, and the answers of one that does not."""


class Site(BaseHTTPRequestHandler):
    """Any page of any site."""

    timeout = 10

    def do_GET(self) -> None:
        """One page, and the connection's end: a browser keeps none that outlives what the name server says."""
        if self.path in SIGNED_IN:
            status, said = SIGNED_IN[self.path]
            self.send_response(status)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)
            return
        address = urlsplit(self.path)
        fields = parse_qs(address.query)
        parts = "".join(f'<p><a id="link" href="{html.escape(each)}">A link to elsewhere</a></p>' for each in fields.get("link", []))
        parts += "".join(f'<img alt="" src="{html.escape(each)}">' for each in fields.get("image", []))
        body = f"<!DOCTYPE html><title>A site</title><h1>A site</h1>{parts}".encode()
        self.send_response(200)
        for name, value in (("Content-Type", "text/html; charset=utf-8"), ("Content-Length", str(len(body))), ("Connection", "close")):
            self.send_header(name, value)
        if address.path in SAYS:
            self.send_header(*SAYS[address.path])
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = True

    def log_message(self, *_: Any) -> None:
        """Nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, address: str, port: int, context: ssl.SSLContext | None = None) -> None:
        self.address_family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._context = context
        super().__init__((address, port), Site)

    def finish_request(self, request: Any, client_address: Any) -> None:
        """In the request's own thread: a slow handshake keeps nobody waiting."""
        try:
            request.settimeout(10)
            super().finish_request(self._context.wrap_socket(request, server_side=True) if self._context else request, client_address)
        except OSError:
            pass  # the browser went, or did not like the certificate

    def server_bind(self) -> None:
        """Without asking a name server for our own name."""
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)


def _names(address: str, names: dict[str, list[str]], site: list[str]) -> None:
    """Answers for every name: where it is, over IPv4 and IPv6, and of everything else nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((address, 53))
        while True:
            octets, client = server.recvfrom(4096)
            query = dns.message.from_wire(octets)
            response = dns.message.make_response(query)
            response.flags |= dns.flags.RA
            (question,) = query.question
            kind = dns.rdatatype.to_text(question.rdtype)
            answers = dict(zip(("A", "AAAA"), names.get(question.name.to_text(omit_final_dot=True).lower(), site), strict=True))
            if kind in answers:
                response.answer.append(dns.rrset.from_text(question.name, TTL, "IN", kind, answers[kind]))
            else:
                response.authority.append(dns.rrset.from_text("example.", TTL, "IN", "SOA", f"ns.example. hostmaster.example. 1 60 60 60 {TTL}"))
            server.sendto(response.to_wire(), client)


def main() -> None:
    """Serves until it is killed."""
    job = json.load(sys.stdin)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(job["certificate"], job["key"])
    if "impostor" in job:
        servers = [_Server(each, 443, context) for each in job["impostor"]]
    else:
        servers = [_Server(each, port, secure) for each in job["address"] for port, secure in ((80, None), (443, context))]
        servers += [_Server(each, 80) for each in job["plain"]]
        threading.Thread(target=_names, args=(job["resolver"], job["names"], job["address"]), daemon=True).start()
    for server in servers[1:]:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    print("ready", flush=True)
    servers[0].serve_forever()


if __name__ == "__main__":
    main()
