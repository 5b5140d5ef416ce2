"""The metrics process: `python -m redhand.metrics`, started by the supervisor with one listening socket, asks it for the report at each scrape.

A process of its own, so that whoever scrapes, however often or badly, takes nothing from the supervisor but a bounded answer, and nothing from the
workers at all. It tells who serves, how much and how well: nothing of clients.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from asyncio import Transport
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from uvicorn.protocols.http.h11_impl import H11Protocol

from blocklists import confine, logs, web
from redhand import control
from redhand.exposition import families

NICE = 10
"""Scrapes give way to whoever serves."""
REPORT_SECONDS = 5.0
CONNECTION_SECONDS = 30.0
"""How long a scraper may stay connected: longer than any scrape takes, and no idle or slow one is kept."""
MOST_CONNECTIONS = 64

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class _Report(Collector):
    """One report as prometheus_client collects it."""

    def __init__(self, report: dict[str, Any]) -> None:
        self._report = report

    def collect(self) -> Iterator[Metric]:
        """Every family."""
        return families(self._report)


def rendered(report: dict[str, Any], accept: str) -> tuple[bytes, str]:
    """The metrics in the format a scraper accepts, and that format's name."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Report(report))
    encode, kind = choose_encoder(accept)
    return encode(registry), kind


def app(ask: Callable[[], dict[str, Any]]) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
    """The ASGI application: /metrics, and nothing else. `ask` gives the report, empty when there is none."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        status, body, kind = 404, b"Metrics are at /metrics\n", "text/plain; charset=utf-8"
        if scope["path"] == "/metrics" and scope["method"] in ("GET", "HEAD"):
            accept = b",".join(value for name, value in scope["headers"] if name == b"accept").decode("latin-1")
            body, kind = rendered(await asyncio.to_thread(ask), accept)
            status = 200
        headers = [(b"content-type", kind.encode()), (b"content-length", b"%d" % len(body)), (b"cache-control", b"no-store")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    return serve


class Brief(H11Protocol):
    """uvicorn's HTTP/1 protocol for connections that are short and few."""

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._ending = self.loop.call_later(CONNECTION_SECONDS, transport.abort)
        if len(self.connections) > MOST_CONNECTIONS:
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._ending.cancel()
        super().connection_lost(exc)


def main() -> None:
    """Serves until it is told to stop."""
    job: dict[str, Any] = json.load(sys.stdin)
    os.nice(NICE)
    if job.get("confined") is True:
        confine.confine(())
    logs.to_stderr("metrics", job["logs"])
    state_dir, name = Path(job["state_dir"]), str(job["name"])

    def ask() -> dict[str, Any]:
        try:
            report: dict[str, Any] = control.last(control.ask(state_dir, {"do": "report"}, REPORT_SECONDS, name))["report"]
        except (control.NothingRuns, control.Unanswered):
            return {}
        return report

    web.serve(
        app(ask),
        job["sockets"],
        http=Brief,
        lifespan="off",
        limit_concurrency=MOST_CONNECTIONS,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=1,
    )


if __name__ == "__main__":
    main()
