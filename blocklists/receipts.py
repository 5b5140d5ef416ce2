"""Receipts of this operator: written when a state of the log is in force in every serving process, kept until the authority acknowledges them.

    state_dir/outbox/receipts/<number>.json        signed, on the disk before anybody is told; waits for its acknowledgement
    state_dir/outbox/acknowledged/<number>.json    {"acknowledgement":…,"receipt":…}: both envelopes

A number is given once: killed at any instant, it has its one receipt or none, and the next one follows whatever is there. There is one receipt for
each state of the log's orders, and one more whenever what is not in force here (held, refused, suspended, skipped) changes; a newer signature under
the same state is no news. Nothing here opens a connection: `deliver` is given what does.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from blocklists import durable, numbered, receipt
from blocklists.directive import Id
from blocklists.errors import BadDocument, StoreError
from blocklists.names import clip, visible
from blocklists.receipt import MAX_EXCEPTIONS, Acknowledgement, Exempt, Receipt
from blocklists.trust import envelope, strict
from blocklists.trust.envelope import ACKNOWLEDGEMENT, RECEIPT, Envelope
from blocklists.trust.keys import PublicKey
from blocklists.trust.policy import Policy

PIECE = 32
"""Receipts delivered at one go: the rest of a long backlog waits for the next, so that nobody is flooded."""
MAX_OCTETS = 40_000
"""Of the exceptions in one receipt, so that its envelope stays within what is read."""
WHY = 200
"""Characters of a reason."""
MORE = "and-more"
"""In place of an id: what stands for the exceptions that did not fit."""

_REMEDY = "put the file back from a backup, or ask the authority for its copy: receipts are a chain, and a link is missing"


class Signer(Protocol):
    """Signs with a key that it keeps to itself."""

    @property
    def key(self) -> PublicKey:
        """Its public half."""

    def sign(self, data: bytes) -> bytes:
        """The signature."""


class Kept(NamedTuple):
    """A receipt on disk."""

    receipt: Receipt
    envelope: Envelope
    digest: str
    acknowledged: int | None
    """When the authority says that it took it, in unix seconds."""


class Outbox:
    """The receipts of one state directory."""

    def __init__(self, state_dir: Path) -> None:
        self.waiting = state_dir / "outbox" / "receipts"
        self.acknowledged = state_dir / "outbox" / "acknowledged"

    def numbers(self) -> list[int]:
        """Of all receipts, in order."""
        return sorted({*numbered.numbers(self.waiting), *numbered.numbers(self.acknowledged)})

    def pending(self) -> list[int]:
        """Numbers of those not acknowledged, in order."""
        return sorted(set(numbered.numbers(self.waiting)) - set(numbered.numbers(self.acknowledged)))

    def read(self, number: int) -> Kept:
        """One receipt. Raises StoreError when its file is missing or is not what was written."""
        path = numbered.path_of(self.acknowledged, number)
        try:
            try:
                both = json.loads(path.read_bytes())
                signed, answer = (envelope.from_document(both[name], str(path)) for name in ("receipt", "acknowledgement"))
                taken: int | None = receipt.read_acknowledgement(answer.payload, str(path)).at
            except FileNotFoundError:
                path = numbered.path_of(self.waiting, number)
                signed, taken = envelope.read(path.read_bytes(), str(path)), None
            found = receipt.read(signed.payload, str(path))
            if signed.kind != RECEIPT or found.number != number:
                raise BadDocument(f"it is the {signed.kind} of number {found.number}")
        except OSError as error:
            raise StoreError(f"{path} cannot be read ({error.strerror}); {_REMEDY}") from None
        except (BadDocument, ValueError, KeyError, TypeError) as error:
            raise StoreError(f"{path} is not what was written ({error}); {_REMEDY}") from None
        return Kept(found, signed, receipt.digest(signed.payload), taken)

    def last(self) -> Kept | None:
        """The newest receipt. Raises StoreError."""
        numbers = self.numbers()
        return self.read(numbers[-1]) if numbers else None

    def keep_acknowledged(self, kept: Kept, answer: Envelope) -> None:
        """Moves a receipt, with its acknowledgement, to those that wait no longer. Raises DiskError."""
        number = kept.receipt.number
        with numbered.alone(self.acknowledged):
            if not numbered.path_of(self.acknowledged, number).exists():
                both = strict.write({"acknowledgement": answer.document(), "receipt": kept.envelope.document()}, "the acknowledgement")
                numbered.write(self.acknowledged, number, both)
        with durable.explained(f"removing receipt {number} from {self.waiting}"), suppress(FileNotFoundError):
            numbered.path_of(self.waiting, number).unlink()


class InForce(NamedTuple):
    """A state of the log, and the version that put it in force."""

    facts: Mapping[str, Any]
    """What a manifest says of the orders in it (`orders`), with the state of the log as it is now."""
    signed: int
    """When the log signed that state, in unix seconds."""
    serial: int
    identity: str


def write(outbox: Outbox, operator: str, signer: Signer, state: InForce, has_orders: Callable[[int, int], bool], at: int) -> Kept | None:
    """The receipt that a state calls for, on the disk when this returns; None when the last one says the same.

    To be called once every serving process has it in force. `has_orders` says whether anything but receipts stands in the log from one position to
    before another: a log that grew by receipts alone is not receipted, or each receipt would call for the next. `at`: now, in unix seconds.
    Raises StoreError when the last receipt cannot be read: a chain is not continued over a gap. DiskError.
    """
    facts = state.facts
    exceptions = exceptions_of(facts)
    root = base64.b64encode(bytes.fromhex(facts["root"])).decode()
    with numbered.alone(outbox.waiting):
        last = outbox.last()
        if last is not None and (last.receipt.log, last.receipt.exceptions) == (facts["origin"], exceptions):
            before = last.receipt.checkpoint
            if facts["size"] == before.size and root == before.root:
                return None
            if facts["size"] > before.size and not has_orders(before.size, facts["size"]):
                return None
        number = last.receipt.number + 1 if last is not None else 1
        found = Receipt.model_validate(
            {
                "type": "receipt",
                "version": 1,
                "log": facts["origin"],
                "operator": operator,
                "number": number,
                "previous": last.digest if last is not None else None,
                "checkpoint": {"size": facts["size"], "root": root, "time": state.signed},
                "serial": state.serial,
                "identity": state.identity,
                "exceptions": exceptions,
                "at": at,
            }
        )
        unsigned = Envelope(RECEIPT, found.encode())
        made = unsigned.with_signature(signer.key.keyid, signer.sign(unsigned.signed_bytes()))
        numbered.write(outbox.waiting, number, made.encode())
    return Kept(found, made, receipt.digest(made.payload), None)


def exceptions_of(facts: Mapping[str, Any]) -> tuple[Exempt, ...]:
    """What the log orders and is not in force here, and why; what does not fit is counted, with a digest over all that the version names."""
    unnamed = sum(facts.get(f"{name}_in_all", len(facts[name])) - len(facts[name]) for name in ("skipped", "held"))
    found = [_exempt(row.get("id") or f"entry-{row['index']}", _kind(row["rule"]), f"{row['rule']}: {row['why']}") for row in facts["skipped"]]
    found += [_exempt(row["id"], "held", row["why"]) for row in facts["held"]]
    found += [_exempt(each["id"], "suspended", f"{each['by']}: {each['reason']}") for each in _suspended(facts["decisions"])]
    rows = sorted({each.model_dump_json(): each for each in found}.items())
    kept: list[Exempt] = []
    octets = 0
    for _, each in rows:
        octets += len(each.model_dump_json().encode())
        if octets > MAX_OCTETS or len(kept) >= MAX_EXCEPTIONS - 1:
            break
        kept.append(each)
    if len(kept) == len(rows) and not unnamed:
        return tuple(kept)
    whole = receipt.digest(strict.write({"exceptions": [each.model_dump(mode="json") for _, each in rows]}))
    what = rows[min(len(kept), len(rows) - 1)][1].what
    return (*kept, _exempt(MORE, what, f"{len(rows) - len(kept) + unnamed} more of {len(rows) + unnamed}, those named {whole}"))


def _kind(rule: str) -> str:
    return "refused" if rule.startswith("guard.") else "skipped"


def _exempt(identity: str, what: str, why: str) -> Exempt:
    return Exempt.model_validate({"id": identity, "what": what, "why": visible(why, WHY).strip() or what})


def _suspended(decisions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The operator's suspensions that stand."""
    standing: dict[Id, dict[str, Any]] = {}
    for each in decisions:
        if each["what"] == "suspend":
            standing[each["id"]] = each
        elif each["what"] == "resume":
            standing.pop(each["id"], None)
    return list(standing.values())


def deliver(outbox: Outbox, policy: Policy, post: Callable[[bytes], bytes]) -> int:
    """Sends what waits, oldest first, at most PIECE of them, until one is not acknowledged; how many were.

    `post` sends an envelope and returns the answer's body. Raises what it raises, BadDocument for an answer that acknowledges nothing, StoreError for
    damage. What was not acknowledged still waits.
    """
    done = 0
    for number in outbox.pending()[:PIECE]:
        kept = outbox.read(number)
        answer = check(post(kept.envelope.encode()), kept, policy)
        outbox.keep_acknowledged(kept, answer)
        done += 1
    return done


def check(data: bytes, kept: Kept, policy: Policy) -> Envelope:
    """The acknowledgement of a receipt. Raises BadDocument unless the log's key signed it, for this receipt."""
    what = f"the answer to receipt {kept.receipt.number}"
    answer = envelope.read(data, what)
    key = policy.log.key
    if answer.kind != ACKNOWLEDGEMENT or key.keyid not in envelope.signers(answer, {key.keyid: key}):
        raise BadDocument(f"{what} is no acknowledgement signed by the log's key {key.keyid}; it is sent again, and kept until one comes")
    found: Acknowledgement = receipt.read_acknowledgement(answer.payload, what)
    if (found.log, found.receipt) != (policy.log.origin, kept.digest):
        raise BadDocument(f"{what} acknowledges {clip(found.receipt)} of the log {clip(found.log)}, which is another; it is sent again")
    return answer
