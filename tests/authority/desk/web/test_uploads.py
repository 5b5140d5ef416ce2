"""Files that a page takes: evidence is on no disk as it is, at no moment; a file of referrals is read on, and its faults are told by line."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from authority.desk import imports
from authority.desk.evidence import keeping
from tests.authority.desk.web.pages import Pages, form_of, plain
from tests.tools import wait_for

MARK = b"a sentence that nobody may find on a disk. "
PIECE = MARK * 25_000


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    made = Pages(tmp_path_factory.mktemp("uploads"))
    yield made
    made.close()


def files(*folders: Path) -> list[Path]:
    """All files there, and all that this process, in which the server runs, has open: one without a name too."""
    found = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    for each in Path("/proc/self/fd").iterdir():
        try:
            if each.is_file():
                found.append(each)
        except OSError:
            continue  # closed meanwhile
    return found


def stored(folder: Path) -> int:
    """Octets of all files there."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def contains(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return MARK in file.read()
    except OSError:
        return False


def test_during_an_upload_the_octets_are_in_no_file(pages: Pages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    number, clerk = pages.case("www.film.test", until="assessed"), pages.by("clerk")
    at, folder = f"/cases/{number}/evidence", pages.desk.directory.parent
    token = re.search(r'name="csrf" value="([^"]+)"', form_of(clerk.get(at), at))[1]  # type: ignore[index]
    before, looked = stored(folder), []

    def sent() -> Iterator[bytes]:
        for name, value in (("csrf", token), ("label", "A film"), ("why", "as seen")):
            yield f'--edge\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        yield b'--edge\r\nContent-Disposition: form-data; name="content"; filename="film.mp4"\r\nContent-Type: video/mp4\r\n\r\n'
        for _ in range(3):
            yield PIECE
        # The server has begun to store it: now look everywhere, and only then send the end.
        wait_for(lambda: stored(folder) > before + len(PIECE), "some of it is stored")
        looked.append([path for path in files(folder, tmp_path) if contains(path)])
        yield b"\r\n--edge--\r\n"

    answer = clerk.http.post(at, content=sent(), headers={"Content-Type": "multipart/form-data; boundary=edge"})
    assert answer.status_code == 303, plain(answer.text)
    assert looked == [[]]
    assert [path for path in files(folder, tmp_path) if contains(path)] == []
    with pages.desk.store.reading() as session:
        kept = keeping.of_case(session, pages["officer"], number)[-1]
    assert kept.size == 3 * len(PIECE)
    assert kept.media_type == "video/mp4"
    assert b"".join(keeping.read(pages.desk, pages["officer"], kept.id, pages.now, "to compare").chunks) == PIECE * 3


def test_no_route_takes_a_file_as_a_form_of_the_framework() -> None:
    web = Path(imports.__file__).parent / "web"
    assert [path.name for path in web.rglob("*.py") if re.search(r"\bUploadFile\b|\bFile\(\)", path.read_text(encoding="utf-8"))] == []


def test_what_is_missing_or_from_elsewhere_is_refused_in_words(pages: Pages) -> None:
    number, clerk = pages.case("www.refused.test", until="assessed"), pages.by("clerk")
    at = f"/cases/{number}/evidence"
    for given, said in (({"label": "x"}, "say why it is kept"), ({"why": "x", "label": "x" * 300}, "at most 255 characters")):
        answer = clerk.post(at, at, files={"content": ("a.png", b"x", "image/png")}, **given)
        assert answer.status_code == 422
        assert said in plain(answer.text)
    assert "it is empty" in clerk.post(at, at, files={"content": ("a.png", b"", "image/png")}, label="x", why="x").text
    assert clerk.http.post(at, data={"csrf": "wrong", "why": "x"}, files={"content": ("a", b"x")}).status_code == 403
    assert pages.by("auditor").http.post(at, data={"why": "x"}, files={"content": ("a", b"x")}).status_code == 403
    assert clerk.http.post("/imports", data={"csrf": "wrong"}, files={"file": ("a", b"names\n")}).status_code == 403
    assert "There is none" in plain(clerk.get(at))


def test_a_file_of_referrals_is_read_on_and_its_faults_are_told_by_line(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports, "PIECE", 60)
    clerk, bad = pages.by("clerk"), "<b>no name</b>"
    good = "".join(f"n{each}.import.test,,it calls to kill\n" for each in range(150))
    text = f"names,location,words\nwww.import.test,,words\n{bad},,x\nonly-one-field\nwww.import.test,,again\n{good}"
    page = clerk.do("/imports", "/imports", files={"file": ("hotline.csv", text.encode(), "text/csv")}, label="Hotline, 3 March")
    there = re.search(r'href="(/imports/\d+)">Look again', page)[1]  # type: ignore[index]
    number = int(there.rpartition("/")[2])
    assert "Being read" in page
    assert "0 % of" in plain(page)
    imports.go_on(pages.desk, number, pages.now, pieces=1)
    assert re.search(r"[1-9]\d % of", plain(clerk.get(there)))
    imports.go_on(pages.desk, number, pages.now)
    page = clerk.get(there)
    assert "100 % of" in plain(page)
    assert "Look again" not in page
    assert "Opened a case 151 Joined a case 1 Taken before 0 Faulty lines 2" in plain(page)
    assert re.search(r'<th scope="row" class="number">3</th>', page)
    assert "it has 1 fields, and the first line names 3" in page
    assert "&lt;b&gt;no name&lt;/b&gt;" in page
    assert bad not in page
    again = clerk.do("/imports", "/imports", files={"file": ("hotline.csv", text.encode(), "text/csv")})
    assert "This file was sent before" in again
    assert "Hotline, 3 March" in clerk.get("/imports")
    assert "la première ligne en nomme" in pages.by("clerk", "fr").get(there)


def test_what_is_no_file_of_referrals_is_refused(pages: Pages) -> None:
    clerk = pages.by("clerk")
    for octets in (b"", b"\x00\xff", b"name;address\n", b"{}"):
        answer = clerk.post("/imports", "/imports", files={"file": ("a.csv", octets)})
        assert answer.status_code == 422
        assert "Nothing was changed" in answer.text
    assert clerk.post("/imports", "/imports").status_code == 422
    for login in ("auditor", "administrator", "reviewer"):
        assert pages.by(login).http.get("/imports").status_code == 403
        assert pages.by(login).http.get("/imports/1").status_code == 403
    assert clerk.http.get("/imports/999").status_code == 404
    assert clerk.http.get("/imports/..").status_code in (303, 404, 422)


def test_a_tab_shows_the_hand(pages: Pages) -> None:
    page = pages.by("clerk").get("/cases")
    icon = re.search(r'<link rel="icon" type="image/svg\+xml" href="(/hand-[0-9a-f]{12}\.svg)">', page)[1]  # type: ignore[index]
    for path in (icon, "/favicon.ico"):
        answer = pages.by("clerk").http.get(path)
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "image/svg+xml"
        assert "<script" not in answer.text
