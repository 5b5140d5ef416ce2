"""Guards: the fast judge against the public-suffix library and against the rules written out slowly."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from publicsuffixlist import PSLFILE, PublicSuffixList

from blocklists import names
from blocklists.errors import BadName
from blocklists.guards import Guards, Match, read_suffixes, suffixes

LIBRARY = PublicSuffixList()
RULES = [line.split()[0] for line in Path(PSLFILE).read_text("utf-8").splitlines() if line.strip() and not line.startswith("//")]
OWN = ("landing.house.example", "feed.test")
PROTECTED = ("www.kept.example", "kept.test", "deep.kept.test")
GUARDS = Guards(OWN, PROTECTED)


def key(text: str) -> bytes:
    return names.key(names.parse(text))


def test_every_rule_and_its_neighbours_are_suffixes_exactly_when_the_library_says_so() -> None:
    known = suffixes()
    for rule in RULES:
        base = names.to_text(names.parse(rule.lstrip("*!.")))
        for text in (base, "a." + base, "b.a." + base, base.partition(".")[2] or "unlisted"):
            assert known.has(key(text)) == LIBRARY.is_public(text), text


@given(
    st.lists(
        st.sampled_from(["com", "uk", "co", "ck", "www", "kawasaki", "city", "jp", "example", "no", "telemark", "bo", "io", "github"]),
        min_size=1,
    )
)
def test_any_name_is_a_suffix_exactly_when_the_library_says_so(labels: list[str]) -> None:
    text = ".".join(labels)
    assert suffixes().has(key(text)) == LIBRARY.is_public(text)


@pytest.mark.parametrize(
    ("text", "match", "complaint"),
    [
        (".", "exact", "root"),
        (".", "subtree", "root"),
        ("arpa", "subtree", "arpa"),
        ("2.0.192.in-addr.arpa", "exact", "is below arpa"),
        ("localhost", "exact", "localhost"),
        ("com", "subtree", "public suffix"),
        ("co.uk", "exact", "public suffix"),
        ("unlisted", "subtree", "public suffix"),
        ("any.ck", "subtree", "public suffix"),
        ("github.io", "subtree", "public suffix"),
        ("telemark.no", "subtree", "public suffix of many owners"),
        ("landing.house.example", "exact", "must always resolve"),
        ("x.landing.house.example", "exact", "is below landing.house.example"),
        ("house.example", "subtree", "cover landing.house.example"),
        ("www.kept.example", "exact", "protected name"),
        ("kept.example", "subtree", "cover www.kept.example"),
        ("kept.test", "subtree", "protected name"),
    ],
)
def test_refused_with_a_reason(text: str, match: Match, complaint: str) -> None:
    refusal = GUARDS.refusal(key(text), match)
    assert refusal is not None
    assert complaint in refusal


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("blocked.example", "subtree"),
        ("telemark.no", "exact"),
        ("customer.github.io", "subtree"),
        ("www.ck", "subtree"),
        ("house.example", "exact"),
        ("notlanding.house.example", "subtree"),
        ("kept.example", "exact"),
        ("x.www.kept.example", "subtree"),
        ("under.kept.test", "subtree"),
    ],
)
def test_what_an_order_may_name(text: str, match: Match) -> None:
    assert GUARDS.refusal(key(text), match) is None


LABELS = st.lists(
    st.sampled_from(["www", "deep", "kept", "landing", "house", "feed", "example", "test", "arpa", "localhost", "x", "bo", "telemark", "no"])
)


@given(LABELS, st.sampled_from(["exact", "subtree"]))
def test_the_judge_equals_the_rules_written_out(labels: list[str], match: Match) -> None:
    def covers(above: str, below: str) -> bool:
        return below == above or below.endswith("." + above)

    text = ".".join(labels)
    refused = not labels
    refused = refused or any(covers(own, text) for own in (*OWN, "arpa", "localhost"))
    refused = refused or text in PROTECTED or LIBRARY.is_public(text)
    if match == "subtree" and labels:
        rules = (names.to_text(names.parse(rule.removeprefix("*."))) for rule in RULES if text.rpartition(".")[2] in rule and rule[0] != "!")
        refused = refused or any(covers(text, kept) for kept in (*OWN, *PROTECTED, *rules))
    assert (GUARDS.refusal(key(text) if text else b"", match) is not None) == refused


def test_a_guard_that_is_no_name_is_an_error_not_a_hole() -> None:
    with pytest.raises(BadName, match="root"):
        Guards(protected=["."])
    with pytest.raises(BadName, match="ends in a number"):
        Guards(own=["192.0.2.1"])


def test_the_suffixes_given_count_and_not_those_bundled() -> None:
    given_ones = read_suffixes(
        "// a comment\nshared.example\n\n*.hosted.example  # what follows a space is no rule\n!www.hosted.example\ncafé.example\n"
    )
    judge = Guards(known=given_ones)
    assert all(judge.refusal(key(text), "exact") for text in ("shared.example", "a.hosted.example", "hosted.example", "xn--caf-dma.example"))
    assert not any(judge.refusal(key(text), "exact") for text in ("www.hosted.example", "b.a.hosted.example", "co.uk", "github.io"))
    assert judge.refusal(key("example"), "subtree")


@given(st.text(st.sampled_from("ab.*! /\n\tÉ\u2028\\"), max_size=30) | st.text(max_size=30))
def test_any_list_of_suffixes_is_read_or_refused_by_name(text: str) -> None:
    try:
        read = read_suffixes(text)
    except BadName:
        return
    assert b"" not in read.plain | read.wild | read.exceptions  # the root's key is a prefix of all
