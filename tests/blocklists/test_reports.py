"""Reports of errors on the operator's disk: whole before they are received, bounded, never two of one form, and followed to their end."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blocklists import report, reports
from blocklists.errors import BadDocument, DiskError, StoreError
from blocklists.report import Outcome, Report
from blocklists.reports import Differs, Full, Reports, Taken, Waiting

REFERENCE = "7K2M-QX4R-9DHT-WE5C"


def made(reference: str = REFERENCE, **fields: Any) -> Report:
    whole = {"order": "XX-1", "name": "www.site.test", "words": "It is another site.", "contact": "", "language": "en", "at": 3600, **fields}
    return Report.model_validate({"type": "report", "version": 1, "reference": reference, **whole})


def outcome(number: int = 1, reference: str = REFERENCE, **fields: Any) -> Outcome:
    whole = {"decision": "lifted", "answer": "You are right.", "language": "en", "at": 9000, **fields}
    return Outcome.model_validate({"number": number, "reference": reference, **whole})


# --- the document


@given(
    st.builds(
        made,
        reference=st.builds(lambda seed: report.new_reference(random.Random(seed).randrange), st.integers()),
        words=st.text(min_size=1, max_size=200).filter(lambda text: text.strip() == text and not report.odd(text)),
        contact=st.sampled_from(["", "somebody@site.example", "ünï@cödé.example"]),
        at=st.integers(0, 1 << 32),
    )
)
def test_what_is_written_is_read_again_the_same(found: Report) -> None:
    assert report.read(found.encode()) == found
    assert report.reference_in(found.reference.lower().replace("-", "  ")) == found.reference


@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_what_is_none_is_refused_by_name(data: bytes) -> None:
    with pytest.raises(BadDocument, match="the report"):
        report.read(data)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("reference", "7K2M-QX4R-9DHT"), ("reference", "../../../etc/passwd"), ("reference", REFERENCE.lower()), ("order", "XX 1"), ("words", ""),
        ("words", "x" * 4001), ("words", "a\u202eb"), ("words", "a\x00b"), ("contact", "nobody"), ("contact", "a@b\nBcc: c@d"), ("at", -1),
        ("at", 1.5), ("language", "english"), ("address", "192.0.2.1"),
    ],
)  # fmt: skip
def test_a_field_that_cannot_be_is_refused(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=field):
        made(**{field: value})


@pytest.mark.parametrize("typed", ["", "7K2M", REFERENCE + "A", "7K2M-QX4R-9DHT-WE5O", "../../x", "7K2M-QX4R-9DHT-WE5C\0", "é" * 16, "1" * 10_000])
def test_what_is_no_reference_names_no_file(typed: str) -> None:
    assert report.reference_in(typed) is None


def test_a_list_of_outcomes_rises(tmp_path: Path) -> None:
    rising = {"type": "outcomes", "version": 1, "log": "orders.test/log", "operator": "isp-1", "after": 4}
    good = report.Outcomes.model_validate({**rising, "outcomes": [outcome(5).model_dump(), outcome(9).model_dump()]})
    assert report.read_outcomes(good.encode()) == good
    for numbers in ((4,), (6, 6), (7, 5)):
        bad = report.Outcomes.model_validate({**rising, "outcomes": [outcome(number).model_dump() for number in numbers]})
        with pytest.raises(BadDocument, match="do not rise"):
            report.read_outcomes(bad.encode())


# --- on the disk


def test_it_is_kept_once_and_followed_from_its_writing_to_its_outcome(tmp_path: Path) -> None:
    kept = Reports(tmp_path)
    assert kept.status(REFERENCE) is None
    assert kept.keep(made()) is True
    assert kept.keep(made()) is False, "the same form again"
    with pytest.raises(Differs):
        kept.keep(made(words="Something else."))
    assert isinstance(kept.status(REFERENCE), Waiting)
    assert [each.reference for each in kept.pending()] == [REFERENCE]
    assert kept.read(REFERENCE) == made()

    kept.note_taken(made(), 8000)
    assert kept.pending() == []
    found = kept.status(REFERENCE)
    assert isinstance(found, Taken)
    assert (found.at, found.outcome) == (8000, None)
    assert kept.open()
    assert kept.keep(made()) is False, "sent again after it was taken"
    with pytest.raises(Differs):
        kept.keep(made(words="Something else."))

    assert kept.note_outcome(outcome(5, answer="You are right."))
    assert kept.note_outcome(outcome(3, answer="An older one.")), "comes late, changes nothing"
    assert not kept.note_outcome(outcome(6, "2222-2222-2222-2222")), "nobody's here"
    found = kept.status(REFERENCE)
    assert isinstance(found, Taken)
    assert found.outcome is not None
    assert found.outcome.answer == "You are right."
    assert not kept.open()


def test_nothing_that_was_written_stays_once_the_authority_has_it(tmp_path: Path) -> None:
    kept = Reports(tmp_path)
    secret = made(words="My neighbour Xanthippe", contact="socrates@site.example", name="agora.test")
    kept.keep(secret)
    assert [path for path in tmp_path.rglob("*") if path.is_file() and b"Xanthippe" in path.read_bytes()]
    kept.note_taken(secret, 8000)
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or not [word for word in (b"Xanthippe", b"socrates", b"agora") if word in path.read_bytes()], path


def test_no_more_wait_than_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Reports(tmp_path)
    monkeypatch.setattr(reports, "MOST_WAITING", 2)
    kept.keep(made())
    kept.keep(made("2222-2222-2222-2222"))
    with pytest.raises(Full):
        kept.keep(made("3333-3333-3333-3333"))
    assert kept.keep(made()) is False
    monkeypatch.setattr(reports, "MOST_WAITING", 9)
    monkeypatch.setattr(reports, "MOST_OCTETS", 700)
    with pytest.raises(Full):
        kept.keep(made("3333-3333-3333-3333", words="x" * 600))
    assert len(kept.pending()) == 2


def test_the_oldest_are_forgotten_and_what_a_killed_process_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Reports(tmp_path)
    names = [f"{digit * 4}-2222-2222-2222" for digit in "2345"]
    for number, name in enumerate(names):
        kept.note_taken(made(name), 8000)
        os.utime(tmp_path / "outbox/reported" / f"{name}.json", (1_000_000 + number, 1_000_000 + number))
    kept.keep(made())
    torn = tmp_path / "outbox/reports" / f".{REFERENCE}.json.1.1.new"
    torn.write_bytes(b"{")
    os.utime(torn, (1, 1))
    kept.tidy(1_000_000 + reports.KEEP_SECONDS + 1.5)
    assert [name for name in names if kept.status(name) is None] == names[:2]
    assert not torn.exists()
    monkeypatch.setattr(reports, "MOST_FOLLOWED", 1)
    kept.tidy(1_000_010)
    assert [name for name in names if kept.status(name) is not None] == names[3:]
    assert len(kept.pending()) == 1, "what waits is never forgotten"


def test_a_file_that_is_not_what_was_written_is_named(tmp_path: Path) -> None:
    kept = Reports(tmp_path)
    kept.keep(made())
    path = tmp_path / "outbox/reports" / f"{REFERENCE}.json"
    path.chmod(0o600)
    path.write_bytes(made().encode().replace(b"another", b"others "))
    assert kept.read(REFERENCE).words == "It is others  site."
    for spoilt in (b"", b"{}", made("2222-2222-2222-2222").encode()):
        path.write_bytes(spoilt)
        with pytest.raises(StoreError, match=REFERENCE):
            kept.read(REFERENCE)


def test_a_disk_that_refuses_keeps_nothing(tmp_path: Path) -> None:
    (tmp_path / "outbox").mkdir()
    (tmp_path / "outbox/reports").write_text("a file stands here")
    kept = Reports(tmp_path)
    kept.prepare()
    with pytest.raises(DiskError, match="part of the path is a file"):
        kept.keep(made())


KILLED = """
import sys
from pathlib import Path
from blocklists import report
from blocklists.reports import Reports
from tests.blocklists.test_reports import made
kept = Reports(Path(sys.argv[1]))
print("ready", flush=True)
while True:
    found = made(report.new_reference())
    kept.keep(found)
    print("kept", found.reference, flush=True)
    if len(kept.pending()) % 3 == 0:
        kept.note_taken(found, 5)
        print("taken", found.reference, flush=True)
"""


def test_killed_at_any_instant_what_was_received_is_there_and_whole(tmp_path: Path) -> None:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    draw = random.Random(seed)
    kept, taken = set(), set()
    for _ in range(5):
        child = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        said = "".join(child.stdout.readline() for _ in range(draw.randrange(3, 6)))
        time.sleep(draw.uniform(0, 0.03))  # and somewhere in the middle of the next
        child.send_signal(signal.SIGKILL)
        for line in (said + child.stdout.read()).splitlines(keepends=True):
            what, _, reference = line.rstrip("\n").partition(" ")
            if line.endswith("\n"):
                (kept if what == "kept" else taken).add(reference)
        child.wait()
        child.stdout.close()
        found = Reports(tmp_path)
        waiting = {each.reference for each in found.pending()}
        assert kept <= waiting | {name for name in kept if isinstance(found.status(name), Taken)}
        assert all(isinstance(found.status(name), Taken) for name in taken)
        for name in waiting:
            assert found.read(name).reference == name
    assert len(kept) > 5
