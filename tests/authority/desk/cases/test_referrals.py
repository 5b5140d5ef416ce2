"""Referrals by every way: what is taken, joined, sent again, refused; and files of them, read on after a crash."""

from __future__ import annotations

import csv
import io
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select

from authority.desk import audit, cases, imports, referrals, steps
from authority.desk.errors import BadField, DeskError, Forbidden, NotFound
from authority.desk.referrals import Given, names_in
from authority.desk.roles import Actor
from authority.desk.tables import Audit, Case, Clock, Event, Grant, Import, Message, Referral
from blocklists import names
from tests.authority.desk.cases.house import DAY, FLAGGER, PUBLIC, House
from tests.tools import wait_for


def test_each_source_is_kept_as_it_came(house: House) -> None:
    for who, source, sender in ((PUBLIC, "public", ""), (FLAGGER, "flagger", "hotline"), (house["clerk"], "officer", "clerk")):
        taken = house.refer(
            f"{source}.test", who=who, source=source, location="https://x.test/a", words="Look.", contact="me@x.test", category="terror"
        )
        with house.desk.store.reading() as session:
            row = session.scalar(select(Referral).where(Referral.reference == taken.reference))
            assert row is not None
            assert (row.sender, row.source, row.words, row.contact, row.location) == (sender, source, "Look.", "me@x.test", "https://x.test/a")
        assert house.timeline(taken.number)[0].who == who.name


def test_who_may_not_refer(house: House) -> None:
    for who in (house["reviewer"], house["admin"], house["north-isp"], Actor("setup"), Actor("flagger:x", frozenset(), 7), Actor("clock")):
        with pytest.raises(Forbidden):
            house.refer(who=who)


def test_the_same_name_joins_the_open_case(house: House) -> None:
    first = house.refer("www.site.test", "other.test")
    for name in ("www.site.test", "WWW.Site.Test.", "https://www.site.test/page?x=1", "other.test"):
        taken = house.refer(name)
        assert (taken.number, taken.joined, taken.again) == (first.number, True, False)
    assert house.refer("site.test").number != first.number, "another name is another matter"
    assert house.refer("deep.www.site.test").number != first.number
    assert house.running(first.number) == {"assess": DAY}


def test_a_name_under_one_that_is_blocked_whole_joins(house: House) -> None:
    number = house.assessed("www.site.test")
    house.do(cases.set_names, "clerk", number, [("site.test", "subtree")], "all of it")
    assert house.refer("a.b.site.test").number == number
    assert house.refer("mysite.test").number != number


def test_what_is_over_is_opened_anew_by_another_case(house: House) -> None:
    number = house.assessed("www.site.test")
    house.do(cases.dismiss, "officer", number, "nothing there")
    assert house.refer("www.site.test").number != number


def test_what_is_joined_delays_nothing(house: House) -> None:
    number = house.refer("www.site.test").number
    house.time += 1000
    house.refer("www.site.test")
    assert house.running(number) == {"assess": DAY - 1000}


def test_sending_again_with_the_same_key_makes_no_second_one(house: House) -> None:
    first = house.refer("a.test", who=FLAGGER, source="flagger", key="77")
    again = house.refer("a.test", who=FLAGGER, source="flagger", key="77")
    assert (again.reference, again.number, again.again) == (first.reference, first.number, True)
    other = house.refer("a.test", who=Actor("flagger:other"), source="flagger", key="77")
    assert not other.again, "keys are each sender's own"
    with pytest.raises(BadField, match="another referral was sent with this key"):
        house.refer("b.test", who=FLAGGER, source="flagger", key="77")


def test_who_has_the_reference_sees_what_came_of_it(house: House) -> None:
    taken = house.refer("www.site.test")

    def state() -> str:
        with house.desk.store.reading() as session:
            return referrals.status(session, taken.reference.lower()).state

    assert state() == "received"
    house.do(cases.assess, "officer", taken.number, "terrorism", "x", "y")
    assert state() == "looked_at"
    house.do(cases.dismiss, "officer", taken.number, "secret reasons")
    assert state() == "closed"
    with house.desk.store.reading() as session, pytest.raises(NotFound):
        referrals.status(session, "AAAA-AAAA-AAAA-AAAA")


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"names": ()}, "names"),
        ({"names": ("192.0.2.1",)}, "names"),
        ({"names": ("a..b",)}, "names"),
        ({"names": ("https://[::1/",)}, "names"),
        ({"names": tuple(f"n{number}.test" for number in range(101))}, "names"),
        ({"names": (), "location": "somewhere"}, "names"),
        ({"names": ("a.test",), "words": "x\x00y"}, "words"),
        ({"names": ("a.test",), "words": "\ud800"}, "words"),
        ({"names": ("a.test",), "words": "x" * 20_001}, "words"),
        ({"names": ("a.test",), "category": "a\nb"}, "category"),
        ({"names": ("a.test",), "contact": "me"}, "contact"),
        ({"names": ("a.test",), "location": "x" * 8001}, "location"),
    ],
)
def test_what_cannot_be_is_refused_and_leaves_nothing(house: House, fields: dict[str, Any], field: str) -> None:
    with house.writing() as session:
        with pytest.raises(BadField) as error:
            referrals.take(session, house.desk, PUBLIC, referrals.Given(**fields), house.time, source="public")
        assert error.value.field == field
        assert session.scalar(select(func.count()).select_from(Case)) == 0
        assert session.scalar(select(func.count()).select_from(Referral)) == 0


def test_names_are_found_in_what_people_paste() -> None:
    text = "Seen at https://www.Site.test:8443/a?b=c#d, also http://bücher.example/ and plain.example; not 192.0.2.1, e.g. or a_b"
    assert names_in(text) == ["www.site.test", "xn--bcher-kva.example", "plain.example"]


@given(st.text(max_size=200))
def test_whatever_is_pasted_gives_names_or_nothing(text: str) -> None:
    """Each is a name in its one form, and is found once."""
    found = names_in(text)
    assert len(set(found)) == len(found)
    for name in found:
        assert names.to_text(names.listed(name)) == name


# --- files


def table(*rows: tuple[str, ...], header: tuple[str, ...] = ("names", "words")) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows([header, *rows])
    return text.getvalue().encode()


def brought(house: House, data: bytes, who: str = "clerk") -> Import:
    row = imports.begin(house.desk, house[who], data, "list.csv", house.time)
    return imports.go_on(house.desk, row.id, house.time)


def faults(house: House, row: Import) -> list[tuple[int, str]]:
    with house.desk.store.reading() as session:
        return [(fault.line, fault.reason) for fault in imports.faults(session, row.id)]


def test_a_file_is_read_to_its_end_with_its_progress(house: House) -> None:
    data = table(*((f"n{number}.test", "two\nlines") for number in range(250)), ("n0.test | n1.test", ""), ("b..ad", ""))
    seen: list[int] = []
    row = imports.begin(house.desk, house["clerk"], data, "list.csv", house.time)
    row = imports.go_on(house.desk, row.id, house.time, lambda at: seen.append(at.at_octet))
    assert (row.taken, row.joined, row.again, row.bad, row.at_octet) == (250, 1, 0, 1, len(data))
    assert seen == sorted(seen)
    assert len(seen) == 2
    ((line, reason),) = faults(house, row)
    assert line == 503, "lines are counted as an editor does"
    assert "b..ad" in reason
    assert row.ended_at == house.time
    assert house.refer("n7.test").joined
    assert not list((house.desk.directory / "imports").iterdir())
    again = imports.begin(house.desk, house["clerk"], data, "again.csv", house.time)
    assert (again.id, again.taken) == (row.id, 250)


def test_lines_that_cannot_be_taken_are_told_by_number(house: House) -> None:
    lines = (
        b"\xef\xbb\xbfNames,words,threat,contact,key", b"a.test,ok,no,,1", b"b.test,x", b"", b"c.test,\xff,no,,", b"d.test,x,maybe,,",
        b"e.test,x,no,nobody,", b"f.test,x,yes,,", b"a.test,ok,no,,1", b",nothing,no,,", b'g.test,"open',
    )  # fmt: skip
    data = b"\r\n".join(lines)
    row = brought(house, data)
    assert (row.taken, row.again, row.bad) == (2, 1, 6)
    assert [line for line, _ in faults(house, row)] == [3, 5, 6, 7, 10, 11]
    number = house.refer("f.test").number
    assert house.case(number).urgent
    assert house.timeline(number)[0].who == "clerk"
    with house.desk.store.reading() as session:
        assert audit.verify(session)[1] is None


@pytest.mark.parametrize("data", [b"", b"a.test\n", b"names,names\n", b"names,colour\n", b"words\nx\n", b"\xff\xfe\n", b'"names\n'])
def test_a_file_without_its_columns_is_refused(house: House, data: bytes) -> None:
    with pytest.raises(BadField):
        imports.begin(house.desk, house["clerk"], data, "x", house.time)


def test_who_may_not_refer_imports_nothing(house: House) -> None:
    data = table(("a.test", ""))
    for who in ("reviewer", "admin", "auditor", "north-isp"):
        with pytest.raises(Forbidden):
            imports.begin(house.desk, house[who], data, "x", house.time)
    row = imports.begin(house.desk, house["clerk"], data, "x", house.time)
    with house.writing() as session:
        for grant in session.scalars(select(Grant).where(Grant.person_id == house["clerk"].person)):
            grant.ended_at = house.time
    with pytest.raises(Forbidden):
        imports.go_on(house.desk, row.id, house.time)


@given(st.binary(max_size=300))
def test_whatever_a_file_holds_every_line_is_taken_or_told(shared: House, data: bytes) -> None:
    """Read in pieces or whole, an import ends, and has read all octets."""
    try:
        row = imports.begin(shared.desk, shared["clerk"], b"location,words\n" + data, "x", shared.time)
    except DeskError:
        return
    row = imports.go_on(shared.desk, row.id, shared.time)
    assert row.ended_at is not None
    assert row.at_octet == row.octets
    assert row.bad >= len(faults(shared, row))


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Any:
    made = House(tmp_path_factory.mktemp("shared"))
    yield made
    made.desk.close()


def test_a_killed_import_goes_on_and_takes_each_line_once(house: House) -> None:
    """kill -9 in the middle, then again: the same referrals as in one go."""
    data = table(*((f"n{number}.test", "") for number in range(600)))
    row = imports.begin(house.desk, house["clerk"], data, "list.csv", house.time)
    program = (
        "import sys; from pathlib import Path; from authority.desk import imports; from authority.desk.desk import Desk;"
        "from authority.desk.settings import DeskSettings;"
        f"imports.go_on(Desk(DeskSettings(), Path({str(house.base)!r})), {row.id}, {house.time}, lambda at: print(at.at_line, flush=True))"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        wait_for(child.stdout.readline, "a piece is read")
        os.kill(child.pid, signal.SIGKILL)
    with house.desk.store.reading() as session:
        at = imports.find(session, row.id)
        assert at.ended_at is None
        assert at.taken == session.scalar(select(func.count()).select_from(Referral)), "a piece is whole, or not there"
    row = imports.go_on(house.desk, row.id, house.time)
    assert (row.taken, row.joined, row.again, row.bad) == (600, 0, 0, 0)
    with house.desk.store.reading() as session:
        assert session.scalar(select(func.count()).select_from(Referral)) == 600
        assert steps.find(session, f"2026-{600:06d}").title == "n599.test"


def test_many_lines_together_are_what_they_are_one_by_one(tmp_path: Path) -> None:
    """The fast way against the slow one: cases, names, referrals, timelines, clocks and the audit log are the same."""
    for seed in range(6):
        print(f"seed {seed}")
        chance = random.Random(seed)
        fast, slow = House(tmp_path / f"fast-{seed}"), House(tmp_path / f"slow-{seed}")
        for house in (fast, slow):
            first = house.refer("open.test", "n3.test").number
            house.do(cases.set_names, "clerk", first, [("tree.test", "subtree"), ("n3.test", "exact")], "all of it")
            house.do(cases.dismiss, "officer", house.refer("n4.test").number, "nothing")
        lines = ["names,words,threat,key"]
        for _ in range(60):
            names = " ".join(chance.choice(["n{}.test", "a.n{}.test", "n{}.tree.test", "bad..{}"]).format(chance.randrange(30)) for _ in range(2))
            threat, key = chance.choice(["", "", "", "", "yes"]), chance.choice(["", "", f"k{chance.randrange(9)}"])
            lines.append(chance.choice([f"{names},w{chance.randrange(3)},{threat},{key}"] * 9 + ["one,two"]))
        row = imports.begin(fast.desk, fast["clerk"], "\n".join(lines).encode(), "many", fast.time)
        done = imports.go_on(fast.desk, row.id, fast.time)
        bad = []
        for number, line in enumerate(lines[1:], 2):
            fields = line.split(",")
            try:
                with slow.writing() as session:
                    if len(fields) != 4:
                        raise BadField("line", "too few")
                    given = Given(tuple(fields[0].split()), words=fields[1], threat=fields[2] == "yes")
                    key, why = fields[3] or f"{row.digest[:16]}:{number}", f"imported: many, line {number}"
                    referrals.take(session, slow.desk, slow["clerk"], given, slow.time, source="import", key=key, why=why)
            except BadField:
                bad.append(number)
        with fast.desk.store.reading() as session:
            assert [each.line for each in imports.faults(session, row.id)] == bad
        assert (done.bad, done.taken + done.joined + done.again) == (len(bad), 60 - len(bad))
        assert _all(fast) == _all(slow)
        fast.desk.close()
        slow.desk.close()


def _all(house: House) -> dict[str, Any]:
    """Everything that a referral leaves, but for what is random, and the import's own lines in the audit log."""
    with house.desk.store.reading() as session:
        assert audit.verify(session)[1] is None
        own = select(Audit).where(Audit.object.not_like("import:%")).order_by(Audit.number)
        cases = session.scalars(select(Case).order_by(Case.id)).all()
        left_out = {"id", "reference", "identity", "number", "hash", "body"}

        def shown(rows: Iterable[Any]) -> list[dict[str, Any]]:
            return [{column.name: getattr(row, column.key) for column in row.__table__.columns if column.name not in left_out} for row in rows]

        return {
            "cases": [(case.number, [(name.name, name.match) for name in case.names]) for case in cases],
            **{table.__name__: shown(session.scalars(select(table).order_by(table.id))) for table in (Case, Referral, Message)},
            **{table.__name__: shown(session.scalars(select(table).order_by(table.case_id, table.id))) for table in (Event, Clock)},
            "audit": shown(session.scalars(own)),
        }
