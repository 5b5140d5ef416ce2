"""Publishing into a long log: `python -m bench.publishing`. How long does `redhand authority publish` take when 50,000 orders are logged already?

The log is appended at once, each order signed by two officers; what is measured is the command, from its start as a process to its end, and the part
of it that depends on the log: handing the packet to the server that runs, until its answer. With the server: a withdrawal and an order handed over
while it still reads the log, orders and a withdrawal after that, and an order after one that was refused. Then without a server. The policy's limits
have room for every order, so that none needs the whole log; but each entry is of the last day, and all their names are counted. Every outcome is
checked against the log. Beside the seconds that passed stand those of the processor, of the server's process or of the command: they say what it
costs on a machine that has other work, too.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import psutil
import typer

from authority import handover, keys, spec
from authority.ceremony import ceremony
from authority.drafts import draft_order
from authority.errors import AuthorityError
from authority.keys import KeyInMemory
from authority.packets import Packet, sign_packet
from authority.publisher import Publisher
from bench import machine
from bench.machine import BenchError
from blocklists.directive import canonical
from blocklists.log.entry import Entry
from blocklists.log.tree import Tree
from blocklists.trust.envelope import DIRECTIVE, Envelope

ORDERS = 50_000
ROUNDS = 10
MOST_SECONDS = 1.0
"""For handing over, whether the server has read the log or not."""
QUIET_LOOKS = 20
"""Looks in a row, 0.05 s apart, at which the server's process waits for something: it has read the log."""
ORIGIN = "orders.authority.example/bench"
RECORD = Path(__file__).parent / "record"


def run(
    orders: Annotated[int, typer.Option(min=10, help="Orders in the log.")] = ORDERS,
    out: Annotated[Path | None, typer.Option(help="Folder for the record, instead of bench/record/DATE-publish.")] = None,
) -> None:
    """Measure it and write a record; ends with status 1 when a promise is not kept. Takes a few minutes."""
    with tempfile.TemporaryDirectory(prefix="redhand-publishing-") as scratch:
        figures = _measured(Path(scratch), orders)
    promised = ("withdrawal_while_reading", "order_while_reading", "order_median", "withdrawal", "order_after_refusal")
    kept = all(figures[name].seconds <= MOST_SECONDS for name in promised)
    day = datetime.now(UTC).date().isoformat()
    folder = out or RECORD / f"{day}-publish"
    folder.mkdir(parents=True, exist_ok=True)
    whole = {
        "date": day,
        "machine": machine.facts(),
        "orders": orders,
        "load": os.getloadavg()[0],
        **{name: each._asdict() for name, each in figures.items()},
        "kept": kept,
    }
    (folder / "result.json").write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
    (folder / "table.md").write_text(_table(whole), encoding="utf-8")
    print(_table(whole))
    if not kept:
        raise typer.Exit(1)


class _Took(NamedTuple):
    seconds: float
    processor: float


class _Office:
    """An authority with a long log, and everybody's keys."""

    def __init__(self, directory: Path, orders: int) -> None:
        self.directory = directory
        self.people: dict[str, KeyInMemory] = {name: keys.generate() for name in ("root", "targets", "officer-1", "officer-2", "reviewer-1")}
        held = {name: keys.holder(signer.key, name) for name, signer in self.people.items()}
        now = int(time.time())
        document = {
            "origin": ORIGIN,
            "root": {"threshold": 1, "keys": [held["root"]]},
            "targets": {"threshold": 1, "keys": [held["targets"]]},
            "authorities": {"office": {"name": "Office", "contact": "office@authority.example"}},
            "officers": {name: {"authority": "office", "key": held[name]} for name in ("officer-1", "officer-2")},
            "reviewers": {"reviewer-1": held["reviewer-1"]},
            "categories": {"terrorism": {"authorities": ["office"], "threshold": 2, "texts": {"en": "An example."}}},
            "limits": {"names_per_hour": 2**40, "names_per_day": 2**40},
        }
        root, targets = ceremony(directory, spec.from_document(document, directory), now)
        publisher = Publisher(directory)
        publisher.publish([self.signed(root, "root"), self.signed(targets, "targets")], now)
        Tree(directory / "public" / "log").append([self._entry(number, now - orders + number) for number in range(orders)])
        Publisher(directory).publish([], now)

    def signed(self, packet: Packet, *names: str) -> Packet:
        for name in names:
            packet = sign_packet(packet, self.people[name])
        return packet

    def order(self, number: int, *names: str) -> Packet:
        document = {**_order(number), "nonce": None}
        return self.signed(draft_order(self.directory, {name: value for name, value in document.items() if value is not None}), *names)

    def withdrawal(self, number: int) -> Packet:
        kept = ("id", "issuer", "reasons", "issued_at")
        document = {name: value for name, value in _order(number).items() if name in kept}
        return self.signed(draft_order(self.directory, {**document, "action": "withdraw"}), "reviewer-1")

    def _entry(self, number: int, at: int) -> bytes:
        envelope = Envelope(DIRECTIVE, canonical(_order(number)))
        for name in ("officer-1", "officer-2"):
            signer = self.people[name]
            envelope = envelope.with_signature(signer.key.keyid, signer.sign(envelope.signed_bytes()))
        return Entry(at, envelope).encode()


def _order(number: int) -> dict[str, Any]:
    return {
        "type": "directive",
        "version": 1,
        "log": ORIGIN,
        "nonce": f"{number:032x}",
        "id": f"FR-2026-{number:06}",
        "action": "block",
        "issuer": {"authority": "Office", "contact": "office@authority.example"},
        "targets": [{"fqdn": f"name-{number}.example", "match": "subtree"}],
        "category": "terrorism",
        "legal_basis": "Example act 2026-1, article 6-1",
        "reasons": {"en": "Apology of terrorism. The publisher was asked to remove it and did not answer within twenty-four hours."},
        "owner_unidentifiable": True,
        "owner_unidentifiable_why": "Nobody answers.",
        "issued_at": "2026-02-28T09:00:00Z",
        "effective_at": "2026-03-01T00:00:00Z",
        "expires_at": "2027-02-28T00:00:00Z",
        "redress": {"url": "https://authority.example/appeal", "deadline_days": 60, "court": "Court of the example"},
    }


def _measured(scratch: Path, orders: int) -> dict[str, _Took]:
    office = _Office(scratch / "authority", orders)
    found: dict[str, _Took] = {}
    began, spent = time.perf_counter(), time.process_time()
    early = office.withdrawal(1)
    found["draft_of_a_withdrawal"] = _Took(time.perf_counter() - began, time.process_time() - spent)
    more = iter([office.order(orders + number, "officer-1", "officer-2") for number in range(ROUNDS + 3)])
    late, later = office.withdrawal(orders // 2), office.withdrawal(orders - 1)
    bad = office.order(orders + ROUNDS + 3, "officer-1")
    with _served(office.directory) as server:
        handover.hand_over(office.directory, [], lambda _: None)  # it is there
        keeper = next(each for each in server.children() if "authority.keeper" in each.cmdline())
        found["withdrawal_while_reading"] = _handed(office, keeper, early)
        found["order_while_reading"] = _handed(office, keeper, next(more))
        found["server_reads_the_log"] = _read(keeper)
        took = sorted(_handed(office, keeper, next(more)) for _ in range(ROUNDS))
        found |= {"order_median": took[ROUNDS // 2], "order_slowest": took[-1], "withdrawal": _handed(office, keeper, late)}
        try:
            _handed(office, keeper, bad)
        except AuthorityError:
            pass
        else:
            raise BenchError("an order with one signature of two was published")
        found["order_after_refusal"] = _handed(office, keeper, next(more))
        found["command_order"] = _command(office, next(more), scratch)
    found["alone_withdrawal"] = _command(office, later, scratch)
    found["alone_order"] = _command(office, office.order(orders + 2 * ROUNDS, "officer-1", "officer-2"), scratch)
    size = Tree(office.directory / "public" / "log").size
    if size != orders + 3 + ROUNDS + 4:
        raise BenchError(f"the log has {size} entries, and {orders} and {ROUNDS + 7} more were published; see tests/authority/test_handover.py")
    return found


def _read(keeper: psutil.Process) -> _Took:
    """What it takes from the start of the server's process until it has read the log."""
    quiet = 0
    while quiet < QUIET_LOOKS:
        quiet = quiet + 1 if keeper.status() == psutil.STATUS_SLEEPING else 0
        time.sleep(0.05)
    return _Took(time.time() - keeper.create_time(), sum(keeper.cpu_times()[:2]))


def _handed(office: _Office, keeper: psutil.Process, packet: Packet) -> _Took:
    """What it takes until the server has published it."""
    began, spent = time.perf_counter(), sum(keeper.cpu_times()[:2])
    done = handover.hand_over(office.directory, [packet], lambda _: None)
    took = _Took(time.perf_counter() - began, sum(keeper.cpu_times()[:2]) - spent)
    if done is None or done.orders[0].already:
        raise BenchError("the server did not publish it; see its log above")
    return took


def _command(office: _Office, packet: Packet, scratch: Path) -> _Took:
    """What the whole command takes."""
    path = scratch / "order.packet.json"
    path.write_bytes(packet.encode())
    began, spent = time.perf_counter(), sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])
    _redhand("publish", office.directory, path)
    return _Took(time.perf_counter() - began, sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2]) - spent)


def _redhand(*arguments: object) -> None:
    subprocess.run([sys.executable, "-m", "redhand", "authority", *map(str, arguments)], check=True, stdout=subprocess.DEVNULL)


@contextmanager
def _served(directory: Path) -> Iterator[psutil.Process]:
    arguments: Sequence[str] = [sys.executable, "-m", "redhand", "authority", "serve", str(directory), "--listen", f"127.0.0.1:{machine.free_port()}"]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, start_new_session=True) as process:
        try:
            if process.stdout is None or not process.stdout.readline():
                raise BenchError("the server did not start; see what it said above")
            yield psutil.Process(process.pid)
        finally:
            os.kill(process.pid, signal.SIGTERM)


def _table(whole: dict[str, Any]) -> str:
    facts = whole["machine"]
    most = f"{MOST_SECONDS:g} s"
    rows = (
        ("a withdrawal handed over while the server still reads the log", "withdrawal_while_reading", most),
        ("an order then", "order_while_reading", most),
        ("from the server's start until it has read the log", "server_reads_the_log", ""),
        (f"an order handed over after that, median of {ROUNDS}", "order_median", most),
        ("the slowest of them", "order_slowest", ""),
        ("a withdrawal handed over after that", "withdrawal", most),
        ("an order after one that was refused", "order_after_refusal", most),
        ("the whole command, server running: an order", "command_order", ""),
        ("the whole command, no server: a withdrawal", "alone_withdrawal", ""),
        ("the whole command, no server: an order", "alone_order", ""),
        ("drafting a withdrawal", "draft_of_a_withdrawal", ""),
    )
    return "\n".join(
        [
            f"# Publishing into a log of {whole['orders']:,} orders, {whole['date']}",
            "",
            f"{facts['processor']}, {facts['cores']} cores; {facts['kernel']}; Python {facts['python']}; revision {facts['revision']}.",
            f"The first lines of `bench/publishing.py` say how it is measured. Load average of the machine at the end: {whole['load']:.1f}.",
            "",
            "| | passed | processor | at most |",
            "|---|---|---|---|",
            *(f"| {what} | {whole[name]['seconds']:.2f} s | {whole[name]['processor']:.2f} s | {limit} |" for what, name, limit in rows),
            "",
            "The promise is kept." if whole["kept"] else "THE PROMISE IS NOT KEPT.",
            "",
        ]
    )


if __name__ == "__main__":
    typer.run(run)
