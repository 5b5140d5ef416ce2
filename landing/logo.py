"""The operator's logo: a small PNG or SVG file, checked, as a data: URI that the page carries in itself.

A browser runs no script and loads nothing in a picture shown by <img> (SVG 2, secure static mode); what is in the file is checked all the same, so
that nothing goes out to every visitor that was not meant to: no script, no foreign markup, no address to load from, no entity that grows, no picture
of a size that no header needs. Refused, not repaired.
"""

from __future__ import annotations

import base64
import re
import struct
import zlib
from pathlib import Path
from xml.parsers import expat

from blocklists.errors import ConfigurationError

MOST_OCTETS = 16 * 1024
"""Each visitor gets it with each page."""

MOST_PIXELS = 1024
"""Width and height of a PNG."""

MOST_DEPTH = 32

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_SVG = "http://www.w3.org/2000/svg"
_DRAWN = ("path", "rect", "circle", "ellipse", "line", "polyline", "polygon", "text", "tspan", "linearGradient", "radialGradient", "stop", "pattern")
_ELEMENTS = frozenset({*_DRAWN, "svg", "g", "defs", "symbol", "use", "title", "desc", "metadata", "style", "clipPath", "mask"})
_LOADS = re.compile(r"url\(\s*(?!['\"]?#)|@import|\\|//|javascript:", re.IGNORECASE)
"""In a style or an attribute: anything that is loaded, but for a part of the same drawing; and escapes, by which that could be hidden."""


class BadLogo(ConfigurationError):
    """A file is no logo that the page can carry. The message says why and what to do, and does not name the file."""


def read(path: Path) -> str:
    """The logo as a data: URI. Raises BadLogo."""
    try:
        with path.open("rb") as file:
            octets = file.read(MOST_OCTETS + 1)
    except OSError as error:
        raise BadLogo(f"cannot be read ({error.strerror}); name a PNG or SVG file that the landing page's user can read") from None
    return uri(octets)


def uri(octets: bytes) -> str:
    """These octets as a data: URI. Raises BadLogo."""
    if len(octets) > MOST_OCTETS:
        raise BadLogo(f"is larger than {MOST_OCTETS // 1024} KiB, and each visitor would load it; make it smaller, or draw it as SVG")
    if octets.startswith(_SIGNATURE):
        _png(octets)
        kind = "image/png"
    else:
        _svg(octets)
        kind = "image/svg+xml"
    return f"data:{kind};base64,{base64.b64encode(octets).decode()}"


def _png(octets: bytes) -> None:
    """PNG (third edition) section 5: whole chunks with right checksums from IHDR to IEND, one picture that does not move, nothing behind it."""
    position, kinds = len(_SIGNATURE), list[bytes]()
    while position < len(octets):
        head = octets[position : position + 8]
        if len(head) < 8:
            raise BadLogo("is a PNG cut short; save it again")
        length, kind = struct.unpack(">I4s", head)
        chunk = octets[position + 4 : position + 8 + length]
        checksum = octets[position + 8 + length : position + 12 + length]
        if len(checksum) < 4 or zlib.crc32(chunk).to_bytes(4) != checksum:
            raise BadLogo("is a PNG cut short or altered; save it again")
        if not kinds and (kind != b"IHDR" or length != 13):
            raise BadLogo("is a PNG that does not begin with its size; save it again")
        if kind == b"IHDR":
            width, height = struct.unpack(">II", chunk[4:12])
            if not (0 < width <= MOST_PIXELS and 0 < height <= MOST_PIXELS):
                raise BadLogo(f"is {width} by {height} pixels, and {MOST_PIXELS} each way is the most; make it smaller")
        elif kind == b"acTL":
            raise BadLogo("is a PNG that moves; save one picture of it")
        kinds.append(kind)
        position += 12 + length
        if kind == b"IEND":
            break
    if kinds.count(b"IHDR") != 1 or b"IDAT" not in kinds or kinds[-1] != b"IEND" or position != len(octets):
        raise BadLogo("is a PNG cut short, or has something behind its end; save it again")


def _svg(octets: bytes) -> None:
    """An SVG document of drawing elements only. A reader of namespaces: `svg:script` and `script` are one."""
    depth = 0
    in_style = False
    parser = expat.ParserCreate("UTF-8", namespace_separator=" ")

    def begin(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth, in_style
        namespace, _, local = name.rpartition(" ")
        if in_style:
            raise BadLogo(f"is an SVG with <{local}> in <style>; save it as plain SVG")
        if not depth and (namespace, local) != (_SVG, "svg"):
            raise BadLogo(f'begins with <{local}>, not with <svg xmlns="{_SVG}">; name a PNG or SVG file')
        depth += 1
        if depth > MOST_DEPTH:
            raise BadLogo(f"is an SVG nested more than {MOST_DEPTH} deep; simplify the drawing")
        if namespace != _SVG or local not in _ELEMENTS:
            raise BadLogo(f"is an SVG with <{local}>, which a logo does not need; save it as plain SVG, with text and pictures made paths")
        in_style = local == "style"
        for attribute, value in attributes.items():
            space, _, plain = attribute.rpartition(" ")
            if plain.lower().startswith("on") or (plain.lower() in {"href", "src"} and not value.startswith("#")) or _LOADS.search(value):
                raise BadLogo(f'is an SVG with {plain}="{value[:40]}" in <{local}>: nothing in it may run or be loaded; save it as plain SVG')
            if space and plain == "base":
                raise BadLogo("is an SVG with xml:base: nothing in it may be loaded; save it as plain SVG")

    def end(_: str) -> None:
        nonlocal depth, in_style
        depth -= 1
        in_style = False

    def text(words: str) -> None:
        if in_style and _LOADS.search(words):
            raise BadLogo("is an SVG whose <style> loads something, or hides it by escapes; save it as plain SVG")

    def refuse(*_: object) -> None:
        raise BadLogo("is an SVG with a document type or a processing instruction; save it as plain SVG")

    parser.StartElementHandler = begin
    parser.EndElementHandler = end
    parser.CharacterDataHandler = text
    parser.buffer_text = True
    parser.buffer_size = MOST_OCTETS + 1  # a style's whole text at once, so that no word is seen in halves
    parser.StartDoctypeDeclHandler = refuse
    parser.ProcessingInstructionHandler = refuse
    try:
        parser.Parse(octets, True)
    except expat.ExpatError as error:
        raise BadLogo(f"is neither PNG nor SVG ({error}); save it as PNG or plain SVG") from None
