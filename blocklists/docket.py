"""The docket: what all orders of the log come to, entry by entry, under one policy. This is the whole rule for what the feed puts in force.

Pure: entries in, verdicts and bases out; no file, no clock. Each entry is judged by the policy's epoch at its log position and by the entries before
it, so that every machine with the same log, policy and data judges alike. An entry that does not hold is skipped by a rule of `refusals`, and the
next one stands on its own. Unblocking outranks blocking: what lifts is never held, and waits for nothing.

Only two things are the operator's own: `decide` (its named decisions) and `lift` (what was carried in by hand). They change what `state` says here,
and never how a later entry is judged.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from heapq import heappop, heappush
from typing import Any, NamedTuple, TypeVar

from blocklists import directive as orders
from blocklists import names, review
from blocklists.case import Case, Naming, make_order
from blocklists.directive import NEVER, Directive
from blocklists.errors import BadDocument
from blocklists.guards import Guards, Suffixes
from blocklists.log import entry as entries
from blocklists.rate import Rate
from blocklists.refusals import Refused
from blocklists.sources import Basis
from blocklists.trust.envelope import DIRECTIVE, REVIEW, Envelope
from blocklists.trust.policy import Policy, check_follows
from blocklists.trust.quorum import Quorum, quorum

RULES = 2
"""Version of the rules in this module: another number, another list from the same log."""
_Read = TypeVar("_Read")
_LAST = 1 << 48
"""Later than any log position."""
SHOWN = 500
"""Of what is skipped, how many of the latest are named: who keeps the log may fill it, and every version and reader has what is named here."""


class Data(NamedTuple):
    """What every machine judges by: the targets that the authority signed offline."""

    policy: Policy
    protected: tuple[str, ...]
    suffixes: Suffixes
    demonstration: bool = False


class Verdict(NamedTuple):
    """What came of one entry. `leaf` and `signatures` are true whatever the policy, so a later docket may be given them to save the arithmetic."""

    leaf: bytes
    """SHA-256 of the entry's bytes (the envelope's, of one carried in by hand)."""
    signatures: tuple[tuple[str, bool], ...] = ()
    """Ids of keys, and whether their signature is good."""
    rule: str = ""
    """Why it was skipped, one of `refusals.RULES`; empty when it stands."""
    why: str = ""
    id: str = ""
    """The order's public reference, when it could be read and was signed."""
    held: bool = False
    """Whether it waits for the operator, being more than the policy's rate."""


@dataclass(frozen=True)
class Orders:
    """What the docket comes to at one time."""

    docket: Docket
    as_of: int
    skipped: list[dict[str, Any]]
    """`index`, `rule`, `why`, and where known `id`, in log order, the latest SHOWN; a target that the guards refuse has a row of its own."""
    skipped_in_all: int
    held: list[dict[str, Any]]
    """`index`, `id`, `why`, in the order of ids and then of the log."""
    withdrawn: list[str]
    suspended: list[str]
    changed: frozenset[str]
    """Ids whose bases may be others than in the state that this docket gave before; before the first, all."""

    @property
    def bases(self) -> list[Basis]:
        """All of them: in force or yet to begin. Large: made when asked for, and valid until the docket takes more."""
        return list(self)

    def __iter__(self) -> Iterator[Basis]:
        for identity in self.docket.cases:
            yield from self.of(identity)

    def of(self, identity: str) -> list[Basis]:
        """The bases of one id; none of one that is not known."""
        stretches = self.docket.cases[identity].here() if identity in self.docket.cases else []
        marked = self.docket.data.demonstration
        bases = [order.basis(identity, starts, ends, marked) for order, starts, ends in stretches if ends > self.as_of]
        return [basis for basis in bases if basis.listed]


class Docket:
    """The fold over a log. `own_names` are the operator's landing, feed and upstream names, which nothing may block."""

    def __init__(self, data: Data, own_names: Iterable[str] = ()) -> None:
        self.data = data
        self.size = 0
        """How many entries were taken."""
        self.cases: dict[str, Case] = {}
        self._guards = Guards(own_names, data.protected, data.suffixes)
        self._rate = Rate()
        self._words = b""
        """Of the first order: by which all are kept short."""
        self._time = 0
        self._nonces: set[bytes] = set()
        self._naming = Naming()
        self._skipped: deque[dict[str, Any]] = deque(maxlen=SHOWN)
        self._skipped_in_all = 0
        self._changed: set[str] = set()
        self._as_of = 0
        self._ending: list[tuple[int, str]] = []
        """A heap: when a stretch of an id ends."""
        self._odd: set[str] = set()
        """Ids that were ever held, suspended or withdrawn: few among many."""
        self._decided: dict[str, dict[str, tuple[int, str]]] = {}
        self._waiting: dict[str, list[Envelope]] = {}
        """Lifts of ids that the log has not brought yet."""
        self._by_hand = False
        """Whether anything was carried in by hand."""

    def renew(self, data: Data) -> bool:
        """Judges what comes by `data` from now on, if all that it has judged comes out the same by it; whether it does. Else a new docket is due.

        A new operator, an epoch that begins later, a key compromised later: nobody who waits for a withdrawal waits until a million names are read.
        """
        old = self.data
        if (data.protected, data.suffixes, data.demonstration) != (old.protected, old.suffixes, old.demonstration):
            return False
        try:
            check_follows(data.policy, old.policy, self.size)
        except BadDocument:
            return False
        stolen = [each for each in data.policy.compromised if each not in old.policy.compromised]
        if any(each.since < self.size for each in stolen):
            return False
        if self._by_hand and (stolen or data.policy.epochs[-1] != old.policy.epochs[-1]):
            return False  # what is carried in by hand is judged by the newest epoch
        self.data = data
        return True

    def take(self, index: int, data: bytes, verdict: Verdict | None = None) -> Verdict:
        """Judges the next entry; `verdict` is what a docket over the same log said of it before. Raises ValueError when it is not the next."""
        if index != self.size:
            raise ValueError(f"entry {index} is not the next, which is {self.size}; take them in order")
        self.size += 1
        leaf = sha256(data).digest()
        known = dict(verdict.signatures) if verdict is not None and verdict.leaf == leaf else {}
        identity = ""
        try:
            entry = _legible("entry.form", entries.read, data)
            # A log that dates an entry back is not followed back: an hour could then be had twice, and the rate with it.
            at = self._time = max(self._time, entry.logged_at)
            if entry.envelope is None:
                return Verdict(leaf)
            known, signed = quorum(entry.envelope, self.data.policy, index, known)
            if entry.envelope.kind == REVIEW:
                identity = self._review(entry.envelope.payload, signed, at)
                return Verdict(leaf, tuple(known.items()), id=identity)
            order = _legible("payload.form", orders.read, entry.envelope.payload)
            identity = order.id
            self._check_origin(order.log)
            self._check_new(order.nonce or "")
            held = order.targets is not None and self._block(order, signed, entry.envelope.payload, index, at)
            if order.targets is None:
                self._lift(order, signed, self._case(order.id), at)
            self._nonces.add(bytes.fromhex(order.nonce or ""))
            self._changed.add(order.id)
        except Refused as refused:
            self._skip(index, refused.rule, refused.why, identity)
            return Verdict(leaf, tuple(known.items()), refused.rule, refused.why, identity)
        return Verdict(leaf, tuple(known.items()), id=identity, held=held)

    def lift(self, envelope: Envelope) -> Verdict:
        """Applies a withdrawal or suspension from any channel, by the policy's newest epoch; one whose id is `order.unknown` yet waits for it."""
        self._by_hand = True
        leaf = sha256(envelope.encode()).digest()
        identity, known = "", dict[str, bool]()
        try:
            known, signed = quorum(envelope, self.data.policy, _LAST, {})
            order = _legible("payload.form", orders.read, envelope.payload)
            if order.targets is not None or envelope.kind != DIRECTIVE:
                raise Refused("payload.form", f"it would {order.action} as {envelope.kind}; a file by hand may withdraw or suspend, as {DIRECTIVE}")
            identity = order.id
            self._check_origin(order.log)
            if identity not in self.cases:
                self._waiting.setdefault(identity, []).append(envelope)
            self._lift(order, signed, self._case(identity), None)
            self._changed.add(identity)
        except Refused as refused:
            return Verdict(leaf, tuple(known.items()), refused.rule, refused.why, identity)
        return Verdict(leaf, tuple(known.items()), id=identity)

    def decide(self, decisions: Iterable[Mapping[str, Any]]) -> None:
        """The operator's decisions so far, all of them in order: `what` (hold, release, suspend, resume), `id`, `by`, `reason`, `at` (unix seconds).

        `release` ends a hold of either kind, for what was logged by then; `resume` ends a suspension.
        """
        before, self._decided = self._decided, {}
        for each in decisions:
            by = self._decided.setdefault(each["id"], {})
            by[each["what"]] = (each["at"], f"{each['by']}: {each['reason']}")
            by.pop({"release": "hold", "resume": "suspend"}.get(each["what"], ""), None)
        for identity in {each for each in before | self._decided if before.get(each) != self._decided.get(each)} & self.cases.keys():
            self.cases[identity].decided = self._decided.get(identity, {})
            self._changed.add(identity)

    def state(self, as_of: int) -> Orders:
        """What all this comes to at `as_of` (unix seconds)."""
        if as_of < self._as_of:
            self._changed.update(self.cases)
        while self._ending and self._ending[0][0] <= as_of:
            self._changed.add(heappop(self._ending)[1])
        changed, self._changed, self._as_of = frozenset(self._changed & self.cases.keys()), set(), as_of
        for identity in changed:
            for ends in {ends for _, _, ends in self.cases[identity].here() if ends > as_of}:
                heappush(self._ending, (ends, identity))
        odd = [self.cases[identity] for identity in sorted(self._odd.union(self._decided) & self.cases.keys())]
        return Orders(
            self,
            as_of,
            skipped=list(self._skipped),
            skipped_in_all=self._skipped_in_all,
            held=[row for case in odd for row in case.held()],
            withdrawn=[case.id for case in odd if case.is_withdrawn(as_of)],
            suspended=[case.id for case in odd if case.is_suspended(as_of) and not case.is_withdrawn(as_of)],
            changed=changed,
        )

    def _check_origin(self, origin: str | None) -> None:
        if origin != self.data.policy.log.origin:
            raise Refused("replay.origin", f"it was signed for the log {names.clip(origin or '')}, and this is {self.data.policy.log.origin}")

    def _check_new(self, nonce: str) -> None:
        if bytes.fromhex(nonce) in self._nonces:
            raise Refused("replay.nonce", f"the nonce {nonce} was used before; sign it with a new one, unless it is a copy")

    def _case(self, identity: str) -> Case:
        case = self.cases.get(identity)
        if case is None:
            raise Refused("order.unknown", f"no order {identity} stands here: it was never logged, or a stolen key took it down; check the id")
        return case

    def _block(self, order: Directive, signed: Quorum, payload: bytes, index: int, at: int) -> bool:
        """Takes a block or an amendment; whether it is held."""
        case = self.cases.get(order.id)
        category = order.category or ""
        authority = signed.authority(category, signed.category(category).authorities if case is None else (case.authority,))
        if order.action == "block" and case is not None:
            raise Refused("replay.id", f"{order.id} blocks already, and an id blocks once; amend it, or give the new order an id of its own")
        if order.action == "amend":
            newest = self._case(order.id).chain[-1].digest
            if order.follows != newest:
                raise Refused("replay.follows", f"the newest order of {order.id} is {newest}; let it follow that, and sign it again")
            if case is not None and case.over <= at:
                raise Refused("order.withdrawn", f"{order.id} was withdrawn; order anew, under another id")
        days = signed.category(category).max_days
        if order.effective_at and order.expires_at and (order.expires_at - order.effective_at).total_seconds() > days * 86_400:
            raise Refused("payload.duration", f"it lasts longer than the {days} days of {category}; shorten it, and renew it when it was reviewed")
        grace = signed.category(category).clocks.grace_hours
        if order.review_due and order.expires_at and (order.expires_at - order.review_due).total_seconds() > grace * 3600:
            raise Refused("payload.review", f"it ends more than {grace} hours after its review is due; shorten it, and renew it when it was reviewed")
        new = make_order(order, payload, index, at, self._guards, self._words)
        self._words = new.words
        for refusal in new.refused.values():
            self._skip(index, "guard.refused", refusal, order.id)
        fresh = self._naming.fresh(new, at)
        limits = signed.epoch.limits
        # Names that a guard refuses count too: an operator's own names are his alone, and all must hold alike.
        if signed.spare(authority, category) < 1 and (why := self._rate.excess(at, fresh, limits.names_per_hour, limits.names_per_day)):
            new.held = f"{why}; release it by a decision, or let one officer more sign it"
        if case is None:
            case = self.cases[order.id] = Case(order.id, authority)
            case.decided = self._decided.get(order.id, case.decided)
        case.chain += (new,)
        if new.held:
            self._odd.add(order.id)
        else:
            self._naming.add(new, case, at)
        for envelope in self._waiting.pop(order.id, ()):
            self.lift(envelope)
        return bool(new.held)

    def _lift(self, order: Directive, signed: Quorum, case: Case, at: int | None) -> None:
        """Takes a withdrawal or suspension, logged at `at`, or carried in by hand (None). What has begun by `at` lifts whatever a clock says."""
        self._odd.add(case.id)
        if order.action == "withdraw":
            signed.check_withdraws(case.authority)
            if at is None:
                case.by_hand += ((0, NEVER),)
            else:
                case.over = min(case.over, 0 if order.starts <= at else order.starts)
        else:
            signed.check_suspends()
            if at is None:
                case.by_hand += ((order.starts, order.ends),)
            else:
                opens = 0 if order.starts <= at else order.starts
                case.gaps = {**case.gaps, opens: max(case.gaps.get(opens, 0), order.ends)}

    def _review(self, payload: bytes, signed: Quorum, at: int) -> str:
        """Takes a reviewer's decision; the id it is about."""
        found = _legible("payload.form", review.read, payload)
        self._check_origin(found.log)
        self._check_new(found.nonce)
        signed.check_reviews()
        order = next((each for each in self._case(found.id).chain if each.digest == found.follows), None)
        if order is None:
            raise Refused("replay.follows", f"no order of {found.id} has the digest {found.follows}; review one that stands")
        if found.decision == "confirm":
            if not order.emergency or order.ends <= at:
                raise Refused("order.over", f"{found.id} was no emergency, was confirmed, or ended at {order.ends}; order anew if it is needed")
            order.emergency = False
            self._changed.add(found.id)
        self._nonces.add(bytes.fromhex(found.nonce))
        return found.id

    def _skip(self, index: int, rule: str, why: str, identity: str) -> None:
        self._skipped.append({"index": index, "rule": rule, "why": why} | ({"id": identity} if identity else {}))
        self._skipped_in_all += 1


def _legible(rule: str, read: Callable[[bytes], _Read], data: bytes) -> _Read:
    try:
        return read(data)
    except BadDocument as error:
        raise Refused(rule, str(error)) from None
