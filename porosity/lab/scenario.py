"""Scenarios: a few lines of YAML that say who resolves names in the lab, what is ordered blocked there, and which leaks are planted.

A scenario that could not have a known truth is refused: an unknown leak, a program that cannot have one planted, a role without its measured pair.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args

import yaml

from blocklists.errors import RedHandError
from porosity.words import TRANSPORTS, Role, Transport

FOLDER = Path(__file__).parent / "scenarios"

Program = Literal["scripted", "red-hand", "unbound"]
"""What runs as a resolver: ours that does what the scenario says, leaks too; Red Hand as its operators start it; Unbound, which blocks nothing."""

SPEAK: Mapping[Program, tuple[Transport, ...]] = {
    "scripted": ("udp", "tcp", "dot", "doq"),
    "red-hand": ("udp", "tcp"),
    "unbound": ("udp", "tcp", "dot", "doh"),
}
"""What each program can be asked by in the lab."""

Block = Literal["landing", "nxdomain", "nodata", "refused", "servfail", "false", "silent"]
"""What a scripted resolver answers for a blocked name: its page's address, a rcode, no data, an address that is neither the page's nor the site's,
or nothing."""

Form = Literal["loopback", "internet"]
"""Where it can be: on loopback, for anybody; or among namespaces, each host with addresses of its own, for root."""

Match = Literal["exact", "subtree"]
"""Of an order: its name alone, or all below it, too."""

Over = Literal["", "parent", "letters"]
"""What a scripted resolver blocks that no order covers: all below an ordered name's parent; or every name that ends in the same letters."""


class BadScenario(RedHandError, ValueError):
    """A file that is no scenario: the message says which, where, and what to write."""


@dataclass(frozen=True)
class Counts:
    """How many names of each kind there are."""

    apex: int = 3
    """Ordered with all below: registrable domains."""
    deep: int = 2
    """Ordered with all below, beneath a domain that is not ordered."""
    exact: int = 1
    """Ordered by themselves."""
    signed: int = 1
    """Registrable domains ordered with all below, and signed (RFC 4033)."""
    bogus: int = 0
    """The same, and their signatures are wrong: whoever validates gets no answer, though nobody blocks them."""
    canaries: int = 2
    neighbours: int = 12


@dataclass(frozen=True)
class Line:
    """A bad line to a host, of all that goes over it, each way."""

    loss: int = 0
    """Of a hundred packets, how many are lost."""
    delay: int = 0
    """Milliseconds."""
    jitter: int = 0
    """By how many milliseconds more or less a packet is delayed, at most."""


@dataclass(frozen=True)
class Machine:
    """A resolver of the scenario."""

    role: Role
    program: Program = "scripted"
    transports: tuple[Transport, ...] = ("udp", "tcp")
    block: Block | None = None
    """None: it blocks nothing."""
    ede: int | None = 16
    """Code of the Extended DNS Error in its blocks (RFC 8914); None: none."""
    leaks: tuple[str, ...] = ()
    """Ids of `planted.LEAKS`."""
    over: Over = ""
    dead: bool = False
    """It answers nothing at all."""
    lies: bool = False
    """It gives an address of its own for names that are in no order."""
    loses: int = 0
    """Of a hundred questions over UDP, how many get no answer, as on a bad line; each try anew."""
    line: Line | None = None
    """Between it and everybody, among namespaces; None: a good one."""
    feed: bool = False
    """Of Red Hand among namespaces: it follows the feed of an authority of the lab, instead of reading a file of orders."""


@dataclass(frozen=True)
class Scenario:
    """One scenario."""

    id: str
    about: str
    resolvers: Mapping[str, Machine]
    form: Form = "loopback"
    names: Counts = Counts()
    vectors: tuple[str, ...] = ()
    """Ids and families; empty: all that can be tried."""
    repeats: int = 1
    clock: tuple[float, float] | None = None
    """Seconds after the first question at which the orders begin, and at which they end; None: they are in force all the time."""


def read(path: Path) -> Scenario:
    """The scenario in a file. Raises BadScenario."""
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BadScenario(f"{path} cannot be read as a scenario: {error}") from None
    return parse(found, path.stem)


def find(text: str) -> Scenario:
    """A scenario by its file, or by the name of one that comes with the lab. Raises BadScenario."""
    path = Path(text)
    if path.suffix in (".yaml", ".yml"):
        return read(path)
    if text not in known():
        raise BadScenario(f"there is no scenario {text!r}; there are {', '.join(known())}, and files of your own (NAME.yaml)")
    return read(FOLDER / f"{text}.yaml")


def known() -> list[str]:
    """Names of the scenarios that come with the lab."""
    return sorted(each.stem for each in FOLDER.glob("*.yaml"))


def parse(document: Any, id: str) -> Scenario:
    """The scenario that a document says. Raises BadScenario."""
    where = f"scenario {id}"
    given = _mapping(document, where)
    _only(given, {"about", "form", "names", "vectors", "repeats", "resolvers", "clock"}, where)
    machines = {
        str(key): _machine(value, f"{where}, resolver {key}") for key, value in _mapping(given.get("resolvers"), f"{where}, resolvers").items()
    }
    form = given.get("form", "loopback")
    if form not in get_args(Form):
        raise BadScenario(f"{where}, form: {form!r}; write one of {', '.join(get_args(Form))}")
    names = _mapping(given.get("names", {}), f"{where}, names")
    _only(names, {each.name for each in fields(Counts)}, f"{where}, names")
    for key, value in names.items():
        if not isinstance(value, int) or not 0 <= value <= 200:
            raise BadScenario(f"{where}, names, {key}: {value!r} is no number of names; write 0 to 200")
    clock = given.get("clock")
    if clock is not None and not (isinstance(clock, list) and len(clock) == 2 and 0 < clock[0] < clock[1]):
        raise BadScenario(f"{where}, clock: {clock!r}; write [seconds until the orders begin, seconds until they end]")
    roles = [each.role for each in machines.values()]
    if form == "loopback" and any(each.line for each in machines.values()):
        raise BadScenario(f"{where}: a line is between hosts; write form: internet, or let a scripted resolver lose questions (loses)")
    if form == "loopback" and any(each.feed for each in machines.values()):
        raise BadScenario(f"{where}: an authority with a feed needs a host of its own; write form: internet")
    if "tested" not in roles or roles.count("control") < 2:
        raise BadScenario(f"{where}: one resolver must be tested, and two must be controls, or little can be told")
    repeats = given.get("repeats", 1)
    if not isinstance(repeats, int) or repeats < 1:
        raise BadScenario(f"{where}, repeats: {repeats!r}; write 1 or more")
    return Scenario(
        id,
        str(given.get("about", "")).strip(),
        machines,
        form,
        Counts(**names),
        tuple(map(str, given.get("vectors", ()))),
        repeats,
        (float(clock[0]), float(clock[1])) if clock else None,
    )


def _machine(value: Any, where: str) -> Machine:
    from porosity.lab.planted import LEAKS  # noqa: PLC0415 - which knows scenarios' words

    given = _mapping(value, where)
    _only(given, {each.name for each in fields(Machine)}, where)
    for key, allowed in (("role", get_args(Role)), ("program", get_args(Program)), ("block", (None, *get_args(Block))), ("over", get_args(Over))):
        if key in given and given[key] not in allowed:
            raise BadScenario(f"{where}, {key}: {given[key]!r}; write one of {', '.join(map(str, filter(None, allowed)))}")
    if "role" not in given:
        raise BadScenario(f"{where} has no role; write one of {', '.join(get_args(Role))}")
    for key, allowed in (("transports", TRANSPORTS), ("leaks", tuple(LEAKS))):
        if unknown := [each for each in given.get(key, ()) if each not in allowed]:
            raise BadScenario(f"{where}, {key}: there is no {', '.join(map(str, unknown))}; there are {', '.join(allowed)}")
    tuples: dict[str, Any] = {key: tuple(given[key]) for key in ("transports", "leaks") if key in given}
    line = _line(given["line"], where) if given.get("line") is not None else None
    machine = Machine(**{**given, **tuples, "line": line})
    if machine.program != "scripted" and (machine.leaks or machine.over or machine.lies or machine.dead or machine.block or machine.loses):
        raise BadScenario(f"{where}: only a scripted resolver does what it is told to; leave block, leaks, over, lies, loses and dead to one")
    if mute := [each for each in machine.transports if each not in SPEAK[machine.program]]:
        raise BadScenario(f"{where}: {machine.program} does not speak {', '.join(mute)} in the lab, but {', '.join(SPEAK[machine.program])}")
    if not isinstance(machine.loses, int) or not 0 <= machine.loses <= 90:
        raise BadScenario(f"{where}, loses: {machine.loses!r}; write how many of a hundred, 0 to 90")
    if machine.feed and machine.program != "red-hand":
        raise BadScenario(f"{where}: only Red Hand follows a feed; leave it to one")
    if machine.leaks and machine.block is None:
        raise BadScenario(f"{where} leaks and blocks nothing; say with block: how it blocks")
    return machine


def _line(value: Any, where: str) -> Line:
    given = _mapping(value, f"{where}, line")
    _only(given, {each.name for each in fields(Line)}, f"{where}, line")
    for key, number in given.items():
        if not isinstance(number, int) or not 0 <= number <= (90 if key == "loss" else 2000):
            raise BadScenario(f"{where}, line, {key}: {number!r}; write how many of a hundred, 0 to 90 (loss), or milliseconds, 0 to 2000")
    return Line(**given)


def _mapping(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise BadScenario(f"{where}: {value!r} is no mapping; write KEY: VALUE")
    return value


def _only(given: Mapping[str, Any], allowed: set[str], where: str) -> None:
    if unknown := set(given) - allowed:
        raise BadScenario(f"{where}: there is no {', '.join(sorted(map(str, unknown)))}; there are {', '.join(sorted(allowed))}")
