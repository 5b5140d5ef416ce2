"""What somebody tries who is on the way of a packet, sits at a wrong clock, or does two things at once."""

from __future__ import annotations

import copy
import os
import stat
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from authority import packets, shown, tokens
from authority.cli import app
from authority.drafts import draft_order, rotate
from authority.errors import AuthorityError
from authority.packets import Packet
from authority.places import Places
from authority.publisher import LONG_SECONDS
from blocklists.errors import RedHandError
from blocklists.log import entry as entries
from blocklists.log.tree import Tree
from tests.authority.cast import NOW, Cast, found, order, signed
from tests.authority.commands import redhand


@pytest.fixture(scope="module")
def cast() -> Cast:
    return Cast()


def altered(packet: Packet, **fields: Any) -> Packet:
    """A root packet whose field of ours says something else."""
    document = copy.deepcopy(packet.tuf.to_dict())
    document["signed"]["redhand"] |= fields
    return replace(packet, signed=type(packet.tuf).from_dict(document))


def test_no_name_in_a_packet_writes_lines_of_its_own(cast: Cast, tmp_path: Path) -> None:
    """What the screen says about signatures is ours alone to say."""
    here = tmp_path / "authority"
    found(cast, here)
    packet = rotate(here, "root", NOW, [cast.holder(name) for name in ("root-1", "root-2", "root-4")], 2)[0]
    forged = "A\nSignatures of root role of root version 1: 2 of 2, complete\x1b[2J\u2028\u202e"
    names = dict.fromkeys(packet.tuf.signed.keys, forged)
    text = shown.text(altered(packet, people=names))
    assert not [line for line in text.split("\n") if line.startswith("Signatures of") and "complete" in line]
    assert not set("\x1b\u2028\u202e") & set(text)
    for line in shown.signatures(altered(packet, people=names)):
        assert not set("\n\x1b\u2028\u202e") & set(line)


@pytest.mark.parametrize("origin", ["orders.authority.example/2026\x1b[2J", "a\nb", "", "\u202eelpmaxe", 7, None, "x" * 300])
def test_a_root_whose_log_cannot_be_typed_is_refused(cast: Cast, tmp_path: Path, origin: object) -> None:
    here = tmp_path / "authority"
    found(cast, here)
    packet = altered(rotate(here, "root", NOW)[0], origin=origin)
    with pytest.raises(RedHandError, match="does not name its log in plain letters"):
        packets.read(packet.encode(), "the packet")


def test_the_last_lines_say_how_much_is_signed_however_long_the_list(cast: Cast, tmp_path: Path) -> None:
    here = tmp_path / "authority"
    found(cast, here)
    names = [f"n{number}.site.test" for number in range(300)] + [".wide.test"]
    draft = tmp_path / "order.packet.json"
    draft.write_bytes(draft_order(here, order("XX-1", *names)).encode())
    key = tmp_path / "officer.pem"
    key.write_bytes(cast["north-1"].pem(b"secret"))
    said = redhand("sign", draft, "--key", key, "--yes-typed", "XX-1", passphrase="secret")
    last = said[: said.index(f"{draft}: directive packet")].rstrip().splitlines()[-1]
    assert last == "This is: block XX-1: 301 names, 1 of them with everything under it: wide.test"


def test_a_packet_is_no_more_readable_than_the_umask_lets_it_be(cast: Cast, tmp_path: Path) -> None:
    here = tmp_path / "authority"
    found(cast, here)
    key = tmp_path / "officer.pem"
    key.write_bytes(cast["north-1"].pem(b"secret"))
    draft = tmp_path / "order.packet.json"
    draft.write_bytes(draft_order(here, order()).encode())
    before = os.umask(0o077)
    try:
        redhand("sign", draft, "--key", key, "--yes-typed", "www.site.test", passphrase="secret")
    finally:
        os.umask(before)
    assert stat.S_IMODE(draft.stat().st_mode) == 0o600


def test_no_secret_is_an_argument(tmp_path: Path) -> None:
    """Arguments can be read by every process of the machine."""
    key = tmp_path / "a.pem"
    assert redhand_refuses("key", str(key), "--person", "A", "--passphrase", "secret")
    assert not key.exists()


def redhand_refuses(*arguments: str) -> bool:
    return CliRunner().invoke(app, list(arguments)).exit_code == 2


def test_a_clock_that_leaps_ahead_dates_nothing(cast: Cast, tmp_path: Path) -> None:
    """What is logged in 2036 by mistake would close the log until 2036."""
    here = tmp_path / "authority"
    publisher = found(cast, here)
    packet = signed(cast, here, order())
    before = {path: path.read_bytes() for path in here.rglob("*") if path.is_file()}
    for given in ([], [packet]):
        with pytest.raises(AuthorityError, match="say so with: redhand authority refresh"):
            publisher.publish(given, NOW + LONG_SECONDS + 1)
    assert before == {path: path.read_bytes() for path in here.rglob("*") if path.is_file()}
    assert publisher.publish([packet], NOW + 5).size == 1
    assert publisher.publish([], NOW + LONG_SECONDS + 9, sure=True).size == 1


def test_after_a_month_a_person_says_which_day_it_is(cast: Cast, tmp_path: Path) -> None:
    here = tmp_path / "authority"
    found(cast, here, int(time.time()) - LONG_SECONDS - 60)
    with pytest.raises(AuthorityError, match="nothing was signed since"):
        redhand("refresh", here)
    with pytest.raises(AuthorityError, match="and you say 2036-01-01; set the clock"):
        redhand("refresh", here, "--today", "2036-01-01")
    today = time.strftime("%Y-%m-%d", time.gmtime())
    assert "timestamp 2" in redhand("refresh", here, "--today", today)
    assert "timestamp 3" in redhand("refresh", here)


def test_two_who_give_out_tokens_at_once_both_do(tmp_path: Path) -> None:
    places = Places(tmp_path)
    given: dict[str, str] = {}

    def give(number: int) -> None:
        given[f"operator-{number}"] = tokens.issue(places, f"operator-{number}", NOW)

    threads = [threading.Thread(target=give, args=(number,)) for number in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    known = tokens.Tokens(tokens.path_of(places))
    assert {known.operator(f"Bearer {text}".encode()) for text in given.values()} == {f"operator-{number}" for number in range(8)}


def test_a_draft_waits_for_a_publication_that_would_forget_its_key(cast: Cast, tmp_path: Path) -> None:
    here = tmp_path / "authority"
    found(cast, here)
    done = threading.Event()

    def draft() -> None:
        rotate(here, "timestamp", NOW)
        done.set()

    with Places(here).locked():
        thread = threading.Thread(target=draft)
        thread.start()
        assert not done.wait(0.3)
        assert len(list((here / "online").glob("timestamp-*.pem"))) == 1, "no key is made meanwhile"
    thread.join()
    assert len(list((here / "online").glob("timestamp-*.pem"))) == 2
    assert packets.load(here / "packets" / "root.packet.json").kind == "root"


def test_one_officers_signature_counts_once_whatever_it_is_called(cast: Cast, tmp_path: Path) -> None:
    """Under other key ids, twice under its own, by a second key id of the same key: an order that needs two has one."""
    here = tmp_path / "authority"
    publisher = found(cast, here)
    one = signed(cast, here, order(), "north-1")
    ((keyid, signature),) = one.envelope.signatures
    other = cast["north-2"].key.keyid
    tries = [
        one.envelope.with_signature(other, signature),
        one.envelope.with_signature(keyid.upper(), signature),
        one.envelope.with_signature("0" * 64, signature),
    ]
    for each in tries:
        with pytest.raises(RedHandError):
            publisher.publish([packets.read(replace(one, signed=each).encode(), "the packet")], NOW)
    with pytest.raises(RedHandError):
        publisher.publish([one, one, *(replace(one, signed=each) for each in tries)], NOW)
    assert Tree(here / "public" / "log").size == 0


def test_copies_full_of_strangers_signatures_do_not_log_what_clients_would_skip(cast: Cast, tmp_path: Path) -> None:
    """Joined, they hold more signatures than an operator reads in an envelope."""
    here = tmp_path / "authority"
    publisher = found(cast, here)
    good = signed(cast, here, order())
    copies = [replace(good, signed=good.envelope.with_signature(f"{number:064x}", b"x" * 64)) for number in range(20)]
    done = publisher.publish([good, *copies], NOW)
    assert (done.size, done.orders[0].held) == (1, False)
    tree = Tree(here / "public" / "log")
    logged = entries.read(tree.entry(0)).envelope
    assert logged is not None
    assert set(logged.signatures) == set(good.envelope.signatures)
