"""What the supervisor knows of the run beside who lives: figures, alarms, blocks by order; and the control socket that tells it.

It serves nobody who asks the DNS. When it cannot do its part (no room for a socket, a worker that does not answer) the rest goes on.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from blocklists import names
from blocklists.errors import RedHandError
from redhand.alarms import SUPERVISOR, Register
from redhand.control import Control, pass_on
from redhand.figures import Figures

RETRY_SECONDS = 5.0
"""How often a control socket that could not be made is tried again."""
FLUSH_SECONDS = 60.0
"""How long workers may take to walk through their caches."""
DUMP_SECONDS = 35.0
"""How long a worker may keep a dump waiting: longer than it waits itself for a reader."""
MOST_ORDERS = 100_000
"""Orders counted one by one; the blocks of more are counted together."""
MOST_REFERENCE = 4096
"""Characters of an order's reference: more do not fit what a worker tells at once."""
OTHER = "other"
_PAGE = os.sysconf("SC_PAGE_SIZE")


class Told(Protocol):
    """A worker as far as needed here (redhand.children.Keeper)."""

    @property
    def child(self) -> Any: ...

    def tell(self, message: dict[str, Any], files: tuple[int, ...] = ()) -> bool: ...


class Begun(Protocol):
    """A child as far as needed here (redhand.children.Child)."""

    @property
    def name(self) -> str: ...
    @property
    def job(self) -> dict[str, Any]: ...
    @property
    def by_channel(self) -> bool: ...


@dataclass(slots=True)
class Seen:
    """`report` gives how everything stands; `workers` those who take messages now; `reload` reads the settings again and says what came of it."""

    state_dir: Path
    name: str
    log: Callable[[str], None]
    changed: Callable[[], None]
    report: Callable[[], dict[str, Any]]
    workers: Callable[[], Iterable[Told]]
    reload: Callable[[], Awaitable[list[str]]] | None = None
    figures: Figures = field(default_factory=Figures)
    orders: dict[str, int] = field(default_factory=dict)
    """Blocks by reference since the supervisor started."""
    feed: dict[str, Any] | None = None
    """How the feed client last said that it stands."""
    alarms: Register = field(init=False)
    _control: Control = field(init=False)
    _trying: asyncio.Task[None] | None = None
    _ids: Any = field(default_factory=itertools.count)
    _flushes: dict[tuple[int, str], asyncio.Future[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.alarms = Register(self.log, self.changed)
        self._control = Control(self.state_dir, self.name, self._answer)

    # What children do

    def begun(self, child: Begun) -> int | None:
        """A board for a process that is about to be given the child's job; None for one that has no figures."""
        try:
            return self.figures.begin(child.name, child.job) if child.by_channel else None
        except OSError as error:
            self.alarms.sound(SUPERVISOR, f"figures {child.name}", f"no memory for its figures ({error.strerror}); it serves without", "see free(1)")
            return None

    def gone(self, child: str, file: int | None) -> None:
        """A process of this child has ended; `file` is the board it had."""
        if file is not None:
            self.figures.end(file)
        self.alarms.ended(child, self.figures.begun(child))

    def heard(self, child: str, message: dict[str, Any]) -> None:
        """What a child says while it serves."""
        self.alarms.heard(child, message)
        if isinstance(message.get("feed"), dict):
            self.feed = message["feed"]
            self.changed()
        if isinstance(counts := message.get("orders"), dict):
            for reference, count in counts.items():
                if isinstance(count, int) and 0 < count < 1 << 53 and len(reference) <= MOST_REFERENCE:
                    key = reference if reference in self.orders or len(self.orders) < MOST_ORDERS else OTHER
                    self.orders[key] = self.orders.get(key, 0) + count
        if message.get("done") == "flush":
            number, entries = message.get("id"), message.get("entries")
            waiting = self._flushes.get((number, child)) if isinstance(number, int) else None
            if waiting is not None and not waiting.done() and isinstance(entries, int):
                waiting.set_result(entries)

    # The control socket

    async def open(self) -> None:
        """Begins to listen, at once or when it can."""
        if not await self._listen():
            self._trying = asyncio.create_task(self._try_again())

    async def _try_again(self) -> None:
        while not await self._listen():
            await asyncio.sleep(RETRY_SECONDS)

    async def _listen(self) -> bool:
        try:
            await self._control.open()
        except OSError as error:
            self.alarms.sound(
                SUPERVISOR,
                "control socket",
                f"{self.state_dir}/run/control cannot be made ({error.strerror}): status shows no figures, and reload, cache and metrics do not work",
                "make room or mend the directory's owner and mode; it is tried again by itself",
            )
            return False
        self.alarms.clear(SUPERVISOR, "control socket")
        return True

    async def close(self) -> None:
        """Ends listening."""
        if self._trying is not None:
            self._trying.cancel()
            with suppress(asyncio.CancelledError):
                await self._trying
        await self._control.close()

    async def _answer(self, request: dict[str, Any], send: Callable[[bytes], Awaitable[None]]) -> dict[str, Any]:
        match request.get("do"):
            case "report":
                return {"ok": True, "report": self.whole()}
            case "flush":
                return await self._flush(str(request.get("name", "")))
            case "dump":
                return await self._dump(send)
            case "reload" if self.reload is not None:
                return {"ok": True, "said": await self.reload()}
        raise RedHandError("the supervisor does not know this request; it may be of another version than the command")

    def whole(self) -> dict[str, Any]:
        """The report with all figures, as of now."""
        report = self.report()
        pids = {"supervisor": os.getpid()} | {child["name"]: child["pid"] for child in report["children"] if child["pid"]}
        memory = {name: octets for name, pid in pids.items() if (octets := _resident(pid)) is not None}
        return {**report, "at": time.time(), "figures": self.figures.of_slots(), "orders": self.orders, "memory": memory}

    async def _flush(self, text: str) -> dict[str, Any]:
        names.parse(text)
        number = next(self._ids)
        loop = asyncio.get_running_loop()
        waiting: dict[str, asyncio.Future[int]] = {}
        silent = []
        for worker in self.workers():
            name = worker.child.name
            self._flushes[number, name] = loop.create_future()
            if worker.tell({"do": "flush", "name": text, "id": number}):
                waiting[name] = self._flushes[number, name]
            else:
                silent.append(name)
        if waiting:
            await asyncio.wait(waiting.values(), timeout=FLUSH_SECONDS)
        done = {name: future.result() for name, future in waiting.items() if future.done()}
        for name in [*waiting, *silent]:
            del self._flushes[number, name]
        return {"ok": True, "entries": done, "silent": sorted({*silent, *waiting} - set(done))}

    async def _dump(self, send: Callable[[bytes], Awaitable[None]]) -> dict[str, Any]:
        silent = []
        for worker in list(self.workers()):
            ours, theirs = os.pipe()
            told = worker.tell({"do": "dump"}, (theirs,))
            os.close(theirs)
            if not (await pass_on(ours, send, DUMP_SECONDS) and told):
                silent.append(worker.child.name)
        return {"ok": True, "silent": silent}


def _resident(process: int) -> int | None:
    """Octets of memory a process has in use, as the kernel counts them."""
    try:
        return int(Path(f"/proc/{process}/statm").read_bytes().split()[1]) * _PAGE
    except (OSError, IndexError, ValueError):
        return None
