"""What the API says of itself is so: whatever is sent to any call, the answer is one that the description names, and none is a fault of ours.

A seed is printed; DESK_SEED repeats it, DESK_EXAMPLES and DESK_SECONDS look longer. Most paths name what exists, so that not all ends with 404.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance, status_code_conformance

from authority.desk.desk import KINDS
from authority.desk.web.forms import FORMS
from tests.authority.desk.outside.programs import Programs

SECONDS = float(os.environ.get("DESK_SECONDS", "30"))
EXAMPLES = int(os.environ.get("DESK_EXAMPLES", "10"))
"""Of each operation, with what fits its description and with what does not."""
SEED = int(os.environ.get("DESK_SEED", time.time_ns() % 1_000_000_000))
WHO = ("officer", "officer-2", "reviewer", "clerk", "administrator", "auditor", "flagger")
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


def known(house: Programs) -> dict[str, list[Any]]:
    """What exists, by what paths call it."""
    number, order = house.ordered("known.test", ".under.known.test")
    open_ones = [house.case(f"open-{each}.test") for each in range(3)]
    drafted = house.draft(open_ones[0])
    waiting = house.opened(open_ones[1])
    taken = house.ask("clerk", "POST", "/referrals", 201, json={"names": ["known.test"]})
    kept = house.ask("clerk", "POST", f"/cases/{number}/evidence", 201, params={"label": "x", "why": "y"}, content=b"z")
    imported = house.ask("clerk", "POST", "/imports", 202, content=b"names\nimported.test\n")
    return {
        "number": [number, *open_ones],
        "digest": [order.digest, drafted.digest, waiting.digest],
        "reference": [taken["reference"]],
        "id": [1, kept["id"], imported["id"]],
        "step": list(FORMS),
        "index": [order.log_index, 0, 1],
        "login": ["clerk", "officer", "nobody"],
        "kind": list(KINDS),
        "order_id": [order.order_id, "XX-1"],
    }


def test_every_answer_is_as_described_and_none_is_a_fault_of_ours(house: Programs) -> None:
    print(f"seed {SEED}")
    there = known(house)
    schema = schemathesis.openapi.from_url(f"{house.url}/api/v1/openapi.json")
    operations = [each.ok() for each in schema.get_all_operations()]
    assert len(operations) > 70
    # Of the processor's time: on a busy machine the clock's would be over before the first call.
    began, statuses = time.process_time(), Counter[int]()
    for place, operation in enumerate(operations, 1):
        attempt(house, operation, GenerationMode.POSITIVE, there, began + SECONDS * (place - 0.5) / len(operations), statuses)
        attempt(house, operation, GenerationMode.NEGATIVE, there, began + SECONDS * place / len(operations), statuses)
    print(f"{statuses.total()} calls of {len(operations)} operations: {dict(sorted(statuses.items()))}")
    assert {200, 403, 404, 409, 422} <= statuses.keys()


def attempt(house: Programs, operation: Any, mode: GenerationMode, there: dict[str, list[Any]], end: float, statuses: Counter[int]) -> None:
    """Calls of one operation, until the time is over, and one in any case."""
    before = statuses.total()

    @seed(SEED)
    @settings(max_examples=EXAMPLES, deadline=None, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(generation_mode=mode), who=st.sampled_from(WHO), real=st.integers(0, 2), data=st.data())
    def call(case: Any, who: str, real: int, data: Any) -> None:
        if time.process_time() > end and statuses.total() > before:
            return
        for name in case.path_parameters or {}:
            if real and name in there:
                case.path_parameters[name] = data.draw(st.sampled_from(there[name]))
        answer = case.call(headers={"Authorization": f"Bearer {house.keys[who]}"})
        case.validate_response(answer, checks=CHECKS)
        statuses[answer.status_code] += 1

    call()
