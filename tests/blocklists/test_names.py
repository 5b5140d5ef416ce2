"""Names: parsing, the fast path against the plain one, and the turn that makes "covers" a prefix."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from blocklists import names
from blocklists.errors import BadName

LABEL = st.binary(min_size=1, max_size=63).map(bytes.lower)
PLAIN_LABEL = st.text("abcXYZ019_-", min_size=1, max_size=20)


def wire_of(labels: list[bytes]) -> bytes:
    return b"".join(bytes((len(label),)) + label for label in labels) + b"\0"


WIRE = st.lists(LABEL, max_size=8).map(wire_of).filter(lambda wire: len(wire) <= names.MAX_WIRE)
PLAIN_TEXT = st.lists(PLAIN_LABEL, min_size=1, max_size=8).map(".".join)


@pytest.mark.parametrize(
    ("text", "wire"),
    [
        (".", b"\0"),
        ("example", b"\7example\0"),
        ("WWW.Example.test.", b"\3www\7example\4test\0"),
        ("café.test", b"\x0bxn--caf-dma\4test\0"),
        ("XN--CAF-dma.test", b"\x0bxn--caf-dma\4test\0"),
        ("_dmarc.café。test", b"\6_dmarc\x0bxn--caf-dma\4test\0"),
        ("faß.test", b"\x0axn--fa-hia\4test\0"),
        (r"a\.b.test", b"\3a.b\4test\0"),
        (r"\000\255.test", b"\2\0\xff\4test\0"),
        (r"\065.test", b"\1a\4test\0"),
        ("-a-.test", b"\3-a-\4test\0"),
        (".".join(["a" * 63] * 3 + ["b" * 61]), (b"\x3f" + b"a" * 63) * 3 + b"\x3d" + b"b" * 61 + b"\0"),
    ],
)
def test_texts_and_their_wire_form(text: str, wire: bytes) -> None:
    assert names.parse(text) == wire
    assert names.parse(names.to_text(wire)) == wire


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "empty text"),
        ("..", "empty label"),
        (".test", "empty label"),
        ("a..test", "empty label"),
        ("é..test", "empty label"),
        ("\u00ad", "empty label"),
        ("。", "empty label"),
        ("a" * 64, "64 octets"),
        (".".join(["a" * 63] * 3 + ["b" * 62]), "256 octets"),
        ("a" * 5000, "5000 characters"),
        ("é" * 5000, "5000 characters"),
        ("a b", "white space"),
        ("a\0b", "control character"),
        ("a\\", "broken escape"),
        (r"a\25", "broken escape"),
        (r"a\256", "not an octet"),
        ("☃.test", "internationalised"),
        ("é .test", "internationalised"),
        ("é.a/b", "mixes letters"),
        ("\ud800.test", "internationalised"),
    ],
)
def test_what_is_no_name_says_so_and_stays_short(text: str, complaint: str) -> None:
    with pytest.raises(BadName, match=re.escape(complaint)) as caught:
        names.parse(text)
    assert len(str(caught.value)) < 400


@given(st.text())
@example("K.test")
@example("\u00ad.")
def test_any_text_is_refused_or_its_name_round_trips(text: str) -> None:
    """Refused with BadName, or a canonical name of legal length whose text form parses to it again."""
    try:
        wire = names.parse(text)
    except BadName:
        return
    assert wire == names.parse(names.to_text(wire))
    assert wire == wire.lower()
    assert 1 <= len(wire) <= names.MAX_WIRE
    assert (wire == b"\0") == (text == ".")


@given(WIRE)
def test_any_canonical_name_round_trips_through_its_text_and_its_key(wire: bytes) -> None:
    assert names.parse(names.to_text(wire)) == wire
    assert names.from_key(names.key(wire)) == wire
    assert names.parse(names.key_text(names.key(wire))) == wire
    assert names.depth(names.key(wire)) == len(list(names.labels(wire)))


@given(PLAIN_TEXT | st.text(max_size=80))
def test_the_fast_path_gives_what_escapes_spell_out_slowly(text: str) -> None:
    """The oracle writes every octet as an escape, which only the slow reader takes."""
    fast = names.plain_key(text.encode("utf-8", "surrogatepass"))
    try:
        slow = names.parse("".join(char if char == "." else f"\\{ord(char):03d}" for char in text))
    except BadName:
        assert fast is None
        return
    if fast is not None:
        assert fast == names.key(slow) == names.key(names.parse(text))
    else:
        assert not re.fullmatch(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.?", text)


@given(WIRE, WIRE, st.integers(0, 8))
def test_a_key_is_a_prefix_exactly_when_the_name_covers(one: bytes, other: bytes, shared: int) -> None:
    """Against the definition by labels: the covering name's labels are the last labels of the other's."""
    tail = list(names.labels(one))[-shared:] if shared else []
    longer = wire_of([*names.labels(other), *tail])
    for above, below in ((one, other), (one, longer), (wire_of(tail), longer), (longer, longer)):
        upper, lower = list(names.labels(above)), list(names.labels(below))
        covers = lower[len(lower) - len(upper) :] == upper and len(upper) <= len(lower)
        assert names.key(below).startswith(names.key(above)) == covers


def test_a_name_that_only_ends_alike_is_not_covered() -> None:
    assert not names.key(names.parse("notexample.test")).startswith(names.key(names.parse("example.test")))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (".", "root"),
        ("||ads.example^", "'|'"),
        ("https://site.example", "':'"),
        ("site.example/page", "'/'"),
        ("*.example", "'*'"),
        ("192.0.2.7", "ends in a number"),
        ("2001:db8::7", "':'"),
        ("user@example", "'@'"),
    ],
)
def test_lists_do_not_mean_what_only_the_dns_allows(text: str, complaint: str) -> None:
    with pytest.raises(BadName, match=re.escape(complaint)):
        names.listed(text)


@given(PLAIN_TEXT)
def test_a_plain_name_is_taken_from_a_list_as_it_is_parsed(text: str) -> None:
    try:
        wire = names.parse(text)
    except BadName:
        return
    if text.rsplit(".", 1)[-1].isdigit():
        with pytest.raises(BadName, match="ends in a number"):
            names.listed(text)
    else:
        assert names.listed(text) == wire


def test_an_escaped_odd_label_can_be_listed() -> None:
    assert names.listed(r"a\047b.test") == b"\3a/b\4test\0"


def test_messages_clip_what_they_show() -> None:
    assert names.clip("a" * 200, 10) == "'aaaaaaaaaa'…"
    assert names.clip("a\x1b[2J") == r"'a\x1b[2J'"
    assert names.visible("it's\x1b[2J") == r"it's\x1b[2J"
    assert names.visible("a" * 200, 10) == "aaaaaaaaaa…"
