"""A server of DNS over QUIC (RFC 9250) for scripted resolvers: one question a stream, answered on it.

What breaks the protocol ends the connection with DOQ_PROTOCOL_ERROR (section 4.3.3): a message of another length than it says, a second one on a
stream, an ID other than 0.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.asyncio.server import serve
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import QuicEvent, StreamDataReceived

ALPN = "doq"
"""RFC 9250, section 4.1."""
PROTOCOL_ERROR = 2
"""DOQ_PROTOCOL_ERROR (section 4.3)."""
_MOST = 2 + 65535


async def serving(address: str, port: int, chain: Path, key: Path, respond: Callable[[bytes], bytes]) -> Any:
    """Serves there until what it gives is closed. `respond`: the answer to a message, or nothing for silence. Raises OSError."""
    configuration = QuicConfiguration(is_client=False, alpn_protocols=[ALPN])
    configuration.load_cert_chain(chain, key)
    return await serve(address, port, configuration=configuration, create_protocol=lambda *given, **how: _Answering(respond, *given, **how))


class _Answering(QuicConnectionProtocol):
    """One connection of a client's."""

    def __init__(self, respond: Callable[[bytes], bytes], *given: Any, **how: Any) -> None:
        super().__init__(*given, **how)
        self._respond = respond
        self._come: dict[int, bytearray] = {}

    def quic_event_received(self, event: QuicEvent) -> None:
        """Something happened on the connection."""
        if not isinstance(event, StreamDataReceived):
            return
        come = self._come.setdefault(event.stream_id, bytearray())
        come += event.data
        if event.end_stream or len(come) > _MOST:
            self._come.pop(event.stream_id)
            self._whole(event.stream_id, bytes(come))
            self.transmit()

    def _whole(self, stream: int, come: bytes) -> None:
        wire = come[2:]
        if len(wire) != int.from_bytes(come[:2], "big") or wire[:2] != b"\0\0":
            self._quic.close(error_code=PROTOCOL_ERROR, reason_phrase="one message with ID 0 a stream, as long as it says")
        elif answer := self._respond(wire):
            self._quic.send_stream_data(stream, len(answer).to_bytes(2, "big") + answer, end_stream=True)
