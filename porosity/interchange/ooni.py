"""A study in OONI's form: one measurement a line, as df-000 (base) and df-002 (DNS) of its specification have it. Never sent to anyone's collector.

A measurement is a trial, its queries the trial's asks. What OONI has no field for stands in keys that begin with `x_`: vector, resolver and its role,
rule, state, evidence, and Extended DNS Errors. The probe's country and network are the researcher's to tell; its address never is.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

import dns.edns
import dns.exception
import dns.message
import dns.rcode
import dns.rdata
import dns.rdatatype

from porosity import readings, resolvers
from porosity.networks import Networks
from porosity.plan import BadPlan, Plan
from porosity.rules.facts import packed
from porosity.words import Observation

FORMAT = "0.2.0"
TEST, TEST_VERSION = "redhand_porosity", "0.1.0"
SOFTWARE = "redhand"

_FAILURES = {
    "timeout": "generic_timeout_error",
    "refused": "connection_refused",
    "reset": "connection_reset",
    "unreachable": "host_unreachable",
    "closed": "eof_error",
    "mismatch": "dns_reply_with_wrong_query_id",
}
"""OONI's words for words.Failure (df-007); others are `unknown_failure: …`."""
_RCODES = {
    dns.rcode.NXDOMAIN: "dns_nxdomain_error",
    dns.rcode.REFUSED: "dns_refused_error",
    dns.rcode.SERVFAIL: "dns_servfail_error",
}
_NAMED = frozenset((dns.rdatatype.CNAME, dns.rdatatype.NS, dns.rdatatype.PTR, dns.rdatatype.DNAME))


@dataclass(frozen=True)
class Probe:
    """Where a study was made from, as far as the researcher tells."""

    country: str = "ZZ"
    """Two capital letters; ZZ: not told."""
    asn: int = 0
    """Number of the network; 0: not told."""
    software_version: str = ""
    networks: Networks | None = None
    """For the numbers of answers' networks."""


def measurements(
    plan: Plan, rows: Iterable[Observation], verdicts: Iterable[Mapping[str, Any]], probe: Probe, began: int, vantage: str
) -> Iterator[dict[str, Any]]:
    """Each trial as a measurement.

    `rows`: whole trials, in their order; `verdicts`: of some of them, in their order, as `classify.read` gives them; `began`: microseconds since 1970
    of the first question.
    """
    left = iter(verdicts)
    verdict = next(left, None)
    for trial, asks in groupby(rows, lambda row: row.trial):
        while verdict is not None and verdict["trial"] < trial:
            verdict = next(left, None)
        beside = verdict if verdict is not None and verdict["trial"] == trial else None
        yield _measurement(plan, trial, list(asks), beside, probe, began, vantage)


def line(measurement: Mapping[str, Any]) -> str:
    """A measurement as a line of JSON, without its end."""
    return json.dumps(measurement, separators=(",", ":"), sort_keys=True)


def _measurement(
    plan: Plan, number: int, asks: Sequence[Observation], verdict: Mapping[str, Any] | None, probe: Probe, began: int, vantage: str
) -> dict[str, Any]:
    trial = plan.trial(number)
    resolver = plan.resolvers[trial.resolver]
    start = asks[0].sent_at
    network = probe.networks.find(_address(resolver.endpoints[0].address)) if probe.networks else None
    keys: dict[str, Any] = {
        "queries": [_query(row, start, probe.networks) for row in asks],
        "x_trial": number,
        "x_vector": plan.vectors[trial.vector].id,
        "x_repeat": trial.repeat,
        "x_resolver": resolver.id,
        "x_role": resolver.role,
    }
    if verdict is not None:
        keys |= {"x_rules": verdict["rules"], "x_rule": verdict["rule"], "x_state": verdict["state"], "x_evidence": json.loads(verdict["evidence"])}
        keys |= {f"x_{key}": verdict[key] for key in ("landing", "ede") if verdict[key] is not None}
    return {
        "annotations": {"plan": plan.id, "vantage": vantage},
        "data_format_version": FORMAT,
        "extensions": {"dnst": 0},
        "input": asks[0].name,
        "measurement_start_time": _when(start),
        "probe_asn": f"AS{probe.asn}",
        "probe_cc": probe.country,
        "probe_ip": "127.0.0.1",
        "probe_network_name": "",
        "report_id": "",
        "resolver_asn": f"AS{network.asn if network else 0}",
        "resolver_ip": resolver.endpoints[0].address,
        "resolver_network_name": network.organisation if network else "",
        "software_name": SOFTWARE,
        "software_version": probe.software_version,
        "test_helpers": {},
        "test_keys": keys,
        "test_name": TEST,
        "test_runtime": (asks[-1].sent_at + asks[-1].took - start) / 1_000_000,
        "test_start_time": _when(began),
        "test_version": TEST_VERSION,
    }


def _query(row: Observation, start: int, networks: Networks | None) -> dict[str, Any]:
    asked = readings.asked(row.query)
    t0 = (row.sent_at - start) / 1_000_000
    found: dict[str, Any] = {
        "answers": [],
        "engine": "",
        "failure": None,
        "hostname": asked.names[0].to_text(omit_final_dot=True) if asked.names else row.name,
        "query_type": dns.rdatatype.to_text(dns.rdatatype.RdataType.make(min(asked.types))) if asked.types else "",
        "raw_response": base64.b64encode(row.answer).decode() if row.answer else None,
        "resolver_address": "",
        "resolver_hostname": None,
        "resolver_port": None,
        "t": t0 + row.took / 1_000_000,
        "t0": t0,
        "tags": [],
        "transaction_id": row.ask + 1,
        "x_ask": row.ask,
        "x_tries": row.tries,
    } | _endpoint(row.endpoint)
    if row.failure:
        return found | {"failure": _FAILURES.get(row.failure, f"unknown_failure: {row.failure}")}
    try:
        message = dns.message.from_wire(row.answer, ignore_trailing=True)
    except (dns.exception.DNSException, ValueError):
        return found | {"failure": "unknown_failure: malformed"}
    answers = [_answer(rrset.ttl, rdata, networks) for rrset in message.answer for rdata in rrset]
    errors = [{"code": int(each.code), "text": each.text or ""} for each in message.options if isinstance(each, dns.edns.EDEOption)]
    if message.rcode() != dns.rcode.NOERROR:
        found["failure"] = _RCODES.get(message.rcode(), "dns_server_misbehaving")
    elif not answers:
        found["failure"] = "dns_no_answer"
    return found | {"answers": answers, "rcode": int(message.rcode()), "x_ede": errors}


def _endpoint(text: str) -> dict[str, Any]:
    if not text:
        return {}
    try:
        endpoint = resolvers.endpoint(text)
    except BadPlan:  # of another release, which knew other endpoints
        return {"resolver_address": text}
    host = f"[{endpoint.address}]" if ":" in endpoint.address else endpoint.address
    address = f"https://{endpoint.server_name or host}:{endpoint.port}{endpoint.path}" if endpoint.transport == "doh" else f"{host}:{endpoint.port}"
    return {"engine": endpoint.transport, "resolver_address": address}


def _answer(ttl: int, rdata: dns.rdata.Rdata, networks: Networks | None) -> dict[str, Any]:
    found: dict[str, Any] = {"answer_type": dns.rdatatype.to_text(rdata.rdtype), "ttl": ttl}
    text = rdata.to_text()
    if rdata.rdtype in (dns.rdatatype.A, dns.rdatatype.AAAA) and rdata.rdclass == dns.rdataclass.IN:
        found["ipv4" if rdata.rdtype == dns.rdatatype.A else "ipv6"] = text
        if networks is not None and (network := networks.find(_address(text))):
            found |= {"asn": network.asn, "as_org_name": network.organisation}
    elif rdata.rdtype in _NAMED:
        found["hostname"] = rdata.target.to_text(omit_final_dot=True)  # type: ignore[attr-defined]
    elif rdata.rdtype == dns.rdatatype.SOA:
        found |= {
            "hostname": rdata.mname.to_text(omit_final_dot=True),  # type: ignore[attr-defined]
            "responsible_name": rdata.rname.to_text(omit_final_dot=True),  # type: ignore[attr-defined]
            "serial_number": rdata.serial,  # type: ignore[attr-defined]
            "refresh_interval": str(rdata.refresh),  # type: ignore[attr-defined]
            "retry_interval": str(rdata.retry),  # type: ignore[attr-defined]
            "expiration_limit": str(rdata.expire),  # type: ignore[attr-defined]
            "minimum_ttl": str(rdata.minimum),  # type: ignore[attr-defined]
        }
    else:
        found["x_rdata"] = text
    return found


def _address(text: str) -> bytes:
    return next(iter(packed([text])))


def _when(microseconds: int) -> str:
    return datetime.fromtimestamp(microseconds / 1_000_000, UTC).strftime("%Y-%m-%d %H:%M:%S")
