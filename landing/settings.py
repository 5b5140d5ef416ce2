"""Settings of the landing page: where it listens, who speaks on it, whom it asks about aliases.

Every field's description is its line in `config.yaml`; its unit is in its name or its description, its default stands here and nowhere else.
"""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from blocklists.endpoints import show_endpoint, split_endpoint
from blocklists.names import listed, to_text
from blocklists.settings import Section
from landing.contrast import DARK, LIGHT, readable


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


def _on_light(text: str) -> str:
    return readable(text, LIGHT)


def _on_dark(text: str) -> str:
    return readable(text, DARK)


def _own_name(text: str) -> str:
    return to_text(listed(text)) if text else ""


Listen = Annotated[str, AfterValidator(_endpoint)]
Resolver = Annotated[str, AfterValidator(_resolver)]
Line = Annotated[str, AfterValidator(_line)]
WebAddress = Annotated[str, AfterValidator(_web_address)]
OwnName = Annotated[str, AfterValidator(_own_name)]
LightColour = Annotated[str, AfterValidator(_on_light)]
DarkColour = Annotated[str, AfterValidator(_on_dark)]


class LandingSettings(Section):
    """The page that tells a redirected visitor why."""

    listen: tuple[Listen, ...] = Field(default=("127.0.0.1:8080",), min_length=1, description="addresses and ports of the page, plain HTTP")
    operator: Line = Field(default="Your network operator", description="name of the operator who carries the orders out, as visitors know it")
    operator_url: WebAddress = Field(
        default="https://operator.example/",
        description="the operator's web address: where errors are reported, and the Link rel=blocked-by of RFC 7725",
    )
    own_name: OwnName = Field(
        default="",
        description="a name of ours that leads to this page's addresses, where visitors report errors, such as report.operator.example; empty: none",
    )
    listen_tls: tuple[Listen, ...] = Field(
        default=(), description="addresses and ports where own_name is served over TLS, such as 192.0.2.80:443; every other name is refused there"
    )
    certificate: str = Field(default="", description="certificate chain of own_name, its own first: PEM file; relative paths start at this file")
    key: str = Field(default="", description="its private key: PEM file without passphrase, mode 0600; relative paths start at this file")
    logo: str = Field(
        default="",
        description="the operator's logo beside its name: PNG or SVG file of at most 16 KiB; relative paths start at this file; empty: none",
    )
    colour: LightColour = Field(
        default="#14458c", description="the operator's colour on the light page, of links and buttons: #rrggbb, to be read with 4.5 to 1 or better"
    )
    colour_dark: DarkColour = Field(default="#9dc1ff", description="the same on the dark page")
    resolver: Resolver = Field(
        default="", description="address and port of the resolver asked about aliases; empty: our own, at its first listed address"
    )
    language: Literal["en", "fr", "de", "es", "it", "ar"] = Field(
        default="en", description="language of the page for visitors who ask for none that we have"
    )
    connections: int = Field(
        default=20000,
        ge=16,
        le=1048576,
        description="open connections; when there are as many, the one that was silent longest makes room for the next",
    )
    head_seconds: float = Field(
        default=10, ge=0.1, le=300, description="time a connection has to complete its next request head, in seconds; then it is closed"
    )
    idle_seconds: int = Field(default=5, ge=1, le=300, description="silence after which a kept-alive connection is closed, in seconds")

    @property
    def own_url(self) -> str:
        """Where the operator's own pages begin, without the last stroke; empty when it has none."""
        return f"http{'s' if self.listen_tls else ''}://{self.own_name}" if self.own_name else ""
