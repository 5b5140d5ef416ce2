"""The Host parser: a table, and the property that it refuses or keeps the name."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from blocklists.names import parse
from blocklists.ulabels import for_people
from landing.host import ADDRESS, MAX_HOST, NONE, BadHost, of_request, read

NAMES = [
    (b"blocked.example", "blocked.example"),
    (b"blocked.example:80", "blocked.example"),
    (b"blocked.example:", "blocked.example"),
    (b"blocked.example.", "blocked.example"),
    (b"Blocked.EXAMPLE:8080", "blocked.example"),
    (b" blocked.example\t", "blocked.example"),
    (b"%62locked%2Eexample", "blocked.example"),
    ("café.example".encode(), "xn--caf-dma.example"),
    (b"caf%C3%A9.example", "xn--caf-dma.example"),
    ("CAFÉ.example".encode(), "xn--caf-dma.example"),
    ("cafe\u0301.example".encode(), "xn--caf-dma.example"),
    (b"xn--caf-dma.example", "xn--caf-dma.example"),
    ("blocked\u3002example".encode(), "blocked.example"),
    (b"_dmarc.blocked.example", "_dmarc.blocked.example"),
    (b"localhost:8080", "localhost"),
    (b".".join([b"a" * 63] * 3) + b"." + b"b" * 61, ".".join(["a" * 63] * 3) + "." + "b" * 61),
]

ADDRESSES = [b"127.0.0.1", b"127.0.0.1:8080", b"[::1]", b"[::1]:8080", b"[2001:DB8::1]:", "\uff11\uff12\uff17.0.0.1".encode()]

REFUSED = [
    b"blocked.example:port",
    b"blocked.example:123456",
    b"blocked.example:65536",
    b"blocked.example:-1",
    b"blocked.example:80:80",
    b"::1",
    b"[::1",
    b"[::1]8080",
    b"[]",
    b"[blocked.example]",
    b"[::1]:x",
    b"a b.example",
    b"a..example",
    b".example",
    b"user@blocked.example",
    b"blocked.example/path",
    b"http://blocked.example",
    b"blocked.example\\046",
    b"blocked%5C.example",
    b"blocked%00.example",
    b"blocked%.example",
    b"blocked%zz.example",
    b"blocked%FF.example",
    b"blocked\xff.example",
    b"blocked%2Fpath.example",
    b"<script>.example",
    b"blocked.example, other.example",
    b"a" * 64 + b".example",
    b"a." * 127 + b"ab",
    b"a" * (MAX_HOST + 1),
    "xn--caf-dma\u202e.example".encode(),
]


@pytest.mark.parametrize(("field", "text"), NAMES)
def test_a_name_is_read(field: bytes, text: str) -> None:
    host = read(field)
    assert (host.kind, host.text, host.wire) == ("name", text, parse(text))


@pytest.mark.parametrize("field", ADDRESSES)
def test_an_address_is_no_name(field: bytes) -> None:
    assert read(field) == ADDRESS


@pytest.mark.parametrize("field", [b"", b"  ", b":80"])
def test_an_empty_host_is_none(field: bytes) -> None:
    assert read(field) == NONE


@pytest.mark.parametrize("field", REFUSED)
def test_anything_else_is_refused(field: bytes) -> None:
    with pytest.raises(BadHost):
        read(field)


@pytest.mark.parametrize(
    ("target", "field", "text"),
    [
        (b"/", b"one.example", "one.example"),
        (b"*", b"one.example", "one.example"),
        (b"http://two.example/path", b"one.example", "two.example"),
        (b"HTTP://two.example:80", b"one.example", "two.example"),
        (b"http://two.example?query", None, "two.example"),
        (b"/http://two.example/", b"one.example", "one.example"),
        (b"/", None, ""),
    ],
)
def test_an_absolute_target_overrides_the_field(target: bytes, field: bytes | None, text: str) -> None:
    assert of_request(target, field).text == text


@given(st.one_of(st.binary(max_size=300), st.text(alphabet="aZ9-_.%:[]é\\ xn", max_size=80).map(str.encode), st.text(max_size=80).map(str.encode)))
@example(b"a%2e%2e")
@example(b"%31.2.3.4")
def test_refused_or_the_texts_name_is_the_same(field: bytes) -> None:
    try:
        host = read(field)
    except BadHost:
        return
    if host.kind == "name":
        assert parse(host.text) == host.wire
        again = read(host.text.encode())
        assert again == host
        assert host.text in for_people(host.text)
    else:
        assert (host.wire, host.text) == (b"", "")
