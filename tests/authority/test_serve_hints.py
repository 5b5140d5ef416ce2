"""Hints: one to every subscriber soon after each publication, whoever publishes; those who do not read are dropped."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from authority.hints import Hub
from blocklists.log.tree import Tree
from tests.authority.cast import order, signed
from tests.authority.conftest import Feed
from tests.authority.feeding import event, listening
from tests.tools import DEADLINE, in_time, wait_for


def size_of(feed: Feed) -> bytes:
    return b"%d" % Tree(feed.directory / "public" / "log").size


def test_every_subscriber_hears_of_a_publication_in_time(feed: Feed) -> None:
    listeners = [listening(feed.server) for _ in range(200)]
    try:

        def hear(number: int) -> float:
            packet = signed(feed.cast, feed.directory, order(f"XX-20-{number}", f"twenty-{number}.site.test"))
            feed.publisher.publish([packet], int(time.time()))
            begun = time.monotonic()
            assert {event(each) for each in listeners} == {size_of(feed)}
            return time.monotonic() - begun

        assert in_time(hear, 1)
    finally:
        for each in listeners:
            each.close()


def test_another_process_publishes(feed: Feed) -> None:
    with listening(feed.server) as subscriber:
        subprocess.run([sys.executable, "-m", "redhand", "authority", "refresh", str(feed.directory)], check=True, capture_output=True)
        assert event(subscriber) == size_of(feed)


def test_an_answer_is_kept_open_and_never_cached(feed: Feed) -> None:
    with feed.server.raw() as connection:
        connection.sendall(b"GET /hints HTTP/1.1\r\nHost: a\r\n\r\n")
        head = connection.recv(4096).split(b"\r\n\r\n")[0].lower()
    assert b"content-type: text/event-stream" in head
    assert b"cache-control: no-store" in head


def test_who_leaves_is_forgotten_and_who_reads_nothing_is_dropped(tmp_path: Path) -> None:
    """A hub of its own, told of a flood of publications, behind uvicorn and the protocol of the real server."""
    directory = tmp_path / "authority"
    code = """
import asyncio, json, socket, sys
import uvicorn
from authority.front import Protocol
from authority.hints import Hub
from pathlib import Path

hub = Hub(Path(sys.argv[1]), slow_seconds=0.5)
told = 0

async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await hub.subscribe(receive, send, scope["abort"])

async def main():
    global told
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, http=Protocol, lifespan="off", log_level="error", loop="asyncio"))
    serving = asyncio.create_task(server.serve([listening]))
    print(listening.getsockname()[1], flush=True)
    asyncio.get_running_loop().add_reader(0, sys.exit)
    while True:
        hub.tell(told := told + 1)
        await asyncio.sleep(0)
        if told % 500 == 0:
            print(json.dumps([told, hub.subscribers]), flush=True)
            await asyncio.sleep(0.01)

asyncio.run(main())
"""
    with subprocess.Popen([sys.executable, "-c", code, str(directory)], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            port = int(process.stdout.readline())

            def connected(octets: int) -> socket.socket:
                connection = socket.socket()
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, octets)
                connection.settimeout(DEADLINE)
                connection.connect(("127.0.0.1", port))
                connection.sendall(b"GET /hints HTTP/1.1\r\nHost: a\r\n\r\n")
                return connection

            def subscribers() -> int:
                assert process.stdout is not None
                return int(json.loads(process.stdout.readline())[1])

            leaves = [connected(1 << 16) for _ in range(20)]
            for each in leaves:
                assert each.recv(100).startswith(b"HTTP/1.1 200")
            for each in leaves:
                each.close()
            wait_for(lambda: subscribers() == 0, "those who left are forgotten")
            silent, reading = connected(2048), connected(1 << 16)
            wait_for(lambda: subscribers() == 2, "both are there")

            def read_on() -> bool:
                assert reading.recv(1 << 16)
                return subscribers() == 1

            wait_for(read_on, "the one who reads nothing is dropped")
            silent.close()
            assert reading.recv(1 << 16)
            reading.close()
        finally:
            process.kill()


def test_a_hub_takes_no_more_than_it_can_tell(tmp_path: Path) -> None:
    async def main() -> None:
        hub = Hub(tmp_path, most=2)
        left = asyncio.Event()

        async def receive() -> dict[str, Any]:
            await left.wait()
            return {"type": "http.disconnect"}

        async def send(_: Any) -> None:
            await asyncio.sleep(0)

        tasks = [asyncio.create_task(hub.subscribe(receive, send, lambda: None)) for _ in range(2)]
        await asyncio.sleep(0)
        assert hub.full
        left.set()
        await asyncio.gather(*tasks)
        assert not hub.full

    asyncio.run(main())
