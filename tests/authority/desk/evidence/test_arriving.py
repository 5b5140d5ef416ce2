"""A form with a file, taken apart while it arrives: exactly what was sent, in no temporary file, and only from our own pages."""

from __future__ import annotations

import http.client
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, PlainTextResponse
from hypothesis import given
from hypothesis import strategies as st

from authority.desk.errors import BadField, DeskError
from authority.desk.evidence import keeping
from authority.desk.evidence.arriving import MOST_TEXT, taken_apart
from authority.desk.web import upload
from authority.desk.web.who import Who
from tests.authority.desk.evidence.house import NOW, ONE, House, objects, sha256
from tests.tools import wait_for

KIND = "multipart/form-data; boundary=XyZ"
TEXTS = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\r"), max_size=40)
NAMES = st.text("abcdefgh_", min_size=1, max_size=8)


def form(fields: dict[str, str], name: str, octets: bytes, after: bytes = b"", media_type: str = "image/png") -> bytes:
    """As a browser sends it."""
    parts = [f'--XyZ\r\nContent-Disposition: form-data; name="{each}"\r\n\r\n{text}\r\n'.encode() for each, text in fields.items()]
    head = f'--XyZ\r\nContent-Disposition: form-data; name="content"; filename="{name}"\r\nContent-Type: {media_type}\r\n\r\n'.encode()
    return b"".join(parts) + head + octets + b"\r\n" + after + b"--XyZ--\r\n"


def cut(octets: bytes, places: list[int]) -> Iterator[bytes]:
    """In pieces."""
    begin = 0
    for place in sorted(each % (len(octets) + 1) for each in places):
        yield octets[begin:place]
        begin = place
    yield octets[begin:]


@given(
    fields=st.dictionaries(NAMES, TEXTS, max_size=5),
    octets=st.one_of(st.binary(max_size=300), st.sampled_from([b"\r\n--XyZ", b"\r\n--Xy", b"--XyZ--", b"\r\n\r\n--", b"\r"])),
    places=st.lists(st.integers(0, 5000), max_size=6),
)
def test_what_was_sent_is_what_is_taken_however_it_is_cut(fields: dict[str, str], octets: bytes, places: list[int]) -> None:
    if b"\r\n--XyZ" in octets or any("--XyZ" in text for text in fields.values()):
        octets, fields = octets.replace(b"\r\n--XyZ", b""), {}  # no sender takes such a boundary
    found = taken_apart(cut(form(fields, "page é.png", octets), places), KIND)
    assert (found.fields, found.name, found.media_type) == (fields, "page é.png", "image/png")
    assert b"".join(found.chunks) == octets


@given(body=st.binary(max_size=300), places=st.lists(st.integers(0, 300), max_size=4))
def test_whatever_arrives_is_a_form_or_refused(body: bytes, places: list[int]) -> None:
    for start in (b"", b"--XyZ\r\n", b'--XyZ\r\nContent-Disposition: form-data; name="a"; filename="b"\r\n\r\n'):
        try:
            found = taken_apart(cut(start + body, places), KIND)
            list(found.chunks)
        except BadField:
            continue
        assert b"XyZ--" in start + body or found.name == "", "a form has its end"


@given(end=st.integers(0, 10_000))
def test_a_form_that_breaks_off_is_no_form(end: int) -> None:
    whole = form({"why": "seen"}, "a", b"content" * 20)
    end %= whole.rindex(b"--XyZ--") + 6
    with pytest.raises(BadField, match="broke off"):
        list(taken_apart([whole[:end]], KIND).chunks)


@pytest.mark.parametrize("kind", ["", "text/plain", "multipart/form-data", "multipart/form-data; boundary=", "application/x-www-form-urlencoded"])
def test_another_kind_of_body_is_refused(kind: str) -> None:
    with pytest.raises(BadField, match="multipart/form-data"):
        taken_apart([b"a=b"], kind)


def test_a_form_has_bounds_before_its_file_and_nothing_behind_it() -> None:
    with pytest.raises(BadField, match="octets before its file"):
        taken_apart([form({"why": "x" * (MOST_TEXT + 1)}, "a", b"")], KIND)
    with pytest.raises(BadField, match="fields before its file"):
        taken_apart([form({f"f{number}": "" for number in range(50)}, "a", b"")], KIND)
    with pytest.raises(BadField):
        taken_apart([b"--XyZ\r\nContent-Disposition: " + b"x" * (MOST_TEXT + 1)], KIND)
    behind = b'--XyZ\r\nContent-Disposition: form-data; name="why"\r\n\r\nlater\r\n'
    with pytest.raises(BadField, match="comes last"):
        list(taken_apart([form({}, "a", b"x", behind)], KIND).chunks)


def test_no_more_is_read_than_is_taken() -> None:
    taken = 0

    def endless() -> Iterator[bytes]:
        nonlocal taken
        yield form({"why": "seen"}, "a", b"")[:-11]
        while True:
            taken += 1
            yield bytes(100_000)

    chunks = taken_apart(endless(), KIND).chunks
    for _ in range(50):
        next(chunks)
    assert taken <= 50


# --- over a real socket


@pytest.fixture
def page(home: House) -> Iterator[int]:
    """The port of a server with one page that takes evidence, from somebody whose token is `right`."""
    app = FastAPI()
    app.state.desk = home.desk

    @app.post("/add")
    def add(request: Request) -> PlainTextResponse:
        given = upload.form(request, Who(home.clerk, None, "right", "en"))
        kept = keeping.add(home.desk, home.clerk, ONE, given.chunks, given.fields["label"], given.media_type, "why", NOW)
        return PlainTextResponse(str(kept.id))

    app.add_exception_handler(DeskError, lambda _, error: JSONResponse(str(error), getattr(error, "status", 500)))
    with listening(app) as port:
        yield port


@contextmanager
def listening(app: FastAPI) -> Iterator[int]:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off"))
        thread = threading.Thread(target=server.run, args=([bound],))
        thread.start()
        wait_for(lambda: server.started, "the server listens")
        yield int(bound.getsockname()[1])
        server.should_exit = True
        thread.join()


def post(port: int, body: bytes | Iterator[bytes], **headers: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("POST", "/add", body, {"Content-Type": KIND, **headers})
    answer = connection.getresponse()
    said = answer.status, answer.read().decode()
    connection.close()
    return said


def test_a_film_sent_to_a_page_is_in_no_temporary_file(page: int, home: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: object, **__: object) -> None:
        raise AssertionError("the octets would lie on the disk as they are")

    for name in ("SpooledTemporaryFile", "TemporaryFile", "NamedTemporaryFile", "mkstemp"):
        monkeypatch.setattr(tempfile, name, none)
    octets = bytes(range(256)) * 40_000
    sent = form({"csrf": "right", "label": "a film"}, "film.mp4", octets, media_type="video/mp4")
    assert post(page, sent) == (200, "1")
    assert sha256(home.text(1)) == sha256(octets)
    assert home.row(1).media_type == "video/mp4"
    assert post(page, cut(sent, list(range(0, len(sent), 77_777))))[0] == 200, "chunked, too"


def test_a_form_of_another_site_is_refused_before_its_file(page: int, home: House) -> None:
    sent = form({"csrf": "wrong", "label": "x"}, "a", b"x")
    assert post(page, sent)[0] == 403
    assert post(page, form({"label": "x"}, "a", b"x"))[0] == 403
    good = form({"csrf": "right", "label": "x"}, "a", b"x")
    assert post(page, good, **{"Sec-Fetch-Site": "cross-site"})[0] == 403
    assert home.audited("evidence.add") == []


def test_a_sender_that_goes_away_leaves_nothing(page: int, home: House) -> None:
    sent = form({"csrf": "right", "label": "x"}, "a", bytes(500_000))
    folder = home.desk.directory.parent.parent
    with socket.create_connection(("127.0.0.1", page)) as away:
        head = f"POST /add HTTP/1.1\r\nHost: desk\r\nContent-Type: {KIND}\r\nContent-Length: {len(sent)}\r\n\r\n"
        away.sendall(head.encode() + sent[:300_000])
        wait_for(lambda: objects(folder), "some of it has come")
    wait_for(lambda: not objects(folder), "and is gone")
    assert home.audited("evidence.add") == []
