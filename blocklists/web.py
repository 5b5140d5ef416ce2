"""Serves an ASGI application on sockets that are already open, as a child of the supervisor does: says when it is ready, ends when it is asked to.

What both who serve HTTP here have in common. What one client may hold, and for how long, is each one's own: it comes in the configuration.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import signal
import socket
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import uvicorn


class Server(uvicorn.Server):
    """uvicorn's server, saying when it is ready, and ending with status 0 when it is asked to end.

    Each of `more` is called once it has started, and returns what listens besides: it is closed with the rest.
    """

    more: Iterable[Callable[[uvicorn.Server], Any]] = ()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self.servers += [begin(self) for begin in self.more]
        print(json.dumps({"ready": True}), flush=True)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop)
        yield

    def _stop(self) -> None:
        self.should_exit = True


def serve(app: Callable[..., Any], descriptors: Iterable[int], more: Iterable[Callable[[uvicorn.Server], Any]] = (), **bounds: Any) -> None:
    """Serves on the listening sockets until SIGTERM or SIGINT. `bounds`: the protocol and its limits, as uvicorn.Config has them; `more`: `Server`.

    No access log, no name of the program in answers, and what a client says of others before it is believed by nobody.
    """
    # uvicorn warns of each malformed request: a flood would fill the log, and say nothing the operator could act on.
    logging.getLogger("uvicorn").setLevel(logging.ERROR)
    configuration = uvicorn.Config(
        app, ws="none", interface="asgi3", loop="asyncio", log_config=None, access_log=False, server_header=False, proxy_headers=False, **bounds
    )  # fmt: skip
    server = Server(configuration)
    server.more = more
    asyncio.run(server.serve([socket.socket(fileno=descriptor) for descriptor in descriptors]))
