"""Names that never leave the machine, whatever the upstream would say.

`localhost`, `invalid` and `test` (RFC 6761), `onion` (RFC 7686), `alt` (RFC 9476), `local` (RFC 6762 section 22.1), `internal` (reserved by ICANN in
2024), `home.arpa` (RFC 8375), `resolver.arpa` (RFC 9462 section 6.4), and the reverse zones of addresses that are not global (RFC 6303, RFC 7793).
They stand behind the policy and behind zones the operator forwards. So does what finds forwarding loops (`loops`): a question of our own.
"""

from __future__ import annotations

from blocklists import names
from resolver.authored import local_reply
from resolver.loops import ZONE_KEY, Loops
from resolver.wire import NOERROR, NXDOMAIN, Query

_NONEXISTENT = ("invalid", "test", "onion", "alt", "local", "internal", "home.arpa")
_REVERSE_4 = (
    "0", "127", "254.169", "2.0.192", "100.51.198", "113.0.203", "255.255.255.255", "10", "168.192",
    *(f"{second}.172" for second in range(16, 32)), *(f"{second}.100" for second in range(64, 128)),
)  # fmt: skip
_REVERSE_6 = ("0." * 32, "1." + "0." * 31, "d.f.", "8.e.f.", "9.e.f.", "a.e.f.", "b.e.f.", "8.b.d.0.1.0.0.2.")


def _key(text: str) -> bytes:
    return names.key(names.parse(text))


_LOCALHOST = _key("localhost")
_RESOLVER = _key("resolver.arpa")
_ZONES = frozenset(
    (
        _LOCALHOST,
        _RESOLVER,
        *map(_key, _NONEXISTENT),
        *(_key(f"{reverse}.in-addr.arpa") for reverse in _REVERSE_4),
        *(_key(f"{reverse}ip6.arpa") for reverse in _REVERSE_6),
    )
)
_TOPS = frozenset(zone[: zone[0] + 1] for zone in (*_ZONES, ZONE_KEY))
_own_loops: list[Loops] = []
"""What recognises this process's own loop probes, if anything does."""


def expect_loops(loops: Loops | None) -> None:
    """From now on questions that `loops` recognises are answered here; None: no longer."""
    _own_loops[:] = () if loops is None else (loops,)


def special_reply(query: Query) -> bytes | None:
    """All of the reply but its ID for a name in a special zone; None for every other name."""
    key = query.key
    if not key or key[: key[0] + 1] not in _TOPS:
        return None
    if key.startswith(ZONE_KEY):
        return _own_loops[0].answer(query) if _own_loops else None
    end = 0
    while end < len(key):
        end += key[end] + 1
        zone = key[:end]
        if zone in _ZONES:
            exists = zone in (_LOCALHOST, _RESOLVER) or key == zone
            return local_reply(query, zone, NOERROR if exists else NXDOMAIN, zone == _LOCALHOST)
    return None
