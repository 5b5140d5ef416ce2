"""Structured errors of a real worker over UDP and TCP, with the list on disk; the answers of everybody else stay as they are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import dns.edns
import dns.message
import dns.query
import pytest

from blocklists.settings import BlocklistSettings, FileSource
from resolver.settings import ResolverSettings
from tests.resolver.servers import HOST, PATIENCE, Lists, Resolver, data, errors, query, rcode, resolver
from tests.tools import wait_for

SIGNALS = {"option": dns.edns.GenericOption(26, b""), "empty EDE": dns.edns.GenericOption(15, b"\0\0")}

ORDER: dict[str, Any] = {
    "id": "XX-2026-000123",
    "action": "block",
    "issuer": {"authority": "Office for the Protection of the Public", "contact": "orders@authority.example"},
    "targets": [{"fqdn": "blocked.example", "match": "subtree"}],
    "category": "terrorism",
    "legal_basis": "Public Safety Act 2015, section 6-1",
    "reasons": {"en": "The site praises those who attacked a market."},
    "issued_at": "2026-03-01T09:00:00Z",
    "effective_at": "2026-03-02T09:00:00Z",
    "review_due": "2098-12-01T00:00:00Z",
    "expires_at": "2099-01-01T00:00:00Z",
    "redress": {"url": "https://authority.example/appeal", "deadline_days": 60, "court": "Administrative Court of Exampleville"},
    "territorial_scope": "XX",
}


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Resolver]:
    directory = tmp_path_factory.mktemp("structured")
    sources = (FileSource(id="orders", path="orders.yaml", format="directives"), FileSource(id="own", path="own.txt", format="domains"))
    lists = Lists(directory / "lists", BlocklistSettings(sources=sources))
    lists.write("orders.yaml", json.dumps(ORDER) + "\n")
    lists.write("own.txt", "own.example\n")
    lists.build()
    with resolver(directory / "worker", lists, structured_error_database="xx-orders") as worker:
        yield worker


def ask(worker: Resolver, name: str, kind: str = "A", signal: str = "option", tcp: bool = False) -> dns.message.Message:
    asked = query(name, kind, options=[SIGNALS[signal]])
    if tcp:
        return dns.query.tcp(asked, HOST, PATIENCE, worker.port)
    return dns.query.udp(asked, HOST, PATIENCE, worker.port)


@pytest.mark.parametrize("tcp", [False, True])
@pytest.mark.parametrize("signal", list(SIGNALS))
@pytest.mark.parametrize("kind", ["A", "AAAA", "HTTPS"])
def test_an_order_is_explained_at_the_first_question(worker: Resolver, kind: str, signal: str, tcp: bool) -> None:
    for _ in range(4):  # the second and later come from the packet cache
        answer = ask(worker, "www.blocked.example", kind, signal, tcp)
        assert (rcode(answer), data(answer)) == ("NXDOMAIN", [])
        (soa,) = answer.authority
        assert (soa.ttl, soa[0].minimum) == (30, 30)
        ((code, text),) = errors(answer).items()
        assert code == 16
        assert json.loads(text) == {
            "c": ["mailto:orders@authority.example"],
            "j": "Public Safety Act 2015, section 6-1. The site praises those who attacked a market.",
            "o": "Office for the Protection of the Public",
            "l": "en",
            "fdbs": [{"db": "xx-orders", "id": "XX-2026-000123"}],
        }


def test_the_operators_own_block_says_that_it_is_one(worker: Resolver) -> None:
    ((code, text),) = errors(ask(worker, "own.example")).items()
    assert code == 15
    assert json.loads(text)["s"] == 6


def test_nobody_else_is_answered_otherwise(worker: Resolver) -> None:
    for options in ([], [dns.edns.GenericOption(26, b"x")], [dns.edns.GenericOption(15, b"")]):
        answer = dns.query.udp(query("www.blocked.example", options=options), HOST, PATIENCE, worker.port)
        assert (rcode(answer), data(answer)) == ("NOERROR", ["A 192.0.2.80"])
        assert errors(answer) == {4: "", 16: "XX-2026-000123 blocked.example"}
    plain = dns.query.udp(query("www.blocked.example", edns=False), HOST, PATIENCE, worker.port)
    assert data(plain) == ["A 192.0.2.80"]


def test_an_order_that_changed_is_explained_as_it_is_now(worker: Resolver) -> None:
    assert "praises" in errors(ask(worker, "changed.blocked.example"))[16]
    worker.lists.write("orders.yaml", json.dumps({**ORDER, "reasons": {"fr": "Le site loue ceux qui ont attaqué un marché."}}) + "\n")
    worker.lists.build()

    def told() -> dict[str, Any]:
        found: dict[str, Any] = json.loads(errors(ask(worker, "changed.blocked.example"))[16])
        return found if found["l"] == "fr" else {}

    assert wait_for(told, "the order's new reasons")["j"].endswith("attaqué un marché.")


def test_a_wrong_name_of_a_database_is_refused_with_a_remedy() -> None:
    with pytest.raises(ValueError, match="write lower-case letters, digits and -, such as example-orders"):
        ResolverSettings(structured_error_database="XX orders")
