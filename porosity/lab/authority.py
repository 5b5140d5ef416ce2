"""The lab's authority: keys, log and feed, made with the program as any authority makes them, and one order for all that the world blocks.

Keys and passphrase lie in the lab's directory: they sign nothing that anybody else believes. One holder for each office, since nobody has to be
convinced here; all signatures are verified by those who follow, as ever.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from porosity.lab.places import LabError, Place, environment, last_words
from porosity.lab.world import World

ADDRESS, PORT = "203.0.113.5", 8080
OPERATOR = "provider-1"
ORIGIN = "orders.lab.example/1"
ORDER = "XX-2026-000001"
STEP_SECONDS = 60.0
_PEOPLE = ("root-1", "targets-1", "officer-1", "officer-2", "reviewer-1", OPERATOR)


class Authority:
    """An authority whose feed has the world's orders, once it is made. `directory`: for all of it."""

    def __init__(self, directory: Path, world: World) -> None:
        directory.mkdir()
        self._directory = directory
        self._house = directory / "house"
        (directory / "passphrase").write_text("nobody's\n", encoding="ascii")
        (directory / "passphrase").chmod(0o600)
        ceremony, house = directory / "ceremony.yaml", str(self._house)
        ceremony.write_text(yaml.safe_dump(_ceremony()), encoding="utf-8")
        packets = [str(self._house / "packets" / f"{each}.packet.json") for each in ("root", "targets")]
        add = ("operator", "add", house, OPERATOR, "--name", "Example Telecom", "--key", str(directory / f"{OPERATOR}.pub.json"))
        # Each holder works on a machine of their own, at the same time.
        with ThreadPoolExecutor() as pool:
            list(pool.map(self._key, _PEOPLE))
            self._run("init", house, str(ceremony))
            list(pool.map(self._sign, packets, ("root-1", "targets-1"), (ORIGIN, ORIGIN)))
            self._run("publish", house, *packets)
            adding = pool.submit(self._run, *add)
            signed = self._ordered(world, pool)
            (directory / "token").write_text(_token(adding.result()), encoding="ascii")
            (directory / "token").chmod(0o600)
            self._run("publish", house, *signed)

    def _ordered(self, world: World, pool: ThreadPoolExecutor) -> list[str]:
        """The world's orders as one, in copies that two officers signed."""
        order = self._directory / "order.yaml"
        order.write_text(yaml.safe_dump(_order(world)), encoding="utf-8")
        copies = [self._directory / f"order-{each}.packet.json" for each in (1, 2)]
        self._run("draft", str(order), "--dir", str(self._house), "-o", str(copies[0]))
        shutil.copyfile(copies[0], copies[1])
        wanted = world.orders[0].name if len(world.orders) == 1 else ORDER
        list(pool.map(self._sign, map(str, copies), ("officer-1", "officer-2"), (wanted, wanted)))
        return list(map(str, copies))

    def serve(self, place: Place) -> None:
        """Serves the feed there. Raises LabError when it does not come up."""
        log = self._directory / "serve.log"
        with log.open("wb") as said:
            process = place.python(
                "redhand", "authority", "serve", str(self._house), "--listen", f"{ADDRESS}:{PORT}", log=said, stdout=subprocess.PIPE
            )
        if process.stdout is None or b"is served at" not in process.stdout.readline():
            raise LabError(f"the lab's authority does not serve its feed; it said: {last_words(log)}")

    def feed(self) -> dict[str, Any]:
        """The settings of an operator who follows it."""
        return {
            "urls": [f"http://{ADDRESS}:{PORT}/"],
            "root": str(self._house / "public" / "metadata" / "1.root.json"),
            "token_file": str(self._directory / "token"),
            "poll_seconds": 10,
        }

    def _key(self, name: str) -> None:
        self._run("key", str(self._directory / f"{name}.pem"), "--person", name, *self._secret())

    def _sign(self, packet: str, holder: str, typed: str) -> None:
        self._run("sign", packet, "--key", str(self._directory / f"{holder}.pem"), "--yes-typed", typed, *self._secret())

    def _secret(self) -> tuple[str, ...]:
        return "--passphrase-file", str(self._directory / "passphrase")

    def _run(self, *words: str) -> str:
        """`redhand authority …`: what it prints. Raises LabError when it fails."""
        command = [sys.executable, "-P", "-m", "redhand", "authority", *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=STEP_SECONDS, check=False, env=environment())  # noqa: S603
        if done.returncode:
            raise LabError(f"redhand authority {' '.join(words[:2])} failed: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout


def _ceremony() -> dict[str, Any]:
    def key(name: str) -> str:
        return f"{name}.pub.json"

    return {
        "origin": ORIGIN,
        "root": {"threshold": 1, "keys": [key("root-1")]},
        "targets": {"threshold": 1, "keys": [key("targets-1")]},
        "authorities": {"lab": {"name": "Office for the Protection of the Lab", "contact": "orders@authority.example"}},
        "officers": {each: {"authority": "lab", "key": key(each)} for each in ("officer-1", "officer-2")},
        "reviewers": {"reviewer-1": key("reviewer-1")},
        "categories": {
            "terrorism": {"authorities": ["lab"], "threshold": 2, "max_days": 366, "texts": {"en": "It stands in the lab, to be measured."}}
        },
        "limits": {},
        "operators": {OPERATOR: {"name": "Example Telecom", "key": key(OPERATOR)}},
        "protected": ["authority.example"],
    }


def _order(world: World) -> dict[str, Any]:
    now = datetime.now(UTC).replace(microsecond=0)

    def instant(days: int = 0) -> str:
        return (now + timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")

    return {
        "id": ORDER,
        "action": "block",
        "issuer": {"authority": "Office for the Protection of the Lab", "contact": "orders@authority.example"},
        "targets": [{"fqdn": each.name, "match": each.match} for each in world.orders],
        "category": "terrorism",
        "legal_basis": "Lab Act 2026, section 1",
        "reasons": {"en": "It stands in the lab, to be measured."},
        "owner_unidentifiable": True,
        "owner_unidentifiable_why": "Nobody owns it.",
        "issued_at": instant(),
        "effective_at": instant(),
        "expires_at": instant(30),
        "redress": {"url": "https://authority.example/appeal", "deadline_days": 60, "court": "Court of the Lab"},
    }


def _token(said: str) -> str:
    """The token among the words with which it is given, once."""
    return said.splitlines()[1].strip()
