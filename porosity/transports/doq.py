"""Questions over QUIC (RFC 9250): a stream each, many under way on one connection, ID 0."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path
from typing import cast

from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.events import ConnectionTerminated, HandshakeCompleted, QuicEvent, StreamDataReceived, StreamReset

from porosity.transports.mux import Pending, Table, failure_of
from porosity.transports.pool import PIPELINED, Pool, Unfit
from porosity.words import Endpoint, Failure

ALPN = "doq"
"""RFC 9250, section 4.1."""
CANCELLED = 3
"""DOQ_REQUEST_CANCELLED (RFC 9250, section 4.3)."""
FIRST_ALERT, LAST_ALERT = 0x100, 0x1FF
"""Error codes of a connection that are TLS's alerts (RFC 9001, section 4.8)."""


def doq(endpoint: Endpoint, ca: Path | None = None) -> Pool:
    """The way to an endpoint over QUIC. `ca`: a PEM file of who vouches for certificates; without it, who browsers believe."""

    async def connect() -> Quic:
        configuration = QuicConfiguration(is_client=True, alpn_protocols=[ALPN], server_name=endpoint.server_name or endpoint.address)
        configuration.verify_mode = ssl.CERT_REQUIRED
        if ca is not None:
            configuration.load_verify_locations(str(ca))
        loop = asyncio.get_running_loop()
        transport, protocol = await loop.create_datagram_endpoint(
            lambda: Quic(QuicConnection(configuration=configuration)), remote_addr=(endpoint.address, endpoint.port)
        )
        protocol.connect(transport.get_extra_info("peername"))
        try:
            await protocol.ready
        except BaseException:
            await protocol.close()
            raise
        return protocol

    return Pool(connect)


class Quic(QuicConnectionProtocol):
    """One QUIC connection."""

    def __init__(self, connection: QuicConnection) -> None:
        super().__init__(connection)
        self.table = Table(self._ended_one)
        self.open = self._ended = False
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._bodies: dict[int, bytearray] = {}

    def room(self, size: int) -> bool:
        """Whether fewer than PIPELINED questions are under way, and the other side allows another stream (RFC 9000, section 4.6).

        Some allow no more than at first, however many have ended (Knot 3.2): then it is of no use any more once nothing is under way.
        """
        allowed = self._quic._remote_max_streams_bidi  # aioquic tells nobody, and lets questions wait for it
        if self._quic.get_next_available_stream_id() // 4 < allowed:
            return len(self._bodies) < PIPELINED
        if not self._bodies:
            self.retire()
        return False

    def send(self, wire: bytes, seconds: float) -> Pending:
        """Sends it, and says that nothing more comes on its stream (section 4.2)."""
        stream = self._quic.get_next_available_stream_id()
        pending = self.table.put_on_stream(stream, wire, seconds)
        self._bodies[stream] = bytearray()
        self._quic.send_stream_data(stream, len(wire).to_bytes(2, "big") + pending.query, end_stream=True)
        pending.going()
        self.transmit()
        return pending

    def retire(self) -> None:
        """Ends it as soon as nothing is under way on it."""
        self.open = False
        if not len(self.table):
            self._end("closed")

    async def close(self) -> None:  # type: ignore[override]
        """Ends it, without waiting for the other side."""
        self._end("closed")

    def quic_event_received(self, event: QuicEvent) -> None:
        """Something happened on the connection."""
        if isinstance(event, HandshakeCompleted):
            self.open = True
            if not self.ready.done():
                self.ready.set_result(None)
        elif isinstance(event, StreamDataReceived):
            if (body := self._bodies.get(event.stream_id)) is not None:
                body += event.data
                # An answer ends with its length, not only with its stream: some servers end that later.
                if event.end_stream or len(body) >= 2 + int.from_bytes(body[:2], "big") >= 2 < len(body):
                    self._come(event.stream_id)
        elif isinstance(event, StreamReset):
            self._bodies.pop(event.stream_id, None)
            if pending := self.table.under_way(event.stream_id):
                self.table.end(pending, "reset")
        elif isinstance(event, ConnectionTerminated):
            self._end("tls" if FIRST_ALERT <= event.error_code <= LAST_ALERT else "closed")

    def error_received(self, error: Exception) -> None:
        """An ICMP error: nobody is there."""
        self._end(failure_of(error))

    def _ended_one(self, pending: Pending) -> None:
        if self._bodies.pop(pending.id, None) is not None and not self._ended:
            self._quic.stop_stream(pending.id, CANCELLED)
            self.transmit()
        if not self.open and not len(self.table):
            self._end("closed")

    def _come(self, stream: int) -> None:
        body = self._bodies.pop(stream)
        self.table.take_from_stream(stream, bytes(body[2 : 2 + int.from_bytes(body[:2], "big")]))

    def transmit(self) -> None:
        """Sends what is to go out, while there is a socket for it."""
        if not cast("asyncio.DatagramTransport", self._transport).is_closing():
            super().transmit()

    def _end(self, failure: Failure) -> None:
        if self._ended:
            return
        self._ended = True
        self.open = False
        if not self.ready.done():
            self.ready.set_exception(Unfit(failure))
            self.ready.exception()
        self.table.end_all(failure)
        self._bodies.clear()
        super().close()
        cast("asyncio.DatagramTransport", self._transport).close()
