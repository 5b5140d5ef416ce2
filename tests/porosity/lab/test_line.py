"""A bad line between two machines of namespaces: it loses and delays what goes over it, as it is told to, and TCP comes through whole."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator

import pytest

from porosity.lab.scenario import Line
from porosity.lab.spaces import PROGRAMS, Machine, Switch
from tests.tools import require, require_root, wait_for

SEED = 11
SERVER = """
    import socket, threading
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    datagrams.bind(("203.0.113.9", 7))
    stream = socket.create_server(("203.0.113.9", 7))
    print("ready", flush=True)
    threading.Thread(target=lambda: [each[0].sendall(bytes(range(256)) * 1000) or each[0].close() for each in iter(stream.accept, None)]).start()
    while True:
        datagrams.sendto(*datagrams.recvfrom(99))
"""
ECHO = """
    import select, socket, time
    asking = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    asking.connect(("203.0.113.9", 7))
    sent, came = {}, {}
    while len(sent) < 400 or time.monotonic() < sent[399] + 1:
        if len(sent) < 400:
            sent[len(sent)] = time.monotonic()
            asking.send(str(len(sent) - 1).encode())
        if select.select([asking], [], [], 0.002)[0]:
            came[int(asking.recv(99))] = time.monotonic()
    took = [came[each] - sent[each] for each in came]
    print(len(came), min(took), sum(took) / len(took))
"""
FETCH = """
    import socket
    come, asking = b"", socket.create_connection(("203.0.113.9", 7), 20)
    while more := asking.recv(65536):
        come += more
    print(come == bytes(range(256)) * 1000)
"""


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    require_root()
    for program in PROGRAMS:
        require(program)
    print(f"seed {SEED}")
    switch = Switch(SEED)
    log = tmp_path_factory.mktemp("line") / "log"
    try:
        server = switch.add("server", ("203.0.113.9",), line=Line(loss=10, delay=20, jitter=10))
        client = switch.add("client", ("192.0.2.9",))
        switch.plug()
        with log.open("wb") as said:
            server.start(sys.executable, "-c", textwrap.dedent(SERVER), log=said)
        wait_for(lambda: "ready" in log.read_text(), "the server")
        yield client
    finally:
        switch.close()


def test_packets_are_lost_and_late(client: Machine) -> None:
    """Each way one in ten, so that 81 of a hundred come back; each way 20 ms, so that none is back before twice 10."""
    came, least, mean = client.run(sys.executable, "-c", textwrap.dedent(ECHO)).split()
    assert 290 <= int(came) <= 355, "of 400, 324 in the middle"
    assert float(least) >= 0.02
    assert float(mean) >= 0.038


def test_a_stream_comes_through_whole(client: Machine) -> None:
    assert client.run(sys.executable, "-c", textwrap.dedent(FETCH)) == "True\n"
