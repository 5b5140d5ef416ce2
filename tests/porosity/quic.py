"""A small server of DNS over QUIC on loopback, in a thread: it answers A of any name with 192.0.2.1, and does what a test says otherwise."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dns.message
import dns.rrset
from aioquic.asyncio import QuicConnectionProtocol, serve
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import QuicEvent, StreamDataReceived

from tests.tools import free_ports


class _Answering(QuicConnectionProtocol):
    def __init__(self, *more: Any, **how: Any) -> None:
        super().__init__(*more, **how)
        self._come: dict[int, bytearray] = {}

    def quic_event_received(self, event: QuicEvent) -> None:
        if not isinstance(event, StreamDataReceived):
            return
        come = self._come.setdefault(event.stream_id, bytearray())
        come += event.data
        if not event.end_stream:
            return
        query = dns.message.from_wire(bytes(come[2:]))
        name = query.question[0].name.to_text()
        if name.startswith("reset"):
            self._quic.reset_stream(event.stream_id, 5)
        elif name.startswith("end"):
            self._quic.close(error_code=1)
        elif not name.startswith("silent"):
            response = dns.message.make_response(query)
            response.answer = [dns.rrset.from_text(name if not name.startswith("other") else "an.other.test.", 60, "IN", "A", "192.0.2.1")]
            if name.startswith("other"):
                response.question = dns.message.make_query("an.other.test", "A").question
            wire = response.to_wire()
            self._quic.send_stream_data(event.stream_id, len(wire).to_bytes(2, "big") + wire[:20])
            self._quic.send_stream_data(event.stream_id, wire[20:], end_stream=True)
        self.transmit()


@contextmanager
def serving(chain: Path, key: Path) -> Iterator[int]:
    """It serves; gives its port."""
    (port,) = free_ports(1)
    ready, loop = threading.Event(), asyncio.new_event_loop()

    async def begin() -> Any:
        configuration = QuicConfiguration(is_client=False, alpn_protocols=["doq"])
        configuration.load_cert_chain(chain, key)
        server = await serve("127.0.0.1", port, configuration=configuration, create_protocol=_Answering)
        ready.set()
        return server

    def whole() -> None:
        asyncio.set_event_loop(loop)
        server = loop.run_until_complete(begin())
        loop.run_forever()
        server.close()
        loop.run_until_complete(asyncio.sleep(0))

    thread = threading.Thread(target=whole, daemon=True)
    thread.start()
    assert ready.wait(20)
    try:
        yield port
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(20)
        loop.close()
