"""A desk that has been at work for ten months: 100,000 cases, 50,000 orders signed and logged, twenty operators. Made in bulk.

The rows are what the services would have written, and are checked where something can check them: the audit chain, the log by those who follow it.
People, texts and names are made up.
"""

from __future__ import annotations

import hashlib
import json
import random
import secrets
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Connection, insert

from authority import keys, packets, spec
from authority.ceremony import ceremony
from authority.desk import audit, backup, compliance, migrations
from authority.desk import tables as t
from authority.desk.desk import Desk
from authority.desk.people.sessions import MOST_SECONDS, digest_of
from authority.desk.people.tokens import PREFIX
from authority.desk.roles import ROLES, Role
from authority.desk.settings import DeskSettings
from authority.keys import KeyInMemory
from authority.packets import Packet, sign_packet
from authority.places import Places
from authority.publisher import Publisher
from bench import owed
from bench.machine import BenchError
from blocklists import receipt
from blocklists.directive import canonical, show_time
from blocklists.log.entry import Entry
from blocklists.log.tree import Tree
from blocklists.trust.envelope import DIRECTIVE, Envelope

ORIGIN = "orders.authority.example/bench"
DAY = 86_400
SPAN = 300 * DAY
LIFE = 180 * DAY
OPERATORS = 20
PERSONS = 120
PIECE = 5_000
"""Cases in one insertion."""
WITHDRAWN = 9
"""Every ninth order was withdrawn."""
_WHY = "The content was looked at again by the officer in charge, and it is what the referral says: it calls for terror, and names a place."
_OPEN = ("received", "received", "assessed", "requested", "unanswered", "unidentifiable", "dismissed", "dismissed", "removed", "removed")


class Order(NamedTuple):
    """One order of a case, in the log."""

    place: int
    at: int
    envelope: Envelope
    withdrawn: tuple[int, int, Envelope] | None
    """Index, time and envelope of its withdrawal."""


class Filled(NamedTuple):
    """What who measures needs to know."""

    tokens: dict[Role, str]
    """A session's token, by role; the operator's is of the first one."""
    api: str
    """An officer's API token."""
    numbers: list[str]
    """Of some cases: with an order, withdrawn, new, closed."""
    digests: list[str]
    indices: list[int]
    """Log positions of some orders."""
    seconds: dict[str, float]


class Office:
    """An authority with its log, its operators and everybody's keys."""

    def __init__(self, directory: Path, now: int) -> None:
        self.directory = directory
        self.now = now
        names = ("root", "targets", "officer-1", "officer-2", "reviewer-1", *(f"op-{number:02}" for number in range(OPERATORS)))
        self.people: dict[str, KeyInMemory] = {name: keys.generate() for name in names}
        held = {name: keys.holder(signer.key, name) for name, signer in self.people.items()}
        document = {
            "origin": ORIGIN,
            "root": {"threshold": 1, "keys": [held["root"]]},
            "targets": {"threshold": 1, "keys": [held["targets"]]},
            "authorities": {"office": {"name": "Office", "contact": "office@authority.example"}},
            "officers": {name: {"authority": "office", "key": held[name]} for name in ("officer-1", "officer-2")},
            "reviewers": {"reviewer-1": held["reviewer-1"]},
            "operators": {name: {"name": f"Provider {name[3:]}", "key": held[name]} for name in names if name.startswith("op-")},
            "categories": {"terrorism": {"authorities": ["office"], "threshold": 2, "texts": {"en": "An example."}}},
            "limits": {"names_per_hour": 2**40, "names_per_day": 2**40},
        }
        root, targets = ceremony(directory, spec.from_document(document, directory), now - SPAN)
        Publisher(directory).publish([self._signed(root, "root"), self._signed(targets, "targets")], now)
        self.places = Places(directory)
        self.tree = Tree(self.places.log)

    def _signed(self, packet: Packet, name: str) -> Packet:
        return sign_packet(packet, self.people[name])

    def envelope(self, document: dict[str, Any], *names: str) -> Envelope:
        """Signed by these."""
        found = Envelope(DIRECTIVE, canonical(document))
        for name in names:
            found = found.with_signature(self.people[name].key.keyid, self.people[name].sign(found.signed_bytes()))
        return found

    def orders(self, count: int) -> list[Order]:
        """So many, logged evenly over the time; some withdrawn later."""
        step = (SPAN - 4 * DAY) / count
        plan = [(self.now - SPAN + 2 * DAY + int(number * step), number, False) for number in range(count)]
        plan += [(min(at + (5 + number % 60) * DAY, self.now - 600), number, True) for at, number, _ in plan if number % WITHDRAWN == 0]
        found: dict[int, Order] = {}
        made: list[bytes] = []
        for index, (at, number, ends) in enumerate(sorted(plan)):
            if ends:
                document = _withdrawal(number, at, receipt.digest(found[number].envelope.payload))
                signed = self.envelope(document, "officer-1", "officer-2")
                found[number] = found[number]._replace(withdrawn=(index, at, signed))
            else:
                signed = self.envelope(_block(number, at), "officer-1", "officer-2")
                found[number] = Order(index, at, signed, None)
            made.append(Entry(at, signed).encode())
        self.tree.append(made)
        Publisher(self.directory).publish([], self.now)
        return [found[number] for number in range(count)]


def fill(scratch: Path, cases: int, orders: int, database: str) -> tuple[Desk, Filled]:
    """Makes all of it; `database`: an address, or empty for SQLite."""
    seconds: dict[str, float] = {}
    now = int(time.time())

    def took(what: str, began: float) -> None:
        seconds[what] = time.perf_counter() - began

    began = time.perf_counter()
    office = Office(scratch / "authority", now)
    logged = office.orders(orders)
    took("signing and logging", began)
    desk = Desk(DeskSettings(database=database), scratch)
    began = time.perf_counter()
    migrations.upgrade(desk.store)
    tokens, api = {role: secrets.token_urlsafe(32) for role in ROLES}, PREFIX + secrets.token_urlsafe(32)
    with desk.store.writing() as session:
        connection = session.connection()
        _insert(connection, t.Person, _persons(now))
        _insert(connection, t.Grant, [{"person_id": n, "role": _role(n), "given_at": now - SPAN} for n in range(1, PERSONS + 1)])
        signed_in = [
            {
                "digest": digest_of(token),
                "person_id": 1 + ROLES.index(role),
                "csrf": "c",
                "made_at": now,
                "seen_at": now,
                "ends_at": now + MOST_SECONDS,
            }
            for role, token in tokens.items()
        ]
        _insert(connection, t.SignedIn, signed_in)
        officer = 1 + ROLES.index("officer")
        _insert(connection, t.ApiToken, [{"digest": digest_of(api), "person_id": officer, "label": "bench", "made_at": now, "ends_at": now + DAY}])
        chain = _Chain()
        for start in range(0, cases, PIECE):
            _cases(connection, chain, range(start, min(cases, start + PIECE)), cases, logged, now)
        _proposals(connection, now)
        _import(connection, now)
        _insert(connection, t.Counter, [{"name": f"case-{_year(now)}", "value": cases}, {"name": "log-read", "value": office.tree.size}])
        if desk.store.is_postgresql:
            backup.count_on(connection)
    took("filling the database", began)
    began = time.perf_counter()
    with desk.store.writing() as session:
        owed.fill(session, [name for name in office.people if name.startswith("op-")], list(_logged(logged, now)), office.tree.size, now)
    took("what operators owe", began)
    followed = compliance.refresh(desk, now)
    if followed.entries:
        raise BenchError(f"the desk still had to follow {followed.entries} of the log's {office.tree.size} entries; see bench/owed.py")
    began = time.perf_counter()
    with desk.store.reading() as session:
        lines, broken = audit.verify(session)
    took(f"checking {lines:,} lines of the audit log", began)
    if broken is not None:
        raise BenchError(f"the audit chain is broken: {broken.why}")
    chosen = [0, 2 * WITHDRAWN, cases // 2, cases - 2, cases - 1, 1, 17]
    digests = [receipt.digest(logged[n // 2].envelope.payload) for n in chosen if n % 2 == 0 and n // 2 < orders]
    indices = [logged[n].place for n in (0, orders // 2, orders - 1)]
    return desk, Filled(tokens, api, [_number(n, now) for n in chosen], digests, indices, seconds)


class _Chain:
    """The audit log's lines, one after the other."""

    def __init__(self) -> None:
        self.number, self.hash = 0, audit.BEGINNING

    def line(self, at: int, who: str, action: str, of: str, **details: Any) -> dict[str, Any]:
        """The next one, as `audit.record` writes it."""
        self.number += 1
        said = {"at": at, "who": who, "action": action, "object": of, "number": self.number}
        text = json.dumps(details, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        whole = json.dumps({**said, "before": self.hash, "details": text}, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        self.hash = hashlib.sha256(whole.encode()).hexdigest()
        return {**said, "details": text, "hash": self.hash}


def _cases(connection: Connection, chain: _Chain, numbers: range, cases: int, logged: list[Order], now: int) -> None:
    rows: dict[Any, list[dict[str, Any]]] = {}

    def add(table: Any, **values: Any) -> None:
        rows.setdefault(table, []).append(values)

    draw = random.Random(numbers.start)
    for n in numbers:
        case, number, name = n + 1, _number(n, now), f"www.site-{n:06}.example"
        order = logged[n // 2] if n % 2 == 0 and n // 2 < len(logged) else None
        opened = order.at - DAY if order else now - SPAN + int(n * (SPAN - DAY) / cases)
        state = _state(n, order, now)
        closed = state in ("restored", "removed", "dismissed")
        steps = list(_timeline(n, state, order, opened, now))
        due = None if closed or n % 7 == 0 else now + draw.randrange(-3 * DAY, 60 * DAY)
        add(
            t.Case, id=case, number=number, title=name, category="" if state == "received" else "terrorism", state=state, state_since=steps[-1][0],
            opened_at=opened, closed_at=steps[-1][0] if closed else None, officer_id=1 + draw.randrange(PERSONS) if n % 3 else None,
            urgent=n % 500 == 1, emergency=False, appeals=int(n % 400 == 0), due_at=due, order_id=_id(n // 2) if order else None,
            ends_at=order.at + LIFE if order else None, version=len(steps),
            facts={"legal_basis": "Law 1, section 2", "reasons": {"en": _WHY, "fr": _WHY}} if state != "received" else {},
        )  # fmt: skip
        for extra in range(1 + (n % 10 == 0) * 5):
            label = name if not extra else f"n{extra}.site-{n:06}.example"
            add(t.CaseName, case_id=case, name=label, match="exact", backwards=t.backwards(label))
        add(
            t.Referral, reference=f"R{n:08}", source=("public", "officer", "flagger", "import")[n % 4], sender="", names=[name], contact="",
            location=f"https://{name}/page", words=_WHY, category="", threat=False, taken_at=opened, case_id=case, key=None,
        )  # fmt: skip
        before = "received"
        for at_number, (at, who, step, after, details) in enumerate(steps, 1):
            add(t.Event, case_id=case, number=at_number, at=at, who=who, step=step, before=before, after=after, why=_WHY, details=details)
            add(t.Audit, **chain.line(at, who, f"case.{step}", f"case:{number}", why=_WHY, before=before, after=after))
            before = after
        add(t.Audit, **chain.line(opened + 60, f"p{1 + n % PERSONS}", "case.read", f"case:{number}"))
        for kind in range(3):
            running = kind == 2 and due is not None
            add(
                t.Clock, case_id=case, name=("assess", "removal", "recheck")[kind], subject="", began_at=opened, due_at=due or opened + DAY,
                ended_at=None if running else opened + 3600, notified_at=now if running and due and due < now else None, warned_at=now,
            )  # fmt: skip
        if n % 2 == 0:
            add(
                t.Message, case_id=case, kind="removal_request", channel="mail", recipient=f"host@host-{n % 900}.example", subject=f"Case {number}",
                body=_WHY * 3, identity=f"<{n}@authority.example>", made_at=opened, sent_at=opened + 5, again_at=0, tries=1, proof="250 taken",
            )  # fmt: skip
        if n % 3 == 0:
            add(
                t.Evidence, case_id=case, address=hashlib.sha256(str(n).encode()).hexdigest(), size=70_000, media_type="text/html", label="the page",
                commitment="sha256:" + "0" * 64, wrapped=b"k" * 100, stored_at=opened, stored_by="p2", retain_until=opened + 183 * DAY, hold="",
            )  # fmt: skip
        if order is not None:
            _orders(add, n, case, order)
        if n % 50 == 0:
            decided = None if n % 400 == 0 else opened + 9 * DAY
            add(
                t.Appeal, case_id=case, reference=f"A{n:08}", standing="owner", contact="", words=_WHY, filed_at=opened + 8 * DAY, decided_at=decided,
                decision="upheld" if decided else None, answer=_WHY if decided else "",
            )  # fmt: skip
        if n % 80 == 0:
            answered = None if n % 800 == 0 else opened + 6 * DAY
            add(
                t.Recommendation, case_id=case, why=_WHY, made_by="p3", made_at=opened + 5 * DAY, due_at=opened + 7 * DAY, answered_at=answered,
                answer="refused" if answered else None, reason=_WHY if answered else "",
            )  # fmt: skip
    for table, found in rows.items():
        _insert(connection, table, found)


def _orders(add: Any, n: int, case: int, order: Order) -> None:
    guards = [
        {"guard": guard, "name": f"www.site-{n:06}.example", "match": "exact", "objection": "", "may_override": True, "by": "", "why": "",
         "tool": "redhand 1", "data_version": "sha256:" + "0" * 64}
        for guard in ("protected_name", "public_suffix", "popularity", "shared_hosting", "other_names", "resolution")
    ]  # fmt: skip
    logged = [("block", order.place, order.at, order.envelope)]
    if order.withdrawn is not None:
        index, at, envelope = order.withdrawn
        logged.append(("withdraw", index, at, envelope))
    for what, index, at, envelope in logged:
        add(
            t.Order, case_id=case, order_id=_id(n // 2), action=what, what=what, digest=receipt.digest(envelope.payload), threshold=2,
            packet=packets.Packet("directive", envelope).encode(), guards=guards if what == "block" else [], made_at=at - 3600, made_by="p2",
            log_index=index, published_at=at, ended_at=None,
        )  # fmt: skip


def _logged(logged: list[Order], now: int) -> Iterator[dict[str, Any]]:
    """Every entry, as `owed` wants it."""
    for number, order in enumerate(logged):
        said = {"order_id": _id(number), "title": f"www.site-{2 * number:06}.example", "expires_at": order.at + LIFE}
        end = order.withdrawn[1] if order.withdrawn is not None else order.at + LIFE
        digest = receipt.digest(order.envelope.payload)
        yield {**said, "index": order.place, "at": order.at, "kind": "block", "action": "block", "digest": digest, "end_at": end}
        if order.withdrawn is not None:
            index, at, envelope = order.withdrawn
            yield {**said, "index": index, "at": at, "kind": "lift", "action": "withdraw", "digest": receipt.digest(envelope.payload), "end_at": None}


def _state(n: int, order: Order | None, now: int) -> str:
    if order is None:
        return _OPEN[n // 2 % len(_OPEN)]
    if order.withdrawn is not None:
        return "restored" if now - order.withdrawn[1] > DAY else "withdrawn"
    if order.at + LIFE < now:
        return "restored"
    return "suspended" if n % 400 == 0 else "in_force"


def _timeline(n: int, state: str, order: Order | None, opened: int, now: int) -> Iterator[tuple[int, str, str, str, dict[str, Any]]]:
    """Each step: when, who, which, the state after it, details."""
    who = f"p{2 + n % 50}"
    yield opened, who, "refer", "received", {"referral": n + 1, "source": "officer", "names": [f"www.site-{n:06}.example"]}
    if state == "received":
        return
    if order is None:
        if state != "dismissed":
            yield opened + 600, who, "assess", "assessed", {"category": "terrorism", "finding": "It is."}
        if state != "assessed":
            yield opened + 900, who, "note", state, {}
        return
    yield opened + 600, who, "assess", "assessed", {"category": "terrorism", "finding": "It is."}
    yield opened + 900, who, "owner_unidentifiable", "unidentifiable", {}
    details = {"order": _id(n // 2), "digest": receipt.digest(order.envelope.payload)}
    yield order.at - 3600, who, "draft", "drafted", {**details, "action": "block", "threshold": 2}
    yield order.at - 3000, who, "open_signing", "signing", details
    for office in ("officer-1", "officer-2"):
        yield order.at - 2000, who, "add_signature", "signing", {**details, "office": office}
    dated = {"enforce_by": order.at + DAY, "expires_at": order.at + LIFE}
    yield order.at, who, "publish", "in_force", {**details, "index": order.place, **dated}
    if order.withdrawn is not None:
        yield order.withdrawn[1], who, "withdraw", "withdrawn", {**details, "index": order.withdrawn[0]}
    elif order.at + LIFE < now:
        yield order.at + LIFE, "clock", "expire", "expired", {}
    if state in ("restored", "suspended"):
        yield now - 3600, "log", "note", state, {}


def _proposals(connection: Connection, now: int) -> None:
    rows = [
        {"kind": "document", "subject": "protected", "body": {"kind": "protected", "body": "portal.example\n"}, "why": _WHY, "made_by": 2,
         "made_at": now - n * 3600, "decided_by": 5 if n > 20 else None, "decided_at": now - n * 3600 + 60 if n > 20 else None,
         "decision": "confirmed" if n > 20 else None, "reason": ""}
        for n in range(2000, 0, -1)
    ]  # fmt: skip
    _insert(connection, t.Proposal, rows)


def _import(connection: Connection, now: int) -> None:
    """A file of referrals that was read, with its faults."""
    made = {"id": 1, "digest": "0" * 64, "label": "referrals.csv", "made_at": now - DAY, "made_by": "p2", "octets": 90_000_000, "ended_at": now}
    _insert(connection, t.Import, [made])
    _insert(connection, t.ImportFault, [{"import_id": 1, "line": 7 * n, "value": "no name", "reason": "no name is in it"} for n in range(1, 3000)])


def _persons(now: int) -> list[dict[str, Any]]:
    return [
        {"id": n, "login": f"p{n}", "name": f"Person {n}", "email": "", "made_at": now - SPAN, "language": "en", "failures": 0,
         "operator": "op-00" if _role(n) == "operator" else None}
        for n in range(1, PERSONS + 1)
    ]  # fmt: skip


def _role(person: int) -> Role:
    """The first six have one each; then there are officers and clerks."""
    return ROLES[person - 1] if person <= len(ROLES) else ("officer", "clerk")[person % 2]


def _insert(connection: Connection, table: Any, rows: list[dict[str, Any]]) -> None:
    if rows:
        connection.execute(insert(table.__table__), rows)


def _year(now: int) -> int:
    return datetime.fromtimestamp(now, UTC).year


def _number(n: int, now: int) -> str:
    return f"{_year(now)}-{n + 1:06d}"


def _id(order: int) -> str:
    return f"XX-2026-{order:06}"


def _block(number: int, at: int) -> dict[str, Any]:
    n = 2 * number
    return {
        "type": "directive", "version": 1, "log": ORIGIN, "nonce": f"{number:032x}", "id": _id(number), "action": "block",
        "issuer": {"authority": "Office", "contact": "office@authority.example"},
        "targets": [{"fqdn": f"www.site-{n:06}.example", "match": "exact"}], "category": "terrorism", "legal_basis": "Law 1, section 2",
        "reasons": {"en": _WHY}, "owner_unidentifiable": True, "owner_unidentifiable_why": "Nobody answers.", "issued_at": _moment(at - 3600),
        "effective_at": _moment(at), "enforce_by": _moment(at + DAY), "expires_at": _moment(at + LIFE),
        "redress": {"url": "https://authority.example/appeal", "deadline_days": 60, "court": "Court of the example"},
    }  # fmt: skip


def _withdrawal(number: int, at: int, follows: str) -> dict[str, Any]:
    return {
        "type": "directive", "version": 1, "log": ORIGIN, "nonce": f"{10**9 + number:032x}", "id": _id(number), "action": "withdraw",
        "follows": follows, "issuer": {"authority": "Office", "contact": "office@authority.example"}, "reasons": {"en": _WHY},
        "issued_at": _moment(at - 3600), "effective_at": _moment(at),
    }  # fmt: skip


def _moment(seconds: int) -> str:
    return show_time(datetime.fromtimestamp(seconds, UTC))
