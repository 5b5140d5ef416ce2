"""What the page hides while the law limits disclosure, as a table: each fact of an order, and for each kind of limit whether visitors see it.

Limited disclosure hides what led to the order. It never hides that there is one, who ordered it, its law, until when, or how it is contested.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from landing.ground import Words
from landing.page import Pages
from landing.verdict import Order, order_of
from tests.landing.samples import NOW, order
from tests.landing.test_page import RULE

LIMITS: dict[str, dict[str, str] | None] = {
    "none": None,
    "past": {"until": "2026-01-01T00:00:00Z", "basis": "Secrets Act, section 2", "judge": "Court of Appeal, 12 of 2026"},
    "law": {"until": "2098-01-01T00:00:00Z", "basis": "Secrets Act, section 2"},
    "court": {"until": "2098-01-01T00:00:00Z", "basis": "Secrets Act, section 2", "judge": "Court of Appeal, 12 of 2026"},
}
"""Kinds of `nondisclosure`."""

BEFORE = {
    "removal_request": {"sent_at": "2026-02-27T09:00:00Z", "recipient": "abuse@host.example", "deadline": "2026-02-28T09:00:00Z", "outcome": "none"},
    "emergency": {"ground": "An attack was called for this evening."},
}
WORDS = Words({"en": "This site calls for terror.", "fr": "Ce site appelle à la terreur."}, 24, True, "https://authority.example/orders/")

#    what                            as the page writes it                                         none past law court
TABLE = """
     that there is an order          is blocked by an official order                               yes  yes  yes yes
     who ordered it                  Office for the Protection of the Public                       yes  yes  yes yes
     who carries it out              Example Telecom carries the order out                         yes  yes  yes yes
     the category's words            This site calls for terror.                                   yes  yes  yes yes
     the law                         Public Safety Act 2015, section 6-1                           yes  yes  yes yes
     where it applies                Applies in                                                    yes  yes  yes yes
     the public reference            XX-2026-000123                                                yes  yes  yes yes
     the listed name                 blocked.example, and every name under it                      yes  yes  yes yes
     when it was ordered             1 March 2026                                                  yes  yes  yes yes
     until when                      1 January 2099                                                yes  yes  yes yes
     its public page                 https://authority.example/orders/XX-2026-000123               yes  yes  yes yes
     the court                       Administrative Court of Exampleville                          yes  yes  yes yes
     the time for contesting         60 days                                                       yes  yes  yes yes
     the last day                    30 April 2026                                                 yes  yes  yes yes
     where to contest                https://authority.example/appeal                              yes  yes  yes yes
     how, in words                   Write to the office first.                                    yes  yes  yes yes
     whom to ask                     orders@authority.example                                      yes  yes  yes yes
     what the owner can do           If you remove the content, tell the authority                 yes  yes  yes yes
     when access is restored         must restore access within 24 hours                           yes  yes  yes yes
     who reviews                     Independent Reviewer of Orders                                yes  yes  yes yes
     what the reviewer may           An independent reviewer may suspend this order                yes  yes  yes yes
     when it is reviewed             1 December 2098                                               yes  yes  yes yes
     how to report an error          Is this a mistake?                                            yes  yes  yes yes
     what is recorded                This page records nothing about your visit                    yes  yes  yes yes
     the reasons                     praises those who attacked a market                           yes  yes  no  no
     that the owner was asked        27 February 2026                                              yes  yes  no  no
     why in a hurry                  An attack was called for this evening.                        yes  yes  no  no
     the proof                       The signed order and its proof                                yes  yes  no  no
     that there will be a proof      not public before 1 January 2098                              no   no   yes yes
     that something is kept          some particulars of this order are not public                 no   no   yes yes
     by which law                    Secrets Act, section 2                                        no   no   yes yes
     by whose decision               Court of Appeal, 12 of 2026                                   no   no   no  yes
     whom the authority wrote to     abuse@host.example                                            no   no   no  no
"""
ROWS = [(line[:37].strip(), line[37:99].strip(), dict(zip(LIMITS, line[99:].split(), strict=True))) for line in TABLE.splitlines() if line.strip()]

HIDDEN = {"reasons", "reasons_language", "removal_request", "emergency", "proof"}
"""Members of an order in the problem details that are null while disclosure is limited."""


def limited(kind: str) -> Order:
    fields: dict[str, Any] = {**BEFORE, "nondisclosure": LIMITS[kind], "layer": "orders", "verified": True}
    document = order("blocked.example", **fields)
    document["redress"] = {**document["redress"], "text": {"en": "Write to the office first."}}
    rule = RULE._replace(ends=int(datetime(2099, 1, 1, tzinfo=UTC).timestamp()))
    return order_of(rule, {name: value for name, value in document.items() if value is not None}, NOW, WORDS)


@pytest.fixture(scope="module")
def pages() -> Pages:
    return Pages("Example Telecom", "https://operator.example/")


@pytest.mark.parametrize("kind", LIMITS)
def test_what_is_shown(pages: Pages, kind: str) -> None:
    page = pages.blocked([limited(kind)], False, "en", False).body("www.blocked.example").decode()
    seen = {fact: "yes" if text in _text(page) else "no" for fact, text, _ in ROWS}
    assert seen == {fact: shown[kind] for fact, _, shown in ROWS}


def test_programs_are_told_what_people_are(pages: Pages) -> None:
    def told(kind: str) -> dict[str, Any]:
        (found,) = json.loads(pages.blocked([limited(kind)], False, "en", True).body("www.blocked.example"))["orders"]
        return dict(found)

    whole = told("none")
    assert [name for name, value in whole.items() if value is None] == ["limited"]
    assert told("past") == whole
    for kind in ("law", "court"):
        found = told(kind)
        assert {name for name in whole if found[name] != whole[name]} == {*HIDDEN, "limited"}
        assert {found[name] for name in HIDDEN} == {None}
        assert found["limited"] == {"until": "2098-01-01T00:00:00Z", "basis": "Secrets Act, section 2", "judge": None, **(LIMITS[kind] or {})}


def _text(page: str) -> str:
    """The page without its marks, in which a date may be one."""
    pieces = [piece.rpartition(">")[2] for piece in page.split("<")]
    return "".join(pieces).replace("\u00a0", " ").replace("\u2019", "'")
