"""From a configuration to what the supervisor runs: sockets bound, upstreams resolved, one job for each child.

This is where the rooms meet: what a worker, the landing page and the builder are told is written here and nowhere else.
"""

from __future__ import annotations

import ipaddress
import json
import os
import secrets
import shutil
import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from blocklists.agreed import Timekeeper
from blocklists.endpoints import show_endpoint, split_endpoint
from blocklists.errors import ConfigurationError
from blocklists.feed.job import FeedJob
from blocklists.feed.job import write_job as write_feed_job
from blocklists.job import Job, write_job
from blocklists.store import has_list
from blocklists.watch import Sources
from landing.certificate import Credentials
from redhand import __version__, activation, config, crosscheck, demonstration, launch, privileges, status
from redhand.children import Child
from redhand.config import Configuration, Settings
from redhand.credentials import credentials
from redhand.granting import Grounds
from redhand.reload import Arranged, Change, differences, held_back, shown
from redhand.standby import Waiting
from redhand.supervisor import Plan
from resolver import sockets
from resolver.settings import Upstream

Role = Literal["run", "resolver", "landing"]


def own_names(settings: Settings) -> list[str]:
    """Names of ours that no list may block: where errors are reported, and where orders come from."""
    hosts = [settings.landing.own_name, *(urlsplit(url).hostname for url in (settings.landing.operator_url, *settings.feed.urls))]
    return sorted({host for host in hosts if host and not _is_address(host)})


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def build_job(configuration: Configuration, clock: Timekeeper) -> Job:
    """What the next version is built from, as of now."""
    settings = configuration.settings
    base = (configuration.file.parent if configuration.file else Path()).resolve()
    return Job(settings.blocklists, settings.state_dir, base, tuple(own_names(settings)), clock.now())


def builder(configuration: Configuration, clock: Timekeeper) -> Child:
    """The process that builds the next version."""
    job = replace(build_job(configuration, clock), confined=True, logs=configuration.settings.logs)
    return Child("builder", ("blocklists.background",), json.loads(write_job(job)))


def worker(number: int, settings: Settings, upstreams: Iterable[Upstream], bound: list[sockets.Bound], nonce: str = "") -> Child:
    """One resolver worker with its sockets."""
    job = {
        "name": f"worker-{number}",
        "settings": settings.resolver.model_dump(mode="json", exclude={"access"}),  # what is granted, a running worker is told
        "upstreams": [upstream.model_dump(mode="json") for upstream in upstreams],
        "state_dir": str(settings.state_dir),
        "confined": True,
        "logs": settings.logs,
        "nonce": nonce,
        "operator": settings.landing.operator,
        "language": settings.landing.language,
        "sockets": [{"transport": each.transport, "address": each.address, "port": each.port} for each in bound],
    }
    return Child(f"worker-{number}", launch.WORKER, job, tuple(each.socket.fileno() for each in bound), by_channel=True)


def landing(settings: Settings, bound: list[sockets.Bound], secure: Iterable[sockets.Bound] = (), own: Credentials | None = None) -> Child:
    """The landing page with its sockets, and those where the operator's own pages are served over TLS (`secure`) with its certificate.

    It asks our own resolver about aliases unless another is set.
    """
    section = settings.landing.model_dump(mode="json")
    section["resolver"] = section["resolver"] or first_listener(settings)
    fds = tuple(each.socket.fileno() for each in bound)
    job = {
        "settings": section,
        "state_dir": str(settings.state_dir),
        "sockets": list(fds),
        "carried": crosscheck.carries_reports(settings.feed),
        "confined": True,
        "logs": settings.logs,
    }
    if own is not None:
        others = tuple(each.socket.fileno() for each in secure)
        job["secure"] = {"sockets": list(others), "chain": own.chain, "key": own.key}
        fds += others
    return Child("landing", ("landing.serve",), job, fds)


def metrics(settings: Settings, bound: sockets.Bound) -> Child:
    """The process that shows the supervisor's figures to Prometheus. Nothing waits for it."""
    fd = bound.socket.fileno()
    job = {"name": status.MAIN, "state_dir": str(settings.state_dir), "sockets": [fd], "logs": settings.logs, "confined": True}
    return Child("metrics", ("redhand.metrics",), job, (fd,), awaited=False)


def feed_job(configuration: Configuration, address: str = "") -> FeedJob:
    """Whose feed is followed, and where to; `address` is where the demonstration is served, if not where it was last."""
    settings = configuration.settings
    followed = settings.feed
    if shown := demonstration.is_meant(followed):
        address = address or demonstration.url(settings.state_dir) or f"http://{demonstration.ADDRESS}:9/"  # the discard port: nobody answers
        followed = demonstration.settings(followed, settings.state_dir, address)
    return FeedJob(followed, settings.state_dir, tuple(own_names(settings)), settings.blocklists.keep_versions, shown, settings.logs)


def feed(configuration: Configuration, demo: sockets.Bound | None) -> Child:
    """The process that follows the feed. Nothing waits for it: the last verified list is in force meanwhile."""
    job = feed_job(configuration, _address(demo) if demo is not None else "")
    written = json.loads(write_feed_job(replace(job, confined=True)))
    shown = job.demonstration
    return Child("feed", ("blocklists.feed.main",), written, awaited=False, after="demo" if shown else "", early=shown)


def demo(settings: Settings, bound: sockets.Bound) -> Child:
    """The demonstration authority. Nothing waits for it but the feed client."""
    fd = bound.socket.fileno()
    job = {"state_dir": str(settings.state_dir), "socket": fd, "logs": settings.logs}
    return Child("demo", ("redhand.demo_process",), job, (fd,), awaited=False, early=True)


def access_of(settings: Settings) -> Grounds | None:
    """By whom reviewers' access may be granted; None when by nobody."""
    people = settings.resolver.access.people
    return Grounds(settings.state_dir, people) if people else None


def _address(bound: sockets.Bound) -> str:
    return f"http://{bound.address}:{bound.socket.getsockname()[1]}/"


def _demo_socket(warnings: list[str]) -> sockets.Bound | None:
    """Where the demonstration's feed is served; without it the rest serves all the same, with a warning."""
    try:
        return sockets.bind_tcp(demonstration.ADDRESS, 0, "feed.urls")
    except ConfigurationError as error:
        warnings.append(f"there is no demonstration: {error}")
    return None


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


@dataclass(frozen=True, slots=True)
class Ground:
    """What a run has from its start to its end, whatever the settings say later."""

    role: Role
    endpoints: list[tuple[str, int]]
    workers: list[list[sockets.Bound]]
    """Each worker's sockets."""
    page: list[sockets.Bound]
    secure: list[sockets.Bound]
    """Where the operator's own pages are served over TLS."""
    metrics: sockets.Bound | None
    demo: sockets.Bound | None
    """Where the demonstration's feed is served."""
    nonce: str
    clock: Timekeeper

    def bound(self) -> list[sockets.Bound]:
        """Every socket."""
        return (
            [each for own in self.workers for each in own]
            + self.page
            + self.secure
            + [each for each in (self.metrics, self.demo) if each is not None]
        )


def _bind(configuration: Configuration, role: Role, passed: Iterable[activation.Passed], clock: Timekeeper, warnings: list[str]) -> Ground:
    """Bind every socket, or take those passed. Raises ConfigurationError; nothing stays bound then."""
    settings = configuration.settings
    endpoints = _endpoints(configuration, warnings) if role != "landing" else []
    page_endpoints = [] if role == "resolver" else [split_endpoint(text) for text in settings.landing.listen]
    secure_endpoints = [] if role == "resolver" else [split_endpoint(text) for text in settings.landing.listen_tls]
    held = activation.match(passed, endpoints, page_endpoints, secure_endpoints)
    ground = Ground(role, endpoints, [], [], [], None, None, secrets.token_hex(8), clock)
    try:
        if role != "landing":
            listening = sockets.bind(endpoints, settings.resolver.workers or cores(), held)
            warnings += listening.warnings
            ground.workers.extend(listening.workers)
        for endpoint in page_endpoints:
            ground.page.extend(sockets.held_tcp(held, *endpoint) if held else [sockets.bind_tcp(*endpoint, "landing.listen")])
        for endpoint in secure_endpoints:
            ground.secure.extend(sockets.held_tcp(held, *endpoint) if held else [sockets.bind_tcp(*endpoint, "landing.listen_tls")])
        if role != "landing":
            ground = replace(ground, metrics=_metrics_socket(settings, warnings))
            if demonstration.is_meant(settings.feed):
                ground = replace(ground, demo=_demo_socket(warnings))
    except BaseException:
        for each in ground.bound():
            each.socket.close()
        raise
    return ground


def arrange(
    configuration: Configuration, ground: Ground, upstreams: tuple[Upstream, ...], warnings: list[str], own: Credentials | None = None
) -> Arranged:
    """What the settings come to on this ground."""
    settings = configuration.settings
    children = [worker(number, settings, upstreams, own, ground.nonce) for number, own in enumerate(ground.workers)]
    if ground.page:
        children.append(landing(settings, ground.page, ground.secure, own))
    shown = demonstration.is_meant(settings.feed) and ground.role != "landing"
    if ground.demo is not None:
        children.append(demo(settings, ground.demo))
    if settings.feed.urls and ground.role != "landing" and (ground.demo is not None or not shown):
        children.append(feed(configuration, ground.demo))
    if ground.metrics:
        children.append(metrics(settings, ground.metrics))
    return Arranged(
        children=children,
        builder=None if ground.role == "landing" else partial(builder, configuration, ground.clock),
        edited=Sources(settings.blocklists.sources, build_job(configuration, ground.clock).base_dir).changed,
        facts={
            "version": __version__,
            "settings": configuration.origin,
            "dns": [show_endpoint(*endpoint) for endpoint in ground.endpoints],
            "landing": list(settings.landing.listen) if ground.page else [],
            "own": f"{settings.landing.own_url}/" if ground.page and settings.landing.own_name else None,
            "upstreams": [_shown(upstream, bool(settings.resolver.upstreams)) for upstream in upstreams],
            "demonstration": shown,
            "warnings": warnings,
        },
        access=access_of(settings) if ground.role != "landing" else None,
    )


def _checked(configuration: Configuration, role: Role) -> tuple[tuple[Upstream, ...], list[str]]:
    """The upstreams, and what the operator should know. Raises ConfigurationError naming everything that cannot work on this machine."""
    settings = configuration.settings
    listed = status.in_force(settings.state_dir)
    warnings = crosscheck.check(configuration, held=listed["held"] if listed else ())
    if role != "resolver":
        warnings += crosscheck.untold_errors(settings.landing, settings.feed)
        warnings += crosscheck.unnamed_operator(settings.landing) + [str(problem) for problem in crosscheck.shown_logo(configuration)]
    warnings += [str(problem) for problem in crosscheck.feed_files(configuration)] + crosscheck.open_token(settings.feed)
    warnings += privileges.warnings(configuration)
    return crosscheck.upstreams(configuration) if role != "landing" else (), warnings


def plan(configuration: Configuration, role: Role, passed: Iterable[activation.Passed] = ()) -> Plan:
    """Check everything, bind every socket (or take those `passed`) and write every job. Raises ConfigurationError; nothing stays bound then."""
    settings = configuration.settings
    upstreams, warnings = _checked(configuration, role)
    state_dir = crosscheck.state_dir(configuration, warnings)
    own, told = credentials(configuration) if role != "resolver" else (None, [])
    warnings += told
    ground = _bind(configuration, role, passed, Timekeeper(state_dir), warnings)
    arranged = arrange(configuration, ground, upstreams, warnings, own)
    return Plan(
        name=status.LANDING if role == "landing" else status.MAIN,
        state_dir=state_dir,
        children=arranged.children,
        builder=arranged.builder,
        edited=arranged.edited,
        facts=arranged.facts,
        has_list=has_list(state_dir),
        sockets=[each.socket for each in ground.bound()],
        demonstrated=partial(demonstration.blocks, state_dir) if ground.demo is not None else None,
        program=_program(),
        clock=ground.clock,
        standby=None if role == "landing" else Waiting(launch.GENTLE, state_dir, logs=settings.logs),
        access=arranged.access,
        read=_Rereading(configuration, upstreams, ground, own).read,
    )


class _Rereading:
    """Reads the settings again, to be compared with those in force."""

    def __init__(self, configuration: Configuration, upstreams: tuple[Upstream, ...], ground: Ground, own: Credentials | None) -> None:
        self._in_force = configuration
        self._upstreams = upstreams
        self._ground = ground
        self._own = own

    def read(self) -> Change:
        """Raises RedHandError naming all that is wrong, with file, line, key and value."""
        ground = self._ground
        wanted = config.load(self._in_force.file, os.environ)
        if wanted.file and not wanted.document.values and self._in_force.document.values:
            raise ConfigurationError(f"{wanted.file}: is empty, as a full disk may leave it; write it again (to have all defaults, restart)")
        _checked(wanted, ground.role)
        old, new = config.written(self._in_force.settings), config.written(wanted.settings)
        possible = held_back(old, new)
        effective = replace(wanted, settings=Settings.model_validate_json(json.dumps(possible), strict=True))
        upstreams, warnings = _checked(effective, ground.role)
        waits = [f"{shown(name, value)} ({json.dumps(before)} is in force)" for name, (before, value) in differences(possible, new).items()]
        applied = [f"{shown(name, value)}" for name, (_, value) in differences(old, possible).items()]
        if not wanted.settings.resolver.upstreams and upstreams != self._upstreams and "resolver.upstreams" not in differences(old, new):
            applied.append(f"{crosscheck.RESOLV_CONF} as it is now")
        warnings += [f"{line} waits for a restart" for line in waits]
        own, told = credentials(effective, self._kept(effective)) if ground.secure else (None, [])
        warnings += told
        if own != self._own:
            applied.append("landing.certificate and key as they are now")

        def accept() -> None:
            self._in_force, self._upstreams, self._own = effective, upstreams, own

        return Change(arrange(effective, ground, upstreams, warnings, own), applied, waits, accept)

    def _kept(self, wanted: Configuration) -> Credentials | None:
        """The certificate and key in force, if the same files are named."""
        before, after = self._in_force.settings.landing, wanted.settings.landing
        return self._own if (before.certificate, before.key) == (after.certificate, after.key) else None


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


def _program() -> str:
    """How the operator calls us: `redhand` if the shell finds it, else the path it was called by."""
    called = Path(sys.argv[0])
    found = shutil.which("redhand")
    if called.name != "redhand" or (found and Path(found).resolve() == called.resolve()):
        return "redhand"
    return min(os.path.relpath(called), str(called.absolute()), key=len)
