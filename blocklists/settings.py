"""Settings the rooms share, and those of the block lists themselves.

Every field's description is its line in `config.yaml`; its unit is in its name or its description, its default stands here and nowhere else.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

SAMPLE = "builtin:sample"
"""Names the sample directives that come with the package, wherever it is installed."""

Mode = Literal["redirect", "nxdomain", "nodata", "refused"]


class Section(BaseModel):
    """One section of the configuration: unknown keys are refused, values are never changed after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


def _identifier(value: str) -> str:
    if not value or not value.replace("-", "").replace("_", "").isalnum() or not value.isascii() or len(value) > 64:
        raise ValueError("use 1 to 64 ASCII letters, digits, - or _, such as own-list")
    return value


Identifier = Annotated[str, AfterValidator(_identifier)]


class FileSource(Section):
    """One file, or one directory of directive files, that the operator keeps by hand."""

    id: Identifier = Field(description="name of the source in versions, answers and messages")
    path: str = Field(
        min_length=1, description="file, or directory of .yaml directives; relative paths start at this file; builtin:sample is the sample"
    )
    format: Literal["directives", "domains", "hosts"] = Field(
        description="directives: YAML orders; domains: one name a line, each with its subdomains; hosts: address and exact names a line"
    )
    action: Literal["block", "pass"] = Field(
        default="block", description="block the names, or (domains and hosts only) pass them: never block them by own lists"
    )
    mode: Mode = Field(default="redirect", description="answer for a blocked name: redirect, nxdomain, nodata or refused")


class BlocklistSettings(Section):
    """What is blocked, and how versions of it are kept."""

    sources: tuple[FileSource, ...] = Field(
        default=(FileSource(id="sample", path=SAMPLE, format="directives"),),
        description="files that say what is blocked or passed, each with its own id",
    )
    protected: tuple[str, ...] = Field(default=(), description="names that no entry may block or cover, beside the built-in ones and our own")
    max_bad_share: float = Field(
        default=0.05, ge=0, le=1, description="share of bad records (0 to 1) above which a source is refused whole; a single one is just skipped"
    )
    keep_versions: int = Field(default=10, ge=2, le=1000, description="how many old versions stay on disk for rollback and diff")


class SharedSettings(Section):
    """Settings more than one room reads."""

    state_dir: Path = Field(default=Path("./var"), description="where versions and state are kept; relative paths start at this file")
    logs: Literal["text", "json"] = Field(
        default="text", description="how each line on standard error is written: text for people, json for machines"
    )
