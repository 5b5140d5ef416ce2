"""What visitors of blocked sites see under HTTPS: `python -m bench.https`. The page, or which error, after how many seconds?

A real Chromium with its window, in a network of its own, whose resolver is Red Hand and whose blocked names lead to its page on port 80. Names are
typed with keys and links clicked; what stands in the window at last is asked of the browser itself. Each visit is to a name that the browser has not
met, in a new tab; a browser is new for each behaviour of port 443. Seconds count from the last key or click to the first paint of what remains. They
are those of a machine on the same cable: add the time your network takes. A visit that takes longer than a quarter of a minute is made once only.

Needs root, and chromium, xvfb, xdotool, nftables, iproute2 and bind9-dnsutils. Writes the record, and the table in docs/https.md.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from statistics import median
from typing import Annotated, Any, NamedTuple

import typer

from bench import machine
from bench.chromium import Chromium, Shown, Tab
from bench.machine import BenchError
from bench.visits import BLOCKED, ELSEWHERE, VISITED, Network, known

RUNS = 5
LONG = 15.0
"""Seconds above which a visit is not made again."""
PATIENCE = 300.0
"""Seconds after which a visitor has gone; Linux gives up a connection that nobody answers after about two minutes."""
ROOT = Path(__file__).resolve().parent.parent
RECORD = ROOT / "bench" / "record"
GUIDE = ROOT / "docs" / "https.md"
BEGIN, END = "<!-- the table of the newest record: python -m bench.https writes it -->\n", "<!-- end of the table -->\n"

PORTS = {
    "refused": "443 refuses at once",
    "own": "443 refuses every name but our own",
    "silent": "443 is silent",
    "udp": "443 refuses over TCP, is silent over UDP",
    "impostor": "443 answers with a certificate for our own name",
}
"""What port 443, TCP and UDP, of the page's address does, and how the table calls it."""


class Visit(NamedTuple):
    """One kind of visit. `path`: what its site told the browser while it was not blocked yet; none: the browser has never been there."""

    words: str
    go: Callable[[Tab, str], Shown]
    path: str = ""
    policy: str = ""
    """Of the browser's setting for https (HttpsOnlyMode), where it is not as it comes."""


def _typed(tab: Tab, name: str) -> Shown:
    return tab.type(name, PATIENCE)


def _on(go: Callable[[Tab, str], Shown]) -> Callable[[Tab, str], Shown]:
    """The same, and on past the warning that comes first: seconds are those until the warning."""

    def past(tab: Tab, name: str) -> Shown:
        warned = go(tab, name)
        if warned.what != "warning":
            return warned
        then = tab.go_on(PATIENCE)
        return Shown(f"warning, then {then.what}", warned.seconds, then.url, then.text)

    return past


def _link(scheme: str) -> Callable[[Tab, str], Shown]:
    def click(tab: Tab, name: str) -> Shown:
        tab.open(f"https://{ELSEWHERE}/?link={scheme}://{name}/")
        return tab.click("#link", PATIENCE)

    return click


def _picture(scheme: str) -> Callable[[Tab, str], Shown]:
    def load(tab: Tab, name: str) -> Shown:
        address = f"{scheme}://{name}/picture.png"
        page = f"https://{ELSEWHERE}" if scheme == "https" else f"http://plain.{ELSEWHERE}"
        seen = tab.loaded(f"{page}/?image={address}", PATIENCE)
        return Shown(seen["parts"].get(address, "nothing"), seen["seconds"], address, "")

    return load


VISITS = {
    "typed": Visit("name typed", _typed),
    "http": Visit("link to http://", _link("http")),
    "https": Visit("link to https://", _link("https")),
    "strict": Visit("name typed, of a site that asked for https always when it was visited before (HSTS)", _typed, path="/strict"),
    "h3": Visit("name typed, of a site that offered HTTP/3 when it was visited before", _typed, path="/h3"),
    "picture": Visit("picture of a blocked site in a page of another, both http", _picture("http")),
    "pictures": Visit("picture of a blocked site in a page of another, both https", _picture("https")),
    "warned": Visit("name typed, browser set to warn of sites without https", _on(_typed), policy="force_balanced_enabled"),
    "warned-http": Visit("link to http://, browser set to warn of sites without https", _on(_link("http")), policy="force_balanced_enabled"),
}


class Seen(NamedTuple):
    """What came of the visits of one kind to one behaviour of port 443."""

    visit: str
    port: str
    what: str
    """Of all runs: they must agree."""
    seconds: float
    """Median."""
    slowest: float
    runs: int
    text: str
    """What stood in the window at last."""


def look(network: Network, port: str, visits: dict[str, Visit], runs: int, pictures: Path | None = None) -> Iterator[Seen]:
    """Makes the visits while port 443 does the same. Raises BenchError when one kind of visit ends in different ways."""
    network.order(visited=False)
    network.port_443(port)
    numbers = count(1)
    for policy in dict.fromkeys(visit.policy for visit in visits.values()):
        chosen = {key: visit for key, visit in visits.items() if visit.policy == policy}
        network.policy(**({"HttpsOnlyMode": policy} if policy else {}))
        with network.browser(f"{port}-{policy or 'plain'}") as browser:
            names = {key: [f"{key}{next(numbers)}.{VISITED if visit.path else BLOCKED}" for _ in range(runs)] for key, visit in chosen.items()}
            for key, visit in chosen.items():
                if visit.path:
                    known(browser, names[key], visit.path)
            network.order(visited=True)
            browser.forget_addresses()
            for key, visit in chosen.items():
                yield _seen(browser, key, port, visit, names[key], pictures)
            network.order(visited=False)


def _seen(browser: Chromium, key: str, port: str, visit: Visit, names: list[str], pictures: Path | None) -> Seen:
    shown: list[Shown] = []
    for name in names:
        tab = browser.tab()
        shown.append(visit.go(tab, name))
        if pictures is not None and name == names[0]:
            tab.picture(pictures / f"{key}-{port}.png")
        tab.close()
        if shown[-1].seconds > LONG:
            break
    whats = {each.what for each in shown}
    if len(whats) > 1:
        raise BenchError(f"{key} with port 443 {port} ended in different ways: {', '.join(f'{each.what} ({each.seconds:.1f} s)' for each in shown)}")
    times = [each.seconds for each in shown]
    return Seen(key, port, whats.pop(), median(times), max(times), len(times), shown[0].text)


WORDS = {
    "page 451": "**the page**, {}",
    "451": "**a small picture** that says it is blocked, {}",
    "warning, then page 451": "a warning, {}; if the visitor goes on, **the page**",
    "nothing": "nothing, {}",
}
"""How the table calls what is no error of the browser's."""


def table(found: list[dict[str, Any]]) -> str:
    """The measured table, as Markdown."""
    cells = {(each["visit"], each["port"]): _cell(each) for each in found}
    ports = [port for port in PORTS if any(each["port"] == port for each in found)]
    lines = [f"| the visit | {' | '.join(PORTS[port] for port in ports)} |", "|---" * (len(ports) + 1) + "|"]
    lines += [f"| {VISITS[key].words} | {' | '.join(cells.get((key, port), '') for port in ports)} |" for key in VISITS if (key, ports[0]) in cells]
    return "\n".join(lines) + "\n"


def _cell(each: dict[str, Any]) -> str:
    what, took = each["what"], f"{each['seconds']:.1f} s" if each["seconds"] >= 0.1 else "under 0.1 s"
    if what in WORDS:
        return WORDS[what].format(took)
    return f"`{what.removeprefix('net::')}`, {took}"


def newest() -> Path:
    """The folder of the newest record."""
    return max(RECORD.glob("*-https"))


def guide(text: str, whole: dict[str, Any]) -> str:
    """The guide's text with the record's table in it."""
    facts = whole["machine"]
    kernel = facts["kernel"].partition(" ")[2]
    how = f"Chromium {whole['chromium']}, Linux {kernel}, {whole['date']}; medians of {whole['runs']} visits, of one above {LONG:.0f} s."
    written = f"{how}\n\n{table(whole['seen'])}"
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{written}\n{END}{after}"


def run(
    runs: Annotated[int, typer.Option(min=1, help="Visits of each kind.")] = RUNS,
    only: Annotated[list[str] | None, typer.Option(help="Of these kinds only.")] = None,
    port: Annotated[list[str] | None, typer.Option(help="With port 443 like this only.")] = None,
    only_guide: Annotated[bool, typer.Option("--guide", help="Make none; write the newest record's table into the guide.")] = False,
    out: Annotated[Path | None, typer.Option(help="Folder of the record.")] = None,
    pictures: Annotated[Path | None, typer.Option(help="Folder for a picture of each window.")] = None,
) -> None:
    """Make all visits, write the record and the guide's table."""
    if only_guide:
        _write_guide(json.loads((newest() / "result.json").read_text(encoding="utf-8")))
        return
    visits = {key: visit for key, visit in VISITS.items() if not only or key in only}
    found: list[Seen] = []
    if pictures:
        pictures.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="redhand-https-") as scratch, Network(Path(scratch)) as network:
        for each in port or PORTS:
            for seen in look(network, each, visits, runs, pictures):
                print(
                    f"{seen.port:9} {seen.visit:9} {seen.what:40} {seen.seconds:7.2f} s, slowest {seen.slowest:7.2f} s, {seen.runs} times", flush=True
                )
                found.append(seen)
    version = re.search(r"Chromium ([\d.]+)", machine.output(["chromium", "--version"]))
    whole: dict[str, Any] = {
        "date": datetime.now(UTC).date().isoformat(), "machine": machine.facts(), "chromium": version[1] if version else "unknown", "runs": runs,
        "load": os.getloadavg()[0],
        "seen": [each._asdict() for each in found],
    }  # fmt: skip
    print(table(whole["seen"]))
    if only or port:
        return
    folder = out or RECORD / f"{whole['date']}-https"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "result.json").write_text(json.dumps(whole, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (folder / "table.md").write_text(f"# What visitors see under HTTPS, {whole['date']}\n\n{table(whole['seen'])}", encoding="utf-8")
    _write_guide(whole)


def _write_guide(whole: dict[str, Any]) -> None:
    GUIDE.write_text(guide(GUIDE.read_text(encoding="utf-8"), whole), encoding="utf-8")


if __name__ == "__main__":
    typer.run(run)
