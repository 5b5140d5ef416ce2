"""The lab as an internet in a box: machines of namespaces on a switch, for root only. All have addresses of their own, and serve on port 53.

There are a root server, one for the top level and one for all sites' names (NSD, which tells what reached it), a host with the sites (nginx), a
machine for each resolver of the scenario, and the client's; and an authority's, where Red Hand follows its feed. Red Hand asks a recursor of its own
beside it, as a provider's does, and shows its page at the landing address. Unbound begins at the root and validates. Nothing leads out.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from porosity.lab import authority, dnstap, servers
from porosity.lab.addresses import LANDING, SERVERS
from porosity.lab.lab import Lab
from porosity.lab.places import LabError, Place, last_words
from porosity.lab.scenario import Machine as Part
from porosity.lab.scenario import Scenario
from porosity.lab.spaces import Machine, Switch
from porosity.words import Endpoint, Resolver, Transport

PORTS: dict[Transport, int] = {"udp": 53, "tcp": 53, "dot": 853, "doh": 443, "doq": 853}
PROVIDER, ELSEWHERE = ("192.0.2.", "2001:db8:2::"), ("203.0.113.", "2001:db8:3::")
"""Networks of tested and secondary resolvers, and of those that are not the provider's."""
CLIENT = ("192.0.2.100", "2001:db8:2::100")
FIRST_HOST = 10
RECURSOR = Endpoint("udp", "127.0.0.1", 5335)
"""Of a provider's own, beside Red Hand."""
PAGE_PORT = 80
SETTLE_SECONDS = 20.0
PREFIX = "redhand-lab-"
_ZONES = {"root": (".",), "tld": ("example.",)}
"""Of the servers; `names` has all others."""


class Internet(Lab):
    """A lab of namespaces."""

    def __init__(self, scenario: Scenario, seed: int, directory: Path) -> None:
        super().__init__(scenario, seed, directory)
        self.setting = replace(self.setting, page_port=PAGE_PORT)
        self._switch = Switch(seed)
        self._here = Place()
        self._hints = self.directory / "root.hints"
        # Sockets have short paths (unix(7): 107 octets).
        self._sockets = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))
        _tidy()

    def build(self) -> None:
        """Starts everything."""
        switch = self._switch
        hosts = {name: switch.add(name, (address,)) for name, address in SERVERS.items()}
        sites = switch.add("sites", [address for pair in self.world.sites.values() for address in pair])
        resolv = self.directory / "resolv.conf"
        parts = self.scenario.resolvers
        placed = {id: self._placed(id, part, number) for number, (id, part) in enumerate(parts.items(), FIRST_HOST)}
        first = next(iter(placed.values()))
        resolv.write_text(f"nameserver {first.endpoints[0].address}\n", encoding="ascii")
        page = next((id for id, part in parts.items() if part.program == "red-hand"), "")
        machines = {
            id: switch.add(
                id,
                [*dict.fromkeys(each.address for each in resolver.endpoints), *(LANDING if id == page else ())],
                line=parts[id].line,
            )
            for id, resolver in placed.items()
        }
        office = switch.add("authority", (authority.ADDRESS,)) if any(each.feed for each in parts.values()) else None
        self.client = switch.add("client", CLIENT, {"/etc/resolv.conf": resolv})
        with ThreadPoolExecutor(1) as pool:
            # Its keys and signatures take seconds, for which nothing else need wait.
            making = pool.submit(authority.Authority, self.directory / "authority", self.world) if office else None
            switch.plug()
            self._tap()
            for name, machine in hosts.items():
                self._nsd(machine, _ZONES.get(name) or [each for each in self.world.zones if each not in (".", "example.")])
            self._nginx(sites)
            self._hints.write_text(f". 3600 IN NS a.root.example.\na.root.example. 3600 IN A {SERVERS['root']}\n", encoding="ascii")
            # A recursor that asked before they serve would remember that nobody is there.
            self._answering([f"{SERVERS['names']}:53"], self.world.canaries[0])
            for id, part in parts.items():
                if part.program != "red-hand":
                    self.servers[id] = self._start(part, machines[id], placed[id])
            made = making.result() if making else None
        feed = None
        if made is not None and office is not None:
            made.serve(office)
            feed = made.feed()
        for id, part in parts.items():
            if part.program == "red-hand":
                self.servers[id] = self._red_hand(machines[id], placed[id], id == page, feed if part.feed else None)
        self.servers = {id: self.servers[id] for id in parts}
        following = [placed[id].endpoints[0].address for id, part in parts.items() if part.feed]
        if following:
            self._answering([f"{each}:53" for each in following], f"{self.world.orders[-1].name}={LANDING[0]}")

    def _start(self, part: Part, machine: Machine, resolver: Resolver) -> servers.Server:
        if part.program == "unbound":
            return servers.unbound(machine, self.setting, resolver, None, self._hints, self.world.anchor)
        return servers.scripted(machine, self.setting, [(resolver, part)], [] if self.scenario.clock else self.orders)[0]

    def _red_hand(self, machine: Machine, resolver: Resolver, page: bool, feed: Mapping[str, Any] | None) -> servers.Server:
        """`page`: the landing addresses are its own."""
        beside = Resolver(f"{resolver.id}-recursor", "other", (RECURSOR,))
        self.beside.append(servers.unbound(machine, self.setting, beside, None, self._hints, self.world.anchor))
        setting = self.setting if page else self.setting.at("127.0.0.1")
        return servers.red_hand(machine, setting, resolver, f"{RECURSOR.address}:{RECURSOR.port}", feed)

    def settle(self) -> None:
        """The same, of what reached the names' server, too: it hands over what it has in its own time, in order."""
        super().settle()
        marker = f"settled-{secrets.token_hex(8)}.{self.world.canaries[0]}"
        self._answering([f"{SERVERS['names']}:53"], marker)
        ends = time.monotonic() + SETTLE_SECONDS
        while not any(each.name == marker for each in dnstap.read(self.directory / dnstap.REACHED)):
            if time.monotonic() > ends:
                raise LabError(f"what reached the names' server is not written down; it said: {last_words(self.directory / 'dnstap.log')}")
            time.sleep(0.05)

    def close(self) -> None:
        """Ends everything."""
        self._switch.close()
        self._here.close()
        shutil.rmtree(self._sockets, ignore_errors=True)

    def machines(self) -> dict[str, int]:
        """Of the processes that hold its machines, for nsenter(1)."""
        return {name: machine.pid for name, machine in self._switch.machines.items()}

    def _placed(self, id: str, part: Part, number: int) -> Resolver:
        four, six = PROVIDER if part.role in ("tested", "secondary") else ELSEWHERE
        found = [each for address in (f"{four}{number}", f"{six}{number}") for each in servers.endpoints(part, address, f"{id}.lab.example", PORTS)]
        return Resolver(id, part.role, tuple(found))

    def _tap(self) -> None:
        sockets = [f"{name}={self._sockets / name}" for name in SERVERS]
        log = self.directory / "dnstap.log"
        with log.open("wb") as said:
            process = self._here.python(
                "porosity.lab.dnstap", str(self.directory / dnstap.REACHED), *sockets, log=said, stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
        if process.stdout is None or process.stdout.readline() != b"ready\n":
            raise LabError(f"what reaches the servers cannot be written down: {last_words(log)}")

    def _nsd(self, machine: Machine, zones: tuple[str, ...] | list[str]) -> None:
        directory = self.directory / machine.name
        directory.mkdir()
        text = (
            f'server:\n  ip-address: {machine.addresses[0]}\n  server-count: 1\n  username: ""\n  zonesdir: "{directory}"\n  database: ""\n'
            f'  pidfile: "{directory}/pid"\n  xfrdfile: "{directory}/xfrd"\n  zonelistfile: "{directory}/zones"\n  rrl-ratelimit: 0\n'
            "remote-control:\n  control-enable: no\n"
            f'dnstap:\n  dnstap-enable: yes\n  dnstap-socket-path: "{self._sockets / machine.name}"\n  dnstap-log-auth-query-messages: yes\n'
        )
        for number, origin in enumerate(zones):
            (directory / f"{number}.zone").write_text(self.world.zones[origin], encoding="utf-8")
            text += f'zone:\n  name: "{origin}"\n  zonefile: {number}.zone\n'
        (directory / "nsd.conf").write_text(text, encoding="utf-8")
        with (directory / servers.LOG).open("wb") as log:
            machine.start("nsd", "-d", "-c", str(directory / "nsd.conf"), log=log)

    def _nginx(self, machine: Machine) -> None:
        directory = self.directory / machine.name
        directory.mkdir()
        (directory / "nginx.conf").write_text(
            f"worker_processes 1;\nuser root;\ndaemon off;\npid {directory}/pid;\nerror_log stderr;\nevents {{ worker_connections 64; }}\n"
            f"http {{\n  access_log {directory}/visits.log;\n  client_body_temp_path {directory}/body;\n  proxy_temp_path {directory}/proxy;\n"
            f"  fastcgi_temp_path {directory}/fastcgi;\n  uwsgi_temp_path {directory}/uwsgi;\n  scgi_temp_path {directory}/scgi;\n"
            "  default_type text/plain;\n  server {\n    listen 80 default_server;\n    listen [::]:80 default_server;\n"
            '    return 200 "This is $host, a site of the lab.\\n";\n  }\n}\n',
            encoding="utf-8",
        )
        with (directory / servers.LOG).open("wb") as log:
            machine.start("nginx", "-p", str(directory), "-c", str(directory / "nginx.conf"), log=log)


def _tidy() -> None:
    """Removes the sockets of labs whose process was killed."""
    for each in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        pid = each.name.removeprefix(PREFIX).partition("-")[0]
        if pid.isdigit() and not Path(f"/proc/{pid}").exists():
            shutil.rmtree(each, ignore_errors=True)
