"""A grant, and the log of grants: what is refused, whose signatures count, and that no line can be altered, moved or taken out unseen."""

from __future__ import annotations

import ipaddress
import json
import multiprocessing
import os
import secrets
import signal
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blocklists.errors import BadDocument, ConfigurationError, StoreError
from blocklists.trust import envelope, strict
from redhand import granted
from redhand.granting import LOG
from resolver import grants
from resolver.grants import ACCESS, LONGEST_SECONDS, OWN, Grant
from tests.redhand.reviewers import KEYS, NONCE, drafted, introduced, known, record, revoke, signed

NOW = 1_795_000_000
BOTH = ("martin", "duval")


# A grant --------------------------------------------------------------------------------------------------------------------------------------------


@given(
    st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=200),
    st.lists(st.one_of(st.ip_addresses(v=4).map(str), st.ip_addresses(v=6).map(str)), min_size=1, max_size=8),
    st.integers(1, LONGEST_SECONDS),
)
def test_what_was_drafted_reads_back_or_was_refused(who: str, networks: list[str], seconds: int) -> None:
    try:
        made = grants.draft(who, "ground", networks, NOW + seconds, NOW, NONCE)
    except BadDocument:
        assert any(ipaddress.ip_address(each) in (*OWN, *_mapped(networks)) for each in networks), networks
        return
    assert grants.read(made.payload) == made
    assert grants.opened(grants.sealed(made).encode(), "it")[1] == made
    assert (made.who, made.until) == (who, NOW + seconds)


def _mapped(networks: list[str]) -> list[ipaddress.IPv6Address]:
    found = [ipaddress.ip_address(each) for each in networks]
    return [each for each in found if isinstance(each, ipaddress.IPv6Address) and each.ipv4_mapped is not None]


@pytest.mark.parametrize(
    ("network", "why"),
    [
        ("0.0.0.0/0", "wider than a /24"),
        ("192.0.0.0/16", "wider than a /24"),
        ("2001:db8::/32", "wider than a /48"),
        ("::/0", "wider than a /48"),
        ("192.0.2.1/24", "is not a network"),
        ("reviewer.example", "is not a network"),
        ("127.0.0.0/24", "our own landing page"),
        ("::1/128", "our own landing page"),
        ("::ffff:192.0.2.0/120", "IPv4 addresses in IPv6 form"),
        ("", "is not a network"),
    ],
)
def test_networks_that_are_no_persons_are_refused(network: str, why: str) -> None:
    with pytest.raises(BadDocument, match=why):
        drafted(network)


def test_a_grant_ends_and_not_too_late() -> None:
    with pytest.raises(BadDocument, match="within 366 days"):
        drafted(now=NOW, until=NOW + LONGEST_SECONDS + 1)
    with pytest.raises(BadDocument, match="must end after it begins"):
        drafted(now=NOW, until=NOW - 1)
    made = drafted(now=NOW, until=NOW + 10)
    grants.check_time(made, NOW + 9)
    with pytest.raises(BadDocument, match="ended at"):
        grants.check_time(made, NOW + 10)
    with pytest.raises(BadDocument, match="to come"):
        grants.check_time(made, NOW - 301)


def _with(**fields: Any) -> bytes:
    document = json.loads(drafted(now=NOW).payload)
    return strict.write({name: value for name, value in {**document, **fields}.items() if value is not None})


@pytest.mark.parametrize(
    "fields",
    [
        {"networks": ["192.0.2.9/32", "192.0.2.8/32"]},
        {"networks": ["192.0.2.8/32", "192.0.2.8/32"]},
        {"networks": ["192.0.2.8"]},
        {"networks": []},
        {"networks": [f"192.0.2.{number}/32" for number in range(10, 27)]},
        {"until": "2026-11-20T00:00:00+00:00"},
        {"until": "2036-11-20T00:00:00Z"},
        {"version": True},
        {"type": "directive"},
        {"who": " Reviewer"},
        {"who": "Reviewer\n\u001b[2J"},
        {"nonce": "1"},
        {"ground": None},
        {"also": "this"},
    ],
)
def test_what_is_no_grant_in_its_one_form_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(BadDocument):
        grants.read(_with(**fields))


def test_nobody_takes_a_grant_for_an_order_or_an_order_for_a_grant() -> None:
    sealed = signed(drafted(), *BOTH)
    with pytest.raises(BadDocument, match="payloadType is none"):
        envelope.read(sealed.encode())
    with pytest.raises(BadDocument):
        grants.opened(sealed._replace(kind=envelope.DIRECTIVE).encode(), "it")
    relabelled = sealed._replace(kind=ACCESS, payload=drafted("127.0.0.16/29").payload)
    assert grants.signers(relabelled, known(*BOTH)) == (), "signatures are over what stood there"


def test_two_different_people_must_sign_however_many_keys_one_has() -> None:
    made, people = drafted(), known("martin", "duval", "martin-2")
    for names in ((), ("martin",), ("martin", "martin-2"), ("martin", "stranger")):
        with pytest.raises(BadDocument, match="2 different people must sign"):
            grants.check_signed(signed(made, *names), made, people)
    assert grants.check_signed(signed(made, "duval", "martin-2", "stranger"), made, people) == ("A. Martin", "B. Duval")
    forged = grants.sealed(made)
    for name in BOTH:
        forged = forged.with_signature(KEYS[name].key.keyid, KEYS["stranger"].sign(forged.signed_bytes()))
    assert grants.signers(forged, people) == ()


def test_people_are_named_by_files_and_are_at_least_two(tmp_path: Path) -> None:
    assert granted.people(()) == {}
    assert granted.people(introduced(tmp_path, *BOTH)) == known(*BOTH)
    for names, why in ((("martin",), "only A. Martin is named"), (("martin", "martin-2"), "only A. Martin"), (("martin", "duval", "martin"), "own")):
        with pytest.raises(ConfigurationError, match=why):
            granted.people(introduced(tmp_path, *names))
    with pytest.raises(ConfigurationError, match="cannot be read"):
        granted.people([str(tmp_path / "nobody.pub.json")])


# The log --------------------------------------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log of three grants, one of them revoked, one that only one person signed."""
    state_dir = tmp_path_factory.mktemp("log")
    made = [drafted(f"192.0.2.{number}/32", now=NOW) for number in (8, 9, 10)]
    for each, names in zip(made, (BOTH, BOTH, ("martin",)), strict=True):
        record(state_dir, signed(each, *names), NOW)
    revoke(state_dir, made[1].reference)
    return state_dir


def _judged(state_dir: Path, now: int = NOW) -> list[Grant]:
    return list(granted.judge(granted.read(state_dir), known(*BOTH), now).grants)


def test_in_force_is_what_two_signed_and_nobody_revoked_until_it_ends(log: Path) -> None:
    records = granted.read(log)
    found = granted.judge(records, known(*BOTH), NOW)
    assert [grant.networks for grant in found.grants] == [("192.0.2.8/32",)]
    assert [reference for reference, why in found.refused if "A. Martin did" in why] == [records[2].reference]
    assert (found.number, len(set(found.digests))) == (4, 4)
    assert _judged(log, NOW + 86_399)
    assert not _judged(log, NOW + 86_400)
    assert not granted.judge(records, known("duval"), NOW).grants, "whoever is no longer named signs no longer"


@given(data=st.data())
def test_a_log_altered_anywhere_is_refused_or_says_what_it_said(log: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """One edit of the octets: refused; or the last line is gone, or its own words are others. Nothing is ever granted that was not."""
    octets = (log / LOG).read_bytes()
    before = granted.read(log)
    first, second = before[0].reference, before[1].reference
    at = data.draw(st.integers(0, len(octets) - 1))
    changed = octets[:at] + data.draw(st.binary(max_size=3)) + octets[at + data.draw(st.integers(0, 3)) :]
    state_dir = tmp_path_factory.mktemp("altered")
    (state_dir / LOG).parent.mkdir()
    (state_dir / LOG).write_bytes(changed)
    try:
        after = granted.read(state_dir)
    except StoreError:
        return
    assert [each.digest for each in after[:3]] == [each.digest for each in before[: len(after[:3])]]
    allowed = {first} if len(after) == 4 else {first, second}
    assert {each.reference for each in granted.judge(after, known(*BOTH), NOW).grants} <= allowed


def test_lines_moved_taken_out_or_written_twice_are_refused(log: Path, tmp_path: Path) -> None:
    first, second, third, fourth = (log / LOG).read_bytes().splitlines(keepends=True)
    (tmp_path / LOG).parent.mkdir()
    for lines in ([second, first], [second], [first, third, fourth], [first, first], [first, second, fourth]):
        (tmp_path / LOG).write_bytes(b"".join(lines))
        with pytest.raises(StoreError, match="nobody has access"):
            granted.read(tmp_path)


def test_a_line_that_was_never_whole_was_never_recorded(log: Path, tmp_path: Path) -> None:
    octets = (log / LOG).read_bytes()
    (tmp_path / LOG).parent.mkdir()
    (tmp_path / LOG).write_bytes(octets + octets.splitlines()[0][:100])
    assert granted.read(tmp_path) == granted.read(log)
    assert revoke(tmp_path, granted.read(log)[0].reference) == 5
    assert (tmp_path / LOG).read_bytes().startswith(octets)
    assert _judged(tmp_path) == []


def _record_for_ever(state_dir: Path, told: int) -> None:
    while True:
        record(state_dir, signed(drafted(nonce=secrets.token_hex(16)), *BOTH))
        os.write(told, b"x")


def test_killed_at_any_moment_the_log_is_whole(tmp_path: Path) -> None:
    ours, theirs = os.pipe()
    process = multiprocessing.get_context("fork").Process(target=_record_for_ever, args=(tmp_path, theirs))
    process.start()
    seen = 0
    while seen < 12:
        seen += len(os.read(ours, 64))
    os.kill(process.pid or 0, signal.SIGKILL)
    process.join()
    os.close(theirs)
    while rest := os.read(ours, 64):
        seen += len(rest)
    os.close(ours)
    assert len(granted.read(tmp_path)) in (seen, seen + 1)
    assert record(tmp_path, signed(drafted(), *BOTH)) in (seen + 1, seen + 2)


def test_times_are_shown_as_they_are_written() -> None:
    assert json.loads(drafted(now=NOW).payload)["drafted_at"] == datetime.fromtimestamp(NOW, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
