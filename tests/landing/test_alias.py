"""Asking the resolver what a name led to, over real datagrams."""

from __future__ import annotations

import asyncio
import socket

import dns.edns
import dns.message
import pytest

from blocklists.names import parse
from landing import alias
from landing.alias import Aliases, listed_name
from tests.landing.conftest import Resolver
from tests.tools import in_time


def block_answer(*errors: tuple[int, str | None]) -> dns.message.Message:
    response = dns.message.make_response(dns.message.make_query("asked.example", "A"))
    response.use_edns(0, options=[dns.edns.EDEOption(code, text) for code, text in errors])
    return response


@pytest.mark.parametrize(
    ("errors", "name"),
    [
        ([(16, "XX-1 blocked.example")], "blocked.example"),
        ([(15, "own-list blocked.example")], "blocked.example"),
        ([(4, "XX-1 other.example"), (16, "XX-1 blocked.example")], "blocked.example"),
        ([(16, "XX-1 odd\\032label.example")], "odd\\032label.example"),
        ([(16, "XX-1 a..b"), (15, "own-list blocked.example")], "blocked.example"),
        ([(4, "XX-1 blocked.example")], None),
        ([(17, "XX-1 blocked.example")], None),
        ([(16, "blocked.example")], None),
        ([(16, "")], None),
        ([(16, None)], None),
        ([(16, "XX-1 ")], None),
        ([(16, "XX-1 a..b")], None),
        ([], None),
    ],
)
def test_the_listed_name_is_read_from_the_extended_error(errors: list[tuple[int, str | None]], name: str | None) -> None:
    assert listed_name(block_answer(*errors)) == (parse(name) if name else None)


def test_one_question_serves_all_who_ask_at_once_and_for_some_seconds_after(resolver: Resolver) -> None:
    async def ask() -> list[bytes | None]:
        aliases = Aliases(resolver.endpoint)
        together = await asyncio.gather(*(aliases.listed_behind(parse("alias.example")) for _ in range(20)))
        return [*together, await aliases.listed_behind(parse("alias.example"))]

    before = resolver.asked.count("alias.example")
    assert asyncio.run(ask()) == [parse("blocked.example")] * 21
    assert resolver.asked.count("alias.example") == before + 1


def test_without_a_resolver_nothing_is_an_alias() -> None:
    assert asyncio.run(Aliases("").listed_behind(parse("alias.example"))) is None


def test_a_resolver_that_is_not_there_costs_no_more_than_the_time_allowed() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        endpoint = f"127.0.0.1:{free.getsockname()[1]}"

    def ask(_: int) -> None:
        assert asyncio.run(Aliases(endpoint).listed_behind(parse("alias.example"))) is None

    assert in_time(ask, alias.TIMEOUT + 0.5)


def test_a_flood_of_names_is_asked_in_bounds_and_kept_in_bounds(resolver: Resolver) -> None:
    async def flood() -> tuple[int, int]:
        aliases = Aliases(resolver.endpoint)
        names = [parse(f"n{number}.flood.example") for number in range(alias.KEPT + 200)]
        await asyncio.gather(*(aliases.listed_behind(name) for name in names))
        asked_at_once = len([name for name in resolver.asked if name.endswith(".flood.example")])
        for name in names:
            await aliases.listed_behind(name)
        return asked_at_once, len(aliases._kept)

    asked_at_once, kept = asyncio.run(flood())
    assert asked_at_once <= alias.IN_FLIGHT
    assert kept == alias.KEPT
