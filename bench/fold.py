"""How long the desk takes to fold a log and a book of receipts that it has never seen, and one receipt more: 50,000 orders, 20 operators.

    python -m bench.fold [ORDERS [OPERATORS [RECEIPTS]]]

Log, book and policy are real ones; RECEIPTS of each operator (500) cover the log evenly. One operator is silent from the middle on. Times are of this
process: seconds that passed, and seconds of the processor, which a busy machine does not lengthen.
"""

from __future__ import annotations

import base64
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from authority import receipts
from authority.desk import compliance
from authority.desk.desk import Desk
from authority.desk.enforcement.tables import Enforcement
from authority.desk.settings import DeskSettings
from authority.desk.tables import Base
from blocklists import receipt
from blocklists.directive import canonical
from blocklists.log.entry import Entry
from blocklists.log.tree import Tree
from blocklists.receipt import Receipt
from blocklists.trust import strict
from blocklists.trust.envelope import DIRECTIVE, RECEIPT, Envelope
from tests.authority.cast import NOW, ORIGIN, Cast, found, order
from tests.authority.desk.compliance.world import DAY, moment
from tests.authority.feeding import registered

EVERY = 600
"""Seconds between two orders."""
PIECE = 1000


@contextmanager
def timed(what: str) -> Iterator[None]:
    """Prints how long it took."""
    begun, used = time.perf_counter(), time.process_time()
    yield
    print(f"{what:<50} {time.perf_counter() - begun:9.1f} s   {time.process_time() - used:9.1f} s of the processor", flush=True)


def log(desk: Desk, orders: int) -> Tree:
    """Orders, evenly; every tenth withdraws the one before."""
    tree = Tree(desk.places.log)
    made: list[bytes] = []
    digest = ""
    for index in range(orders):
        at = NOW + index * EVERY
        common = {"version": 1, "log": ORIGIN, "nonce": f"{index:032x}", "type": "directive", "issued_at": moment(at), "effective_at": moment(at)}
        if index % 10 == 9:
            said: dict[str, Any] = {
                "id": f"XX-{index - 1}", "action": "withdraw", "follows": digest, "reasons": {"en": "So it is."},
                "issuer": {"authority": "North", "contact": "north@authority.example"},
            }  # fmt: skip
        else:
            said = order(f"XX-{index}", f"n{index}.test") | {
                "expires_at": moment(at + 300 * DAY), "owner_unidentifiable": True,
                "redress": {"url": "https://authority.example/", "deadline_days": 30, "court": "Court"},
            }  # fmt: skip
        payload = canonical({name: value for name, value in (said | common).items() if value is not None})
        digest = receipt.digest(payload)
        made.append(Entry(at, Envelope(DIRECTIVE, payload)).encode())
        if len(made) == PIECE or index == orders - 1:
            tree.append(made)
            made = []
    return Tree(desk.places.log)


def book(desk: Desk, tree: Tree, operator: str, sizes: list[int]) -> None:
    """An operator's chain of receipts, each for the log of one size, soon after its last entry."""
    before: str | None = None
    folder = receipts.path_of(desk.places, operator, 1).parent
    folder.mkdir(parents=True, exist_ok=True)
    for number, size in enumerate(sizes, 1):
        at = NOW + size * EVERY
        document = {
            "type": "receipt", "version": 1, "log": ORIGIN, "operator": operator, "number": number, "previous": before, "serial": number,
            "identity": "ab" * 32, "checkpoint": {"size": size, "root": base64.b64encode(tree.root_at(size)).decode(), "time": at},
            "exceptions": [], "at": at,
        }  # fmt: skip
        envelope = Envelope(RECEIPT, Receipt.model_validate(document).encode())
        before = receipt.digest(envelope.payload)
        receipts.path_of(desk.places, operator, number).write_bytes(strict.write({"at": at, "envelope": envelope.document()}, "the receipt"))


def main() -> None:
    """Makes them, folds them, and folds a little more."""
    orders, operators, many = (int(each) for each in (*sys.argv[1:], *("50000", "20", "500")[len(sys.argv) - 1 :]))
    names = [f"op-{number:02}" for number in range(operators)]
    with tempfile.TemporaryDirectory() as text:
        directory = Path(text) / "authority"
        cast = Cast()
        found(cast, directory)
        for name in names:
            registered(cast, directory, name)
        desk = Desk(DeskSettings(directory=str(directory)), Path(text))
        Base.metadata.create_all(desk.store.engine)
        with timed("making them"):
            tree = log(desk, orders)
            sizes = sorted({max(1, orders * number // many) for number in range(1, many + 1)})
            for name in names:
                book(desk, tree, name, sizes if name != names[0] else sizes[: len(sizes) // 2])
        now = NOW + (orders + 2) * EVERY
        longest = _watched(desk)
        with timed(f"the first fold of {orders} entries, {operators} operators"):
            done = compliance.refresh(desk, now)
        with desk.store.reading() as session:
            print(f"{done}, {session.scalar(select(func.count()).select_from(Enforcement))} rows")
        print(f"the longest of its transactions: {longest():.2f} s")
        with timed("a look that finds nothing"):
            compliance.refresh(desk, now)
        desk.close()


def _watched(desk: Desk) -> Callable[[], float]:
    """How long the longest transaction that writes has held others up."""
    times = [0.0]
    writing = desk.store.writing

    @contextmanager
    def watched() -> Iterator[Any]:
        with writing() as session:
            begun = time.perf_counter()
            yield session
            ended = time.perf_counter() - begun
        times.append(ended)

    desk.store.writing = watched  # type: ignore[method-assign]
    return lambda: max(times)


if __name__ == "__main__":
    main()
