"""Names as their owners write them: A-labels decoded for people to read (RFC 5890 section 2.3.2.1), never without the A-labels beside them.

Two rules. `for_people` is for who typed the name and is to know it again. `unmistakable` is for who decides by what they read: it decodes only what
cannot be taken for another name, and leaves a name of mixed scripts, or of letters that look like others, in A-labels alone. A letter with a mark
over or under it counts as one that can be told from the bare letter. Pure; what is no name at all is given back as it came.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

import idna

ISOLATE, END = "\u2066", "\u2069"
"""LEFT-TO-RIGHT ISOLATE and POP DIRECTIONAL ISOLATE."""

_SCRIPTS = frozenset(
    {
        "ARABIC", "ARMENIAN", "BENGALI", "BOPOMOFO", "CJK", "CYRILLIC", "DEVANAGARI", "ETHIOPIC", "GEORGIAN", "GREEK", "GUJARATI", "GURMUKHI",
        "HANGUL", "HEBREW", "HIRAGANA", "KANNADA", "KATAKANA", "KHMER", "LAO", "LATIN", "MALAYALAM", "MYANMAR", "ORIYA", "SINHALA", "TAMIL", "TELUGU",
        "THAANA", "THAI", "TIBETAN",
    }
)  # fmt: skip
"""Scripts in everyday use (UAX 31, table 5), as the names of their characters begin."""
_SAME = {"ARABIC-INDIC": "ARABIC", "EXTENDED": "ARABIC", "IDEOGRAPHIC": "CJK", "KATAKANA-HIRAGANA": "KATAKANA"}
"""Beginnings that are none of these: digits of Arabic, marks of Japanese."""
_TOGETHER = (frozenset({"CJK", "HIRAGANA", "KATAKANA"}), frozenset({"CJK", "HANGUL"}), frozenset({"CJK", "BOPOMOFO"}))
"""What one language is written in, though it is several scripts (UTS 39 section 5.1). None with Latin: that is more than a reader can judge."""
_BARE = frozenset({"CYRILLIC", "GREEK", "LATIN"})
"""Scripts whose letters have one character together with their usual marks: a mark that stands apart is none of these."""
_LATIN = frozenset("ßæðøþđħłŋœə")
"""Latin letters that are no ASCII letter with a mark and are told from each at a glance. Among those left out: a dotless i, the phonetic a and g."""
_LIKE_ASCII = frozenset(
    "асԁеһіјӏорԛѕԝхуьҽпгѵѡ"  # Cyrillic
    "αγικνορτυωηχ"  # Greek
    "հոսօցյզլւք"  # Armenian
    "იჿ"  # Georgian
    "וןסט"  # Hebrew # noqa: RUF001
    "ሀዐበ"  # Ethiopic
    "ംഠଠဝငоဂ"  # of India and Myanmar
    "丨丶〇一ノハロ口工"  # Chinese and Japanese
)
"""Letters that by themselves look like an ASCII letter, digit, hyphen or dot: a label of nothing else may be taken for one in ASCII (UTS 39, 4)."""


def for_people(text: str) -> str:
    """A name's text as its owner writes it, followed by its A-labels; the text alone when it has none, or they do not decode.

    Never the Unicode form alone: two names can look alike in it. Where a label is written from right to left, each form is kept apart from what is
    around it (UAX 9, isolates), or the labels of both would be drawn in an order in which they read as another name.
    """
    return _both(in_unicode(text), text)


def unmistakable_for_people(text: str) -> str:
    """As `for_people`, of what is `unmistakable`."""
    return _both(unmistakable(text), text)


def in_unicode(text: str) -> str:
    """A name's text with its A-labels decoded; empty when it has none, or they do not decode (RFC 5891 section 4.4)."""
    if "xn--" not in text:
        return ""
    try:
        return idna.decode(text)
    except (idna.IDNAError, UnicodeError):
        return ""


@lru_cache(maxsize=4096)
def unmistakable(text: str) -> str:
    """A name's text with its A-labels decoded; empty when it has none, they do not decode, or a reader might take one for another name's."""
    shown = in_unicode(text)
    return shown if all(label.isascii() or _is_honest(label) for label in shown.split(".")) else ""


def turns(text: str) -> bool:
    """Whether any of it is written from right to left."""
    return any(unicodedata.bidirectional(character) in {"R", "AL", "AN"} for character in text)


def _both(shown: str, text: str) -> str:
    if not shown:
        return text
    if turns(shown):
        return f"{ISOLATE}{shown}{END} ({ISOLATE}{text}{END})"
    return f"{shown} ({text})"


def _is_honest(label: str) -> bool:
    """Whether it is of one script, or one language's, and not of letters that look like ASCII's alone."""
    signs = [each for each in label if each not in "-0123456789"]
    scripts = {_script(each) for each in signs}
    if not scripts <= _SCRIPTS or (len(scripts) > 1 and not any(scripts <= some for some in _TOGETHER)):
        return False
    if not any(unicodedata.category(each).startswith("L") for each in signs):  # digits alone
        return False
    if scripts <= _BARE and any(unicodedata.category(each).startswith("M") for each in signs):
        return False
    if scripts == {"LATIN"}:
        return all(each in _LATIN or "a" <= unicodedata.normalize("NFD", each)[0] <= "z" for each in signs)
    return not _LIKE_ASCII.issuperset(signs)


def _script(sign: str) -> str:
    """The script of a character, by its name; empty for one that is no letter, mark or digit, or has no name."""
    if unicodedata.category(sign)[0] not in "LM" and unicodedata.category(sign) != "Nd":
        return ""
    first = unicodedata.name(sign, "").partition(" ")[0]
    return _SAME.get(first, first)
