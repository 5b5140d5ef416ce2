"""The control socket: how the commands of this machine ask the running supervisor, and how it answers.

A Unix socket in the state directory that only its owner (and root) may open. One request, a JSON line; then replies, JSON lines, of which the last
has `ok`. Whatever a client sends, or does not read, harms nobody: lines, waiting times and connections are bounded, and each client waits only for
itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

from blocklists.errors import RedHandError
from redhand import status

MOST_REQUEST = 4096
"""Octets of a request."""
MOST_CLIENTS = 16
REQUEST_SECONDS = 5.0
REPLY_SECONDS = 30.0
"""How long a client may take to say what it wants, and to take each part of the reply."""
MOST_UNSENT = 1 << 16
MOST_REPLY = 1 << 26
"""Octets of one line that a command reads."""

Answer = Callable[[dict[str, Any], Callable[[bytes], Awaitable[None]]], Awaitable[dict[str, Any]]]
"""Answers a request. It may send lines first; what it returns goes out last. A RedHandError it raises is told to the client."""


def _folder(state_dir: Path) -> Path:
    return state_dir / "run"


def _file(name: str) -> str:
    return "control" if name == status.MAIN else f"control-{name}"


@contextlib.contextmanager
def _reach(state_dir: Path, name: str) -> Iterator[str]:
    """An address of the socket that is short however deep the directory is: the kernel takes 108 octets (unix(7))."""
    folder = os.open(_folder(state_dir), os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{_file(name)}"
    finally:
        os.close(folder)


class Control:
    """The supervisor's end."""

    def __init__(self, state_dir: Path, name: str, answer: Answer) -> None:
        self._state_dir = state_dir
        self._name = name
        self._answer = answer
        self._server: asyncio.Server | None = None
        self._clients: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Begins to listen; a socket left by one that was killed is replaced. Raises OSError when the socket cannot be made."""
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        try:
            with _reach(self._state_dir, self._name) as address:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(address)
                before = os.umask(0o177)
                try:
                    listening.bind(address)
                finally:
                    os.umask(before)
            self._server = await asyncio.start_unix_server(self._met, sock=listening, limit=MOST_REQUEST)
        except BaseException:
            listening.close()
            raise

    async def close(self) -> None:
        """Ends it; whoever is being answered is cut off."""
        if self._server is None:
            return
        self._server.close()
        for task in self._clients:
            task.cancel()
        await asyncio.gather(*self._clients, return_exceptions=True)
        with contextlib.suppress(OSError):
            (_folder(self._state_dir) / _file(self._name)).unlink()

    async def _met(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None or len(self._clients) >= MOST_CLIENTS:
            writer.transport.abort()
            return
        self._clients.add(task)
        writer.transport.set_write_buffer_limits(high=MOST_UNSENT)
        try:
            await self._serve(reader, writer)
            writer.close()
            await asyncio.wait_for(writer.wait_closed(), REPLY_SECONDS)
        except (OSError, TimeoutError, asyncio.CancelledError):  # it went away, does not read on, or we end
            pass
        finally:
            self._clients.discard(task)
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def send(octets: bytes) -> None:
            writer.write(octets)
            await asyncio.wait_for(writer.drain(), REPLY_SECONDS)

        try:
            request = json.loads(await asyncio.wait_for(reader.readline(), REQUEST_SECONDS))
            if not isinstance(request, dict):
                raise ValueError("not an object")
        except (ValueError, RecursionError):
            await send(_line({"ok": False, "error": f"a request is one JSON object in a line of at most {MOST_REQUEST} octets"}))
            return
        try:
            reply = await self._answer(request, send)
        except RedHandError as error:
            reply = {"ok": False, "error": str(error)}
        await send(_line(reply))


def _line(message: dict[str, Any]) -> bytes:
    return json.dumps(message).encode() + b"\n"


async def pass_on(file: int, send: Callable[[bytes], Awaitable[None]], seconds: float) -> bool:
    """Hands on what comes out of a pipe, until it ends. False when nothing came for so long. The descriptor is closed.

    Raises what `send` raises: a client that does not read is not asked to read another pipe.
    """
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(MOST_UNSENT)
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(file, "rb", 0))
    last = b"\n"
    try:
        while True:
            try:
                octets = await asyncio.wait_for(reader.read(MOST_UNSENT), seconds)
            except TimeoutError:
                return False
            if not octets:
                break
            await send(octets)
            last = octets
    finally:
        transport.close()
    if not last.endswith(b"\n"):
        await send(b"\n")  # its writer died within a line
    return True


# The commands' end


class NothingRuns(RedHandError):
    """No supervisor listens there."""


class Unanswered(RedHandError):
    """The supervisor refused, or did not answer as it should."""


def ask(state_dir: Path, request: dict[str, Any], seconds: float = 10.0, name: str = status.MAIN) -> Iterator[dict[str, Any]]:
    """The replies to a request as they come, the last (`ok`) included. Raises NothingRuns or Unanswered, each saying what to do."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(seconds)
        try:
            with _reach(state_dir, name) as address:
                client.connect(address)
        except PermissionError:
            raise Unanswered(
                f"{_folder(state_dir) / _file(name)} may not be opened by this user; run the command as the user that runs Red Hand, or as root"
            ) from None
        except OSError:
            raise NothingRuns(
                f"nothing runs with the state directory {state_dir}; start it with: redhand run, or name the settings file it runs with: --config"
            ) from None
        try:
            client.sendall(_line(request))
            with client.makefile("rb") as lines:
                yield from _replies(lines)
        except TimeoutError:
            raise Unanswered(f"the supervisor did not answer within {seconds:g} s; look at its log") from None
        except OSError as error:
            raise Unanswered(f"the supervisor broke off ({error.strerror}); look at its log") from None


def _replies(lines: Any) -> Iterator[dict[str, Any]]:
    while line := lines.readline(MOST_REPLY):
        try:
            reply = json.loads(line)
        except ValueError:  # a worker died within a line
            continue
        if not isinstance(reply, dict):
            continue
        if reply.get("ok") is False:
            raise Unanswered(str(reply.get("error")))
        yield reply
        if "ok" in reply:
            return
    raise Unanswered("the supervisor broke off before its answer was whole; look at its log")


def last(replies: Iterator[dict[str, Any]]) -> dict[str, Any]:
    """The reply that ends an answer."""
    return list(replies)[-1]


def report(state_dir: Path, name: str = status.MAIN) -> dict[str, Any]:
    """How everything stands, with all figures. Raises NothingRuns or Unanswered."""
    found: dict[str, Any] = last(ask(state_dir, {"do": "report"}, name=name))["report"]
    return found


def fresh(state_dir: Path, name: str, written: dict[str, Any]) -> dict[str, Any]:
    """The report as of now, or what was last written of it when the supervisor cannot be asked."""
    try:
        return report(state_dir, name)
    except (NothingRuns, Unanswered):
        return written
