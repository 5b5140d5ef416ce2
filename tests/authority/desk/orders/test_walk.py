"""Whatever is done to a case, in whatever order: the desk says what operators do, and nothing is in the log that too few have signed."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from authority import orders
from authority.desk import ordering, publishing
from authority.desk.errors import DeskError
from authority.desk.tables import Order
from authority.repository import published
from blocklists.log import entry as entries
from blocklists.trust import envelope
from tests.authority.desk.orders.house import HOUR, House

ACTS = st.one_of(
    st.tuples(st.just("draft"), st.sampled_from(["block", "amend", "renew", "withdraw", "suspend", "confirm"])),
    st.tuples(st.just("sign"), st.sampled_from(["north-1", "north-2", "reviewer-1", "south-1"])),
    st.tuples(st.sampled_from(["open", "publish", "publish", "abandon", "follow"]), st.just("")),
)


@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.booleans(), st.lists(ACTS, min_size=4, max_size=14))
def test_the_desk_says_what_operators_do(house: House, urgent: bool, acts: list[tuple[str, str]]) -> None:
    number = house.case(until="emergency" if urgent else "unidentifiable")
    name = house.row(number).title
    acts = [("draft", "block"), ("open", ""), ("sign", "north-1"), ("sign", "north-2"), *acts]
    for act, what in acts:
        newest = _newest(house, number)
        try:
            if act == "draft":
                house.draft(number, what, "reviewer" if what == "confirm" else "clerk")  # type: ignore[arg-type]
            elif act == "follow":
                publishing.follow_log(house.desk, house.now)
            elif newest is None:
                continue
            elif act == "open":
                ordering.open_signing(house.desk, house["officer"], newest.digest, "go", house.now)
            elif act == "sign":
                house.bring(newest, what)
            elif act == "publish":
                house.publish(newest)
            else:
                ordering.abandon(house.desk, house["officer"], newest.digest, "no", house.now)
        except (DeskError, orders.AuthorityError):
            pass
        assert (name in house.blocked()) == (house.row(number).state == "in_force")
    later = house.now + 73 * HOUR
    assert (name in house.blocked(later)) == (house.row(number).state in ("in_force", "suspended") and not house.row(number).emergency)
    _check_signed(house)


def _newest(house: House, number: str) -> Order | None:
    with house.desk.store.reading() as session:
        found = ordering.orders_of(session, ordering.steps.find(session, number))
    return found[0] if found else None


def _check_signed(house: House) -> None:
    """Counted here from the entries themselves, with nothing of the desk's."""
    epoch = published(house.desk.places).policy.epochs[-1]
    for data in house.tree().entries(0, house.tree().size):
        signed = entries.read(data).envelope
        if signed is None:
            continue
        offices = {epoch.by_key[keyid] for keyid in envelope.signers(signed, epoch.keys)}
        said = orders.read(signed, "the entry").document()
        officers = {each for each in offices if each.startswith("north-")}
        if said.get("action") in ("block", "amend"):
            assert len(officers) >= 2
        elif "decision" in said:
            assert "reviewer-1" in offices
        else:
            assert offices
