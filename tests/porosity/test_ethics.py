"""Whom a study may ask, and how fast."""

from __future__ import annotations

from pathlib import Path

import pytest

from porosity import ethics
from porosity.ethics import NotAllowed, Permit, keep, permits, promise
from porosity.resolvers import parse
from porosity.words import Resolver


def at(*addresses: str) -> list[Resolver]:
    return [parse(f"r{number}={address}", "tested" if not number else "control") for number, address in enumerate(addresses)]


def allow(directory: Path, text: str) -> Path:
    (directory / "allow").write_text(text)
    return directory / "allow"


def test_loopback_and_the_lab_are_asked_freely_and_as_fast_as_they_answer() -> None:
    found = permits(at("127.0.0.1", "[::1]:53", "127.3.2.1:5353", "192.0.2.53", "198.18.7.7", "[2001:db8:5::53]:53"), None, "", None)
    assert {permit.rate for permit in found.values()} == {None}
    assert {address: permit.by for address, permit in found.items()} == {
        "127.0.0.1": "loopback", "::1": "loopback", "127.3.2.1": "loopback", "192.0.2.53": "lab", "198.18.7.7": "lab", "2001:db8:5::53": "lab",
    }  # fmt: skip


# Nobody is asked at these addresses: nothing is sent in this file.
@pytest.mark.parametrize(
    "address", ["10.0.0.1", "192.168.1.1", "100.64.0.1", "169.254.1.1", "[fe80::1]:53", "[64:ff9b::a01:203]:53", "9.255.255.254", "0.0.0.0"]
)
def test_everybody_else_needs_a_list_a_contact_and_a_rate(tmp_path: Path, address: str) -> None:
    bare = address.removeprefix("[").partition("]")[0]
    with pytest.raises(NotAllowed, match=r"--allow.*--contact"):
        permits(at(address), None, "me@university.example", None)
    listed = allow(tmp_path, f"{bare} # agreed\n")
    with pytest.raises(NotAllowed, match="--contact"):
        permits(at(address), listed, "", None)
    with pytest.raises(NotAllowed, match="add a line"):
        permits(at(address), allow(tmp_path, "10.1.2.3\n"), "me@university.example", None)
    allow(tmp_path, f"{bare}\n")
    (found,) = permits(at(address), listed, "me@university.example", None).values()
    assert found == Permit(5, "list")


def test_the_narrowest_line_says_how_fast_and_an_option_only_slower(tmp_path: Path) -> None:
    listed = allow(tmp_path, "# agreed in March\n10.1.0.0/16\n10.1.2.0/24 50\n10.1.2.3 2\n")
    asked = at("10.1.9.9", "10.1.2.9", "10.1.2.3")
    assert [each.rate for each in permits(asked, listed, "https://university.example/study", None).values()] == [5, 50, 2]
    assert [each.rate for each in permits(asked, listed, "https://university.example/study", 1).values()] == [1, 1, 1]
    with pytest.raises(NotAllowed, match="may be asked 5 times a second, not 20"):
        permits(asked, listed, "https://university.example/study", 20)
    assert permits(at("127.0.0.1"), listed, "", 20) == {"127.0.0.1": Permit(20, "loopback")}


@pytest.mark.parametrize(
    "line",
    [
        "0.0.0.0/0",
        "10.0.0.0/8",
        "::/0",
        "2000::/3",
        "64:ff9b::/32",
        "64:ff9b::/104",
        "dns.example",
        "10.0.0.1 fast",
        "10.0.0.1 0",
        "10.0.0.1 5 6",
        "10.0.0.1/24",
        "10.0.0.1, 10.0.0.2",
    ],
)
def test_a_list_says_exactly_who(tmp_path: Path, line: str) -> None:
    with pytest.raises(NotAllowed, match=r"line 2.*192\.0\.2"):
        ethics.read(allow(tmp_path, f"192.0.2.1\n{line}\n"))


@pytest.mark.parametrize("contact", ["me", "me@host", "Me <me@university.example>", "http://university.example", "a b@university.example"])
def test_a_contact_is_one_that_works(tmp_path: Path, contact: str) -> None:
    with pytest.raises(NotAllowed, match="contact"):
        permits(at("10.1.2.3"), allow(tmp_path, "10.1.2.3\n"), contact, None)


def test_a_plan_says_what_was_promised_and_a_run_keeps_it(tmp_path: Path) -> None:
    listed = allow(tmp_path, "10.1.2.3 20\n")
    resolvers = at("10.1.2.3", "127.0.0.1")
    promised = promise(resolvers, listed, "me@university.example", None)
    assert promised == {
        "contact": "me@university.example", "allowed_sha256": ethics.read(listed).sha256,
        "rates": {"10.1.2.3": 20, "127.0.0.1": 0}, "content_fetched": "never",
    }  # fmt: skip
    assert keep(promised, resolvers, listed, None) == {"10.1.2.3": Permit(20, "list"), "127.0.0.1": Permit(None, "loopback")}
    assert keep(promised, resolvers, listed, 2)["10.1.2.3"].rate == 2
    faster = allow(tmp_path, "10.1.2.3 100\n")
    assert keep(promised, resolvers, faster, None)["10.1.2.3"].rate == 20, "what was promised stays"
    slower = allow(tmp_path, "10.1.2.3 3\n")
    assert keep(promised, resolvers, slower, None)["10.1.2.3"].rate == 3, "what was taken back counts at once"
    with pytest.raises(NotAllowed):
        keep(promised, resolvers, None, None)


@pytest.mark.parametrize("address", ["[::ffff:10.1.2.3]:53", "[::ffff:a01:203]:53", "tls://[::ffff:127.0.0.1]:853"])
def test_an_ipv4_address_is_not_asked_in_the_form_of_another(tmp_path: Path, address: str) -> None:
    """Else a line for all of ::/32 is one for everybody, and a server listed twice has two rates."""
    listed = allow(tmp_path, "10.1.2.3\n::/32\n")
    with pytest.raises(NotAllowed, match=r"which is 1\d+\.\d+\.\d+\.\d; write it so"):
        permits(at(address), listed, "me@university.example", None)


@pytest.mark.parametrize("address", ["224.0.0.251", "[ff02::fb]:53"])
def test_a_group_is_nobody_who_could_agree(tmp_path: Path, address: str) -> None:
    with pytest.raises(NotAllowed, match="is a group"):
        permits(at(address), allow(tmp_path, "224.0.0.251\nff02::fb\n"), "me@university.example", None)


def test_one_server_has_one_rate_however_its_address_is_written() -> None:
    found = permits(at("[2001:DB8::0:1]:53", "tls://[2001:db8::1]:853"), None, "", 7)
    assert found == {"2001:db8::1": Permit(7, "lab")}
    assert ethics.server("2001:DB8::0:1") == "2001:db8::1"


def test_a_resolver_with_two_addresses_is_one_server(tmp_path: Path) -> None:
    listed = allow(tmp_path, "10.1.2.3 20\nfd00:1::3 8\n10.9.9.9\n")
    found = permits(at("10.1.2.3,[fd00:1::3]:53", "10.9.9.9", "tls://[fd00:1::3]:853"), listed, "me@university.example", None)
    assert {address: (permit.rate, permit.server) for address, permit in found.items()} == {
        "10.1.2.3": (8, "10.1.2.3"), "fd00:1::3": (8, "10.1.2.3"), "10.9.9.9": (5, ""),
    }  # fmt: skip
