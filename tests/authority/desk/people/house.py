"""A desk with its first people behind a real server, and browsers without eyes."""

from __future__ import annotations

import re
import threading
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from argon2 import PasswordHasher

from authority.desk import migrations
from authority.desk.desk import Desk
from authority.desk.people import accounts, passwords, proposals, sessions
from authority.desk.people.accounts import NewPerson
from authority.desk.people.founding import setup
from authority.desk.people.proposals import Done
from authority.desk.roles import Actor, Role
from authority.desk.settings import DeskSettings
from authority.desk.tables import Person
from authority.desk.web.app import create_app

NOW = 1_790_000_000
QUICK = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1)
"""The real parameters take most of a second on a busy machine, by design; `test_passwords` holds what they are."""
REAL = passwords._hasher
PASSWORD = "seven grey herons by the weir"
FIRST: dict[str, tuple[Role, ...]] = {
    "ada": ("administrator",), "bea": ("administrator",), "cora": ("auditor",), "dan": ("clerk",), "eve": ("officer",), "fay": ("officer", "clerk"),
    "gus": ("reviewer",), "hal": ("operator",),
}  # fmt: skip


class House:
    """One desk. `now` is its time, which a test moves."""

    def __init__(self, directory: Path, people: dict[str, tuple[Role, ...]] | None = None, port: int = 0, **settings: Any) -> None:
        (directory / "authority").mkdir(parents=True, exist_ok=True)
        passwords._hasher = QUICK
        self.now = NOW
        self.directory = directory
        self._port = port
        self.settings = DeskSettings(**settings)
        self.desk = Desk(self.settings, directory, lambda: self.now)
        migrations.upgrade(self.desk.store)
        self.codes: dict[str, tuple[str, str]] = {}
        chosen = FIRST if people is None else people
        if chosen:
            new = [
                NewPerson(login, f"{login.title()} Test", roles, operator="op-1" if "operator" in roles else "") for login, roles in chosen.items()
            ]
            self.codes = setup(self.desk, new, self.now)
        self._server: uvicorn.Server | None = None
        self._browsers: list[Browser] = []

    @property
    def url(self) -> str:
        """Where the desk is served; it is from the first time that anybody asks."""
        if self._server is None:
            # As `blocklists.web` serves it: what a client says of others before it is believed by nobody but the desk.
            serving = uvicorn.Config(
                create_app(self.desk), host="127.0.0.1", port=self._port, log_level="warning", lifespan="off", proxy_headers=False
            )
            self._server = uvicorn.Server(serving)
            self._thread = threading.Thread(target=self._server.run, daemon=True)
            self._thread.start()
            waiting = threading.Event()
            while not self._server.started and self._thread.is_alive():
                waiting.wait(0.01)
        return f"http://127.0.0.1:{self._server.servers[0].sockets[0].getsockname()[1]}"

    def actor(self, login: str) -> Actor:
        """The person as the services know them now."""
        with self.desk.store.reading() as session:
            return sessions.actor_of(accounts.find(session, login))

    def know_password(self, *logins: str) -> None:
        """They have chosen PASSWORD."""
        encoded = passwords.encode(PASSWORD)
        with self.desk.store.writing() as session:
            for login in logins:
                accounts.set_password(session, accounts.find(session, login), encoded)

    def propose(self, maker: str, what: str, /, why: str = "It is needed.", **body: Any) -> Done:
        """Somebody asks."""
        actor = self.actor(maker)
        with self.desk.store.writing() as session:
            return proposals.make(session, self.desk, actor, what, body, why, self.now)

    def decide(self, login: str, number: int, confirm: bool = True, reason: str = "No.") -> Done:
        """Somebody agrees or refuses."""
        actor = self.actor(login)
        with self.desk.store.writing() as session:
            return proposals.decide(session, self.desk, actor, number, confirm, reason, self.now)

    def agreed(self, maker: str, confirmer: str, what: str, /, **body: Any) -> Done:
        """Two persons do something."""
        return self.decide(confirmer, self.propose(maker, what, **body).proposal.id)

    def person(self, login: str) -> Person:
        with self.desk.store.reading() as session:
            return accounts.find(session, login)

    def browser(self, login: str = "", **headers: str) -> Browser:
        """A new browser, of somebody who is signed in already, or of a stranger."""
        token = ""
        if login:
            with self.desk.store.writing() as session:
                token = sessions.start(session, accounts.find(session, login), self.now).token
        browser = Browser(self.url, token, headers)
        self._browsers.append(browser)
        return browser

    def close(self) -> None:
        for browser in self._browsers:
            browser.http.close()
        if self._server is not None:
            self._server.should_exit = True
            self._thread.join(10)
        self.desk.close()


def furnished(directory: Path) -> House:
    """A house with something to look at: a proposal that waits, a list in force, a flagger."""
    found = House(directory)
    found.know_password("ada", "eve")
    found.propose("ada", "grant", login="dan", role="officer", why="She has passed the course.")
    found.agreed("ada", "eve", "document", kind="protected", body="portal.example\nbank.example\n")
    found.propose("bea", "document", kind="protected", body="portal.example\nhospital.example\n", why="The hospital moved.")
    found.agreed("ada", "eve", "flagger", flagger="hotline")
    return found


class Browser:
    """Fetches pages and fills in their forms. It follows nothing by itself."""

    def __init__(self, url: str, token: str = "", headers: dict[str, str] | None = None) -> None:
        self.http = httpx.Client(
            base_url=url, headers={name.replace("_", "-"): value for name, value in (headers or {}).items()}, timeout=30, verify=False
        )
        if token:
            self.http.cookies.set("desk", token, domain="127.0.0.1", path="/")

    def get(self, path: str, status: int = 200) -> str:
        answer = self.http.get(path)
        assert answer.status_code == status, (path, answer.status_code, answer.headers.get("location"), plain(answer.text))
        return answer.text

    def post(self, at: str, action: str, **given: Any) -> httpx.Response:
        """Fills in the form of the page `at` that posts to `action`, with what the page hid in it."""
        found = [form for form in re.findall(r"<form.*?</form>", self.get(at), re.DOTALL) if f'action="{action}"' in form]
        kind = given.get("kind")
        form = next((form for form in found if kind is None or f'value="{kind}"' in form), None)
        assert form is not None, f"no form of {at} posts to {action}"
        hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', form))
        return self.http.post(action, data={**hidden, **given})

    def csrf(self) -> str:
        """What the account page's forms carry."""
        found = re.search(r'name="csrf" value="([^"]+)"', self.get("/account"))
        assert found is not None
        return found[1]

    def sign_in(self, login: str, password: str = PASSWORD, **more: str) -> httpx.Response:
        return self.http.post("/sign-in", data={"login": login, "password": password, **more})


def plain(page: str) -> str:
    """What a page says."""
    main = re.search(r"<main.*</main>", page, re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", main[0] if main else page).split())[:600]
