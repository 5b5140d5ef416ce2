"""Writes `config.yaml`: every setting with its default and the line that says what it is for, from the models alone.

The file in the repository is this text, and a test holds it so. A list that is empty by default shows, commented out, what one item looks like.
"""

from __future__ import annotations

import json
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from redhand.config import Settings

HEAD = """\
# Red Hand's settings: every one, with its default. Remove what you do not change; what is missing keeps its default;
# feed.urls apart: a file that names no feed follows none.
# Environment variables override this file: REDHAND_RESOLVER__WORKERS=2 sets resolver.workers, and values are YAML, such as
# REDHAND_RESOLVER__LISTEN='["127.0.0.1:5353"]'. Relative paths start at this file's directory.
# Where [] is followed by commented lines, they show what one item looks like.
# After a change: `redhand config check` names every mistake by line; `redhand config show` prints what is in force.
"""


def render(model: type[BaseModel] = Settings) -> str:
    """The whole text of `config.yaml`."""
    return HEAD + "\n" + "\n".join(_section(model, "")) + "\n"


def _section(model: type[BaseModel], indent: str) -> Iterator[str]:
    for name, field in model.model_fields.items():
        nested = _model(field.annotation)
        if nested and not typing.get_args(field.annotation):
            yield ""
            yield f"{indent}# {field.description}"
            yield f"{indent}{name}:"
            yield from _section(nested, indent + "  ")
            continue
        yield f"{indent}# {field.description}"
        yield from _setting(name, field, nested, indent)


def _setting(name: str, field: FieldInfo, item: type[BaseModel] | None, indent: str) -> Iterator[str]:
    value = field.default
    if item is None:
        flow = f"{indent}{name}: {_flow(value)}"
        if len(flow) <= 100 or not isinstance(value, tuple):
            yield flow
            return
        yield f"{indent}{name}:"
        yield from (f"{indent}  - {_flow(each)}" for each in value)
    elif value:
        yield f"{indent}{name}:"
        for each in value:
            yield from _item(item, each.model_dump(mode="json"), f"{indent}  ")
    else:
        yield f"{indent}{name}: []"
        yield from _item(item, {}, f"{indent}  # ")


def _item(model: type[BaseModel], values: dict[str, Any], indent: str) -> Iterator[str]:
    """One mapping of a list, each setting with its description beside it."""
    lead = "- "
    for name, field in model.model_fields.items():
        value = values.get(name, field.default)
        required = value is PydanticUndefined
        nested = _model(field.annotation)
        shown = " ..." if required and not nested else "" if required else f" {_flow(value)}"
        text = f"{indent}{lead}{name}:{shown}"
        yield f"{text:<44} # {'required: ' if required else ''}{field.description}"
        if nested and not values:
            yield from _item(nested, {}, f"{indent}      ")
        lead = "  "


def _model(annotation: Any) -> type[BaseModel] | None:
    """The model itself, or the model of a list's items."""
    for kind in (annotation, *typing.get_args(annotation)):
        if isinstance(kind, type) and not typing.get_args(kind) and issubclass(kind, BaseModel):
            return kind
    return None


def _flow(value: Any) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(_flow(each) for each in value)}]"
    if isinstance(value, Path):
        return json.dumps(f"./{value}")
    return json.dumps(value, ensure_ascii=False)
