"""What names an id or a nonce is found among the log's entries without decoding the others: the same entries as by decoding each."""

from __future__ import annotations

import base64
import json
import random
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from authority.sought import FEW, TOGETHER, Sought, traces
from blocklists.log.entry import Entry
from blocklists.trust import strict
from blocklists.trust.envelope import DIRECTIVE, Envelope

TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=6) | st.sampled_from(['","id":"A"', 'id":"A', '\\","id":"A', "A", "AA", "é"])
IDS = st.lists(TEXT, max_size=4)
DOCUMENTS = st.dictionaries(st.sampled_from(["id", "nonce", "identity", "a", "zz", "reasons"]), TEXT | st.dictionaries(st.just("id"), TEXT))


def entry(document: dict[str, Any]) -> bytes:
    return Entry(1, Envelope(DIRECTIVE, strict.write(document), (("k", b"s" * 64),))).encode()


def plainly(entries: list[bytes], ids: list[str], nonces: list[str]) -> list[tuple[int, bytes]]:
    """The slow twin: each entry is decoded, each field looked for."""
    fields = [f'"{name}":{json.dumps(value, ensure_ascii=False)}'.encode() for name, values in (("id", ids), ("nonce", nonces)) for value in values]
    found = [base64.b64decode(json.loads(data).get("envelope", {}).get("payload", "")) for data in entries]
    return [(index, entries[index]) for index, payload in enumerate(found) if any(field in payload for field in fields)]


@given(st.binary(), st.binary(min_size=5), st.binary())
def test_a_text_leaves_a_trace_wherever_it_begins(before: bytes, text: bytes, after: bytes) -> None:
    assert any(trace in base64.b64encode(before + text + after) for trace in traces(text))
    assert all(traces(text))


@given(st.lists(DOCUMENTS, max_size=8), IDS, IDS, st.booleans())
@example([{"id": "A"}, {"a": '"id":"A"'}, {"reasons": {"id": "A"}}], ["A"], [], False)
def test_the_same_entries_are_found_as_by_decoding_each(documents: list[dict[str, Any]], ids: list[str], nonces: list[str], many: bool) -> None:
    entries = [*map(entry, documents), Entry(1, None, "sha256:" + "0" * 64, 1).encode()]
    if many:
        ids = ids + [f"other-{number}" for number in range(FEW)]
    assert list(Sought(ids, nonces).among(entries)) == plainly(entries, ids, nonces)


def test_among_many_entries_each_has_its_place() -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    dice = random.Random(seed)
    entries = [entry({"id": f"XX-{dice.randrange(400)}", "nonce": f"{dice.getrandbits(128):032x}"}) for _ in range(3 * TOGETHER - 7)]
    for count in (0, 1, 3, FEW + 1):
        ids = [f"XX-{dice.randrange(400)}" for _ in range(count)]
        assert list(Sought(ids, []).among(entries)) == plainly(entries, ids, [])
