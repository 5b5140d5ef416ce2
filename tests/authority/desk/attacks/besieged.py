"""The desk of the API's tests, with an operator's account, and a watch over every transaction that is committed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from argon2 import PasswordHasher
from sqlalchemy import Connection, event

from authority.desk.people import passwords, tokens
from authority.desk.tables import Person
from tests.authority.desk.outside.programs import Programs

__all__ = ["Besieged"]
_CHANGE = re.compile(r"\s*(?:INSERT INTO|UPDATE|DELETE FROM)\s+\"?(\w+)", re.IGNORECASE)
SILENT = frozenset({"signed_in", "counter", "anchor", "operator_record", "obligation", "enforcement", "enforcement_week", "import_fault"})
"""Tables that say nothing about a case, a person or a rule: the time of the last page, numbers, what is folded from the public log and receipts."""


class Besieged(Programs):
    """`silent`: the tables that a committed transaction changed without a line in the audit log."""

    def __init__(self, directory: Path, **ceremony: Any) -> None:
        self.silent: list[frozenset[str]] = []
        super().__init__(directory, **ceremony)
        passwords._hasher = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1)
        self.add("operator", "operator")
        with self.desk.store.writing() as session:
            session.get_one(Person, self.people["operator"].person).operator = "op-1"
            self.keys["operator"] = tokens.make(session, self.people["operator"], "a program", 30, self.now).token

        @event.listens_for(self.desk.store.engine, "before_cursor_execute")
        def _seen(connection: Connection, _: Any, statement: str, *__: Any) -> None:
            if found := _CHANGE.match(statement):
                connection.info.setdefault("changed", set()).add(found[1].lower())

        @event.listens_for(self.desk.store.engine, "commit")
        def _committed(connection: Connection) -> None:
            changed = frozenset(connection.info.pop("changed", ()))
            if changed - SILENT and "audit" not in changed:
                self.silent.append(changed)

        @event.listens_for(self.desk.store.engine, "rollback")
        def _forgotten(connection: Connection) -> None:
            connection.info.pop("changed", None)

    def add(self, login: str, *roles: Any, name: str = "") -> None:
        """As it is made for tests, by nobody."""
        super().add(login, *roles, name=name)
        self.silent = [each for each in self.silent if each != {"person", "role_grant"}]

    def case(self, *names: str, **stated: Any) -> str:
        """As it is made for tests, by nobody."""
        made = super().case(*names, **stated)
        self.silent = [each for each in self.silent if each != {"case_name", "counter", "desk_case"}]
        return made

    def csrf(self, login: str) -> str:
        """What somebody's forms carry."""
        found = re.search(r'name="csrf" value="([^"]+)"', self.by(login).get("/account"))
        assert found
        return found[1]
