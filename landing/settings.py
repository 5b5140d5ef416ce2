"""Settings of the landing page: where it listens, who speaks on it, whom it asks about aliases.

Every field's description is its line in `config.yaml`; its unit is in its name or its description, its default stands here and nowhere else.
"""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from blocklists.endpoints import show_endpoint, split_endpoint
from blocklists.settings import Section


def _endpoint(text: str) -> str:
    return show_endpoint(*split_endpoint(text))


def _resolver(text: str) -> str:
    return _endpoint(text) if text else ""


def _line(text: str) -> str:
    if not text.strip() or not text.isprintable() or len(text) > 200:
        raise ValueError("use one line of 1 to 200 printable characters, such as Example Telecom")
    return text.strip()


def _web_address(text: str) -> str:
    remedy = "write an ASCII address such as https://operator.example/"
    try:
        parts = urlsplit(text)
        hostname, _ = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError(f"{text!r} is not a web address ({error}); {remedy}") from None
    # The text stands between < and > in a Link field: what could end it there is refused, not repaired (RFC 8288 section 3).
    if parts.scheme not in {"http", "https"} or not hostname or not text.isascii() or any(mark <= " " or mark in '<>"\\^`{|}\x7f' for mark in text):
        raise ValueError(f"{text!r} is not a web address; {remedy}")
    return text


Listen = Annotated[str, AfterValidator(_endpoint)]
Resolver = Annotated[str, AfterValidator(_resolver)]
Line = Annotated[str, AfterValidator(_line)]
WebAddress = Annotated[str, AfterValidator(_web_address)]


class LandingSettings(Section):
    """The page that tells a redirected visitor why."""

    listen: tuple[Listen, ...] = Field(default=("127.0.0.1:8080",), min_length=1, description="addresses and ports of the page, plain HTTP")
    operator: Line = Field(default="Your network operator", description="name of the operator who carries the orders out, as visitors know it")
    operator_url: WebAddress = Field(
        default="https://operator.example/",
        description="the operator's web address: where errors are reported, and the Link rel=blocked-by of RFC 7725",
    )
    resolver: Resolver = Field(
        default="", description="address and port of the resolver asked about aliases; empty: our own, at its first listed address"
    )
    language: Literal["en", "fr"] = Field(default="en", description="language of the page for visitors who ask for none that we have")
    connections: int = Field(
        default=4096, ge=16, le=1048576, description="open connections above which visitors are told to come back; at twice as many they are cut"
    )
    head_seconds: float = Field(
        default=10, ge=0.1, le=300, description="time a connection has to complete its next request head, in seconds; then it is closed"
    )
    idle_seconds: int = Field(default=5, ge=1, le=300, description="silence after which a kept-alive connection is closed, in seconds")
