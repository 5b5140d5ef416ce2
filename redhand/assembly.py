"""From a configuration to what the supervisor runs: sockets bound, upstreams resolved, one job for each child.

This is where the rooms meet: what a worker, the landing page and the builder are told is written here and nowhere else.
"""

from __future__ import annotations

import ipaddress
import json
import os
import shutil
import sys
import time
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from blocklists.endpoints import show_endpoint, split_endpoint
from blocklists.errors import ConfigurationError
from blocklists.job import Job, write_job
from blocklists.settings import SAMPLE, FileSource
from blocklists.watch import Sources
from redhand import __version__, crosscheck, status
from redhand.children import Child
from redhand.config import Configuration, Settings
from redhand.processes import module
from redhand.supervisor import Plan
from resolver import sockets
from resolver.settings import Upstream

Role = Literal["run", "resolver", "landing"]


def own_names(settings: Settings) -> list[str]:
    """Names of ours that no list may block: where the operator's page about errors stands."""
    host = urlsplit(settings.landing.operator_url).hostname
    return [host] if host and not _is_address(host) else []


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def build_job(configuration: Configuration) -> Job:
    """What the next version is built from, as of now."""
    settings = configuration.settings
    base = (configuration.file.parent if configuration.file else Path()).resolve()
    return Job(settings.blocklists, settings.state_dir, base, tuple(own_names(settings)), int(time.time()))


def builder(configuration: Configuration) -> Child:
    """The process that builds the next version."""
    return Child("builder", module("blocklists.background"), json.loads(write_job(replace(build_job(configuration), confined=True))))


WORKER = module("resolver.worker")


def worker(number: int, settings: Settings, upstreams: Iterable[Upstream], bound: list[sockets.Bound]) -> Child:
    """One resolver worker with its sockets."""
    job = {
        "name": f"worker-{number}",
        "settings": settings.resolver.model_dump(mode="json"),
        "upstreams": [upstream.model_dump(mode="json") for upstream in upstreams],
        "state_dir": str(settings.state_dir),
        "confined": True,
        "logs": settings.logs,
        "sockets": [{"transport": each.transport, "address": each.address, "port": each.port} for each in bound],
    }
    return Child(f"worker-{number}", WORKER, job, tuple(each.socket.fileno() for each in bound), by_channel=True)


def landing(settings: Settings, bound: list[sockets.Bound]) -> Child:
    """The landing page with its sockets; it asks our own resolver about aliases unless another is set."""
    section = settings.landing.model_dump(mode="json")
    section["resolver"] = section["resolver"] or first_listener(settings)
    fds = tuple(each.socket.fileno() for each in bound)
    job = {"settings": section, "state_dir": str(settings.state_dir), "sockets": list(fds), "confined": True, "logs": settings.logs}
    return Child("landing", module("landing.serve"), job, fds)


def metrics(settings: Settings, bound: sockets.Bound) -> Child:
    """The process that shows the supervisor's figures to Prometheus. Nothing waits for it."""
    fd = bound.socket.fileno()
    job = {"name": status.MAIN, "state_dir": str(settings.state_dir), "sockets": [fd], "logs": settings.logs, "confined": True}
    return Child("metrics", module("redhand.metrics"), job, (fd,), awaited=False)


def _metrics_socket(settings: Settings, warnings: list[str]) -> sockets.Bound | None:
    """Where metrics are shown; without a free port the rest serves all the same, with a warning."""
    if settings.metrics.listen:
        try:
            return sockets.bind_tcp(*split_endpoint(settings.metrics.listen), "metrics.listen")
        except ConfigurationError as error:
            warnings.append(f"no metrics are shown: {error}")
    return None


def first_listener(settings: Settings) -> str:
    """Where our own resolver is asked from this machine: its first listener, or loopback for a wildcard."""
    address, port = split_endpoint(settings.resolver.listen[0])
    if ipaddress.ip_address(address).is_unspecified:
        address = "::1" if ":" in address else "127.0.0.1"
    return show_endpoint(address, port)


def cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0))


def plan(configuration: Configuration, role: Role) -> Plan:
    """Check everything, bind every socket and write every job. Raises ConfigurationError; nothing stays bound then."""
    settings = configuration.settings
    listed = status.in_force(settings.state_dir)
    warnings = crosscheck.check(configuration, held=listed["held"] if listed else ())
    if role != "resolver":
        warnings += crosscheck.unnamed_operator(configuration.settings.landing)
    state_dir = crosscheck.state_dir(configuration)
    bound: list[sockets.Bound] = []
    children: list[Child] = []
    endpoints: list[tuple[str, int]] = []
    upstreams: tuple[Upstream, ...] = ()
    try:
        if role != "landing":
            upstreams = crosscheck.upstreams(configuration)
            endpoints = _endpoints(configuration, warnings)
            listening = sockets.bind(endpoints, settings.resolver.workers or cores())
            warnings += listening.warnings
            for number, own in enumerate(listening.workers):
                bound += own
                children.append(worker(number, settings, upstreams, own))
        if role != "resolver":
            page = []
            for text in settings.landing.listen:
                page.append(sockets.bind_tcp(*split_endpoint(text), "landing.listen"))
                bound.append(page[-1])
            children.append(landing(settings, page))
        if role != "landing" and (shown := _metrics_socket(settings, warnings)):
            bound.append(shown)
            children.append(metrics(settings, shown))
    except BaseException:
        for each in bound:
            each.socket.close()
        raise
    return Plan(
        name=status.LANDING if role == "landing" else status.MAIN,
        state_dir=state_dir,
        children=children,
        builder=None if role == "landing" else partial(builder, configuration),
        edited=Sources(settings.blocklists.sources, build_job(configuration).base_dir).changed,
        facts={
            "version": __version__,
            "settings": configuration.origin,
            "dns": [show_endpoint(*endpoint) for endpoint in endpoints],
            "landing": [] if role == "resolver" else list(settings.landing.listen),
            "upstreams": [_shown(upstream, bool(settings.resolver.upstreams)) for upstream in upstreams],
            "warnings": warnings,
        },
        has_list=(state_dir / "current").exists(),
        sockets=[each.socket for each in bound],
        sample=any(_is_sample(source) for source in settings.blocklists.sources),
        program=_program(),
    )


def _endpoints(configuration: Configuration, warnings: list[str]) -> list[tuple[str, int]]:
    settings = configuration.settings.resolver
    wanted = []
    for text in settings.listen:
        if crosscheck.absent_ipv6(settings, split_endpoint(text)[0]):
            warnings.append(f"{text} is left out: this machine has no IPv6 loopback address; remove it from resolver.listen to silence this")
        else:
            wanted.append(text)
    return sockets.expand(wanted)


def _shown(upstream: Upstream, configured: bool) -> str:
    return upstream.address if configured else f"{upstream.address} (from {crosscheck.RESOLV_CONF})"


def _is_sample(source: FileSource) -> bool:
    return source.path == SAMPLE


def _program() -> str:
    """How the operator calls us: `redhand` if the shell finds it, else the path it was called by."""
    called = Path(sys.argv[0])
    found = shutil.which("redhand")
    if called.name != "redhand" or (found and Path(found).resolve() == called.resolve()):
        return "redhand"
    return min(os.path.relpath(called), str(called.absolute()), key=len)
