"""Asks one question at a time and checks the answer.

Before load: that a server does the work it is measured for. After a start or a swap: when it first does.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype

from bench import data
from bench.machine import BenchError

PATIENCE = 2.0
"""Seconds to wait for an answer that must come."""


def ask(
    port: int, name: str, limit_seconds: float = PATIENCE, options: tuple[dns.edns.Option, ...] = (), address: str = "127.0.0.1"
) -> dns.message.Message | None:
    """The answer for A of the name, or None if none came. A port nobody listens on says so at once."""
    query = dns.message.make_query(name, "A", use_edns=0, options=list(options))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect((address, port))
        client.settimeout(limit_seconds)
        try:
            client.send(query.to_wire())
            answer = dns.message.from_wire(client.recv(4096))
        except (OSError, dns.exception.DNSException):
            return None
    return answer if query.is_response(answer) else None


def addresses(answer: dns.message.Message | None) -> set[str]:
    """The A records of an answer, whoever owns them."""
    sets = answer.answer if answer is not None else []
    return {str(record) for rrset in sets if rrset.rdtype == dns.rdatatype.A for record in rrset}


def answers_block(port: int, name: str) -> bool:
    """Whether the server sends the name's visitors to the landing address, asked with little patience: it is meant to be called over and over."""
    return addresses(ask(port, name, 0.02)) == {data.LANDING}


def wait_until(condition: Callable[[], bool], limit_seconds: float, otherwise: Callable[[], str], every: float = 0.002) -> float:
    """Seconds until the condition held. Raises BenchError with the text of `otherwise` when the limit has passed."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > limit_seconds:
            raise BenchError(f"{otherwise()}\n(waited {limit_seconds:.0f} s)")
        time.sleep(every)
    return time.monotonic() - began


def check_answers(server: str, port: int, listed: str, *, expect_ede: bool) -> None:
    """Raises BenchError unless hits, misses and blocks get the right answers, with the EDE of the operator's own list (15) where that is promised."""
    cookie = dns.edns.GenericOption(dns.edns.OptionType.COOKIE, b"redhand.")
    for name, options, wanted in (
        (data.hit_name(7), (), data.hit_address(7)),
        (data.hit_name(7), (cookie,), data.hit_address(7)),
        (f"z7.{data.ZONE}", (), data.hit_address(7)),
        (f"check.miss.{data.ZONE}", (), data.MISS_ADDRESS),
        (listed, (), data.LANDING),
        (f"check.{listed}", (), data.LANDING),
    ):
        answer = ask(port, name, options=options)
        if answer is None or answer.rcode() != dns.rcode.NOERROR or addresses(answer) != {wanted}:
            got = "no answer" if answer is None else f"{dns.rcode.to_text(answer.rcode())} {sorted(addresses(answer))}"
            raise BenchError(f"{server} is not fit to be measured: {name} should be {wanted}, got {got}")
        codes = {int(option.code) for option in answer.options if isinstance(option, dns.edns.EDEOption)}
        if expect_ede and (15 in codes) != (wanted == data.LANDING):
            raise BenchError(
                f"{server} is not fit to be measured: {name} came with extended errors {sorted(codes)}; 15 is for blocks and for them alone"
            )
