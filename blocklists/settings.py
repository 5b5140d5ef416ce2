"""Settings the rooms share, and those of the block lists themselves.

Every field's description is its line in `config.yaml`; its unit is in its name or its description, its default stands here and nowhere else.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

DEMONSTRATION = "builtin:demo"
"""Names the demonstration authority, which a first run makes in the state directory, and whose keys are nobody's."""

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
    path: str = Field(min_length=1, description="file, or directory of .yaml directives; relative paths start at this file")
    format: Literal["directives", "domains", "hosts"] = Field(
        description="directives: YAML orders; domains: one name a line, each with its subdomains; hosts: address and exact names a line"
    )
    action: Literal["block", "pass"] = Field(
        default="block", description="block the names, or (domains and hosts only) pass them: never block them by own lists"
    )
    mode: Mode = Field(default="redirect", description="answer for a blocked name: redirect, nxdomain, nodata or refused")


class BlocklistSettings(Section):
    """What is blocked, and how versions of it are kept."""

    sources: tuple[FileSource, ...] = Field(default=(), description="files of our own that say what is blocked or passed, each with its own id")
    protected: tuple[str, ...] = Field(default=(), description="names that no entry may block or cover, beside the built-in ones and our own")
    max_bad_share: float = Field(
        default=0.05, ge=0, le=1, description="share of bad records (0 to 1) above which a source is refused whole; a single one is just skipped"
    )
    keep_versions: int = Field(
        default=10,
        ge=2,
        le=1000,
        description="old versions that stay on disk for rollback and diff; besides them, of as many earlier days, each one's last",
    )


def _feed_url(value: str) -> str:
    if value == DEMONSTRATION:
        return value
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment or parts.username:
        raise ValueError("write the address of a feed with http:// or https://, without user, ? and #, such as https://feed.authority.example/")
    return value if value.endswith("/") else f"{value}/"


class FeedSettings(Section):
    """The feed of an authority that signs orders.

    Who has no settings file is shown the demonstration; in a file, a feed is followed only if it is named (`redhand.config` sees to it).
    """

    urls: Annotated[tuple[Annotated[str, AfterValidator(_feed_url)], ...], Field(max_length=16)] = Field(
        default=(DEMONSTRATION,),
        description="addresses of the authority's feed and its mirrors, tried in turn; [], or a file without urls: no feed; builtin:demo: "
        "a demonstration, made here and signed with nobody's keys",
    )
    root: str = Field(default="", description="the authority's root file (root.json), got and checked by another way than the feed")
    token_file: str = Field(default="", description="file with the token the authority gave this operator, which lets us read orders")
    poll_seconds: int = Field(default=60, ge=5, le=86_400, description="seconds between two looks at the feed, less or more by a fifth")
    operator: str = Field(default="", description="our id in the authority's policy, for receipts; empty: no receipts")
    receipt_key: str = Field(default="", description="file of the private key (PEM) that signs our receipts")

    @model_validator(mode="after")
    def _coherent(self) -> FeedSettings:
        if DEMONSTRATION in self.urls and len(self.urls) > 1:
            raise ValueError(f"the demonstration ({DEMONSTRATION}) stands alone; leave it or the other addresses out")
        if DEMONSTRATION in self.urls and (given := [name for name in ("root", "token_file", "operator", "receipt_key") if getattr(self, name)]):
            raise ValueError(f"names the demonstration ({DEMONSTRATION}), which brings its own {', '.join(given)}; remove that, or name a real feed")
        if self.urls and DEMONSTRATION not in self.urls and not self.root:
            raise ValueError("names a feed and no root file, with which trust begins; get root.json from the authority, check it, and set root")
        return self


class SharedSettings(Section):
    """Settings more than one room reads."""

    state_dir: Path = Field(default=Path("./var"), description="where versions and state are kept; relative paths start at this file")
    logs: Literal["text", "json"] = Field(
        default="text", description="how each line on standard error is written: text for people, json for machines"
    )
