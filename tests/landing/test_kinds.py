"""What kind of answer each request for a blocked site gets: the table in golden/kinds.yaml. Over sockets: test_kinds_live.py."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from landing.kinds import SENTENCE, Kind, kind_of, language_of, small

ROWS: list[dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "golden" / "kinds.yaml").read_text(encoding="utf-8"))
KINDS = get_args(Kind)
SMALL = [kind for kind in KINDS if kind not in {"page", "problem"}]


def kind_by_row(row: dict[str, Any]) -> str:
    return kind_of(
        row.get("method", "GET").encode(),
        row.get("path", "/").encode(),
        row.get("dest", ""),
        row.get("accept", ""),
        row.get("preflight", False),
        row.get("origin", False),
    )


@pytest.mark.parametrize("row", ROWS, ids=[row["asked"] for row in ROWS])
def test_each_row_of_the_table(row: dict[str, Any]) -> None:
    assert kind_by_row(row) == row["kind"]


def test_every_kind_is_in_the_table() -> None:
    assert {row["kind"] for row in ROWS} == set(KINDS)


@given(
    st.sampled_from([b"GET", b"HEAD", b"POST", b"OPTIONS", b"X"]),
    st.binary(max_size=40),
    st.sampled_from(["", "image", "script", "empty", "document", "x"]),
    st.text(max_size=60),
    st.booleans(),
    st.booleans(),
)
def test_any_request_has_a_kind_and_whoever_names_html_is_shown_a_page(
    method: bytes, path: bytes, dest: str, accept: str, preflight: bool, origin: bool
) -> None:
    assert kind_of(method, path, dest, accept, preflight, origin) in KINDS
    if method != b"OPTIONS" and dest in {"", "document", "x"}:
        assert kind_of(method, path, dest, "text/html," + accept, preflight, origin) in {"page", "problem"}


@pytest.mark.parametrize("kind", SMALL)
def test_small_answers_are_small_and_do_nothing(kind: Kind) -> None:
    content_type, body = small(kind)
    text = body.decode("ascii")
    assert len(body) < 1024
    if content_type == "image/svg+xml":
        drawn = {element.tag.rpartition("}")[2] for element in ET.fromstring(text).iter()}
        assert drawn == {"svg", "path"}
        assert "href" not in text
    elif kind in {"script", "style"}:
        assert text == f"/* {SENTENCE} */\n"
        assert "*/" not in SENTENCE
    elif kind == "robots":
        assert text == f"# {SENTENCE}\n"
    elif kind == "data":
        assert [json.loads(small(kind, status)[1])["status"] for status in (451, 403)] == [451, 403]
    assert bool(language_of(kind)) == (SENTENCE in text)
