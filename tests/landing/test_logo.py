"""The operator's logo: what is carried is what was given, and what could run, load, grow or sprawl is refused with its remedy."""

from __future__ import annotations

import base64
import struct
import zlib
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from landing import logo
from landing.logo import BadLogo

SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9">%s</svg>'
DRAWN = SVG % '<style>path { fill: url(#a) }</style><defs><linearGradient id="a"/></defs><path d="M1 1h7v7z"/><use href="#a"/>'


def chunk(kind: bytes, data: bytes = b"") -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int = 1, height: int = 1, *between: bytes) -> bytes:
    size = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    rows = zlib.compress(b"".join(b"\0" + bytes(3 * width) for _ in range(height)))
    return b"\x89PNG\r\n\x1a\n" + size + b"".join(between) + chunk(b"IDAT", rows) + chunk(b"IEND")


@pytest.mark.parametrize(
    ("octets", "kind"),
    [(png(), "image/png"), (png(64, 20, chunk(b"tEXt", b"Title\0x")), "image/png"), (DRAWN.encode(), "image/svg+xml"),
     (b"\xef\xbb\xbf<?xml version='1.0' encoding='UTF-8'?><!-- drawn by hand -->" + DRAWN.encode(), "image/svg+xml")],
)  # fmt: skip
def test_a_picture_is_carried_as_it_is(octets: bytes, kind: str, tmp_path: Path) -> None:
    (tmp_path / "logo").write_bytes(octets)
    head, _, carried = logo.read(tmp_path / "logo").partition(",")
    assert head == f"data:{kind};base64"
    assert base64.b64decode(carried) == octets


@pytest.mark.parametrize(
    ("octets", "message"),
    [
        (b"", "neither PNG nor SVG"),
        (b"GIF89a", "neither PNG nor SVG"),
        (png() + b" " * 16384, "larger than 16 KiB"),
        (png(1025, 1), "is 1025 by 1 pixels, and 1024 each way"),
        (png(0, 1), "is 0 by 1 pixels"),
        (png()[:-1], "cut short"),
        (png()[:12], "cut short"),
        (png()[:-12], "cut short"),
        (png().replace(b"IDAT", b"IDAU"), "cut short or altered"),
        (png() + b"<script>", "behind its end"),
        (png(1, 1, chunk(b"acTL", bytes(8))), "moves"),
        (b"\x89PNG\r\n\x1a\n" + chunk(b"IDAT") + chunk(b"IEND"), "does not begin with its size"),
        (b"<html/>", "begins with <html>, not with <svg"),
        (b"<svg/>", 'not with <svg xmlns="http://www.w3.org/2000/svg">'),
        ((SVG % "<script/>").encode(), "with <script>"),
        ((SVG % '<s:script xmlns:s="http://www.w3.org/2000/svg"/>').encode(), "with <script>"),
        ((SVG % '<b xmlns="http://www.w3.org/1999/xhtml"/>').encode(), "with <b>"),
        ((SVG % "<foreignObject/>").encode(), "with <foreignObject>"),
        ((SVG % '<image href="#a"/>').encode(), "with <image>"),
        ((SVG % '<g onclick="x()"/>').encode(), 'onclick="x\\(\\)" in <g>: nothing in it may run'),
        ((SVG % '<use href="https://elsewhere.example/x.svg#a"/>').encode(), "may run or be loaded"),
        ((SVG % '<use xmlns:x="http://www.w3.org/1999/xlink" x:href="data:,"/>').encode(), "may run or be loaded"),
        ((SVG % '<g xml:base="//elsewhere.example"/>').encode(), "may run or be loaded"),
        ((SVG % '<g xml:base="elsewhere"/>').encode(), "xml:base"),
        ((SVG % '<g style="fill: url( &quot;//elsewhere.example&quot; )"/>').encode(), "may run or be loaded"),
        ((SVG % "<style>@imp<![CDATA[ort]]> 'x';</style>").encode(), "whose <style> loads something"),
        ((SVG % "<style>@imp<!-- -->ort 'x';</style>").encode(), "whose <style> loads something"),
        ((SVG % "<style>@imp<g/>ort 'x';</style>").encode(), "with <g> in <style>"),
        ((SVG % r"<style>\40 import 'x'</style>").encode(), "whose <style> loads something"),
        (b'<!DOCTYPE svg [<!ENTITY a "aaaa">]>' + (SVG % "&a;").encode(), "document type"),
        (b"<?xml-stylesheet href='x'?>" + (SVG % "").encode(), "processing instruction"),
        ((SVG % ("<g>" * 40 + "</g>" * 40)).encode(), "nested more than 32 deep"),
        ((SVG % "<g>").encode(), "neither PNG nor SVG"),
        (DRAWN.encode("latin-1") + b"<!-- \xe9 -->", "neither PNG nor SVG"),
        ((SVG % "<script/>").encode("utf-16"), "with <script>"),
    ],
)
def test_what_no_logo_needs_is_refused(octets: bytes, message: str) -> None:
    with pytest.raises(BadLogo, match=message):
        logo.uri(octets)


def test_a_file_that_is_not_there_is_named_so(tmp_path: Path) -> None:
    for path in (tmp_path / "none.png", tmp_path):
        with pytest.raises(BadLogo, match=r"cannot be read \(.*\); name a PNG or SVG file"):
            logo.read(path)


PIECES = st.lists(
    st.sampled_from(
        ["<g>", "</g>", "<style>", "</style>", "<script>", "</script>", "<![CDATA[", "]]>", "<!--", "-->", "@import", "@imp", "ort 'x'", "url(",
         "#a)", "//x)", "\\", '<use href="', '" onload="x"/>', "&#64;", "<a xmlns='http://www.w3.org/1999/xhtml'/>", " ", "x"]
    ),
    max_size=8,
).map("".join)  # fmt: skip


@given(PIECES)
@example("<style>&#64;import 'x'</style>")
def test_what_is_taken_holds_only_drawing_as_another_reader_sees_it(inner: str) -> None:
    """Refused by BadLogo, or: another XML reader finds only elements of drawings, nothing that runs, and no style that loads."""
    octets = (SVG % inner).encode()
    try:
        taken = logo.uri(octets)
    except BadLogo:
        return
    assert base64.b64decode(taken.partition(",")[2]) == octets
    for element in ElementTree.fromstring(octets).iter():
        namespace, _, name = str(element.tag)[1:].partition("}")
        assert namespace == "http://www.w3.org/2000/svg"
        assert name not in {"script", "foreignObject", "image", "a", "animate", "set"}
        assert not [attribute for attribute in element.attrib if attribute.startswith("on")]
        if name == "style":
            text = element.text or ""
            assert len(element) == 0
            assert "@import" not in text
            assert "url(" not in text.replace("url(#", "")


@given(st.binary(max_size=200) | st.binary(max_size=60).map(lambda tail: png()[:-10] + tail))
def test_any_octets_are_refused_with_reasons_or_carried_whole(octets: bytes) -> None:
    try:
        taken = logo.uri(octets)
    except BadLogo as error:
        remedy = str(error).partition("; ")[2]
        assert remedy
    else:
        assert base64.b64decode(taken.partition(",")[2]) == octets
