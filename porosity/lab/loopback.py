"""The lab on loopback: no root, no namespaces, each resolver at an address of its own in 127.0.0.0/8 and on ports that anybody may open.

What needs hosts apart is not here: other networks, IPv6, the hierarchy of servers. Red Hand and Unbound ask a scripted resolver that blocks nothing,
which stands for the rest of the Internet.
"""

from __future__ import annotations

import secrets
import socket
from contextlib import ExitStack
from pathlib import Path

from porosity.lab import servers
from porosity.lab.lab import Lab
from porosity.lab.places import LabError
from porosity.lab.scenario import Machine, Scenario
from porosity.words import Resolver, Transport

PORTS: dict[Transport, int] = {"udp": 5300, "tcp": 5300, "dot": 8530, "doh": 4430, "doq": 8530}
UPSTREAM_HOST, FIRST_HOST, FIRST_PAGE = 9, 10, 110
MOST = 60
"""Resolvers of a scenario."""
_TRIES = 50


class Loopback(Lab):
    """A lab on loopback."""

    def __init__(self, scenario: Scenario, seed: int, directory: Path) -> None:
        super().__init__(scenario, seed, directory)
        if len(scenario.resolvers) > MOST:
            raise LabError(f"scenario {scenario.id} has {len(scenario.resolvers)} resolvers; at most {MOST} have an address on loopback")
        self._street = ""

    def build(self) -> None:
        """Starts everything."""
        self._street = free_street()
        upstream = Resolver("upstream", "other", servers.endpoints(Machine("control"), f"{self._street}.{UPSTREAM_HOST}", "", PORTS))
        placed = {
            id: Resolver(id, machine.role, servers.endpoints(machine, f"{self._street}.{number}", f"{id}.lab.example", PORTS))
            for number, (id, machine) in enumerate(self.scenario.resolvers.items(), FIRST_HOST)
        }
        machines = self.scenario.resolvers
        told = [(placed[id], machine) for id, machine in machines.items() if machine.program == "scripted"]
        # First, because the others ask it.
        found = servers.scripted(self.client, self.setting, [(upstream, Machine("control")), *told], [] if self.scenario.clock else self.orders)
        self.beside.append(found[0])
        started = {each.resolver.id: each for each in found[1:]}
        for number, (id, machine) in enumerate(machines.items(), FIRST_PAGE):
            if machine.program == "red-hand":
                setting = self.setting.at(f"{self._street}.{number}")
                started[id] = servers.red_hand(self.client, setting, placed[id], f"{self._street}.{UPSTREAM_HOST}:{PORTS['udp']}")
            elif machine.program == "unbound":
                started[id] = servers.unbound(self.client, self.setting, placed[id], upstream.endpoints[0])
        self.servers = {id: started[id] for id in machines}


def free_street() -> str:
    """Three octets below which nobody listens on our ports, so that several labs can be up at once. Raises LabError."""
    for _ in range(_TRIES):
        street = f"127.{64 + secrets.randbelow(128)}.{secrets.randbelow(256)}"
        try:
            with ExitStack() as held:
                for port in set(PORTS.values()):
                    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                        held.enter_context(socket.socket(socket.AF_INET, kind)).bind((f"{street}.{FIRST_HOST}", port))
            return street
        except OSError:
            continue
    raise LabError(f"ports {', '.join(map(str, sorted(set(PORTS.values()))))} are taken on all of loopback; end what listens on 0.0.0.0 there")
