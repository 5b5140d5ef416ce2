"""What is read of a request's head, and what is refused; h11, slower and older, says the same of whatever both take for a request."""

from __future__ import annotations

import h11
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from landing import head
from landing.head import MAX_HEAD, BadHead, Head


def read(*lines: str | bytes) -> Head:
    found = head.read(b"".join((line.encode() if isinstance(line, str) else line) + b"\r\n" for line in (*lines, "")))
    assert found is not None
    return found


def test_what_the_answer_depends_on() -> None:
    found = read(
        "GET /a?b=c HTTP/1.1", "HOST:blocked.example:8080 ", "Accept: text/html", "Cookie: a=b", "accept:\t*/*;q=0.1", "Accept-Language: fr",
        "Sec-Fetch-Dest: Document", "Content-Length: 12",
    )  # fmt: skip
    assert found[:6] == (b"GET", b"/a?b=c", b"blocked.example:8080", "text/html,*/*;q=0.1", "fr", "document")
    assert (found.origin, found.preflight, found.keep_alive, found.old, found.body) == (False, False, True, False, 12)


@pytest.mark.parametrize(
    ("version", "connection", "stays"),
    [
        ("1.1", "", True),
        ("1.1", "Close", False),
        ("1.1", "upgrade, close", False),
        ("1.0", "", False),
        ("1.0", "Keep-Alive", True),
        ("1.7", "", True),
    ],
)
def test_whether_the_connection_stays(version: str, connection: str, stays: bool) -> None:
    found = read(f"GET / HTTP/{version}", "Host: a.example", *([f"Connection: {connection}"] if connection else []))
    assert (found.keep_alive, found.old) == (stays, version == "1.0")


def test_a_preflight_has_an_origin_and_asks_for_a_method() -> None:
    asks = "Access-Control-Request-Method: PUT"
    assert read("OPTIONS / HTTP/1.1", "Host: a.example", "Origin: null", asks).preflight
    assert not read("OPTIONS / HTTP/1.1", "Host: a.example", asks).preflight
    assert not read("GET / HTTP/1.1", "Host: a.example", "Origin: null", asks).preflight


@pytest.mark.parametrize("field", ["Transfer-Encoding: chunked", "transfer-encoding: gzip, chunked", "Expect: 100-continue"])
def test_a_body_whose_length_is_not_known_before(field: str) -> None:
    assert read("POST / HTTP/1.1", "Host: a.example", field, "Content-Length: 3").body is None


@pytest.mark.parametrize(
    ("octets", "status"),
    [
        (b"GET /\r\n\r\n", 400),
        (b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
        (b"PRI * HTTP/2.0\r\n\r\n", 505),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\nHost: a\n\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: " + b"9" * 30 + b"\r\n\r\n", 400),
        (b"\x16\x03\x01", 400),
        (b"\r\n" * 9, 400),
        (b"GET /" + b"x" * MAX_HEAD, 431),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * MAX_HEAD + b"\r\n\r\n", 431),
    ],
)
def test_what_is_refused(octets: bytes, status: int) -> None:
    with pytest.raises(BadHead) as caught:
        head.read(octets)
    assert caught.value.status == status


def test_the_longest_head_is_read() -> None:
    octets = b"GET / HTTP/1.0\r\nX: " + b"x" * (MAX_HEAD - 23) + b"\r\n\r\n"
    found = head.read(octets)
    assert found is not None
    assert found.size == len(octets) == MAX_HEAD


BLANKS = st.sampled_from(["", " ", "\t", "  "])
VALUES = st.sampled_from(["a", "close", "keep-alive", "x, y", "é", "a b", "\x01", ""])
NAMES = st.sampled_from(["Accept", "ACCEPT-LANGUAGE", "Connection", "Cookie", "Origin", "X-Host", "sec-fetch-dest"])
FIELDS = st.builds(lambda name, before, value, after: f"{name}:{before}{value}{after}\r\n", NAMES, BLANKS, VALUES, BLANKS)
LENGTHS = st.sampled_from(
    ["", "", "Content-Length: 3\r\n", "content-length:3, 3\r\n", "Transfer-Encoding: chunked\r\n", "Content-Length: 3\r\nContent-Length: 4\r\n"]
)
REQUESTS = st.builds(
    lambda method, target, version, host, fields, length: f"{method} {target} HTTP/{version}\r\n{host}{''.join(fields)}{length}\r\n".encode(
        "latin-1"
    ),
    st.sampled_from(["GET", "POST", "OPTIONS", "M-SEARCH"]),
    st.sampled_from(["/", "*", "http://a/", "/a?b=c", "/é"]),
    st.sampled_from(["1.1", "1.1", "1.1", "1.0", "1.9", "2.0"]),
    st.sampled_from(["Host: a.example\r\n", "host:\ta:80 \r\n", "Host:\r\n", ""]),
    st.lists(FIELDS, max_size=4).map("".join),
    LENGTHS,
)
ODD = st.sampled_from([b"", b"", b"\r\n", b"\n", b"\r", b" ", b"\t", b"\0", b"\x0b", b"\x7f", b":", b"\r\n ", b"Host: b\r\n", b"\xff", b"x"])


def _with(octets: bytes, odd: bytes, place: float) -> bytes:
    """A request with something put into it somewhere."""
    at = int(place * len(octets))
    return octets[:at] + odd + octets[at:]


ODD_REQUESTS = st.builds(_with, REQUESTS, ODD, st.sampled_from([0.0]) | st.floats(0, 1))


@given(REQUESTS | ODD_REQUESTS | st.binary(max_size=80))
@example(b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3, 3\r\n\r\nabc")
def test_whoever_h11_hears_we_hear_the_same(octets: bytes) -> None:
    """Both take it for the same request, or one of the differences that head.py names is in it; and no prefix of a request is refused."""
    try:
        ours = head.read(octets)
    except BadHead:
        ours = None
        refused = True
    else:
        refused = False
    theirs = _by_h11(octets)
    if ours is None:
        if refused and theirs is not None:
            named = (octets.replace(b"\r\n", b"").count(b"\n"), b"\r\n " in octets, b"\r\n\t" in octets, theirs.http_version not in {b"1.0", b"1.1"})
            assert any(named) or b"\r\n\r\n" not in octets
        return
    assert not refused
    plain = octets.lstrip(b"\r\n")[: ours.size]
    assert head.read(octets[: ours.size]) == ours
    assert [head.read(octets[:cut]) for cut in range(ours.size)] == [None] * ours.size
    if theirs is None:  # it knows one transfer coding, ASCII targets and no empty lines before a request; and HTTP/1.0's bodies
        assert ours.body is None or any(octet >= 0x80 for octet in ours.target) or not octets.startswith(plain)
        return
    values = [[value for name, value in theirs.headers if name == wanted] for wanted in (b"host", b"accept", b"accept-language", b"content-length")]
    assert (ours.method, ours.target) == (theirs.method, theirs.target)
    assert [ours.host] == (values[0] or [None])
    assert ours.accept.encode("latin-1") == b",".join(value for value in values[1] if value)
    assert ours.origin == any(name == b"origin" for name, _ in theirs.headers)
    if ours.body is not None:
        assert ours.body == int((values[3] or [b"0"])[0])


def _by_h11(octets: bytes) -> h11.Request | None:
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(octets)
    try:
        event = connection.next_event()
    except h11.RemoteProtocolError:
        return None
    return event if isinstance(event, h11.Request) else None
