"""Whose a name is: our reading of the public-suffix data, in ASCII alone, says what the library says with all of it."""

from __future__ import annotations

from pathlib import Path

from publicsuffixlist import PSLFILE, PublicSuffixList

from blocklists import names, suffixes

RULES = [line.split()[0] for line in Path(PSLFILE).read_text("utf-8").splitlines() if line.strip() and not line.startswith("//")]


def test_below_every_rule_the_owner_is_whom_the_library_names() -> None:
    """An exception or a wildcard that later data hold in another script would show here."""
    library = PublicSuffixList()
    for rule in RULES:
        base = names.to_text(names.parse(rule.lstrip("*!.")))
        for text in (base, "a." + base, "b.a." + base, "c.b.a." + base):
            owner = library.privatesuffix(text)
            found = suffixes.owned(names.key(names.parse(text)))
            assert found == (names.key(names.parse(owner)) if owner else None), text
