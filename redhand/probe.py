"""Asks a running resolver one DNS question: does it answer? It does not judge what: `localhost` needs no upstream (RFC 6761 section 6.3)."""

from __future__ import annotations

import dns.exception
import dns.message
import dns.query

from blocklists.endpoints import split_endpoint

SECONDS = 2.0


def answers(endpoint: str, seconds: float = SECONDS) -> bool:
    """Whether anything that reads the question answers it at the address and port within the time."""
    address, port = split_endpoint(endpoint)
    question = dns.message.make_query("localhost.", "A")
    try:
        return question.is_response(dns.query.udp(question, address, timeout=seconds, port=port))
    except (OSError, dns.exception.DNSException):
        return False
