"""The matrix's lab: Red Hand and every installed peer on loopback with the same orders, beside two controls that block nothing."""

from __future__ import annotations

import dataclasses
import socket
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from string import Template

from porosity.lab import servers
from porosity.lab.lab import Lab
from porosity.lab.loopback import FIRST_HOST, FIRST_PAGE, PORTS, UPSTREAM_HOST, free_street
from porosity.lab.places import LabError, program
from porosity.lab.scenario import Counts, Machine, Scenario
from porosity.lab.servers import Server
from porosity.matrix.configurations import Setup
from porosity.matrix.peers import EVERY, PEERS, PLAIN, Peer
from porosity.words import Resolver, Transport

FAMILIES = ("record type", "spelling", "name", "edns and flags", "transport", "dnssec", "upgrade")
"""Ways round one resolver alone: what another resolver lets through is the same for all."""
HERE = "127.0.0.1"
RED_HAND, CONTROLS = "red-hand", ("open", "open-too")


def installed(peers: Sequence[Peer] = PEERS) -> tuple[list[Peer], list[Peer]]:
    """The peers that can be started here, and those that cannot."""
    found, missing = list[Peer](), list[Peer]()
    for peer in peers:
        try:
            program(peer.command[0])
            found.append(peer)
        except LabError:
            missing.append(peer)
    return found, missing


class House(Lab):
    """The lab, with these peers. Raises LabError for one that does not start or does not answer."""

    def __init__(self, peers: Sequence[Peer], counts: Counts, vectors: Sequence[str], repeats: int, seed: int, directory: Path) -> None:
        self.peers = {each.id: each for each in peers}
        machines = {
            RED_HAND: Machine("tested"),
            **{each.id: Machine("tested", transports=each.transports) for each in peers},
            **dict.fromkeys(CONTROLS, Machine("control", program="unbound", transports=EVERY)),
        }
        scenario = Scenario("matrix", "The same orders at every resolver.", machines, names=counts, vectors=tuple(vectors), repeats=repeats)
        super().__init__(scenario, seed, directory)

    def __enter__(self) -> House:
        super().__enter__()
        return self

    def build(self) -> None:
        """Starts everything."""
        street = free_street()
        upstream = Resolver("upstream", "other", servers.endpoints(Machine("control"), f"{street}.{UPSTREAM_HOST}", "", PORTS))
        placed = {}
        for host, (id, machine) in enumerate(self.scenario.resolvers.items(), FIRST_HOST):
            is_here = id in self.peers and self.peers[id].here
            address, ports = (HERE, _free_ports()) if is_here else (f"{street}.{host}", PORTS)
            placed[id] = Resolver(id, machine.role, servers.endpoints(machine, address, f"{id}.lab.example", ports))
        self.beside = servers.scripted(self.client, self.setting, [(upstream, Machine("control"))], [])
        # A recursor with a cache between, as providers have: a dozen resolvers at once are too much for a script.
        between = Resolver("recursor", "other", servers.endpoints(Machine("control"), f"{street}.{UPSTREAM_HOST - 1}", "", PORTS))
        self.beside.append(servers.unbound(self.client, self.setting, between, upstream.endpoints[0]))
        where = between.endpoints[0]
        page = self.setting.at(f"{street}.{FIRST_PAGE}")
        started = {
            RED_HAND: servers.red_hand(self.client, page, placed[RED_HAND], f"{where.address}:{where.port}"),
            **{id: servers.unbound(self.client, self.setting, placed[id], where) for id in CONTROLS},
        }
        for id, peer in self.peers.items():
            started[id] = self._start(peer, placed[id], (where.address, where.port))
        self.servers = {id: started[id] for id in self.scenario.resolvers}

    def _start(self, peer: Peer, resolver: Resolver, upstream: tuple[str, int]) -> Server:
        directory = self.directory / peer.id
        directory.mkdir()
        address = resolver.endpoints[0].address
        chain, key = self.setting.authority.issue(f"{peer.id}.lab.example", [address]) if peer.transports != PLAIN else ("", "")
        orders = [(name, match) for name, match, _ in self.orders]
        ports = {each.transport: each.port for each in resolver.endpoints}
        setup = Setup(directory, address, ports, upstream, orders, self.setting.landing, str(chain), str(key))
        for file, text in peer.files(setup).items():
            (directory / file).write_text(text, encoding="utf-8")
        words = [Template(word).substitute(DIR=directory) for word in peer.command]
        with (directory / servers.LOG).open("ab") as log:
            process = self.client.start(*words, log=log, cwd=directory)
        return Server(resolver, process, directory)

    def dead(self) -> dict[str, str]:
        """Peers that have ended, with what they said last."""
        return {
            id: each.log.read_text(encoding="utf-8", errors="replace")[-800:] for id, each in self.servers.items() if each.process.poll() is not None
        }


def _free_ports() -> dict[Transport, int]:
    """Ports at 127.0.0.1 that nobody has now, the first of them free for UDP and TCP."""
    with ExitStack() as held:
        found = list[int]()
        while len(found) < 3:
            stream = held.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
            stream.bind((HERE, 0))
            port = stream.getsockname()[1]
            with suppress(OSError):
                held.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)).bind((HERE, port))
                found.append(port)
    return {"udp": found[0], "tcp": found[0], "dot": found[1], "doh": found[2]}


def described(peer: Peer) -> dict[str, object]:
    """A peer's words, for the record."""
    return {field.name: getattr(peer, field.name) for field in dataclasses.fields(peer) if field.name != "files"}
