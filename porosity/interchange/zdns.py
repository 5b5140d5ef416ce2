"""zdns results, as observations of a study: JSON Lines of its raw modules (A, AAAA, HTTPS …), made at the normal level of detail or above.

zdns keeps what an answer said and not its octets: they are made again from that, which loses what it leaves out. It asks as stubs do, so that its
results are those of the first vector that asks the same; the n-th result of a name, a type and a server is that of repeat n. Lines that fit no trial
of the plan are passed over and told.
"""

from __future__ import annotations

import json
import struct
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, BinaryIO

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from porosity import asking, readings, resolvers
from porosity.plan import BadPlan
from porosity.shown import plain
from porosity.study import Study
from porosity.words import Ask, Endpoint, Failure, Observation, Vector, message

_FAILURES: dict[str, Failure] = {"TIMEOUT": "timeout", "ITERATIVE_TIMEOUT": "timeout", "ERROR": "malformed", "TRUNCATED": "malformed"}
_SECTIONS = ("answers", "authorities", "additionals")
_MOST_SKIPPED = 1000
_UNREADABLE = (KeyError, ValueError, TypeError, AttributeError, OverflowError, RecursionError, struct.error, dns.exception.DNSException)
"""What reading a line of anybody's raises; `struct.error` dnspython's, for numbers too large for their field."""
MOST_LINE = 16 << 20
"""Octets of a line."""
_LAST_SECOND = 253_402_300_799
"""Of the year 9999, in unix seconds."""
_LONGEST = 86_400.0
"""Seconds that an answer may have taken."""


@dataclass
class Taken:
    """What came of a file."""

    taken: int = 0
    skipped: list[str] = field(default_factory=list)
    """Lines that were not taken, with the reason; the first thousand."""
    not_taken: int = 0

    def skip(self, reason: str) -> None:
        """Notes a line that was not taken."""
        self.not_taken += 1
        if len(self.skipped) < _MOST_SKIPPED:
            self.skipped.append(plain(reason))


class Trials:
    """The trials of a study that zdns can have made: of one question, by UDP or TCP, for the name as it is."""

    def __init__(self, study: Study, vectors: Iterable[Vector]) -> None:
        """`vectors`: the plan's. Raises BadPlan when one is missing."""
        self.plan = study.plan
        self._cells: dict[tuple[dns.name.Name, int, str], tuple[int, int, Ask]] = {}
        found = self.plan.find(vectors)
        for number, name in enumerate(study.names):
            for place, vector in enumerate(found):
                asks = asking.messages(self.plan, vector, self.plan.trial(self.plan.number(0, number, place, 0)), name)
                if len(asks) == 1 and asks[0].transport in ("udp", "tcp") and asks[0].to == "same" and not asks[0].ipv6:
                    types = readings.asked(asks[0].wire).types
                    if len(types) == 1 and asks[0].wire == message(name.name, dns.rdatatype.to_text(dns.rdatatype.RdataType.make(min(types)))):
                        self._cells.setdefault((name.name, min(types), asks[0].transport), (number, place, asks[0]))
        self._servers: dict[str, list[tuple[int, Endpoint]]] = {}
        for place, resolver in enumerate(self.plan.resolvers[: self.plan.measured]):
            for endpoint in resolver.endpoints:
                self._servers.setdefault(_server(endpoint), []).append((place, endpoint))
        self._seen: Counter[tuple[dns.name.Name, int, str, str]] = Counter()

    def next(self, name: dns.name.Name, type: int, server: str, transport: str) -> tuple[int, str, str, Ask, Endpoint]:
        """The next trial of this question: number, vector, resolver, what it asks, and where. Raises LookupError, which says what is missing."""
        places = [each for each in self._servers.get(server, []) if each[1].transport == transport]
        if not places:
            raise LookupError(f"no resolver of the plan is at {server} by {transport}")
        cell = self._cells.get((name, type, transport))
        if cell is None:
            called = dns.rdatatype.to_text(dns.rdatatype.RdataType.make(type))
            raise LookupError(f"no vector of the plan asks {name} for {called} by {transport} as zdns does")
        key = (name, type, server, transport)
        repeat = self._seen[key]
        if repeat >= self.plan.repeats:
            raise LookupError(f"the plan asks {name} no more often of {server}")
        self._seen[key] += 1
        number, vector, ask = cell
        place, endpoint = places[0]
        return (
            self.plan.number(repeat, number, vector, place),
            self.plan.vectors[vector].id,
            self.plan.resolvers[place].id,
            ask,
            endpoint,
        )


def observed(lines: Iterable[bytes], trials: Trials, taken: Taken) -> Iterator[Observation]:
    """The observations that these lines are. `taken` is told what became of each.

    No line of a file, whatever it holds, keeps the others from being taken.
    """
    for number, text in enumerate(lines, 1):
        if not text.strip():
            continue
        try:
            line = json.loads(text)
            results = _results(line)
        except _UNREADABLE as error:
            taken.skip(f"line {number} is no result of zdns: {error}")
            continue
        for module, result in results:
            try:
                yield _observation(str(line["name"]), module, result, trials)
                taken.taken += 1
            except LookupError as error:
                taken.skip(f"line {number}, {module}: {error.args[0] if error.args else error}")
            except _UNREADABLE as error:
                taken.skip(f"line {number}, {module}: cannot be read ({error})")


def lines(file: BinaryIO) -> Iterator[bytes]:
    """A file's lines; of one that is too long only its beginning, which is no result."""
    while line := file.readline(MOST_LINE):
        yield line
        while len(line) == MOST_LINE and not line.endswith(b"\n"):
            line = file.readline(MOST_LINE)


def _results(line: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Results by module; older releases have one a line, without its name."""
    if "results" in line:
        return [(str(module), dict(result)) for module, result in line["results"].items()]
    return [(str(line.get("type", "A")), {key: line[key] for key in ("status", "timestamp", "data") if key in line})]


def _observation(name: str, module: str, result: dict[str, Any], trials: Trials) -> Observation:
    data = result.get("data") or {}
    if not isinstance(data, dict) or "resolver" not in data:
        raise LookupError("it does not say which server answered; run zdns with --result-verbosity=normal")
    asked = dns.name.from_text(name).canonicalize()
    type = dns.rdatatype.from_text(module)
    transport = "tcp" if str(data.get("protocol", "udp")).lower() == "tcp" else "udp"
    number, vector, resolver, ask, endpoint = trials.next(asked, int(type), _text(str(data["resolver"])), transport)
    status = str(result["status"])
    failure: Failure = _FAILURES.get(status, "")
    answer = b"" if failure else _answer(ask.wire, status, data)
    ended, seconds = datetime.fromisoformat(str(result["timestamp"])).timestamp(), float(result.get("duration", 0))
    if not 0 <= seconds <= _LONGEST or not seconds <= ended <= _LAST_SECOND:
        raise ValueError(f"ended {result['timestamp']} after {seconds} s, which no clock of today says")
    sent_at, took = round(ended * 1_000_000), round(seconds * 1_000_000)
    repeat = trials.plan.trial(number).repeat
    text = asked.to_text(omit_final_dot=True)
    # zdns writes down when it ended.
    return Observation(number, 0, resolver, text, vector, repeat, str(endpoint), sent_at - took, took, 1, failure, ask.wire, answer)


def _answer(query: bytes, status: str, data: dict[str, Any]) -> bytes:
    """The answer again, from what zdns tells of it."""
    made = dns.message.make_response(dns.message.from_wire(query), recursion_available=True)
    made.use_edns(False)
    made.set_rcode(dns.rcode.from_text(status))
    flags = data.get("flags") or {}
    for key, flag in (("truncated", dns.flags.TC), ("authoritative", dns.flags.AA), ("authenticated", dns.flags.AD)):
        if flags.get(key):
            made.flags |= flag
    for section in _SECTIONS:
        for record in data.get(section) or []:
            if str(record.get("type", "")).startswith(("EDNS", "OPT")):
                errors = [
                    dns.edns.EDEOption(dns.edns.EDECode(int(each["info_code"])), str(each.get("extra_text", ""))) for each in record.get("ede") or []
                ]
                made.use_edns(0, payload=int(record.get("udpsize", 512)), options=errors)  # type: ignore[arg-type]
            elif (rrset := _record(record)) is not None:
                getattr(made, {"answers": "answer", "authorities": "authority", "additionals": "additional"}[section]).append(rrset)
    return made.to_wire(max_size=65535)


def _error(said: dict[str, Any]) -> dns.edns.EDEOption:
    return dns.edns.EDEOption(dns.edns.EDECode(int(said["info_code"])), str(said.get("extra_text", "")))


def _record(record: dict[str, Any]) -> dns.rrset.RRset | None:
    """A record of zdns's; None of a type whose fields are not known here."""
    type = str(record["type"])
    owner = str(record["name"]).rstrip(".") + "."
    if type in ("A", "AAAA"):
        text = str(record["answer"])
    elif type in ("CNAME", "DNAME", "NS", "PTR"):
        text = _name(record["answer"])
    elif type == "MX":
        text = f"{record['preference']} {_name(record['answer'])}"
    elif type == "TXT":
        text = " ".join(_quoted(part) for part in _chunks(str(record["answer"]).encode()))
    elif type == "SOA":
        numbers = " ".join(str(int(record[key])) for key in ("serial", "refresh", "retry", "expire", "min_ttl"))
        text = f"{_name(record['ns'])} {_name(record['mbox'])} {numbers}"
    elif type == "SRV":
        text = f"{record['priority']} {record['weight']} {record['port']} {_name(record['target'])}"
    elif type in ("HTTPS", "SVCB"):
        text = f"{record['priority']} {_name(record['target'])} {_params(record.get('svcparams') or {})}".strip()
    else:
        return None
    return dns.rrset.from_text(owner, int(record.get("ttl", 0)), dns.rdataclass.from_text(str(record.get("class", "IN"))), type, text)


def _params(given: dict[str, Any]) -> str:
    """The parameters of a service binding, of which addresses and protocols are compared."""
    found = []
    for key, value in given.items():
        if key in ("alpn", "ipv4hint", "ipv6hint"):
            found.append(f"{key}={','.join(map(str, value)) if isinstance(value, list) else value}")
        elif key == "port":
            found.append(f"port={int(value)}")
    return " ".join(found)


def _name(text: Any) -> str:
    return str(text).rstrip(".") + "."


def _chunks(data: bytes) -> list[bytes]:
    return [data[at : at + 255] for at in range(0, len(data), 255)] or [b""]


def _quoted(data: bytes) -> str:
    return '"' + "".join(f"\\{each:03d}" if each in b'"\\' or not 0x20 <= each < 0x7F else chr(each) for each in data) + '"'


def _text(server: str) -> str:
    """zdns's word for a server: address and port."""
    try:
        return _server(resolvers.endpoint(server))
    except BadPlan:
        return server


def _server(endpoint: Endpoint) -> str:
    return f"[{endpoint.address}]:{endpoint.port}" if ":" in endpoint.address else f"{endpoint.address}:{endpoint.port}"
