"""Settings: one file and the environment in, one frozen `Settings` out, or every error at once, each with file, line, key, value and remedy.

It looks at nothing but the file it is given: whether addresses and files it names exist on this machine is `redhand.crosscheck`'s to say.
Order of precedence: `REDHAND_` variables, the file, the models' defaults. Values are checked strictly: "5" is no number and 1 is not true.
"""

from __future__ import annotations

import difflib
import json
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, Field, ValidationError

from authority.desk.settings import DeskSettings
from blocklists.endpoints import show_endpoint, split_endpoint
from blocklists.errors import ConfigurationError
from blocklists.settings import BlocklistSettings, FeedSettings, Section, SharedSettings
from landing.settings import LandingSettings
from redhand.document import UNSET, Document, Key, Place, Problem, overlay, read_file
from resolver.settings import ResolverSettings

FILE = "config.yaml"
VARIABLE = "REDHAND_CONFIG"
MAX_BYTES = 1 << 20


def _metrics_listen(text: str) -> str:
    return show_endpoint(*split_endpoint(text)) if text else ""


class MetricsSettings(Section):
    """Figures for Prometheus."""

    # Prometheus' own range for exporters, 9100 to 9999, is given out whole; this is beside it, and below the ports Linux gives to clients.
    listen: Annotated[str, AfterValidator(_metrics_listen)] = Field(
        default="127.0.0.1:10451", description="address and port of the metrics, plain HTTP at /metrics; empty: none"
    )


class Settings(SharedSettings):
    """All settings: those shared, then a section for each room."""

    user: str = Field(default="", description="user to become once the ports are open, when started as root; empty: stay who started it")
    resolver: ResolverSettings = Field(default=ResolverSettings(), description="the DNS side: where it listens, whom it serves, whom it asks")
    landing: LandingSettings = Field(default=LandingSettings(), description="the page that tells a redirected visitor why")
    blocklists: BlocklistSettings = Field(default=BlocklistSettings(), description="what is blocked, and how versions of it are kept")
    feed: FeedSettings = Field(default=FeedSettings(), description="signed orders: whose feed is followed, and how it is believed")
    metrics: MetricsSettings = Field(default=MetricsSettings(), description="figures for Prometheus: of the program, never of a client")
    desk: DeskSettings = Field(default=DeskSettings(), description="an authority's desk, for `redhand desk` alone: cases, people, evidence")


@dataclass(frozen=True, slots=True)
class Configuration:
    """Settings with the places they came from."""

    settings: Settings
    file: Path | None
    """The file read; None when only defaults and variables apply."""
    document: Document

    def place(self, *key: str | int) -> Place:
        """Where the value was written."""
        return self.document.place(key)

    @property
    def origin(self) -> str:
        """The file's name, or that the defaults are in force."""
        return str(self.file.absolute()) if self.file else "built-in defaults (no config.yaml here)"


def find_file(given: Path | None, environ: Mapping[str, str]) -> Path | None:
    """The file to read: the one given, else `REDHAND_CONFIG`, else `./config.yaml` if there is one, else none."""
    if given is not None:
        return given
    if named := environ.get(VARIABLE):
        return Path(named)
    return Path(FILE) if Path(FILE).exists() else None


def load(given: Path | None, environ: Mapping[str, str]) -> Configuration:
    """Settings from a file and the environment. Raises ConfigurationError naming every problem."""
    file = find_file(given, environ)
    document = read_file(_text(file), str(file)) if file else Document()
    overlay(document, environ)
    base = (file.parent if file else Path()).resolve()
    values = _absolute(document.values if file is None else _own_feed(document.values), base)
    try:
        settings = Settings.model_validate_json(json.dumps(values), strict=True)
    except ValidationError as error:
        # A line that YAML could not read explains what it left out: name it alone.
        found = [] if any(not problem.key for problem in document.problems) else _problems(error, document)
        refuse([*document.problems, *found])
    refuse(document.problems)
    return Configuration(settings, file, document)


def refuse(problems: Iterable[Problem]) -> None:
    """Raise one ConfigurationError that lists the problems in the order of the file; return if there are none."""
    ordered = list(dict.fromkeys(str(problem) for problem in sorted(problems, key=lambda problem: (problem.place.source, problem.place.line or 0))))
    if ordered:
        count = "an error" if len(ordered) == 1 else f"{len(ordered)} errors"
        raise ConfigurationError("\n  ".join((f"the configuration has {count}:", *ordered)))


def _text(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            raw = opened.read(MAX_BYTES + 1)  # no more: some files, such as devices, have no end
    except OSError as error:
        raise ConfigurationError(f"{file}: cannot be read ({error.strerror}); name a readable file with --config, or unset {VARIABLE}") from None
    if len(raw) > MAX_BYTES:
        raise ConfigurationError(f"{file}: is larger than 1 MiB, so it is not a configuration; name the right file with --config")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigurationError(f"{file}:{line}: byte {raw[error.start]:#04x} is not UTF-8; save the file as UTF-8 text") from None


def _absolute(values: dict[str, Any], base: Path) -> dict[str, Any]:
    """The values with relative paths joined to the configuration file's directory (the working directory when there is no file)."""
    values = dict(values)
    state_dir = values.get("state_dir", str(Settings.model_fields["state_dir"].default))
    values["state_dir"] = str(base / state_dir) if isinstance(state_dir, str) and state_dir else None
    lists = values.get("blocklists")
    if isinstance(lists, dict) and isinstance(lists.get("sources"), list):
        values["blocklists"] = lists | {"sources": [_source(source, base) for source in lists["sources"]]}
    page = values.get("landing")
    if isinstance(page, dict):
        named = {name: page[name] for name in ("logo", "certificate", "key") if isinstance(page.get(name), str) and page[name]}
        values["landing"] = page | {name: str(base / path) for name, path in named.items()}
    asked = values.get("resolver")
    if isinstance(asked, dict) and isinstance(access := asked.get("access"), dict) and isinstance(access.get("people"), list):
        files = [str(base / file) if isinstance(file, str) else file for file in access["people"]]
        values["resolver"] = asked | {"access": access | {"people": files}}
    feed = values.get("feed")
    if isinstance(feed, dict):
        named = {name: feed[name] for name in ("root", "token_file", "receipt_key") if isinstance(feed.get(name), str) and feed[name]}
        values["feed"] = feed | {name: str(base / path) for name, path in named.items()}
    return values


def _own_feed(values: dict[str, Any]) -> dict[str, Any]:
    """The values of a file: one that names no feed follows none. The demonstration is for who has no file yet, or writes it there."""
    feed = values.get("feed")
    if feed is None and "feed" not in values:
        feed = {}
    return values | {"feed": {"urls": [], **feed}} if isinstance(feed, dict) else values


def _source(source: Any, base: Path) -> Any:
    if isinstance(source, dict) and isinstance(path := source.get("path"), str) and path:
        return source | {"path": str(base / path)}
    return source


# --- what pydantic found, in the operator's words

KINDS = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "string": "text in quotes",
    "tuple": "a list, such as [a, b]",
    "list": "a list, such as [a, b]",
    "model": "settings, each `name: value`",
    "path": "a path in quotes",
}


def _problems(error: ValidationError, document: Document) -> list[Problem]:
    found = []
    for item in error.errors(include_url=False):
        key: Key = item["loc"]
        model, described = _field(key)
        value: Any = item["input"]
        what = item["msg"]
        kind, _, suffix = item["type"].rpartition("_")
        if item["type"] == "extra_forbidden":
            what, value = _unknown(str(key[-1]), model), UNSET if isinstance(value, dict) else value
        elif item["type"] in ("too_short", "string_too_short"):
            if value:  # its items were refused one by one; that it is empty without them is no news
                continue
            what = f"must not be empty. It means: {described}"
        elif item["type"] == "missing":
            what, value = f"is missing; write it: {described}", UNSET
        elif item["type"] == "value_error":
            what = str(item["ctx"]["error"])
        elif item["type"] == "literal_error":
            what = f"must be {item['ctx']['expected'].replace(chr(39), '')}"
        elif suffix in ("type", "parsing") and kind.removesuffix("_from") in KINDS:
            what = f"must be {KINDS[kind.removesuffix('_from')]}{_example(key, value)}. It means: {described}"
        elif what.startswith("Input should be "):
            what = f"must be {what.removeprefix('Input should be ')}. It means: {described}"
        else:
            what = f"{what}. It means: {described}"
        if key == ("state_dir",) and value is None:  # our own joining of paths made it None
            value = document.values.get("state_dir")
            what = f"must be {KINDS['path']}. It means: {described}"
        found.append(Problem(document.place(key), key, what, value))
    return found


def _example(key: Key, value: Any) -> str:
    """How what was meant is written, where that is easy to see."""
    if value is None:
        return ", not empty"
    model, _ = _field((*key, ""))
    required = [name for name, field in model.model_fields.items() if field.is_required()]
    return f", such as {{{required[0]}: {value}}}" if isinstance(value, str) and len(required) == 1 and isinstance(key[-1], int) else ""


def _unknown(name: str, model: type[BaseModel]) -> str:
    near = difflib.get_close_matches(name, model.model_fields, n=1)
    return "is not a setting; " + (f"did you mean {near[0]}?" if near else f"settings here: {', '.join(model.model_fields)}")


def _field(key: Key) -> tuple[type[BaseModel], str]:
    """The model that holds the key's last part, and the setting's description."""
    kind: Any = Settings
    holder: type[BaseModel] = Settings
    described = ""
    for part in key:
        if isinstance(part, int):
            kind = next(iter(typing.get_args(kind)), str)
            continue
        if not (isinstance(kind, type) and not isinstance(kind, types.GenericAlias) and issubclass(kind, BaseModel)):
            break
        holder = kind
        field = holder.model_fields.get(part)
        if field is None:
            break
        kind, described = field.annotation, field.description or ""
    return holder, described


def written(settings: Settings) -> dict[str, Any]:
    """The settings as plain values, ready for JSON."""
    return settings.model_dump(mode="json")
