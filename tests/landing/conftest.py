"""A resolver that knows one alias, and a landing page over a version with one of everything."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import dns.edns
import dns.message
import pytest

from tests.landing.samples import order, put_in_force
from tests.landing.server import Landing

HOSTILE = "<script>alert(1)</script>\"'>{{ 7*7 }}<img src=x onerror=alert(1)>"


class Resolver:
    """A small name server on loopback that answers as Red Hand's resolver does: an Extended DNS Error names what a name led to."""

    def __init__(self, errors: dict[str, list[tuple[int, str]]]) -> None:
        self._errors = errors
        self.asked: list[str] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.endpoint = f"127.0.0.1:{self._socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            octets, sender = self._socket.recvfrom(4096)
            if not octets:
                self._socket.close()
                return
            query = dns.message.from_wire(octets)
            name = query.question[0].name.to_text(omit_final_dot=True)
            self.asked.append(name)
            if name.endswith(".silent.example"):
                continue
            options = [dns.edns.EDEOption(code, text) for code, text in self._errors.get(name, [])]
            response = dns.message.make_response(query)
            response.use_edns(0, options=options)
            self._socket.sendto(response.to_wire(), sender)

    def stop(self) -> None:
        address, _, port = self.endpoint.partition(":")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"", (address, int(port)))
        self._thread.join()


@pytest.fixture(scope="session")
def resolver() -> Iterator[Resolver]:
    found = Resolver(
        {
            "alias.example": [(4, "forged"), (16, "XX-2026-000123 blocked.example")],
            "stale-alias.example": [(16, "XX-2020-000001 lifted.example")],
            "own-alias.example": [(15, "own-list own.example")],
            "odd.example": [(16, "no-name-follows"), (22, "XX blocked.example")],
        }
    )
    yield found
    found.stop()


@pytest.fixture(scope="session")
def landing(tmp_path_factory: pytest.TempPathFactory, resolver: Resolver) -> Iterator[Landing]:
    state_dir = tmp_path_factory.mktemp("state")
    put_in_force(
        state_dir,
        order("blocked.example", "xn--caf-dma.example", "xn--4dbrk0ce.example"),
        order("exact.example", match="exact", id="XX-2026-000200"),
        order("deep.blocked.example", id="XX-2026-000300", reasons={"de": "Nur auf Deutsch."}),
        order("future.example", id="XX-2026-000400", effective_at="2098-03-01T00:00:00Z"),
        order("hostile.example", id="XX-2026-000500", legal_basis=HOSTILE, reasons={"en": HOSTILE}, reviewer=HOSTILE, category=HOSTILE),
        order("included.example", id="XX-2026-000700", reasons={"en": 'See <!--#echo var="document_root" --> there.'}),
        order("limited.example", id="XX-2026-000600", nondisclosure={"until": "2098-01-01T00:00:00Z", "basis": "Secrets Act, section 2"}),
        own=("own.example", "blocked.example", "passed.example"),
        passed=("passed.example", "deep.blocked.example"),
    )
    with Landing(state_dir, resolver=resolver.endpoint) as found:
        found.wait_for("blocked.example", 451)
        yield found
