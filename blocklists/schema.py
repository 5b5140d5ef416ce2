"""The JSON Schemas (draft 2020-12) of what is signed and logged, made from the models that read it:

    python -m blocklists.schema docs/schema

A schema says which fields there are and how each is written. What it cannot say stands in the models alone: the one form of the bytes, which fields
contradict each other, what a key or a name is.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from blocklists.directive import Directive
from blocklists.receipt import Acknowledgement, Receipt
from blocklists.report import Outcomes, Report
from blocklists.review import Review
from blocklists.trust import envelope
from blocklists.trust.policy import Policy

_BLOCKS = ("targets", "category", "legal_basis", "effective_at", "expires_at", "redress")
_BEFORE = (("removal_request",), ("owner_unidentifiable", "owner_unidentifiable_why"), ("emergency",))


def schemas() -> dict[str, dict[str, Any]]:
    """Each schema by the name of its file."""
    return {
        "directive.json": _directive(),
        "entry.json": _entry(),
        "envelope.json": _titled("envelope", "A DSSE envelope of ours", _envelope(envelope.KINDS)),
        "acknowledgement.json": _of(Acknowledgement, "acknowledgement"),
        "outcomes.json": _of(Outcomes, "outcomes"),
        "policy.json": _of(Policy, "policy", every_default=True),
        "receipt.json": _of(Receipt, "receipt"),
        "report.json": _of(Report, "report"),
        "review.json": _of(Review, "review"),
    }


def write(directory: Path) -> None:
    """All of them into a directory."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, schema in schemas().items():
        (directory / name).write_text(json.dumps(schema, indent=2, ensure_ascii=False, sort_keys=True) + "\n", "utf-8")


def _directive() -> dict[str, Any]:
    """A signed one: what a transcription may lack is required."""
    schema = _of(Directive, "directive")
    schema["required"] = sorted({*schema["required"], "type", "version", "log", "nonce"})
    emergency = schema["$defs"]["Emergency"]["properties"]
    del emergency["confirmed_at"]
    schema["if"] = {"properties": {"action": {"enum": ["block", "amend"]}}}
    schema["then"] = {"required": sorted(_BLOCKS), "anyOf": [{"required": list(fields)} for fields in _BEFORE]}
    schema["else"] = {"properties": {"targets": False}}
    schema["allOf"] = [
        {"if": {"properties": {"action": {"const": "block"}}}, "then": {"properties": {"follows": False}}, "else": {"required": ["follows"]}}
    ]
    return schema


def _envelope(kinds: Sequence[str]) -> dict[str, Any]:
    base64 = {"type": "string", "contentEncoding": "base64"}
    signature = {
        "type": "object",
        "properties": {"keyid": {"type": "string"}, "sig": base64},
        "required": ["keyid", "sig"],
        "additionalProperties": False,
    }
    return {
        "type": "object",
        "properties": {
            "payload": base64,
            "payloadType": {"enum": list(kinds)},
            "signatures": {"type": "array", "items": signature, "maxItems": envelope.MAX_SIGNATURES},
        },
        "required": ["payload", "payloadType", "signatures"],
        "additionalProperties": False,
    }


def _entry() -> dict[str, Any]:
    at = {"type": "integer", "minimum": 0, "maximum": (1 << 33) - 1, "description": "Unix seconds."}
    signed = {"envelope": _envelope((envelope.DIRECTIVE, envelope.REVIEW)), "logged_at": at}
    taken = {"logged_at": at, "receipts": {"type": "string", "pattern": "^sha256:[0-9a-f]{64}$"}, "taken": {"type": "integer", "minimum": 1}}
    audit = {"audit": {"type": "string", "pattern": "^sha256:[0-9a-f]{64}$"}, "lines": {"type": "integer", "minimum": 1}, "logged_at": at}
    shapes = [{"type": "object", "properties": shape, "required": sorted(shape), "additionalProperties": False} for shape in (signed, taken, audit)]
    return _titled("entry", "One entry of the log", {"oneOf": shapes})


def _of(model: type[BaseModel], name: str, every_default: bool = False) -> dict[str, Any]:
    schema = model.model_json_schema()
    found: dict[str, Any] = _plain(schema, every_default)
    return _titled(name, (model.__doc__ or "").partition("\n")[0], found)


def _titled(name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {**schema, "$schema": "https://json-schema.org/draft/2020-12/schema", "title": name, "description": description}


def _plain(value: Any, every_default: bool) -> Any:
    """As it is signed: an absent field is left out, never null; a `policy` also writes every default."""
    if isinstance(value, list):
        return [_plain(item, every_default) for item in value]
    if not isinstance(value, dict):
        return value
    kept = {name: _plain(item, every_default) for name, item in value.items() if name not in {"title", "default"} or isinstance(item, dict)}
    choices = kept.get("anyOf")
    if isinstance(choices, list) and {"type": "null"} in choices and "default" in value:
        (only,) = [choice for choice in choices if choice != {"type": "null"}]
        kept = {**{name: item for name, item in kept.items() if name != "anyOf"}, **only}
    if "patternProperties" in kept:
        kept["additionalProperties"] = False
    properties = value.get("properties")
    if every_default and isinstance(properties, dict):
        given = {name for name, field in properties.items() if field.get("default", "") is not None}
        kept["required"] = sorted(given | set(value.get("required", ())))
    return kept


if __name__ == "__main__":
    write(Path(sys.argv[1]))
