"""Writes what the comparison asks and blocks: the upstream's zone, the block lists in every server's own form, and the query files.

All of it is drawn from a seed, so two machines ask the same questions. All names are under `example.`, which RFC 6761 section 6.5 tells resolvers
to treat as any other name; `test.` and `invalid.` have answers of their own in several of the peers. It measures nothing and starts nothing.

Two files must never hold a name twice, within a file or among those of other rounds, or a cache would answer what is meant to be its first sight:
`never_seen` and `block_new`. Their names carry the round and a counter.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from itertools import accumulate
from pathlib import Path

SEED = 20
ZONE = "example"
HITS = 1_000
ZIPF_NAMES = 200_000
ZIPF_EXPONENT = 1.0
LISTED = 100_000
MILLION = 1_000_000
SMALL = 1_000
TTL = 3600
"""Seconds; longer than any run, so that no hit expires under load."""
LANDING = "192.0.2.1"
MISS_ADDRESS = "198.51.100.254"


def seeded(*purpose: object) -> random.Random:
    """A generator that depends on the seed and the purpose alone, so that adding a workload changes no other."""
    return random.Random(f"{SEED}/{'/'.join(map(str, purpose))}")


def hit_name(number: int) -> str:
    """A name the upstream answers with `hit_address(number)`."""
    return f"h{number}.{ZONE}"


def hit_address(number: int) -> str:
    """The documentation address (RFC 5737) that stands in the zone for a numbered name."""
    return f"198.51.100.{number % 250 + 1}"


def zone() -> Iterator[str]:
    """Lines of the upstream's zone: the 1,000 hits, the 200,000 of the Zipf workload, and a wildcard for names never seen."""
    yield f"$ORIGIN {ZONE}.\n$TTL {TTL}\n@ SOA ns host 1 3600 600 86400 300\n@ NS ns\nns A 127.0.0.1\n*.miss A {MISS_ADDRESS}\n"
    for number in range(HITS):
        yield f"h{number} A {hit_address(number)}\n"
    for number in range(ZIPF_NAMES):
        yield f"z{number} A {hit_address(number)}\n"


def listed_names(count: int, generation: int = 0) -> list[str]:
    """`count` distinct names to block, in no order. A later generation shares 99 in 100 with the first, as a list does with yesterday's."""
    kept = count if generation == 0 else count - count // 100
    names = _random_names(seeded("listed"), count)[:kept]
    if kept < count:
        names += [f"g{generation}{name}" for name in _random_names(seeded("listed", generation), count - kept)]
    return names


def _random_names(rng: random.Random, count: int) -> list[str]:
    names: dict[str, None] = {}
    while len(names) < count:
        names[f"b{rng.getrandbits(48):012x}.{ZONE}"] = None
    return list(names)


# The forms a block list takes


def as_domains(names: Iterable[str], serial: int) -> Iterator[str]:
    """One name a line, each with its subdomains: Red Hand's `format: domains`, and what dnsdist's configuration reads."""
    return (f"{name}\n" for name in names)


def as_rpz(names: Iterable[str], serial: int) -> Iterator[str]:
    """A response policy zone: each name and its wildcard answer with the landing address. The serial must grow for a reload to count."""
    yield f"$ORIGIN rpz.\n$TTL 300\n@ SOA localhost. root.localhost. {serial} 3600 600 86400 300\n@ NS localhost.\n"
    for name in names:
        yield f"{name} A {LANDING}\n*.{name} A {LANDING}\n"


def as_dnsmasq(names: Iterable[str], serial: int) -> Iterator[str]:
    """dnsmasq's `address` lines, which cover subdomains."""
    return (f"address=/{name}/{LANDING}\n" for name in names)


# What is asked


def hits(count: int) -> Iterator[str]:
    """Names among the 1,000, evenly."""
    rng = seeded("hits")
    return (hit_name(rng.randrange(HITS)) for _ in range(count))


def every_hit() -> Iterator[str]:
    """Each of the 1,000 names once: what warms a cache for the hits."""
    return (hit_name(number) for number in range(HITS))


def zipf(count: int) -> Iterator[str]:
    """Names among the 200,000, the n-th as often as 1/n (Zipf, exponent 1), ranks and numbers in unrelated order."""
    rng = seeded("zipf")
    weights = list(accumulate(1 / rank**ZIPF_EXPONENT for rank in range(1, ZIPF_NAMES + 1)))
    numbers = list(range(ZIPF_NAMES))
    rng.shuffle(numbers)
    return (f"z{number}.{ZONE}" for number in rng.choices(numbers, cum_weights=weights, k=count))


def every_zipf() -> Iterator[str]:
    """Each of the 200,000 names once."""
    return (f"z{number}.{ZONE}" for number in range(ZIPF_NAMES))


def block_warm(count: int, listed: list[str]) -> Iterator[str]:
    """Listed names and, every other time, their `www`. The file is asked over and over: a packet cache may answer."""
    rng = seeded("block warm")
    return (f"{'www.' if number & 1 else ''}{rng.choice(listed)}" for number in range(count))


def block_new(count: int, listed: list[str], round_number: int) -> Iterator[str]:
    """Subdomains of listed names, none ever asked before: each must be looked up in the list."""
    rng = seeded("block new", round_number)
    return (f"n{round_number}x{number:x}.{rng.choice(listed)}" for number in range(count))


def never_seen(count: int, round_number: int) -> Iterator[str]:
    """Names nobody asked before, which the upstream's wildcard answers."""
    rng = seeded("never seen", round_number)
    return (f"u{round_number}x{number:x}r{rng.getrandbits(24):x}.miss.{ZONE}" for number in range(count))


def mix(count: int, listed: list[str], round_number: int) -> Iterator[str]:
    """80 in 100 hits, 10 listed names or their `www`, 10 never seen; the never-seen ones differ from round to round."""
    rng = seeded("mix", round_number)
    for number in range(count):
        draw = rng.random()
        if draw < 0.8:
            yield hit_name(rng.randrange(HITS))
        elif draw < 0.9:
            yield f"{'www.' if number & 1 else ''}{rng.choice(listed)}"
        else:
            yield f"m{round_number}x{number:x}r{rng.getrandbits(24):x}.miss.{ZONE}"


def plain_query(name: str) -> bytes:
    """One query for A, recursion desired, without its ID: what dnsperf asks."""
    labels = b"".join(bytes((len(label),)) + label.encode("ascii") for label in name.split("."))
    return b"\1\0\0\1\0\0\0\0\0\0" + labels + b"\0\0\1\0\1"


def cookie_query(name: str, cookie: bytes) -> bytes:
    """One query for A with a client cookie (RFC 7873 section 4) in its OPT record.

    The form is that of dnsperf's `-B`: two octets of length, then the message, whose ID dnsperf overwrites.
    """
    labels = b"".join(bytes((len(label),)) + label.encode("ascii") for label in name.split("."))
    question = labels + b"\0\0\1\0\1"
    option = b"\0\x0a\0\x08" + cookie
    message = b"\0\0\1\0\0\1\0\0\0\0\0\1" + question + b"\0\0\x29\x04\xd0\0\0\0\0" + len(option).to_bytes(2, "big") + option
    return len(message).to_bytes(2, "big") + message


def cookie_hits(count: int, round_number: int) -> Iterator[bytes]:
    """The hits, each with a client cookie never used before.

    No two queries are the same bytes: a cache of whole packets cannot win here unless it knows which bytes are the cookie. (With one cookie
    a flow, as real clients have, 512 flows and 1,000 names would make 512,000 packets, few enough for some caches to learn by heart.)
    """
    rng = seeded("cookies", round_number)
    return (cookie_query(hit_name(rng.randrange(HITS)), (round_number << 40 | number).to_bytes(8, "big")) for number in range(count))


def write_lines(path: Path, lines: Iterable[str]) -> Path:
    """Writes lines that already end in a newline."""
    with path.open("w", encoding="ascii") as out:
        out.writelines(lines)
    return path


def write_queries(path: Path, names: Iterable[str]) -> Path:
    """dnsperf's text form: a name and a type a line."""
    return write_lines(path, (f"{name} A\n" for name in names))


def write_messages(path: Path, messages: Iterable[bytes]) -> Path:
    """dnsperf's binary form (`-B`)."""
    with path.open("wb") as out:
        out.writelines(messages)
    return path
