"""What the desk really serves: paths of its pages, and of its API as its own description names them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from fastapi import FastAPI

API = "/api/v1"
FIXED = ("/style-", "/hand-", "/favicon.ico", "/robots.txt", "/api/")


def shape(method: str, path: str) -> tuple[str, str]:
    """A path whatever its places are called, and without what it is asked with."""
    return method, re.sub(r"\{\w+\}", "{}", path.partition("?")[0])


def pages(app: FastAPI) -> set[tuple[str, str]]:
    """Every page and form, by method and path."""
    return {(method, path) for method, path in _routes(app.routes) if not path.startswith(FIXED)}


def calls(app: FastAPI) -> set[tuple[str, str]]:
    """Every call that the API's description has, by method and path after /api/v1."""
    found = {(method.upper(), path.removeprefix(API)) for path, methods in app.openapi()["paths"].items() for method in methods}
    routed = {(method, path.removeprefix(API)) for method, path in _routes(app.routes) if path.startswith(f"{API}/") and "openapi" not in path}
    assert found == routed, "what the description leaves out, or only it has"
    return found


def _routes(found: Iterable[Any], before: str = "") -> Iterator[tuple[str, str]]:
    for each in found:
        if hasattr(each, "original_router"):
            router = each.original_router
            yield from _routes(router.routes, before or (API if router.prefix == API else ""))
        elif hasattr(each, "methods"):
            yield from ((method, before + each.path) for method in each.methods if method != "HEAD")
