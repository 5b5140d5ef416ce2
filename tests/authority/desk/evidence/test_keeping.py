"""Evidence is kept encrypted, read only by who may, and only with a line in the audit log; what is kept is bounded, and is what was given."""

from __future__ import annotations

import hashlib
import json
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from authority.desk.audit import verify as audit_verify
from authority.desk.errors import BadField, Conflict, DeskError, Forbidden, NotFound
from authority.desk.evidence import keeping
from authority.desk.evidence.keeping import OBSERVATION, Observation
from authority.desk.evidence.sealing import CHUNK, Tampered, sealed_size
from authority.desk.evidence.store import Missing, Unreachable
from authority.desk.tables import Case, Event, Evidence
from tests.authority.desk.evidence.house import DAY, MARK, NOW, ONE, OTHER, House, house, objects, sha256
from tests.tools import free_ports

LARGE = MARK * (3 * CHUNK // len(MARK))


@pytest.mark.parametrize("octets", [b"x", MARK, LARGE, bytes(CHUNK)], ids=["one octet", "a line", "three chunks", "one chunk"])
def test_what_is_kept_is_read_again(anywhere: House, octets: bytes) -> None:
    kept = anywhere.add(octets)
    opened = keeping.read(anywhere.desk, anywhere.officer, kept.id, NOW)
    assert b"".join(opened.chunks) == octets
    assert (kept.size, opened.digest) == (len(octets), sha256(octets))


def test_an_object_is_named_by_the_hash_of_what_is_stored(anywhere: House) -> None:
    kept = anywhere.add(LARGE)
    (stored,) = anywhere.desk.vault.objects.every()
    sealed = b"".join(anywhere.desk.vault.objects.read(kept.address))
    assert (stored.address, stored.size) == (kept.address, sealed_size(len(LARGE)))
    assert sha256(sealed) == kept.address
    assert MARK not in sealed


def test_the_same_content_kept_twice_is_two_objects_that_have_nothing_in_common(anywhere: House) -> None:
    one, other = anywhere.add(LARGE), anywhere.add(LARGE, OTHER)
    assert one.address != other.address
    assert one.commitment != other.commitment
    assert len(list(anywhere.desk.vault.objects.every())) == 2


def test_the_directives_commitment_is_over_the_salt_and_the_text(home: House) -> None:
    kept, second = home.add(LARGE), home.add(b"second")
    home.add(b"of another case", OTHER)
    opened = keeping.read(home.desk, home.reviewer, kept.id, NOW)
    assert f"sha256:{hashlib.sha256(bytes.fromhex(opened.salt) + LARGE).hexdigest()}" == kept.commitment
    assert kept.commitment != f"sha256:{sha256(LARGE)}"
    with home.desk.store.reading() as session:
        case = session.query(Case).filter_by(number=ONE).one()
        assert keeping.commitments(session, case) == [kept.commitment, second.commitment]


def test_what_was_shredded_is_in_no_further_directive(home: House) -> None:
    kept, second = home.add(LARGE), home.add(b"second")
    home.shredded(kept.id)
    with home.desk.store.reading() as session:
        case = session.query(Case).filter_by(number=ONE).one()
        assert keeping.commitments(session, case) == [second.commitment]


# --- thieves


def test_a_thief_of_the_database_alone_reads_nothing_and_can_check_no_guess(home: House, tmp_path: Path) -> None:
    kept = home.add(MARK)
    opened = keeping.read(home.desk, home.officer, kept.id, NOW)
    stolen = b"".join(path.read_bytes() for path in (tmp_path / "authority" / "desk").glob("desk.db*"))
    assert kept.address.encode() in stolen, "it is the whole database"
    for secret in (opened.salt, opened.digest):
        assert secret.encode() not in stolen
        assert bytes.fromhex(secret) not in stolen
    assert MARK not in stolen
    (line,) = [line for line in (tmp_path / "authority" / "desk" / "evidence.key").read_text().splitlines() if line.startswith("key ")]
    assert line.removeprefix("key ").encode() not in stolen


def test_a_thief_of_the_store_alone_reads_nothing(home: House, tmp_path: Path) -> None:
    home.add(MARK)
    home.add(LARGE)
    stolen = b"".join(path.read_bytes() for path in objects(tmp_path))
    assert len(stolen) > len(LARGE)
    assert MARK not in stolen
    assert b"key " not in stolen


def test_who_has_database_and_store_and_not_the_key_file_reads_nothing(home: House, tmp_path: Path) -> None:
    kept = home.add(MARK)
    key_file = tmp_path / "authority" / "desk" / "evidence.key"
    key_file.unlink()
    with pytest.raises(DeskError, match=r"key file .* is missing"):
        home.text(kept.id)
    home.desk.vault.keys.make()
    with pytest.raises(DeskError, match="has not the key"):
        home.text(kept.id)


def test_no_new_key_is_made_where_the_key_file_of_old_evidence_is_missing(home: House, tmp_path: Path) -> None:
    home.add(MARK)
    key_file = tmp_path / "authority" / "desk" / "evidence.key"
    key_file.rename(tmp_path / "away")
    with pytest.raises(DeskError, match="put it back"):
        home.add(MARK)
    assert not key_file.exists()
    assert len(objects(tmp_path)) == 1, "what could not be recorded is not left in the store"


# --- tampering


def test_a_changed_object_is_noticed(anywhere: House) -> None:
    kept = anywhere.add(LARGE)
    octets = bytearray(b"".join(anywhere.desk.vault.objects.read(kept.address)))
    octets[CHUNK + 500] ^= 1
    overwrite(anywhere, kept.address, bytes(octets))
    with pytest.raises(Tampered):
        anywhere.text(kept.id)


@pytest.mark.parametrize("keep", [10, 19 + CHUNK + 16])
def test_a_shortened_object_is_noticed_before_an_octet_is_given_out(anywhere: House, keep: int) -> None:
    kept = anywhere.add(LARGE)
    overwrite(anywhere, kept.address, b"".join(anywhere.desk.vault.objects.read(kept.address))[:keep])
    with pytest.raises(Tampered):
        keeping.read(anywhere.desk, anywhere.officer, kept.id, NOW)


def test_objects_exchanged_in_the_store_are_noticed(anywhere: House) -> None:
    one, other = anywhere.add(b"innocent"), anywhere.add(b"evidence")
    mine, theirs = (b"".join(anywhere.desk.vault.objects.read(each.address)) for each in (one, other))
    overwrite(anywhere, one.address, theirs)
    overwrite(anywhere, other.address, mine)
    for each in (one, other):
        with pytest.raises(Tampered):
            anywhere.text(each.id)


def test_rows_exchanged_in_the_database_are_noticed(home: House) -> None:
    one, other = home.add(b"innocent"), home.add(b"evidence", OTHER)
    taken = {name: getattr(other, name) for name in ("address", "commitment", "wrapped", "size")}
    home.change(one.id, **taken)
    with pytest.raises(Tampered):
        home.text(one.id)


@pytest.mark.parametrize(
    "change",
    [{"label": "something else"}, {"stored_at": NOW - 1}, {"stored_by": "officer"}, {"media_type": "image/png"}, {"case_id": 2}, {"size": 3}],
)
def test_what_the_database_says_of_evidence_cannot_be_rewritten(home: House, change: dict[str, object]) -> None:
    kept = home.add()
    home.change(kept.id, **change)
    with pytest.raises(Tampered):
        home.text(kept.id)


@pytest.mark.parametrize("address", ["../../../../etc/passwd", "/etc/passwd", "", "AA" * 32, "0" * 63 + "/"])
def test_an_address_that_is_none_becomes_no_path(home: House, address: str) -> None:
    for act in (home.desk.vault.objects.size, home.desk.vault.objects.remove, lambda each: list(home.desk.vault.objects.read(each))):
        with pytest.raises(Tampered):
            act(address)


def test_a_missing_object_is_said_to_be(anywhere: House) -> None:
    kept = anywhere.add()
    anywhere.desk.vault.objects.remove(kept.address)
    with pytest.raises(Missing, match=kept.address):
        anywhere.text(kept.id)


# --- bounds


def test_a_film_takes_no_more_memory_than_a_few_pieces(home: House) -> None:
    pieces = 96
    tracemalloc.start()
    try:
        kept = keeping.add(home.desk, home.clerk, ONE, (bytes(1 << 20) for _ in range(pieces)), "a film", "video/mp4", "seen", NOW)
        read = sum(len(chunk) for chunk in keeping.read(home.desk, home.officer, kept.id, NOW).chunks)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert read == kept.size == pieces << 20
    assert peak < 12 << 20


def test_a_film_goes_to_s3_and_back_in_parts(s3: str, tmp_path: Path) -> None:
    home = house(tmp_path, f"s3://evidence/{tmp_path.name}", s3)
    piece = bytes(range(256)) * 4096
    kept = keeping.add(home.desk, home.clerk, ONE, (piece for _ in range(20)), "a film", "video/mp4", "seen", NOW)
    digest = hashlib.sha256()
    for chunk in keeping.read(home.desk, home.officer, kept.id, NOW).chunks:
        digest.update(chunk)
    assert digest.hexdigest() == sha256(piece * 20)
    home.desk.close()


def test_an_upload_without_end_is_ended(home: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "MOST", 5_000_000)
    taken = 0

    def endless() -> Iterator[bytes]:
        nonlocal taken
        while taken < 20_000_000:  # without the bound this test fails, and fills no disk
            taken += 100_000
            yield bytes(100_000)

    with pytest.raises(BadField, match="more than 5000000 octets"):
        keeping.add(home.desk, home.clerk, ONE, endless(), "a film", "video/mp4", "seen", NOW)
    assert taken <= 5_200_000
    assert objects(tmp_path) == []


def test_an_upload_that_breaks_off_leaves_nothing(home: House, tmp_path: Path) -> None:
    def broken() -> Iterator[bytes]:
        yield bytes(100_000)
        raise ConnectionError("the browser went away")

    with pytest.raises(ConnectionError):
        keeping.add(home.desk, home.clerk, ONE, broken(), "a film", "video/mp4", "seen", NOW)
    assert objects(tmp_path) == []
    assert home.audited("evidence.add") == []


def test_nothing_is_no_evidence(home: House, tmp_path: Path) -> None:
    with pytest.raises(BadField, match="empty"):
        home.add(b"")
    assert objects(tmp_path) == []


@pytest.mark.parametrize("label", ["", "  ", "two\nlines", "x" * 256, "back\u202ewards", "half \ud800"])
def test_a_label_that_could_not_be_printed_on_a_line_is_refused(home: House, label: str) -> None:
    with pytest.raises(BadField, match="label"):
        home.add(label=label)


@pytest.mark.parametrize("media_type", ["", "text", "text/html; charset=x", "text/html\r\nX: y", "<b>/x", OBSERVATION, "a/" + "b" * 60])
def test_a_media_type_that_content_has_not_is_refused(home: House, media_type: str) -> None:
    with pytest.raises(BadField, match="media_type"):
        keeping.add(home.desk, home.clerk, ONE, [b"x"], "label", media_type, "why", NOW)


def test_evidence_is_given_out_as_a_file_and_never_shown(home: House) -> None:
    given = keeping.headers(home.add(b"<script>", label='a "page"\\ é/../x.html'))
    assert given["Content-Type"] == "application/octet-stream"
    assert given["X-Content-Type-Options"] == "nosniff"
    assert given["Content-Disposition"].startswith("attachment; ")
    assert given["Cache-Control"] == "no-store"
    assert "sandbox" in given["Content-Security-Policy"]
    assert given["Content-Length"] == "8"
    for value in given.values():
        assert value.isascii()
        assert value.isprintable()
    assert "/" not in given["Content-Disposition"].partition("UTF-8''")[2]


def test_a_store_that_does_not_answer_is_named_and_nothing_is_recorded(tmp_path: Path, s3: str) -> None:
    (port,) = free_ports(1)
    home = house(tmp_path, "s3://evidence/x", f"http://127.0.0.1:{port}")
    home.desk.vault.objects._system.config_kwargs = {"retries": {"max_attempts": 1}, "connect_timeout": 1}
    with pytest.raises(Unreachable, match=r"s3://evidence/x .*desk\.evidence"):
        home.add()
    home.desk.vault  # noqa: B018 - opened, for a store that is away is met when it is used
    assert home.audited("evidence.add") == []
    with home.desk.store.reading() as session:
        assert session.query(Evidence).count() == 0
    home.desk.close()


def test_a_bucket_that_is_not_there_is_named(tmp_path: Path, s3: str) -> None:
    home = house(tmp_path, "s3://nosuchbucket/x", s3)
    with pytest.raises(DeskError, match="nosuchbucket"):
        home.add()
    home.desk.close()


# --- what the category forbids


def test_a_category_may_forbid_content_and_then_an_observation_is_kept(home: House, tmp_path: Path) -> None:
    home.case(category="abuse")
    with pytest.raises(BadField, match="forbids to have content of abuse"):
        home.add()
    assert objects(tmp_path) == [], "not even encrypted"
    seen = Observation(location="https://site.example/page", seen_at=NOW, sha256=sha256(b"x"), status=200, words="Two lines\nof words")
    kept = keeping.observe(home.desk, home.clerk, ONE, seen, "seen", "reported", NOW)
    assert json.loads(home.text(kept.id)) == seen.model_dump()
    assert kept.media_type == OBSERVATION
    assert kept.retain_until == NOW + 30 * DAY


def test_content_is_refused_while_nobody_has_said_that_the_case_is_of_no_such_category(home: House) -> None:
    home.case(category="")
    with pytest.raises(BadField, match=r"no category yet.*abuse.*assess it first"):
        home.add()
    home.procedure("clocks: {assess: {begins: [refer], hours: 24}}\n")
    assert home.add().retain_until == NOW + 183 * DAY


def test_a_category_decided_while_the_octets_come_is_heeded(home: House, tmp_path: Path) -> None:
    def slow() -> Iterator[bytes]:
        yield b"first"
        home.case(category="abuse")
        yield b"second"

    with pytest.raises(BadField, match="abuse"):
        keeping.add(home.desk, home.clerk, ONE, slow(), "label", "text/html", "why", NOW)
    assert objects(tmp_path) == []


# --- people, and what is remembered


def test_who_may_do_what(home: House) -> None:
    kept = home.add()
    for actor in (home.clerk, home.auditor, home.administrator):
        with pytest.raises(Forbidden):
            home.text(kept.id, actor)
    for actor in (home.officer, home.reviewer):
        assert home.text(kept.id, actor)
    for actor in (home.reviewer, home.auditor, home.administrator):
        with pytest.raises(Forbidden):
            keeping.add(home.desk, actor, ONE, [b"x"], "label", "text/html", "why", NOW)
    for actor in (home.clerk, home.auditor, home.administrator):
        with pytest.raises(Forbidden):
            keeping.hold(home.desk, actor, kept.id, "why", NOW)
        with pytest.raises(Forbidden):
            keeping.extend(home.desk, actor, kept.id, NOW + 1000 * DAY, "why", NOW)
    with home.desk.store.reading() as session:
        assert [row.id for row in keeping.of_case(session, home.auditor, ONE)] == [kept.id]
        assert keeping.of_case(session, home.clerk, OTHER) == []
        with pytest.raises(Forbidden):
            keeping.of_case(session, home.administrator, ONE)
    with pytest.raises(NotFound):
        home.text(999)
    with pytest.raises(NotFound):
        home.add(number="2027-999999")


def test_the_audit_log_says_that_it_was_read_before_the_first_octet_is_out(home: House) -> None:
    kept = home.add()
    opened = keeping.read(home.desk, home.reviewer, kept.id, NOW + 5, "for the yearly report")
    (line,) = home.audited("evidence.read")
    assert (line.who, line.object, line.at) == ("reviewer", f"evidence:{kept.id}", NOW + 5)
    assert json.loads(line.details) == {"case": ONE, "why": "for the yearly report"}
    next(opened.chunks)


def test_keeping_stands_in_the_timeline_and_in_the_audit_log_without_content(home: House) -> None:
    kept = home.add(MARK, label="a page")
    with home.desk.store.reading() as session:
        (event,) = session.query(Event)
        assert (event.step, event.who, event.why, event.details) == ("add_evidence", "clerk", "seen by us", {"evidence": kept.id})
        assert audit_verify(session)[1] is None
    (line,) = home.audited("evidence.add")
    assert json.loads(line.details)["commitment"] == kept.commitment
    assert sha256(MARK) not in line.details


def test_evidence_that_is_held_is_held_once_and_says_why(home: House) -> None:
    kept = home.add()
    keeping.hold(home.desk, home.reviewer, kept.id, "Court of Example, 12/345", NOW)
    assert home.row(kept.id).hold == "Court of Example, 12/345"
    with pytest.raises(Conflict, match="held already"):
        keeping.hold(home.desk, home.officer, kept.id, "again", NOW)
    with pytest.raises(BadField, match="why"):
        keeping.hold(home.desk, home.officer, home.add().id, "  ", NOW)
    assert len(home.audited("evidence.hold")) == 1


def test_retention_is_the_categorys_and_is_made_longer_only(home: House) -> None:
    kept = home.add()
    assert kept.retain_until == NOW + 183 * DAY
    with pytest.raises(BadField, match="later"):
        keeping.extend(home.desk, home.officer, kept.id, NOW + 100 * DAY, "why", NOW)
    keeping.extend(home.desk, home.officer, kept.id, NOW + 400 * DAY, "the inquiry goes on", NOW)
    assert home.row(kept.id).retain_until == NOW + 400 * DAY


def overwrite(home: House, address: str, octets: bytes) -> None:
    """What somebody with the store in hand does."""
    objects = home.desk.vault.objects
    if objects._folder is not None:
        path = Path(objects._path(address))
        path.chmod(0o600)
        path.write_bytes(octets)
    else:
        objects._system.pipe_file(objects._path(address), octets)
