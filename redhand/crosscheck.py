"""Checks settings against each other and against this machine: what no single value shows to be wrong.

An upstream that is one of our own listeners, a landing page that a client cannot reach, an address this machine lacks, a file that is not there.
It opens no port and sends nothing: an address is tried by binding a socket to it at port 0.
"""

from __future__ import annotations

import errno
import ipaddress
import os
import pwd
import stat
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import ValidationError

from blocklists.endpoints import show_endpoint, split_endpoint
from blocklists.errors import BadName, ConfigurationError
from blocklists.names import parse
from blocklists.settings import FeedSettings
from landing import logo
from landing.settings import LandingSettings
from redhand import demonstration
from redhand.config import Configuration, refuse
from redhand.document import Key, Place, Problem
from resolver.settings import ResolverSettings, Upstream
from resolver.sockets import is_here

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

RESOLV_CONF = "/etc/resolv.conf"
NO_USER = "is no user of this machine; make one: useradd --system --user-group --shell /usr/sbin/nologin NAME"


def check(configuration: Configuration, held: Collection[str] = ()) -> list[str]:
    """Raise ConfigurationError naming everything that cannot work together or on this machine.

    `held`: sources whose last good content is in force. Their files may be gone, as at a start before a disk is mounted: that is a warning, which
    is returned, and no reason to leave every client without an answer.
    """
    missing = list(_files(configuration))
    refuse(
        [
            *_listeners(configuration),
            *_loops(configuration),
            *_landing(configuration),
            *_sources(configuration),
            *(problem for source, problem in missing if source not in held),
            *_state_dir(configuration),
            *_groups(configuration),
            *_user(configuration),
            *foreign_orders(configuration),
            *_access(configuration),
        ]
    )
    return [f"{problem}; until then what source {source} last said stays in force" for source, problem in missing if source in held]


def _user(configuration: Configuration) -> Iterator[Problem]:
    name = configuration.settings.user
    try:
        if name:
            pwd.getpwnam(name)
    except KeyError:
        yield Problem(configuration.place("user"), ("user",), NO_USER, name)


def upstreams(configuration: Configuration, resolv_conf: str = RESOLV_CONF) -> tuple[Upstream, ...]:
    """The recursors to ask by default: those configured, else the system's. Raises ConfigurationError if there is none or it is ourselves."""
    settings = configuration.settings.resolver
    if settings.upstreams:
        return settings.upstreams
    import dns.exception  # noqa: PLC0415 - as the next line
    import dns.resolver  # noqa: PLC0415 - takes 50 ms to load, which an operator who names upstreams need not spend

    place = configuration.place("resolver", "upstreams")
    key: Key = ("resolver", "upstreams")
    remedy = "list them in the configuration, such as resolver.upstreams: [{address: 192.0.2.53}]"
    try:
        system = dns.resolver.Resolver(resolv_conf)
    except (dns.exception.DNSException, ValueError, OSError) as error:
        refuse([Problem(place, key, f"is empty, and the system's resolver configuration {resolv_conf} cannot be used ({error}); {remedy}")])
        raise AssertionError("refuse raises when there is a problem") from None
    problems, found = [], []
    for server in system.nameservers:
        try:
            upstream = Upstream(address=show_endpoint(str(server), 53))
        except ValidationError:
            problems.append(Problem(Place(resolv_conf), ("nameserver",), f"is no IP address; {remedy}", str(server)))
            continue
        if own := _own(settings, upstream.address):
            what = f"is our own listener {own}: queries would go round in a circle; {remedy}"
            problems.append(Problem(Place(resolv_conf), ("nameserver",), what, upstream.address))
        found.append(upstream)
    refuse(problems)
    return tuple(found)


def unnamed_operator(settings: LandingSettings) -> list[str]:
    """A warning where visitors from elsewhere would be told to turn to nobody in particular."""
    public = any(not ipaddress.ip_address(split_endpoint(listener)[0]).is_loopback for listener in settings.listen)
    if not public or settings.operator_url != LandingSettings.model_fields["operator_url"].default:
        return []
    return [f"visitors are told to report errors to {settings.operator_url}, which is nobody's: set landing.operator and landing.operator_url"]


def carries_reports(feed: FeedSettings) -> bool:
    """Whether a feed client takes visitors' reports of errors to an authority: one that knows us by a token, and is real."""
    return bool(feed.urls and feed.token_file) and not demonstration.is_meant(feed)


def untold_errors(settings: LandingSettings, feed: FeedSettings) -> list[str]:
    """A warning where a form for errors is offered, and nobody would read what is written there."""
    if not settings.own_name or carries_reports(feed):
        return []
    return [
        f"who wants to report an error at {settings.own_name} is told that it goes nowhere: name the authority's own feed first in feed.urls, and "
        "set feed.token_file, or remove landing.own_name"
    ]


def absent_ipv6(settings: ResolverSettings, address: str) -> bool:
    """True for the default listener on ::1 where IPv6 is switched off: a newcomer is served on 127.0.0.1 and told so, not refused."""
    return address == "::1" and settings.listen == ResolverSettings.model_fields["listen"].default and not is_here(address)


def _plain(address: str) -> IPAddress:
    """The address; an IPv4-mapped IPv6 address is the IPv4 address it holds (RFC 4291 section 2.5.5.2)."""
    ip = ipaddress.ip_address(address)
    return getattr(ip, "ipv4_mapped", None) or ip


def _own(settings: ResolverSettings, endpoint: str) -> str | None:
    """Our listener that would receive what is sent to the endpoint."""
    address, port = split_endpoint(endpoint)
    target = _plain(address)
    for listener in settings.listen:
        own_address, own_port = split_endpoint(listener)
        own = _plain(own_address)
        if own_port == port and own.version == target.version and (own == target or (own.is_unspecified and is_here(str(target)))):
            return listener
    return None


def _listeners(configuration: Configuration) -> Iterator[Problem]:
    settings = configuration.settings
    seen: dict[tuple[str, str, int], str] = {}
    sections = (
        ("resolver", "listen", settings.resolver.listen),
        ("landing", "listen", settings.landing.listen),
        ("landing", "listen_tls", settings.landing.listen_tls),
    )
    for section, name, listeners in sections:
        for number, listener in enumerate(listeners):
            key: Key = (section, name, number)
            address, port = split_endpoint(listener)
            place = configuration.place(*key)
            if section == "resolver" and absent_ipv6(settings.resolver, address):
                continue
            if ipaddress.ip_address(address).is_multicast:
                yield Problem(place, key, "is a multicast address, where no server can listen; use an address of this machine", listener)
            elif not is_here(address):
                yield Problem(
                    place, key, "is no address of this machine; use one that `ip address` shows, or 0.0.0.0 or [::] for all of them", listener
                )
            other = seen.get(("tcp", address, port))
            if other:
                yield Problem(place, key, f"is taken by {other} already; use another port", listener)
            seen.setdefault(("tcp", address, port), f"{section}.{name}[{number}]")


def _loops(configuration: Configuration) -> Iterator[Problem]:
    settings = configuration.settings.resolver
    for key, upstream in _configured_upstreams(settings):
        if own := _own(settings, upstream.address):
            what = f"is our own listener {own}: queries would go round in a circle; name the recursor that Red Hand is to ask"
            yield Problem(configuration.place(*key), key, what, upstream.address)


def _configured_upstreams(settings: ResolverSettings) -> Iterator[tuple[Key, Upstream]]:
    for number, upstream in enumerate(settings.upstreams):
        yield ("resolver", "upstreams", number, "address"), upstream
    for zone_number, zone in enumerate(settings.zones):
        for number, upstream in enumerate(zone.upstreams):
            yield ("resolver", "zones", zone_number, "upstreams", number, "address"), upstream


def _landing(configuration: Configuration) -> Iterator[Problem]:
    """A client elsewhere that is sent to a loopback address finds its own machine there, and never the page."""
    settings = configuration.settings.resolver
    yield from _addresses(
        configuration, ("resolver", "landing_addresses"), settings.landing_addresses, _distant(configuration, _without_own_landing(settings))
    )
    for number, group in enumerate(settings.groups):
        clients = _distant(configuration, group.networks)
        yield from _addresses(configuration, ("resolver", "groups", number, "landing_addresses"), group.landing_addresses, clients)


def _addresses(configuration: Configuration, key: Key, addresses: Iterable[str], clients: str | None) -> Iterator[Problem]:
    for number, address in enumerate(addresses):
        ip = _plain(address)
        item: Key = (*key, number)
        if ip.is_unspecified or ip.is_multicast:
            what = "is no address a visitor can reach; for an answer without an address, set the source's mode to nodata or nxdomain"
            yield Problem(configuration.place(*item), item, what, address)
        elif ip.is_loopback and clients:
            what = f"is a loopback address: clients in {clients} would find their own machines there; write this server's address as they see it"
            yield Problem(configuration.place(*item), item, what, address)


def _distant(configuration: Configuration, networks: Iterable[str]) -> str | None:
    """The first of the networks whose clients may come from another machine: a listener outside loopback takes them."""
    listeners = [ipaddress.ip_address(split_endpoint(listener)[0]) for listener in configuration.settings.resolver.listen]
    for text in networks:
        network = ipaddress.ip_network(text)
        if not network.is_loopback and any(not listener.is_loopback and listener.version == network.version for listener in listeners):
            return text
    return None


def _without_own_landing(settings: ResolverSettings) -> Iterator[str]:
    """Allowed networks, and groups' networks, that are sent to resolver.landing_addresses."""
    elsewhere = [ipaddress.ip_network(network) for group in settings.groups if group.landing_addresses for network in group.networks]
    yield from (network for group in settings.groups if not group.landing_addresses for network in group.networks)
    for text in settings.allow:
        network = ipaddress.ip_network(text)
        if not any(_within(network, other) for other in elsewhere):
            yield text


def _within(network: IPNetwork, other: IPNetwork) -> bool:
    return network.version == other.version and network.prefixlen >= other.prefixlen and network.network_address in other


def _groups(configuration: Configuration) -> Iterator[Problem]:
    names: set[str] = set()
    networks: dict[str, str] = {}
    for number, group in enumerate(configuration.settings.resolver.groups):
        key: Key = ("resolver", "groups", number)
        if group.name in names:
            yield Problem(configuration.place(*key, "name"), (*key, "name"), "names another group already; give each its own name", group.name)
        names.add(group.name)
        for position, network in enumerate(group.networks):
            item: Key = (*key, "networks", position)
            if network in networks:
                yield Problem(configuration.place(*item), item, f"belongs to group {networks[network]} already; keep it in one", network)
            networks.setdefault(network, group.name)


def _access(configuration: Configuration) -> Iterator[Problem]:
    """Those who may grant reviewers' access, if their files do not introduce at least two people."""
    key: Key = ("resolver", "access", "people")
    if files := configuration.settings.resolver.access.people:
        from redhand.granted import people  # noqa: PLC0415 - it loads what verifies signatures, which nobody needs who grants nothing

        try:
            people(files)
        except ConfigurationError as error:
            yield Problem(configuration.place(*key), key, str(error).removeprefix("resolver.access.people: "))


def _sources(configuration: Configuration) -> Iterator[Problem]:
    settings = configuration.settings.blocklists
    ids: set[str] = set()
    for number, source in enumerate(settings.sources):
        key: Key = ("blocklists", "sources", number)
        if source.id in ids:
            yield Problem(configuration.place(*key, "id"), (*key, "id"), "names another source already; give each its own id", source.id)
        ids.add(source.id)
        if source.format == "directives" and source.action == "pass":
            what = "is for domains and hosts only: a directive says itself what it does; remove the line"
            yield Problem(configuration.place(*key, "action"), (*key, "action"), what, source.action)
    for number, name in enumerate(settings.protected):
        try:
            parse(name)
        except BadName as error:
            yield Problem(configuration.place("blocklists", "protected", number), ("blocklists", "protected", number), str(error), name)


def _files(configuration: Configuration) -> Iterator[tuple[str, Problem]]:
    """Sources whose files are not there or cannot be read, by their ids."""
    for number, source in enumerate(configuration.settings.blocklists.sources):
        key: Key = ("blocklists", "sources", number, "path")
        if why := _unreadable(Path(source.path), source.format == "directives"):
            yield source.id, Problem(configuration.place(*key), key, why, source.path)


def feed_files(configuration: Configuration) -> list[Problem]:
    """Files of the feed's settings that are not there or cannot be read. Without them nothing new is believed, and what was verified stays."""
    feed = configuration.settings.feed
    found = []
    for name in ("root", "token_file", "receipt_key"):
        path = getattr(feed, name)
        if feed.urls and path and (why := _unreadable(Path(path), False)):
            found.append(Problem(configuration.place("feed", name), ("feed", name), why.replace(", or remove the source", ""), path))
    return found


def shown_logo(configuration: Configuration) -> list[Problem]:
    """The operator's logo, if the page cannot show it: it is then shown without."""
    path = configuration.settings.landing.logo
    try:
        if path:
            logo.read(Path(path))
    except logo.BadLogo as error:
        return [Problem(configuration.place("landing", "logo"), ("landing", "logo"), str(error), path)]
    return []


def foreign_orders(configuration: Configuration) -> list[Problem]:
    """The demonstration mixed with anything real: its orders bind nobody, and nobody is to take one for the other."""
    feed, state_dir = configuration.settings.feed, configuration.settings.state_dir
    if demonstration.is_meant(feed):
        if demonstration.followed(state_dir) is not False:
            return []
        what = "holds what a real authority ordered, and these settings follow the demonstration; set feed.urls and root, or name another directory"
        return [Problem(configuration.place("state_dir"), ("state_dir",), what, str(state_dir))]
    found = []
    if feed.root and demonstration.is_its_root(Path(feed.root)):
        what = "is a demonstration authority's root file, whose keys are nobody's; get root.json from the authority whose orders you carry out"
        found.append(Problem(configuration.place("feed", "root"), ("feed", "root"), what, feed.root))
    for number, url in enumerate(feed.urls):
        if url == demonstration.url(state_dir):
            what = "is where the demonstration is served; name a real authority's feed"
            found.append(Problem(configuration.place("feed", "urls", number), ("feed", "urls", number), what, url))
    if demonstration.followed(state_dir):
        what = "holds the demonstration's orders, which bind nobody, and these settings do not follow it; name another directory, or remove this one"
        found.append(Problem(configuration.place("state_dir"), ("state_dir",), what, str(state_dir)))
    return found


def open_token(feed: FeedSettings) -> list[str]:
    """A warning where the token, which lets its holder read orders, would cross the network in the clear."""
    clear = [url for url in feed.urls if url.startswith("http:") and not _is_local(urlsplit(url).hostname or "")]
    if not clear or not feed.token_file:
        return []
    return [f"feed.token_file is sent to {', '.join(clear)} in the clear, and lets whoever hears it read orders; write https:// if the mirror has it"]


def _is_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _unreadable(path: Path, may_be_directory: bool) -> str | None:
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return "does not exist; create the file, correct the path, or remove the source"
    except OSError as error:
        return f"cannot be reached by this user ({error.strerror}); change the permissions of its directories, or move it"
    if stat.S_ISDIR(mode) and not may_be_directory:
        return "is a directory; name one file, or set format: directives for a directory of directives"
    if not stat.S_ISDIR(mode) and not stat.S_ISREG(mode):
        return "is not a plain file; name one"
    if not os.access(path, os.R_OK | (os.X_OK if stat.S_ISDIR(mode) else 0)):
        return "cannot be read by this user; change its permissions"
    return None


def _state_dir(configuration: Configuration) -> Iterator[Problem]:
    """What `state_dir` below would stumble over, seen without making anything."""
    path = configuration.settings.state_dir
    why = None
    if any(part.startswith("~") for part in path.parts):
        why = "has a ~, which only a shell turns into a home directory; write the whole path"
    else:
        try:
            there = next(each for each in (path, *path.parents) if each.exists())
            if not there.is_dir():
                why = f"cannot be made: {there} is a file; name a directory"
            elif not os.access(there, os.W_OK | os.X_OK) and not os.access(path / "current", os.R_OK):
                why = f"cannot be written: this user may not write to {there}; change its owner, or name another directory"
        except OSError as error:
            why = f"cannot be reached by this user ({error.strerror}); name a directory of this user's"
    if why:
        yield Problem(configuration.place("state_dir"), ("state_dir",), why, str(path))


def state_dir(configuration: Configuration, warnings: list[str]) -> Path:
    """The state directory, made if it is missing. Raises ConfigurationError when it cannot be written and holds no list to serve."""
    path = configuration.settings.state_dir
    try:
        path.mkdir(parents=True, exist_ok=True)
        if not os.access(path, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        if os.access(path / "current", os.R_OK):
            warnings.append(f"state_dir {path} cannot be written ({error.strerror}); its list is served, and does not change until that is mended")
            return path
        refuse(
            [
                Problem(
                    configuration.place("state_dir"),
                    ("state_dir",),
                    f"cannot be written ({error.strerror}); name a directory of this user's",
                    str(path),
                )
            ]
        )
        raise ConfigurationError(str(path)) from error
    return path
