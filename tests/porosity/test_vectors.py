"""What vectors send, read back by dnspython: golden/sent.yaml has each message; and for any name at all, no message is one that cannot be sent."""

from __future__ import annotations

import re
from pathlib import Path
from random import Random

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rdataclass
import dns.rdatatype
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from porosity import plan, vectors
from porosity.vectors import aliases, asked, drawn
from porosity.vectors.names import aliased
from porosity.words import Ask, Name, Vector, message

ROOT = Path(__file__).parents[2]
SENT: dict[str, list[str]] = yaml.safe_load((Path(__file__).parent / "golden" / "sent.yaml").read_text("utf-8"))
SPECIMEN = Name(dns.name.from_text("www.specimen.example."), "listed", "specimen.example", match="subtree")
IDN = Name(dns.name.from_text("xn--bcher-kva.example."), "listed", "xn--bcher-kva.example", match="subtree")


def read(ask: Ask) -> str:
    """An ask in a line: questions; flags but RD; EDNS but the usual; how it goes."""
    found = dns.message.from_wire(ask.wire)
    assert found.sections[1:] == [[], [], []]
    questions = [f"{each.name} {dns.rdatatype.to_text(each.rdtype)} {dns.rdataclass.to_text(each.rdclass)}" for each in found.question]
    flags = dns.flags.to_text(found.flags).split()
    words = [" & ".join(questions).replace(" IN", ""), *(flag for flag in flags if flag != "RD"), *([] if "RD" in flags else ["RD=0"])]
    if found.edns < 0:
        words.append("no-edns")
    else:
        words += [f"version={found.edns}"] if found.edns else []
        words += ["DO"] if found.ednsflags & dns.flags.DO else []
        words += [f"payload={found.payload}"] if found.payload != 1232 else []
        words += [f"option={int(option.otype)}:{option.to_wire().hex()}" for option in found.options]  # type: ignore[union-attr]
    words += [ask.transport] if ask.transport != "udp" else []
    words += ["ipv6"] if ask.ipv6 else []
    words += [f"to={ask.to}"] if ask.to != "same" else []
    return " ".join(words)


def sent(vector: Vector, name: Name) -> list[str]:
    """What it sends, the same in a row once, with the seconds that it takes at least."""
    asks = list(vector.asks(name, Random(vector.id)))
    lines = [read(ask) for ask in asks]
    found = [line for number, line in enumerate(lines) if not number or line != lines[number - 1]]
    seconds = sum(ask.after for ask in asks)
    return [*found, f"{len(asks)} in {seconds:g} s"] if seconds else found


@pytest.mark.parametrize("vector", vectors.ALL, ids=lambda vector: vector.id)
def test_what_is_sent(vector: Vector) -> None:
    """An id is never given to something else: whoever changes a row here must change the id."""
    if vector.id == "time-enforce":  # each question is for another name
        first, *others, last = sent(vector, SPECIMEN)
        assert [first, last] == SENT[vector.id]
        assert len({first, *others}) == len(others) + 1 == 59
        assert all(re.fullmatch(r"[a-z0-9]{12}\.www\.specimen\.example\. A", line) for line in (first, *others))
        return
    assert sent(vector, SPECIMEN) == SENT[vector.id]


def test_every_vector_is_whole_and_has_a_row() -> None:
    assert list(SENT) == [vector.id for vector in vectors.ALL]
    assert len(set(SENT)) == len(vectors.ALL)
    for vector in vectors.ALL:
        vectors.check(vector)
        assert re.search(r"[.!?]$", vector.sends), vector.id
        assert re.search(r"[.!?]$", vector.leak), vector.id
        assert plan.declare(vector) == plan.declare(vector)
    assert {vector.family for vector in vectors.ALL} == set(vectors.FAMILIES)


@pytest.mark.parametrize(
    ("id", "expected"),
    [
        ("spelling-u-label", "bücher.example."),
        ("spelling-a-label", "xn--bcher-kva.example."),
        ("spelling-escaped", r"xn--bcher-kva\.example."),
        ("name-apex", "xn--bcher-kva.example."),
    ],
)
def test_an_internationalised_name(id: str, expected: str) -> None:
    (ask,) = vectors.by_id(id).asks(IDN, Random(1))
    labels = dns.message.from_wire(ask.wire).question[0].name.labels
    assert ".".join(label.decode().replace(".", r"\.") for label in labels) == expected


# --- for any name

LABELS = st.one_of(
    st.from_regex(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", fullmatch=True).map(str.encode),
    st.from_regex(r"xn--[a-z0-9-]{0,20}[a-z0-9]", fullmatch=True).map(str.encode),
    st.binary(min_size=1, max_size=63).map(bytes.lower),
)


@st.composite
def named(draw: st.DrawFn) -> Name:
    labels = draw(st.lists(LABELS, min_size=1, max_size=12))
    while sum(map(len, labels)) + len(labels) + 1 > 255:
        labels.pop()
    name = dns.name.Name((*labels, b""))
    match = draw(st.sampled_from(("exact", "subtree")))
    registrable = dns.name.Name(name.labels[-3:]).to_text(omit_final_dot=True)
    return Name(name, "listed", draw(st.sampled_from((registrable, ""))), match=match)


@settings(max_examples=50)
@given(name=named(), seed=st.integers(0, 2**32))
def test_any_name_can_be_asked_for(name: Name, seed: int) -> None:
    """Every message is one that dnspython reads back, with a question, an ID of 0, and the same from the same seed."""
    for vector in vectors.ALL:
        asks = list(vector.asks(name, Random(seed)))
        assert asks == list(vector.asks(name, Random(seed)))
        assert asks
        for wire in {ask.wire for ask in asks}:
            found = dns.message.from_wire(wire)
            assert found.id == 0
            assert found.question
            assert asked.questions(wire) == [each.name for each in found.question]
    assert vectors.by_id("type-mx").asks(name, Random(seed))[0].wire == message(name.name, "MX")


@settings(max_examples=100)
@given(name=named(), seed=st.integers(0, 2**32))
def test_names_are_changed_only_as_the_vector_says(name: Name, seed: int) -> None:
    def of(id: str) -> dns.name.Name:
        (ask,) = vectors.by_id(id).asks(name, Random(seed))
        return dns.message.from_wire(ask.wire).question[0].name

    cased = of("spelling-case")
    assert (cased == name.name, cased.to_wire().lower() == name.name.to_wire().lower()) == (True, True)  # type: ignore[union-attr]
    if any(b"a" <= bytes([octet]) <= b"z" for label in name.name.labels for octet in label):
        assert cased.labels != name.name.labels, "not a letter is large"
    assert of("spelling-compressed") == name.name
    longest = of("spelling-longest")
    assert longest.is_subdomain(name.name)
    assert len(longest.to_wire() or b"") >= min(255, len(name.name.to_wire() or b"")) >= 1
    assert len(longest.to_wire() or b"") in (255, len(name.name.to_wire() or b"") if len(name.name.to_wire() or b"") == 254 else 255)
    for id in ("name-www", "name-random", "name-port"):
        assert of(id).is_subdomain(name.name)
    assert name.name.is_subdomain(of("name-parent"))


@given(octets=st.binary(max_size=300))
def test_octets_that_are_no_message_are_refused(octets: bytes) -> None:
    """Either they are read, or the documented error is raised."""
    try:
        found = asked.questions(octets)
    except dns.exception.DNSException:
        return
    assert len(found) == int.from_bytes(octets[4:6], "big")


# --- a zone of one's own, another transport


def test_zones_of_ones_own_have_the_records_that_the_vectors_ask_for() -> None:
    zone = dns.name.from_text("aliases.measure.example.")
    records = aliases.records([(SPECIMEN.name, "192.0.2.1")], zone)
    own = aliased("aliases.measure.example", "own")
    owners = {line.split()[0] for line in records}
    for vector in own:
        vectors.check(vector)
        (ask,) = vector.asks(SPECIMEN, Random(1))
        found = str(dns.message.from_wire(ask.wire).question[0].name)
        assert any(found.endswith(owner) for owner in owners)
    assert [vector.id for vector in own] == ["name-cname-own", "name-dname-own", "name-svcb-alias-own", "name-svcb-service-own"]


def test_the_same_by_another_transport() -> None:
    (moved,) = vectors.over("doh", [vectors.by_id("type-https")])
    (ask,) = moved.asks(SPECIMEN, Random(1))
    assert (moved.id, moved.needs, ask.transport) == ("doh-type-https", {"doh"}, "doh")
    assert ask.wire == vectors.by_id("type-https").asks(SPECIMEN, Random(1))[0].wire
    (sixth,) = vectors.over("tcp", [vectors.by_id("failover-secondary")], ipv6=True)
    first, second = sixth.asks(SPECIMEN, Random(1))
    assert (sixth.id, sixth.needs) == ("tcp-ipv6-failover-secondary", {"tcp", "ipv6", "secondary"})
    assert [(first.transport, first.ipv6), (second.transport, second.ipv6)] == [("tcp", True), ("udp", False)]


# --- the guide


def test_the_guide_is_the_declarations() -> None:
    written = (ROOT / "docs" / "vectors.md").read_text(encoding="utf-8")
    assert written == drawn.page(vectors.ALL), "write it again: python -m porosity.vectors.drawn > docs/vectors.md"


def example() -> str:
    """The file that the guide tells a researcher to write."""
    (found,) = re.findall(r"^```python\n(.*?)^```$", (ROOT / "docs" / "vectors.md").read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return str(found)


def test_the_guide_s_own_vectors(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(example(), encoding="utf-8")
    found = {vector.id: vector for vector in vectors.load(file)}
    assert len(found) == 3 + len([vector for vector in vectors.ALL if vector.family == "record type"])
    assert sent(found["ab-type-caa"], SPECIMEN) == ["www.specimen.example. CAA"]
    assert found["ab-type-caa"].needs == {"udp"}, "what it goes by is found out"
    (flagged,) = found["ab-flag-z"].asks(SPECIMEN, Random(1))
    assert dns.message.from_wire(flagged.wire).flags == 0x0140
    (below,) = sent(found["ab-two-below"], SPECIMEN)
    assert re.fullmatch(r"[a-z0-9]{12}\.[a-z0-9]{12}\.www\.specimen\.example\. AAAA tcp", below)
    assert sent(found["doh-type-https"], SPECIMEN) == ["www.specimen.example. HTTPS doh"]


# --- a researcher's own file

GOOD = """
from porosity.vectors.asking import asking, label
from porosity.words import Ask, Vector, message

def vector(id="ab-mine", family="record type", sends="It.", leak="That.", source="Me.", asks=asking(), **more):
    return Vector(id, family, sends, leak, source, asks, **more)

VECTORS = [vector()]
"""


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("VECTORS = []", "sets no VECTORS"),
        ("VECTORS = {'a': vector()}", "sets no VECTORS"),
        ("VECTORS = [vector(), 'type-a']", "number 2 of VECTORS is str"),
        ("VECTORS = [vector(id='Type A')]", "'Type A': an id has lower case letters"),
        ("VECTORS = [vector(), vector()]", "ab-mine is there already"),
        ("VECTORS = [vector(id='type-a')]", "type-a is there already"),
        ("VECTORS = [vector(family='type')]", "of the family 'type'; take one of: record type, "),
        ("VECTORS = [vector(kind='hint')]", "say data or signal"),
        ("VECTORS = [vector(leak=' ')]", "does not say its leak"),
        ("VECTORS = [vector(needs=frozenset({'zone', 'luck'}))]", "needs luck, which no study has"),
        ("VECTORS = [vector(asks=lambda name, random: [])]", "asks nothing for specimen.example."),
        ("VECTORS = [vector(asks=lambda name, random: [Ask(b'short')])]", "has 12 to 65535 octets"),
        ("VECTORS = [vector(asks=lambda name, random: [Ask(b'\\1' + message(name.name)[1:])])]", "its ID is 0"),
        ("VECTORS = [vector(asks=lambda name, random: [message(name.name)])]", "gives bytes; give Ask"),
        ("VECTORS = [vector(asks=lambda name, random: [Ask(message(name.name), 'https')])]", "https, same and 0 s are not all possible"),
        ("VECTORS = [vector(asks=lambda name, random: [Ask(message(name.name), after=-1)])]", "-1 s are not all possible"),
        ("VECTORS = [vector(asks=lambda name, random: [Ask(message(name.names))])]", "fails for specimen.example.: "),
        ("from random import Random\nVECTORS = [vector(asks=lambda name, random: [Ask(message(name.name.__class__((label(Random()), b''))))])]",
         "asks differently each time"),
        ("VECTORS = [vector]]", "cannot be run: SyntaxError"),
        ("import porosity.nowhere", "cannot be run: ModuleNotFoundError"),
    ],
)  # fmt: skip
def test_a_file_that_is_not_whole_is_refused_with_what_it_lacks(tmp_path: Path, written: str, said: str) -> None:
    file = tmp_path / "mine.py"
    file.write_text(GOOD, encoding="utf-8")
    assert [vector.id for vector in vectors.load(file)] == ["ab-mine"]
    file.write_text(GOOD + written, encoding="utf-8")
    with pytest.raises(vectors.BadVectors, match=re.escape(said)) as raised:
        vectors.load(file)
    assert str(file) in str(raised.value)


def test_a_file_that_is_not_there_and_a_vector_that_is_not_known(tmp_path: Path) -> None:
    with pytest.raises(vectors.BadVectors, match="cannot be read: No such file"):
        vectors.load(tmp_path / "mine.py")
    with pytest.raises(vectors.BadVectors, match=r"no vector 'type-htps'; did you mean type-https"):
        vectors.by_id("type-htps")
    with pytest.raises(vectors.BadVectors, match=r"docs/vectors\.md has them all"):
        vectors.by_id("quantum")
