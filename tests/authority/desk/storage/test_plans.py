"""No page reads a whole table: what each asks the database for is planned by its indexes, however many cases there are.

The times at 100,000 cases are the bench's matter (`bench.desk`); this holds on any machine, and names the query that would break them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import event, select
from starlette.testclient import TestClient

from authority import reports
from authority.desk import error_reports, imports, referrals
from authority.desk.desk import Desk
from authority.desk.people.sessions import actor_of
from authority.desk.tables import Case, Grant, Person
from authority.desk.web.app import create_app
from bench import cases, pages
from tests.blocklists.test_reports import made

LARGE = (
    "desk_case", "case_name", "referral", "event", "clock", "message", "desk_order", "appeal", "recommendation", "evidence", "audit", "enforcement",
    "obligation", "error_report", "import_fault",
)  # fmt: skip
"""Tables that grow with the cases."""
WHOLE = re.compile(rf"^SCAN ({'|'.join(LARGE)})\b(?! USING INDEX)|AUTOMATIC")
OF_ALL = re.compile(r"SEARCH desk_case USING .*\(state=|SEARCH clock USING .*clock_open|SCAN (case_name|error_report)")
"""Through all open cases, all open clocks, all names or reports, to find those of one."""
COUNTS = "SELECT desk_case.state, count(*) AS count_1 \nFROM desk_case GROUP BY desk_case.state"
"""How many cases are in each state: read off an index alone, 100,000 in some milliseconds."""


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Desk, cases.Filled]]:
    desk, found = cases.fill(tmp_path_factory.mktemp("desk"), 1000, 400, "")
    yield desk, found
    desk.close()


class Browser:
    """One person's, in this process."""

    at = ""
    """What somebody asks for just now."""

    def __init__(self, client: TestClient, fields: dict[str, str]) -> None:
        self._client, self._fields = client, fields

    def get(self, path: str) -> tuple[int, bytes]:
        Browser.at = path
        answer = self._client.get(path, headers=self._fields, follow_redirects=False)
        return answer.status_code, answer.content


def test_what_is_referred_is_looked_for_by_its_names_and_not_among_all_open_cases(filled: tuple[Desk, cases.Filled]) -> None:
    """At 50,000 open cases each piece of 250 lines took three seconds, in which nobody else could write; and so did one referral of
    many names. At 100,000 open clocks each step of a case took ten milliseconds to say which of its clocks is the soonest."""
    desk, _ = filled
    asked: dict[str, Any] = {}

    def note(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> None:
        if statement.lstrip().startswith("SELECT"):
            asked.setdefault(statement, parameters)

    with desk.store.reading() as session:
        clerk = actor_of(session.scalars(select(Person).where(Person.grants.any(Grant.role == "clerk"))).first())  # type: ignore[arg-type]
        known = session.scalars(select(Case.title).where(Case.state == "received").limit(1)).one()
    fresh = "".join(f"www.new-{number}.example,\n" for number in range(imports.PIECE - 2))
    begun = imports.begin(desk, clerk, f"names,threat\n{fresh}{known},\nwww.life.example,yes\n".encode(), "a file", desk.now())
    event.listen(desk.store.engine, "before_cursor_execute", note)
    done = imports.go_on(desk, begun.id, desk.now())
    many = referrals.Given(tuple(f"www.many-{number}.example" for number in range(referrals.MOST_NAMES)))
    with desk.store.writing() as session:
        assert not referrals.take(session, desk, clerk, many, desk.now(), source="officer").joined
    reports.prepare(desk.places)
    for reference in ("7K2M-QX4R-9DHT-WE5C", "2222-QX4R-9DHT-WE5C"):
        reports.take(desk.places, made(reference, order="XX-2026-000100").encode(), "op-00", desk.now())
    assert error_reports.take_in(desk, desk.now()) == 2
    event.remove(desk.store.engine, "before_cursor_execute", note)
    assert (done.taken, done.joined, done.bad) == (imports.PIECE - 1, 1, 0)
    with desk.store.engine.connect() as connection:
        plans = {statement: connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", said).all() for statement, said in asked.items()}
    assert len(plans) > 5
    bad = [f"{row[3]}: {statement}" for statement, plan in plans.items() for row in plan if OF_ALL.search(row[3]) or WHOLE.search(row[3])]
    assert "\n".join(bad) == ""


def test_no_page_reads_a_whole_table(filled: tuple[Desk, cases.Filled]) -> None:
    desk, found = filled
    asked: dict[str, tuple[str, Any]] = {}

    def note(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> None:
        if statement.lstrip().startswith("SELECT"):
            asked.setdefault(statement, (Browser.at, parameters))

    client = TestClient(create_app(desk), base_url=desk.settings.url)
    clients: dict[str, pages.Client] = {role: Browser(client, {"Cookie": f"desk={token}"}) for role, token in found.tokens.items()}
    clients |= {"nobody": Browser(client, {}), "program": Browser(client, {"Authorization": f"Bearer {found.api}"})}
    event.listen(desk.store.engine, "before_cursor_execute", note)
    number = 0
    for each in pages.addresses(clients, pages.routes_of(desk), pages.samples_of(found)):
        assert each.path
        number += 1
    event.remove(desk.store.engine, "before_cursor_execute", note)
    assert number > 100
    assert len(asked) > 50
    bad = []
    with desk.store.engine.connect() as connection:
        for statement, (path, parameters) in asked.items():
            plan = [str(row[3]) for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)]
            # The first rows of a table in its own order are no whole table.
            first = " LIMIT " in statement and " WHERE " not in statement and not any("TEMP B-TREE" in step for step in plan)
            bad += [f"{path}: {step}: {statement}" for step in plan if WHOLE.search(step) and not first and statement != COUNTS]
    assert "\n".join(bad) == ""
