"""JSON in its one form: what another implementation of RFC 8785 writes, and nothing else, is read."""

from __future__ import annotations

import json
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from blocklists.errors import BadDocument
from blocklists.trust import strict

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
INTEGERS = st.integers(-strict.MAX_INTEGER, strict.MAX_INTEGER)
KEYS = st.text(st.characters(max_codepoint=127))
VALUES = st.recursive(
    TEXTS | INTEGERS | st.booleans() | st.none(), lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=20
)


@given(st.dictionaries(KEYS, VALUES, max_size=5))
def test_the_form_is_rfc_8785_and_is_read_back(document: dict[str, Any]) -> None:
    data = strict.write(document)
    assert data == rfc8785.dumps(document)
    assert strict.read(data, "it", len(data)) == document


@given(st.binary(max_size=40) | st.text().map(str.encode) | VALUES.map(lambda value: json.dumps(value).encode()))
def test_bytes_are_read_exactly_or_refused(data: bytes) -> None:
    try:
        document = strict.read(data, "it", 1000)
    except BadDocument:
        return
    assert rfc8785.dumps(document) == data


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b'{"a":1.0}', "number"),
        (b'{"a":NaN}', "number"),
        (b'{"a":1e400}', "number"),
        (b'{"a":-0}', "canonical"),
        (b'{"a":9007199254740992}', "number"),
        (b'{"a":' + b"9" * 5000 + b"}", "not JSON"),
        (b'{"a":1,"a":1}', "canonical"),
        (b'{"b":1,"a":1}', "canonical"),
        (b'{"a": 1}', "canonical"),
        (b'{"a":1}\n', "canonical"),
        (b'\xef\xbb\xbf{"a":1}', "not JSON"),
        (b'{"a":"\\u0041"}', "canonical"),
        (b'{"a":"\\ud800"}', "surrogate"),
        (b'{"a":"\xff"}', "not JSON"),
        ('{"é":1}'.encode(), "keys are ASCII"),
        (b"[]", "no object"),
        (b"[" * 9000, "not JSON"),
        (b'{"a":' + b"[" * 12 + b"]" * 12 + b"}", "nested more than 12 deep"),
        (b'{"a":"' + b"x" * 9000 + b'"}', "9008 octets, more than the 9001"),
        (b"", "not JSON"),
    ],
)
def test_what_has_another_form_is_refused_in_words(data: bytes, complaint: str) -> None:
    with pytest.raises(BadDocument, match=complaint):
        strict.read(data, "it", 9001)


def test_twelve_levels_are_read() -> None:
    data = b'{"a":' + b"[" * 11 + b"]" * 11 + b"}"
    assert strict.write(strict.read(data, "it", 100)) == data
