"""What dig, kdig and dnspython see of a real worker over a real authoritative server, by UDP and TCP, IPv4 and IPv6."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import dns.exception
import dns.flags
import dns.message
import dns.query
import pytest

from blocklists.settings import BlocklistSettings, FileSource
from resolver.settings import Upstream
from tests.resolver.servers import (
    HOST,
    PATIENCE,
    Lists,
    Resolver,
    Scripted,
    ask,
    data,
    dig,
    domains,
    errors,
    has_ipv6,
    needs_ipv6,
    nsd,
    query,
    rcode,
    resolver,
    says,
)
from tests.tools import DEADLINE, require

LANDING, LANDING6 = "192.0.2.80", "2001:db8::80"
SAMPLE = Path(__file__).parents[2] / "blocklists" / "sample"

LARGE = "\n".join(f'large TXT "{number:02} {"x" * 240}"' for number in range(20))
MIDDLING = "\n".join(f'middling TXT "{number} {"y" * 200}"' for number in range(4))
"""More than 512 octets, less than 1,232."""
ZONE = f"""
$TTL 300
@ SOA ns nobody 1 3600 600 86400 60
@ NS ns
ns A 192.0.2.53
www A 192.0.2.1
www AAAA 2001:db8::1
many A 192.0.2.11
many A 192.0.2.12
many A 192.0.2.13
mail MX 10 www
mail MX 20 many
text TXT "one" "two"
first CNAME second
second CNAME third
third CNAME www
cut CNAME elsewhere.absent.example.
old DNAME new
host.new A 192.0.2.21
*.wild A 192.0.2.31
https HTTPS 1 . alpn=h2 ipv4hint=192.0.2.1
service SRV 1 2 853 www
to-listed CNAME deep.below.blocked.example.
to-listed-late CNAME to-listed
under-dname DNAME sub.blocked.example.
https-listed HTTPS 1 cdn.blocked.example. alpn=h2
{MIDDLING}
{LARGE}
"""


@dataclass
class House:
    """One worker over NSD, with a list of every kind."""

    worker: Resolver
    authority: int
    special: Scripted

    @property
    def port(self) -> int:
        return self.worker.port


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    directory = tmp_path_factory.mktemp("answers")
    modes = ("nxdomain", "nodata", "refused")
    sources = [FileSource(id=mode, path=f"{mode}.txt", format="domains", mode=mode) for mode in modes]
    lists = Lists(
        directory / "lists",
        BlocklistSettings(
            sources=(
                FileSource(id="own", path="own.txt", format="domains"),
                FileSource(id="hosts", path="hosts.txt", format="hosts"),
                FileSource(id="passed", path="passed.txt", format="domains", action="pass"),
                FileSource(id="sample", path=str(SAMPLE), format="directives"),
                *sources,
            )
        ),
    )
    lists.write("own.txt", "blocked.example\n")
    lists.write("hosts.txt", "0.0.0.0 exact.upstream.example\n")
    lists.write("passed.txt", "let-through.blocked.example\nblocked.redhand.example\n")
    for mode in modes:
        lists.write(f"{mode}.txt", f"{mode}.example\n")
    lists.build()
    addresses = [HOST, "127.0.0.2"] + (["::1"] if has_ipv6() else [])
    with nsd(directory / "nsd", "upstream.example.", ZONE) as authority, Scripted(says("A 192.0.2.99")) as special:
        default = Upstream(address=f"{HOST}:{authority}")
        zones = {"forwarded.test": [special], "home.arpa": [special]}
        allowed = ["127.0.0.0/29", "::1/128"]
        with resolver(directory / "worker", lists, default, zones=zones, addresses=addresses, allow=allowed) as worker:
            yield House(worker, authority, special)


PLAIN = [
    ("www", "A", {"A 192.0.2.1"}),
    ("www", "AAAA", {"AAAA 2001:db8::1"}),
    ("many", "A", {"A 192.0.2.11", "A 192.0.2.12", "A 192.0.2.13"}),
    ("mail", "MX", {"MX 10 www.upstream.example.", "MX 20 many.upstream.example."}),
    ("text", "TXT", {'TXT "one" "two"'}),
    ("first", "A", {"CNAME second.upstream.example.", "CNAME third.upstream.example.", "CNAME www.upstream.example.", "A 192.0.2.1"}),
    ("first", "CNAME", {"CNAME second.upstream.example."}),
    ("host.old", "A", {"DNAME new.upstream.example.", "CNAME host.new.upstream.example.", "A 192.0.2.21"}),
    ("any.thing.wild", "A", {"A 192.0.2.31"}),
    ("https", "HTTPS", {'HTTPS 1 . alpn="h2" ipv4hint="192.0.2.1"'}),
    ("service", "SRV", {"SRV 1 2 853 www.upstream.example."}),
]


@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
@pytest.mark.parametrize("to", [HOST, pytest.param("::1", marks=needs_ipv6)])
def test_answers_are_the_upstream_s(house: House, to: str, tcp: bool) -> None:
    for name, kind, expected in PLAIN:
        direct = ask(house.authority, f"{name}.upstream.example", kind)
        for _ in range(3):  # a miss, the answer cache, the packet cache
            answer = ask(house.port, f"{name}.upstream.example", kind, to=to, tcp=tcp)
            assert rcode(answer) == "NOERROR"
            assert set(data(answer)) == expected == set(data(direct))
            assert answer.flags & (dns.flags.AA | dns.flags.AD | dns.flags.TC) == 0
            assert answer.flags & dns.flags.RA
            assert {rrset.ttl for rrset in answer.answer} <= set(range(250, 301))


def test_dig_and_kdig_read_the_same(house: House) -> None:
    dug = dig(house.port, "first.upstream.example", "A")
    assert dug.status == "NOERROR"
    assert dug.flags == {"qr", "rd", "ra"}
    assert [line.split()[-2:] for line in dug.answers] == [
        ["CNAME", "second.upstream.example."],
        ["CNAME", "third.upstream.example."],
        ["CNAME", "www.upstream.example."],
        ["A", "192.0.2.1"],
    ]
    command = [require("kdig"), f"@{HOST}", "-p", str(house.port), "+json", "+edns", "first.upstream.example"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE, check=True)
    read = json.loads(done.stdout)["replies"][0] if "replies" in done.stdout else json.loads(done.stdout)
    assert [record["rdataA"] for record in read["answerRRs"] if "rdataA" in record] == ["192.0.2.1"]


def test_negatives_carry_the_soa_and_are_kept(house: House) -> None:
    for name, kind, code in (("absent.upstream.example", "A", "NXDOMAIN"), ("www.upstream.example", "MX", "NOERROR")):
        for _ in range(3):
            answer = house.worker.ask(name, kind)
            assert rcode(answer) == code
            assert answer.answer == []
            (soa,) = answer.authority
            assert soa.name.to_text() == "upstream.example."
            assert 50 <= soa.ttl <= 60  # RFC 2308: the lesser of the SOA's TTL (300) and its MINIMUM (60)


def test_a_chain_that_ends_early_is_given_as_far_as_it_goes(house: House) -> None:
    answer = house.worker.ask("cut.upstream.example")
    assert data(answer) == ["CNAME elsewhere.absent.example."]


def test_the_question_s_exact_case_comes_back(house: House) -> None:
    for name in ("wWw.UpStReAm.ExAmPle", "WWW.upstream.EXAMPLE", "Blocked.EXAMPLE", "aBsent.Upstream.example"):
        for tcp in (False, True):
            for _ in range(3):
                message = query(name)
                exchange = dns.query.tcp if tcp else dns.query.udp
                answer = exchange(message, HOST, PATIENCE, house.port)
                assert answer.question[0].name.to_text() == f"{name}."
    assert dig(house.port, "wWw.UpStReAm.ExAmPle").question == ["wWw.UpStReAm.ExAmPle. IN A"]


def test_any_is_answered_as_rfc_8482_says(house: House) -> None:
    dug = dig(house.port, "www.upstream.example", "ANY", "+notcp")
    assert [line.split()[-3:] for line in dug.answers] == [["HINFO", '"RFC8482"', '""']]


def test_what_needs_recursion_and_does_not_ask_for_it_is_refused(house: House) -> None:
    house.worker.ask("www.upstream.example")
    dug = dig(house.port, "www.upstream.example", "+norecurse")
    assert (dug.status, dug.answers) == ("REFUSED", [])
    blocked = dig(house.port, "blocked.example", "+norecurse")
    assert (blocked.status, blocked.answers) == ("NOERROR", [f"blocked.example. 30 IN A {LANDING}"])


@pytest.mark.parametrize(("kind", "code"), [("AXFR", "REFUSED"), ("IXFR", "REFUSED"), ("TKEY", "NOTIMP"), ("MAILB", "NOTIMP")])
def test_types_that_no_name_has_data_of(house: House, kind: str, code: str) -> None:
    assert rcode(dns.query.tcp(dns.message.make_query("www.upstream.example", kind), HOST, PATIENCE, house.port)) == code


def test_another_class_and_another_opcode(house: House) -> None:
    assert dig(house.port, "-c", "CH", "version.bind", "TXT").status == "REFUSED"
    message = query("www.upstream.example")
    message.set_opcode(dns.opcode.NOTIFY)
    assert rcode(dns.query.udp(message, HOST, PATIENCE, house.port)) == "NOTIMP"


# Sizes


def test_a_large_answer_is_cut_by_udp_and_whole_by_tcp(house: House) -> None:
    cut = house.worker.ask("large.upstream.example", "TXT")
    assert cut.flags & dns.flags.TC
    assert cut.answer == []
    assert len(data(house.worker.ask("large.upstream.example", "TXT", tcp=True))) == 20


def test_dig_asks_again_by_tcp_on_its_own(house: House) -> None:
    dug = dig(house.port, "large.upstream.example", "TXT")
    assert dug.protocol == "TCP"
    assert len(dug.answers) == 20
    assert dig(house.port, "large.upstream.example", "TXT", "+ignore").flags == {"qr", "tc", "rd", "ra"}


def test_udp_size_is_the_client_s_up_to_1232(house: House) -> None:
    assert len(dig(house.port, "middling.upstream.example", "TXT", "+bufsize=1232").answers) == 4
    assert "tc" in dig(house.port, "middling.upstream.example", "TXT", "+noedns", "+ignore").flags
    assert "tc" in dig(house.port, "middling.upstream.example", "TXT", "+bufsize=512", "+ignore").flags
    assert "tc" in dig(house.port, "middling.upstream.example", "TXT", "+bufsize=100", "+ignore").flags  # RFC 6891: less than 512 is 512
    greedy = dig(house.port, "large.upstream.example", "TXT", "+bufsize=4096", "+ignore")
    assert "tc" in greedy.flags
    assert greedy.octets <= 1232
    assert greedy.udp == 1232


def test_no_udp_answer_is_larger_than_was_asked_for(house: House) -> None:
    sizes = []
    for name, _, _ in (*PLAIN, ("large", "", set()), ("middling", "", set()), ("host.old", "", set())):
        for kind in ("A", "TXT", "HTTPS"):
            for payload in (512, 700, 1232, 4096):
                wire = dns.message.make_query(f"{name}.upstream.example", kind, use_edns=0, payload=payload).to_wire()
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
                    client.settimeout(PATIENCE)
                    client.connect((HOST, house.port))
                    client.send(wire)
                    sizes.append((len(client.recv(65535)), payload))
    assert all(size <= min(payload, 1232) for size, payload in sizes)
    assert max(size for size, _ in sizes) > 512


def test_no_opt_without_opt(house: House) -> None:
    for name in ("www.upstream.example", "blocked.example", "absent.upstream.example"):
        for _ in range(3):
            assert house.worker.ask(name, edns=False).edns == -1
            assert house.worker.ask(name).edns == 0


def test_dnssec_ok_is_echoed_and_a_later_edns_version_is_refused(house: House) -> None:
    assert house.worker.ask("www.upstream.example", want_dnssec=True).ednsflags & dns.flags.DO
    assert dig(house.port, "+edns=1", "+noednsneg", "www.upstream.example").status == "BADVERS"


# Addresses


def test_replies_come_from_the_address_that_was_asked(house: House) -> None:
    for to in (HOST, "127.0.0.2"):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:  # not connected, so that an answer from elsewhere would be seen
            client.settimeout(PATIENCE)
            client.bind((HOST, 0))
            for name in (f"from-{to.replace('.', '-')}.wild.upstream.example", "www.upstream.example", "blocked.example"):
                client.sendto(query(name).to_wire(), (to, house.port))
                assert client.recvfrom(4096)[1] == (to, house.port)
        assert dig(house.port, "www.upstream.example", to=to).status == "NOERROR"


@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
def test_a_client_that_may_not_ask_is_refused_before_any_cache(house: House, tcp: bool) -> None:
    for site, name in enumerate(("www.upstream.example", "blocked.example", "localhost", "never-asked.wild.upstream.example"), start=1):
        for _ in range(3):
            # The first fills the caches; the second is outside 127.0.0.0/29, and of a /24 of its own, as each is told so few times a second.
            for source in (HOST, f"127.0.{site}.9"):
                answer = ask(house.port, name, source=source, tcp=tcp)
                refused = source != HOST
                assert rcode(answer) == ("REFUSED" if refused else "NOERROR")
                assert (errors(answer) == {18: ""}) == refused
                assert not (refused and answer.answer)


# Blocks


@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
@pytest.mark.parametrize(
    ("name", "listed", "source", "code"),
    [
        ("blocked.example", "blocked.example", "own", 15),
        ("a.b.c.blocked.example", "blocked.example", "own", 15),
        ("exact.upstream.example", "exact.upstream.example", "hosts", 15),
        ("blocked.redhand.example", "blocked.redhand.example", "FR-2026-000123", 16),  # passed by the operator's own list, which a directive outranks
        ("www.blocked.redhand.example", "blocked.redhand.example", "FR-2026-000123", 16),
        ("exact.redhand.example", "exact.redhand.example", "FR-2026-000124", 16),
        ("to-listed.upstream.example", "blocked.example", "own", 15),
        ("to-listed-late.upstream.example", "blocked.example", "own", 15),
        ("x.under-dname.upstream.example", "blocked.example", "own", 15),
    ],
)
def test_a_redirected_name(house: House, name: str, listed: str, source: str, code: int, tcp: bool) -> None:
    for _ in range(3):
        answer = house.worker.ask(name, tcp=tcp)
        assert rcode(answer) == "NOERROR"
        assert data(answer) == [f"A {LANDING}"]
        assert answer.answer[0].ttl <= 30
        assert answer.answer[0].name == answer.question[0].name
        assert errors(answer) == {4: "", code: f"{source} {listed}"}
        assert data(house.worker.ask(name, "AAAA", tcp=tcp)) == [f"AAAA {LANDING6}"]
        for kind in ("TXT", "MX", "HTTPS", "SVCB", "SOA", "TYPE65000"):
            nothing = house.worker.ask(name, kind, tcp=tcp)
            assert (rcode(nothing), nothing.answer) == ("NOERROR", [])
            assert errors(nothing) == {code: f"{source} {listed}"}
            assert nothing.authority[0].rdtype == dns.rdatatype.SOA
            assert nothing.authority[0].ttl <= 30
    assert errors(house.worker.ask(name, edns=False)) == {}


def test_dig_prints_why(house: House) -> None:
    dug = dig(house.port, "blocked.redhand.example")
    assert dug.answers == [f"blocked.redhand.example. 30 IN A {LANDING}"]
    assert dug.errors == {4: "", 16: "FR-2026-000123 blocked.redhand.example"}


def test_a_service_target_that_is_listed_blocks_the_binding(house: House) -> None:
    answer = house.worker.ask("https-listed.upstream.example", "HTTPS")
    assert (answer.answer, errors(answer)) == ([], {15: "own blocked.example"})


@pytest.mark.parametrize(("mode", "code"), [("nxdomain", "NXDOMAIN"), ("nodata", "NOERROR"), ("refused", "REFUSED")])
def test_other_modes(house: House, mode: str, code: str) -> None:
    for kind in ("A", "AAAA", "TXT"):
        for _ in range(3):
            answer = house.worker.ask(f"www.{mode}.example", kind)
            assert (rcode(answer), answer.answer) == (code, [])
            assert errors(answer) == {15: f"{mode} {mode}.example"}
            if mode != "refused":
                assert answer.authority[0].name.to_text() == f"{mode}.example."


def test_no_flag_or_option_changes_a_verdict(house: House) -> None:
    for arguments in (["+cdflag"], ["+dnssec"], ["+norecurse"], ["+adflag"], ["+cookie"], ["+subnet=192.0.2.0/24"], ["+noedns"], ["+tcp"], ["+nsid"]):
        for name in ("blocked.example", "bLoCkEd.eXaMpLe"):
            dug = dig(house.port, name, *arguments)
            assert [line.split()[-1] for line in dug.answers] == [LANDING], arguments


def test_names_are_compared_as_labels(house: House) -> None:
    assert rcode(house.worker.ask("notblocked.example")) == "SERVFAIL"  # not blocked: asked upstream, which serves no such zone
    assert rcode(house.worker.ask("let-through.blocked.example")) == "SERVFAIL"
    assert rcode(house.worker.ask("below.exact.upstream.example")) == "NXDOMAIN"


# Special names and zones


def test_special_names_never_reach_an_upstream(tmp_path: Path) -> None:
    special = {
        "localhost": ("NOERROR", ["A 127.0.0.1"]),
        "www.localhost": ("NOERROR", ["A 127.0.0.1"]),
        **dict.fromkeys(("www.invalid", "www.test", "hidden.onion", "name.alt", "printer.local", "wiki.internal", "nas.home.arpa"), ("NXDOMAIN", [])),
        "_dns.resolver.arpa": ("NOERROR", []),
        "1.0.0.127.in-addr.arpa": ("NXDOMAIN", []),
        "4.3.2.10.in-addr.arpa": ("NXDOMAIN", []),
        "1.0.168.192.in-addr.arpa": ("NXDOMAIN", []),
        f"1.{'0.' * 31}ip6.arpa": ("NOERROR", []),
    }
    with Scripted(says("A 192.0.2.99")) as upstream, resolver(tmp_path, domains(tmp_path / "lists", "blocked.example"), upstream) as worker:
        for name, expected in special.items():
            for spelled in (name, name.upper()):
                answer = worker.ask(spelled)
                assert (rcode(answer), data(answer)) == expected
        assert data(worker.ask("8.8.8.8.in-addr.arpa")) == ["A 192.0.2.99"]
        assert {asked.name.lower() for asked in upstream.seen} == {"8.8.8.8.in-addr.arpa."}


def test_a_zone_goes_to_its_own_servers_even_if_its_name_is_special(house: House) -> None:
    for name in ("forwarded.test", "deep.www.forwarded.test", "nas.home.arpa"):
        assert data(house.worker.ask(name)) == ["A 192.0.2.99"]
    assert rcode(house.worker.ask("notforwarded.test")) == "NXDOMAIN"
    house.worker.ask("only-for-nsd.wild.upstream.example")
    assert {asked.name.lower() for asked in house.special.seen} == {"forwarded.test.", "deep.www.forwarded.test.", "nas.home.arpa."}


# Hostile bytes


@pytest.mark.parametrize(
    ("octets", "said"),
    [
        (b"", None),
        (b"\x12\x34\x01\0\0\1\0\0\0\0\0", None),
        (b"\x12\x34\x81\0\0\1\0\0\0\0\0\0\1a\0\0\1\0\1", None),
        (b"\x12\x34\x01\0\0\2\0\0\0\0\0\0\1a\0\0\1\0\1\1b\0\0\1\0\1", "FORMERR"),
        (b"\x12\x34\x01\0\0\1\0\0\0\0\0\0\xc0\x0c\0\1\0\1", "FORMERR"),
        (b"\x12\x34\x01\0\0\1\0\0\0\0\0\0\1a\0\0\1\0\1trailing", "FORMERR"),
        (b"\x12\x34\x01\0\0\1\0\0\0\0\0\0" + b"\x3f" + b"a" * 63, "FORMERR"),
    ],
    ids=["empty", "short", "an answer", "two questions", "a pointer in the question", "trailing octets", "cut off"],
)
def test_malformed_queries_get_silence_or_formerr(house: House, octets: bytes, said: str | None) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(PATIENCE)
        client.connect((HOST, house.port))
        client.send(octets)
        after = query("www.upstream.example")
        client.send(after.to_wire())  # answered next, so that silence is seen without waiting for it
        first = client.recv(4096)
        if said is None:
            assert first[:2] == after.id.to_bytes(2, "big")
        else:
            assert first[:2] == octets[:2]
            assert dns.rcode.to_text(dns.rcode.Rcode(first[3] & 15)) == said
