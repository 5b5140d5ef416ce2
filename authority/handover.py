"""Handing packets to the server that runs for a directory, whose publisher has the log in its head: DIR/publish.socket, for the owner alone.

    we → server   {"packets": ["…", …]} and the end of what we send; an order's packet without its files, for what is published counts
    server → us   {"left": 12000}           entries it must still judge before it can judge these; now and then
                  {"published": {…}} or {"refused": "why"}

A request that is cut short is no JSON, and nothing of it is done. Whoever does not hear the end sends the same again: what is logged is not logged
twice.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from authority import packets
from authority.errors import AuthorityError
from authority.packets import Packet
from authority.publisher import Logged, Published
from blocklists.errors import RedHandError
from blocklists.names import clip

NAME = "publish.socket"
MAX_OCTETS = 256 << 20
SEND_SECONDS = 30.0
"""For the whole of a request, from a process on the same machine."""
QUIET_SECONDS = 120.0
"""How long the server may say nothing."""
AGAIN = "run the same command again: what was published already is not published twice"


def opened(directory: Path) -> socket.socket:
    """The listening socket of the server. Raises AuthorityError when another server runs for the directory."""
    with _at(directory) as place:
        with socket.socket(socket.AF_UNIX) as other:
            try:
                other.connect(place.name)
            except OSError:
                pass
            else:
                raise AuthorityError(f"{directory} is served by another process already; end that one first")
        (directory / NAME).unlink(missing_ok=True)
        listening = socket.socket(socket.AF_UNIX)
        before = os.umask(0o177)
        try:
            listening.bind(place.name)
        except OSError as error:
            listening.close()
            raise AuthorityError(f"cannot make {directory / NAME} ({error.strerror}); check the owner and mode of {directory}") from None
        finally:
            os.umask(before)
    listening.listen(64)
    return listening


def closed(directory: Path) -> None:
    """Takes nothing more: who comes from now on publishes himself."""
    with suppress(OSError):
        (directory / NAME).unlink()


class _at:
    """A path to the socket that is short enough for the kernel (unix(7): 108 octets), whatever the directory's."""

    def __init__(self, directory: Path) -> None:
        self._descriptor = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        self.name = f"/proc/self/fd/{self._descriptor}/{NAME}"

    def __enter__(self) -> _at:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)


def hand_over(directory: Path, found: Sequence[Packet], say: Callable[[str], None]) -> Published | None:
    """What the server that runs for the directory has published; None when none runs. Raises AuthorityError with its refusal."""
    sent = [replace(packet, files={}) if packet.kind in ("directive", "review") else packet for packet in found]
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            with _at(directory) as place:
                connection.connect(place.name)
        except (FileNotFoundError, ConnectionRefusedError):
            return None
        except OSError as error:
            raise AuthorityError(
                f"the server that runs for {directory} cannot be reached ({error.strerror}); run this as the user that the server runs as"
            ) from None
        connection.settimeout(QUIET_SECONDS)
        try:
            connection.sendall(json.dumps({"packets": [packet.encode().decode() for packet in sent]}).encode())
            connection.shutdown(socket.SHUT_WR)
            with connection.makefile("rb") as answers:
                for line in answers:
                    answer = json.loads(line)
                    if "left" in answer:
                        say(f"the server has {answer['left']} entries of the log to judge before these")
                    elif "refused" in answer:
                        raise AuthorityError(str(answer["refused"]))
                    else:
                        made = dict(answer["published"])
                        return Published(**{**made, "orders": tuple(Logged(**each) for each in made["orders"])})
        except (OSError, ValueError) as error:
            raise AuthorityError(f"the server that runs for {directory} did not answer ({clip(str(error))}); {AGAIN}") from None
    raise AuthorityError(f"the server that runs for {directory} ended before it said what came of it; {AGAIN}")


class Request:
    """Packets that somebody handed over, and how to answer them."""

    def __init__(self, connection: socket.socket, found: list[Packet]) -> None:
        self._connection = connection
        self.packets = found

    def wait(self, left: int) -> None:
        """Says how many entries are to be judged before."""
        self._send({"left": left})

    def published(self, done: Published) -> None:
        """Ends it."""
        self._end({"published": asdict(done)})

    def refused(self, why: str) -> None:
        """Ends it."""
        self._end({"refused": why})

    def _end(self, answer: dict[str, Any]) -> None:
        self._send(answer)
        self._connection.close()

    def _send(self, answer: dict[str, Any]) -> None:
        with suppress(OSError):  # who has gone away looks for himself what came of it
            self._connection.sendall(json.dumps(answer).encode() + b"\n")


def accept(listening: socket.socket) -> Request | None:
    """The request that is waiting; None when it is no sound one, or not by the directory's owner or root. Such a one has its answer."""
    try:
        connection, _ = listening.accept()
    except OSError:
        return None
    request = Request(connection, [])
    try:
        credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        if struct.unpack("3i", credentials)[1] not in (0, os.geteuid()):
            raise AuthorityError("only the user that the server runs as may publish")
        document = json.loads(_received(connection))
        request.packets = [packets.read(each.encode(), f"packet {number}", bare=True) for number, each in enumerate(document["packets"], 1)]
        connection.settimeout(SEND_SECONDS)
    except RedHandError as error:
        request.refused(str(error))
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        connection.close()
        return None
    return request


def _received(connection: socket.socket) -> bytes:
    found, ends = bytearray(), time.monotonic() + SEND_SECONDS
    while (left := ends - time.monotonic()) > 0 and len(found) <= MAX_OCTETS:
        connection.settimeout(left)
        piece = connection.recv(1 << 16)
        if not piece:
            return bytes(found)
        found += piece
    raise TimeoutError
