"""The desk of the orders' tests behind a real server, with everybody signed in, for tests of its pages."""

from __future__ import annotations

import re
import threading
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from sqlalchemy import event

from authority import reports
from authority.desk import error_reports
from authority.desk.people import sessions
from authority.desk.roles import Actor
from authority.desk.tables import Grant, Person
from authority.desk.web.app import create_app
from tests.authority.desk.orders.house import HOUR, NOW, House
from tests.blocklists.test_reports import made

__all__ = ["HOUR", "NOW", "Pages"]


class Pages(House):
    """A house whose desk is served."""

    def __init__(self, directory: Path, now: int = NOW, **ceremony: Any) -> None:
        super().__init__(directory, now, **ceremony)

        @event.listens_for(self.desk.store.engine, "connect")
        def _quick(connection: Any, _: Any) -> None:
            connection.execute("PRAGMA synchronous=OFF")

        self.desk.store.engine.dispose()
        self.tokens: dict[str, str] = {}
        self._clients: dict[tuple[str, str], Browser] = {}
        with self.desk.store.writing() as session:
            for actor in self.people.values():
                session.add_all(Grant(person_id=actor.person, role=role, given_at=self.now) for role in actor.roles)
            session.flush()
        for login in list(self.people):
            self.sign_in(login)
        self.server = uvicorn.Server(uvicorn.Config(create_app(self.desk), host="127.0.0.1", port=0, log_level="warning", lifespan="off"))
        self._thread = threading.Thread(target=self.server.run, daemon=True)
        self._thread.start()
        listening = threading.Event()
        while not self.server.started and self._thread.is_alive():
            listening.wait(0.01)
        self.url = f"http://127.0.0.1:{self.server.servers[0].sockets[0].getsockname()[1]}"

    def add(self, login: str, *roles: Any, name: str = "") -> None:
        """One more person, signed in."""
        with self.desk.store.writing() as session:
            person = Person(login=login, name=name or login, made_at=self.now)
            session.add(person)
            session.flush()
            session.add_all(Grant(person_id=person.id, role=role, given_at=self.now) for role in roles)
            self.people[login] = Actor(login, frozenset(roles), person.id)
        self.sign_in(login)

    def sign_in(self, login: str) -> None:
        with self.desk.store.writing() as session:
            person = session.get_one(Person, self.people[login].person)
            self.tokens[login] = sessions.start(session, person, self.now).token

    def by(self, login: str, language: str = "en") -> Browser:
        """Somebody's browser, without its eyes."""
        return self._clients.setdefault((login, language), Browser(self.url, self.tokens.get(login, ""), language))

    def close(self) -> None:
        for client in self._clients.values():
            client.http.close()
        self.server.should_exit = True
        self._thread.join(10)
        self.desk.close()


class Browser:
    """Fetches pages and posts their forms, with all that the page put into them."""

    def __init__(self, url: str, token: str, language: str) -> None:
        self.http = httpx.Client(base_url=url, cookies={"desk": token}, headers={"Accept-Language": language}, timeout=30)

    def get(self, path: str, status: int = 200) -> str:
        answer = self.http.get(path)
        assert answer.status_code == status, (path, answer.status_code, plain(answer.text))
        return answer.text

    def post(self, at: str, action: str, files: Any = None, **given: Any) -> httpx.Response:
        """Fills in the form of a page `at` that posts to `action`; what it hides goes along."""
        form = form_of(self.get(at), action)
        hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', form))
        return self.http.post(action, data={**hidden, **given}, files=files)

    def do(self, at: str, action: str, files: Any = None, **given: Any) -> str:
        """Likewise, and follows to the page that it leads to."""
        answer = self.post(at, action, files, **given)
        assert answer.status_code == 303, (action, answer.status_code, plain(answer.text))
        return self.get(answer.headers["location"])


def reported(pages: House, reference: str, order: str, **fields: Any) -> None:
    """An error that a visitor reported, as it comes to the desk."""
    reports.prepare(pages.desk.places)
    reports.take(pages.desk.places, made(reference, order=order, **fields).encode(), "isp-1", pages.now)
    error_reports.take_in(pages.desk, pages.now)


def form_of(page: str, action: str) -> str:
    """The form that posts there."""
    found = re.search(rf'<form[^>]*action="{re.escape(action)}"[^>]*>.*?</form>', page, re.DOTALL)
    assert found, f"no form posts to {action}: {plain(page)}"
    return found[0]


def plain(page: str) -> str:
    """What a page says."""
    main = re.search(r"<main.*</main>", page, re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", main[0] if main else page).split())
