"""The table of kinds over real sockets: types, bodies and header fields of each, and what no answer gives leave for."""

from __future__ import annotations

import json
from typing import Any

import pytest

from landing.headers import fields
from landing.kinds import Kind, language_of, small
from tests.landing.server import Answer, Landing
from tests.landing.test_kinds import KINDS, ROWS, SMALL


def sent(landing: Landing, row: dict[str, Any], host: str = "blocked.example", method: str = "") -> Answer:
    given = {"Accept": row.get("accept"), "Sec-Fetch-Dest": row.get("dest"), "Origin": "http://other.example" if row.get("origin") else None}
    if row.get("preflight"):
        given["Access-Control-Request-Method"] = "PUT"
    lines = "".join(f"{name}: {value}\r\n" for name, value in given.items() if value)
    return landing.ask(host, row.get("path", "/"), method or row.get("method", "GET"), lines)


CONTENT_TYPES = {"page": "text/html; charset=utf-8", "problem": "application/problem+json"}


def test_the_table_over_real_sockets(landing: Landing) -> None:
    wrong = []
    for row in ROWS:
        kind: Kind = row["kind"]
        content_type, body = (CONTENT_TYPES[kind], None) if kind in CONTENT_TYPES else small(kind)
        answer = sent(landing, row)
        if (answer.status, answer["content-type"]) != (451, content_type) or (body is not None and answer.body != body):
            wrong.append((row["asked"], answer.status, answer["content-type"]))
    assert wrong == []


def first(kind: str) -> dict[str, Any]:
    return next(row for row in ROWS if row["kind"] == kind)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_the_same_headers_and_gives_no_leave(landing: Landing, kind: Kind) -> None:
    answer = sent(landing, first(kind))
    policy = answer["content-security-policy"] if kind in CONTENT_TYPES else ""
    language = "en" if kind in CONTENT_TYPES else language_of(kind)
    expected = fields(451, answer["content-type"], language, "https://operator.example/", *[policy] * bool(policy))
    found = [(name, value) for name, value in answer.fields if name not in {"date", "content-length", "connection"}]
    assert sorted(found) == sorted((name.decode(), value.decode()) for name, value in expected)
    assert answer["link"] == '<https://operator.example/>; rel="blocked-by"'
    assert not [name for name, _ in answer.fields if name.startswith("access-control") or name in {"set-cookie", "allow", "server"}]


@pytest.mark.parametrize("kind", ["image", "script", "data", "robots", "favicon"])
def test_head_says_what_get_would(landing: Landing, kind: Kind) -> None:
    row = first(kind)
    get, head = sent(landing, row), sent(landing, row, method="HEAD")
    ignored = {"date"}
    assert head.status == get.status == 451
    assert [field for field in head.fields if field[0] not in ignored] == [field for field in get.fields if field[0] not in ignored]


def test_an_operators_own_block_is_403_in_every_kind(landing: Landing) -> None:
    for kind in SMALL:
        answer = sent(landing, first(kind), host="own.example")
        assert answer.status == 403
        assert "link" not in answer
    assert json.loads(sent(landing, first("data"), host="own.example").body)["status"] == 403


def test_a_name_that_is_not_blocked_is_told_so_in_words(landing: Landing) -> None:
    for kind in ("image", "script", "robots"):
        answer = sent(landing, first(kind), host="nothing.example")
        assert (answer.status, answer["content-type"]) == (404, "text/html; charset=utf-8")
