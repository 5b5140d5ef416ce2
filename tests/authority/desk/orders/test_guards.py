"""Guards before signing: what they say of whom, what it costs to override them, and that all of it stands in what is signed."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import dns.message
import dns.rcode
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from authority.desk import asking, composing, guarding, ordering
from authority.desk.errors import BadField, Conflict, Forbidden
from authority.desk.guarding import Lists, judge
from authority.desk.settings import DeskSettings
from authority.repository import published
from blocklists.directive import Directive
from tests.authority.desk.orders.house import House
from tests.tools import free_ports


@pytest.fixture(scope="module", autouse=True)
def lists(house: House) -> None:
    house.document("popular", "# rank, name\n1,search.test\n2,shop.test\n")
    house.document("shared_hosting", "pages.host.test, 40000 sites\n")
    house.document("protected", "hospital.test\n")


def result(order: ordering.Order, guard: str) -> str:
    said = composing.directive_of(order)
    assert isinstance(said, Directive)
    return "; ".join(each.result for each in said.guards or () if each.guard == guard)


@pytest.mark.parametrize(
    ("name", "guard", "words"),
    [
        ("search.test", "popularity", "is a popular name"),
        ("www.search.test", "popularity", "is a popular name"),
        ("pages.host.test", "shared_hosting", "40000 sites"),
        (".host.test", "shared_hosting", "would cover pages.host.test"),
        ("hospital.test", "protected_name", "protected names"),
    ],
)
def test_an_objection_keeps_the_order_from_being_signed_until_it_is_overridden(house: House, name: str, guard: str, words: str) -> None:
    number = house.case(name)
    order = house.draft(number)
    (found,) = [each for each in ordering.findings(order) if each.stands]
    assert (found.guard, found.name) == (guard, name.lstrip("."))
    assert words in found.objection
    with pytest.raises(Conflict, match="override it"):
        ordering.open_signing(house.desk, house["officer"], order.digest, "go", house.now)
    again = ordering.override(house.desk, house["officer"], order.digest, guard, found.name, "A court named it", house.now)
    assert again.digest != order.digest
    assert (order.threshold, again.threshold) == (2, 3)
    assert "overridden by officer: A court named it" in result(again, guard)
    ordering.open_signing(house.desk, house["officer"], again.digest, "go", house.now)
    house.bring(again, "north-1", "north-2")
    with pytest.raises(Conflict, match="lacks signatures: 1 of officers of North"):
        house.publish(again)
    house.bring(again, "north-3")
    house.publish(again)
    assert house.blocked()[found.name] == number


def test_what_is_below_a_popular_or_shared_name_may_be_ordered(house: House) -> None:
    for name in ("bad.shop.test", "customer.pages.host.test", "notsearch.test"):
        assert not [each for each in ordering.findings(house.draft(house.case(name))) if each.objection]


def test_what_operators_refuse_nobody_overrides(house: House) -> None:
    for name in ("portal.example", "co.uk", ".authority.example", "in-addr.arpa", ".uk"):
        number = house.case(name)
        (found, *_) = [each for each in guarding.examine(house.desk, number) if each.objection]
        assert not found.may_override
        assert found.guard == ("public_suffix" if name in ("co.uk", ".uk") else "protected_name")
        with pytest.raises(Conflict, match="nobody here can override"):
            house.draft(number)


def test_only_an_officer_overrides_and_says_why(house: House) -> None:
    order = house.draft(house.case("shop.test"))
    with pytest.raises(Forbidden):
        ordering.override(house.desk, house["clerk"], order.digest, "popularity", "shop.test", "x", house.now)
    with pytest.raises(BadField, match="why"):
        ordering.override(house.desk, house["officer"], order.digest, "popularity", "shop.test", " ", house.now)
    with pytest.raises(Conflict, match="no objection"):
        ordering.override(house.desk, house["officer"], order.digest, "popularity", "other.test", "x", house.now)


def test_more_signatures_than_there_are_officers_is_refused(house: House) -> None:
    order = house.draft(house.case("shop.test", "pages.host.test"))
    order = ordering.override(house.desk, house["officer"], order.digest, "popularity", "shop.test", "a court", house.now)
    with pytest.raises(Conflict, match="4 officers would have to sign it, and 3 may"):
        ordering.override(house.desk, house["officer"], order.digest, "shared_hosting", "pages.host.test", "a court", house.now)


def test_an_override_outlives_a_new_draft_only_while_the_guard_says_the_same(house: House) -> None:
    number = house.case("shop.test")
    order = house.draft(number)
    ordering.override(house.desk, house["officer"], order.digest, "popularity", "shop.test", "a court", house.now)
    assert house.draft(number).threshold == 3
    house.document("popular", "1,search.test\n2,shop.test\n3,new.test\n")
    again = house.draft(number)
    assert again.threshold == 2
    assert [each.name for each in ordering.findings(again) if each.stands] == ["shop.test"]


def test_a_renewal_asks_for_what_was_overridden_before_anew(house: House) -> None:
    house.document("popular", "1,search.test\n2,shop.test\n")
    number = house.case("shop.test")
    order = ordering.override(house.desk, house["officer"], house.draft(number).digest, "popularity", "shop.test", "a court", house.now)
    ordering.open_signing(house.desk, house["officer"], order.digest, "go", house.now)
    house.bring(order, "north-1", "north-2", "north-3")
    house.publish(order)
    renewal = house.draft(number, "renew")
    with pytest.raises(Conflict, match="override it"):
        house.packet(renewal)
    renewal = ordering.override(house.desk, house["officer"], renewal.digest, "popularity", "shop.test", "it still does", house.now)
    assert renewal.threshold == 3
    house.bring(renewal, "north-1", "north-2", "north-3")
    house.publish(renewal)


def test_a_subtree_is_told_how_many_known_names_it_catches(house: House) -> None:
    house.case(*[f"n{number}.crowd.test" for number in range(21)])
    house.case("one.quiet.test", "two.quiet.test", "notquiet.test")
    order = house.draft(house.case(".quiet.test"))
    assert result(order, "other_names") == "catches 2 other known names"
    order = house.draft(house.case(".crowd.test"))
    (found,) = [each for each in ordering.findings(order) if each.stands]
    assert (found.guard, found.objection) == ("other_names", "with its subdomains catches 21 other known names")


def test_a_guard_without_its_list_says_that_it_was_not_asked(house: House) -> None:
    files = published(house.desk.places).files
    found = {each.guard: each for each in judge([("x.test", "exact")], Lists(files, "", "", "", 20), {}, None)}
    assert found["popularity"].note == "not asked: there is no list 'popular'"
    assert found["resolution"].note == "not asked"
    assert found["public_suffix"].data_version.startswith("sha256:")


def test_a_broken_list_is_refused_by_line() -> None:
    with pytest.raises(BadField, match="line 2"):
        guarding.check_list("popular", "1,good.test\n2,not a name\n")
    assert guarding.check_list("popular", "1,good.test\n\n# remark\nother.test, note\n") == 2


LABELS = st.sampled_from(["a", "b", "c", "www"])
NAMES = st.lists(LABELS, min_size=1, max_size=3).map(lambda labels: ".".join([*labels, "zone", "test"]))


@given(st.sets(NAMES, min_size=1, max_size=8), NAMES, st.sampled_from(["exact", "subtree"]))
def test_a_list_objects_exactly_when_a_linear_look_would(listed: set[str], name: str, match: str) -> None:
    """The oracle goes through the list line by line; the guard by sorted keys."""
    found = list(guarding._listed("popularity", [(name, match)], "\n".join(sorted(listed)), "is popular", "covers {}"))
    same = name in listed or (name.startswith("www.") and name.removeprefix("www.") in listed)
    covers = match == "subtree" and any(each.endswith(f".{name}") for each in listed)
    assert any(each.objection for each in found) == (same or covers)


@contextmanager
def answering(known: set[str]) -> Iterator[str]:
    """A resolver that knows a few names; its address and port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as heard:
        heard.bind(("127.0.0.1", 0))
        port = heard.getsockname()[1]

        def serve() -> None:
            while True:
                data, sender = heard.recvfrom(4096)
                if data == b"end":
                    return
                asked = dns.message.from_wire(data)
                (question,) = asked.question
                reply = dns.message.make_response(asked)
                name = question.name.to_text(omit_final_dot=True)
                if name not in known:
                    reply.set_rcode(dns.rcode.NXDOMAIN)
                elif question.rdtype == 28 or not name.startswith("six."):
                    reply.answer.append(
                        dns.rrset.from_text(question.name, 60, "IN", question.rdtype, "2001:db8::1" if question.rdtype == 28 else "192.0.2.1")
                    )
                heard.sendto(reply.to_wire(), sender)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"127.0.0.1:{port}"
        finally:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ending:
                ending.sendto(b"end", ("127.0.0.1", port))
            thread.join()


def test_whether_targets_resolve_is_asked_of_the_resolver_in_the_settings_and_stands_in_the_order(house: House) -> None:
    number = house.case("there.test", "six.test", "gone.test")
    assert result(house.draft(number), "resolution") == "not asked"
    kept = house.desk.settings
    with answering({"there.test", "six.test"}) as endpoint:
        house.desk.settings = DeskSettings(directory="authority", resolver=endpoint)
        assert result(house.draft(number), "resolution") == "2 of 3 names resolve; not: gone.test"
    house.desk.settings = kept


def test_a_resolver_that_is_silent_keeps_nothing_from_being_drafted(house: House) -> None:
    (port,) = free_ports(1)
    resolves = asking.resolver(f"127.0.0.1:{port}")
    assert resolves is not None
    order = house.draft(house.case("some.test"), resolves=resolves)
    assert result(order, "resolution") == "0 of 1 names resolve; no answer about: some.test"
