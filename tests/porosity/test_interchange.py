"""Studies in other people's forms, and theirs in ours: by the command, as a researcher does it, on files of their shape."""

from __future__ import annotations

import base64
import csv
import json
import struct
from pathlib import Path
from typing import Any

import dns.message
import jsonschema
import pytest
from typer.testing import CliRunner

from blocklists.errors import RedHandError, SourceError
from porosity import classify, cli, names, networks, observations, study
from porosity.interchange import citizenlab, fingerprints
from porosity.journal import Journal
from porosity.rules.facts import Known, packed
from porosity.study import Study
from tests.porosity import said

LISTED = [names.make("blocked.example", "listed", list="own", match="subtree"), names.make("quiet.example", "listed", list="own", match="subtree")]
VECTORS = ["type-a", "type-https", "transport-dot", "spelling-longest"]
SAYS = {
    "type-a": {"ours": "NXDOMAIN; SOA of example.; EDE 16", "controls": "NOERROR; CNAME cdn.example.; A 198.51.100.1"},
    "type-https": {"ours": "NOERROR; SOA ns.example. who.example. 1 2 3 4 5", "controls": "NOERROR; HTTPS 1 . ipv4hint=198.51.100.1"},
    "transport-dot": {"ours": "timeout", "controls": "NOERROR; A 198.51.100.1"},
    "spelling-longest": {"ours": "SERVFAIL", "controls": "NXDOMAIN"},
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A study, observed and classified."""
    heard = {
        (name.name.to_text(omit_final_dot=True), vector, resolver): [says["ours" if resolver == "ours" else "controls"]]
        for name in LISTED for vector, says in SAYS.items() for resolver in ("ours", "one", "two")
    }  # fmt: skip
    plan, arranged, rows = said.study_of(VECTORS, LISTED, heard)
    found = study.create(tmp_path_factory.mktemp("interchange") / "study", plan, arranged)
    with Journal(found, "local") as journal:
        journal.append([row for number in sorted(rows) for row in rows[number]])
    classify.run(found, Known(packed(["192.0.2.80"])))
    return found


def run(*words: str) -> str:
    result = CliRunner().invoke(cli.app, list(words), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


_TEXT, _NUMBER = {"type": "string"}, {"type": "number"}
_ANSWER = {
    "type": "object",
    "required": ["answer_type", "ttl"],
    "properties": {"answer_type": _TEXT, "ttl": {"type": "integer"}, "ipv4": {"type": "string", "format": "ipv4"}, "hostname": _TEXT},
    "patternProperties": {"^(asn|serial_number)$": {"type": "integer"}, "^x_": {},
                          "^(ipv6|as_org_name|responsible_name|refresh_interval|retry_interval|minimum_ttl|expiration_limit)$": _TEXT},
    "additionalProperties": False,
}  # fmt: skip
_QUERY = {
    "type": "object",
    "required": ["answers", "engine", "failure", "hostname", "query_type", "raw_response", "resolver_address", "resolver_hostname", "resolver_port",
                 "t", "t0", "tags", "transaction_id"],
    "properties": {
        "answers": {"type": "array", "items": _ANSWER},
        "engine": {"enum": ["udp", "tcp", "dot", "doh", "doq", ""]},
        "failure": {"anyOf": [{"type": "null"}, {"type": "string", "pattern": "^(dns_(nxdomain|refused|servfail)_error|dns_no_answer|"
                              "dns_server_misbehaving|dns_reply_with_wrong_query_id|generic_timeout_error|connection_(refused|reset)|eof_error|"
                              "host_unreachable|unknown_failure: .+)$"}]},
        "raw_response": {"type": ["string", "null"], "contentEncoding": "base64"},
        "resolver_hostname": {"const": None}, "resolver_port": {"const": None},
        "t": _NUMBER, "t0": _NUMBER, "tags": {"type": "array"}, "transaction_id": {"type": "integer", "minimum": 1}, "rcode": {"type": "integer"},
    },
    "patternProperties": {"^x_": {}, "^(hostname|query_type|resolver_address)$": _TEXT},
    "additionalProperties": False,
}  # fmt: skip
_WHEN = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$"}
_BASE = {
    "annotations": {"type": "object"}, "data_format_version": {"const": "0.2.0"}, "extensions": {"const": {"dnst": 0}}, "input": _TEXT,
    "measurement_start_time": _WHEN, "test_start_time": _WHEN, "probe_asn": {"type": "string", "pattern": r"^AS\d+$"},
    "probe_cc": {"type": "string", "pattern": "^[A-Z]{2}$"}, "probe_ip": {"const": "127.0.0.1"}, "probe_network_name": _TEXT,
    "resolver_asn": {"type": "string", "pattern": r"^AS\d+$"}, "resolver_ip": _TEXT, "resolver_network_name": _TEXT, "report_id": {"const": ""},
    "software_name": _TEXT, "software_version": _TEXT, "test_helpers": {"const": {}}, "test_name": _TEXT, "test_version": _TEXT,
    "test_runtime": _NUMBER,
    "test_keys": {"type": "object", "required": ["queries"], "properties": {"queries": {"type": "array", "minItems": 1, "items": _QUERY}},
                  "patternProperties": {"^x_": {}}, "additionalProperties": False},
}  # fmt: skip
SCHEMA = {"type": "object", "required": list(_BASE), "properties": _BASE, "additionalProperties": False}
"""df-000 and df-002 of ooni/spec, as far as a study has something for their fields; whatever else there is begins with `x_`."""


def test_measurements_have_ooni_s_fields_and_ours_beside(made: Study, tmp_path: Path) -> None:
    table = tmp_path / "networks.csv"
    table.write_text("prefix,asn,organisation\n198.51.100.0/24,64497,Example Hosting\n127.0.0.0/8,64496,Example Telecom\n")
    file = tmp_path / "m.jsonl"
    run("export", str(made.directory), "ooni", str(file), "--country", "XX", "--asn", "64496", "--networks", str(table))
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert len(lines) == made.plan.trials
    for line in lines:
        jsonschema.validate(line, SCHEMA)
    of = {(line["input"], line["test_keys"]["x_vector"], line["test_keys"]["x_resolver"]): line for line in lines}
    ours = of["blocked.example", "type-a", "ours"]
    assert (ours["probe_cc"], ours["probe_asn"], ours["resolver_asn"]) == ("XX", "AS64496", "AS64496")
    assert (ours["test_keys"]["x_rule"], ours["test_keys"]["x_state"], ours["test_keys"]["x_ede"]) == ("R09", "blocked", True)
    (query,) = ours["test_keys"]["queries"]
    assert (query["failure"], query["hostname"], query["query_type"], query["engine"]) == ("dns_nxdomain_error", "blocked.example", "A", "udp")
    assert (query["rcode"], query["x_ede"]) == (3, [{"code": 16, "text": ""}])
    assert dns.message.from_wire(base64.b64decode(query["raw_response"])).rcode() == 3
    (query,) = of["blocked.example", "type-a", "one"]["test_keys"]["queries"]
    assert query["answers"] == [
        {"answer_type": "CNAME", "ttl": 60, "hostname": "cdn.example"},
        {"answer_type": "A", "ttl": 60, "ipv4": "198.51.100.1", "asn": 64497, "as_org_name": "Example Hosting"},
    ]
    (query,) = of["blocked.example", "transport-dot", "ours"]["test_keys"]["queries"]
    assert (query["failure"], query["engine"], query["raw_response"]) == ("generic_timeout_error", "dot", None)
    (query,) = of["blocked.example", "spelling-longest", "ours"]["test_keys"]["queries"]
    assert query["failure"] == "dns_servfail_error"


def test_what_is_written_replaces_nothing_and_says_what_is_missing(made: Study, tmp_path: Path) -> None:
    file = tmp_path / "m.jsonl"
    file.write_text("mine")
    for words, said_then in (
        (["ooni", str(file)], "is there already"),
        (["ooni", str(tmp_path / "x"), "--vantage", "moon"], "has not observed"),
        (["ooni", str(tmp_path / "x"), "--country", "france"], "two capital letters"),
        (["tar", str(tmp_path / "x")], "ooni, pcap or fingerprints"),
        (["pcap", str(tmp_path / "none" / "x")], "may write to"),
    ):
        with pytest.raises(RedHandError, match=said_then):
            CliRunner().invoke(cli.app, ["export", str(made.directory), *words], catch_exceptions=False)
    assert file.read_text() == "mine"
    assert [each.name for each in tmp_path.iterdir()] == ["m.jsonl"], "no half-written file is left"


def test_packets_hold_each_message_and_their_checksums_are_right(made: Study, tmp_path: Path) -> None:
    file = tmp_path / "s.pcapng"
    run("export", str(made.directory), "pcap", str(file))
    packets = list(read_pcapng(file.read_bytes()))
    rows = [row for _, found in observations.cells(made, "local") for row in found if row.endpoint]
    messages = [(row, octets, at) for row in rows for octets, at in ((row.query, row.sent_at), (row.answer, row.sent_at + row.took)) if octets]
    assert len(packets) == len(messages)
    for (at, payload, comment), (row, octets, time) in zip(packets, messages, strict=True):
        assert payload == octets
        assert at == time
        assert f"trial {row.trial} ask 0, {row.vector} at {row.resolver}" in comment


def read_pcapng(data: bytes) -> list[tuple[int, bytes, str]]:
    """Time, DNS message and comment of each packet, all checksums checked."""
    found, at = [], 0
    while at < len(data):
        type, length = struct.unpack_from("<II", data, at)
        assert struct.unpack_from("<I", data, at + length - 4)[0] == length
        assert length % 4 == 0
        if type == 6:
            _, high, low, captured, original = struct.unpack_from("<IIIII", data, at + 8)
            assert captured == original
            packet = data[at + 28 : at + 28 + captured]
            option = at + 28 + captured + -captured % 4
            code, size = struct.unpack_from("<HH", data, option)
            assert code == 1
            found.append((high << 32 | low, dns_in(packet), data[option + 4 : option + 4 + size].decode()))
        at += length
    return found


def dns_in(packet: bytes) -> bytes:
    assert packet[0] == 0x45
    assert ones(packet[:20]) == 0xFFFF
    assert struct.unpack(">H", packet[2:4])[0] == len(packet)
    body, protocol = packet[20:], packet[9]
    assert ones(packet[12:20] + struct.pack(">BBH", 0, protocol, len(body)) + body) == 0xFFFF
    if protocol == 17:
        return body[8:]
    assert protocol == 6
    stream = body[20:]
    assert int.from_bytes(stream[:2], "big") == len(stream) - 2
    return stream[2:]


def ones(data: bytes) -> int:
    """The ones' complement sum of data with its checksum in place: all ones (RFC 1071)."""
    total = sum(struct.unpack(f">{(len(data) + 1) // 2}H", data + bytes(len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def test_fingerprints_of_our_page_are_rows_that_we_can_read_again(made: Study, tmp_path: Path) -> None:
    file = tmp_path / "f.csv"
    run("export", str(made.directory), "fingerprints", str(file), "--operator", "example_telecom", "--country", "XX")
    with file.open(newline="") as opened:
        reader = csv.DictReader(opened)
        assert tuple(reader.fieldnames or ()) == fingerprints.COLUMNS
        rows = list(reader)
    assert [(row["name"], row["location_found"], row["pattern"]) for row in rows] == [
        ("example_telecom_dns_1", "dns", "192.0.2.80"),
        ("example_telecom_link", "header.link", 'rel="blocked-by"'),
    ]
    assert all(row["scope"] == "isp" and row["expected_countries"] == "XX" for row in rows)
    found = fingerprints.read(file)
    assert fingerprints.addresses(found.rows) == {bytes((192, 0, 2, 80)): "example_telecom_dns_1"}
    assert fingerprints.text(found.rows) == file.read_text()
    file.write_text(fingerprints.text(found.rows).replace("full", "fuzzy"))
    with pytest.raises(SourceError, match="row 2: pattern_type is 'fuzzy'"):
        fingerprints.read(file)


def test_a_citizen_lab_list_names_the_hosts_of_its_urls(tmp_path: Path) -> None:
    file = tmp_path / "xx.csv"
    rows = [
        "https://www.one.example/page?x=1,NEWS,News Media,2020-01-01,citizenlab,",
        "http://two.example:8080/,HUMR,Human Rights Issues,2020-01-01,citizenlab,note",
        "http://WWW.one.example/other,NEWS,News Media,2020-01-01,citizenlab,",
        "http://198.51.100.7/,NEWS,News Media,2020-01-01,citizenlab,",
        "https://b\u00fccher.example/,CULTR,Culture,2020-01-01,citizenlab,",
    ]
    file.write_text("\n".join([",".join(citizenlab.COLUMNS), *rows, ""]), encoding="utf-8")
    (found,) = names.read(file, 0)
    assert {name.name.to_text() for name in found.names} == {"two.example.", "www.one.example.", "xn--bcher-kva.example."}
    assert {(name.group, name.list, name.match) for name in found.names} == {("listed", "xx", "exact")}
    assert found.listing.names == 3
    (skipped,) = found.skipped
    assert "row 5" in skipped
    assert "has an address" in skipped
    file.write_text("name\nx.example\n")
    with pytest.raises(SourceError, match="no column url"):
        names.read(file, 0)


def zdns(name: str, module: str, server: str, status: str = "NOERROR", **data: Any) -> str:
    answers = {"answers": [], "additionals": [{"type": "EDNS0", "udpsize": 1232, "version": 0, "flags": ""}], "protocol": "udp", "resolver": server}
    result = {"data": answers | data, "duration": 0.25, "status": status, "timestamp": "2026-11-22T10:00:01+00:00"}
    return json.dumps({"name": name, "results": {module: result}})


def test_results_of_zdns_become_observations_that_are_judged(made: Study, tmp_path: Path) -> None:
    own = study.create(tmp_path / "study", *said.planned([said.vector(each) for each in ("type-a", "type-https", "type-mx", "edns-do")], LISTED))
    one, two, ours = ("127.0.0.2:53", "127.0.0.3:53", "127.0.0.1:53")
    a = [{"type": "A", "class": "IN", "name": "blocked.example", "ttl": 60, "answer": "198.51.100.1"}]
    https = [{"type": "HTTPS", "class": "IN", "name": "blocked.example", "ttl": 60, "priority": 1, "target": ".", "svcparams": {"alpn": ["h2"]}}]
    mx = [{"type": "MX", "class": "IN", "name": "blocked.example", "ttl": 60, "preference": 10, "answer": "mail.blocked.example"}]
    soa = [{"type": "SOA", "class": "IN", "name": "example", "ttl": 60, "ns": "ns.example", "mbox": "who.example",
            "serial": 1, "refresh": 2, "retry": 3, "expire": 4, "min_ttl": 5}]  # fmt: skip
    lines = [
        *(zdns("blocked.example", "A", each, answers=a) for each in (one, two)),
        *(zdns("blocked.example", "HTTPS", each, answers=https) for each in (one, two, ours)),
        *(zdns("blocked.example", "MX", each, answers=mx) for each in (one, two)),
        zdns("blocked.example", "MX", ours, authorities=soa),
        zdns(
            "blocked.example",
            "A",
            ours,
            "NXDOMAIN",
            additionals=[{"type": "EDNS0", "udpsize": 1232, "ede": [{"info_code": 15, "extra_text": "why"}]}],
        ),
        zdns("quiet.example", "A", ours, "TIMEOUT"),
        zdns("blocked.example", "A", ours, answers=a),
        zdns("blocked.example", "TXT", ours),
        zdns("unknown.example", "A", ours),
        zdns("blocked.example", "A", "192.0.2.99:53"),
        "not json",
    ]
    file = tmp_path / "results.jsonl"
    file.write_text("\n".join(lines) + "\n")
    told = json.loads(run("import", str(own.directory), str(file), "--vantage", "office", "--json"))
    assert (told["taken"], told["not_taken"]) == (10, 5)
    for reason in (
        "no more often",
        "no vector of the plan asks blocked.example. for TXT",
        "no vector of the plan asks unknown",
        "no resolver of the plan",
    ):
        assert any(reason in line for line in told["skipped"]), told["skipped"]
    rows = {(row.name, row.vector, row.resolver): row for _, found in observations.cells(own, "office") for row in found}
    assert rows["blocked.example", "type-a", "one"].took == 250_000
    assert rows["quiet.example", "type-a", "ours"].failure == "timeout"
    with pytest.raises(RedHandError, match="observed already"):
        CliRunner().invoke(cli.app, ["import", str(own.directory), str(file), "--vantage", "office"], catch_exceptions=False)
    classify.run(own, Known())
    verdicts = {(row["name"], row["vector"], row["resolver"]): row for row in classify.read(own, "red-hand-2", "office")}
    assert verdicts["blocked.example", "type-a", "ours"]["rule"] == "R09"
    assert verdicts["blocked.example", "type-https", "ours"]["rule"] == "R06"
    assert verdicts["blocked.example", "type-mx", "ours"]["rule"] == "R20"
    assert verdicts["quiet.example", "type-a", "ours"]["rule"] == "R04", "no canary was asked"


def test_a_table_of_networks_gives_the_narrowest(tmp_path: Path) -> None:
    file = tmp_path / "n.csv"
    file.write_text("prefix,asn,organisation\n192.0.2.0/24,64496,Wide\n192.0.2.128/25,64497,Narrow\n2001:db8::/32,64498,Six\n")
    table = networks.read(file)
    found = [
        table.find(address)
        for address in (bytes((192, 0, 2, 1)), bytes((192, 0, 2, 200)), bytes((198, 51, 100, 1)), bytes.fromhex("20010db8") + bytes(12))
    ]
    assert [each and each.asn for each in found] == [64496, 64497, None, 64498]
    file.write_text("prefix,asn,organisation\n192.0.2.1/24,64496,Host bits\n")
    with pytest.raises(SourceError, match=r"line 2.*has host bits set"):
        networks.read(file)
