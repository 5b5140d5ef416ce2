"""Lets closed connections be freed while the cyclic collector is off.

An asyncio transport holds bound methods of its own, so that it is part of a reference cycle and outlives its connection: about one KiB for each, for
ever. Workers run without the collector (a full collection would be a pause), so the knot is undone here, by what it is and not by name.
"""

from __future__ import annotations

import asyncio


def free(transport: asyncio.BaseTransport) -> None:
    """To be called from `connection_lost`: once the loop is done with the transport, takes its references to itself away."""
    asyncio.get_running_loop().call_soon(_untie, transport)


def _untie(transport: asyncio.BaseTransport) -> None:
    held = vars(transport)
    for name in [name for name, value in held.items() if getattr(value, "__self__", None) is transport]:
        del held[name]
