"""What tests of the server share."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from authority.publisher import Publisher
from tests.authority.cast import Cast, found, order, signed
from tests.authority.feeding import Operator, Server, registered, serving


class Feed(NamedTuple):
    """An authority with orders, served, and one operator."""

    cast: Cast
    directory: Path
    publisher: Publisher
    server: Server
    operator: Operator


@pytest.fixture(scope="module")
def feed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Feed]:
    """For tests that leave it as it was, or add to it."""
    cast, directory = Cast(), tmp_path_factory.mktemp("feed") / "authority"
    now = int(time.time())
    publisher = found(cast, directory, now)
    operator = registered(cast, directory, "operator-1", now)
    publisher.publish([signed(cast, directory, order("XX-1")), signed(cast, directory, order("XX-2", "other.site.test"))], now)
    with serving(directory) as server:
        yield Feed(cast, directory, publisher, server, operator)
