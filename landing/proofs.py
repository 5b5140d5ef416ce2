"""The proof about a listed name, served to whoever sees its page: the authority need not be asked, and so learns of no visitor.

A proof (`blocklists.proving`) holds the signed order as it is. It is given for names that an order of the log lists now; not while the law keeps what
led to an order about the name from the public, nor when an order about it names sites of others, who are not this visitor's business (entries of the
log are for operators). It comes without the rest of the log, for the same reason.

Making one reads the whole log: a process of its own does it (`landing.prover`), one at a time and when the machine has nothing else to do. What was
made is kept for some minutes, so that a flood costs one. Whoever would wait too long, or in too long a line, is told to come back.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections import OrderedDict
from contextlib import suppress
from pathlib import Path

from blocklists import names, store
from blocklists.errors import BadName
from landing.problem import PROOF

PREFIX = PROOF.encode()
CONTENT_TYPE = b"application/json"
NONE, WITHHELD = 3, 4
"""How the prover ends when nothing can be proved of the name, and when the proof is not for the public."""
MAX_OCTETS = 512 << 10
"""Of a proof that is given. One with a short policy has some ten thousand."""
WAIT_SECONDS = 10.0
"""A visitor waits at most so long."""
MAKE_SECONDS = 60.0
"""One may be in the making for so long; then it is given up."""
IN_LINE = 16
"""Names that wait to be made."""
KEPT = 64
KEPT_SECONDS = 600.0
"""A proof says what was so at its checkpoint: an older one proves no less."""
REFUSED_SECONDS = 30.0
"""The same of one that could not be given."""


class NoProof(Exception):
    """None is given: `kind` is the plain page that says why, `status` its status."""

    def __init__(self, kind: str, status: int) -> None:
        super().__init__(kind)
        self.kind = kind
        self.status = status


class Proofs:
    """Those of the listed names of one state directory, for one event loop."""

    def __init__(self, state_dir: Path) -> None:
        self._state_dir = state_dir
        self._version: store.Version | None = None
        self._kept: OrderedDict[str, tuple[float, bytes | NoProof]] = OrderedDict()
        self._making: dict[str, asyncio.Task[bytes]] = {}
        self._one = asyncio.Lock()

    def put_in_force(self, version: store.Version) -> None:
        """Names are those of this version from now on; what was made before is made anew."""
        self._version = version
        self._kept.clear()

    async def of(self, path: bytes, now: int) -> bytes:
        """The proof file about a name that an order lists at `now` (unix seconds), by what follows PREFIX in a request's target. Raises NoProof."""
        name = path.decode("latin-1")
        if not self._is_ordered(name, now):
            raise NoProof("unproved", 404)
        kept = self._kept.get(name)
        if kept is None or kept[0] < time.monotonic():
            task = self._making.get(name)
            if task is None:
                if len(self._making) >= IN_LINE:
                    raise NoProof("proving", 503)
                task = self._making[name] = asyncio.create_task(self._make(name))
                task.add_done_callback(lambda done: (self._making.pop(name, None), done.cancelled() or done.exception()))
            try:
                # Several visitors share one; who leaves, or waits no longer, does not take it from the others.
                return await asyncio.wait_for(asyncio.shield(task), WAIT_SECONDS)
            except TimeoutError:
                raise NoProof("proving", 503) from None
        if isinstance(kept[1], NoProof):
            raise NoProof(kept[1].kind, kept[1].status)
        return kept[1]

    def _is_ordered(self, name: str, now: int) -> bool:
        if self._version is None:
            return False
        try:
            key = names.key(names.parse(name))
        except BadName:
            return False
        # The text that the page has, and no other that means the same: each is kept apart.
        return names.key_text(key) == name and any(
            rule.kind == "directive" and rule.key == key and rule.in_force(now) for rule in self._version.index.covering(key)
        )

    async def _make(self, name: str) -> bytes:
        """Makes it, and keeps it, or why there is none."""
        version = self._version
        try:
            async with self._one:
                found: bytes | NoProof = await self._made(name)
        except NoProof as refused:
            found = refused
        if self._version is version:
            self._kept[name] = time.monotonic() + (KEPT_SECONDS if isinstance(found, bytes) else REFUSED_SECONDS), found
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        if isinstance(found, NoProof):
            raise found
        return found

    async def _made(self, name: str) -> bytes:
        # Read-only: a confined process may open nothing to write. What the prover says of a fault would have the name in it, and goes nowhere.
        with open(os.devnull, "rb") as nothing:
            prover = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "landing.prover", str(self._state_dir), name,
                stdin=nothing, stdout=asyncio.subprocess.PIPE, stderr=nothing, limit=MAX_OCTETS,
            )  # fmt: skip
        try:
            async with asyncio.timeout(MAKE_SECONDS):
                assert prover.stdout is not None  # noqa: S101 - it was asked for
                data = b""
                while len(data) <= MAX_OCTETS and (piece := await prover.stdout.read(MAX_OCTETS)):
                    data += piece
                code = await prover.wait() if len(data) <= MAX_OCTETS else NONE
        except TimeoutError:
            code = None
        finally:
            with suppress(ProcessLookupError):
                prover.kill()
            await prover.wait()
        if code == 0:
            return data
        if code in {NONE, WITHHELD}:
            raise NoProof("withheld" if code == WITHHELD else "unproved", 404)
        raise NoProof("proving", 503)
