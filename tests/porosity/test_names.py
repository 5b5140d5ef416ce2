"""Names to measure: read from lists as they are kept, each once, with neighbours that no order covers."""

from __future__ import annotations

from pathlib import Path
from random import Random

import dns.name
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blocklists.errors import BadName, SourceError, StoreError
from porosity import names
from porosity.plan import BadPlan
from porosity.words import Name
from tests.blocklists.lists import AS_OF, House, documents, order, withdrawal

LABELS = st.sampled_from(["a", "b", "www", "mail", "one", "notone", "xn--caf-dma", "com", "co", "uk", "test", "example", "x" * 63])
TEXTS = st.lists(LABELS, min_size=1, max_size=4).map(".".join)


def texts(found: list[Name]) -> list[str]:
    return [each.name.to_text(omit_final_dot=True) for each in found]


def test_a_list_of_names_is_read_as_an_operators_resolver_reads_it(tmp_path: Path) -> None:
    file = tmp_path / "orders.txt"
    file.write_text("# what was ordered\nONE.test.\n*.two.test\nwww.three.co.uk  # all below\ncafé.test\n||four.test^\nlast.test", "utf-8")
    [found] = names.read(file, AS_OF)
    assert sorted(texts(found.names)) == ["last.test", "one.test", "two.test", "www.three.co.uk", "xn--caf-dma.test"]
    assert {each.match for each in found.names} == {"subtree"}
    assert {each.domain for each in found.names if each.name == dns.name.from_text("www.three.co.uk")} == {"three.co.uk"}
    assert (found.listing.id, found.listing.source, found.listing.names) == ("orders", "orders.txt", 5)
    [skipped] = found.skipped
    assert skipped.startswith("orders.txt line 6: '||four.test^'")


def test_a_hosts_file_is_told_by_its_first_line_and_lists_exactly(tmp_path: Path) -> None:
    file = tmp_path / "hosts"
    file.write_text("# kept by hand\n0.0.0.0 one.test www.one.test\n127.0.0.1 localhost\n")
    [found] = names.read(file, AS_OF, "kept")
    assert [(text, each.match, each.list) for text, each in zip(texts(found.names), found.names, strict=True)] == [
        ("one.test", "exact", "kept"),
        ("www.one.test", "exact", "kept"),
    ]


def test_a_citizen_lab_list_is_told_by_its_ending(tmp_path: Path) -> None:
    file = tmp_path / "fr.csv"
    file.write_text("url,category_code,category_description,date_added,source,notes\nhttps://www.one.test/path,NEWS,News Media,2026-01-01,,\n")
    [found] = names.read(file, AS_OF)
    assert (texts(found.names), found.listing.id, found.listing.source) == (["www.one.test"], "fr", "fr.csv")


def test_directives_say_which_of_their_names_are_in_force(tmp_path: Path) -> None:
    file = tmp_path / "orders.yaml"
    file.write_text(
        documents(
            order("FR-1", "stands.test"),
            order("FR-2", "lifted.test", "both.test"),
            withdrawal("FR-2"),
            order("FR-3", "over.test", expires="2026-06-01T00:00:00Z"),
            order("FR-4", "both.test"),
        )
    )
    [found] = names.read(file, AS_OF)
    assert {text: (each.directive, each.in_force) for text, each in zip(texts(found.names), found.names, strict=True)} == {
        "stands.test": ("FR-1", True),
        "lifted.test": ("FR-2", False),
        "over.test": ("FR-3", False),
        "both.test": ("FR-4", True),
    }
    folder = tmp_path / "orders"
    folder.mkdir()
    with pytest.raises(SourceError, match=r"holds no \.yaml file"):
        names.read(folder, AS_OF)
    (folder / "one.yaml").write_text(order("FR-9", "nine.test"))
    assert texts(names.read(folder, AS_OF)[0].names) == ["nine.test"]


def test_a_state_directory_gives_what_is_in_force_and_what_was_lifted(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.source("orders", "directives")
    house.source("own", "domains")
    house.write("orders", documents(order("FR-1", "one.test", "two.test"), order("FR-2", "three.test")))
    house.write("own", "own.test\n")
    house.build()
    house.write("orders", documents(order("FR-1", "one.test", "two.test"), order("FR-2", "three.test"), withdrawal("FR-2")))
    second = house.build()
    orders, own = names.read(house.state, AS_OF)
    assert (orders.listing.id, own.listing.id) == ("orders", "own")
    assert orders.listing.sha256 == second.identity
    assert sorted((text, each.directive, each.in_force) for text, each in zip(texts(orders.names), orders.names, strict=True)) == [
        ("one.test", "FR-1", True),
        ("three.test", "FR-2", False),
        ("two.test", "FR-1", True),
    ]
    assert [(each.directive, each.list) for each in own.names] == [("", "own")]
    (house.state / "current").write_text("nothing\n")
    for each in (house.state / "versions").glob("*/manifest.json"):
        each.chmod(0o644)
        each.write_text("{}")
    with pytest.raises(StoreError, match="redhand blocklist build"):
        names.read(house.state, AS_OF)


def test_a_name_that_several_lists_have_is_measured_once_where_it_is_in_force(tmp_path: Path) -> None:
    first, second = tmp_path / "first.yaml", tmp_path / "second.txt"
    first.write_text(documents(order("FR-1", "one.test"), order("FR-2", "two.test"), withdrawal("FR-2")))
    second.write_text("two.test\none.test\nthree.test\n")
    merged = names.merge(each for path in (first, second) for each in names.read(path, AS_OF))
    assert {text: (each.list, each.in_force) for text, each in zip(texts(merged), merged, strict=True)} == {
        "one.test": ("first", True),
        "two.test": ("second", True),
        "three.test": ("second", True),
    }


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"||one^\n||two^\n||three^\n", r"3 of its 3 records cannot be read.*First: line 1"),
        (b"<html>\n", r"1 of its 1 records cannot be read"),
        (b"\xff\xfeo\0n\0e\0\n\0", "cannot be read"),
    ],
)
def test_what_is_no_list_is_refused(tmp_path: Path, content: bytes, says: str) -> None:
    file = tmp_path / "list.txt"
    file.write_bytes(content)
    with pytest.raises(SourceError, match=says):
        names.read(file, AS_OF)
    with pytest.raises(SourceError, match="check that it exists"):
        names.read(tmp_path / "missing.txt", AS_OF)


def test_a_canary_that_a_list_covers_is_refused() -> None:
    listed = [names.make("one.test", match="subtree"), names.make("exact.test", match="exact")]
    assert texts(names.canaries(["OK.example", "www.exact.test"], listed)) == ["ok.example", "www.exact.test"]
    for text in ("one.test", "www.one.test", "exact.test"):
        with pytest.raises(BadPlan, match=f"canary {text} is on a list"):
            names.canaries([text], listed)
    with pytest.raises(BadName):
        names.canaries(["http://ok.example/"], listed)


@given(st.lists(st.tuples(TEXTS, st.booleans()), max_size=12), st.integers(0, 40), st.integers())
def test_neighbours_are_close_and_covered_by_nothing(given: list[tuple[str, bool]], most: int, seed: int) -> None:
    """Invariant: no listed name, and nothing below a subtree; each once; at most as many as asked for; the same for the same seed."""
    listed = list({text: names.make(text, match="exact" if exact else "subtree", list="l", directive="D") for text, exact in given}.values())
    found = names.neighbours(listed, most, Random(seed))
    assert len(found) <= most
    assert len({each.name for each in found}) == len(found)
    for each in found:
        assert (each.group, each.list, each.directive, each.match) == ("neighbour", "l", "D", "")
        for name in listed:
            assert each.name != name.name
            assert not (name.match == "subtree" and each.name.is_subdomain(name.name))
    assert found == names.neighbours(listed, most, Random(seed))


def test_neighbours_are_what_careless_blocking_takes_too() -> None:
    listed = [names.make("www.one.test", match="subtree"), names.make("two.test", match="exact"), names.make("three.co.uk", match="subtree")]
    found = texts(names.neighbours(listed, 100, Random(1)))
    assert "one.test" in found, "the parent"
    assert any(each.endswith(".one.test") for each in found), "one beside it"
    assert any(each.endswith(".two.test") for each in found), "below one that is listed alone"
    assert any(each.endswith("two.test") and each.count(".") == 1 for each in found), "one that ends in the same letters"
    assert "co.uk" not in found, "a public suffix is nobody's neighbour"
    assert not any(each.endswith(".three.co.uk") for each in found)


def test_names_below_are_those_of_subtrees() -> None:
    listed = [names.make("one.test", match="subtree", list="l"), names.make("two.test", match="exact"), names.make("www.three.test"),
              names.make("three.test", match="subtree")]  # fmt: skip
    [found] = names.below(listed)
    assert (found.name.to_text(), found.group, found.list) == ("www.one.test.", "below", "l")
