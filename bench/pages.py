"""Every page of the desk, and every GET of its API, with addresses to ask for: those of the routes, and those that pages of lists lead to."""

from __future__ import annotations

import html
import importlib
import importlib.util
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple, Protocol
from urllib.parse import quote

from fastapi.routing import APIRoute

from authority.desk import queues
from authority.desk.desk import Desk
from authority.desk.roles import ROLES, Role
from authority.desk.web import app
from bench import cases
from bench.machine import BenchError

FEWEST = 40
"""Routes, so that a change elsewhere does not leave nothing to measure."""
MOST_LINKS = 14
"""Of each page, followed; two deep."""
NO_PAGE = re.compile(r"export|/sign-in/house|/packet$|/text$|/content$|openapi|\.css$|robots")
"""Files, of the size that is asked for; and ways through somebody else's server."""
ORDER: tuple[Role, ...] = ("officer", "reviewer", "auditor", "administrator", "clerk", "operator")
"""The first who may see a page asks for it."""
QUEUE = "/api/v1/cases"
SEARCHES = ("www.site-000100.example", "site-000100.example", "site-0001", "example", "nothing.test", "XX-2026-000100", "R00000100", "a b c")


class Client(Protocol):
    """One person's, or one program's, connection."""

    def get(self, path: str) -> tuple[int, bytes]:
        """Status and body of the answer."""
        ...


class Asked(NamedTuple):
    """One address, and who gets it."""

    route: str
    path: str
    who: str
    client: Client


def routes_of(desk: Desk) -> list[str]:
    """Paths of every page, and of everything in the API's own description, that GET asks for."""
    pages = [
        route.path
        for name in app.ROUTERS
        if importlib.util.find_spec(f"{app.__package__}.{name}") is not None
        for route in importlib.import_module(f"{app.__package__}.{name}").router.routes
        if isinstance(route, APIRoute) and "GET" in (route.methods or ())
    ]
    described = app.create_app(desk).openapi()["paths"]
    found = list(dict.fromkeys([*pages, *(path for path, methods in described.items() if "get" in methods)]))
    if len(found) < FEWEST:
        raise BenchError(f"the desk has only {len(found)} pages, and had {FEWEST}: they are no more found as bench/pages.py looks for them")
    return found


def samples_of(filled: cases.Filled) -> dict[str, list[str]]:
    """What may stand for each parameter of a path."""
    return {
        "number": filled.numbers,
        "digest": [quote(each, safe=":") for each in filled.digests],
        "index": [str(each) for each in filled.indices],
        "operator": ["op-00", "op-07", "op-19"],
        "login": ["p1", "p60"],
        "kind": ["procedure", "protected"],
        "reference": ["R00000100"],
        "form": ["csv"],
        "id": ["1"],
        "order_id": ["XX-2026-000100"],
    }


def addresses(clients: Mapping[str, Client], routes: list[str], samples: dict[str, list[str]]) -> Iterator[Asked]:
    """Each address with the first who gets it; `clients` by role, and `nobody` and `program`. Those that nobody gets are told, and left out."""
    if set(ORDER) != set(ROLES):
        raise BenchError("there is a role that nobody asks for")
    waiting = [(route, path, 0) for route in routes if not NO_PAGE.search(route) for path in _paths(route, samples)]
    waiting += [(path, f"{path}?q={quote(text)}", 2) for path in ("/search", "/api/v1/search") for text in SEARCHES if path in routes]
    waiting += [(QUEUE, f"{QUEUE}?queue={queue}", 2) for queue in queues.QUEUES if QUEUE in routes]
    seen = {path for _, path, _ in waiting}
    for route, path, depth in waiting:
        if route.endswith("search") and "?" not in path:
            continue
        for who in ("program",) if path.startswith("/api/") else (*ORDER, "nobody"):
            status, body = clients[who].get(path)
            if status == 200:
                break
        else:
            print(f"nobody gets {path} ({status}): left out")
            continue
        yield Asked(route, path, who, clients[who])
        if depth < 2:
            for link in _links(body)[:MOST_LINKS]:
                if link not in seen and any(_fits(link, known) for known in routes):
                    seen.add(link)
                    waiting.append((route, link, depth + 1))


def _paths(route: str, samples: dict[str, list[str]]) -> list[str]:
    paths = [route]
    for name in re.findall(r"{(\w+)(?::\w+)?}", route):
        values = [str(n) for n in (1, 1990)] if route.startswith(("/proposals", "/api/v1/proposals")) else samples.get(name)
        if values is None:
            raise BenchError(f"{route}: nothing stands for {name}; say in bench/pages.py, what may")
        paths = [re.sub(rf"{{{name}(:\w+)?}}", value, path) for path in paths for value in values]
    return paths


def _links(body: bytes) -> list[str]:
    """Of a page to lists: those with a question mark, in their order, each once."""
    return list(dict.fromkeys(html.unescape(each) for each in re.findall(r'href="(/[^"#]*\?[^"#]*)"', body.decode(errors="replace"))))


def _fits(link: str, route: str) -> bool:
    return not NO_PAGE.search(link) and re.fullmatch(re.sub(r"{[^}]*}", "[^/]+", route), link.partition("?")[0]) is not None
