"""From signed to enforced: `python -m bench.enforce`. Among a million names in force, how long until one order more, or less, is what clients get?

An authority with real keys publishes orders of a thousand names each, signed by two officers, and serves them by `redhand authority serve`. `redhand
resolver` with two workers follows them, first of all from nothing. Then one order of one name is published at a time and, once every worker blocks
it, its withdrawal. The time runs from the signed packet, before its publication, until the last of many sockets, which reach both workers, has the
other verdict; clients ask every few milliseconds for it. In between stands a relay, a process of its own, which counts octets and notes when a hint
and when files pass; the rest is told by when files of the state directory were put in place. What the parts take is a median each, so they add up to
about the median of the whole.
"""

from __future__ import annotations

import gc
import json
import multiprocessing
import os
import re
import select
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from hashlib import sha256
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import typer

from authority import orders
from authority.packets import Packet
from bench import machine
from bench.machine import BenchError
from bench.orders import percentiles
from blocklists.errors import StoreError
from blocklists.store import read_current, read_manifest
from tests.redhand.house import House
from tests.redhand.journey import LANDING, Office, block, follower, office, question, resolver, said
from tests.resolver.servers import HOST, Scripted, says

NAMES = 1_000_000
A_BLOCK = 1_000
"""Names of one order: as many as may stand in it."""
ROUNDS = 100
MOST_SECONDS = 1.0
"""From signed to enforced, of 99 in a hundred."""
WITHIN = 60.0
"""Seconds after which what is not enforced is a failure."""
SOCKETS = 24
EVERY = 0.004
"""Seconds between two questions from one socket."""
RECORD = Path(__file__).parent / "record"
PARTS = {
    "publish": "published: log, checkpoint, metadata",
    "hint": "the hint has passed, after that",
    "fetch": "the last file has passed, after the hint",
    "believe": "proven and in our copy of the log, after the file",
    "version": "judged, version written and current, after that",
    "workers": "the last worker answers by it, after that",
}


# --- the relay


class Relay:
    """Passes connections on to the authority's server, in a process of its own."""

    def __init__(self, port: int) -> None:
        self._pipe, theirs = multiprocessing.Pipe()
        self._process = multiprocessing.get_context("fork").Process(target=_relay, args=(theirs, port), daemon=True)
        self._process.start()
        self.url = f"http://{HOST}:{self._pipe.recv()}/"

    def passed(self) -> list[tuple[float, str, int]]:
        """What has passed since this was last asked: when (monotonic), `hint`, `asked` or `answered`, and how many octets."""
        self._pipe.send(None)
        found: list[tuple[float, str, int]] = self._pipe.recv()
        return found

    def hint(self) -> None:
        """Makes a hint up."""
        self._pipe.send("hint")

    def stop(self) -> None:
        self._process.terminate()
        self._process.join()


def _relay(pipe: Connection, port: int) -> None:
    noted: list[tuple[float, str, int]] = []
    listeners: list[socket.socket] = []
    listening = socket.create_server((HOST, 0))

    def carry(source: socket.socket, sink: socket.socket, whose: dict[str, bool], up: bool) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                sink.sendall(data)
                if up and data.startswith(b"GET /hints "):
                    whose["hints"] = True
                    listeners.append(source)
                if not whose["hints"]:
                    noted.append((time.monotonic(), "asked" if up else "answered", len(data)))
                elif not up and b"data:" in data:
                    noted.append((time.monotonic(), "hint", len(data)))
        with suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    def accept() -> None:
        while True:
            client = listening.accept()[0]
            server = socket.create_connection((HOST, port))
            whose = {"hints": False}
            for one, other, up in ((client, server, True), (server, client, False)):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=carry, args=(one, other, whose, up), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    pipe.send(listening.getsockname()[1])
    while True:
        if pipe.recv() == "hint":
            for each in listeners:
                with suppress(OSError):
                    each.sendall(b"9\r\ndata: 1\n\n\r\n")  # RFC 9112 section 7.1: a chunk of its own
            continue
        found, noted[:] = list(noted), []
        pipe.send(found)


# --- clients


class Clients:
    """Sockets that reach every worker."""

    def __init__(self, port: int) -> None:
        self._sockets = []
        for _ in range(SOCKETS):
            each = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            each.connect((HOST, port))
            each.setblocking(False)
            self._sockets.append(each)

    def until(self, name: str, blocks: bool) -> float:
        """When the last of them had the verdict, by the monotonic clock. Raises BenchError."""
        wire = question(name)
        waiting = set(self._sockets)
        ends = time.monotonic() + WITHIN
        while True:
            for each in waiting:
                with suppress(OSError):
                    each.send(wire)
            again = time.monotonic() + EVERY
            while waiting and (left := again - time.monotonic()) > 0:
                for each in select.select(list(waiting), [], [], left)[0]:
                    with suppress(OSError):
                        octets = each.recv(4096)
                        if octets[12 : 12 + len(name)] == wire[12 : 12 + len(name)] and (said(octets)[0] == LANDING) is blocks:
                            waiting.discard(each)
            if not waiting:
                return time.monotonic()
            if time.monotonic() > ends:
                raise BenchError(f"{name} is not {'blocked' if blocks else 'open'} within {WITHIN:g} s in every worker; see the resolver's log")


# --- the authority


def fill(north: Office, names: int) -> None:
    """Publishes orders of so many names in all."""
    publisher = north.publisher
    assert publisher.present is not None
    files, origin = publisher.present.files, publisher.present.policy.log.origin
    packets = []
    for first in range(0, names, A_BLOCK):
        listed = [f"n{number}.test" for number in range(first, min(names, first + A_BLOCK))]
        made = orders.drafted(block(f"XX-{first}", *listed), origin, None, files)
        for officer in ("north-1", "north-2"):
            key = north.cast[officer]
            made = made.with_signature(key.key.keyid, key.sign(made.signed_bytes()))
        packets.append(Packet("directive", made, files))
    publisher.publish(packets, int(time.time()))


def in_force(running: House) -> int:
    """Entries of the log that the version in force knows of."""
    try:
        state = running.directory / "state"
        return int((read_manifest(state, *read_current(state))["orders"] or {}).get("size", 0))
    except StoreError:
        return 0


# --- measuring


def put_in_place(path: Path) -> float:
    """When a file got its name, by the monotonic clock: a rename sets its inode's time of change."""
    return path.stat().st_ctime + time.monotonic() - time.time()


def measure(folder: Path, names: int, rounds: int) -> dict[str, Any]:
    """All figures. Raises BenchError when what is measured does not work."""
    most = 100 * names
    with ExitStack() as stack:
        upstream = stack.enter_context(Scripted(says("A 198.51.100.7")))
        north = stack.enter_context(office(folder, limits={"names_per_hour": most, "names_per_day": most}))
        began = time.monotonic()
        fill(north, names)
        filled = time.monotonic() - began
        assert north.server is not None
        relay = Relay(north.server.port)
        stack.callback(relay.stop)
        began = time.monotonic()
        running = stack.enter_context(resolver(folder, north, upstream, "isp-1", feed={"urls": [relay.url]}))
        clients = Clients(running.port)
        clients.until(f"n{names - 1}.test", True)
        first = time.monotonic() - began
        first_octets = sum(octets for _, _, octets in relay.passed())
        # As a process that keeps many orders for long does: to look at them all for cycles takes seconds.
        gc.collect()
        gc.freeze()
        settle(running, relay)
        found = _rounds(north, running, relay, clients, rounds)
        manifest = read_manifest(running.directory / "state", *read_current(running.directory / "state"))
        if manifest["layers"]["orders"]["names"] != names:
            raise BenchError(f"{manifest['layers']['orders']['names']} names are in force in the end, and {names} should be")
        return {
            "names": names,
            "orders": -(-names // A_BLOCK),
            "rounds": rounds,
            "load_average": round(os.getloadavg()[0], 1),
            "signing_and_publishing_them_seconds": round(filled, 1),
            "first_sync_to_enforced_seconds": round(first, 1),
            "first_sync_octets": first_octets,
            **found,
            "octets_a_look_without_news": _without_news(relay),
            "memory_mb": {name: round(machine.pss_bytes(running.pid(name)) / 1e6, 1) for name in ("feed", "worker-0", "worker-1")},
            "memory_peak_mb": {"feed": _peak(running.pid("feed"))},
        }


def settle(running: House, relay: Relay) -> None:
    """Waits until nothing of the beginning goes on: no file passes, and no base is written anew."""
    quiet_since = time.monotonic()
    ends = time.monotonic() + 2 * WITHIN
    serial = 0
    while time.monotonic() - quiet_since < 3 and time.monotonic() < ends:
        time.sleep(0.5)
        now = read_current(running.directory / "state")[0]
        if relay.passed() or now != serial or any("blocklists.background" in part for each in running.processes() for part in each.cmdline()):
            quiet_since = time.monotonic()
        serial = now


def _rounds(north: Office, running: House, relay: Relay, clients: Clients, rounds: int) -> dict[str, Any]:
    whole: dict[str, list[float]] = {"order": [], "withdrawal": []}
    parts: dict[str, dict[str, list[float]]] = {kind: {part: [] for part in PARTS} for kind in whole}
    octets: dict[str, list[int]] = {kind: [] for kind in whole}
    for number in range(rounds):
        identity, name = f"XX-2026-{number}", f"new{number}.round.test"
        clients.until(name, False)
        packet = north.sign(block(identity, name))
        digest = "sha256:" + sha256(packet.envelope.payload).hexdigest()
        withdrawal = north.sign(follower(identity, "withdraw", follows=digest), "north-1")
        for kind, signed in (("order", packet), ("withdrawal", withdrawal)):
            relay.passed()
            began = time.monotonic()
            size = north.publish(signed)
            published = time.monotonic()
            done = clients.until(name, kind == "order")
            whole[kind].append(done - began)
            ends = time.monotonic() + WITHIN
            while in_force(running) < size and time.monotonic() < ends:
                time.sleep(0.01)
            time.sleep(0.1)  # for what of this look still passes
            noted = relay.passed()
            state = running.directory / "state"
            hints = [at for at, what, _ in noted if what == "hint" and at >= began]
            logged, current = put_in_place(state / "log" / "size"), put_in_place(state / "current")
            files = [at for at, what, _ in noted if what == "answered" and at <= logged + 0.004]
            octets[kind].append(sum(each for _, what, each in noted if what != "hint"))
            hinted = max(published, hints[0]) if hints else published
            times = (began, published, hinted, files[-1] if files else hinted, logged, current, done)
            for part, before, after in zip(PARTS, times, times[1:], strict=False):
                parts[kind][part].append(max(0.0, after - before))
    return {
        kind: {
            **{f"{name}_ms": value for name, value in percentiles(whole[kind]).items()},
            "slowest_ms": [_shown(parts[kind], at) for at in sorted(range(rounds), key=lambda at: -whole[kind][at])[:5]],
            "parts_ms": {part: percentiles(found) for part, found in parts[kind].items() if found},
            "octets_median": int(median(octets[kind])),
        }
        for kind in whole
    }


def _shown(parts: dict[str, list[float]], at: int) -> dict[str, float]:
    """The parts of one round, in milliseconds."""
    return {part: round(found[at] * 1e3, 1) for part, found in parts.items()}


def _without_news(relay: Relay) -> int:
    """Octets of a look that finds nothing new, caused by a hint that the relay makes up."""
    found = 0
    for _ in range(2):  # the first may meet what the last round left
        time.sleep(2)
        relay.passed()
        relay.hint()
        time.sleep(2)
        found = sum(octets for _, _, octets in relay.passed())
    return found


def _peak(pid: int) -> float:
    found = re.search(r"^VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(encoding="ascii"), re.MULTILINE)
    return round(int(found.group(1)) * 1024 / 1e6, 1) if found else 0.0


@contextmanager
def _scratch() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="redhand-enforce-") as folder:
        yield Path(folder)


def run(
    names: Annotated[int, typer.Option(min=A_BLOCK, help="Names in force.")] = NAMES,
    rounds: Annotated[int, typer.Option("--orders", min=1, help="Orders put in force, and withdrawn, one after the other.")] = ROUNDS,
    out: Annotated[Path | None, typer.Option(help="Folder for the record, instead of bench/record/DATE-enforce.")] = None,
) -> None:
    """Measure from signed to enforced, and write the dated record; ends with status 1 when a promise is not kept. Some 5 minutes."""
    with _scratch() as folder:
        found = measure(folder, names, rounds)
    day = datetime.now(UTC).date().isoformat()
    facts = machine.facts()
    kept = all(found[kind]["p99_ms"] <= MOST_SECONDS * 1e3 for kind in ("order", "withdrawal"))
    to = out or RECORD / f"{day}-enforce"
    to.mkdir(parents=True, exist_ok=True)
    (to / "result.json").write_text(json.dumps({"date": day, "machine": facts, "kept": kept, **found}, indent=1) + "\n", encoding="utf-8")
    table = _table(day, facts, found, kept)
    (to / "table.md").write_text(table, encoding="utf-8")
    print(table)
    if not kept:
        raise typer.Exit(1)


def _table(day: str, facts: dict[str, str | int], found: dict[str, Any], kept: bool) -> str:
    memory = ", ".join(f"{name} {value:,} MB" for name, value in found["memory_mb"].items())
    lines = [
        f"# From signed to enforced among {found['names']:,} names, {day}",
        "",
        f"{facts['processor']}, {facts['cores']} cores; {facts['kernel']}; Python {facts['python']}; revision {facts['revision']}.",
        f"{found['rounds']} orders of one name, and their withdrawals; two workers. Processes that wanted a core meanwhile, of all on this machine:",
        f"{found['load_average']}. The first lines of `bench/enforce.py` say how it is measured. Milliseconds.",
        "",
        "| | order p50 | p99 | max | withdrawal p50 | p99 | max |",
        "|---|---|---|---|---|---|---|",
    ]
    rows = [("**signed until enforced in every worker**", [{name: found[kind][f"{name}_ms"] for name in ("p50", "p99", "max")} for kind in KINDS])]
    rows += [(title, [found[kind]["parts_ms"].get(part, {}) for kind in KINDS]) for part, title in PARTS.items()]
    for title, kinds in rows:
        lines.append(f"| {title} | " + " | ".join(f"{each.get(name, '')}" for each in kinds for name in ("p50", "p99", "max")) + " |")
    lines += [
        "",
        f"- 99 in a hundred within {MOST_SECONDS:g} s: {'kept' if kept else 'NOT KEPT'}",
        f"- transferred for one order {found['order']['octets_median']:,} octets, for a withdrawal {found['withdrawal']['octets_median']:,} (the "
        f"median; receipts included), for a look that finds nothing new {found['octets_a_look_without_news']:,}; both ways, HTTP's own included",
        f"- from nothing to all enforced, the resolver's own start included: {found['first_sync_to_enforced_seconds']} s, "
        f"{found['first_sync_octets'] / 1e6:.1f} MB on the wire, {found['orders']:,} orders",
        f"- memory: {memory}; most that the feed's process ever had: {found['memory_peak_mb']['feed']:,} MB",
        "",
    ]
    return "\n".join(lines)


KINDS = ("order", "withdrawal")


if __name__ == "__main__":
    typer.run(run)
