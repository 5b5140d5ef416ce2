"""A plan: the same words give the same plan, every trial has one number, and what cannot be measured is said, not measured."""

from __future__ import annotations

import dataclasses
import json

import dns.message
import pytest
from hypothesis import given
from hypothesis import strategies as st

from porosity import names, plan
from porosity.plan import BadPlan
from porosity.words import Ask, Endpoint, Name, Resolver, Vector, message
from tests.porosity.studies import AS_OF, RESOLVERS, VECTORS, planned, resolver, vector


@given(st.integers(1, 50), st.integers(1, 5), st.integers(1, 4), st.integers(1, 4), st.data())
def test_every_number_is_one_trial(listed: int, vectors: int, resolvers: int, repeats: int, data: st.DataObject) -> None:
    """Invariant: numbers from 0 below `trials` and (repeat, name, vector, resolver) say the same, and no other number says anything."""
    made, _ = planned(
        listed,
        [vector(f"TYPE{each + 1000}") for each in range(vectors)],
        [resolver("r0", "tested"), *map(resolver, "abc"[: resolvers - 1])],
        repeats=repeats,
    )
    number = data.draw(st.integers(0, made.trials - 1))
    found = made.trial(number)
    assert found.number == number == made.number(*found[1:])
    assert (found.repeat < repeats, found.name < made.names, found.vector < vectors, found.resolver < resolvers) == (True,) * 4
    for outside in (-1, made.trials):
        with pytest.raises(BadPlan, match="belongs to another study"):
            made.trial(outside)


def test_a_plan_read_back_is_the_plan_and_its_id_is_of_all_it_says() -> None:
    made, arranged = planned()
    assert plan.read(made.json) == made
    again, _ = planned()
    assert (again.id, again.json) == (made.id, made.json)
    ids = {
        planned(seed=8)[0].id,
        planned(as_of=AS_OF + 1)[0].id,
        planned(repeats=3)[0].id,
        planned(listed=21)[0].id,
        planned(vectors=VECTORS[:2])[0].id,
        planned(resolvers=RESOLVERS[:2])[0].id,
        made.id,
    }
    assert len(ids) == 7
    said = json.loads(made.json)
    assert said["seed"] == 7
    assert [each["id"] for each in said["vectors"]] == ["type-a", "type-aaaa", "type-https"]
    assert said["names_sha256"] == plan.digest(map(plan.row, arranged))
    assert {each["role"] for each in said["resolvers"]} == {"tested", "control"}


@pytest.mark.parametrize(
    "change", [b"", b"{}", b"[]", b"\xff", b'{"format":2}', None, "seed", "names"], ids=repr
)  # fmt: skip
def test_what_was_not_written_by_plan_is_refused(change: bytes | str | None) -> None:
    whole = planned()[0].json
    if isinstance(change, str):
        document = json.loads(whole)
        change = json.dumps(document | {change: str(document[change])}).encode()
    with pytest.raises(BadPlan, match="plan"):
        plan.read(whole[:-2] if change is None else change)


def test_a_plan_edited_by_hand_is_refused() -> None:
    whole = planned()[0].json
    with pytest.raises(BadPlan, match="changed after it was made"):
        plan.read(whole.replace(b'"seed":7', b'"seed": 7'))


def test_canaries_come_first_and_suffice_for_every_batch() -> None:
    made, arranged = planned(listed=1000)
    groups = [each.group for each in arranged]
    assert groups == ["canary"] * made.canaries + ["listed"] * 1000
    # 66 cells of three resolvers are a batch of 198: one of them in 66 is a canary's.
    assert made.canaries == 16
    assert made.cells / (made.canaries * len(VECTORS)) <= plan.BATCH / made.measured


def test_resolvers_that_nobody_tests_have_no_trials() -> None:
    others = [resolver("else", "other"), resolver("second", "secondary")]
    made, _ = planned(resolvers=[*others, *RESOLVERS])
    assert [each.id for each in made.resolvers] == ["ours", "one", "two", "second", "else"]
    assert made.measured == 3
    assert {made.trial(number).resolver for number in range(made.trials)} == {0, 1, 2}


def test_random_parts_are_the_same_at_every_resolver_and_differ_between_repeats_and_names() -> None:
    made, _ = planned()
    drawn = {number: made.random(made.trial(number)).random() for number in range(made.trials)}
    cells: dict[int, set[float]] = {}
    for number, value in drawn.items():
        cells.setdefault(number // made.measured, set()).add(value)
    assert all(len(each) == 1 for each in cells.values())
    assert len({*drawn.values()}) == made.cells * made.repeats


NEEDS = [
    ("dot", "no tested resolver is given with dot"),
    ("ipv6", "no tested resolver is given with an IPv6 address"),
    ("secondary", "no secondary resolver is given"),
    ("other", "no other resolver is given"),
    ("zone", "authoritative servers are not ours"),
    ("clock", "does not put orders in force"),
]


@pytest.mark.parametrize(("need", "why"), NEEDS)
def test_a_vector_that_cannot_be_tried_is_left_out_with_the_reason(need: str, why: str) -> None:
    wanting = vector("MX", needs=frozenset({need, "udp"}))
    # What only a control has does not help: the tested one is to be gone round.
    controls = [RESOLVERS[0], Resolver("one", "control", (Endpoint("dot", "127.0.0.1", 853), Endpoint("udp", "::1", 53)))]
    made, _ = planned(vectors=[*VECTORS, wanting], resolvers=controls)
    assert [each.id for each in made.vectors] == ["type-a", "type-aaaa", "type-https"]
    assert list(made.left_out) == ["type-mx"]
    assert why in made.left_out["type-mx"]
    tested = Resolver("ours", "tested", (*RESOLVERS[0].endpoints, Endpoint("dot", "127.0.0.1", 853), Endpoint("udp", "::1", 53)))
    more = [tested, resolver("s", "secondary"), resolver("o", "other")]
    given, _ = plan.make(
        [names.make("one.test"), names.make("ok.example", "canary")], [wanting], more, seed=1, as_of=0, has=frozenset({"zone", "clock"})
    )
    assert [each.id for each in given.vectors] == ["type-mx"]
    assert not given.left_out


def made_with(**changes: object) -> None:
    """A plan of which one thing is other."""
    listed, canary = names.make("one.test"), names.make("ok.example", "canary")
    usual = {"names": [listed, canary], "vectors": VECTORS, "resolvers": RESOLVERS, "seed": 1, "as_of": 0}
    plan.make(**{**usual, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"names": [names.make("ok.example", "canary")]}, "no name to measure"),
        ({"names": [names.make("one.test")]}, "no canary.*--canary"),
        ({"names": [names.make("one.test"), names.make("ONE.test."), names.make("ok.example", "canary")]}, "one.test. is there twice"),
        ({"resolvers": RESOLVERS[1:]}, "no resolver is tested.*--resolver"),
        ({"resolvers": [*RESOLVERS, RESOLVERS[0]]}, "two resolvers have the id 'ours'"),
        ({"resolvers": [Resolver("empty", "tested", ())]}, "has no endpoint"),
        ({"vectors": []}, "no vector can be tried"),
        ({"vectors": [*VECTORS, VECTORS[0]]}, "two vectors have the id 'type-a'"),
        ({"vectors": [vector("A", needs=frozenset({"doq"}))]}, "no vector can be tried: type-a: no tested resolver is given with doq"),
        ({"repeats": 0}, "0 repeats"),
        ({"ethics": {"rate": 0.5}}, "float"),
    ],
)
def test_what_is_no_study_is_refused_with_the_remedy(changes: dict[str, object], says: str) -> None:
    made_with()
    with pytest.raises(BadPlan, match=says):
        made_with(**changes)


def test_a_vector_that_sends_something_else_by_now_is_not_taken_for_the_planned_one() -> None:
    made, _ = planned()
    assert made.find(reversed(VECTORS)) == VECTORS
    with pytest.raises(BadPlan, match="type-https, which is not known here"):
        made.find(VECTORS[:2])

    def other(name: Name, random: object) -> list[Ask]:
        return [Ask(message(name.name, "HTTPS", want_dnssec=True))]

    changed: Vector = dataclasses.replace(VECTORS[2], asks=other)
    assert dns.message.from_wire(other(names.make("one.test"), None)[0].wire).question[0].rdtype == 65
    with pytest.raises(BadPlan, match="type-https is not the one that was planned"):
        made.find([*VECTORS[:2], changed])
    with pytest.raises(BadPlan, match="type-https is not the one that was planned"):
        made.find([*VECTORS[:2], dataclasses.replace(VECTORS[2], leak="something else")])
