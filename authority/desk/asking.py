"""Asks one resolver, named in the desk's settings, whether names exist. Never the machine's own:
what an authority is about to order is no one else's to see."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

import dns.exception
import dns.resolver

from authority.desk.errors import DeskError
from blocklists.endpoints import split_endpoint

Resolves = Callable[[str], bool | None]
"""Whether a name has an address; None when that could not be learnt."""
SECONDS = 3.0
"""For one name, both families."""
AT_ONCE = 16


def resolver(endpoint: str) -> Resolves | None:
    """Asks the resolver at ADDRESS:PORT for A, then AAAA; None for an empty text: nobody is asked. Raises DeskError for what is no address."""
    if not endpoint:
        return None
    try:
        host, port = split_endpoint(endpoint)
    except ValueError as error:
        raise DeskError(f"desk.resolver: {error}; write ADDRESS:PORT, such as 127.0.0.1:53") from None

    def resolves(name: str) -> bool | None:
        asking = dns.resolver.Resolver(configure=False)
        asking.nameservers, asking.port = [host], port
        asking.lifetime = SECONDS / 2
        for kind in ("A", "AAAA"):
            try:
                asking.resolve(f"{name}.", kind, search=False)
            except dns.resolver.NXDOMAIN:
                return False
            except dns.resolver.NoAnswer:
                continue
            except (dns.exception.DNSException, OSError):
                return None
            return True
        return False

    return resolves


def ask(names: Iterable[str], resolves: Resolves) -> dict[str, bool | None]:
    """What the resolver says of each name, several asked at once."""
    found = list(dict.fromkeys(names))
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return dict(zip(found, pool.map(resolves, found), strict=True))
