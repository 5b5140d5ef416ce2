"""The golden tables in `golden/`: what is listed, what is asked, what the answer is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dns.edns
import dns.flags
import dns.message
import dns.rcode
import pytest
import yaml

from blocklists.sources import Basis
from resolver.groups import Front
from tests.resolver.rig import Rig, basis, errors, question, read, records, upstream_says

GOLDEN = Path(__file__).parent / "golden"
OPTIONS = {
    "cookie": dns.edns.GenericOption(10, bytes(range(8))),
    "ecs": dns.edns.ECSOption("198.51.100.0", 24),
    "nsid": dns.edns.GenericOption(3, b""),
    "unknown": dns.edns.GenericOption(65001, b"anything"),
}
CASE_KEYS = {
    "say",
    "ask",
    "upstream",
    "rcode",
    "answer",
    "authority",
    "errors",
    "flags",
    "after",
    "listed",
    "steps",
    "chain_limit",
    "landing",
    "zones",
}


def cases(topic: str) -> Iterator[Any]:
    for case in yaml.safe_load((GOLDEN / f"{topic}.yaml").read_text("utf-8")):
        for step in case.get("steps", [case]):
            assert {*case, *step} <= CASE_KEYS | {"query", "reply"}, f"{case}: an unknown field would be passed over"
        yield pytest.param(case, id=case["say"])


def topics() -> list[str]:
    return sorted(path.stem for path in GOLDEN.glob("*.yaml") if path.stem != "malformed")


def sources(case: dict[str, Any]) -> list[Basis]:
    return [
        basis(
            each.get("kind", "directive"),
            each.get("as", "XX-1"),
            *each["names"],
            mode=each.get("mode", "redirect"),
            match=each.get("match", "subtree"),
        )
        for each in case.get("listed", ())
    ]


def asked(text: str) -> bytes:
    name, kind, *words = text.split()
    flags = {word: True for word in words if word in ("edns", "do", "cd", "ad")}
    valued = dict(word.split("=") for word in words if "=" in word)
    options = [OPTIONS[word] for word in words if word in OPTIONS]
    assert len(words) == len(flags) + len(valued) + len(options) + ("nord" in words), text
    return question(
        name, kind, rd="nord" not in words, options=options, size=int(valued.get("size", 1232)), of_class=valued.get("class", "IN"), **flags,
    )  # fmt: skip


def folded(lines: list[str]) -> list[str]:
    return [" ".join(line.lower().split()) for line in lines]


def check(rig: Rig, step: dict[str, Any], front: Front) -> None:
    rig.advance(step.get("after", 0))
    data = asked(step["ask"])
    reply = rig.ask(data, front)
    if reply is None:
        lookup = rig.lookups.pop()
        assert "upstream" in step, f"{step['ask']} went upstream"
        said = step["upstream"]
        message = upstream_says(lookup.question, said.get("answer", ()), said.get("authority", ()), said.get("rcode", "NOERROR"), ad=True)
        rig.answered(lookup, message)
        ((_, reply),) = rig.mailbox.take()
    compare(step, data, reply)
    for _ in range(3):  # again: from the answer cache, into the packet cache, from the packet cache
        again = rig.ask(data, front)
        if again is None:  # an answer of no lifetime
            rig.answered(rig.lookups.pop(), message)
            ((_, again),) = rig.mailbox.take()
        assert again == reply, "later clients are told something else"
    assert not rig.lookups


def compare(step: dict[str, Any], data: bytes, reply: bytes) -> None:
    query, found = dns.message.from_wire(data), read(reply)
    assert (found.id, reply[12:].startswith(query.question[0].name.to_wire())) == (query.id, True)
    assert dns.rcode.to_text(found.rcode()) == step.get("rcode", "NOERROR")
    assert records(found.answer) == folded(step.get("answer", []))
    assert records(found.authority) == folded(step.get("authority", []))
    assert records(found.additional) == []
    assert errors(found) == step.get("errors", [])
    assert (found.opt is None) == (query.opt is None)
    if query.opt is not None:
        assert (found.edns, found.payload, found.ednsflags) == (0, 1232, query.ednsflags & dns.flags.DO)
        assert all(isinstance(option, dns.edns.EDEOption) for option in found.options)
    expected = dns.flags.QR | dns.flags.RA | query.flags & (dns.flags.RD | dns.flags.CD)
    if "flags" in step:
        expected = dns.flags.from_text(step["flags"])
    assert dns.flags.to_text(found.flags & 0xFFF0 & ~0x7800) == dns.flags.to_text(expected)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize("case", [case for topic in topics() for case in cases(topic)])
def test_golden(case: dict[str, Any], transport: str) -> None:
    rig = Rig(
        sources(case),
        chain_limit=case.get("chain_limit", 20),
        landing=case.get("landing", ("192.0.2.80", "2001:db8::80")),
        zones=case.get("zones", ()),
    )
    for step in case.get("steps", [case]):
        if transport == "tcp" and "TC" in step.get("flags", ""):
            continue
        check(rig, step, rig.udp if transport == "udp" else rig.tcp)


@pytest.mark.parametrize("case", list(cases("malformed")))
def test_malformed(case: dict[str, Any]) -> None:
    """Octet by octet. None of it is kept: the same comes back, and nothing else, when it is sent again."""
    rig = Rig()
    query = bytes.fromhex(case["query"])
    for _ in range(3):
        reply = rig.ask(query)
        if case["reply"] == "silence":
            assert reply is None
            assert not rig.lookups
            assert "rcode" not in case
        else:
            assert reply is not None
            assert reply.hex(" ") == bytes.fromhex(case["reply"]).hex(" ")
            assert dns.rcode.to_text(dns.message.from_wire(reply, keyring=False).rcode()) == case["rcode"]
    assert rig.hits == 0
    assert len(rig.udp.packets.map) == 0


def test_the_tables_are_met_in_full() -> None:
    assert topics() == ["any-and-transfers", "block-answers", "chains", "flags", "negative", "pass-entries", "special-names"]
    assert len(list(cases("malformed"))) >= 25
