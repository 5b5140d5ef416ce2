"""Makes the demonstration authority, by the steps that a real one takes (docs/regulator.md), and keeps its orders from ending.

It is made beside its place and put there whole: who is killed leaves none, or one that is complete. Its private keys are not encrypted, so that
whoever tries things out can sign as anybody in it; its root says that it is a demonstration, and no other configuration believes that root.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import blocklists
from authority import keys, packets, spec, tokens
from authority.ceremony import ceremony
from authority.drafts import draft_order, rotate
from authority.keys import KeyInMemory
from authority.packets import Packet
from authority.places import Places
from authority.publisher import Publisher
from blocklists.directive import show_time
from blocklists.durable import explained, replace, sync_directory
from blocklists.errors import StoreError
from blocklists.log import entry as entries
from blocklists.log.tree import Tree
from blocklists.trust.envelope import DIRECTIVE
from redhand.demonstration import OPERATOR, followed

DAY = 86_400
LASTS_DAYS = 90
"""How long an order lasts."""
RENEWED_DAYS = 30
"""Days before their end from which on orders, root and targets are renewed at a start."""
WHY = "the demonstration stays as it was"

_HOLDERS = {
    "root": ("root-1", "root-2"),
    "targets": ("targets-1", "targets-2"),
}
_OFFICERS = {"ocex": ("officer-1", "officer-2"), "derf": ("officer-3", "officer-4")}
_REVIEWER = "reviewer-1"
_GROUNDS = {"terrorism": "ocex", "fraud": "derf"}
_ORIGIN = "demonstration.redhand.example/1"

README = """\
A demonstration authority of Red Hand. Its keys lie in keys/, not encrypted: they are nobody's, and nothing signed with them orders anything.

`redhand run` serves its feed and follows it. Try what an authority does; for a withdrawal, which is in force a moment later:

  cat > withdrawal.yaml <<END
  id: FR-2026-000123
  action: withdraw
  issuer: {authority: Office central de l'exemple (OCEX), contact: ordres@authority.example}
  reasons: {en: The publisher has removed it.}
  issued_at: $(date -u +%Y-%m-%dT%H:%M:%SZ)
  END
  redhand authority draft withdrawal.yaml --dir DIR -o withdrawal.json
  redhand authority sign withdrawal.json --key DIR/keys/officer-1.pem
  redhand authority publish DIR withdrawal.json

How it stands:

  redhand authority status DIR

To begin anew, stop Red Hand and remove the whole state directory, of which this one is a part.
"""


def prepare(place: Path, now: int) -> None:
    """The demonstration authority at `place`, made if it is not there, with its orders in force at `now` (unix seconds). Raises RedHandError."""
    if not place.exists():
        if followed(place.parent):
            raise StoreError(
                f"{place} is gone, and what {place.parent} holds was verified with its keys; remove {place.parent} to have another demonstration"
            )
        _make(place, now)
    _renew(place, now)


def _make(place: Path, now: int) -> None:
    fresh = place.with_name("demo.new")
    with explained(f"making the demonstration in {fresh}", "there is none yet"):
        shutil.rmtree(fresh, ignore_errors=True)
        (fresh / "keys").mkdir(parents=True)
        fresh.chmod(0o700)
    made = {name: keys.generate() for name in _people()}
    for name, signer in made.items():
        keys.write_private(fresh / "keys" / f"{name}.pem", signer, None)
    receipts = keys.generate()
    keys.write_private(fresh / "receipts.pem", receipts, None)
    root, targets = ceremony(fresh, spec.from_document(_document(made, receipts), fresh), now)
    publisher = Publisher(fresh)
    publisher.publish([_signed(fresh, root, *_HOLDERS["root"]), _signed(fresh, targets, *_HOLDERS["targets"])], now)
    publisher.publish([_order(fresh, document, now) for document in samples(now)], now)
    token = tokens.issue(Places(fresh), OPERATOR, now)
    with explained(f"making the demonstration in {fresh}", "there is none yet"):
        replace(fresh / "root.json", (fresh / "public" / "metadata" / "1.root.json").read_bytes())
        replace(fresh / "token", token.encode())
        (fresh / "token").chmod(0o600)
        replace(fresh / "README", README.replace("DIR", str(place)).encode())
        fresh.rename(place)
        sync_directory(place.parent)


def _renew(place: Path, now: int) -> None:
    """Signs again what has ended or soon will: orders, root and targets. What was withdrawn stays so."""
    if not Places(place).public.is_dir() or (present := (publisher := Publisher(place)).present) is None:
        raise StoreError(f"{place} is no authority that was published; remove {place.parent} to have another demonstration")
    drafted: dict[str, Packet] = {}
    for role, metadata in (("root", present.root), ("targets", present.targets)):
        if metadata.signed.expires.timestamp() < now + RENEWED_DAYS * DAY:
            drafted |= {packet.kind: packet for packet in rotate(place, role, now)}
    found = [_signed(place, packet, *_HOLDERS[kind]) for kind, packet in drafted.items()]
    if found or publisher.is_due(now):
        publisher.publish(found, now, sure=True)
    ends = dict(_standing(place))
    late: list[dict[str, Any]] = []
    for document in samples(now):
        end = ends.get(document["id"], 0)
        if end is not None and end < now + RENEWED_DAYS * DAY:
            late.append({**document, "action": "amend"} if end else document)
    if late:
        publisher.publish([_order(place, document, now) for document in late], now, sure=True)


def _standing(place: Path) -> Iterator[tuple[str, int | None]]:
    """Of each order in the log, in its order: the id, and when it ends, in unix seconds; None when it was withdrawn."""
    tree = Tree(Places(place).log)
    for data in tree.entries(0, tree.size):
        envelope = entries.read(data, "an entry").envelope
        if envelope is None or envelope.kind != DIRECTIVE:
            continue
        order = json.loads(envelope.payload)
        if order["action"] == "withdraw":
            yield order["id"], None
        elif order["action"] != "suspend":
            yield order["id"], int(datetime.fromisoformat(order["expires_at"]).timestamp())


def samples(now: int) -> Iterator[dict[str, Any]]:
    """The sample orders, issued yesterday and in force since a minute ago."""

    def at(days: float) -> str:
        return show_time(datetime.fromtimestamp(now + int(days * DAY), UTC))

    for path in sorted((Path(blocklists.__file__).with_name("sample")).glob("*.yaml")):
        document = spec.document_in(path, "the sample order")
        if "removal_request" in document:
            document["removal_request"] = {**document["removal_request"], "sent_at": at(-3), "deadline": at(-2)}
        times = {
            "issued_at": at(-1),
            "effective_at": at(-60 / DAY),
            "enforce_by": at(1),
            "review_due": at(LASTS_DAYS - 10),
            "expires_at": at(LASTS_DAYS),
        }
        yield {**document, **times}


def _order(place: Path, document: dict[str, Any], now: int) -> Packet:
    return _signed(place, draft_order(place, document), *_OFFICERS[_GROUNDS[document["category"]]])


def _signed(place: Path, packet: Packet, *names: str) -> Packet:
    for name in names:
        packet = packets.sign_packet(packet, keys.read_private(place / "keys" / f"{name}.pem", None))
    return packet


def holder(name: str) -> str:
    """Who holds a key of the demonstration, as its policy says it."""
    return f"nobody ({name} of a demonstration)"


def _people() -> list[str]:
    return [*(name for names in (*_HOLDERS.values(), *_OFFICERS.values()) for name in names), _REVIEWER]


def _document(made: dict[str, KeyInMemory], receipts: KeyInMemory) -> dict[str, Any]:
    """The ceremony's file, with holders in place of paths."""
    holders = {name: keys.holder(signer.key, holder(name)) for name, signer in made.items()}
    return {
        "origin": _ORIGIN,
        "root": {"threshold": 2, "keys": [holders[name] for name in _HOLDERS["root"]]},
        "targets": {"threshold": 2, "keys": [holders[name] for name in _HOLDERS["targets"]]},
        "authorities": {
            "ocex": {"name": "Office central de l'exemple (OCEX)", "contact": "ordres@authority.example"},
            "derf": {"name": "Direction de l'exemple et de la répression des fraudes (DERF)", "contact": "fraudes@authority.example"},
        },
        "officers": {name: {"authority": authority, "key": holders[name]} for authority, names in _OFFICERS.items() for name in names},
        "reviewers": {_REVIEWER: holders[_REVIEWER]},
        "categories": {
            "terrorism": {
                "authorities": ["ocex"],
                "threshold": 2,
                "texts": {
                    "fr": "Ce site provoque à des actes de terrorisme ou en fait publiquement l'apologie.",
                    "en": "This site provokes acts of terrorism or publicly apologises for them.",
                },
            },
            "fraud": {
                "authorities": ["derf"],
                "threshold": 2,
                "texts": {"fr": "Ce site escroque ses visiteurs.", "en": "This site defrauds its visitors."},
            },
        },
        "operators": {OPERATOR: {"name": "The operator of this machine", "key": keys.holder(receipts.key, "nobody (operator of a demonstration)")}},
        "protected": ["authority.example"],
        "note": "A demonstration: its keys are nobody's, and it orders nothing.",
        "demonstration": True,
    }
