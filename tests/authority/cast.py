"""An authority for tests, with everybody's keys, and a client of its feed: python-tuf's own updater, over a real HTTP server."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tuf.ngclient import Updater

from authority import keys, packets, spec
from authority.ceremony import ceremony
from authority.drafts import draft_order
from authority.keys import Holder, KeyInMemory
from authority.packets import Packet
from authority.publisher import Publisher
from blocklists.log.note import Checkpoint, verify_note
from blocklists.log.tree import Tree
from blocklists.trust import policy

ORIGIN = "orders.authority.example/2026"
NOW = 1_790_000_000
"""September 2026. The ceremony is held then, unless a test says otherwise."""


class Cast:
    """Everybody who has a key, by a short name that is also the person's."""

    def __init__(self) -> None:
        self._keys: dict[str, KeyInMemory] = {}

    def __getitem__(self, name: str) -> KeyInMemory:
        return self._keys.setdefault(name, keys.generate())

    def holder(self, name: str) -> Holder:
        return keys.holder(self[name].key, name)

    def sign(self, packet: Packet, *names: str) -> Packet:
        """Each signs on a machine of their own: what passes between them is the file."""
        for name in names:
            packet = packets.sign_packet(packets.read(packet.encode(), "the packet"), self[name])
        return packet

    def document(self, **fields: Any) -> dict[str, Any]:
        """A ceremony's file, with holders in place of paths."""
        text = {"en": "An example."}
        return {
            "origin": ORIGIN,
            "root": {"threshold": 2, "keys": [self.holder(name) for name in ("root-1", "root-2", "root-3")]},
            "targets": {"threshold": 2, "keys": [self.holder(name) for name in ("targets-1", "targets-2", "targets-3")]},
            "authorities": {"north": {"name": "North", "contact": "north@authority.example"}, "south": {"name": "South", "contact": "south"}},
            "officers": {
                **{name: {"authority": "north", "key": self.holder(name)} for name in ("north-1", "north-2", "north-3")},
                "south-1": {"authority": "south", "key": self.holder("south-1")},
            },
            "reviewers": {"reviewer-1": self.holder("reviewer-1")},
            "categories": {
                "terrorism": {"authorities": ["north"], "threshold": 2, "texts": text},
                "fraud": {"authorities": ["south"], "threshold": 1, "max_days": 30, "texts": text},
            },
            "limits": {"names_per_hour": 5, "names_per_day": 10},
            "protected": ["portal.example", "Authority.Example"],
            **fields,
        }


def found(cast: Cast, directory: Path, now: int = NOW, **fields: Any) -> Publisher:
    """An authority whose first metadata are published."""
    root, targets = ceremony(directory, spec.from_document(cast.document(**fields), directory), now)
    publisher = Publisher(directory)
    publisher.publish([cast.sign(root, "root-1", "root-2"), cast.sign(targets, "targets-1", "targets-3")], now)
    return publisher


def order(identity: str = "XX-1", *names: str, **fields: Any) -> dict[str, Any]:
    """A block as an officer writes it; a name with a leading dot is a subtree. A field given as None is left out."""
    whole = {
        "id": identity,
        "action": "block",
        "issuer": {"authority": "North", "contact": "north@authority.example"},
        "targets": [{"fqdn": name.removeprefix("."), "match": "subtree" if name[0] == "." else "exact"} for name in names or ("www.site.test",)],
        "category": "terrorism",
        "legal_basis": "Law 1",
        "reasons": {"en": "It calls for terror."},
        "owner_unidentifiable": "true",
        "owner_unidentifiable_why": "Nobody answers.",
        "issued_at": "2026-09-21T12:00:00Z",
        "effective_at": "2026-09-21T12:00:00Z",
        "expires_at": "2026-12-01T00:00:00Z",
        "redress": {"url": "https://authority.example/", "deadline_days": "30", "court": "Court"},
        **fields,
    }
    return {name: value for name, value in whole.items() if value is not None}


def following(identity: str, action: str, **fields: Any) -> dict[str, Any]:
    """A withdrawal or suspension as an officer writes it."""
    blank = dict.fromkeys(
        ("targets", "category", "legal_basis", "effective_at", "expires_at", "redress", "owner_unidentifiable", "owner_unidentifiable_why")
    )
    return order(identity, **{**blank, "action": action, **fields})


def signed(cast: Cast, directory: Path, document: Mapping[str, Any], *names: str) -> Packet:
    """The order, drafted and signed."""
    return cast.sign(draft_order(directory, document), *(names or ("north-1", "north-2")))


@contextmanager
def served(directory: Path) -> Iterator[str]:
    """The public tree over HTTP; its base URL."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(directory / "public")))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Client:
    """Somebody who follows the feed: a directory of metadata, kept from look to look, and the root file it began with."""

    def __init__(self, directory: Path, bootstrap: bytes) -> None:
        self.directory = directory
        self.bootstrap = bootstrap
        self.checkpoint: Checkpoint | None = None
        self.policy: policy.Policy | None = None
        (directory / "targets").mkdir(parents=True, exist_ok=True)

    def look(self, base: str) -> Checkpoint:
        """Verifies all that is published now, down to the checkpoint's signature. Raises what python-tuf and `blocklists` do."""
        updater = Updater(
            str(self.directory / "metadata"), f"{base}metadata/", str(self.directory / "targets"), f"{base}targets/", bootstrap=self.bootstrap
        )
        updater.refresh()
        contents = {}
        for name in ("policy.json", "protected.json", "suffixes.dat", "checkpoint"):
            target = updater.get_targetinfo(name)
            assert target is not None, name
            contents[name] = Path(updater.download_target(target)).read_bytes()
        self.policy = policy.load(contents["policy.json"])
        self.checkpoint = verify_note(contents["checkpoint"], self.policy.log.key, ORIGIN)
        return self.checkpoint


def client(directory: Path, authority: Path) -> Client:
    """A newcomer, who was given the first root by hand."""
    return Client(directory, (authority / "public" / "metadata" / "1.root.json").read_bytes())


def in_log(authority: Path, checkpoint: Checkpoint) -> bool:
    """Whether the tree on the disk has the state that a checkpoint names."""
    return Tree(authority / "public" / "log").root_at(checkpoint.size) == checkpoint.root


def root_of(pinned: Mapping[str, Any]) -> bytes:
    return base64.b64decode(pinned["root"])
