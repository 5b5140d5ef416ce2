"""A visitor and an operator, each a machine of its own with a cable between them: Red Hand on the one, Chromium on the other.

The visitor's resolver is Red Hand's; the blocked names are redirected to its page on port 80, over IPv4 and IPv6. What port 443 of the page's address
does is one of `PORTS`. The blocked names lie under names set aside for documentation that are under a real top-level domain: browsers treat names
under no such domain as an intranet's, and those they ask over http first.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.certificates import Authority
from bench.chromium import Chromium
from bench.machine import BenchError
from porosity.lab.spaces import Machine, cable, end

BLOCKED = "blocked.example.com"
"""Blocked with all names under it, from the beginning."""
VISITED = "visited.example.org"
"""The same, but not before the visitor knows sites under it."""
ELSEWHERE = "site.example.net"
"""Not blocked; under `plain.` it is a site without https."""
OWN = "report.operator.example.net"

LANDING = ("192.0.2.80", "2001:db8::80")
PAGES = ("192.0.2.81", "2001:db8::81")
"""Where OWN is, over http the same page."""
SITE, PLAIN = ("192.0.2.90", "2001:db8::90"), ("192.0.2.91", "2001:db8::91")
RESOLVER, UPSTREAM = "192.0.2.1", "192.0.2.53"

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parent.parent), "PYTHONUNBUFFERED": "1"}

WITHIN = 30.0
"""Seconds that anything may take to be ready."""

REFUSE = """table inet landing {
  chain input {
    type filter hook input priority filter;
    ip daddr 192.0.2.80 tcp dport 443 reject with tcp reset
    ip6 daddr 2001:db8::80 tcp dport 443 reject with tcp reset
    ip daddr 192.0.2.80 udp dport 443 reject
    ip6 daddr 2001:db8::80 udp dport 443 reject
  }
}
"""
"""What docs/operator.md tells operators to write: a test holds it so."""

DROP = REFUSE.replace("reject with tcp reset", "drop").replace("reject", "drop")
DROP_UDP = REFUSE.replace("udp dport 443 reject", "udp dport 443 drop")

ORDER: dict[str, Any] = {
    "action": "block",
    "issuer": {"authority": "Office for the Protection of the Public", "contact": "orders@authority.example"},
    "category": "terrorism",
    "legal_basis": "Public Safety Act 2015, section 6-1",
    "reasons": {"en": "The site praises those who attacked a market."},
    "issued_at": "2026-03-01T09:00:00Z",
    "effective_at": "2026-03-02T09:00:00Z",
    "expires_at": "2099-01-01T00:00:00Z",
    "redress": {"url": "https://authority.example/appeal", "deadline_days": 60, "court": "Administrative Court of Exampleville"},
}


class Network:
    """The two machines and all that runs on the operator's. `directory` is scratch; `secure`: see `serve`."""

    def __init__(self, directory: Path, secure: Sequence[str] = ()) -> None:
        self.directory = directory
        self.authority = Authority()
        self.policies = directory / "chromium" / "policies" / "managed"
        self.policies.mkdir(parents=True)
        self.policy()
        resolv_conf = directory / "resolv.conf"
        resolv_conf.write_text(f"nameserver {RESOLVER}\noptions timeout:5\n")
        self.operator = Machine("operator").ready()
        self.visitor = Machine("visitor", {"/etc/resolv.conf": resolv_conf, "/etc/chromium": directory / "chromium"}).ready()
        self._red_hand: subprocess.Popen[Any] | None = None
        self._impostor: subprocess.Popen[Any] | None = None
        try:
            ours = [f"{four}/24" for four in (RESOLVER, UPSTREAM, LANDING[0], PAGES[0], SITE[0], PLAIN[0])]
            ours += [f"{six}/64" for six in ("2001:db8::1", LANDING[1], PAGES[1], SITE[1], PLAIN[1])]
            cable(self.operator, self.visitor, ours, ("192.0.2.100/24", "2001:db8::100/64"))
            self.visitor.run("ip", "route", "add", "default", "via", RESOLVER)
            self.visitor.run("ip", "-6", "route", "add", "default", "via", "2001:db8::1")
            chain, key = self.authority.issue([ELSEWHERE, f"*.{VISITED}"], directory, "site")
            names = {f"plain.{ELSEWHERE}": PLAIN, OWN: PAGES}
            self._program(
                "bench.origin",
                {"address": SITE, "plain": PLAIN, "names": names, "resolver": UPSTREAM, "certificate": str(chain), "key": str(key)},
            )
            self.order(visited=False)
            self.serve(*secure)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Network:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends both machines."""
        self.visitor.close()
        self.operator.close()

    def policy(self, **more: Any) -> None:
        """What the visitor's browser is told at its start: to believe our authority, and more."""
        text = json.dumps({"CACertificates": [base64.b64encode(self.authority.der).decode()], **more})
        (self.policies / "policy.json").write_text(text)

    def browser(self, name: str) -> Chromium:
        """A browser that knows nothing yet."""
        return Chromium(self.visitor, self.directory / name)

    def _program(self, module: str, job: dict[str, Any]) -> subprocess.Popen[Any]:
        """One of our programs on the operator's machine, once it says that it is ready."""
        with (self.directory / f"{module}.log").open("ab") as log:
            process = self.operator.start(
                sys.executable, "-P", "-m", module, log=log, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=ENVIRONMENT, text=True
            )
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(job))
        process.stdin.close()
        if process.stdout.readline() != "ready\n":
            raise BenchError(f"{module} did not start: {(self.directory / f'{module}.log').read_text()[-2000:]}")
        return process

    def serve(self, *secure: str) -> None:
        """Red Hand from the beginning, with the operator's own certificate on port 443 of these addresses."""
        if self._red_hand is not None:
            end(self._red_hand)
        page: dict[str, Any] = {"listen": [_endpoint(each, 80) for each in (*LANDING, *PAGES)], "operator": "Example Telecom"}
        if secure:
            chain, key = self.authority.issue([OWN], self.directory, "own")
            page |= {"own_name": OWN, "listen_tls": [_endpoint(each, 443) for each in secure], "certificate": str(chain), "key": str(key)}
        settings = {
            "state_dir": "state",
            "metrics": {"listen": ""},
            "resolver": {
                "listen": [f"{RESOLVER}:53"],
                "allow": ["192.0.2.0/24"],
                "workers": 1,
                "upstreams": [{"address": f"{UPSTREAM}:53"}],
                "landing_addresses": LANDING,
            },
            "landing": page,
            "blocklists": {"sources": [{"id": "orders", "path": "orders.yaml", "format": "directives"}]},
        }
        (self.directory / "config.yaml").write_text(json.dumps(settings))
        with (self.directory / "redhand.log").open("wb") as log:
            command = (sys.executable, "-P", "-m", "redhand", "run", "--config", str(self.directory / "config.yaml"))
            self._red_hand = self.operator.start(*command, log=log, env=ENVIRONMENT)
        self._until(lambda: "Ctrl-C stops it." in self.said() or self._ended(), "Red Hand to serve")
        if self._ended():
            raise BenchError(f"Red Hand ended:\n{self.said()[-3000:]}")

    def said(self) -> str:
        """What Red Hand logged since it was started last."""
        return (self.directory / "redhand.log").read_text()

    def _ended(self) -> bool:
        return self._red_hand is None or self._red_hand.poll() is not None

    def order(self, visited: bool) -> None:
        """Orders what lies under BLOCKED, and what lies under VISITED or not."""
        names = (BLOCKED, *((VISITED,) if visited else ()))
        orders = [ORDER | {"id": f"XX-2026-{number:06}", "targets": [{"fqdn": name, "match": "subtree"}]} for number, name in enumerate(names, 1)]
        temporary = self.directory / "orders.new"
        temporary.write_text("\n---\n".join(json.dumps(each, indent=1) for each in orders) + "\n")
        temporary.rename(self.directory / "orders.yaml")
        if self._red_hand is not None:
            address = LANDING[0] if visited else SITE[0]
            self._until(lambda: self.resolved(f"any.{VISITED}") == address, f"{VISITED} at {address}")

    def resolved(self, name: str) -> str:
        """What the visitor's resolver says of a name."""
        return self.visitor.run("dig", "+short", "+tries=1", "+time=2", name).strip()

    def refuse(self) -> None:
        """Has the firewall refuse port 443 of the page's address, as the guide says."""
        self.operator.run("nft", "-f", "-", stdin=REFUSE)

    def port_443(self, does: str) -> None:
        """Has port 443 of the page's address do one of `bench.https.PORTS`."""
        if self._impostor is not None:
            end(self._impostor)
            self._impostor = None
        self.operator.run("nft", "flush", "ruleset")
        self.serve(*(LANDING if does == "own" else ()))
        if rules := {"refused": REFUSE, "silent": DROP, "udp": DROP_UDP}.get(does):
            self.operator.run("nft", "-f", "-", stdin=rules)
        elif does == "impostor":
            chain, key = self.authority.issue([OWN], self.directory, "impostor")
            self._impostor = self._program("bench.origin", {"impostor": LANDING, "certificate": str(chain), "key": str(key)})

    def _until(self, condition: Any, what: str) -> None:
        ends = time.monotonic() + WITHIN
        while not condition():
            if time.monotonic() > ends:
                raise BenchError(f"not within {WITHIN:.0f} s: {what}\n{self.said()[-2000:]}")
            time.sleep(0.02)


def _endpoint(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def known(browser: Chromium, names: Sequence[str], path: str) -> None:
    """Has the browser visit sites before they are blocked, which tell it something of themselves under `path`."""
    tab = browser.tab()
    for name in names:
        shown = tab.open(f"https://{name}{path}")
        if shown.what != "page 200":
            raise BenchError(f"https://{name}{path} was to be seen before it is blocked, and was not: {shown.what}")
    tab.close()
