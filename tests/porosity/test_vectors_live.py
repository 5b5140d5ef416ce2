"""Every vector on the wire: what NSD and a resolver that blocks nothing answer, and which show what one that blocks addresses lets through."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import yaml

from porosity import vectors
from porosity.words import Name, Resolver, Vector
from tests.porosity.test_vectors import example
from tests.porosity.world import BLOCKED, IDN, MOVED, NAMES, Tried, World, world

CONTROL: dict[str, list[str] | str] = yaml.safe_load((Path(__file__).parent / "golden" / "control.yaml").read_text("utf-8"))
SPOKEN = [vector for vector in vectors.ALL if not vector.needs & {"doq", "ipv6"}]
"""Vectors that Unbound and NSD can be asked on one address here; QUIC and IPv6 are tests of the transports' own."""
LISTED = [name for name in NAMES if name.name == BLOCKED]


@pytest.fixture(scope="module")
def around(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("vectors") / "world") as found:
        yield found


def tell(around: World, resolver: Resolver, given: Sequence[Vector], names: Sequence[Name] = LISTED) -> Iterator[Tried]:
    return around.try_all(resolver, given, names, {"secondary": around.control, "other": around.control})


def told(tried: Iterator[Tried]) -> dict[str, list[str]]:
    """RCODE and answer of each ask of a vector, the same once."""
    found: dict[str, list[str]] = {}
    for each in tried:
        said = found.setdefault(each.vector.id, [])
        line = each.summary.partition(" |")[0].partition(" EDE")[0]
        if line not in said:
            said.append(line)
    return found


def test_every_vector_is_answered_by_who_blocks_nothing(around: World) -> None:
    said = told(tell(around, around.control, SPOKEN))
    assert said == {key: given if isinstance(given, list) else said[key] for key, given in CONTROL.items()}
    assert "NOERROR" in said["type-any"][0].split()[:1]
    assert set(" ".join(said["type-any"]).split()) & {"A", "AAAA", "RRSIG", "SOA", "HINFO"}


def test_who_has_the_zones_says_the_same(around: World) -> None:
    differ = {"type-any", "dnssec-rrsig", "flag-no-rd"}
    given = [vector for vector in SPOKEN if vector.id not in differ and not vector.needs & {"dot", "doh"}]
    assert told(tell(around, around.authority, given)) == {vector.id: CONTROL[vector.id] for vector in given}


def test_an_internationalised_name_and_an_alias_are_answered(around: World) -> None:
    type_a, cased, cname = (vectors.by_id(id) for id in ("type-a", "spelling-case", "type-cname"))
    idn, moved = ([name for name in NAMES if name.name == each] for each in (IDN, MOVED))
    assert {each.summary for each in tell(around, around.control, [type_a, cased], idn)} == {"NOERROR A 198.51.100.2"}
    assert [each.summary for each in tell(around, around.control, [cname], moved)] == ["NOERROR CNAME target.elsewhere.example."]


def test_the_vectors_show_what_a_block_of_addresses_lets_through(around: World) -> None:
    """Unbound blocks the A record at the listed name, and no other: these vectors find the target's data, all others do not."""
    found = {each.vector.id for each in tell(around, around.leaky, SPOKEN) if each.ask.to == "same" and each.target}
    types = {f"type-{type}" for type in ("aaaa", "https", "svcb", "mx", "ns", "txt", "soa", "srv", "ptr")}
    below = {"name-www", "name-random", "name-port", "spelling-longest", "time-enforce"}
    aliases = {"name-cname", "name-dname", "name-svcb-service"}
    assert found - {"type-any", "class-any", "dnssec-nsec"} == types | below | aliases
    (alias,) = tell(around, around.leaky, [vectors.by_id("name-svcb-alias")])
    assert alias.summary == "NOERROR HTTPS 0 blocked.example.", "it has nothing of the target's but the way there"


def test_the_guide_s_own_vectors_are_answered(around: World, tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(example(), encoding="utf-8")
    said = told(tell(around, around.control, vectors.load(file)))
    assert said["ab-type-caa"] == ["NOERROR"]
    assert said["ab-flag-z"] == ["NOERROR A 198.51.100.1"]
    assert said["doh-type-https"] == CONTROL["type-https"]
    assert said["ab-two-below"] == ["NOERROR"]
