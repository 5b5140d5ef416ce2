"""Questions over HTTPS (RFC 8484): POST over HTTP/2, a stream each, many under way on one connection.

The ID is 0 (section 4.1), so that the stream alone tells answers apart. Nothing else is ever fetched, and no redirect followed. A status other than
200 is `http`; 200 with a body that is no DNS message is `malformed`, as a portal's page is.
"""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress
from typing import cast

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions

from porosity.transports.mux import Pending, Table, failure_of
from porosity.transports.pool import PIPELINED, Pool, Unfit
from porosity.transports.tcp import HANDSHAKE_SECONDS, acknowledge
from porosity.words import Endpoint

CONTENT_TYPE = "application/dns-message"
LARGEST = 65_535
"""Octets of an answer; of a longer body no more is kept."""


def doh(endpoint: Endpoint, trust: ssl.SSLContext, who: str = "") -> Pool:
    """The way to an endpoint over HTTPS. `trust` as for `dot`, offering h2; `who`: whom the server's operator can ask, for the User-Agent field."""

    async def connect() -> Http:
        loop = asyncio.get_running_loop()
        _transport, protocol = await loop.create_connection(
            lambda: Http(endpoint, who),
            endpoint.address,
            endpoint.port,
            ssl=trust,
            server_hostname=endpoint.server_name or endpoint.address,
            ssl_handshake_timeout=HANDSHAKE_SECONDS,
        )
        if not protocol.open:
            raise Unfit("http")
        return protocol

    return Pool(connect)


class Http(asyncio.Protocol):
    """One HTTP/2 connection."""

    def __init__(self, endpoint: Endpoint, who: str) -> None:
        host = endpoint.server_name or (f"[{endpoint.address}]" if ":" in endpoint.address else endpoint.address)
        self._head = [
            (":method", "POST"),
            (":scheme", "https"),
            (":authority", host if endpoint.port == 443 else f"{host}:{endpoint.port}"),
            (":path", endpoint.path),
            ("accept", CONTENT_TYPE),
            ("content-type", CONTENT_TYPE),
            *([("user-agent", f"redhand-porosity ({who})")] if who else []),
        ]
        self.table = Table(self._ended)
        self.open = True
        self._transport: asyncio.Transport | None = None
        self._http = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding="utf-8"))
        self._bodies: dict[int, bytearray] = {}
        self._strange: set[int] = set()
        """Streams on which something else than a DNS message comes."""

    def room(self, size: int) -> bool:
        """Whether the server's limits on streams and octets let the message go out now."""
        streams = min(PIPELINED, self._http.remote_settings.max_concurrent_streams)
        return len(self._bodies) < streams and min(self._http.outbound_flow_control_window, self._http.remote_settings.initial_window_size) >= size

    def send(self, wire: bytes, seconds: float) -> Pending:
        """Sends it."""
        stream = self._http.get_next_available_stream_id()
        pending = self.table.put_on_stream(stream, wire, seconds)
        self._bodies[stream] = bytearray()
        self._http.send_headers(stream, [*self._head, ("content-length", str(len(wire)))])
        for start in range(0, len(wire), self._http.max_outbound_frame_size):
            self._http.send_data(stream, pending.query[start : start + self._http.max_outbound_frame_size])
        self._http.end_stream(stream)
        pending.going()
        self._flush()
        acknowledge(self._transport)
        return pending

    def retire(self) -> None:
        """Ends it as soon as nothing is under way on it."""
        self.open = False
        self._ended()

    async def close(self) -> None:
        """Ends it without ceremony."""
        self.open = False
        if self._transport is not None:
            self._transport.abort()
        self.table.end_all("closed")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """TLS is up: HTTP/2 it must be."""
        self._transport = cast("asyncio.Transport", transport)
        acknowledge(transport)
        secured = transport.get_extra_info("ssl_object")
        if secured is None or secured.selected_alpn_protocol() != "h2":
            self.open = False
            self._transport.abort()
            return
        self._http.initiate_connection()
        self._flush()

    def data_received(self, data: bytes) -> None:
        """Octets came."""
        acknowledge(self._transport)
        try:
            events = self._http.receive_data(data)
        except h2.exceptions.ProtocolError:
            self._end("http")
            return
        for event in events:
            self._see(event)
        self._flush()

    def connection_lost(self, error: Exception | None) -> None:
        """It is gone."""
        self.open = False
        self._transport = None
        self.table.end_all("closed" if error is None else failure_of(error))

    def _see(self, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.ResponseReceived):
            fields = {str(name): str(value) for name, value in event.headers}
            if fields.get(":status") != "200" and (pending := self.table.under_way(event.stream_id)):
                self.table.end(pending, "http")
            if fields.get("content-type", "").partition(";")[0].strip().lower() != CONTENT_TYPE:
                self._strange.add(event.stream_id)
        elif isinstance(event, h2.events.DataReceived):
            if (body := self._bodies.get(event.stream_id)) is not None and len(body) <= LARGEST:
                body += event.data
            if event.flow_controlled_length and event.stream_id:
                self._http.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            whole = bytes(self._bodies.pop(event.stream_id, b"")[:LARGEST])
            if event.stream_id in self._strange and (pending := self.table.under_way(event.stream_id)):
                self.table.end(pending, "malformed", answer=whole)
            self.table.take_from_stream(event.stream_id, whole)
            self._strange.discard(event.stream_id)
        elif isinstance(event, h2.events.StreamReset):
            self._bodies.pop(event.stream_id, None)
            self._strange.discard(event.stream_id)
            if pending := self.table.under_way(event.stream_id):
                self.table.end(pending, "reset")
        elif isinstance(event, h2.events.ConnectionTerminated):
            # What the server has accepted is answered yet (RFC 9113, section 6.8); nothing more is sent here.
            self.open = False
            for pending in self.table:
                if event.last_stream_id is not None and pending.id > event.last_stream_id:
                    self.table.end(pending, "closed")
            if event.error_code != h2.errors.ErrorCodes.NO_ERROR or not len(self.table):
                self._end("closed")

    def _ended(self, pending: Pending | None = None) -> None:
        if pending is not None and self._bodies.pop(pending.id, None) is not None:
            # Nobody waits for it any more: the stream is given back, or the server's limit would be reached by those it does not answer.
            with suppress(h2.exceptions.ProtocolError):
                self._http.reset_stream(pending.id, h2.errors.ErrorCodes.CANCEL)
            self._flush()
        if not self.open and not len(self.table) and self._transport is not None:
            self._transport.abort()

    def _end(self, failure: str) -> None:
        self.open = False
        if self._transport is not None:
            self._transport.close()
        self.table.end_all("http" if failure == "http" else "closed")

    def _flush(self) -> None:
        if self._transport is not None and (octets := self._http.data_to_send()):
            self._transport.write(octets)
