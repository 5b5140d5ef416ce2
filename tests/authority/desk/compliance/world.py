"""An authority's directory that a test fills as it likes: a real log, a real book of receipts, real policies; nobody's signature is waited for."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from authority import operators, receipts
from authority.desk import compliance
from authority.desk.desk import Desk
from authority.desk.enforcement import tables  # noqa: F401 - its tables are made with the others
from authority.desk.settings import DeskSettings
from authority.desk.tables import Base
from authority.places import Places
from authority.publisher import publish
from authority.receipts import Kept
from blocklists import receipt
from blocklists.directive import canonical, show_time
from blocklists.log.entry import Entry
from blocklists.log.tree import Tree
from blocklists.receipt import Receipt
from blocklists.trust import strict
from blocklists.trust.envelope import DIRECTIVE, RECEIPT, REVIEW, Envelope
from tests.authority.cast import NOW, ORIGIN, Cast, found, order
from tests.authority.feeding import registered

HOUR = 3600
DAY = 24 * HOUR


def moment(seconds: int) -> str:
    return show_time(datetime.fromtimestamp(seconds, UTC))


class Made:
    """Policies with different operators, signed once for many worlds."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory / "authority"
        cast = Cast()
        found(cast, self.directory)
        self.policies: list[Path] = []
        for name in ("op-1", "op-2"):
            registered(cast, self.directory, name)
        self._keep()
        registered(cast, self.directory, "op-3")
        self._keep()
        packet = operators.remove(self.directory, "op-2", NOW)
        assert packet is not None
        publish(self.directory, [cast.sign(packet, "targets-1", "targets-2")], NOW)
        self._keep()
        (self.directory / "operators.json").unlink()
        self.database = directory / "template.db"
        desk = Desk(DeskSettings(directory=str(self.directory), database=f"sqlite:///{self.database}"), directory)
        Base.metadata.create_all(desk.store.engine)
        desk.close()

    def _keep(self) -> None:
        kept = self.directory.parent / f"policy-{len(self.policies)}"
        for name in ("metadata", "targets"):
            shutil.copytree(self.directory / "public" / name, kept / name)
        self.policies.append(kept)


REGISTERED = (("op-1", "op-2"), ("op-1", "op-2", "op-3"), ("op-1", "op-3"))
"""By policy."""


class World:
    """One example."""

    def __init__(self, made: Made, directory: Path) -> None:
        self.made = made
        self.directory = directory / "authority"
        shutil.copytree(made.directory, self.directory, ignore=shutil.ignore_patterns("desk", "log", "packets"))
        (self.directory / "public" / "log").mkdir()
        shutil.copy(made.database, directory / "desk.db")
        self.places = Places(self.directory)
        self.now = NOW
        self.desk = Desk(DeskSettings(directory=str(self.directory), database=f"sqlite:///{directory / 'desk.db'}"), directory, lambda: self.now)
        self.entries: list[Entry] = []
        self.book: dict[str, list[Kept]] = {name: [] for name in ("op-1", "op-2", "op-3")}
        self.orders: dict[str, str] = {}
        """The digest of the newest block of each id."""
        self._waiting: list[Entry] = []
        self._nonce = 0
        self.policy = 0
        self.use(0)

    def use(self, number: int) -> None:
        """Another policy is in force."""
        self.policy = number
        for name in ("metadata", "targets"):
            shutil.rmtree(self.directory / "public" / name)
            shutil.copytree(self.made.policies[number] / name, self.directory / "public" / name)
        stamp = self.directory / "public" / "metadata" / "timestamp.json"
        stamp.write_bytes(stamp.read_bytes())

    def log(self, document: Mapping[str, Any] | None) -> int:
        """Logs an order, a review, or a batch of receipts; its index."""
        if document is None:
            made = Entry(self.now, None, "sha256:" + "0" * 64, 1)
        else:
            self._nonce += 1
            whole: dict[str, Any] = {"version": 1, "log": ORIGIN, "nonce": f"{self._nonce:032x}"}
            whole |= {name: value for name, value in document.items() if value is not None}
            payload = canonical(whole)
            made = Entry(self.now, Envelope(REVIEW if whole["type"] == "review" else DIRECTIVE, payload))
            if whole.get("action") in {"block", "amend"}:
                self.orders[whole["id"]] = receipt.digest(payload)
        self.entries.append(made)
        self._waiting.append(made)
        return len(self.entries) - 1

    def block(self, identity: str, *, starts: int = 0, hours: int | None = None, days: int = 30, names: int = 1, **fields: Any) -> int:
        """Or an amendment, when `follows` says so; times from now."""
        at = self.now + starts
        found = order(identity, *(f"n{number}.{identity.lower()}.test" for number in range(names)))
        found |= {
            "type": "directive",
            "issued_at": moment(self.now),
            "effective_at": moment(at),
            "expires_at": moment(at + days * DAY),
            "owner_unidentifiable": True,
            "redress": {"url": "https://authority.example/", "deadline_days": 30, "court": "Court"},
            **fields,
        }
        if hours is not None:
            found["enforce_by"] = moment(self.now + hours * HOUR)
        return self.log(found)

    def follower(self, identity: str, action: str, *, starts: int = 0, **fields: Any) -> int:
        """A suspension or withdrawal."""
        found = {
            "type": "directive", "id": identity, "action": action, "follows": self.orders[identity], "reasons": {"en": "So it is."},
            "issuer": {"authority": "North", "contact": "north@authority.example"}, "issued_at": moment(self.now),
            "effective_at": moment(self.now + starts), **fields,
        }  # fmt: skip
        if action == "suspend":
            found["expires_at"] = moment(self.now + starts + 3 * DAY)
        return self.log(found)

    def confirm(self, identity: str) -> int:
        """The reviewer's entry."""
        return self.log(
            {"type": "review", "id": identity, "follows": self.orders[identity], "decision": "confirm", "reasons": {"en": "Seen."},
             "issued_at": moment(self.now)}
        )  # fmt: skip

    def flush(self) -> Tree:
        """What was logged is in the log."""
        tree = Tree(self.places.log)
        if self._waiting:
            tree.append([each.encode() for each in self._waiting])
            self._waiting = []
        return tree

    def receipt(
        self, operator: str, size: int | None = None, exceptions: Sequence[tuple[str, str]] = (), *, at: int = 0, ours: bool = True
    ) -> Receipt:
        """The operator's next receipt, taken now; `at`: how far its own clock is off."""
        tree = self.flush()
        size = tree.size if size is None else size
        root = tree.root_at(size) if ours else b"\x01" * 32
        chain = self.book[operator]
        document = {
            "type": "receipt", "version": 1, "log": ORIGIN, "operator": operator, "number": len(chain) + 1,
            "previous": chain[-1].digest if chain else None, "serial": len(chain) + 1, "identity": "ab" * 32,
            "checkpoint": {"size": size, "root": base64.b64encode(root).decode(), "time": self.now},
            "exceptions": [{"id": identity, "what": what, "why": "so"} for identity, what in exceptions], "at": self.now + at,
        }  # fmt: skip
        made = Receipt.model_validate(document)
        found = Envelope(RECEIPT, made.encode())
        path = receipts.path_of(self.places, operator, made.number)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(strict.write({"at": self.now, "envelope": found.document()}, "the receipt"))
        chain.append(Kept(made, receipt.digest(found.payload), self.now))
        return made

    def look(self) -> compliance.Refreshed:
        """The worker's look."""
        self.flush()
        return compliance.refresh(self.desk, self.now)

    def close(self) -> None:
        self.desk.close()
