"""Reads the configuration's YAML and its environment variables into plain values, and remembers where each key was written.

Pure: text and a mapping in, values, places and problems out. It builds nothing but mappings, lists, text, numbers, true, false and null: no YAML tag
constructs an object, a key written twice is a problem and not a choice, and aliases are refused because one place must say one thing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

Key = tuple[str | int, ...]
"""The way from the top to one value: section, setting, position in a list."""

PREFIX = "REDHAND_"
RESERVED = frozenset({"REDHAND_CONFIG", "REDHAND_CI", "REDHAND_PASSPHRASE"})
"""Variables that are no settings: which file to read, that the tests run where every program must be present, and what opens an authority's key."""

UNSET: Any = object()


def show_key(key: Key) -> str:
    """`resolver.listen[0]`."""
    text = ""
    for part in key:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def show_value(value: object) -> str:
    """The value as it would be written in YAML's flow style, cut in the middle when long: a path's end says which file."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 80 else f"{text[:30]}...{text[-47:]}"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value was written: a file and its line (counted from 1), or an environment variable."""

    source: str
    line: int | None = None

    def __str__(self) -> str:
        return self.source if self.line is None else f"{self.source}:{self.line}"


DEFAULT = Place("built-in default")


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with the configuration, where it stands and how to mend it."""

    place: Place
    key: Key
    what: str
    """What is wrong and what to write instead."""
    value: Any = UNSET

    def __str__(self) -> str:
        name = show_key(self.key)
        if self.value is not UNSET:
            name += f" = {show_value(self.value)}"
        return f"{self.place}: {name}: {self.what}" if name else f"{self.place}: {self.what}"


@dataclass(slots=True)
class Document:
    """Plain values, the place of each key, and what was wrong with the text."""

    values: dict[str, Any] = field(default_factory=dict)
    places: dict[Key, Place] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def place(self, key: Key) -> Place:
        """Where the key, or what it is part of, was written; DEFAULT if nowhere."""
        for length in range(len(key), 0, -1):
            if found := self.places.get(key[:length]):
                return found
        return DEFAULT


class _Strange(Exception):
    """A YAML construct that has no place in a configuration."""

    def __init__(self, node: yaml.Node, key: Key, what: str) -> None:
        super().__init__(what)
        self.node, self.key, self.what = node, key, what


class _Reader:
    """Turns composed nodes into values, noting the line of each."""

    SCALARS = frozenset(f"tag:yaml.org,2002:{kind}" for kind in ("str", "int", "float", "bool", "null"))
    COLLECTIONS = frozenset(f"tag:yaml.org,2002:{kind}" for kind in ("map", "seq"))
    TEXT = frozenset(f"tag:yaml.org,2002:{kind}" for kind in ("timestamp", "value"))

    def __init__(self, document: Document, source: str, numbered: bool, base: Key) -> None:
        self.document, self.source, self.numbered, self.base = document, source, numbered, base
        self.seen: set[int] = set()
        self.scalars = yaml.constructor.SafeConstructor()

    def place(self, node: yaml.Node) -> Place:
        return Place(self.source, node.start_mark.line + 1 if self.numbered else None)

    def read(self, node: yaml.Node, key: Key) -> Any:
        if id(node) in self.seen:
            raise _Strange(node, key, "YAML aliases are not used here; write the value again")
        self.seen.add(id(node))
        self.document.places.setdefault(key, self.place(node))
        if isinstance(node, yaml.CollectionNode) and node.tag not in self.COLLECTIONS:
            raise _Strange(node, key, f"the YAML tag {node.tag!r} is not used here; remove it")
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, key)
        if isinstance(node, yaml.SequenceNode):
            return [self.read(item, (*key, number)) for number, item in enumerate(node.value)]
        return self.scalar(node, key)

    def mapping(self, node: yaml.MappingNode, key: Key) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for name_node, value_node in node.value:
            if not isinstance(name_node, yaml.ScalarNode) or name_node.tag != "tag:yaml.org,2002:str":
                raise _Strange(name_node, key, "a key must be plain text; put it in quotes")
            name = name_node.value
            path = (*key, name)
            if name in values:
                first = self.document.places[path]
                self.document.problems.append(Problem(self.place(name_node), path, f"is written twice; the first is at {first}: keep one"))
                continue
            self.document.places[path] = self.place(name_node)
            values[name] = self.read(value_node, path)
        return values

    def scalar(self, node: yaml.Node, key: Key) -> Any:
        if node.tag in self.TEXT:  # a date or a bare "=" would otherwise become something no setting takes
            return node.value
        if node.tag not in self.SCALARS:
            raise _Strange(node, key, f"the YAML tag {node.tag!r} is not used here; write plain text, a number, true or false")
        try:
            return self.scalars.construct_object(node)
        except ValueError as error:
            raise _Strange(node, key, f"cannot be read ({error}); put it in quotes if it is text") from None


def parse_into(document: Document, text: str, source: str, *, numbered: bool = True, key: Key = ()) -> Any:
    """Read one YAML text, noting places and problems under `key`. Returns UNSET if it cannot be read at all, and None for an empty text."""

    def refuse(what: str, line: int | None) -> Any:
        document.problems.append(Problem(Place(source, line if numbered else None), key, what))
        return UNSET

    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        return None if node is None else _Reader(document, source, numbered, key).read(node, key)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = ", ".join(part for part in (error.context, error.problem) if part)
        hint = "check indentation, and put addresses that begin with [ or hold ': ' in quotes"
        if error.problem and "'\\t'" in error.problem:
            hint = "YAML allows no tabs in indentation; use spaces"
        elif error.problem and "another document" in error.problem:
            hint = "settings are one document; remove the line ---"
        return refuse(f"is not YAML: {what}; {hint}", mark.line + 1 if mark else None)
    except yaml.YAMLError as error:
        return refuse(f"is not YAML: {' '.join(str(error).split())}; save the file as plain UTF-8 text", None)
    except RecursionError:
        return refuse("is nested too deeply; settings are at most four levels deep", None)
    except _Strange as strange:
        document.problems.append(Problem(Place(source, strange.node.start_mark.line + 1 if numbered else None), strange.key, strange.what))
        return UNSET


def read_file(text: str, source: str) -> Document:
    """The document of a configuration file. An empty file is an empty configuration."""
    document = Document()
    values = parse_into(document, text, source)
    if isinstance(values, dict):
        document.values = values
    elif values is not None and values is not UNSET:
        document.problems.append(
            Problem(Place(source, 1), (), "must hold settings, each `name: value`; `redhand config show --defaults` prints them all")
        )
    return document


def overlay(document: Document, environ: Mapping[str, str]) -> None:
    """Put the `REDHAND_` variables over the document's values: `REDHAND_RESOLVER__WORKERS=2` sets `resolver.workers`; values are YAML."""
    for variable in sorted(environ):
        if not variable.startswith(PREFIX) or variable in RESERVED:
            continue
        key: Key = tuple(variable[len(PREFIX) :].lower().split("__"))
        for place in [place for place in document.places if place[: len(key)] == key]:
            del document.places[place]
        value = parse_into(document, environ[variable], variable, numbered=False, key=key)
        document.places[key] = Place(variable)
        for length in range(1, len(key)):
            document.places.setdefault(key[:length], Place(variable))
        if value is not UNSET:
            _put(document, key, value)


def _put(document: Document, key: Key, value: Any) -> None:
    target: Any = document.values
    for part in key[:-1]:
        target = target.setdefault(part, {})
        if not isinstance(target, dict):
            return  # what stands there is of the wrong type and will be named as such
    target[key[-1]] = value
