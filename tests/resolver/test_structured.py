"""What clients that read structured errors are told: the JSON of each rule, the two ways of asking, and what fits in a datagram."""

from __future__ import annotations

import asyncio
import gc
import json
import threading
import time
from typing import Any

import dns.edns
import dns.rcode
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blocklists.index import Rule
from resolver.engine import Engine
from resolver.explaining import PATIENCE_SECONDS, Texts
from resolver.structured import bare, forms
from resolver.wire import EDE, STRUCTURED_ERRORS, read_query
from tests.resolver.rig import AS_OF, Rig, basis, errors, key, question, read, records, upstream_says
from tests.tools import DEADLINE

ASKS = dns.edns.GenericOption(STRUCTURED_ERRORS, b"")
ASKS_BY_EDE = dns.edns.GenericOption(EDE, b"\0\0")

ORDER: dict[str, Any] = {
    "id": "XX-2026-000123",
    "issuer": {"authority": "Office for the Protection of the Public", "contact": "orders@authority.example"},
    "legal_basis": "Public Safety Act 2015, section 6-1",
    "reasons": {"en": "The site praises those who attacked a market.", "fr": "Le site loue ceux qui ont attaqué un marché."},
    "redress": {"url": "https://authority.example/appeal"},
}


def rule(kind: str = "directive", mode: str = "redirect", reference: str = "XX-2026-000123") -> Rule:
    return Rule(kind, mode, reference, "subtree", key("blocked.example"), 0, 0, 7)


def whole(document: dict[str, Any], *arguments: Any, of: Rule | None = None, **more: Any) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(forms(of or rule(), document, AS_OF, *arguments, **more)[0])
    return told


def test_an_order_names_who_ordered_it_why_and_whom_to_ask() -> None:
    assert whole(ORDER, "xx-orders", "fr") == {
        "c": ["mailto:orders@authority.example"],
        "j": "Public Safety Act 2015, section 6-1. Le site loue ceux qui ont attaqué un marché.",
        "o": "Office for the Protection of the Public",
        "l": "fr",
        "fdbs": [{"db": "xx-orders", "id": "XX-2026-000123"}],
    }
    assert "fdbs" not in whole(ORDER)
    assert whole(ORDER, language="de")["l"] == "en"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("orders@authority.example", ["mailto:orders@authority.example"]),
        ("mailto:orders@authority.example", ["mailto:orders@authority.example"]),
        ("+44 20 7946 0000", ["tel:+442079460000"]),
        ("tel:+33-1-99-00-00-00", ["tel:+33-1-99-00-00-00"]),
        ("sips:desk@authority.example", ["sips:desk@authority.example"]),
        ("https://authority.example/contact", None),
        ("javascript:alert(1)", None),
        ("1 Example Street", None),
        ("mailto:a@b.example\u2028x", None),
    ],
)
def test_only_addresses_of_the_registered_schemes_are_contacts(given: str, told: list[str] | None) -> None:
    document = {**ORDER, "issuer": {"authority": "Office", "contact": given}}
    assert whole(document).get("c") == told


def test_what_the_law_limits_is_not_told_and_the_law_is() -> None:
    for until, limited in ((AS_OF + 1, True), ("2098-01-01T00:00:00Z", True), ("2020-01-01T00:00:00Z", False), ("soon", True)):
        told = whole({**ORDER, "nondisclosure": {"until": until, "basis": "Secrets Act"}})
        assert ("praises" in told["j"]) != limited
        assert told["j"].startswith("Public Safety Act 2015")
        assert told["o"]
        assert told["l"] == "en"


def test_a_demonstration_is_called_one() -> None:
    assert whole({**ORDER, "demonstration": True})["j"].startswith("DEMONSTRATION. ")


def test_an_operators_own_block_has_a_sub_error_and_no_database() -> None:
    of = rule("own", reference="own-list")
    told = whole({"description": "Sites that steal passwords."}, "xx-orders", "en", "Example Telecom", of=of)
    assert told == {"j": "Sites that steal passwords.", "s": 6, "o": "Example Telecom", "l": "en"}
    assert whole({}, of=of) == {"s": 6}


@pytest.mark.parametrize("of", [rule(), rule("own")])
def test_the_forms_give_up_the_reasons_first_and_then_the_name(of: Rule) -> None:
    told = [json.loads(form) for form in forms(of, {**ORDER, "description": "Words."}, AS_OF, "db", "en", "Example Telecom")]
    assert [("j" in form, "o" in form, "l" in form) for form in told] == [(True, True, True), (False, True, True), (False, False, False)]
    assert all(("s" in form) == (of.kind == "own") for form in told)


_TEXT = st.text(max_size=600)
_TEXTS = st.dictionaries(st.sampled_from(["en", "fr", "zh-Hant"]), _TEXT, max_size=3)


@given(
    st.sampled_from(["directive", "own"]),
    st.fixed_dictionaries(
        {},
        optional={
            "issuer": st.fixed_dictionaries({}, optional={"authority": _TEXT, "contact": _TEXT}) | _TEXT,
            "legal_basis": _TEXT | st.none() | st.lists(_TEXT, max_size=2),
            "reasons": _TEXTS | _TEXT,
            "description": _TEXTS | _TEXT,
            "redress": st.fixed_dictionaries({"url": _TEXT}),
            "nondisclosure": st.fixed_dictionaries({"until": _TEXT | st.integers()}),
        },
    ),
    st.sampled_from(["", "xx-orders"]),
)
def test_whatever_a_basis_holds_the_text_is_small_i_json_that_a_client_keeps(kind: str, document: dict[str, Any], database: str) -> None:
    """RFC 7493: UTF-8, no duplicate names, no surrogates and noncharacters; the draft: c, j or s in it, no s beside Censored; RFC 8914: no NUL."""
    found = forms(rule(kind), document, AS_OF, database, "en", "Example Telecom")
    assert [len(form) for form in found] == sorted((len(form) for form in found), reverse=True)
    for form in found:
        text = form.decode("utf-8")
        assert len(form) < 4 * 1000
        assert "\0" not in text
        assert not any(0xFDD0 <= ord(mark) <= 0xFDEF or ord(mark) & 0xFFFE == 0xFFFE for mark in text)
        pairs = json.loads(text, object_pairs_hook=list)
        told = dict(pairs)
        assert len(pairs) == len(told)
        assert told.keys() <= {"c", "j", "s", "o", "l", "fdbs"}
        assert told.keys() & {"c", "j", "s", "fdbs"}
        assert ("s" in told) == (kind == "own")
        assert ("l" in told) or not told.keys() & {"j", "o"}
        assert all(told.values())


def asking(option: dns.edns.Option, **more: Any) -> bytes:
    return question("www.blocked.example.", options=[option], **more)


@pytest.mark.parametrize(
    ("option", "structured", "constant"),
    [
        (ASKS, True, True),
        (ASKS_BY_EDE, True, True),
        (dns.edns.GenericOption(STRUCTURED_ERRORS, b"x"), False, False),
        (dns.edns.GenericOption(STRUCTURED_ERRORS + 1, b""), False, False),
        (dns.edns.GenericOption(EDE, b""), False, True),
        (dns.edns.GenericOption(EDE, b"\0\x10"), False, True),
        (dns.edns.GenericOption(EDE, b"\0\0text"), False, False),
        (dns.edns.GenericOption(10, bytes(8)), False, False),
    ],
)
def test_the_two_ways_of_asking_and_what_is_none(option: dns.edns.Option, structured: bool, constant: bool) -> None:
    query = read_query(asking(option))
    assert (query.structured, query.constant) == (structured, constant)


def test_the_options_code_is_the_operators_to_choose() -> None:
    rig = Rig([basis("directive", "XX-1", "blocked.example")])
    rig.engine = Engine(rig.policy, rig.clock, option=65001)
    assert errors(rig.cached(asking(dns.edns.GenericOption(65001, b"")))) == ['16 {"j":"XX-1","l":"und"}']
    assert errors(rig.cached(asking(ASKS))) == ["4", "16 XX-1 blocked.example"]


def test_two_options_in_one_query_are_both_read() -> None:
    both = question("www.blocked.example.", options=[dns.edns.GenericOption(10, bytes(8)), ASKS])
    query = read_query(both)
    assert (query.structured, query.constant) == (True, False)


@pytest.mark.parametrize(("mode", "code"), [("redirect", "NXDOMAIN"), ("nxdomain", "NXDOMAIN"), ("nodata", "NOERROR"), ("refused", "REFUSED")])
@pytest.mark.parametrize("kind", ["A", "AAAA", "HTTPS", "TXT", "ANY"])
def test_no_forged_answer_for_those_who_ask(mode: str, code: str, kind: str) -> None:
    rig = Rig([basis("own", "mine", "blocked.example", mode=mode)])
    for option in (ASKS, ASKS_BY_EDE):
        reply = rig.cached(question("www.blocked.example.", kind, options=[option]))
        assert dns.rcode.to_text(reply.rcode()) == code
        assert not reply.answer
        assert errors(reply) == ['15 {"j":"mine","s":6,"l":"und"}']


@pytest.mark.parametrize(("ttl", "told"), [(1, 10), (30, 30), (3600, 60)])
def test_such_clients_forget_a_block_within_a_minute(ttl: int, told: int) -> None:
    rig = Rig([basis("directive", "XX-1", "blocked.example")])
    rig.group.blocks = type(rig.group.blocks)(["192.0.2.80"], ttl)
    (soa,) = records(rig.cached(asking(ASKS)).authority)
    assert soa.startswith(f"blocked.example. {told} soa ")
    assert soa.endswith(f" {told}")


class Slow:
    """A version whose disk answers when it is let."""

    serial = 1

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self.answers = threading.Event()
        self.read = 0

    def basis(self, _: Rule) -> dict[str, Any]:
        self.read += 1
        self.answers.wait(DEADLINE)
        if not self.document:
            raise OSError("the disk is gone")
        return self.document


def explained(version: Slow, rig: Rig) -> Texts:
    texts = Texts(rig.engine, version, lambda rule, document: forms(rule, document, AS_OF, "xx-orders"), "xx-orders")  # type: ignore[arg-type]
    rig.engine.explanations = texts
    return texts


def _told(rig: Rig) -> list[dict[str, Any]]:
    return [json.loads(text.partition(" ")[2]) for _, reply in rig.mailbox.take() for text in errors(read(reply))]


async def _until(rig: Rig, count: int) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = []
    async with asyncio.timeout(DEADLINE):
        while len(told) < count:
            await asyncio.sleep(0.002)
            told += _told(rig)
    return told


def test_the_first_who_ask_wait_for_the_disk_and_no_others_do() -> None:
    async def play() -> None:
        rig = Rig([basis("directive", "XX-2026-000123", "blocked.example")])
        version = Slow(ORDER)
        texts = explained(version, rig)
        assert rig.ask(asking(ASKS)) is None
        assert rig.ask(asking(ASKS_BY_EDE)) is None
        assert texts.waiting
        assert errors(rig.cached(question("www.blocked.example.", edns=True))) == ["4", "16 XX-2026-000123 blocked.example"]
        version.answers.set()
        first, second = await _until(rig, 2)
        assert first == second
        assert first["o"] == "Office for the Protection of the Public"
        for _ in range(3):
            assert rig.ask(asking(ASKS)) is not None
        assert (version.read, rig.hits, texts.waiting) == (1, 1, False)

    asyncio.run(play())


def test_a_disk_that_hangs_costs_half_a_second_once_and_then_nothing() -> None:
    async def play() -> None:
        rig = Rig([basis("directive", "XX-2026-000123", "blocked.example")])
        version = Slow(ORDER)
        explained(version, rig)
        begun = time.monotonic()
        assert rig.ask(asking(ASKS)) is None
        (told,) = await _until(rig, 1)
        assert PATIENCE_SECONDS - 0.1 < time.monotonic() - begun < PATIENCE_SECONDS + 1
        assert told == {"j": "XX-2026-000123", "l": "und", "fdbs": [{"db": "xx-orders", "id": "XX-2026-000123"}]}
        at_once = rig.ask(asking(ASKS))
        assert at_once is not None
        assert errors(read(at_once)) == ['16 {"j":"XX-2026-000123","l":"und"}']
        version.answers.set()
        async with asyncio.timeout(DEADLINE):
            while "Office" not in errors(read(rig.ask(asking(ASKS))))[0]:
                await asyncio.sleep(0.002)

    asyncio.run(play())


def test_a_basis_that_cannot_be_read_is_told_by_its_reference() -> None:
    async def play() -> None:
        rig = Rig([basis("directive", "XX-2026-000123", "blocked.example")])
        version = Slow({})
        version.answers.set()
        explained(version, rig)
        assert rig.ask(asking(ASKS)) is None
        assert await _until(rig, 1) == [json.loads(bare(rule(), "xx-orders")[0])]

    asyncio.run(play())


def test_another_version_is_read_anew() -> None:
    async def play() -> None:
        rig = Rig([basis("directive", "XX-2026-000123", "blocked.example")])
        old, new = Slow(ORDER), Slow({**ORDER, "legal_basis": "Another Act"})
        new.serial = 2
        texts = explained(old, rig)
        assert rig.ask(asking(ASKS)) is None
        texts.switch(new)  # type: ignore[arg-type]
        rig.switch([basis("directive", "XX-2026-000123", "blocked.example")])
        old.answers.set()
        new.answers.set()
        assert (await _until(rig, 1))[0]["j"].startswith("Public Safety Act")
        assert rig.ask(asking(ASKS)) is None
        assert (await _until(rig, 1))[0]["j"].startswith("Another Act")

    asyncio.run(play())


def test_an_alias_that_leads_to_a_listed_name_is_explained_once_it_is_known() -> None:
    async def play() -> None:
        rig = Rig([basis("directive", "XX-2026-000123", "blocked.example")])
        version = Slow(ORDER)
        version.answers.set()
        explained(version, rig)
        assert rig.ask(question("alias.example.", options=[ASKS])) is None
        lookup = rig.lookups.pop()
        rig.answered(lookup, upstream_says(lookup.question, ["alias.example. 60 CNAME blocked.example.", "blocked.example. 60 A 192.0.2.9"]))
        (told,) = await _until(rig, 1)
        assert told["o"] == "Office for the Protection of the Public"
        again = rig.ask(question("alias.example.", options=[ASKS]))
        assert again is not None
        assert read(again).rcode() == dns.rcode.NXDOMAIN

    asyncio.run(play())


@pytest.mark.parametrize(("size", "keys"), [(1232, {"c", "j", "o", "l", "fdbs"}), (600, {"c", "o", "l", "fdbs"}), (512, {"c", "fdbs"})])
def test_what_does_not_fit_in_the_clients_datagram_is_left_out_in_turn(size: int, keys: set[str]) -> None:
    async def play() -> None:
        listed = ".".join(["a" * 60, "b" * 60, "c" * 60, "blocked.example"])
        rig = Rig([basis("directive", "XX-2026-000123", "blocked.example")])
        document = {**ORDER, "issuer": {"authority": "An Office of a Long Name " * 5, "contact": "orders@authority.example"}}
        document["legal_basis"] = "A law of a long name " * 20
        version = Slow(document)
        version.answers.set()
        explained(version, rig)
        assert rig.ask(question(f"{listed}.", options=[ASKS], size=size)) is None
        async with asyncio.timeout(DEADLINE):
            while not (letters := rig.mailbox.take()):
                await asyncio.sleep(0.002)
        ((_, reply),) = letters
        assert len(reply) <= size
        (text,) = errors(read(reply))
        assert json.loads(text.partition(" ")[2]).keys() == keys
        over_tcp = rig.ask(question(f"{listed}.", options=[ASKS], size=size), rig.tcp)
        assert "j" in json.loads(errors(read(over_tcp))[0].partition(" ")[2])

    asyncio.run(play())


def test_queries_that_wait_are_bounded() -> None:
    async def play() -> None:
        rig = Rig([basis("directive", f"XX-{number}", f"n{number}.example") for number in range(100)])
        version = Slow(ORDER)
        explained(version, rig)
        replies = [rig.ask(question(f"n{number}.example.", options=[ASKS])) for number in range(100)]
        assert replies.count(None) == 64
        more = [rig.ask(question(f"w{number}.n1.example.", options=[ASKS])) for number in range(300)]
        assert more.count(None) == 255
        version.answers.set()
        await _until(rig, 64 + 255)

    asyncio.run(play())


def test_explanations_leave_nothing_to_collect() -> None:
    """Workers run without the cyclic collector."""

    async def play(count: int) -> int:
        rig = Rig([basis("directive", f"XX-{number}", f"n{number}.example") for number in range(count)])
        version = Slow(ORDER)
        version.answers.set()
        explained(version, rig)
        gc.collect()
        gc.disable()
        try:
            for number in range(count):
                assert rig.ask(question(f"n{number}.example.", options=[ASKS])) is None
                await _until(rig, 1)
            return gc.collect()
        finally:
            gc.enable()

    asyncio.run(play(1))
    assert asyncio.run(play(50)) == asyncio.run(play(5))


def test_a_query_is_one_of_those_who_ask_or_not_by_default() -> None:
    assert read_query(question("www.blocked.example.", edns=True)).structured is False
    assert read_query(question("www.blocked.example.")).structured is False
