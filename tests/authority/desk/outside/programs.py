"""The desk of the pages' tests, spoken to by programs with tokens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx

import authority.desk.migrations.models  # noqa: F401 - all tables, before they are made
from authority.desk.people import tokens
from authority.desk.roles import Actor
from tests.authority.desk.web.pages import Pages

__all__ = ["Programs"]


class Programs(Pages):
    """A served desk whose people, and one flagger, have tokens."""

    def __init__(self, directory: Path, **ceremony: Any) -> None:
        super().__init__(directory, **ceremony)
        self.keys: dict[str, str] = {}
        with self.desk.store.writing() as session:
            for login, actor in self.people.items():
                self.keys[login] = tokens.make(session, actor, "a program", 30, self.now).token
            self.keys["flagger"] = tokens.make_for_flagger(session, Actor("administrator"), "acme", "their program", 30, self.now).token
        self._programs: dict[str, httpx.Client] = {}

    def program(self, who: str) -> httpx.Client:
        """A program with somebody's token; `nobody`: without."""
        headers = {"Authorization": f"Bearer {self.keys[who]}"} if who != "nobody" else {}
        return self._programs.setdefault(who, httpx.Client(base_url=f"{self.url}/api/v1", headers=headers, timeout=30))

    def ask(self, who: str, method: str, path: str, status: int = 200, **more: Any) -> Any:
        """One call; what it answers. An error must be a problem."""
        answer = self.program(who).request(method, path, **more)
        assert answer.status_code == status, (method, path, answer.status_code, answer.text)
        kind = answer.headers["content-type"]
        if status >= 400:
            assert kind == "application/problem+json", kind
            assert answer.json()["status"] == status
        return answer.json() if "json" in kind else answer.content

    def close(self) -> None:
        for client in self._programs.values():
            client.close()
        super().close()
