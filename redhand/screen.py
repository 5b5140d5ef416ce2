"""What the operator sees on the terminal: the first screen once all is ready, and the status. Pure: facts in, text out."""

from __future__ import annotations

import ipaddress
import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from blocklists.endpoints import split_endpoint
from blocklists.finding import when
from redhand import demonstration, measures
from redhand.alarms import merged
from redhand.figures import total


@dataclass(frozen=True, slots=True)
class Style:
    """Bold, red and dim, where the terminal shows them (and NO_COLOR, no-color.org, is not set)."""

    on: bool

    @classmethod
    def of(cls, is_terminal: bool) -> Style:
        return cls(is_terminal and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb")

    def _paint(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.on else text

    def bold(self, text: str) -> str:
        return self._paint("1", text)

    def red(self, text: str) -> str:
        return self._paint("1;31", text)

    def dim(self, text: str) -> str:
        return self._paint("2", text)


def first(report: dict[str, Any], style: Style, program: str, demonstrated: bool) -> str:
    """The first screen of a supervisor's report: what listens where, and three commands to try. `demonstrated`: with the demonstration's orders."""
    rows = [("DNS", _dns(report))] if report["dns"] else []
    if report["landing"]:
        rows.append(("Landing", "  ".join(f"http://{endpoint}/" for endpoint in report["landing"])))
    if report.get("own"):
        rows.append(("Own pages", report["own"]))
    if report["dns"]:
        rows += [("Blocked", blocked(report["list"]))]
        if report.get("demonstration"):
            rows += [("Orders", f"{style.red('DEMONSTRATION')}: {demonstration.WORDS}")]
            if not demonstrated and not (report.get("feed") or {}).get("newest"):  # else they were withdrawn
                rows += [("", f"They are {style.red('not in force')} yet; what keeps them: {program} status")]
        rows += [("Upstream", "  ".join(report["upstreams"]))]
    rows += [("State", report["state_dir"]), ("Settings", report["settings"])]
    out = ["", f"  {style.red('Red Hand')} {style.dim(report['version'])}", ""]
    out += [f"  {style.bold(f'{name:<9}')} {text}" for name, text in rows]
    out += ["", f"  {style.bold('Try')}"]
    out += [f"    {command}" for command in _commands(report, program, demonstrated)]
    out += ["", style.dim("  Ctrl-C stops it."), ""]
    return "\n".join(out)


def _dns(report: dict[str, Any]) -> str:
    workers = sum(child["name"].startswith("worker-") for child in report["children"])
    return f"{'  '.join(report['dns'])}  (UDP and TCP, {workers} worker{'s' if workers != 1 else ''})"


def blocked(listed: dict[str, Any] | None) -> str:
    """`3 names, version 1`."""
    if not listed:
        return "the last good version"
    names = listed.get("names")
    count = "" if names is None else f"{names:,} name{'s' if names != 1 else ''}, "
    return f"{count}version {listed.get('serial', '?')}"


def _commands(report: dict[str, Any], program: str, demonstrated: bool) -> Iterable[str]:
    name = demonstration.NAME if demonstrated else "example.com"
    if report["dns"]:
        address, port = split_endpoint(report["dns"][0])
        yield f"dig @{address}{'' if port == 53 else f' -p {port}'} {name}"
    if report["landing"]:
        address, port = split_endpoint(report["landing"][0])
        if ipaddress.ip_address(address).is_unspecified:
            address = "::1" if ":" in address else "127.0.0.1"
        host = f"[{address}]" if ":" in address else address
        yield f"curl -i -H 'Host: {name}' http://{host}:{port}/"
    yield f"{program} check www.{name}" if report["dns"] else f"{program} status"
    if not report["landing"]:
        yield f"{program} status"


def status(reports: Iterable[dict[str, Any]], serials: dict[str, int], listed: dict[str, Any] | None, style: Style) -> str:
    """The status of what runs, one line a child, and what is wrong. `listed`: as `redhand.status.in_force` has it.

    A report has figures only if its supervisor could be asked for them.
    """
    out = []
    for report in reports:
        since = ago(time.time() - report["started"])
        out.append(f"{style.bold('Red Hand')} {report['version']} is {report['state']} (process {report['pid']}, started {since} ago)")
        if report.get("demonstration"):
            out.append(f"  {style.red('DEMONSTRATION')}: {demonstration.WORDS}")
        if report["dns"]:
            out += [
                f"  DNS       {_dns(report)}",
                f"  Blocked   {blocked(listed or report['list'])}",
                f"  Upstream  {'  '.join(report['upstreams'])}",
            ]
            out += _figures(report)
        if feed := report.get("feed"):
            out.append(f"  Feed      {_feed(feed)}")
        if (access := report.get("access")) is not None:
            out.append(f"  Access    reviewers' access: {_access(access['grants'])}")
        if report["landing"]:
            out.append(f"  Landing   {'  '.join(f'http://{endpoint}/' for endpoint in report['landing'])}")
        if report.get("own"):
            out.append(f"  Own pages {report['own']}")
        for child in report["children"]:
            serial = serials.get(child["name"])
            details = [child["state"], f"process {child['pid']}" if child["pid"] else "", _listed(serial, listed), *_of_child(report, child["name"])]
            if child["restarts"]:
                details.append(f"restarted {child['restarts']}x, last end: {child['last_end']}")
            out.append(f"  {child['name']:<9} {', '.join(filter(None, details))}")
        if standby := report.get("standby"):
            out.append(f"  standby   {standby['state']}, process {standby['pid']}, takes over at once from a worker that ends")
        warnings = [*report["warnings"], *([f"block list not built: {report['build_error']}"] if report["build_error"] else [])]
        warnings += _troubles(listed) if listed and report["dns"] else []
        out += [f"  {style.red('warning')}   {warning}" for warning in warnings]
        for alarm in merged(report.get("alarms", ())):
            out.append(
                f"  {style.red('ALARM')}     {alarm['name']}, for {ago(time.time() - alarm['since'])}, says {alarm['source']}: {alarm['what']}"
            )
            out.append(f"            {alarm['remedy']}")
    return "\n".join(out)


def _feed(feed: dict[str, Any]) -> str:
    """Whose orders are in force, as of when, and how that is known."""
    if (size := feed.get("size")) is None:
        found = f"nothing verified yet from {', '.join(feed['urls'])}"
    else:
        kind = "DEMONSTRATION, " if feed["demonstration"] else ""
        found = f"{kind}{feed['origin']}: {size:,} entries, signed {ago(time.time() - feed['signed'])} ago"
    if feed.get("newest"):
        found += f"; {feed['url']} had nothing newer {ago(time.time() - feed['newest'])} ago"
    if progress := feed.get("progress"):
        found += f"; {progress['what']} {progress['done']:,} of {progress['of']:,} entries, {progress['rate']:,} a second"
    return found


def _access(grants: Sequence[dict[str, Any]]) -> str:
    """`1 grant, until 2026-12-01 12:00:00 UTC`."""
    if not grants:
        return "nobody has it"
    ends = sorted(grant["until"] for grant in grants)
    if len(grants) == 1:
        return f"1 grant, until {when(ends[0])}"
    return f"{len(grants)} grants, the first until {when(ends[0])}, the last until {when(ends[-1])}"


def _figures(report: dict[str, Any]) -> Iterable[str]:
    """What was done since the start, and how the upstreams do."""
    figures = measures.latest(report)
    if not figures:
        return
    done = measures.sums(figures)
    yield (
        f"  Queries   {done.queries:,.0f}, {done.tcp:,.0f} of them by TCP; {measures.share(done.hits)} from cache, {done.blocked:,.0f} blocked, "
        f"{done.dropped:,.0f} dropped; half within {measures.duration(done.quantile(0.5))}, 99 % within {measures.duration(done.quantile(0.99))}"
    )
    for each in measures.upstreams(figures):
        trip = f"round trip {measures.duration(each.round_trip)}" if each.round_trip else "not heard yet"
        away = ", AWAY: others are asked first" if each.away else ""
        yield f"            {each.address}: {trip}, asked {each.sent:,.0f} times, {measures.share(each.lost)} lost{away}"


def _of_child(report: dict[str, Any], name: str) -> Iterable[str]:
    if (found := measures.latest(report).get(name)) is not None:
        yield f"{total({name: found}, 'queries'):,.0f} queries"
    if octets := report.get("memory", {}).get(name):
        yield f"{octets / 2**20:,.0f} MiB"


def _listed(serial: int | None, listed: dict[str, Any] | None) -> str:
    if not serial:
        return ""
    return f"list version {serial}" + (f", not {listed['serial']}" if listed and serial != listed["serial"] else "")


def _troubles(listed: dict[str, Any]) -> Iterable[str]:
    """What the operator should know of the list in force."""
    if pin := listed["pinned"]:
        why = f"{ago(time.time() - pin['at'])} ago: {pin['reason']}"
        yield f"pinned to version {pin['serial']} ({why}); what changes in the sources waits for: redhand blocklist unpin"
    for refused in listed["refused"]:
        after = "what it last said stays in force" if refused["held"] else "nothing of it is in force"
        yield f"block list: {refused['reason']} ({after})"
    if listed["skipped"]:
        yield f"block list: {listed['skipped']:,} records are skipped; to see which, and why, run: redhand blocklist build"


def ago(seconds: float) -> str:
    """`42 s`, `5 min`, `3 h`, `2 days`: the largest unit that fits twice, or seconds."""
    for unit, length in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{int(seconds // length)} {unit}"
    return f"{max(0, int(seconds))} s"
