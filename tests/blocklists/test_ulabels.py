"""Names as people read them: never the Unicode form alone, and not at all where it could be taken for another name."""

from __future__ import annotations

import idna
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blocklists.names import parse, to_text
from blocklists.ulabels import for_people, unmistakable, unmistakable_for_people


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("blocked.example", "blocked.example"),
        ("xn--caf-dma.example", "café.example (xn--caf-dma.example)"),
        ("xn--.example", "xn--.example"),
        ("xn--80ak6aa92e.example", "\u0430\u0440\u0440\u04cf\u0435.example (xn--80ak6aa92e.example)"),  # looks like apple.example
        ("xn--ls8h.example", "xn--ls8h.example"),  # a picture, which no name may have
        ("xn--a-ecp.example", "xn--a-ecp.example"),  # not what its owner would have written
        ("a_b.xn--caf-dma.example", "a_b.xn--caf-dma.example"),
        (
            "xn--4dbrk0ce.example",
            "\u2066\u05d9\u05e9\u05e8\u05d0\u05dc.example\u2069 (\u2066xn--4dbrk0ce.example\u2069)",
        ),
        ("xn--a\\046b.example", "xn--a\\046b.example"),
    ],
)
def test_a_unicode_name_is_never_shown_alone(text: str, shown: str) -> None:
    assert for_people(text) == shown


@pytest.mark.parametrize(
    "label",
    [
        "bücher", "straße", "łódź", "việtnam", "æøå", "пример", "ёлка", "παράδειγμα", "日本語", "ドメイン名例", "ガール", "한국", "中国", "मुंबई",
        "ไทย", "հայաստան", "ישראל", "مثال", "日本語2", "i-like-bücher",
    ],
)  # fmt: skip
def test_what_one_script_says_plainly_is_decoded(label: str) -> None:
    name = to_text(parse(f"www.{label}.example"))
    assert unmistakable(name) == f"www.{label}.example"
    assert f"www.{label}.example" in unmistakable_for_people(name)
    assert name in unmistakable_for_people(name)


@pytest.mark.parametrize(
    "label",
    [
        "\u0430\u0440\u0440\u04cf\u0435",  # Cyrillic that looks like apple
        "\u0441\u043e\u0440",  # Cyrillic that looks like cop
        "p\u0430ypal",  # one Cyrillic letter among Latin ones
        "\u03bf\u03bd\u03bf",  # Greek that looks like ovo
        "日本abc",
        "w\u0131k\u0131",  # i without its dot
        "\u0261oogle",  # the phonetic g
        "l\u00b7l",  # a dot in the middle
        "ガール\u30fbズ",
        "\u4e00",  # one stroke, like a hyphen
        "\u0967\u0968",  # digits alone
        "q\u0323\u0307x",  # marks that no letter has taken up
        "\u16a0\u16b1",  # runes
    ],
)
def test_what_may_be_taken_for_another_name_stays_in_a_labels(label: str) -> None:
    name = f"www.{idna.alabel(label).decode()}.example"
    assert unmistakable(name) == ""
    assert unmistakable_for_people(name) == name


def test_one_doubtful_label_keeps_the_whole_name_in_a_labels() -> None:
    assert unmistakable(to_text(parse("bücher.\u0441\u043e\u0440.example"))) == ""


@given(st.text(max_size=40), st.lists(st.text(alphabet="xn-aé\u0430\u05d0\u3042日1", min_size=1, max_size=8), max_size=3))
def test_what_is_shown_is_the_name_itself_or_nothing(text: str, labels: list[str]) -> None:
    """Whatever is decoded leads back to the same name, and the text itself always stands in what is shown."""
    for each in (text, ".".join(labels)):
        try:
            name = to_text(parse(each))
        except ValueError:
            name = each
        for shown in (unmistakable(name), unmistakable(f"xn--{name}")):
            assert not shown or parse(shown) in (parse(name), parse(f"xn--{name}"))
        assert name in unmistakable_for_people(name)
