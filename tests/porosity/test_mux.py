"""Which answer belongs to which question: whatever comes in, no question gets what does not repeat it."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import dns.exception
import dns.message
import dns.name
import pytest
from hypothesis import given
from hypothesis import strategies as st

from porosity.transports import mux
from porosity.transports.mux import Table, judge, question_end
from porosity.words import message

NAMES = st.sampled_from(["a.test", "A.TEST", "b.test", "www.a.test", "a.test.b.test", ".", "x" * 63 + ".test"])
TYPES = st.sampled_from(["A", "AAAA", "HTTPS"])


@st.composite
def queries(draw: st.DrawFn) -> bytes:
    """A question as vectors ask it: mostly usual ones, a few of several questions, or with a compressed one."""
    wire = message(dns.name.from_text(draw(NAMES)), draw(TYPES))
    kind = draw(st.sampled_from(["usual", "usual", "usual", "two", "none", "compressed"]))
    if kind == "two":
        more = dns.message.make_query("second.test", "A", id=0).to_wire()[12:]
        wire = wire[:4] + b"\0\2" + wire[6:10] + b"\0\0" + wire[12 : question_end(wire)] + more
    elif kind == "none":
        wire = wire[:4] + b"\0\0" + wire[6:10] + b"\0\0"
    elif kind == "compressed":  # `test` once, at the end of the header's reach, and a name that points to it
        wire = wire[:4] + b"\0\2" + wire[6:10] + b"\0\0" + b"\4test\0\0\1\0\1" + b"\1a\xc0\x0c\0\1\0\1"
    return draw(st.binary(min_size=2, max_size=2)) + wire[2:]


def answered(query: bytes) -> bytes:
    """A right answer without records."""
    return query[:2] + bytes([query[2] | 0x80, query[3]]) + query[4:]


@st.composite
def octets(draw: st.DrawFn, asked: list[bytes]) -> bytes:
    """What a hostile network delivers: answers, their IDs changed among them, cut, flipped, or made up."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.binary(max_size=40))
    answer = answered(draw(st.sampled_from(asked)))
    if draw(st.booleans()):
        answer = draw(st.sampled_from(asked))[:2] + answer[2:]
    if draw(st.integers(0, 3)) == 0:
        answer = answer[: draw(st.integers(0, len(answer)))]
    if answer and draw(st.integers(0, 3)) == 0:
        at = draw(st.integers(0, len(answer) - 1))
        answer = answer[:at] + bytes([answer[at] ^ draw(st.integers(1, 255))]) + answer[at + 1 :]
    return answer


def belongs(query: bytes, answer: bytes) -> bool:
    """The same by dnspython's reader of whole messages, slowly and at length."""
    if len(answer) < 12 or answer[:2] != query[:2] or not answer[2] & 0x80 or (answer[2] & 0x78) != (query[2] & 0x78):
        return False
    if answer[4:10] == bytes(6) or answer[4:] == query[4:]:
        return True
    if answer[4:6] == query[4:6] and len(query) > 12 and answer[12:].startswith(_question(query)):
        return True
    try:
        asked, repeated = (
            [(each.name, each.rdtype, each.rdclass) for each in dns.message.from_wire(wire, question_only=True, one_rr_per_rrset=True).question]
            for wire in (query, answer)
        )
    except dns.exception.DNSException:
        return False
    return bool(repeated) and set(repeated) <= set(asked)


def _question(query: bytes) -> bytes:
    return query[12 : question_end(query)] if question_end(query) else b"\xff" * 400


@given(st.data())
def test_an_answer_counts_only_for_a_question_that_it_repeats(data: st.DataObject) -> None:
    asked = data.draw(st.lists(queries(), min_size=1, max_size=4))
    answer = data.draw(octets(asked))
    for query in asked:
        if not judge(query, question_end(query), answer):
            assert belongs(query, answer)
        assert judge(query, question_end(query), answered(query)) == "", "a right answer counts"


@given(st.data())
def test_no_question_gets_what_belongs_to_another(data: st.DataObject) -> None:
    """However many are under way, and in whatever order anything comes: each ends with an answer to itself, or with none."""

    async def whole() -> None:
        table = Table(lambda pending: None)
        waiting = [table.put(query, 60) for query in data.draw(st.lists(queries(), min_size=1, max_size=6))]
        sent = [pending.query for pending in waiting]
        for come in data.draw(st.lists(octets(sent), max_size=12)):
            table.take(come)
        for pending in waiting:
            if pending.answered.done():
                found = pending.answered.result()
                assert found.failure == ""
                assert belongs(found.query, found.answer)
            else:
                table.take(answered(pending.query))
                assert pending.answered.result().answer == answered(pending.query), "what came before did it no harm"
        assert not len(table)

    asyncio.run(whole())


@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        (lambda query: answered(query).replace(b"\4test", b"\4TEST"), ""),
        (lambda query: query, "mismatch"),
        (lambda query: answered(query).replace(b"\4test", b"\4tset"), "mismatch"),
        (lambda query: answered(query)[:11], "malformed"),
        (lambda query: answered(query)[:20], "malformed"),
        (lambda query: query[:2] + b"\x81\x01" + bytes(8), ""),
        (lambda query: query[:2] + b"\x81\x00\0\0\0\1\0\0\0\0" + b"\1a\4test\0\0\1\0\1\0\0\0\1\0\4\x7f\0\0\1", "mismatch"),
    ],
    ids=["another letter case", "the question itself", "another question", "no header", "half a question", "only an error", "a record, no question"],
)
def test_what_counts(answer: object, failure: str) -> None:
    query = b"\x12\x34" + message(dns.name.from_text("a.test"))[2:]
    assert judge(query, question_end(query), answer(query)) == failure  # type: ignore[operator]


def test_ids_cannot_be_foreseen_and_never_meet() -> None:
    async def whole() -> list[int]:
        table = Table(lambda pending: None)
        wire = message(dns.name.from_text("a.test"))
        return [table.put(wire, 60).id for _ in range(mux.MOST_PENDING)]

    ids = asyncio.run(whole())
    assert len(set(ids)) == len(ids)
    assert ids != sorted(ids)
    steps = {after - before for before, after in pairwise(ids)}
    assert len(steps) > len(ids) * 0.9, "no two steps are alike, but for chance"


def test_a_time_is_the_kernels_while_it_fits_what_passed() -> None:
    """A clock that is set back or forth between sending and stamping does not become a measurement."""

    async def whole(shift: int) -> int:
        table = Table(lambda pending: None)
        pending = table.put(message(dns.name.from_text("a.test")), 60)
        pending.begun -= 5_000_000
        table.take(answered(pending.query), pending.sent_at + shift)
        return pending.answered.result().took

    assert asyncio.run(whole(3_000_000)) == 3_000
    for shift in (-3_600_000_000_000, 3_600_000_000_000):
        assert 5_000 <= asyncio.run(whole(shift)) < 60_000
