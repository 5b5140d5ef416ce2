"""A first sync's judging: `python -m bench.docket`. How long do 50,000 orders with two signatures each take to fold, on one core, in how much memory?

Orders are made with real keys, as long as real ones, and lie in a file; a process of its own folds them, so that its memory is that of the fold. Then
it folds them again with the verdicts of the first time, as a restart does, and takes one order more, as a hint brings it. Every order must stand, and
one with an octet changed must not. The floor beside it: the bare verification of as many signatures.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import typer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from securesystemslib.signer import CryptoSigner  # type: ignore[attr-defined]

from bench import machine
from bench.machine import BenchError
from blocklists.directive import canonical
from blocklists.docket import Data, Docket, Verdict
from blocklists.guards import suffixes
from blocklists.log.entry import Entry
from blocklists.trust import policy
from blocklists.trust.envelope import DIRECTIVE, Envelope

ORDERS = 50_000
MOST_SECONDS, MOST_MEGABYTES = 30.0, 250.0
START = 1_772_323_200
MORE = 50
RECORD = Path(__file__).parent / "record"
TEXTS = {
    "en": "Apology of terrorism. The publisher was asked to remove it and did not answer within twenty-four hours.",
    "fr": "Apologie du terrorisme. L'éditeur, à qui le retrait a été demandé, n'a pas répondu dans les vingt-quatre heures.",
}


def run(
    orders: Annotated[int, typer.Option(min=100, help="Orders in the log.")] = ORDERS,
    names: Annotated[int, typer.Option(min=1, max=1000, help="Names in each order.")] = 1,
    out: Annotated[Path | None, typer.Option(help="Folder for the record, instead of bench/record/DATE-docket-NAMES.")] = None,
) -> None:
    """Make the log, fold it, and write a record; ends with status 1 when a promise is not kept. Takes about two minutes."""
    with tempfile.TemporaryDirectory(prefix="redhand-docket-") as scratch:
        rules, path = _make(Path(scratch), orders, names)
        child = subprocess.run([sys.executable, "-m", "bench.docket", "fold", str(rules), str(path)], check=True, capture_output=True, text=True)
    found = json.loads(child.stdout)
    if found["stand"] != orders:
        raise BenchError(f"{found['stand']} of {orders} orders stand; see tests/blocklists/test_docket.py")
    kept = found["fold_seconds"] <= MOST_SECONDS * orders / ORDERS and found["peak_megabytes"] <= MOST_MEGABYTES
    day = datetime.now(UTC).date().isoformat()
    folder = out or RECORD / f"{day}-docket-{names}"
    folder.mkdir(parents=True, exist_ok=True)
    whole = {"date": day, "machine": machine.facts(), "orders": orders, "names": names, **found, "kept": kept}
    (folder / "result.json").write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
    table = _table(whole)
    (folder / "table.md").write_text(table, encoding="utf-8")
    print(table)
    if not kept:
        raise typer.Exit(1)


def _make(scratch: Path, orders: int, names: int) -> tuple[Path, Path]:
    """The policy's file, and that of the entries: one more order than is folded at once, MORE times over."""
    signers = {name: CryptoSigner(Ed25519PrivateKey.generate()) for name in ("officer-1", "officer-2", "log")}
    rules = {
        "type": "policy",
        "version": 1,
        "log": {"origin": "orders.authority.example/bench", "key": signers["log"].public_key.to_dict()},
        "epochs": [
            {
                "begins": 0,
                "authorities": {"office": {"name": "Office", "contact": "office@authority.example"}},
                "categories": {"terrorism": {"authorities": ["office"], "texts": TEXTS}},
                "officers": {
                    name: {"role": "officer", "authority": "office", "person": name, "key": signers[name].public_key.to_dict()}
                    for name in ("officer-1", "officer-2")
                },
                "limits": {"names_per_hour": 2**40, "names_per_day": 2**40},
            }
        ],
    }
    (scratch / "policy.json").write_bytes(policy.Policy.model_validate(rules).encode())
    with open(scratch / "entries", "wb") as file:
        for number in range(orders + MORE):
            envelope = Envelope(DIRECTIVE, canonical(_order(number, names)))
            for name in ("officer-1", "officer-2"):
                signature = signers[name].sign(envelope.signed_bytes()).signature
                envelope = envelope.with_signature(signers[name].public_key.keyid, bytes.fromhex(signature))
            data = Entry(START + number, envelope).encode()
            file.write(len(data).to_bytes(2, "big") + data)
    return scratch / "policy.json", scratch / "entries"


def _order(number: int, names: int) -> dict[str, Any]:
    return {
        "type": "directive",
        "version": 1,
        "log": "orders.authority.example/bench",
        "nonce": f"{number:032x}",
        "id": f"FR-2026-{number:06}",
        "action": "block",
        "issuer": {"authority": "Office of the example", "contact": "office@authority.example", "signers": ["officer-1", "officer-2"]},
        "targets": [{"fqdn": f"name-{number}-{place}.example", "match": "subtree"} for place in range(names)],
        "category": "terrorism",
        "legal_basis": "Example act 2026-1, article 6-1",
        "reasons": TEXTS,
        "removal_request": {
            "sent_at": "2026-02-26T09:00:00Z",
            "recipient": "abuse@host.example",
            "deadline": "2026-02-27T09:00:00Z",
            "outcome": "no answer",
        },
        "issued_at": "2026-02-28T09:00:00Z",
        "effective_at": "2026-03-01T00:00:00Z",
        "review_due": "2027-02-14T00:00:00Z",
        "expires_at": "2027-02-28T00:00:00Z",
        "redress": {"url": "https://authority.example/appeal", "deadline_days": 60, "court": "Court of the example", "text": TEXTS},
        "territorial_scope": "FR",
    }


def _read(path: Path) -> Iterator[bytes]:
    with open(path, "rb") as file:
        while size := file.read(2):
            yield file.read(int.from_bytes(size, "big"))


def fold(rules: Path, path: Path) -> dict[str, Any]:
    """What one process measures of itself. Seconds are those of its processor time."""
    data = Data(policy.load(rules.read_bytes()), (), suffixes())
    count = sum(1 for _ in _read(path)) - MORE
    docket = Docket(data)
    began = time.process_time()
    for index, entry in zip(range(count), _read(path), strict=False):
        docket.take(index, entry)
    folded = time.process_time() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    state = docket.state(START)
    more = []
    for index, entry in enumerate(_read(path)):
        if index < count:
            continue
        began = time.process_time()
        docket.take(index, entry)
        changed = docket.state(START)
        listed = [basis for identity in changed.changed for basis in changed.of(identity)]
        more.append(time.process_time() - began)
        if len(listed) != 1:
            raise BenchError(f"order {index} changes {len(listed)} bases, and should change one")
    stand = len(docket.cases) - MORE - len(state.skipped) - len(state.held)
    del docket, state, changed
    return {"stand": stand, "fold_seconds": folded, "peak_megabytes": peak, "more_ms": median(more) * 1e3, **_again(data, path, count)}


def _again(data: Data, path: Path, count: int) -> dict[str, float]:
    """With the verdicts known; and the floor."""
    verdicts: list[Verdict] = []
    first, second = Docket(data), Docket(data)
    few = min(count, 5_000)
    for index, entry in zip(range(few), _read(path), strict=False):
        verdicts.append(first.take(index, entry))
    began = time.process_time()
    for index, entry in zip(range(few), _read(path), strict=False):
        second.take(index, entry, verdicts[index])
    again = (time.process_time() - began) * count / few
    damaged = bytearray(next(_read(path)))
    place = damaged.index(b'"sig":"') + 20
    damaged[place] = ord("A") if damaged[place] != ord("A") else ord("B")
    if not Docket(data).take(0, bytes(damaged)).rule:
        raise BenchError("an order with an altered signature stands; see tests/blocklists/test_docket.py")
    private = Ed25519PrivateKey.generate()
    public, signature = private.public_key(), private.sign(bytes(1_000))
    began = time.process_time()
    for _ in range(2_000):
        public.verify(signature, bytes(1_000))
    return {"again_seconds": again, "floor_seconds": (time.process_time() - began) * count / 1_000}


def _table(whole: dict[str, Any]) -> str:
    facts = whole["machine"]
    return "\n".join(
        [
            f"# {whole['orders']:,} orders of {whole['names']} name(s), two signatures each, {whole['date']}",
            "",
            f"{facts['processor']}, {facts['cores']} cores; {facts['kernel']}; Python {facts['python']}; revision {facts['revision']}.",
            "The first lines of `bench/docket.py` say how it is measured.",
            "",
            "| | | at most |",
            "|---|---|---|",
            f"| fold them all | {whole['fold_seconds']:.1f} s | {MOST_SECONDS:g} s for {ORDERS:,} |",
            f"| memory of the process, at its peak | {whole['peak_megabytes']:.0f} MB | {MOST_MEGABYTES:g} MB |",
            f"| fold them again, verdicts known | {whole['again_seconds']:.1f} s | |",
            f"| one more, to its bases | {whole['more_ms']:.2f} ms | |",
            f"| floor: their signatures alone | {whole['floor_seconds']:.1f} s | |",
            "",
            f"The promise is {'kept' if whole['kept'] else '**not kept**'}.",
            "",
        ]
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["fold"]:
        print(json.dumps(fold(Path(sys.argv[2]), Path(sys.argv[3]))))
    else:
        typer.run(run)
