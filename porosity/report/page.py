"""The report as one page: it holds its pictures and its style, asks no network and runs no script. The same estimates give the same page."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any

from porosity.estimating.verdicts import PLAIN
from porosity.report import limits
from porosity.report.found import Found, Row, between, percent
from porosity.report.markup import Markup, described, listed, picture, table, tag, text
from porosity.report.style import Drawn, Figure, titled

MOST_ROWS = 500
"""Of a table in the page; the files beside have all."""
PLACES = {
    "What was found": ("reached", "lists", "vantages", "windows", "reach"),
    "Where it leaks": ("families", "matrix", "budget"),
    "What is blocked beside the orders": ("overblocked",),
    "How long orders take": ("survival",),
    "What visitors are told": ("told",),
}
"""Sections and their figures."""
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def make(found: Found, drawn: Sequence[tuple[Figure, Drawn]]) -> bytes:
    """The page."""
    title = f"Porosity of {', '.join(each.id for each in found.study.plan.lists) or 'the names'}"
    sections = dict(_sections(found, {figure.name: (figure, files) for figure, files in drawn}))
    parts = [tag("section", tag("h2", text(name), id=_anchor(name)), inside, aria_labelledby=_anchor(name)) for name, inside in sections.items()]
    contents = tag("nav", tag("ul", *(tag("li", tag("a", text(name), href=f"#{_anchor(name)}")) for name in sections)), aria_label="Contents")
    style = files(__package__).joinpath("page.css").read_text(encoding="utf-8")
    head = (
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}"><meta name="referrer" content="no-referrer">'
        f"<title>{text(title)}</title><style>{style}</style>"
    )
    body = tag("main", tag("h1", text(title)), tag("p", text(_about(found)), klass="sub"), _headline(found), contents, *parts)
    return f'<!doctype html>\n<html lang="en"><head>{head}</head><body>{body}</body></html>\n'.encode()


def first(found: Found, said: Row) -> tuple[str, str]:
    """What is first said of a resolver: a figure, and the rest of the sentence."""
    if said["technical"] is not None:
        return percent(said["technical"]["share"]), _reached(said)
    waits = [each for each in found.tables["delays"] if each["resolver"] == said["resolver"] and each["what"] == "enforced" and each["waits"]]
    down = found.rate("down", said["resolver"], vector=PLAIN)
    if not waits and down and down["hits"]:
        return "down", "when asked plainly, so that nothing is known of what it blocks"
    if not waits:
        return "not known", "how many ordered names are reached: no way that the resolver can close itself was decided"
    longest = max(waits, key=lambda each: math.inf if each["p95"] is None else each["p95"])
    names = f"{longest['vector']}, {_many(longest['waits'], 'wait')}"
    if longest["p95"] is None:
        return f"over {longest['watched']:.1f} s", f"until 95 of 100 names of new orders were blocked, longer than was watched ({names})"
    ends = _ends(longest, "p95", 1)
    return f"{longest['p95']:.1f} s", f"until 95 of 100 names of new orders were blocked (95 % interval {ends} s; {names})"


def _reached(said: Row) -> str:
    rate, plain, whole = said["technical"], said["plain"], said["any"]
    interval = f"95 % interval {percent(rate['low'])} to {percent(rate['high'])}"
    rest = f"of {rate['names']:,} ordered names were still reached by a way that it can close itself ({interval})"
    if not rate["hits"]:
        rest += f"; up to {percent(rate['high'])} may be, by a name that was not among them"
    elif plain:
        rest += f"; {percent(plain['share'])} when asked plainly"
    return rest + (f"; {percent(whole['share'])} by ways round it too" if whole and whole["share"] > rate["share"] else "")


def _about(found: Found) -> str:
    plan, said = found.study.plan, found.said
    when = datetime.fromtimestamp(plan.as_of, UTC).strftime("%d %B %Y, %H:%M UTC").lstrip("0")
    return (
        f"{_many(said['trials']['judged'], 'trial')} of {_many(plan.names - plan.canaries, 'name')} by {_many(len(plan.vectors), 'vector')} at "
        f"{_many(plan.measured, 'resolver')}, controls among them, in {_many(plan.repeats, 'repeat')} from "
        f"{_many(len(said['vantages']), 'vantage')}. "
        f"Orders as of {when}. Judged by {said['rules']}. Plan {plan.id[:12]}."
    )


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _headline(found: Found) -> Markup:
    def item(said: Row) -> Markup:
        rate = said["technical"]
        kind = "unknown" if rate is None else "open" if rate["hits"] else "tight"
        figure, rest = first(found, said)
        return tag("li", tag("span", text(said["resolver"])), tag("strong", text(figure)), tag("span", text(rest)), klass=kind)

    return tag("ul", *map(item, found.said["headline"]), klass="headline")


def _sections(found: Found, drawn: dict[str, tuple[Figure, Drawn]]) -> Iterator[tuple[str, Markup]]:
    number = 0
    for name, wanted in PLACES.items():
        inside = []
        for each in wanted:
            if each in drawn:
                number += 1
                inside.append(_figure(number, *drawn[each]))
        inside += _tables(found, name)
        if inside:
            yield name, Markup("".join(inside))
    yield "Limits", listed(limits.of(found))
    yield "Methods", _methods(found)
    yield "Seeds, hashes and versions", _provenance(found)


def _figure(number: int, figure: Figure, drawn: Drawn) -> Markup:
    caption = tag("figcaption", tag("b", text(f"Figure {number}. {figure.title}. ")), text(figure.caption + " Files: "), *_links(figure))
    frame = tag("div", picture(drawn.svg, figure.says), tabindex="0", role="region", aria_label=f"Figure {number}: {figure.title}")
    return tag("figure", frame, caption, id=f"figure-{figure.name}")


def _links(figure: Figure) -> Iterator[Markup]:
    base = f"figures/{figure.name}"
    links = {"SVG": f"{base}.svg", "PNG": f"{base}.png", "CSV": f"tables/{figure.table}.csv", "JSON": f"tables/{figure.table}.json"}
    for place, (kind, href) in enumerate(links.items()):
        yield Markup((", " if place else "") + tag("a", text(kind), href=href, aria_label=f"{figure.title}, {kind}"))
    yield text(".")


def _tables(found: Found, section: str) -> Iterator[Markup]:
    if section == "What was found":
        rows = [[each["resolver"], *(between(each[key]) for key in ("plain", "technical", "any"))] for each in found.said["headline"]]
        if any(each[key] for each in found.said["headline"] for key in ("plain", "technical", "any")):
            yield table("Ordered names reached, with 95 % intervals", ("resolver", "asked plainly", "own ways", "any way"), rows)
    elif section == "Where it leaks":
        yield from _leaks(found)
    elif section == "What is blocked beside the orders":
        over = found.tables["overblocked"]
        if over:
            rows = [
                [each["name"], each["resolver"], each["directive"] or each["list"], each["population"], each["blocked"], each["trials"]]
                for each in over
            ]
            columns = ("name", "resolver", "close to", "what it is", "blocked", "trials")
            yield _cut("Names blocked that no order in force covers", columns, rows, 2, "overblocked")
        elif any(each["overblocked"]["of"] for each in found.said["headline"]):
            yield tag("p", text("No name that no order covers was blocked."))
    elif section == "How long orders take" and found.tables["delays"]:
        yield _delays(found)


def _leaks(found: Found) -> Iterator[Markup]:
    tests = {(each["resolver"], each["vector"]): each for each in found.tables["tests"] if each["against"] == "plain" and not each["list"]}
    leaks = []
    for said in found.said["headline"]:
        for vector in said["leaking"]:
            rate, test = found.rate("leak", said["resolver"], vector=vector), tests.get((said["resolver"], vector))
            p = "-" if test is None else f"{test['p_holm']:.3f}" if test["p_holm"] >= 0.001 else "<0.001"
            leaks.append([said["resolver"], vector, between(rate), f"{rate['names']:,}" if rate else "-", p])
    if leaks:
        columns = ("resolver", "vector", "names reached", "n", "p against plain")
        yield _cut("Every leak, with 95 % intervals; p by McNemar's test, corrected by Holm", columns, leaks, 2, "matrix")
    budget = [each for each in found.tables["budget"] if not each["list"] and each["scope"] != "any"]
    if budget:
        rows = [
            [
                each["resolver"],
                each["vector"],
                "users" if each["scope"] == "users" else "names",
                str(each["step"]),
                *(percent(each[key]) for key in ("leaks", "alone", "part", "remains")),
            ]
            for each in budget
        ]
        headings = ("resolver", "vector closed", "of", "step", "leaks by it", "it alone", "its part", "left then")
        yield _cut("Porosity budget", headings, rows, 5, "budget")


def _delays(found: Found) -> Markup:
    def seconds(row: Row, key: str) -> str:
        return "longer than watched" if row[key] is None else f"{row[key]:.2f} ({_ends(row, key, 2)})"

    rows = [
        [
            each["resolver"],
            each["vector"],
            each["what"],
            f"{each['ended']} of {each['waits']}",
            *(seconds(each, key) for key in ("p50", "p95", "p99")),
        ]
        for each in found.tables["delays"]
    ]
    columns = ("resolver", "vector", "order", "came", "half, s", "95 of 100, s", "99 of 100, s")
    return _cut("Waits in seconds, with 95 % intervals", columns, rows, 4, "delays")


def _ends(row: Row, key: str, digits: int) -> str:
    """Between which waits a percentile lies; only from where, when nobody watched for long enough to say more."""
    low, high = row[f"{key}_low"], row[f"{key}_high"]
    from_low = f"{0.0 if low is None else low:.{digits}f}"
    return f"from {from_low}" if high is None else f"{from_low} to {high:.{digits}f}"


def _cut(caption: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], numbers: int, name: str) -> Markup:
    made = table(caption, columns, rows[:MOST_ROWS], numbers)
    if len(rows) <= MOST_ROWS:
        return made
    link = tag("a", text(f"tables/{name}.csv"), href=f"tables/{name}.csv")
    return Markup(made + tag("p", text(f"The first {MOST_ROWS} of {len(rows):,}; all are in "), link, text("."), klass="note"))


def _methods(found: Found) -> Markup:
    study, said = found.study, found.said
    about = _json(study.classification(said["rules"]) / "about.json")
    pieces = [
        tag(
            "p",
            text(
                "A trial is one vector tried on one name at one resolver, once. Each is judged by the first rule that fits, beside controls that "
                "do not block: blocked, down, ok (the target was reached) or insufficient (not known, and not guessed)."
            ),
        ),
        described((titled(name.replace("_", " ")), what) for name, what in said["methods"].items()),
    ]
    rules = [[each["id"], each["state"], each["says"], f"{each['decided']:,}"] for each in about.get("list", ())]
    if rules:
        pieces.append(_fold("Rules", table(f"Rules {said['rules']}, first match wins", ("rule", "state", "because", "trials"), rules, 1)))
    vectors = [[each.id, each.family, each.sends, each.leak, each.source] for each in study.plan.vectors]
    pieces.append(_fold("Vectors", table("Vectors of this study", ("vector", "family", "sends", "a leak is", "source"), vectors)))
    return Markup("".join(pieces))


def _provenance(found: Found) -> Markup:
    study, said = found.study, found.said
    plan = study.plan
    facts = [
        ("Plan (SHA-256)", plan.id),
        ("Names (SHA-256)", plan.names_sha256),
        ("Seed", f"{plan.seed}; {said['draws']:,} draws of the bootstrap by the same"),
        ("Order of trials", plan.order),
        *((f"List {each.id}", f"{each.source}, {each.names:,} names, SHA-256 {each.sha256}") for each in plan.lists),
        ("Promised to those asked", "; ".join(f"{key.replace('_', ' ')}: {_flat(value)}" for key, value in sorted(plan.ethics.items())) or "nothing"),
        ("Planned with", _flat(dict(plan.software))),
        ("Judged with", _flat(_json(study.classification(said["rules"]) / "about.json").get("given", {}))),
    ]
    resolvers = [[each.id, each.role, ", ".join(map(str, each.endpoints))] for each in plan.resolvers]
    runs = [row for vantage in study.vantages() for each in _lines(study.observations(vantage) / "runs.jsonl") if (row := _run(each))]
    columns = ("vantage", "began", "took", "on record then", "sent", "answered", "failures", "with")
    made = described(facts) + table("Resolvers", ("resolver", "role", "reached at"), resolvers)
    return Markup(made + (table("Runs of the probe", columns, runs) if runs else ""))


def _run(said: Any) -> list[str]:
    """A run in a row; empty for a line that no probe wrote: they are told in passing, and whoever kept the study may have lost some."""
    try:
        return [
            said.get("vantage", ""),
            _when(said.get("began")),
            f"{said.get('seconds', 0):,.0f} s",
            *(f"{said.get(key, 0):,}" for key in ("trials", "sent", "answered")),
            _flat(said.get("failures") or {}) or "none",
            _flat(said.get("software") or {}),
        ]
    except (AttributeError, TypeError, ValueError, OverflowError, OSError):
        return []


def _fold(name: str, inside: Markup) -> Markup:
    return tag("details", tag("summary", text(name)), inside)


def _anchor(name: str) -> str:
    return name.lower().replace(" ", "-").replace(",", "")


def _flat(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_flat(of)}" for key, of in value.items())
    if isinstance(value, list):
        return ", ".join(map(_flat, value)) or "none"
    return str(value) or "none"


def _when(began: Any) -> str:
    return datetime.fromtimestamp(began, UTC).strftime("%Y-%m-%d %H:%M:%S UTC") if isinstance(began, int | float) else "-"


def _json(path: Any) -> Row:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        # Only told in passing: without it the page says less.
        return {}
    return found if isinstance(found, dict) else {}


def _lines(path: Any) -> Iterator[Any]:
    try:
        lines = path.read_bytes().splitlines()
    except OSError:
        return
    for line in lines:
        try:
            yield json.loads(line)
        except (ValueError, RecursionError):
            continue
